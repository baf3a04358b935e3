# A broker that ends keeps nobody waiting: who waits is told to come again.
config
	[limit "few"]
	provider = one
	concurrency = 1
start one
connect a
a call 1..3 model=one/m
a gets 2..3
	status queued: *
raise TERM
a gets 2..3
	fault restarting: *
a gets 0
	goaway *
up 1 replies 1 1 x
a gets 1
	start *
	...
stopped
a leaves
