# What only one account can read pins the next request to it, though it is not the first of the alias; where
# that one cannot answer, the others are asked without it.
config
	[provider "left"]
	dialect = anthropic
	base_url = https://left.test
	[provider "right"]
	dialect = anthropic
	base_url = https://right.test
	[model "both"]
	target = left/claude
	target = right/claude
start left right
connect a
a relay 1 anthropic.messages
	{"model":"right/claude","max_tokens":900,"messages":[{"role":"user","content":"x"}]}
up 1 answers 200
	{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"Hm.","signature":"made-by-right"},{"type":"text","text":"Yes."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
a gets 1
	head 200 *
	raw {"id":"msg_1"*"signature":"made-by-right"*
	end right/claude attempts=1 *
after 1s
a relay 2 anthropic.messages
	{"model":"both","max_tokens":900,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"made-by-right"},{"type":"text","text":"Yes."}]},{"role":"user","content":"y"}]}
up 2 is right/claude
up 2 asks *made-by-right*
up 2 answers 529
	{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}
after 3s
up 3 is right/claude
up 3 answers 529
	{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}
up 4 is left/claude
up 4 lacks *made-by-right*
up 4 asks *"text":"Yes."*
up 4 answers 200
	{"id":"msg_2","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"No."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
a gets 2
	head 200 content-type=application/json x-llm-broker-target=left/claude x-llm-broker-route=right/claude failed(overloaded), right/claude failed(overloaded), left/claude x-llm-broker-attempts=3 x-llm-broker-warning=reasoning_dropped *
	raw *"text":"No."*
	end left/claude attempts=3 *
# what brings nothing back goes where the alias says
after 1s
a relay 3 anthropic.messages
	{"model":"both","max_tokens":900,"messages":[{"role":"user","content":"x"}]}
up 5 is left/claude
up 5 answers 400
	{"type":"error","error":{"type":"invalid_request_error","message":"no"}}
a gets 3
	head 400 *
	raw *
	fault *
