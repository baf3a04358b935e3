# Budgets go by the calendar, whatever the zone does with its hours; and a clock that is set fills none twice.
config
	[limit "daily"]
	budget = 0.000200/day
	zone = Europe/Berlin
start one
# 29 March begins there at 23:00 UTC, and has 23 hours
clock 2026-03-28T22:59:00Z
connect a
a call 1 model=one/m max_tokens=70
up 1 replies 10 75 x
a gets 1
	start *
	...
a call 2 model=one/m max_tokens=70
a gets 2
	fault budget retry=60000: *"daily"*anew at 2026-03-29 00:00 CET*
after 1m
a call 3 model=one/m max_tokens=70
up 2 replies 10 75 x
a gets 3
	start *
	...
after 22h
a call 4 model=one/m max_tokens=70
a gets 4
	fault budget retry=3600000: *anew at 2026-03-30 00:00 CEST*
after 1h
a call 5 model=one/m max_tokens=70
up 3 replies 10 75 x
a gets 5
	start *
	...
# ahead by a month: a day has not gone by
clock 2026-04-30T22:00:00Z
a call 6 model=one/m max_tokens=70
a gets 6
	fault budget *
# back again, and on to the next day's end
clock 2026-03-29T21:59:00Z
a call 7 model=one/m max_tokens=70
a gets 7
	fault budget *
after 1441m
a call 8 model=one/m max_tokens=70
up 4 replies 10 75 x
a gets 8
	start *
	...
a leaves
