# Of the same request in a public API's words, streams are made of whole answers and the other way round; who sends the very same
# bytes has the very bytes that came.
start one
connect a
a relay 1 openai.chat
	{"model":"one/m","temperature":0,"messages":[{"role":"user","content":"x"}]}
ups 1
a relay 2 openai.chat
	{"model":"one/m","temperature":0,"messages":[{"role":"user","content":"x"}]}
a relay 3 openai.chat
	{"model":"one/m","temperature":0,"stream":true,"messages":[{"role":"user","content":"x"}]}
a relay 4 openai.chat
	{"model":"one/m","temperature":0,"messages":[{"role":"user","content":"y"}]}
ups 2
up 1 answers 200
	{"id":"c1","object":"chat.completion","created":1,"model":"m","odd":7,"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}
a gets 1
	head 200 content-type=application/json *
	raw {"id":"c1",*"odd":7,*
	end one/m *
a gets 2
	head 200 content-type=application/json * x-llm-broker-cache=joined
	raw {"id":"c1",*"odd":7,*
	end joined * input=3 output=2 cost=0 *
a gets 3
	head 200 content-type=text/event-stream * x-llm-broker-cache=joined
	raw data: {"id":"chatcmpl-c1","object":"chat.completion.chunk"*"content":"hello"*
	raw *"finish_reason":"stop"*
	raw *[[]DONE]*
	end joined * input=3 output=2 cost=0 *
a cancel 4
a gets 4
	fault cancelled: *
# a stream first
a relay 5 openai.chat
	{"model":"one/m","temperature":0,"stream":true,"messages":[{"role":"user","content":"z"}]}
ups 3
up 3 streams
up 3 says Once
a gets 5
	head 200 content-type=text/event-stream *
	raw data: *Once*
a relay 6 openai.chat
	{"model":"one/m","temperature":0,"messages":[{"role":"user","content":"z"}]}
a relay 7 openai.chat
	{"model":"one/m","temperature":0,"stream":true,"messages":[{"role":"user","content":"z"}]}
ups 3
a gets 7
	head 200 content-type=text/event-stream *
	raw data: *Once*
up 3 says upon
up 3 finishes 7 9
a gets 5
	raw data: *upon*
	raw *"finish_reason":"stop"*
	raw *[[]DONE]*
	end one/m *
a gets 7
	raw data: *upon*
	raw *"finish_reason":"stop"*
	raw *[[]DONE]*
	end joined *
a gets 6
	head 200 content-type=application/json * x-llm-broker-cache=joined
	raw {*"content":"Onceupon"*"prompt_tokens":7,"completion_tokens":9,*
	end joined *
admin cache.clear {}
	raw {"removed":*}
