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
ledger
	exchange failed timeout two/m attempts=2 *cost=? ms=20000.0
	exchange failed timeout two/m attempts=1 *cost=? ms=5000.0
	attempt 1 failed timeout one/m http=- unsent *
	attempt 2 failed timeout two/m http=- unsent *
	attempt 1 * two/m http=- unsent *
