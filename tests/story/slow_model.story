# A model that takes its time, behind many callers who have none: it never rests for their sake, and who has the time is
# served.
config
	[model "pair"]
	target = one/m
	target = two/m
start one two
connect a
# nothing is known of it yet: five seconds say nothing, however many waited for so long, and in whatever way they end
a call 1..10 model=one/m stream=yes timeout=5000
up 1..5 sent
up 6..10 streams
after 5s
a gets 1..10
	fault timeout*: *
a call 11..20 model=one/m stream=yes
up 11..20 streams
after 5s
a cancel 11..20
a gets 11..20
	fault cancelled: *
# nor do half a minute, of whole answers
a call 21..24 model=one/m timeout=30000
up 21..24 sent
after 30s
a gets 21..24
	fault *: *
# whoever has the time is served
a call 25 model=pair stream=yes
up 25 is one/m
up 25 streams
after 30s
up 25 says x
up 25 finishes 1 1
a gets 25
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m attempts=1 *
# that took half a minute: one answer is enough for it to be known that forty seconds say nothing
a call 26..30 model=one/m stream=yes timeout=40000
up 26..30 sent
after 40s
a gets 26..30
	fault *: *
a call 31..50 model=one/m stream=yes
up 31..50 streams
after 30s
up 31..50 says x
up 31..50 finishes 1 1
a gets 31..50
	start *
	text x
	usage *
	finish stop
	end one/m attempts=1 *
a call 51..70 model=one/m stream=yes timeout=5000
up 51..70 streams
after 5s
a gets 51..70
	fault timeout*: *
a call 71..75 model=one/m stream=yes
up 71..75 sent
after 1m
a cancel 71..75
a gets 71..75
	fault cancelled: *
a call 76 model=pair stream=yes
up 76 is one/m
up 76 streams
after 30s
up 76 says x
up 76 finishes 1 1
a gets 76
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m attempts=1 *
a leaves
ledger
	76x exchange *
	76x attempt *
