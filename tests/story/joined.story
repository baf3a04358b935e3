# Who asks the same while it is being answered has the same answer, from its beginning, and pays nothing.
start one
connect a
connect b
a call 1 model=one/m stream=yes temperature=0
ups 1
up 1 streams
up 1 says Once
a gets 1
	start *
	text Once
b call 1..3 model=one/m stream=yes temperature=0
b call 4 model=one/m temperature=0
ups 1
b gets 1..4
	start *
	text Once
up 1 says upon
a gets 1
	text upon
b gets 1..4
	text upon
# what is left to chance is asked for each
b call 5 model=one/m stream=yes
ups 2
b cancel 5
b gets 5
	fault cancelled: *
# and what differs in anything
b call 6 model=one/m stream=yes temperature=0 max_tokens=7
ups 3
b cancel 6
b gets 6
	fault cancelled: *
up 1 finishes 7 9
a gets 1
	finish stop
	usage input=7 output=9 *
	end one/m attempts=1 input=7 output=9 cost=* *
b gets 1..4
	finish stop
	usage input=7 output=9 *
	end joined saved=* input=7 output=9 cost=0 *
# The one that leads goes away: for the others nothing changes. Its row says what it cost.
a call 11 model=one/m stream=yes temperature=0 prompt=1
b call 11..12 model=one/m stream=yes temperature=0 prompt=1
connect c
c call 11 model=one/m stream=yes temperature=0 prompt=1
ups 4
up 4 streams
up 4 says Once
a gets 11
	start *
	text Once
b gets 11..12
	start *
	text Once
a cancel 11
a gets 11
	fault cancelled partial: *
up 4 running
up 4 says upon
b gets 11..12
	text upon
c leaves
up 4 running
b cancel 12
b gets 12
	fault cancelled partial: *
up 4 finishes 7 9
b gets 11
	finish stop
	usage input=7 output=9 *
	end joined *
# The last one goes: so does the transfer.
a call 21 model=one/m stream=yes temperature=0 prompt=2
b call 21 model=one/m stream=yes temperature=0 prompt=2
up 5 streams
up 5 says Once
a gets 21
	start *
	text Once
b gets 21
	start *
	text Once
a cancel 21
a gets 21
	fault cancelled partial: *
up 5 running
b cancel 21
b gets 21
	fault cancelled partial: *
up 5 cancelled
# The provider fails: all have the same, and it is asked anew.
a call 31 model=one/m stream=yes temperature=0 prompt=3
b call 31..32 model=one/m stream=yes temperature=0 prompt=3
up 6 answers 400
	{"error":{"message":"no such thing","type":"invalid_request_error"}}
a gets 31
	fault invalid_request * no such thing
b gets 31..32
	fault invalid_request * no such thing
# It breaks in the midst of it.
a call 41 model=one/m stream=yes temperature=0 prompt=4 once=yes
b call 41..42 model=one/m stream=yes temperature=0 prompt=4 once=yes
up 7 streams
up 7 says Once
up 7 breaks
a gets 41
	start *
	text Once
	fault stream_incomplete partial *
b gets 41..42
	start *
	text Once
	fault stream_incomplete partial *
admin cache.clear {}
	raw {"removed":*}
