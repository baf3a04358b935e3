# A client that reads all the time gets a long answer in one go: nothing else has to happen for the rest
# of it to follow.
start one
connect a
a call 1 model=one/m stream=yes credit=67108864
up 1 streams
up 1 floods 900000 each=60000
up 1 flowing
a gets 1
	start *
	text of 900000 bytes
up 1 finishes 1 1
a gets 1
	usage *
	finish stop
	end *
after 1ms
a call 2 model=one/m credit=67108864
up 2 head 200 content-type=text/event-stream
up 2 floods 1500000 each=1400000
up 2 finishes 1 1
a gets 2
	start *
	text of 1500000 bytes
	usage *
	finish stop
	end *
ledger
	exchange ok *
	exchange ok *
	2x attempt 1 ok *
