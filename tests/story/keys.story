# A provider with several keys is several targets: what one of them is refused, the next is asked with; what one
# account has sealed goes back to that account, and to no other.
config
	[provider "left"]
	dialect = anthropic
	base_url = https://left.test
	auth = header:x-api-key
start left/one left/two left left/admin
connect a
# the one without a label first, then the others as they were added; never the administrator's
a call 1 model=left/claude
up 1 key
up 1 answers 401
	{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}
up 2 key one
up 2 answers 403
	{"type":"error","error":{"type":"permission_error","message":"not this model"}}
up 3 key two
up 3 answers 200
	{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
a gets 1
	status retrying: *trying left/claude with the key one
	status retrying: *trying left/claude with the key two
	status route: left/claude failed(auth), left/claude failed(permission), left/claude
	start *
	text Yes.
	usage *
	finish stop
	end left/claude attempts=3 *
# that is known now to all
connect b
after 1ms
b call 1 model=left/claude
up 4 key two
up 4 answers 200
	{"id":"msg_2","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
b gets 1
	start *
	...
# one may not use a model: another it may
after 1ms
a call 2 model=left/sonnet
up 5 key one
# it is limited: the next one is asked at once, and it is left alone until then, by everybody
up 5 answers 429 retry-after=30
	{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}
up 6 key two
up 6 answers 200
	{"id":"msg_3","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"Hm.","signature":"made-by-two"},{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
a gets 2
	status retrying: *trying left/sonnet with the key two
	status route: left/sonnet failed(rate_limited), left/sonnet
	start *
	...
after 1ms
b call 2 model=left/sonnet
up 7 key two
up 7 answers 200
	{"id":"msg_4","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
b gets 2
	status retrying: *trying left/sonnet with the key two
	start *
	...
# when its time is over it comes first again; but what the other has sealed goes back to the other
after 31s
a call 3 model=left/sonnet
up 8 key one
up 8 answers 200
	{"id":"msg_5","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
a gets 3
	start *
	...
a relay 4 anthropic.messages
	{"model":"left/sonnet","max_tokens":900,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"made-by-two"},{"type":"text","text":"Yes."}]},{"role":"user","content":"y"}]}
up 9 key two
up 9 asks *made-by-two*
up 9 answers 401
	{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}
up 10 key one
up 10 lacks *made-by-two*
up 10 answers 200
	{"id":"msg_6","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"No."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
a gets 4
	head 200 *
	raw *"text":"No."*
	end left/sonnet attempts=2 *
# a key that is put in anew is asked again at once
admin key.add {"provider":"left","secret":"sk-better"}
	raw *
after 1ms
a call 5 model=left/sonnet
up 11 key
up 11 answers 200
	{"id":"msg_7","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
a gets 5
	start *
	...
a leaves
b leaves
