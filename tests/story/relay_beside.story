# Surfaces beside chat: vectors, ranks, verdicts, counts, lists of models.
config
	[provider "claude"]
	dialect = anthropic
	base_url = https://claude.test
	[provider "co"]
	dialect = cohere
	base_url = https://co.test/v2
start one claude co
connect a
# tokens are one model's own, and go to its host as they are
a relay 1 openai.embeddings
	{"model":"one/e","input":[[1,2],[3]],"encoding_format":"base64"}
up 1 url https://one.test/v1/embeddings
up 1 asks {"model":"e","input":[[][[]1,2],[[]3]],"encoding_format":"base64"}
up 1 answers 200
	{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPw=="},{"object":"embedding","index":1,"embedding":"AAAAQA=="}],"usage":{"prompt_tokens":3,"total_tokens":3},"model":"e"}
a gets 1
	head 200 content-type=application/json *
	raw {"object":"list"*"embedding":"AACAPw=="*
	end one/e attempts=1 input=3 *
a relay 2 openai.embeddings
	{"model":"co/embed-v4.0","input":[1,2]}
a gets 2
	head 400 *
	raw {"error":{"message":"these are tokens*"param":"input"*
	fault invalid_request *
a relay 3 openai.embeddings
	{"model":"co/embed-v4.0","input":"hi"}
up 2 url https://co.test/v2/embed
up 2 answers 200
	{"id":"1","embeddings":{"float":[[1,2]]},"texts":["hi"],"meta":{"billed_units":{"input_tokens":2}}}
a gets 3
	head 200 *
	raw {"object":"list","data":[[]{"object":"embedding","index":0,"embedding":[[]1,2]}]*
	end *
# ranks of a host of another shape
after 1s
a relay 4 rerank
	{"model":"co/rerank-v3.5","query":"q","documents":["a","b"],"return_documents":true}
up 3 answers 200
	{"id":"r","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{}}
a gets 4
	head 200 *
	raw {"results":[[]{"index":1,"relevance_score":0.9,"document":{"text":"b"}},{"index":0*"id":"r"*
	end *
# a count, of a host that counts and of one that does not
after 1s
a relay 5 anthropic.messages path=/v1/messages/count_tokens
	{"model":"claude/m","messages":[{"role":"user","content":"x"}],"x":1}
up 4 url https://claude.test/v1/messages/count_tokens
up 4 asks {"model":"m","messages":[[]{"role":"user","content":"x"}],"x":1}
up 4 answers 200
	{"input_tokens":8}
a gets 5
	head 200 *
	raw {"input_tokens":8}
	end *
after 1s
a relay 6 anthropic.messages path=/v1/messages/count_tokens
	{"model":"one/m","messages":[{"role":"user","content":"x"}]}
ups 4
a gets 6
	head 200 content-type=application/json *x-llm-broker-warning=emulated*
	raw {"input_tokens":*}
	end *
after 1s
a relay 7 models method=GET path=/v1/models query=provider=one
up 5 url https://one.test/v1/models
up 5 answers 200
	{"data":[{"id":"m1"},{"id":"m2"}]}
a gets 7
	head 200 *
	raw {"object":"list","data":[[]{"id":"one/m",*"id":"one/m1"*"id":"one/m2"*"has_more":false*
	end *
after 1s
a relay 8 models method=GET path=/v1/models/one/m9
up 6 answers 200
	{"data":[{"id":"m1"},{"id":"m2"}]}
a gets 8
	head 404 *
	raw {"error":{"message":"there is no model \"one/m9\""*
	fault not_found *
after 1s
a relay 9 gemini.generate method=GET path=/v1beta/models query=provider=one
up 7 answers 200
	{"data":[{"id":"m1"}]}
a gets 9
	head 200 *
	raw {"models":[[]*"name":"models/one/m1"*
	end *
admin cache.clear {}
	raw {"removed":*}
