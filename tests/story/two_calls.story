# Two calls of one client, answered in turns; the second ends first.
start one two
connect a
a call 1 model=one/m stream=yes
after 1ms
a call 2 model=two/m stream=yes
ups 2
up 1..2 streams
up 2 says B1
up 1 says A1
up 2 says B2
a gets 1
	start m-as-said
	text A1
up 2 finishes 4 2
a gets 2
	start m-as-said
	text B1
	text B2
	usage input=4 output=2 cost=24000
	finish stop
	end two/m attempts=1 input=4 output=2 cost=24000 *
up 1 says A2
up 1 finishes 5 5
a gets 1
	text A2
	usage *
	finish stop
	end one/m attempts=1 *
ledger
	exchange ok - one/m attempts=1 warnings=0 input=5 output=5 cost=15000 ms=1.0
	exchange ok - two/m attempts=1 warnings=0 input=4 output=2 cost=24000 ms=0.0
	attempt 1 ok - one/m http=200 sent *
	attempt 1 ok - two/m http=200 sent *
