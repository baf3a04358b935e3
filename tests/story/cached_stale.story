# What is no longer fresh stands in where no provider gives an answer, and says so; for no longer than was said, and for no fault of its
# caller's.
config
	[cache]
	ttl = 10s
	stale_if_error = 1h
	[model "both"]
	target = two/m
	target = one/m
start one two
connect a
a call 1 model=one/m temperature=0
up 1 replies 7 9 hello
a gets 1
	start *
	text hello
	usage *
	finish stop
	end one/m attempts=1 input=7 output=9 cost=25000 *
# asked anew; all tries fail, and who reads along has the same
after 20s
a call 2 model=one/m temperature=0 stream=yes
connect b
b call 9 model=one/m temperature=0
ups 2
up 2 answers 503
	{"error":{"message":"The server is overloaded"}}
after 1s
up 3 answers 503
	{"error":{"message":"The server is overloaded"}}
after 2s
up 4 answers 503
	{"error":{"message":"The server is overloaded"}}
a gets 2
	status retrying: *
	status retrying: *
	warning stale *overloaded*The server is overloaded*23 s ago*
	start *
	text hello
	finish stop
	usage input=7 output=9 *
	end one/m attempts=3 stale age=23 saved=25000 input=7 output=9 cost=0 ttft_us=3000000 *
b gets 9
	warning stale *overloaded*The server is overloaded*23 s ago*
	start *
	text hello
	finish stop
	usage input=7 output=9 *
	end stale age=23 saved=25000 input=7 output=9 cost=0 *
# a good one is worth more than that
after 10m
a call 3 model=one/m temperature=0
ups 5
up 5 replies 7 9 again
a gets 3
	start *
	text again
	usage *
	finish stop
	end one/m *
# its caller's fault is told
after 20s
a call 4 model=one/m temperature=0
up 6 answers 400
	{"error":{"message":"no such thing","type":"invalid_request_error"}}
a gets 4
	fault invalid_request * no such thing
# what may have been served is paid for
a call 5 model=one/m temperature=0 once=yes
up 7 sent
up 7 breaks
a gets 5
	warning stale *outcome_unknown*
	start *
	text again
	finish stop
	usage *
	end one/m attempts=1 stale age=20 saved=25000 input=7 output=9 cost=8234000 *
# nor where some of it has gone out
a call 6 model=one/m temperature=0 stream=yes once=yes
up 8 streams
up 8 says x
up 8 breaks
a gets 6
	start *
	text x
	fault stream_incomplete partial *
# its time is over
a call 7 model=one/m temperature=0 timeout=3000
up 9 sent
after 3s
a gets 7
	warning stale *timeout*
	start *
	text again
	finish stop
	usage *
	end one/m attempts=1 stale *
# while it rests nobody is asked
b call 1..3 model=one/m cache=off
up 10..12 sent
up 10..12 breaks
b gets 1..3
	fault outcome_unknown *
b call 4 model=one/m cache=off
up 13 is one/m
a call 9 model=one/m temperature=0 once=yes
ups 13
a gets 9
	warning stale *(overloaded: *
	start *
	text again
	finish stop
	usage *
	end stale age=23 saved=25000 input=7 output=9 cost=0 *
# nobody is told what he does not want
a call 10 model=one/m temperature=0 once=yes stale=0
ups 13
a gets 10
	fault overloaded *
a call 11 model=one/m temperature=0 once=yes cache=refresh
a gets 11
	fault overloaded *
a call 12 model=one/m temperature=0 once=yes stale=12
a gets 12
	fault overloaded *
a call 13 model=one/m temperature=0 once=yes stale=14
a gets 13
	warning stale *
	start *
	text again
	finish stop
	usage *
	end stale *
# who takes none that is older than that counts from then
a call 14 model=one/m temperature=0 once=yes stale=22 max_age=0
a gets 14
	fault overloaded *
a call 15 model=one/m temperature=0 once=yes stale=24 max_age=0
a gets 15
	warning stale *
	start *
	text again
	finish stop
	usage *
	end stale *
up 13 replies 1 1 x
b gets 4
	start *
	text x
	usage *
	finish stop
	end one/m *
admin cache.clear {}
	raw {"removed":1}
# what was cleared while it was on its way stands in no more
raise HUP
a call 16 model=one/m temperature=0 prompt=3
ups 14
up 14 replies 7 9 third
a gets 16
	start *
	text third
	usage *
	finish stop
	end one/m *
after 20s
a call 17 model=one/m temperature=0 prompt=3
ups 15
admin cache.clear {}
	raw {"removed":1}
up 15 answers 503
	{"error":{"message":"The server is overloaded"}}
after 1s
up 16 answers 503
	{"error":{"message":"The server is overloaded"}}
after 2s
up 17 answers 503
	{"error":{"message":"The server is overloaded"}}
a gets 17
	status retrying: *
	status retrying: *
	fault overloaded *
