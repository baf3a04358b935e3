# A flood does not keep a short answer of the same client waiting until it is over.
start one two
connect a
a deaf
a call 1 model=one/m stream=yes credit=67108864
a call 2 model=two/m
up 1 streams
up 1 floods 4000000
up 1 paused
up 2 replies 2 2 short
a listens
after 1ms
# all of call 2 is there while call 1 has not even ended
a gets 2
	start *
	text short
	usage *
	finish stop
	end two/m *
up 1 finishes 1 1
a gets 1
	start *
	text of 4000000 bytes
	usage *
	finish stop
	end one/m *
ledger
	exchange ok - *
	exchange ok - *
	attempt *
	attempt *
