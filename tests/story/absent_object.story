# What a caller names at its provider may be gone, or another's: that is so for nobody else, and rests nothing.
config
	[provider "cloud"]
	dialect = anthropic
	base_url = https://cloud.test
	key_label = a
	key_label = b
	[provider "round"]
	dialect = openai-responses
	base_url = https://round.test/v1
	[provider "deep"]
	dialect = gemini
	base_url = https://deep.test/v1beta
start cloud/a cloud/b round deep two
connect a
connect b
# a file: on both keys, and the model answers the next one at once
a relay 1 anthropic.messages
	{"model":"cloud/m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_gone"}}]}]}
up 1 is cloud/m
up 1 key a
up 1 answers 404
	{"type":"error","error":{"type":"not_found_error","message":"File not found: file_gone"}}
up 2 key b
up 2 answers 404
	{"type":"error","error":{"type":"not_found_error","message":"File not found: file_gone"}}
a gets 1
	...
after 1ms
b call 1 model=cloud/m
up 3 is cloud/m
up 3 key a
up 3 answers 200
	{"type":"message","role":"assistant","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}
b gets 1
	start *
	...
# a prompt that is there for another project alone
after 1ms
a relay 2 openai.responses
	{"model":"round/m","input":"on","prompt":{"id":"pmpt_gone"},"store":false}
up 4 is round/m
up 4 answers 404
	{"error":{"message":"Prompt with id 'pmpt_gone' not found.","type":"invalid_request_error","param":null,"code":null}}
a gets 2
	...
after 1ms
b call 2 model=round/m
up 5 is round/m
up 5 answers 404
	{"error":{"message":"The model `m` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}
b gets 2
	fault not_found *
# that is the model's: it rests; and whose code says so counts from whomever
after 6s
a call 3 model=round/m options={\"prompt\":{\"id\":\"pmpt_gone\"}}
up 6 is round/m
up 6 answers 404
	{"error":{"message":"The model `m` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}
a gets 3
	fault not_found *
after 1ms
b call 3 model=round/m
ups 6
b gets 3
	fault not_found *
# what was kept of a prompt, as often as it likes
a call 4 model=deep/m options={\"cachedContent\":\"cachedContents/gone\"}
up 7 is deep/m
up 7 answers 403
	{"error":{"code":403,"message":"CachedContent not found (or permission denied)","status":"PERMISSION_DENIED"}}
a gets 4
	fault permission *
after 1ms
a call 5 model=deep/m options={\"cachedContent\":\"cachedContents/gone\"}
up 8 is deep/m
up 8 answers 403
	{"error":{"code":403,"message":"CachedContent not found (or permission denied)","status":"PERMISSION_DENIED"}}
a gets 5
	fault permission *
after 1ms
b call 4 model=deep/m
up 9 is deep/m
up 9 answers 200
	{"candidates":[{"content":{"role":"model","parts":[{"text":"x"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}}
b gets 4
	start *
	...
# a server of the caller's own that has no tools to tell of
after 1ms
a call 6 model=two/m options={\"connectors\":[\"gone\"]}
up 10 answers 424
	{"error":{"message":"Error retrieving tool list from the server","type":"external_connector_error"}}
after 500ms
up 11 answers 424
	{"error":{"message":"Error retrieving tool list from the server","type":"external_connector_error"}}
a gets 6
	...
after 1ms
a call 7 model=two/m options={\"connectors\":[\"gone\"]}
up 12 answers 424
	{"error":{"message":"Error retrieving tool list from the server","type":"external_connector_error"}}
after 500ms
up 13 answers 424
	{"error":{"message":"Error retrieving tool list from the server","type":"external_connector_error"}}
a gets 7
	...
after 1ms
a call 8 model=two/m options={\"connectors\":[\"gone\"]}
up 14 answers 424
	{"error":{"message":"Error retrieving tool list from the server","type":"external_connector_error"}}
after 500ms
up 15 answers 424
	{"error":{"message":"Error retrieving tool list from the server","type":"external_connector_error"}}
a gets 8
	...
after 1ms
b call 5 model=two/m
up 16 is two/m
up 16 replies 1 1 x
b gets 5
	start *
	...
a leaves
b leaves
