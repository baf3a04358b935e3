# A caller who speaks a public API gets one answer in its words, whoever wrote it: nothing is passed on byte by byte.
config
	[provider "ant"]
	dialect = anthropic
	base_url = https://ant.test/v1
	prefill = plain
	[provider "pre"]
	dialect = openai-chat
	base_url = https://pre.test/v1
	prefill = plain
	[provider "many"]
	dialect = openai-chat
	dialect = openai-responses /v1/responses
	base_url = https://many.test
	prefill = plain
	[model "many"]
	target = one/m
	target = many/m
	resume = yes
	[model "goes"]
	target = one/m
	target = pre/m
	resume = yes
	[model "other"]
	target = ant/m
	target = pre/m
	resume = yes
	[model "forced"]
	target = whole/m
	target = pre/m
	resume = yes
	[provider "whole"]
	dialect = openai-chat
	base_url = https://whole.test/v1
	stream_forced = yes
start one two ant pre whole many
connect a
a relay 1 openai.chat
	{"model":"goes","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}
up 1 streams
up 1 event {"id":"r1","object":"chat.completion.chunk","model":"m1","choices":[{"index":0,"delta":{"content":"Once"}}]}
a gets 1
	head 200 *
	raw data: {"id":"chatcmpl-r1",*"content":"Once"*
up 1 breaks
up 2 is pre/m
up 2 streams
up 2 event {"id":"r2","object":"chat.completion.chunk","model":"m2","choices":[{"index":0,"delta":{"content":" upon"}}]}
up 2 finishes 5 2
a gets 1
	raw : resumed one/m broke off (stream_incomplete: *): pre/m goes on\n\n
	raw data: {"id":"chatcmpl-r1",*"content":" upon"*
	raw *"finish_reason":"stop"*
	raw *"prompt_tokens":5,*data: [[]DONE]\n\n
	end pre/m attempts=2 input=5 output=2 *
# Anthropic's, with its provider's own bytes until then: one block of text, one end
after 1m
a relay 2 anthropic.messages
	{"model":"other","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"x"}]}
up 3 is ant/m
up 3 streams
up 3 body
	event: message_start
	data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}
	
	event: content_block_start
	data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
	
	event: content_block_delta
	data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Once "}}
	
	
a gets 2
	head 200 *
	raw event: message_start*content_block_start*"text":"Once "*
up 3 breaks
up 4 is pre/m
up 4 asks *{"role":"assistant","content":"Once"}]*
up 4 streams
up 4 event {"id":"r","choices":[{"index":0,"delta":{"content":" upon"}}]}
up 4 finishes 30 2
a gets 2
	raw : resumed ant/m broke off*
	raw event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"upon"}}\n\n
	raw event: content_block_stop*event: message_delta*"stop_reason":"end_turn"*"input_tokens":55*event: message_stop*
	end pre/m attempts=2 *
# whole: its provider streams, for it does nothing else, and breaks off; nothing was told yet, but it was said
after 1m
a relay 3 openai.chat
	{"model":"forced","messages":[{"role":"user","content":"x"}],"max_tokens":30}
a call 4 model=forced
up 5..6 is whole/m
up 5..6 streams
up 5..6 says Once
a gets 3
up 5..6 breaks
up 7..8 is pre/m
up 7..8 asks *{"role":"assistant","content":"Once"}]*
up 7 replies 5 2 , there was
up 8 replies 5 2 , there was
a gets 3
	head 200 *x-llm-broker-target=pre/m*x-llm-broker-warning=resumed whole/m broke off*
	raw *"content":"Once, there was"*"finish_reason":"stop"*
	end pre/m attempts=2 *
a gets 4
	status *
	start *
	text Once
	status retrying: *
	warning resumed *
	text , there was
	usage input=5 output=2 *
	finish stop
	end pre/m attempts=2 *
# what is kept is the whole of it
after 1m
a relay 5 openai.responses
	{"model":"goes","input":"One?","stream":true}
up 9 streams
up 9 says Once
up 9 breaks
up 10 streams
up 10 event {"id":"r","choices":[{"index":0,"delta":{"content":" upon"}}]}
up 10 finishes 5 2
a gets 5
	head 200 *
	raw *"response.created"*
	raw *"delta":"Once"*
	raw : resumed *
	raw *"delta":" upon"*
	raw *"text":"Once upon"*
	raw *"response.completed"*"text":"Once upon"*
	end *
after 1s
a relay 6 openai.responses
	{"model":"pre/m","input":"Two?","previous_response_id":"<kept 5>"}
up 11 asks *"content":"One?"},{"role":"assistant","content":"Once upon"},{"role":"user","content":"Two?"}]*
up 11 replies 1 1 x
a gets 6
	head *
	raw *
	end *
# whose Responses know no beginning of the assistant's is spoken to in a language that does
after 1m
a relay 7 openai.responses
	{"model":"many","input":"One?","stream":true,"store":false}
up 12 streams
up 12 says Once
up 12 breaks
up 13 url https://many.test/chat/completions
up 13 asks *{"role":"assistant","content":"Once"}]*
up 13 replies 1 1 , there was
a gets 7
	head 200 *
	raw *"response.created"*
	raw *"delta":"Once"*
	raw : resumed *
	raw *"delta":", there was"*
	raw *"text":"Once, there was"*"response.completed"*"text":"Once, there was"*
	end many/m *
after 1s
a relay 8 openai.responses
	{"model":"many/m","input":"One?","stream":true,"store":false}
up 14 url https://many.test/v1/responses
a cancel 8
a gets 8
	fault cancelled: *
ledger
	exchange ok - pre/m attempts=2 warnings=1 input=5 output=2 *
	exchange ok - pre/m attempts=2 warnings=1 input=55 output=2 *
	2x exchange ok - pre/m attempts=2 warnings=1 input=5 output=2 *
	exchange ok - pre/m attempts=2 warnings=1 input=5 output=2 *
	exchange ok - pre/m attempts=1 *
	exchange ok - many/m attempts=2 *
	exchange cancelled cancelled many/m *
	attempt 1 unknown stream_incomplete one/m *
	attempt 2 ok - pre/m *
	attempt 1 unknown stream_incomplete ant/m *
	attempt 2 ok - pre/m *
	2x attempt 1 unknown stream_incomplete whole/m *
	2x attempt 2 ok - pre/m *
	attempt 1 unknown stream_incomplete one/m *
	attempt 2 ok - pre/m *
	attempt 1 ok - pre/m *
	attempt 1 unknown stream_incomplete one/m *
	attempt 2 ok - many/m *
	attempt 1 cancelled cancelled many/m *
