# An answer that breaks off behind its first words goes on with another target that is given them.
config
	[provider "pre"]
	dialect = openai-chat
	base_url = https://pre.test/v1
	prefill = plain
	[provider "fix"]
	dialect = openai-chat
	base_url = https://fix.test/v1
	prefill = prefix
	[provider "ant"]
	dialect = anthropic
	base_url = https://ant.test/v1
	prefill = plain
	[model "pre/m"]
	price_input = 3.00 USD
	price_output = 6.00 USD
	[model "ant/m"]
	price_input = 1.00 USD
	price_output = 2.00 USD
	[model "goes"]
	target = one/m
	target = two/m
	target = pre/m
	target = fix/m
	resume = yes
	[model "paid"]
	target = ant/m
	target = pre/m
	resume = yes
start one two pre fix ant
connect a
# two/m is no help: it takes what was begun for finished
a call 1 model=goes stream=yes max_tokens=100
up 1 is one/m
up 1 streams
up 1 says Once upon
up 1 event {"id":"r","choices":[{"index":0,"delta":{"content":" a time"}}]}
a gets 1
	status route: one/m
	start *
	text Once upon
	text  a time
up 1 breaks
ups 2
a gets 1
	status retrying: *; trying pre/m
up 2 is pre/m
up 2 asks *"messages":[[]{"role":"user","content":*},{"role":"assistant","content":"Once upon a time"}],"max_tokens":96,*
up 2 streams
up 2 event {"id":"r","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}
a gets 1
up 2 says , there was
up 2 finishes 20 5
a gets 1
	warning resumed : one/m broke off (stream_incomplete: *): pre/m goes on
	text , there was
	usage input=20 output=5 *
	finish stop
	end pre/m attempts=2 input=20 output=5 cost=* ttft_us=0 *
# it breaks off again and again, and is told why: whoever has refused may have served nothing, so there is no end but that
# of the attempts; the same target is asked again where its class says so
after 1m
a call 2 model=goes stream=yes max_tokens=20
up 3 streams
up 3 says One
up 3 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
up 4 is pre/m
up 4 asks *{"role":"assistant","content":"One"}],"max_tokens":19,*
up 4 streams
up 4 says , two
up 4 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
after 500ms
up 5 is pre/m
up 5 asks *{"role":"assistant","content":"One, two"}],"max_tokens":17,*
up 5 answers 500
	{"error":{"message":"Internal error"}}
after 8s
up 6 is fix/m
up 6 asks *{"role":"assistant","content":"One, two","prefix":true}],*
up 6 streams
up 6 says , three
up 6 finishes 9 3
a gets 2
	status route: one/m
	start *
	text One
	status retrying: *; trying pre/m
	warning resumed : one/m broke off (overloaded: *): pre/m goes on
	text , two
	status retrying: *; trying pre/m
	status retrying: Internal error; trying fix/m
	warning resumed : pre/m broke off (overloaded: *): fix/m goes on
	text , three
	usage input=9 output=3 *
	finish stop
	end fix/m attempts=4 *
# what each has told of its usage is added up, at its own price
after 1m
a call 3 model=paid stream=yes max_tokens=100
up 7 is ant/m
up 7 streams
up 7 body
	event: message_start
	data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}
	
	event: content_block_start
	data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
	
	event: content_block_delta
	data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Once"}}
	
	
up 7 breaks
up 8 is pre/m
up 8 streams
up 8 event {"id":"r","choices":[{"index":0,"delta":{"content":" upon"}}]}
up 8 finishes 30 2
a gets 3
	status route: ant/m
	start *
	text Once
	usage input=25 cost=25000
	status retrying: *; trying pre/m
	warning resumed : ant/m broke off (stream_incomplete: *): pre/m goes on
	text  upon
	usage input=55 output=2 cost=127000
	finish stop
	end pre/m attempts=2 input=55 output=2 cost=* ttft_us=0 *
# who does not read meanwhile has all of it when he does
after 1m
a deaf
a call 4 model=goes stream=yes credit=4000000
up 9 streams
up 9 floods 600000
up 9 breaks
up 10 is pre/m
up 10 streams
up 10 floods 300000
up 10 finishes 1 1
a listens
a gets 4
	status *
	start *
	text of 600000 bytes
	status retrying: *
	warning resumed *
	text of 300000 bytes
	usage *
	finish stop
	end pre/m *
ledger
	exchange ok - pre/m attempts=2 warnings=1 input=20 output=5 cost=332000 ms=0.0
	exchange ok - fix/m attempts=4 warnings=2 input=9 output=3 cost=? *
	exchange ok - pre/m attempts=2 warnings=1 input=55 output=2 cost=* ms=0.0
	exchange ok - pre/m attempts=2 warnings=1 input=1 output=1 *
	attempt 1 unknown stream_incomplete one/m http=200 sent input=? output=? cost=242000
	attempt 2 ok - pre/m http=200 sent input=20 output=5 cost=90000
	attempt 1 failed overloaded one/m http=529 sent input=? output=? cost=?
	attempt 2 failed overloaded pre/m http=529 sent input=? output=? cost=?
	attempt 3 failed server_error pre/m http=500 sent input=? output=? cost=?
	attempt 4 ok - fix/m http=200 sent input=9 output=3 cost=?
	attempt 1 unknown stream_incomplete ant/m http=200 sent input=25 output=? cost=*
	attempt 2 ok - pre/m http=200 sent input=30 output=2 cost=102000
	attempt 1 unknown stream_incomplete one/m *
	attempt 2 ok - pre/m *
