# Room for the reasoning is set aside with the rest: what goes out is never more than that.
# "Say hello." is 42 tokens at the most; 3 and 15 USD a million.
config
	[provider "ant"]
	dialect = anthropic
	base_url = https://ant.test/v1
	[model "ant/claude-sonnet-4-5"]
	price_input = 3.00 USD
	price_output = 15.00 USD
	max_output = 64000
	[provider "resp"]
	dialect = openai-responses
	base_url = https://resp.test/v1
	[model "resp/m"]
	price_input = 3.00 USD
	price_output = 15.00 USD
	[limit "daily"]
	budget = 0.050000/day
	zone = UTC
start ant resp
connect a
# 200 and a high effort are 16584 tokens, and 0.05 USD are 3324 of them
a call 1 model=ant/claude-sonnet-4-5 max_tokens=200 effort=high
up 1 asks *"max_tokens":3324,*"budget_tokens":3124}*
admin budget.list {}
	raw *"reserved_nusd":49986000,*
a cancel 1
a gets 1
	warning clamped_parameter max_tokens: the output was capped to what its budget can bear
	warning clamped_parameter max_tokens: max_tokens went out as 3324, with 3124 of them for reasoning
	fault cancelled: *
after 24h
# it fits: what is set aside is what goes out
a call 2 model=ant/claude-sonnet-4-5 max_tokens=200 effort=low
up 2 asks *"max_tokens":2248,*"budget_tokens":2048}*
admin budget.list {}
	raw *"spent_nusd":0,"reserved_nusd":33846000,*
a cancel 2
after 24h
# its own bytes say how much it is to think: a bound below that would be refused
a relay 3 anthropic.messages
	{"model":"ant/claude-sonnet-4-5","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":4000},"messages":[{"role":"user","content":"Say hello."}]}
a gets 3
	head 402 *
	raw *daily*
	...
a relay 4 anthropic.messages
	{"model":"ant/claude-sonnet-4-5","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":3000},"messages":[{"role":"user","content":"Say hello."}]}
up 3 asks *"max_tokens":3324,*"budget_tokens":3000}*
a cancel 4
ups 3
after 24h
# what its caller is willing to pay: likewise
a call 5 model=ant/claude-sonnet-4-5 max_tokens=200 effort=high max_cost=10000000
a gets 5
	fault budget *: the prompt and an answer of 1025 tokens, which is the least that can be asked for, can cost * nano-dollars, and 10000000 are left of the limit of 10000000
# fewer than 16 are not asked for on that wire
a call 6 model=resp/m max_tokens=5
up 4 asks *"max_output_tokens":16,*
admin budget.list {}
	raw *"spent_nusd":0,"reserved_nusd":366000,*
a cancel 6
a leaves
