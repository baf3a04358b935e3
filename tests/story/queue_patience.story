# Who has not said how long he has waits two minutes for his turn, and is told at once where that is not enough.
config
	[broker]
	request_timeout = 1h
	[limit "few"]
	provider = one
	concurrency = 1
start one two
connect a
a call 1 model=one/m timeout=1000000
up 1 sent
a call 2 model=one/m
a gets 2
	status queued: *
# one that says how long is not hurried
a call 3 model=one/m timeout=900000
a gets 3
	status queued: *
after 119999ms
a gets 2
after 1ms
a gets 2
	fault rate_limited *: 120000 ms were not enough for its turn to come: *few*
after 300s
a gets 3
	status queued: *
up 1 replies 1 1 x
up 2 replies 1 1 x
a call 4 model=two/m
up 3 answers 429 retry-after=121
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 4
	fault rate_limited * retry=121000 *: *Rate limit reached*
a call 5 model=two/m timeout=130000
a gets 5
	status queued: *
a leaves
