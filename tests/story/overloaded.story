# 503, then good: at most half a second later. Twice in a row, and it rests.
start three
connect a
a call 1 model=three/m
up 1 answers 503
	{"error":{"message":"The server is overloaded"}}
a gets 1
	status retrying: *
after 500ms
ups 2
up 2 is three/m
up 2 answers 503
	{"error":{"message":"The server is overloaded"}}
a gets 1
	status retrying: *
after 1s
ups 3
up 3 replies 2 2 there
a gets 1
	status route: three/m failed(overloaded), three/m failed(overloaded), three/m
	start *
	text there
	usage *
	finish stop
	end three/m attempts=3 input=2 output=2 cost=? *
# a third time is the end of it
a call 2 model=three/m
up 4 answers 503
	{"error":{"message":"The server is overloaded"}}
after 500ms
up 5 answers 503
	{"error":{"message":"The server is overloaded"}}
after 1s
up 6 answers 503
	{"error":{"message":"The server is overloaded"}}
ups 6
a gets 2
	status retrying: *
	status retrying: *
	fault overloaded status=503 from=three: *
ledger
	exchange ok - three/m attempts=3 warnings=0 input=2 output=2 cost=? *
	exchange failed overloaded three/m attempts=3 warnings=0 input=? output=? cost=? *
	attempt 1 failed overloaded three/m http=503 sent *
	attempt 2 failed overloaded three/m http=503 sent *
	attempt 3 ok - three/m http=200 sent *
	attempt 1 failed overloaded three/m http=503 sent *
	attempt 2 failed overloaded three/m http=503 sent *
	attempt 3 failed overloaded three/m http=503 sent *
