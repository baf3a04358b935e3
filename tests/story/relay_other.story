# A caller who speaks another language than the provider: its request is translated, and the answer is
# written in its own, faults and all.
start one two
connect a
a relay 1 anthropic.messages
	{"model":"one/m","max_tokens":50,"stream":true,"top_k":3,"messages":[{"role":"user","content":"Say hello."}]}
up 1 is one/m
up 1 asks *"messages":[[]{"role":"user","content":"Say hello."}]*"max_tokens":50*"include_usage":true*
up 1 streams
a gets 1
up 1 says Hel
a gets 1
	head 200 content-type=text/event-stream x-llm-broker-target=one/m x-llm-broker-warning=dropped_parameter top_k: *
	raw event: message_start\ndata: *"type":"message_start"*"input_tokens":*event: content_block_start*event: content_block_delta*"text_delta","text":"Hel"*
up 1 says lo.
a gets 1
	raw event: content_block_delta*"text":"lo."*
up 1 finishes 9 3
a gets 1
	raw event: content_block_stop*event: message_delta*"stop_reason":"end_turn"*"input_tokens":9*"output_tokens":3*event: message_stop*
	end one/m attempts=1 input=9 output=3 *
# whole
after 1s
a relay 2 anthropic.messages
	{"model":"one/m","max_tokens":50,"messages":[{"role":"user","content":"Say hello."}]}
up 2 replies 9 3 Hello.
a gets 2
	head 200 content-type=application/json x-llm-broker-target=one/m
	raw {"id":"msg_*"type":"message","role":"assistant"*"text":"Hello."*"stop_reason":"end_turn"*
	end *
# what it sends is no request
a relay 3 anthropic.messages
	{"model":"one/m","max_tokens":50,"messages":[{"role":"user","content":"a","content":"b"}]}
a gets 3
	head 400 content-type=application/json x-should-retry=false x-llm-broker-class=invalid_request
	raw {"type":"error","error":{"type":"invalid_request_error","message":"*content*"request_id":"req_*"}
	fault invalid_request *
# the provider is overloaded, and says when to come back
a relay 4 anthropic.messages timeout=1000
	{"model":"one/m","max_tokens":50,"messages":[{"role":"user","content":"x"}]}
up 3 answers 429 retry-after=7
	{"error":{"message":"slow down","code":"rate_limit_exceeded"}}
a gets 4
	head 429 content-type=application/json retry-after=7 retry-after-ms=7000 x-should-retry=true x-llm-broker-class=rate_limited x-llm-broker-target=one/m
	raw {"type":"error","error":{"type":"rate_limit_error"*
	fault rate_limited *
# after the first words an error is an event of the stream
after 1m
a relay 5 anthropic.messages
	{"model":"one/m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"x"}]}
up 4 streams
up 4 says Hel
up 4 event {"error":{"message":"Overloaded","type":"overloaded_error"}}
a gets 5
	head 200 *
	raw *"Hel"*
	raw *event: error\ndata: {"type":"error","error":{"type":"overloaded_error"*
	fault overloaded partial *
# nobody knows the surface, or the path
a relay 6 cobol.chat
	{}
a gets 6
	head 400 content-type=application/json x-should-retry=false x-llm-broker-class=unsupported
	raw {"error":{"message":"there is no surface \"cobol.chat\"","type":"invalid_request_error","param":"surface.surface"*
	fault unsupported param=surface.surface: *
# its caller goes away in the midst of an answer
after 1m
a relay 7 anthropic.messages
	{"model":"one/m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"x"}]}
up 5 streams
up 5 says Hel
a cancel 7
a gets 7
	head 200 *
	raw *
	fault cancelled *
up 5 cancelled
# who waits long for the first word gets the head and remarks; an error is then an event of the stream
after 1m
a relay 8 anthropic.messages
	{"model":"one/m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"x"}]}
up 6 streams
after 4s
a gets 8
after 2s
a gets 8
	head 200 content-type=text/event-stream *
	raw : waiting\n\n
after 15s
a gets 8
	raw : waiting\n\n
up 6 says Hel
a gets 8
	raw event: message_start*"Hel"*
after 14s
a gets 8
after 20s
a gets 8
	raw : waiting\n\n
up 6 event {"error":{"message":"Overloaded","type":"overloaded_error"}}
a gets 8
	raw *event: error*
	fault overloaded partial *
