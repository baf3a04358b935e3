# Where nobody can go on, or nobody is to, an answer that breaks off is an error: the first one's, whatever was tried since.
config
	[provider "pre"]
	dialect = openai-chat
	base_url = https://pre.test/v1
	prefill = plain
	logprobs = yes
	n = yes
	[provider "fix"]
	dialect = openai-chat
	base_url = https://fix.test/v1
	prefill = prefix
	[model "goes"]
	target = pre/m
	target = fix/m
	resume = yes
	[model "stays"]
	target = pre/m
	target = fix/m
	[model "nobody"]
	target = pre/m
	target = one/m
	target = offline/echo
	resume = yes
	[model "spent"]
	target = pre/m
	target = fix/m
	resume = yes
	attempts = 1
	[model "wide"]
	target = pre/m
	target = fix/m
	target = one/m
	target = two/m
	resume = yes
	[model "quick"]
	target = pre/m
	target = fix/m
	min_rate = 5/s
	resume = yes
start one two three pre fix
connect a
# it is not asked for; there is nobody; the tries are spent; it is not to be sent twice
a call 1 model=stays stream=yes
a call 2 model=nobody stream=yes
a call 3 model=spent stream=yes
a call 4 model=goes stream=yes once=yes
up 1..4 is pre/m
up 1..4 streams
up 1..4 says Once
up 1..4 breaks
ups 4
a gets 1
	status *
	start *
	text Once
	fault stream_incomplete partial *from=pre: *
a gets 2
	status *
	start *
	text Once
	fault stream_incomplete partial *from=pre: *
a gets 3
	status *
	start *
	text Once
	fault stream_incomplete partial *from=pre: *
a gets 4
	status *
	start *
	text Once
	fault stream_incomplete partial *from=pre: *
# something was shown with which nobody else goes on: a call, a refusal, log probabilities, a second choice
raise HUP
after 1m
a call 5..6 model=goes stream=yes
a call 7 model=goes stream=yes options={\"pre\":{\"logprobs\":true}}
a call 8 model=goes stream=yes n=2
up 5..8 is pre/m
up 5..8 streams
up 5..8 says Once
up 5 event {"id":"r","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1"}}]}}]}
up 6 event {"id":"r","choices":[{"index":0,"delta":{"refusal":"I will not"}}]}
up 7 event {"id":"r","choices":[{"index":0,"delta":{"content":" more"},"logprobs":{"content":[{"token":" more","logprob":-0.1,"bytes":null,"top_logprobs":[]}]}}]}
up 5..8 breaks
ups 8
a gets 5
	status *
	start *
	text Once
	tool_start *
	tool_args *
	fault stream_incomplete partial *
a gets 6
	status *
	start *
	text Once
	refusal *
	fault stream_incomplete partial *
a gets 7
	status *
	start *
	text Once
	text *
	logprobs *
	fault stream_incomplete partial *
a gets 8
	status *
	start *
	text Once
	fault stream_incomplete partial *
# what is to be JSON a grammar would begin anew
raise HUP
after 1m
a relay 9 openai.chat
	{"model":"goes","stream":true,"messages":[{"role":"user","content":"JSON?"}],"response_format":{"type":"json_object"}}
up 9 streams
up 9 says {
up 9 breaks
ups 9
a gets 9
	head 200 *
	raw *
	raw *"error":*
	fault stream_incomplete partial *
# what is wrong with the request, or what the model is not to say, is so elsewhere
raise HUP
after 1m
a call 10..12 model=goes stream=yes
up 10..12 streams
up 10..12 says Once
up 10 event {"error":{"message":"too long","code":"context_length_exceeded"}}
up 11 event {"error":{"message":"filtered","code":"content_filter"}}
a cancel 12
ups 12
a gets 10
	status *
	start *
	text Once
	fault context_length_exceeded partial *
a gets 11
	status *
	start *
	text Once
	fault content_filtered partial *
a gets 12
	status *
	start *
	text Once
	fault cancelled *
# who was to go on refuses to, then another one cannot be reached: the caller is told of what broke off. Between them those that
# cannot are not asked
raise HUP
after 1m
a call 13 model=wide stream=yes
up 13 streams
up 13 says Once
up 13 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
after 500ms
up 14 is pre/m
up 14 answers 400
	{"error":{"message":"prefill is not for this model","code":"prefill_unsupported","type":"invalid_request_error"}}
up 15 is fix/m
up 15 answers 401
	{"error":{"message":"no such key","code":"invalid_api_key"}}
ups 15
a gets 13
	status *
	start *
	text Once
	status retrying: The server is overloaded; trying pre/m
	status retrying: prefill is not for this model; trying fix/m
	fault overloaded partial *from=pre: The server is overloaded
# its time is over while another one is at work
raise HUP
after 1m
a call 14 model=goes stream=yes timeout=5000
up 16 streams
up 16 says Once
up 16 breaks
up 17 is fix/m
up 17 streams
after 5s
up 17 cancelled
a gets 14
	status *
	start *
	text Once
	status retrying: *
	fault timeout partial: the call's time is over: 5000 ms
# what may have been served is sent again once at the most
raise HUP
after 1m
a call 15 model=goes stream=yes
up 18 streams
up 18 says Once
up 18 breaks
up 19 is fix/m
up 19 streams
up 19 says  upon
up 19 breaks
ups 19
a gets 15
	status *
	start *
	text Once
	status retrying: *
	warning resumed *
	text *
	fault stream_incomplete partial *from=fix: *
# what was held back was not shown, and is not gone on with
raise HUP
after 1m
a call 16 model=quick stream=yes
up 20 is pre/m
up 20 streams
up 20 says Once
up 20 breaks
a gets 16
	status retrying: *
up 21 is fix/m
up 21 asks *"messages":[[]{"role":"user","content":"Say hello."}]*
up 21 streams
up 21 says Once upon
up 21 finishes 2 2
a gets 16
	status route: *
	start *
	text Once upon
	usage *
	finish stop
	end fix/m attempts=2 *
# who cancels while it waits to go on has ended it himself
raise HUP
after 1m
a call 17 model=goes stream=yes
up 22 streams
up 22 says Once
up 22 breaks
up 23 is fix/m
up 23 answers 503 retry-after=1
	{"error":{"message":"The server is overloaded"}}
after 999ms
ups 23
a cancel 17
a gets 17
	status *
	start *
	text Once
	status retrying: *; trying fix/m
	status retrying: The server is overloaded; trying fix/m
	fault cancelled partial*
ledger
	9x exchange unknown stream_incomplete pre/m attempts=1 warnings=0 *
	exchange cancelled cancelled pre/m attempts=1 *
	exchange failed content_filtered pre/m attempts=1 *
	exchange failed context_length_exceeded pre/m attempts=1 *
	exchange failed overloaded fix/m attempts=3 warnings=0 *
	exchange unknown timeout fix/m attempts=2 warnings=0 *
	exchange unknown stream_incomplete fix/m attempts=2 warnings=1 *
	exchange ok - fix/m attempts=2 warnings=0 *
	exchange cancelled cancelled fix/m attempts=2 *
	9x attempt 1 unknown stream_incomplete pre/m http=200 sent *
	3x attempt 1 * pre/m http=* sent *
	attempt 1 failed overloaded pre/m *
	attempt 2 failed invalid_request pre/m http=400 *
	attempt 3 failed auth fix/m http=401 *
	attempt 1 unknown stream_incomplete pre/m *
	attempt 2 unknown timeout fix/m *
	attempt 1 unknown stream_incomplete pre/m *
	attempt 2 unknown stream_incomplete fix/m *
	attempt 1 unknown stream_incomplete pre/m *
	attempt 2 ok - fix/m *
	attempt 1 unknown stream_incomplete pre/m *
	attempt 2 failed overloaded fix/m http=503 *
