# Before there is content a leg may fail, and the other goes on alone; when both have, the request goes on as it would have.
config
	[model "quick"]
	target = one/m
	target = two/m
	target = three/m
	hedge = 800ms
start one two three
connect a
# the first fails
a call 1 model=quick stream=yes max_tokens=100
up 1 sent
after 1s
up 2 is two/m
up 2 sent
up 1 answers 529
	{"error":{"message":"busy"}}
up 2 running
a gets 1
	status retrying: no word of the answer within 800 ms; asking two/m beside it
	status retrying: busy; trying two/m
up 2 streams
up 2 says Once
up 2 finishes 1 2
a gets 1
	status route: one/m failed(overloaded), two/m
	start *
	text Once
	usage *
	finish stop
	end two/m *
# the second does; it is not asked again before the third
a call 2 model=quick stream=yes max_tokens=100
up 3 is one/m
up 3 sent
after 1s
up 4 is two/m
up 4 answers 503
	{"error":{"message":"down"}}
up 3 running
up 3 answers 503
	{"error":{"message":"down, too"}}
after 5s
up 5 is three/m
up 5 streams
up 5 says x
up 5 finishes 1 2
a gets 2
	status retrying: no word of the answer within 800 ms; asking two/m beside it
	status retrying: *; trying three/m
	status route: two/m failed(*), one/m failed(*), three/m
	start *
	text x
	usage *
	finish stop
	end three/m *
raise HUP
after 1ms
# both: the one that is left is tried again, as it would be alone
a call 3 model=quick stream=yes max_tokens=100
up 6 is one/m
up 6 sent
after 1s
up 7 is two/m
up 7 sent
up 6 breaks
up 7 running
up 7 answers 529
	{"error":{"message":"busy"}}
after 5s
up 8 is two/m
up 8 replies 1 2 y
a gets 3
	status retrying: *
	status retrying: *
	status retrying: *
	status route: *
	start *
	text y
	usage *
	finish stop
	end two/m *
raise HUP
after 1ms
# once a request: the third is not asked beside the other two
a call 4 model=quick stream=yes max_tokens=100
up 9 sent
after 1s
up 10 sent
after 4s
ups 10
# its caller takes it back: both end
a cancel 4
up 9 cancelled
up 10 cancelled
a gets 4
	status retrying: *
	fault cancelled: *
# its time is over: both may have been served
a call 5 model=quick stream=yes max_tokens=100 timeout=3000
up 11 sent
after 1s
up 12 sent
after 2s
up 11 cancelled
up 12 cancelled
a gets 5
	status retrying: *
	...
	fault * *
a leaves
ledger
	exchange ok - two/m attempts=2 warnings=0 input=1 output=2 cost=15000 *
	exchange ok - three/m attempts=3 warnings=0 input=1 output=2 cost=? *
	exchange ok - two/m attempts=3 warnings=0 input=1 output=2 cost=257000 *
	exchange cancelled cancelled one/m attempts=2 warnings=0 input=? output=? cost=? ms=5000.0
	exchange unknown timeout one/m attempts=2 warnings=0 input=? output=? cost=968000 ms=3000.0
	attempt 1 failed overloaded one/m http=529 sent input=? output=? cost=?
	attempt 2 ok - two/m http=200 sent input=1 output=2 cost=15000
	attempt 1 failed overloaded one/m http=503 sent input=? output=? cost=?
	attempt 2 failed overloaded two/m http=503 sent input=? output=? cost=?
	attempt 3 ok - three/m http=200 sent input=1 output=2 cost=?
	attempt 1 unknown outcome_unknown one/m http=- sent input=? output=? cost=242000
	attempt 2 failed overloaded two/m http=529 sent input=? output=? cost=?
	attempt 3 ok - two/m http=200 sent input=1 output=2 cost=15000
	attempt 1 cancelled cancelled one/m http=- sent *
	attempt 2 cancelled cancelled two/m http=- sent *
	attempt 1 unknown timeout one/m http=- sent input=? output=? cost=242000
	attempt 2 unknown timeout two/m http=- sent input=? output=? cost=726000
