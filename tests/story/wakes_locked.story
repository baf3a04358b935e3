# With lock_on_resume a call under way has its key, and the next one is told.
config
	[vault]
	lock_on_resume = yes
start one
connect a
a call 1 model=one/m
up 1 is one/m
wakes
admin vault.status
	raw *"state":"locked"*
up 1 replies 1 1 x
a gets 1
	...
after 1ms
a call 2 model=one/m
a gets 2
	fault locked*
admin vault.unlock {}
after 1ms
a call 3 model=one/m
up 2 replies 1 1 x
a gets 3
	...
a leaves
after 1ms
ledger
	exchange ok - one/m attempts=1 *
	exchange failed locked - attempts=0 *
	exchange ok - one/m attempts=1 *
	2x attempt 1 ok *
