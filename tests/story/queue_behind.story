# Whoever is behind one that has nowhere else to go looks about, too.
config
	[limit "slow"]
	provider = one
	requests = 1/2s
	[model "pair"]
	target = one/m
	target = two/m
start one two
connect a
a call 1 model=one/m
a call 2 model=two/m timeout=5000
up 2 answers 429 retry-after=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 2
	fault rate_limited *
a call 3 model=one/m timeout=3600000
a gets 3
	status queued: *
# both have to be waited for, and one is free sooner
a call 4 model=pair
a gets 4
	status retrying: limit "slow" *; trying two/m
	status retrying: *two*; trying one/m
	status queued: place 2 of 2 for one/m; about 4 s
# it rests now, and whoever waits there and nowhere else does so too
up 1 answers 429 retry-after=1800
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 3s
a gets 4
	status retrying: *; trying two/m
	status queued: place 1 of 1 for two/m; about 9 s
after 7s
up 3 is two/m
up 3 replies 1 1 x
a gets 4
	status route: two/m
	start *
	...
a leaves
