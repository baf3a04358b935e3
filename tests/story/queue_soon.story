# What is busy will be free before what rests for an hour: its turn is waited for, and nobody is sent away because of the
# last one that was asked.
config
	[limit "few"]
	provider = one
	concurrency = 1
	[model "pair"]
	target = one/m
	target = two/m
start one two
connect a
a call 1 model=two/m timeout=3000
up 1 answers 429 retry-after=3600
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 1
	fault rate_limited *
a call 2 model=one/m
ups 2
a call 3..4 model=pair timeout=60000
a gets 3
	status retrying: limit "few" *; trying two/m
	status retrying: *two*; trying one/m
	status queued: place 1 of 2 for one/m
a gets 4
	status retrying: *
	status retrying: *
	status queued: place 2 of 2 for one/m
after 500ms
up 2 replies 1 1 x
up 3 is one/m
up 3 replies 1 1 x
a gets 3
	status route: one/m
	start *
	...
up 4 is one/m
up 4 replies 1 1 x
a gets 4
	status route: one/m
	start *
	...
a leaves
