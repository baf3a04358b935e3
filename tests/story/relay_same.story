# A caller who speaks the provider's language: its own bytes go there, and the reply's come back. What the
# broker owns is the model's name, and the counts that nobody asked for.
start one
connect a
a relay 1 openai.chat
	{"messages":[{"role":"user","content":"Say \u0068ello.","odd":1e400}],
	  "model" : "one/m","unknown":{"b":[1.0,2],"a":null},"stream":true}
up 1 is one/m
up 1 asks {"messages":[[]{"role":"user","content":"Say \u0068ello.","odd":1e400}],  "model" : "m","unknown":{"b":[[]1.0,2],"a":null},"stream":true,"stream_options":{"include_usage":true}}
after 100ms
up 1 streams
a gets 1
up 1 event {"id":"c9","object":"chat.completion.chunk","model":"m-as-said","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null,"x":1}
# nothing has been said yet, so another could still answer
a gets 1
up 1 event {"id":"c9","choices":[{"index":0,"delta":{"content":"Hel","y":[2]}}]}
a gets 1
	head 200 content-type=text/event-stream x-llm-broker-provider-request-id=up-stream x-llm-broker-target=one/m
	raw data: {"id":"c9","object":"chat.completion.chunk","model":"m-as-said","choices":[[]{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null,"x":1}\n\n
	raw data: {"id":"c9","choices":[[]{"index":0,"delta":{"content":"Hel","y":[[]2]}}]}\n\n
after 50ms
up 1 finishes 9 3
a gets 1
	raw data: *"finish_reason":"stop"*\n\n
	raw data: [[]DONE]\n\n
	end one/m attempts=1 input=9 output=3 cost=15000 ttft_us=100000 total_us=150000
ledger
	exchange ok - one/m attempts=1 warnings=0 input=9 output=3 cost=15000 ms=150.0
	attempt 1 ok - one/m http=200 sent input=9 output=3 cost=15000
