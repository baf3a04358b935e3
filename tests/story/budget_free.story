# What costs nothing is not refused, and what is answered here is nobody's to limit.
config
	[limit "daily"]
	budget = 0.000043/day
	requests = 2/day
	zone = UTC
start one
connect a
a call 1..3 model=offline/echo
a gets 1..3
	start *
	...
a call 4 model=one/m op=count
a gets 4
	warning emulated *
	...
a call 5 model=one/m max_tokens=1
a gets 5
	fault budget: *more than all of it*
a leaves
