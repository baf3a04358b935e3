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
	start *
	text Yes.
	usage *
	finish stop
	end left/claude attempts=3 *
