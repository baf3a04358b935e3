# What is kept is not waited for behind those who wait for a provider; but who came before and waits for how often one may ask, which it
# takes of too, goes first.
config
	[broker]
	queue_timeout = 10m
	[limit "slow"]
	model = one/m
	requests = 2/minute
	[limit "each"]
	model = two/m
	concurrency = 1
start one two
connect a
connect b
b call 1 model=two/m temperature=0
up 1 replies 1 1 two
b gets 1
	start *
	...
a call 1 model=one/m temperature=0
up 2 replies 7 9 hello
a gets 1
	start *
	...
# there one is served at a time
b call 2..3 model=two/m
ups 3
b gets 3
	status queued: *
b call 4 model=two/m temperature=0
b gets 4
	start *
	text two
	finish stop
	usage *
	end hit *
up 3 replies 1 1 x
up 4 replies 1 1 x
b gets 2
	start *
	...
b gets 3
	start *
	...
# here two a minute may ask
after 1m
a call 2..3 model=one/m prompt=1 cache=off
up 5..6 replies 1 1 x
a gets 2..3
	start *
	...
a call 4..5 model=one/m prompt=2 cache=off
a gets 4
	status queued: *
a gets 5
	status queued: *
after 10s
b call 5..7 model=one/m temperature=0
after 1s
a call 6 model=one/m prompt=3 cache=off
a gets 6
	status queued: *
ups 6
after 20s
ups 7
up 7 replies 1 1 x
b gets 5..7
after 30s
ups 8
up 8 replies 1 1 x
b gets 5..7
a gets 4
	start *
	...
a gets 5
	status queued: *
	start *
	...
# who came after them does not go before them
after 100s
b gets 5..7
	start *
	text hello
	finish stop
	usage *
	end hit *
after 25s
ups 9
up 9 replies 1 1 x
admin cache.clear {}
	raw {"removed":2}
a leaves
b leaves
