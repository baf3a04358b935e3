# Without credit nothing of an answer goes out, and nobody waits for it for ever.
start one
connect a
a call 1 model=one/m credit=0
up 1 replies 2 2 waits
a gets 1
after 29s
a credit 1 10000
a gets 1
	start *
	text waits
	usage *
	finish stop
	end one/m *
# the last frame costs nothing: a fault needs no credit
a call 2 model=nobody/m credit=0
a gets 2
	fault not_found * no provider is called "nobody"*
# a whole answer lies there and no credit comes: told after 30 s, and the number is free
after 1ms
a call 3 model=one/m credit=0
up 2 replies 2 2 waits
after 29s
a gets 3
open 1
after 1s
a gets 3
	fault slow_consumer: nothing was read for 30 s
open 0
after 1ms
a call 3 model=one/m
up 3 replies 1 1 x
a gets 3
	start *
	text x
	usage *
	finish stop
	end one/m *
# one in the making likewise: its provider is dropped
after 1ms
a call 4 model=one/m credit=1 stream=yes max_tokens=100
up 4 streams
up 4 says A
up 4 says B
a gets 4
	start *
after 30s
up 4 cancelled
a gets 4
	fault slow_consumer partial: nothing was read for 30 s
open 0
# a stopped call is told so at once, with or without credit
a call 5 model=one/m credit=0 stream=yes max_tokens=100
up 5 streams
up 5 says A
a cancel 5
up 5 cancelled
a gets 5
	fault cancelled partial: cancelled by the caller
open 0
after 1ms
a call 6 model=one/m credit=0
up 6 replies 2 2 waits
a cancel 6
a gets 6
	fault cancelled: cancelled by the caller
open 0
# a deadline too
after 1ms
a call 7 model=one/m credit=0 timeout=1000 stream=yes max_tokens=100
up 7 streams
up 7 says A
after 1s
up 7 cancelled
a credit 7 1000
a gets 7
	start *
	text A
	fault timeout partial: *
# too much of it is an error of that call alone
after 1ms
a call 8 model=one/m credit=67108864
a credit 8 1
up 8 cancelled
a gets 8
	fault protocol: call 8 has more than *
a gets 0
serving
ledger
	exchange ok - one/m * ms=0.0
	exchange failed not_found - attempts=0 *
	exchange ok - one/m *
	exchange ok - one/m *
	exchange unknown slow_consumer one/m * cost=242000 ms=30000.0
	exchange cancelled cancelled one/m *
	exchange ok - one/m *
	exchange unknown timeout one/m * cost=242000 ms=1000.0
	exchange failed protocol one/m *
	3x attempt 1 ok *
	attempt 1 unknown slow_consumer one/m http=200 *
	attempt 1 cancelled cancelled *
	attempt 1 ok *
	attempt 1 unknown timeout one/m http=200 *
	attempt 1 failed protocol one/m http=- unsent *
