# Ranks, counts, verdicts: each goes to its own place, and a count costs nothing.
config
	[provider "anthropic"]
	dialect = anthropic
	base_url = https://anthropic.test
	[provider "talker"]
	dialect = openai-chat
	base_url = https://talker.test/v1
	ops = chat
	[provider "both"]
	dialect = openai-chat /v1/chat/completions
	dialect = anthropic /v1/messages
	base_url = https://both.test
start one anthropic talker both openai dashscope
connect a
a call 1 model=one/r op=rerank query=capital inputs=3
up 1 url https://one.test/v1/rerank
up 1 asks {"model":"r","query":"capital","documents":[[]"input 1","input 2","input 3"]}
up 1 answers 200
	{"results":[{"index":0,"relevance_score":0.25},{"index":2,"relevance_score":0.5}],"usage":{"total_tokens":9}}
a gets 1
	start *
	rank *"index":2,"score":0.5*
	rank *"index":0,"score":0.25*
	usage *
	end one/r attempts=1 input=9 *
after 1ms
a call 2 model=anthropic/claude op=count
up 2 url https://anthropic.test/v1/messages/count_tokens
up 2 answers 200
	{"input_tokens":12}
a gets 2
	start *
	count *"input_tokens":12,"estimate":false*
	end anthropic/claude attempts=1 *
# nobody is asked where the wire has no word for it
after 1ms
a call 3 model=one/m op=count
ups 2
a gets 3
	warning emulated messages: *
	start *
	count *"estimate":true*
	end one/m attempts=1 *
after 1ms
a call 4 model=one/m op=moderate inputs=1
up 3 url https://one.test/v1/moderations
up 3 answers 200
	{"results":[{"flagged":true,"categories":{"hate":true}}]}
a gets 4
	start *
	moderation *"flagged":true*
	end one/m attempts=1 *
# what a provider is known not to serve is not asked of it
after 1ms
a call 5 model=talker/m op=embed inputs=1
ups 3
a gets 5
	fault unsupported: talker does not serve the operation embed
# what belongs to another operation is refused
after 1ms
a call 6 model=one/m op=embed inputs=1 query=x
a gets 6
	fault invalid_request * query: the operation embed has no such member
after 1ms
a call 7 model=one/m op=rerank inputs=1
a gets 7
	fault invalid_request * query: the operation rerank must have this member
# a provider of several dialects is asked in the first that has a word for it
after 1ms
a call 8 model=both/m op=count
up 4 url https://both.test/v1/messages/count_tokens
up 4 answers 200
	{"input_tokens":3}
a gets 8
	start *
	count *"input_tokens":3,"estimate":false*
	end both/m attempts=1 *
after 1ms
a call 10 model=openai/gpt-5.4 op=count
up 5 url https://api.openai.com/v1/responses/input_tokens
up 5 answers 200
	{"object":"response.input_tokens","input_tokens":3}
a gets 10
	start *
	count *"input_tokens":3,"estimate":false*
	end openai/gpt-5.4 attempts=1 *
# where a row says another place, it is there
after 1ms
a call 11 model=dashscope/gte-rerank-v2 op=rerank query=x inputs=1
up 6 url https://dashscope-intl.aliyuncs.com/compatible-api/v1/reranks
up 6 answers 200
	{"output":{"results":[{"index":0,"relevance_score":0.5}]},"usage":{"total_tokens":3}}
a gets 11
	start *
	rank *
	usage *
	end dashscope/gte-rerank-v2 attempts=1 *
# a prompt is a message where there is nothing else
after 1ms
a call 9 model=offline/echo op=complete inputs=1
a gets 9
	start *
	text input
	text  1
	usage *
	finish stop
	end offline/echo *
ledger
	exchange ok - one/r * cost=[?] *
	exchange ok - anthropic/claude * cost=0 *
	exchange ok - one/m * cost=0 *
	exchange ok - one/m *
	exchange failed unsupported talker/m *
	exchange failed invalid_request *
	exchange failed invalid_request *
	exchange ok - both/m *
	exchange ok - openai/gpt-5.4 *
	exchange ok - dashscope/gte-rerank-v2 *
	exchange ok - offline/echo *
	attempt 1 ok - one/r *
	attempt 1 ok - anthropic/claude * cost=0
	attempt 1 ok - one/m http=200 * cost=0
	attempt 1 ok - one/m *
	attempt 1 ok - both/m *
	attempt 1 ok - openai/gpt-5.4 *
	attempt 1 ok - dashscope/gte-rerank-v2 *
	attempt 1 ok - offline/echo *
