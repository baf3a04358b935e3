# Who reads along counts as asked once: not again where it has to ask by itself in the end, of what is not about one provider.
config
	[limit "all"]
	requests = 5/day
	[limit "one"]
	provider = one
	concurrency = 1
	requests = 7/day
start one
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
	raw *"requests":{"limit":5,"per_ms":86400000,"used":2}*
after 1s
a gets 2
	fault rate_limited *
# it waits for its own turn now, which is only the provider's to give
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
admin budget.list {"name":"all"}
	raw *"requests":{"limit":5,"per_ms":86400000,"used":2}*
admin budget.list {"name":"one"}
	raw *"requests":{"limit":7,"per_ms":86400000,"used":2}*
# one that fails and is tried again is asked twice, as ever
c call 1 model=one/m prompt=2
up 3 answers 503 content-type=application/json
	{"error":{"message":"later"}}
after 10s
up 4 replies 7 9 third
c gets 1
	status retrying: *
	status route: *
	start *
	text third
	usage *
	finish stop
	end one/m *
admin budget.list {"name":"all"}
	raw *"requests":{"limit":5,"per_ms":86400000,"used":4}*
admin cache.clear {}
	raw {"removed":*}
