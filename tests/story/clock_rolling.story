# What counts is the last hour, to the end of the quarter in which it was spent; no clock on a wall has a say.
config
	[limit "last"]
	budget = 0.000200/hour
	window = rolling
	zone = UTC
start one
connect a
after 3500s
a call 1 model=one/m max_tokens=70
up 1 replies 10 75 x
a gets 1
	start *
	...
after 1m
a call 2 model=one/m max_tokens=70
a gets 2
	fault budget retry=4440000: *spent in the last hour*so much is left again at *, in 1 h 14 min*
clock 2027-01-01T00:00:00Z
a call 3 model=one/m max_tokens=70
a gets 3
	fault budget *
clock 2025-01-01T00:00:00Z
a call 4 model=one/m max_tokens=70
a gets 4
	fault budget *
after 4439s
a call 5 model=one/m max_tokens=70 timeout=500
a gets 5
	fault budget retry=1000: *
after 1s
a call 6 model=one/m max_tokens=70
up 2 replies 10 75 x
a gets 6
	start *
	...
a leaves
