# What breaks off after content tells what its provider has said of its usage so far, however it ends.
config
	[broker]
	token_timeout = 20s
	[provider "ant"]
	dialect = anthropic
	base_url = https://ant.test/v1
	[model "ant/m"]
	price_input = 1.00 USD
	price_output = 2.00 USD
start ant
connect a
a call 1..3 model=ant/m stream=yes max_tokens=100
a call 4 model=ant/m stream=yes max_tokens=100 timeout=15000
up 1..4 streams
up 1..4 body
	event: message_start
	data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}
	
	event: content_block_start
	data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
	
	event: content_block_delta
	data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Once"}}
	
	
# its provider says so
up 1 body
	event: error
	data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}
	
	
a gets 1
	start *
	text Once
	usage input=25 *
	fault overloaded partial *
# the connection breaks
up 2 breaks
a gets 2
	start *
	text Once
	usage input=25 *
	fault * partial *
# the call's time is over
after 15s every 5s up 3 hums
up 4 cancelled
a gets 4
	start *
	text Once
	usage input=25 *
	fault timeout partial: the call's time is over: 15000 ms
# nothing more comes
after 5s
up 3 cancelled
a gets 3
	start *
	text Once
	usage input=25 *
	fault timeout partial code=token *
# on a surface it comes where that has a place for it
raise HUP
after 1m
a relay 5 openai.chat
	{"messages":[{"role":"user","content":"Hello"}],"model":"ant/m","stream":true,"stream_options":{"include_usage":true}}
a relay 6 openai.chat
	{"messages":[{"role":"user","content":"Hello"}],"model":"ant/m","stream":true}
a relay 7 openai.responses
	{"input":"Hello","model":"ant/m","stream":true,"store":false}
up 5..7 streams
up 5..7 body
	event: message_start
	data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}
	
	event: content_block_start
	data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
	
	event: content_block_delta
	data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Once"}}
	
	
up 5..7 body
	event: message_delta
	data: {"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":5}}
	
	
up 5..7 breaks
a gets 5
	head 200 *
	raw data: {*"content":"Once"*
	raw data: {*"choices":[[]],"usage":{"prompt_tokens":25,*}}\n\ndata: {"error":*
	fault stream_incomplete partial *
a gets 6
	head 200 *
	raw data: {*"content":"Once"*
	raw data: {"error":*
	fault stream_incomplete partial *
a gets 7
	head 200 *
	raw event: response.created*
	raw event: response.output_item.added*"Once"*
	raw *event: response.failed\ndata: *"usage":{"input_tokens":25,*
	fault stream_incomplete partial *
ledger
	exchange * overloaded ant/m *
	exchange * ant/m *
	exchange unknown timeout ant/m *
	exchange unknown timeout ant/m *
	3x exchange unknown stream_incomplete ant/m attempts=1 warnings=0 input=25 output=5 *
	attempt 1 * overloaded ant/m http=* sent input=25 *
	attempt 1 * ant/m http=200 sent input=25 *
	attempt 1 unknown timeout ant/m http=200 sent input=25 *
	attempt 1 unknown timeout ant/m http=200 sent input=25 *
	3x attempt 1 unknown stream_incomplete ant/m http=200 sent input=25 output=5 *
