# What a call may cost is for both that race together.
config
	[model "quick"]
	target = one/m
	target = two/m
	hedge = 800ms
start one two
connect a
# one alone may cost 242000, the other 726000
a call 1 model=quick stream=yes max_tokens=100 max_cost=900000
up 1 is one/m
up 1 sent
after 1s
ups 1
up 1 streams
up 1 says x
up 1 finishes 7 9
a gets 1
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m *
a call 2 model=quick stream=yes max_tokens=100 max_cost=1000000
up 2 is one/m
up 2 sent
after 1s
up 3 is two/m
up 3 streams
up 3 says x
up 3 finishes 7 9
a gets 2
	status retrying: *
	status route: *
	start *
	text x
	usage *
	finish stop
	end two/m * cost=317000 *
ledger
	exchange ok - one/m attempts=1 *
	exchange ok - two/m attempts=2 * cost=317000 *
	attempt 1 ok - one/m *
	attempt 1 unknown cancelled one/m * cost=242000
	attempt 2 ok - two/m * cost=75000
