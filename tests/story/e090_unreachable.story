# Nobody answers the door: three tries at once, then the next target.
start one two
connect a
a call 1 model=one/m
up 1 breaks
up 2 breaks
ups 3
up 3 breaks
ups 3
a gets 1
	status retrying: *
	status retrying: *
	fault connection code=connect from=one: *
after 1ms
a call 2 model=all
up 4..6 breaks
ups 7
up 7 is two/m
up 7 replies 1 1 hi
a gets 2
	status retrying: *
	status retrying: *
	status retrying: *
	start *
	text hi
	usage *
	finish stop
	end two/m attempts=4 *
ledger
	exchange failed connection one/m attempts=3 warnings=0 input=? output=? cost=? ms=0.0
	exchange ok - two/m attempts=4 * cost=9000 ms=0.0
	attempt 1 failed connection one/m http=- unsent *
	attempt 2 failed connection one/m http=- unsent *
	attempt 3 failed connection one/m http=- unsent *
	attempt 1 failed connection one/m http=- unsent *
	attempt 2 failed connection one/m http=- unsent *
	attempt 3 failed connection one/m http=- unsent *
	attempt 4 ok - two/m http=200 sent *
