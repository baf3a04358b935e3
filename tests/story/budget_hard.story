# A budget is never passed: what a call can cost is set aside before, and what it did cost is what counts.
# "Say hello." is 42 tokens at the most: 42000 nusd at one (1 and 2 USD a million).
config
	[limit "daily"]
	budget = 0.000400/day
	zone = UTC
start one two
connect a
# without a cap of its own it gets one: 400000 - 42000 at 2000 a token
a call 1 model=one/m
up 1 asks *"max_tokens":178[,}]*
a gets 1
	warning clamped_parameter max_tokens: *budget*
# nothing is left until that is known
after 1ms
a call 2 model=one/m max_tokens=100
ups 1
a gets 2
	status queued: place 1 of 1 for one/m
up 1 replies 10 20 x
a gets 1
	start *
	...
# 50000 are spent
ups 2
up 2 asks *"max_tokens":100[,}]*
up 2 replies 10 70 x
a gets 2
	start *
	...
# 200000 are spent: a cap that does not fit is made to
after 1ms
a call 3 model=one/m max_tokens=100
up 3 asks *"max_tokens":78[,}]*
up 3 replies 10 74 x
a gets 3
	warning clamped_parameter max_tokens: *
	start *
	...
# 358000: the prompt alone is too much
after 1ms
a call 4 model=one/m max_tokens=1
a gets 4
	fault budget retry=*: limit "daily" (*) of all calls: 0.000358 of 0.0004 USD spent this day (UTC), and this call can cost 0.000044; it begins anew at 2026-01-02 00:00 UTC, in *
ups 3
# nor elsewhere
after 1ms
a call 5 model=all
a gets 5
	status retrying: *
	...
a leaves
ledger
	3x exchange ok - one/m *
	2x exchange failed budget *
	3x attempt 1 ok - one/m *
