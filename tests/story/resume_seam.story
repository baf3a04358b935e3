# What two targets have written is one text: white space neither lost nor doubled, what the caller himself began before it, no
# word of it twice.
config
	[provider "pre"]
	dialect = openai-chat
	base_url = https://pre.test/v1
	prefill = plain
	reasons = asked
	reasoning = effort
	[provider "ant"]
	dialect = anthropic
	base_url = https://ant.test/v1
	prefill = plain
	reasons = asked
	reasoning = budget
	[provider "cla"]
	dialect = anthropic
	base_url = https://cla.test/v1
	prefill = plain
	reasons = asked
	reasoning = budget
	[model "goes"]
	target = one/m
	target = pre/m
	target = ant/m
	resume = yes
	[model "any"]
	target = one/m
	target = two/m
	resume = yes
	[model "thinks"]
	target = ant/a
	target = cla/b
	target = pre/m
	resume = yes
start one two pre ant cla
connect a
# the white space at the end is not given, and as much of it as comes again is dropped
a call 1..4 model=goes stream=yes
up 1..4 streams
up 1..4 event {"id":"r","choices":[{"index":0,"delta":{"content":"First:\n"}}]}
up 1..4 event {"id":"r","choices":[{"index":0,"delta":{"content":"\n "}}]}
a gets 1
	status *
	start *
	text First:*
	text *
up 1..4 breaks
up 5..8 is pre/m
up 5..8 asks *{"role":"assistant","content":"First:"}]*
up 5..8 streams
a gets 1
	status retrying: *
# all of it, in pieces, and more behind it
up 5 event {"id":"r","choices":[{"index":0,"delta":{"content":"\n"}}]}
up 5 event {"id":"r","choices":[{"index":0,"delta":{"content":"\n  go"}}]}
up 5 finishes 1 1
a gets 1
	warning resumed *
	text  go
	usage *
	finish stop
	end pre/m *
# none of it
up 6 event {"id":"r","choices":[{"index":0,"delta":{"content":"go\n\n "}}]}
up 6 event {"id":"r","choices":[{"index":0,"delta":{"content":"\n\n on"}}]}
up 6 finishes 1 1
a gets 2
	status route: one/m
	start *
	text First:*
	text *
	status retrying: *
	warning resumed *
	text go\n\n*
	text \n\n on
	usage *
	finish stop
	end pre/m *
# a part of it
up 7 event {"id":"r","choices":[{"index":0,"delta":{"content":"\n- go"}}]}
up 7 finishes 1 1
a gets 3
	status route: one/m
	start *
	text First:*
	text *
	status retrying: *
	warning resumed *
	text - go
	usage *
	finish stop
	end pre/m *
# and nothing behind it
up 8 event {"id":"r","choices":[{"index":0,"delta":{"content":"\n\n "}}]}
a gets 4
	status route: one/m
	start *
	text First:*
	text *
	status retrying: *
up 8 finishes 1 0
a gets 4
	usage *
	warning resumed *
	finish stop
	end pre/m *
# what its target says again of what it was given is passed over, however it is cut
after 1m
a call 5 model=goes stream=yes
up 9 streams
up 9 says The answer
up 9 breaks
up 10 asks *{"role":"assistant","content":"The answer"}]*
up 10 streams
up 10 event {"id":"r","choices":[{"index":0,"delta":{"content":"The an"}}]}
up 10 event {"id":"r","choices":[{"index":0,"delta":{"content":"swer is"}}]}
up 10 finishes 1 1
a gets 5
	status route: one/m
	start *
	text The answer
	status retrying: *
	warning resumed *
	text  is
	usage *
	finish stop
	end pre/m *
# behind what the caller began
after 1m
a relay 6 openai.chat
	{"model":"goes","stream":true,"messages":[{"role":"user","content":"How much?"},{"role":"assistant","content":"It is "}]}
up 11 asks *{"role":"assistant","content":"It is "}]*
up 11 streams
up 11 says forty-
a gets 6
	head 200 *
	raw *"content":"forty-"*
up 11 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
up 12 is pre/m
up 12 asks *{"role":"user","content":"How much?"},{"role":"assistant","content":"It is forty-"}]*
up 12 streams
up 12 says It is forty-t
up 12 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
after 500ms
up 13 is pre/m
up 13 asks *{"role":"user","content":"How much?"},{"role":"assistant","content":"It is forty-t"}]*
up 13 streams
up 13 says wo.
up 13 finishes 1 1
a gets 6
	raw : resumed one/m broke off*
	raw *"content":"t"*
	raw : resumed pre/m broke off*
	raw *"content":"wo."*
	raw *"finish_reason":"stop"*
	raw data: [[]DONE]*
	end *
# of reasoning alone nothing is given, so whoever comes next may go on, and begins his answer
after 1m
a call 7 model=any stream=yes
up 14 is one/m
up 14 streams
up 14 event {"id":"r","choices":[{"index":0,"delta":{"reasoning_content":"Let me think"}}]}
up 14 event {"id":"r","choices":[{"index":0,"delta":{"content":"\n"}}]}
a gets 7
	status *
	start *
	reasoning Let me think
	text *
up 14 breaks
up 15 is two/m
up 15 asks *"messages":[[]{"role":"user","content":"Say hello."}]*
up 15 streams
up 15 event {"id":"r","choices":[{"index":0,"delta":{"reasoning_content":"Hm"}}]}
up 15 event {"id":"r","choices":[{"index":0,"delta":{"content":"\n\nHello"}}]}
up 15 finishes 1 1
a gets 7
	status retrying: *
	warning resumed *
	reasoning Hm
	text \nHello
	usage *
	finish stop
	end two/m *
# no words are given to a Claude that is to think first; to one that is not, they are
after 1m
a call 8 model=thinks stream=yes effort=high
a call 9 model=thinks stream=yes effort=none
up 16..17 is ant/a
up 16..17 streams
up 16..17 body
	event: message_start
	data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"a","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}
	
	event: content_block_start
	data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
	
	event: content_block_delta
	data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Once "}}
	
	
up 16..17 breaks
up 18 is pre/m
up 18 asks *{"role":"assistant","content":"Once"}]*
up 18 replies 1 1 upon
up 19 is cla/b
up 19 asks *{"role":"assistant","content":[[]{"type":"text","text":"Once"}]}]*
up 19 streams
up 19 body
	event: message_start
	data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"b","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}
	
	event: content_block_start
	data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
	
	event: content_block_delta
	data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" upon"}}
	
	event: content_block_stop
	data: {"type":"content_block_stop","index":0}
	
	event: message_delta
	data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}
	
	event: message_stop
	data: {"type":"message_stop"}
	
	
up 19 ends
a gets 8
	status *
	start *
	text Once*
	usage *
	status retrying: *
	warning resumed *
	text upon
	usage *
	finish stop
	end pre/m *
a gets 9
	status *
	start *
	text Once*
	usage *
	status retrying: *
	warning resumed *
	text upon
	usage input=50 output=5 *
	finish stop
	end cla/b *
ledger
	4x exchange ok - pre/m attempts=2 warnings=1 input=1 *
	exchange ok - pre/m attempts=2 warnings=1 input=1 output=1 *
	exchange ok - pre/m attempts=3 warnings=3 input=1 output=1 *
	exchange ok - two/m attempts=2 warnings=1 input=1 output=1 *
	exchange ok - cla/b attempts=2 warnings=1 input=50 output=5 *
	exchange ok - pre/m attempts=2 warnings=* input=26 output=1 *
	4x attempt 1 unknown stream_incomplete one/m *
	4x attempt 2 ok - pre/m *
	attempt 1 unknown stream_incomplete one/m *
	attempt 2 ok - pre/m *
	attempt 1 failed overloaded one/m *
	attempt 2 failed overloaded pre/m *
	attempt 3 ok - pre/m *
	attempt 1 unknown stream_incomplete one/m *
	attempt 2 ok - two/m *
	2x attempt 1 unknown stream_incomplete ant/a *
	2x attempt 2 ok - *
