# So many calls a minute: who comes too soon is told where he stands, and is served when it is his turn.
config
	[limit "slow"]
	provider = one
	requests = 2/minute
start one
connect a
a call 1..4 model=one/m max_tokens=10
ups 2
up 1..2 replies 1 1 ok
a gets 1..2
	start *
	...
a gets 3
	status queued: place 1 of 2 for one/m; about 30 s
a gets 4
	status queued: place 2 of 2 for one/m; about 60 s
after 29999ms
ups 2
after 1ms
ups 3
up 3 is one/m
up 3 replies 1 1 third
a gets 3
	start *
	text third
	usage *
	finish stop
	end one/m attempts=1 *
after 1s
a gets 4
	status queued: place 1 of 1 for one/m; about 30 s
after 29s
up 4 replies 1 1 fourth
a gets 4
	start *
	...
# another provider is another thing
a call 5 model=two/m
a gets 5
	fault no_key:*
# what cannot be had in its time is refused at once
a call 6 model=one/m timeout=20000
a gets 6
	fault rate_limited retry=30000: *slow*
ups 4
a leaves
ledger
	2x exchange ok - one/m *
	exchange ok - one/m * ms=30000.0
	exchange ok - one/m * ms=60000.0
	exchange failed no_key *
	exchange failed rate_limited - attempts=0 *
	4x attempt 1 ok - one/m *
