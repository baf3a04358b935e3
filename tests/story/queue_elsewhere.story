# Who would have to wait long asks the next target; where all have to be waited for, the first that is free.
config
	[limit "one"]
	provider = one
	requests = 1/minute
	[limit "two"]
	provider = two
	requests = 1/30s
	[model "pair"]
	target = one/m
	target = two/m
start one two
connect a
a call 1..4 model=pair
ups 2
up 1 is one/m
up 2 is two/m
up 1..2 replies 1 1 x
a gets 1
	status route: one/m
	start *
	...
a gets 2
	status retrying: limit "one" *; trying two/m
	status route: two/m
	start *
	...
a gets 3
	status retrying: limit "one" *; trying two/m
	status queued: place 1 of 1 for two/m; about 30 s
# as soon as behind that one
a gets 4
	status retrying: limit "one" *; trying two/m
	status retrying: limit "two" *; trying one/m
	status queued: place 1 of 1 for one/m; about 60 s
after 30s
ups 3
up 3 is two/m
up 3 replies 1 1 x
a gets 3
	status route: two/m
	start *
	...
after 30s
up 4 is one/m
up 4 replies 1 1 x
a gets 4
	status route: one/m
	start *
	...
# a short wait is worth it
after 59500ms
a call 5 model=pair
a gets 5
	status queued: place 1 of 1 for one/m; about 1 s
after 500ms
up 5 is one/m
up 5 replies 1 1 x
a gets 5
	status route: one/m
	start *
	...
a leaves
