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
# whoever has none is told at once, or, where its rest is nearly over, a moment later
a call 3 model=one/m
after 900ms
ups 4
after 200ms
ups 5
a gets 3
	status retrying: one/m is not asked for another 1 s, because of what was said last: *; waiting a moment for it
up 5 breaks
# that was its one try: it rests for twice as long, and for three seconds in all such a call waits
after 1ms
a call 4 model=all
ups 6
up 6 is two/m
up 6 replies 1 1 hi
a gets 4
	status route: two/m
	start *
	text hi
	usage *
	finish stop
	end two/m attempts=1 *
after 2s
ups 7
up 7 is one/m
up 7 breaks
a gets 3
	fault connection retry=4000 code=connect from=one: one/m is not asked for another 4 s, because of what was said last: *
ledger
	exchange failed connection one/m attempts=3 warnings=0 input=? output=? cost=? *
	exchange ok - two/m attempts=1 *
	exchange failed connection one/m attempts=2 *
	exchange ok - two/m attempts=1 *
	attempt 1 failed connection one/m http=- unsent *
	attempt 2 failed connection one/m http=- unsent *
	attempt 3 failed connection one/m http=- unsent *
	attempt 1 ok - two/m http=200 sent *
	attempt 1 failed connection one/m http=- unsent *
	attempt 2 failed connection one/m http=- unsent *
	attempt 1 ok - two/m http=200 sent *
