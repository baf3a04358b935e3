# Who does not answer the door is waited for as long as connecting may take, and then another is asked: nothing was
# sent, so that nobody need fear for it, at_most_once or not.
config
	[broker]
	connect_timeout = 10s
	[model "two"]
	target = one/m
	target = two/m
start one two
connect a
a call 1 model=two stream=yes once=yes
up 1 is one/m
after 9999ms
ups 1
after 1ms
up 1 over
up 2 is two/m
after 10s
up 2 over
ups 2
a gets 1
	status retrying: *; trying two/m
	fault timeout code=connect from=*: *
open 0
# a call's own time may be shorter
after 1ms
a call 2 model=two/m stream=yes timeout=5000
after 5s
ups 3
a gets 2
	fault timeout*: *
# and whoever has no ten seconds has learned as much after four: what a model does has nothing to do with the door
a call 3..4 model=two stream=yes timeout=8000
up 4..5 is one/m
after 4s
up 6..7 is two/m
up 6..7 replies 1 1 x
a call 5 model=two timeout=8000
up 8 is two/m
up 8 replies 1 1 x
a gets 3..5
	*
	...
# less than three seconds say nothing of a host
raise HUP
after 1ms
a call 6..9 model=one/m timeout=2900
up 9..12 is one/m
after 2900ms
a gets 6..9
	fault timeout*: *
a call 10 model=two timeout=8000
up 13 is one/m
up 13 replies 1 1 x
a gets 10
	*
	...
a leaves
ledger
	exchange failed timeout two/m attempts=2 *cost=? ms=20000.0
	exchange failed timeout two/m attempts=1 *cost=? ms=5000.0
	8x exchange *
	attempt 1 failed timeout one/m http=- unsent *
	attempt 2 failed timeout two/m http=- unsent *
	attempt 1 * two/m http=- unsent *
	10x attempt *
