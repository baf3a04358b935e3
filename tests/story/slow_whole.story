# An answer that is not streamed begins when it is finished: it has reply_timeout, a stream has
# first_byte_timeout.
config
	[broker]
	first_byte_timeout = 30s
	reply_timeout = 5m
start one
connect a
a call 1 model=one/m
after 1ms
a call 2 model=one/m stream=yes max_tokens=100
up 1..2 sent
after 29999ms
up 2 running
after 1ms
up 1 running
up 2 over
a gets 2
	fault outcome_unknown code=first_byte from=one: *
after 4m
up 1 replies 2 2 slowly
a gets 1
	start *
	text slowly
	usage *
	finish stop
	end one/m attempts=1 *
after 1ms
a call 3 model=one/m max_tokens=100
up 3 sent
after 5m
a gets 3
	fault outcome_unknown code=first_byte from=one: *
ledger
	exchange ok - one/m *
	exchange unknown outcome_unknown one/m attempts=1 * cost=242000 ms=30000.0
	exchange unknown outcome_unknown one/m attempts=1 * cost=242000 ms=300000.0
	attempt 1 ok *
	2x attempt 1 unknown outcome_unknown one/m http=- sent *
