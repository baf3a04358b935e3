# A stream that begins slower than the floor is left for the next target, of which alone the caller sees anything.
config
	[model "quick"]
	target = one/m
	target = two/m
	min_rate = 5/s
	[model "alone"]
	target = one/m
	min_rate = 5/s
start one two
connect a
a call 1 model=quick stream=yes max_tokens=100
up 1 streams
after 1s
up 1 says Slow
after 3s every 1s up 1 says a
a gets 1
after 6999ms
a gets 1
up 1 running
after 1ms
up 1 cancelled
a gets 1
	status retrying: the answer began with 7 characters in 10 s, and min_rate wants 5 a second; trying two/m
up 2 is two/m
# who comes second is not judged: the request is not sent a third time
up 2 streams
after 1s
up 2 says There
a gets 1
	status route: one/m unknown(timeout), two/m
	start *
	text There
after 20s
up 2 finishes 1 1
a gets 1
	usage *
	finish stop
	end two/m attempts=2 input=1 output=1 cost=* ttft_us=12000000 total_us=32000000
# one that is fast enough is let through as soon as that is known, all of it and in its order
after 1ms
a call 2 model=quick stream=yes max_tokens=100
up 3 streams
up 3 says 0123456789
after 1s every 500ms up 3 says abcdefghij
a gets 2
up 3 says ABCDEFGHIJ
a gets 2
up 3 event {"id":"r","choices":[{"index":0,"delta":{"content":"klmnopqrst"}}]}
a gets 2
	status route: one/m
	start *
	text 0123456789
	text abcdefghij
	text abcdefghij
	text ABCDEFGHIJ
	text klmnopqrst
# and from then on it may be as slow as it likes
after 80s
up 3 says z
a gets 2
	text z
up 3 finishes 1 1
a gets 2
	usage *
	finish stop
	end one/m attempts=1 input=1 output=1 cost=* ttft_us=0 total_us=81000000
# the only target is let through at once
after 1ms
a call 3 model=alone stream=yes max_tokens=100
up 4 streams
up 4 says S
a gets 3
	start *
	text S
after 11s
up 4 says l
up 4 finishes 1 1
a gets 3
	text l
	usage *
	finish stop
	end one/m *
# and so is what may not be sent again
after 1ms
a call 4 model=quick stream=yes max_tokens=100 once=yes
up 5 streams
up 5 says S
a gets 4
	status route: one/m
	start *
	text S
up 5 finishes 1 1
a gets 4
	usage *
	finish stop
	end one/m *
# one that ends before the probe is over is whole
after 1ms
a call 5 model=quick stream=yes max_tokens=100
up 6 streams
up 6 says Yes
after 5s
up 6 says .
a gets 5
up 6 finishes 1 2
a gets 5
	status route: one/m
	start *
	text Yes
	text .
	usage *
	finish stop
	end one/m attempts=1 input=1 output=2 cost=* ttft_us=0 total_us=5000000
# one that fails meanwhile has shown nothing: another serves
after 1ms
a call 6 model=quick stream=yes max_tokens=100
up 7 streams
up 7 says Yes
up 7 breaks
a gets 6
	status retrying: *
up 8 is two/m
up 8 streams
up 8 says No
up 8 finishes 1 1
a gets 6
	status route: one/m unknown(stream_incomplete), two/m
	start *
	text No
	usage *
	finish stop
	end two/m *
# a caller who goes, or says stop, meanwhile
after 1ms
a call 7 model=quick stream=yes max_tokens=100
up 9 streams
up 9 says Yes
a cancel 7
up 9 cancelled
a gets 7
	fault cancelled: cancelled by the caller
connect b
b call 1 model=quick stream=yes max_tokens=100
up 10 streams
up 10 says Yes
b leaves
up 10 cancelled
# the call's time is over: nothing was shown of it
after 1ms
a call 8 model=quick stream=yes max_tokens=100 timeout=12000
after 5s
up 11 streams
up 11 says Yes
after 7s
up 11 cancelled
a gets 8
	fault timeout: the call's time is over: 12000 ms
# a call of a tool comes in its own time
after 1ms
a call 9 model=quick stream=yes max_tokens=100
up 12 streams
up 12 event {"id":"r","choices":[{"index":0,"delta":{"content":"Let me look."}}]}
a gets 9
up 12 event {"id":"r","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"look","arguments":"{"}}]}}]}
a gets 9
	status route: one/m
	start *
	text Let me look.
	tool_start *
	tool_args *
after 20s
up 12 running
up 12 event {"id":"r","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}
up 12 finishes 1 1 tool_calls
a gets 9
	tool_args *
	tool_end
	usage *
	finish tool_calls
	end one/m *
ledger
	exchange ok - two/m attempts=2 *
	exchange ok - one/m attempts=1 *
	exchange ok - one/m attempts=1 *
	exchange ok - one/m attempts=1 *
	exchange ok - one/m attempts=1 *
	exchange ok - two/m attempts=2 *
	exchange cancelled cancelled one/m attempts=1 *
	exchange cancelled cancelled one/m attempts=1 *
	exchange unknown timeout one/m attempts=1 *
	exchange ok - one/m attempts=1 *
	attempt 1 unknown timeout one/m http=200 sent input=? output=? cost=*
	attempt 2 ok - two/m *
	4x attempt 1 ok - one/m *
	attempt 1 unknown * one/m *
	attempt 2 ok - two/m *
	2x attempt 1 cancelled cancelled one/m *
	attempt 1 unknown timeout one/m *
	attempt 1 ok - one/m *
