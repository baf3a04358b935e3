# Who reads along was counted as asked: it does not wait behind one that waits to be counted, once it has to ask by itself.
config
	[limit "all"]
	requests = 2/minute
	[limit "one"]
	provider = one
	concurrency = 1
start one two
connect a
connect b
connect c
a call 1 model=one/m stream=yes prompt=1
up 1 streams
up 1 says first
a gets 1
	start *
	text first
a call 2 model=one/m temperature=0 timeout=1000
a gets 2
	status queued: *
b call 1 model=one/m temperature=0 timeout=1300
ups 1
admin budget.list {"name":"all"}
	raw *"requests":{"limit":2,"per_ms":60000,"used":2}*
c call 1 model=two/m prompt=5
ups 1
c gets 1
	status queued: *
after 1s
a gets 2
	fault rate_limited *
b gets 1
	status queued: *
up 1 finishes 7 9
a gets 1
	usage *
	finish stop
	end one/m *
up 2 replies 7 9 second
b gets 1
	start *
	text second
	usage *
	finish stop
	end one/m *
after 30s
up 3 replies 7 9 third
c gets 1
	start *
	text third
	usage *
	finish stop
	end two/m *
admin cache.clear {}
	raw {"removed":*}
