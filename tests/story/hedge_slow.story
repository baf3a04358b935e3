# Where nobody could take its place any more, the one that answers is not held back until its rate is known.
config
	[model "quick"]
	target = one/m
	target = two/m
	target = three/m
	hedge = 800ms
	min_rate = 5/s
start one two three
connect a
# the loser may have been served
a call 1 model=quick stream=yes max_tokens=100
up 1 sent
after 1s
up 2 is two/m
up 2 streams
up 2 says Once
up 1 cancelled
a gets 1
	status retrying: *
	status route: *
	start *
	text Once
up 2 finishes 1 2
a gets 1
	usage *
	finish *
	end two/m *
# and so may one that left the race
a call 2 model=quick stream=yes max_tokens=100
up 3 sent
after 1s
up 4 is two/m
up 4 sent
up 3 breaks
up 4 streams
up 4 says Once
a gets 2
	status retrying: *
	status retrying: *
	status route: *
	start *
	text Once
up 4 finishes 1 2
a gets 2
	usage *
	finish *
	end two/m *
# who was not served does not count: then there is the third
a call 3 model=quick stream=yes max_tokens=100
up 5 sent
after 1s
up 6 is two/m
up 6 sent
up 5 answers 529
	{"error":{"message":"busy"}}
up 6 streams
up 6 says Once
a gets 3
	status retrying: *
	status retrying: busy; trying two/m
after 10s
up 6 cancelled
up 7 is three/m
up 7 streams
up 7 says Me
up 7 finishes 1 2
a gets 3
	status retrying: *
	status route: *
	start *
	text Me
	usage *
	finish *
	end three/m *
ledger
	2x exchange ok - two/m attempts=2 *
	exchange ok - three/m attempts=3 *
	attempt 1 unknown cancelled one/m *
	attempt 2 ok - two/m *
	attempt 1 unknown * one/m *
	attempt 2 ok - two/m *
	attempt 1 failed overloaded one/m *
	attempt 2 unknown timeout two/m *
	attempt 3 ok - three/m *
