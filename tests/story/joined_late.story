# Who leads has less time than one who reads along: he is told so, and the other has the rest of it.
start one
connect a
connect b
a call 1 model=one/m stream=yes temperature=0 timeout=2000
b call 1 model=one/m stream=yes temperature=0 timeout=2600
b call 2 model=one/m stream=yes temperature=0 timeout=2100
after 1s
up 1 streams
up 1 says Once
a gets 1
	start *
	text Once
b gets 1..2
	start *
	text Once
after 1s
up 1 running
a gets 1
	fault timeout partial: *
# who comes by now has no more time than those
b call 3 model=one/m stream=yes temperature=0 timeout=700
ups 1
after 100ms
up 1 running
up 1 says upon
b gets 2
	fault timeout partial: *
up 1 finishes 7 9
b gets 1
	text upon
	finish stop
	usage *
	end joined *
b gets 3
	start *
	text Once
	text upon
	finish stop
	usage *
	end joined *
# as for one whose caller is gone; and with the last one's time it is over
connect c
c call 1 model=one/m stream=yes temperature=0 timeout=2000 prompt=1
b call 11 model=one/m stream=yes temperature=0 timeout=2600 prompt=1
up 2 streams
up 2 says Once
c leaves
b gets 11
	start *
	text Once
after 2500ms
up 2 running
after 100ms
up 2 cancelled
b gets 11
	fault timeout partial: *
# what nobody else waits for ends with its own time
a call 21 model=one/m stream=yes temperature=0 timeout=2000 prompt=2
b call 21 model=one/m stream=yes temperature=0 timeout=2600 prompt=2
up 3 streams
up 3 says Once
b gets 21
	start *
	text Once
b cancel 21
b gets 21
	fault cancelled partial: *
after 2s
up 3 cancelled
a gets 21
	start *
	text Once
	fault timeout partial: *
admin cache.clear {}
	raw {"removed":*}
