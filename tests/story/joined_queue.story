# Who reads along with one that waits in a queue waits with it: no longer than his own time, or than he would by himself, and he is told what
# stands in the way.
config
	[broker]
	queue_timeout = 3s
	[limit "one"]
	provider = one
	concurrency = 1
start one
connect a
connect b
a call 1 model=one/m stream=yes
ups 1
up 1 streams
up 1 says Once
a call 2 model=one/m temperature=0 timeout=20000
b call 2 model=one/m temperature=0 timeout=500
b call 3 model=one/m temperature=0 timeout=21000
a gets 2
	status queued: *
after 500ms
b gets 2
	fault rate_limited *: 500 ms were not enough for its turn to come: *
a cancel 2
a gets 2
	fault cancelled: *
# his place is kept for who is left, and then nobody's
after 1s
b gets 3
b cancel 3
b gets 3
	fault cancelled: *
# he has said nothing of his time
a call 4 model=one/m temperature=0
after 2s
b call 4 model=one/m temperature=0
a gets 4
	status queued: *
after 1s
a gets 4
	fault rate_limited *: 3000 ms were not enough for its turn to come: *
b gets 4
	status queued: *
after 1s
up 1 says upon
after 1s
b gets 4
	fault rate_limited *: 3000 ms were not enough for its turn to come: *
a gets 1
	start *
	text Once
	text upon
up 1 finishes 1 1
a gets 1
	usage *
	finish stop
	end *
ups 1
admin cache.clear {}
	raw {"removed":0}
