# To count tokens is to ask, and no more: it takes none, and does not wait for those who wait for tokens or for money.
config
	[provider "ant"]
	dialect = anthropic
	base_url = https://ant.test
	[model "ant/claude-sonnet-4-5"]
	price_input = 3.00 USD
	price_output = 15.00 USD
	[limit "tokens"]
	tokens = 1000/minute
	budget = 0.02/day
	zone = UTC
start ant
connect a
a call 1 model=ant/claude-sonnet-4-5 op=count prompt=8000
up 1 answers 200
	{"input_tokens":2000}
a gets 1
	...
a call 2 model=ant/claude-sonnet-4-5 max_tokens=600
ups 2
a call 3 model=ant/claude-sonnet-4-5 max_tokens=600
a gets 3
	status queued: *
a call 4 model=ant/claude-sonnet-4-5 op=count
up 3 url https://ant.test/v1/messages/count_tokens
up 3 answers 200
	{"input_tokens":3}
a gets 4
	...
a leaves
