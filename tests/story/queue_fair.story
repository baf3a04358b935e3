# One program with many calls does not keep another waiting, and what nobody waits for comes last.
config
	[limit "few"]
	provider = one
	concurrency = 1
	[policy "apps"]
	kind = app
	allow = yes
start one
admin app.add {"name":"b"}
connect a
connect b app
a call 1 model=one/m max_tokens=3000
a call 20 model=one/m max_tokens=3000 batch=yes
a call 2..5 model=one/m max_tokens=3000
b call 1 model=one/m max_tokens=3000
ups 1
a gets 20
	status queued: place 1 of 1 for one/m
a gets 2
	status queued: place 1 of 5 for one/m
a gets 3
	status queued: place 2 of 5 for one/m
a gets 4
	status queued: place 3 of 5 for one/m
a gets 5
	status queued: place 4 of 5 for one/m
b gets 1
	status queued: place 2 of 6 for one/m
# a is next, then b, however many a has
up 1 replies 1 1 a1
a gets 1
	start *
	...
ups 2
up 2 replies 1 1 a2
a gets 2
	start *
	...
up 3 replies 1 1 b1
b gets 1
	start *
	text b1
	...
# who comes meanwhile is behind a's next call, and not behind all of them
b call 2 model=one/m max_tokens=3000
b gets 1
	usage *
	finish stop
	end *
b gets 2
	status queued: place 2 of 4 for one/m
up 4 replies 1 1 x
up 5 replies 1 1 x
up 6 replies 1 1 b2
b gets 2
	start *
	text b2
	...
up 7 replies 1 1 x
a gets 5
	start *
	...
up 8 replies 1 1 batch
a gets 20
	start *
	text batch
	...
a leaves
b leaves
admin app.remove {"name":"b"}
ledger
	8x exchange ok - one/m attempts=1 *
	8x attempt 1 ok - one/m *
