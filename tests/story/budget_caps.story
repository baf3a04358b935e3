# Who does not say how long an answer he wants does not get all that is left, and what bounds nothing is refused.
config
	[provider "old"]
	dialect = openai-completions
	base_url = https://old.test/v1
	[model "old/m"]
	price_input = 1.00 USD
	price_output = 2.00 USD
	[model "three/m"]
	price_input = 1.00 USD
	price_output = 2.00 USD
	max_output = 128000
	[limit "daily"]
	budget = 0.1/day
	zone = UTC
start two three old
connect a
connect b
a call 1 model=three/m
up 1 asks *"max_tokens":8192[,}]*
b call 1 model=three/m
up 2 asks *"max_tokens":8192[,}]*
a gets 1
	warning clamped_parameter max_tokens: *budget*
# under a budget a bound must be one
a relay 2 openai.chat
	{"model":"three/m","messages":[{"role":"user","content":"x"}],"max_tokens":-1}
a gets 2
	head 400 *
	raw *max_tokens must be 1 or more*
	...
a relay 3 openai.chat
	{"model":"three/m","messages":[{"role":"user","content":"x"}],"max_tokens":0}
a gets 3
	head 400 *
	...
ups 2
up 1..2 replies 1 1 x
# 16 tokens are an answer, fewer are none, unless they were asked for
a call 4 model=three/m max_cost=76000
up 3 asks *"max_tokens":16[,}]*
a cancel 4
a call 5 model=three/m max_cost=74000
a gets 5
	fault budget *an answer of 16 tokens*
a call 6 model=three/m max_cost=74000 max_tokens=3
up 4 asks *"max_tokens":3[,}]*
# options of a provider's own do not lift a bound, where one has to be kept
a call 7 model=three/m max_tokens=3 options={\"max_tokens\":90000}
a gets 7
	fault invalid_request *provider options may not replace "max_tokens" where a limit on costs has to be kept*
a call 8 model=three/m max_tokens=3 options={\"n\":100}
a gets 8
	fault invalid_request *
a call 9 model=two/m max_tokens=3 options={\"seed\":1}
up 5 asks *"seed":1}
# who has the best of many written pays for all of them
a relay 10 openai.completions
	{"model":"old/m","prompt":"x","max_tokens":100,"best_of":20}
admin budget.list {}
	raw *"reserved_nusd":4??????,*
up 6 asks *"best_of":20*
a leaves
b leaves
