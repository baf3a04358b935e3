# The same for a reply whose own bytes are handed on: they wait too, and none is lost.
config
	[model "quick"]
	target = one/m
	target = two/m
	min_rate = 5/s
start one two
connect a
a relay 1 openai.chat
	{"messages":[{"role":"user","content":"Hello"}],"model":"quick","stream":true}
up 1 streams
up 1 event {"id":"c1","choices":[{"index":0,"delta":{"content":"S"},"y":[1]}]}
a gets 1
# after a while its caller is told that something is done, and nothing else
after 9999ms
a gets 1
	head 200 content-type=text/event-stream x-llm-broker-target=one/m
	raw : waiting\n\n
after 1ms
up 1 cancelled
up 2 is two/m
up 2 streams
up 2 event {"id":"c2","choices":[{"index":0,"delta":{"content":"Fast"},"y":[2]}]}
a gets 1
	raw data: {"id":"c2","choices":[[]{"index":0,"delta":{"content":"Fast"},"y":[[]2]}]}\n\n
up 2 finishes 1 1
a gets 1
	raw data: *"finish_reason":"stop"*\n\n
	raw data: [[]DONE]\n\n
	end two/m *
# fast enough
after 1ms
a relay 2 openai.chat
	{"messages":[{"role":"user","content":"Hello"}],"model":"quick","stream":true}
up 3 streams
up 3 event {"id":"c3","choices":[{"index":0,"delta":{"content":"abcdefghijklmnopqrstuvwxyz"}}]}
a gets 2
up 3 event {"id":"c3","choices":[{"index":0,"delta":{"content":"abcdefghijklmnopqrstuvwxyz"}}]}
a gets 2
	head 200 content-type=text/event-stream *
	raw data: {"id":"c3",*\n\n
	raw data: {"id":"c3",*\n\n
up 3 finishes 1 1
a gets 2
	raw data: *"finish_reason":"stop"*\n\n
	raw data: [[]DONE]\n\n
	end one/m *
ledger
	exchange ok - two/m attempts=2 *
	exchange ok - one/m attempts=1 *
	attempt 1 unknown timeout one/m http=200 sent *
	attempt 2 ok - two/m *
	attempt 1 ok - one/m *
