# Who waits at one target goes to another when that would take long after all, and when nobody else is there is told.
config
	[limit "slow"]
	provider = one
	requests = 1/1s
	[model "pair"]
	target = one/m
	target = two/m
start one two
connect a
a call 1 model=one/m
a call 2 model=pair
a call 3 model=one/m timeout=20000
a gets 2
	status queued: place 1 of 1 for one/m; about 1 s
a gets 3
	status queued: place 2 of 2 for one/m; about 2 s
up 1 answers 429 retry-after=3600
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 1s
a gets 2
	status retrying: *; trying two/m
up 2 is two/m
up 2 replies 1 1 x
a gets 2
	status route: two/m
	start *
	...
a gets 3
	fault rate_limited retry=*: *one*
a leaves
