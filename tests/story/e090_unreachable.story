# Nobody answers the door: a second try at once, a third after a moment, then the next target.
start one two
connect a
a call 1 model=one/m
up 1 breaks
up 2 breaks
after 500ms
ups 3
up 3 breaks
ups 3
a gets 1
	status retrying: *
	status retrying: *
	fault connection code=connect from=one: *
# three times in a row is enough: it rests, and whoever has another target does not even try
after 1ms
a call 2 model=all
ups 4
up 4 is two/m
up 4 replies 1 1 hi
a gets 2
	status route: two/m
	start *
	text hi
	usage *
	finish stop
	end two/m attempts=1 *
after 1ms
# whoever has none is let through once in a second, and waits a moment where the rest is nearly over
a call 3 model=one/m
ups 5
up 5 breaks
a gets 3
	status retrying: one/m is not asked for another 1 s, because of what was said last: *; waiting a moment for it
after 900ms
ups 5
after 200ms
ups 6
up 6 replies 1 1 back
a gets 3
	status route: one/m failed(connection), one/m
	start *
	text back
	usage *
	finish stop
	end one/m attempts=2 *
# which all know now
a call 4 model=all
up 7 is one/m
up 7 replies 1 1 hi
a gets 4
	status route: one/m
	start *
	text hi
	usage *
	finish stop
	end one/m attempts=1 *
ledger
	exchange failed connection one/m attempts=3 warnings=0 input=? output=? cost=? *
	exchange ok - two/m attempts=1 *
	exchange ok - one/m attempts=2 *
	exchange ok - one/m attempts=1 *
	attempt 1 failed connection one/m http=- unsent *
	attempt 2 failed connection one/m http=- unsent *
	attempt 3 failed connection one/m http=- unsent *
	attempt 1 ok - two/m http=200 sent *
	attempt 1 failed connection one/m http=- unsent *
	attempt 2 ok - one/m http=200 sent *
	attempt 1 ok - one/m http=200 sent *
