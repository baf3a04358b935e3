# A call can be stopped at every moment of its life, and each leaves its row.
start one
connect a
# its body is still coming
a call 1 model=one/m body=later
a data 1 5
a cancel 1
a gets 1
	fault cancelled: cancelled by the caller
a data 1 rest last
a gets 1
ups 0
# it waits to try again
after 1ms
a call 2 model=one/m
up 1 answers 503
	{"error":{"message":"The server is overloaded"}}
a cancel 2
a gets 2
	status retrying: *
	fault cancelled: cancelled by the caller
after 2s
ups 1
# on its way to the provider, who has nothing of it yet
a call 3 model=one/m
a cancel 3
up 2 cancelled
a gets 3
	fault cancelled: cancelled by the caller
# sent, and no head yet
after 1ms
a call 4 model=one/m
up 3 sent
a cancel 4
up 3 cancelled
a gets 4
	fault cancelled: cancelled by the caller
# in the middle of the answer
after 1ms
a call 5 model=one/m stream=yes
up 4 streams
up 4 says Once
a cancel 5
up 4 cancelled
a gets 5
	start *
	text Once
	fault cancelled partial: cancelled by the caller
# after its end, twice, and one that never was
after 1ms
a call 6 model=one/m
up 5 replies 1 1 x
a cancel 6
a cancel 6
a cancel 77
a gets 6
	start *
	text x
	usage *
	finish stop
	end one/m *
a gets 0
# twice at once
after 1ms
a call 7 model=one/m
up 6 running
a cancel 7
a cancel 7
a gets 7
	fault cancelled: cancelled by the caller
# the number is free again
after 1ms
a call 7 model=one/m
up 7 replies 1 1 x
a gets 7
	start *
	text x
	usage *
	finish stop
	end one/m *
ledger
	exchange cancelled cancelled - attempts=0 *
	4x exchange cancelled cancelled one/m attempts=1 * cost=? *
	exchange ok - one/m *
	exchange cancelled cancelled one/m attempts=1 * cost=? *
	exchange ok - one/m *
	attempt 1 failed overloaded one/m http=503 sent *
	attempt 1 cancelled cancelled one/m http=- unsent *
	attempt 1 cancelled cancelled one/m http=- sent *
	attempt 1 cancelled cancelled one/m http=200 sent *
	attempt 1 ok *
	attempt 1 cancelled cancelled one/m http=- unsent *
	attempt 1 ok *
