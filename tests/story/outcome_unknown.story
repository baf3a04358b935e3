# Sent, and then nothing: it may have been served. One other try, and both are paid for.
# A prompt of 10 bytes is 42 tokens at the most, with 100 of output: 42*1000 + 100*2000 nusd at one,
# three times that at two.
start one two three
connect a
a call 1 model=all max_tokens=100
up 1 sent
up 1 breaks
ups 2
up 2 is two/m
up 2 replies 9 3 Hi.
a gets 1
	status retrying: *
	status route: one/m unknown(outcome_unknown), two/m
	start *
	text Hi.
	usage input=9 output=3 cost=45000
	finish stop
	end two/m attempts=2 input=9 output=3 cost=287000 *
# twice is the end
after 1ms
a call 2 model=all max_tokens=100
up 3 sent
up 3 breaks
up 4 sent
up 4 breaks
ups 4
a gets 2
	status retrying: *
	fault outcome_unknown code=first_byte from=two: *
# and the caller may forbid even one
after 1ms
a call 3 model=all max_tokens=100 once=yes
up 5 sent
up 5 breaks
ups 5
a gets 3
	fault outcome_unknown code=first_byte from=one: *
# what was never sent is no such case (and whoever was silent three times has rested)
after 1m
a call 4 model=all once=yes
up 6 breaks
ups 7
up 7 replies 1 1 k
a gets 4
	status retrying: *
	status route: one/m failed(connection), one/m
	start *
	text k
	usage *
	finish stop
	end one/m attempts=2 * cost=3000 *
ledger
	exchange ok - two/m attempts=2 warnings=0 input=9 output=3 cost=287000 ms=0.0
	exchange unknown outcome_unknown two/m attempts=2 warnings=0 input=? output=? cost=968000 ms=0.0
	exchange unknown outcome_unknown one/m attempts=1 warnings=0 input=? output=? cost=242000 ms=0.0
	exchange ok - one/m attempts=2 * cost=3000 ms=0.0
	attempt 1 unknown outcome_unknown one/m http=- sent input=? output=? cost=242000
	attempt 2 ok - two/m http=200 sent input=9 output=3 cost=45000
	attempt 1 unknown outcome_unknown one/m http=- sent input=? output=? cost=242000
	attempt 2 unknown outcome_unknown two/m http=- sent input=? output=? cost=726000
	attempt 1 unknown outcome_unknown one/m http=- sent input=? output=? cost=242000
	attempt 1 failed connection one/m http=- unsent input=? output=? cost=?
	attempt 2 ok - one/m http=200 sent *
