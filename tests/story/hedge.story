# A second target is asked beside one that is slow to begin: whose words come first answers, the other one is ended, and both
# are paid for.
config
	[model "quick"]
	target = one/m
	target = two/m
	target = three/m
	hedge = 800ms
start one two three
connect a
# the second one is quicker
a call 1 model=quick stream=yes max_tokens=100
up 1 streams
up 1 hums
after 799ms
ups 1
after 1ms
ups 2
up 2 is two/m
up 1 running
a gets 1
	status retrying: no word of the answer within 800 ms; asking two/m beside it
after 100ms
up 2 streams
up 1 running
up 2 says Once
up 1 cancelled
a gets 1
	status route: one/m unknown(cancelled), two/m
	start *
	text Once
up 2 says upon
up 2 finishes 7 9
a gets 1
	text upon
	usage input=7 output=9 *
	finish stop
	end two/m attempts=2 input=7 output=9 cost=317000 ttft_us=900000 total_us=900000
# the first one after all
a call 2 model=quick stream=yes max_tokens=100
up 3 sent
after 1s
up 4 is two/m
up 4 streams
up 3 streams
up 3 says Me
up 4 cancelled
up 3 finishes 7 9
a gets 2
	status retrying: *
	status route: two/m unknown(cancelled), one/m
	start *
	text Me
	usage *
	finish stop
	end one/m *
# whoever is quick enough is left alone, and so is who has begun
a call 3 model=quick stream=yes max_tokens=100
up 5 streams
up 5 says x
after 10s
ups 5
up 5 finishes 7 9
a gets 3
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m *
# a whole answer is one piece: it has begun when it is there
a call 4 model=quick
up 6 sent
after 1s
up 7 is two/m
up 7 replies 7 9 Both
up 6 cancelled
a gets 4
	status retrying: *
	status route: *
	start *
	text Both
	usage *
	finish stop
	end two/m *
# not what may be sent but once, nor what can wait
a call 5 model=quick stream=yes once=yes
a call 6 model=quick stream=yes batch=yes
up 8..9 sent
after 5s
ups 9
a leaves
ledger
	exchange ok - two/m attempts=2 warnings=0 input=7 output=9 cost=* ms=900.0
	exchange ok - one/m attempts=2 warnings=0 input=7 output=9 cost=* ms=1000.0
	exchange ok - one/m attempts=1 warnings=0 input=7 output=9 cost=25000 *
	exchange ok - two/m attempts=2 warnings=0 input=7 output=9 cost=8309000 *
	2x exchange cancelled cancelled one/m attempts=1 *
	attempt 1 unknown cancelled one/m http=200 sent input=? output=? cost=242000
	attempt 2 ok - two/m http=200 sent input=7 output=9 cost=75000
	attempt 1 ok - one/m http=200 sent input=7 output=9 cost=25000
	attempt 2 unknown cancelled two/m http=200 sent input=? output=? cost=726000
	attempt 1 ok - one/m http=200 sent input=7 output=9 cost=25000
	attempt 1 unknown cancelled one/m http=- sent input=? output=? cost=8234000
	attempt 2 ok - two/m http=200 sent input=7 output=9 cost=75000
	2x attempt 1 cancelled cancelled one/m http=- sent *
