# A second one has all the time that is left: nobody could be asked for the rest of it.
config
	[model "quick"]
	target = one/m
	target = two/m
	target = three/m
	hedge = 800ms
start one two three
connect a
a call 1 model=quick stream=yes max_tokens=100 timeout=10000
up 1 sent
after 1s
up 2 is two/m
up 2 sent
after 4s
up 1 over
after 4s
up 2 running
up 2 streams
up 2 says Once
up 2 finishes 1 2
a gets 1
	status retrying: *
	status retrying: *
	status route: *
	start *
	text Once
	usage *
	finish stop
	end two/m attempts=2 *
ledger
	exchange ok - two/m *
	attempt 1 unknown * one/m *
	attempt 2 ok - two/m *
