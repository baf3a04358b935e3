# The host wakes from sleep: a vault that is to be locked then is, and any other stays open.
start one
connect a
a call 1 model=one/m
up 1 is one/m
wakes
up 1 replies 1 1 x
a gets 1
	...
after 1ms
a call 2 model=one/m
up 2 replies 1 1 x
a gets 2
	...
a leaves
after 1ms
ledger
	2x exchange ok - one/m attempts=1 *
	2x attempt 1 ok *
