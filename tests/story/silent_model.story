# A model that was quick takes what it is sent and says nothing, while callers wait no longer than they want to: it rests
# after the third.
config
	[model "pair"]
	target = one/m
	target = two/m
start one two
connect a
# it is quick. Of those who hang up soon nothing is learned
a call 1..20 model=one/m stream=yes
up 1..20 streams
up 1..20 says x
up 1..20 finishes 1 1
a gets 1..20
	start *
	text x
	usage *
	finish stop
	end one/m attempts=1 *
a call 21..30 model=one/m stream=yes
up 21..25 sent
up 26..30 streams
after 1900ms
a cancel 21..30
a gets 21..30
	fault cancelled: *
# and it falls silent: some pay for that, two of them one with a head
a call 31 model=pair stream=yes timeout=8000
up 31 is one/m
up 31 sent
after 3999ms
ups 31
after 1ms
up 32 is two/m
up 32 replies 1 1 x
a call 32 model=pair stream=yes timeout=8000
up 33 is one/m
up 33 streams
after 4s
up 34 is two/m
up 34 replies 1 1 x
# a good end between makes it begin anew
a call 33 model=one/m stream=yes
up 35 streams
up 35 says x
up 35 finishes 1 1
a gets 33
	start *
	...
a gets 31..32
	status retrying: *; trying two/m
	...
# three in a row, in three ways: by what is half of a call's time, by all of it, and by who hangs up
a call 34 model=pair stream=yes timeout=8000
up 36 is one/m
up 36 streams
after 4s
up 37 is two/m
up 37 replies 1 1 x
a call 35 model=one/m stream=yes timeout=3000
up 38 sent
after 3s
a gets 35
	fault timeout*: *
a call 36 model=pair stream=yes
up 39 is one/m
up 39 sent
after 2s
a cancel 36
a gets 36
	fault cancelled: *
a gets 34
	status retrying: *
	...
# the next is led elsewhere at once, and other models there are as they were
a call 37 model=pair stream=yes timeout=8000
up 40 is two/m
up 40 replies 1 1 x
a call 38 model=one/other stream=yes timeout=8000
up 41 is one/other
up 41 replies 1 1 x
a gets 37..38
	*
	...
# one call tries it behind its rest of five seconds; the next one two seconds later, as it may take its time
after 5s
a call 39..40 model=pair stream=yes timeout=8000
up 42 is one/m
up 42 sent
up 43 is two/m
up 43 replies 1 1 x
after 2s
a call 41 model=pair stream=yes timeout=8000
up 44 is one/m
up 44 sent
# it rests for ten from when the first of them is over, though the other goes on, and is late
after 2s
up 45 is two/m
up 45 replies 1 1 x
a call 42 model=pair stream=yes timeout=8000
up 46 is two/m
up 46 replies 1 1 x
after 2s
up 47 is two/m
up 47 replies 1 1 x
a gets 39..42
	*
	...
after 7999ms
a call 43 model=pair stream=yes timeout=8000
up 48 is two/m
up 48 replies 1 1 x
# and is used again as soon as that is over
after 1ms
a call 44 model=pair stream=yes timeout=8000
up 49 is one/m
up 49 streams
up 49 says x
a call 45 model=pair stream=yes timeout=8000
up 50 is one/m
up 50 streams
up 50 says x
up 49..50 finishes 1 1
a gets 43..45
	*
	...
# a long prompt takes longer: three seconds more for 96 KiB
a call 46..48 model=one/m stream=yes timeout=4000 prompt=100000
up 51..53 sent
after 4s
a gets 46..48
	fault timeout*: *
a call 49 model=pair stream=yes
up 54 is one/m
up 54 streams
up 54 says x
up 54 finishes 1 1
a gets 49
	*
	...
# whole answers are known by whole ones
a call 50..69 model=one/m
up 55..74 replies 1 1 x
a gets 50..69
	*
	...
a call 70..72 model=pair timeout=8000
up 75..77 is one/m
up 75..77 sent
after 6s
up 78..80 is two/m
up 78..80 replies 1 1 x
a call 73 model=pair timeout=8000
up 81 is two/m
up 81 replies 1 1 x
a gets 70..73
	*
	...
# who has nowhere else to go may be more patient than those for whom it rests
a call 74..76 model=one/m
up 82..84 is one/m
up 82..83 sent
up 84 replies 1 1 x
a gets 76
	*
	...
a leaves
ledger
	76x exchange *
	84x attempt *
