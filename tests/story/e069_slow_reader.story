# A client that does not read pauses its provider at the high mark (1 MiB in the flight, beside what the
# socket and the session hold) and lets it go on below the low one (256 KiB).
start one
connect a
a deaf
a call 1 model=one/m stream=yes max_tokens=100 credit=67108864
up 1 streams
up 1 floods 1000000
up 1 flowing
up 1 floods 3000000
up 1 paused
after 10s
up 1 paused
a listens
after 1ms
up 1 flowing
up 1 finishes 1 2
a gets 1
	start *
	text of 4000000 bytes
	usage *
	finish stop
	end one/m *
# one that takes nothing for 30 s is told off, and then hung up on: its socket is full
connect b
b deaf
b call 1 model=one/m stream=yes max_tokens=100 credit=67108864
up 2 streams
up 2 floods 4000000
up 2 paused
after 29s
up 2 paused
after 1s
up 2 cancelled
open 0
b listens
after 1ms
b gets 0
	closed
b gets 1
	start *
	...
b leaves
ledger
	exchange ok - one/m *
	exchange unknown slow_consumer one/m attempts=1 warnings=0 input=? output=? cost=242000 ms=30000.0
	attempt 1 ok *
	attempt 1 unknown slow_consumer one/m http=200 sent * cost=242000
