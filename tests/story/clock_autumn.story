# A day of 25 hours has one budget, and so has the hour that a clock shows twice.
config
	[limit "daily"]
	budget = 0.000520/day
	zone = Europe/Berlin
	[limit "hourly"]
	budget = 0.000200/hour
	zone = Europe/Berlin
start one
# 25 October begins there at 22:00 UTC; 02:00 to 03:00 are two hours, from 00:00 to 02:00 UTC
clock 2026-10-24T22:00:00Z
connect a
a call 1 model=one/m max_tokens=70
up 1 replies 10 75 x
a gets 1
	start *
	...
after 2h
a call 2 model=one/m max_tokens=70
up 2 replies 10 75 x
a gets 2
	start *
	...
after 90m
a call 3 model=one/m max_tokens=70
a gets 3
	fault budget retry=1800000: *"hourly"*anew at 2026-10-25 03:00 CET, in 30 min*
after 30m
a call 4 model=one/m max_tokens=70
up 3 replies 10 75 x
a gets 4
	start *
	...
after 20h
a call 5 model=one/m max_tokens=70
a gets 5
	fault budget retry=3600000: *"daily"*anew at 2026-10-26 00:00 CET, in 1 h 0 min*
after 1h
a call 6 model=one/m max_tokens=70
up 4 replies 10 75 x
a gets 6
	start *
	...
a leaves
