# No more is held back than can be, and nothing for another target that could not serve.
config
	[model "quick"]
	target = one/m
	target = two/m
	min_rate = 100000/s
	[model "tried"]
	target = one/m
	target = two/m
	min_rate = 5/s
	attempts = 1
start one two
connect a
# by bytes
a call 1 model=quick stream=yes max_tokens=100 credit=1000000
up 1 streams
up 1 floods 250000 each=1000
a gets 1
up 1 floods 50000 each=1000
a gets 1
	status route: one/m
	start *
	text of 300000 bytes
up 1 finishes 1 1
a gets 1
	usage *
	finish stop
	end one/m *
# by steps
after 1ms
a call 2 model=quick stream=yes max_tokens=100 credit=1000000
up 2 streams
up 2 floods 511 each=1
a gets 2
up 2 says !
a gets 2
	status route: one/m
	start *
	text of 512 bytes
up 2 finishes 1 1
a gets 2
	usage *
	finish stop
	end one/m *
# there are no more tries
after 1ms
a call 3 model=tried stream=yes max_tokens=100
up 3 streams
up 3 says S
a gets 3
	status route: one/m
	start *
	text S
up 3 finishes 1 1
a gets 3
	usage *
	finish stop
	end one/m *
# nor time for it
after 1ms
a call 4 model=quick stream=yes max_tokens=100 timeout=9000
up 4 streams
up 4 says S
a gets 4
	status route: one/m
	start *
	text S
up 4 finishes 1 1
a gets 4
	usage *
	finish stop
	end one/m *
# it is held back, and meanwhile the other one's key is refused: it is let through after all
after 1ms
a call 5 model=quick stream=yes max_tokens=100
up 5 streams
up 5 says S
a call 6 model=two/m
up 6 answers 401
	{"error":{"message":"Incorrect API key"}}
a gets 6
	fault auth *
a gets 5
after 9999ms
a gets 5
after 1ms
a gets 5
	status route: one/m
	start *
	text S
up 5 says o
a gets 5
	text o
up 5 finishes 1 1
a gets 5
	usage *
	finish stop
	end one/m attempts=1 * ttft_us=0 *
# and the next one is not held back at all
after 1ms
a call 7 model=quick stream=yes max_tokens=100
up 7 streams
up 7 says S
a gets 7
	status route: one/m
	start *
	text S
up 7 finishes 1 1
a gets 7
	usage *
	finish stop
	end one/m *
