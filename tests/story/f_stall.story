# A provider that falls silent in the middle of its answer: what was said stays, an error says that it is a part, and
# nobody else's words come behind it. It is billed as reserved, for nobody knows what was served.
config
	[broker]
	idle_timeout = 30s
start one two
connect a
a call 1 model=all stream=yes max_tokens=100
up 1 streams
up 1 says The first
up 1 says -of many
a gets 1
	status route: one/m
	start *
	text The first
	text -of many
after 29999ms
up 1 running
a gets 1
after 1ms
up 1 over
ups 1
a gets 1
	fault timeout partial code=idle from=one: *
# a word within that time, and it may go on for ever
after 1ms
a call 2 model=all stream=yes max_tokens=100
up 2 streams
after 5m every 29s up 2 says x
up 2 finishes 1 10
a gets 2
	status route: one/m
	start *
	text of 10 bytes
	usage *
	finish stop
	end one/m attempts=1 *
# its caller's own time may be shorter
after 1ms
a call 3 model=all stream=yes max_tokens=100 timeout=8000
up 3 streams
up 3 says Once
after 7999ms
up 3 running
after 1ms
ups 3
a gets 3
	status route: one/m
	start *
	text Once
	fault timeout partial*: *
ledger
	exchange unknown timeout one/m attempts=1 *cost=242000 ms=30000.0
	exchange ok - one/m attempts=1 *
	exchange * timeout one/m attempts=1 *cost=242000 ms=8000.0
	attempt 1 unknown timeout one/m http=200 sent *
	attempt 1 ok - one/m *
	attempt 1 * one/m http=200 sent *
