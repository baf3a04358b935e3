# A week begins on Monday, there where its zone is, and one in which the clocks are changed is as long as it is.
config
	[limit "weekly"]
	budget = 0.000200/week
	zone = America/New_York
start one
# Monday, 26 October, 00:00 EDT: 169 hours until the next
clock 2026-10-26T04:00:00Z
connect a
a call 1 model=one/m max_tokens=70
up 1 replies 10 75 x
a gets 1
	start *
	...
after 168h
a call 2 model=one/m max_tokens=70
a gets 2
	fault budget retry=3600000: *spent this week (America/New_York)*anew at 2026-11-02 00:00 EST, in 1 h 0 min*
after 1h
a call 3 model=one/m max_tokens=70
up 2 replies 10 75 x
a gets 3
	start *
	...
# a week ahead, and again, and back: it is one week
clock 2026-11-09T05:00:00Z
a call 4 model=one/m max_tokens=70
a gets 4
	fault budget *
clock 2026-11-16T05:00:00Z
a call 5 model=one/m max_tokens=70
a gets 5
	fault budget *
clock 2026-11-02T05:00:00Z
a call 6 model=one/m max_tokens=70
a gets 6
	fault budget *
after 168h
a call 7 model=one/m max_tokens=70
up 3 replies 10 75 x
a gets 7
	start *
	...
a leaves
