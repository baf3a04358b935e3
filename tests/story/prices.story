# A price by length, of a model that the catalogue has, is what is counted; where it is not known yet how
# long the prompt is, the dearer one is set aside.
config
	[provider "dear"]
	dialect = openai-chat
	base_url = https://dear.test/v1
	[provider "said"]
	dialect = openai-chat
	base_url = https://said.test/v1
	[model "said/m"]
	price_input = 3
	[provider "tiers"]
	dialect = openai-chat
	base_url = https://tiers.test/v1
	service_tier = yes
start dear said tiers
admin catalogue.import {"text":"dear/m kind=chat price_input=1 price_output=2\ndear/m above=20 price_input=10 price_output=20\nsaid/m kind=chat price_input=1 price_output=2\nsaid/m above=20 price_input=10 price_output=20\ntiers/m price_input=1 price_output=2\ntiers/m tier=priority price_input=5 price_output=9\n"}
	raw {"models":*,"imported":3,"strangers":0}
connect a
a call 1 model=dear/m
up 1 replies 20 3 short
after 1ms
a call 2 model=dear/m
up 2 replies 21 3 long
after 1ms
a call 3 model=said/m
up 3 replies 21 3 as the configuration says
after 1ms
# 42 tokens at the most: 420000 at 10 USD, and 99 of the answer at 20
a call 4 model=dear/m max_cost=2420000
up 4 asks *"max_tokens":99[,}]*
up 4 replies 9 3 k
after 1ms
a call 5 model=tiers/m tier=priority
up 5 asks *"service_tier":"priority"*
up 5 replies 10 10 first
after 1ms
a call 6 model=tiers/m tier=flex
up 6 replies 10 10 a tier without a price
after 1ms
# where the provider takes no tier none is asked for
a call 7 model=dear/m tier=priority
up 7 lacks *service_tier*
up 7 replies 10 10 as ever
after 1ms
# what the reply says of its tier goes before what was asked
a call 8 model=tiers/m
up 8 answers 200
	{"id":"r","object":"chat.completion","created":1767225600,"model":"m","service_tier":"priority","choices":[{"index":0,"message":{"role":"assistant","content":"k"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}}
after 1ms
a call 9 model=tiers/m tier=priority
up 9 answers 200
	{"id":"r","object":"chat.completion","created":1767225600,"model":"m","service_tier":"default","choices":[{"index":0,"message":{"role":"assistant","content":"k"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":10,"total_tokens":20}}
a gets 1
	...
a gets 2
	...
a gets 3
	...
a gets 4
	...
a gets 5
	...
a gets 6
	...
a gets 7
	...
a gets 8
	...
a gets 9
	...
a leaves
ledger
	exchange ok - dear/m * cost=26000 *
	exchange ok - dear/m * cost=270000 *
	exchange ok - said/m * cost=123000 *
	exchange ok - dear/m * cost=15000 *
	exchange ok - tiers/m * cost=140000 *
	exchange ok - tiers/m * cost=30000 *
	exchange ok - dear/m * cost=30000 *
	exchange ok - tiers/m * cost=140000 *
	exchange ok - tiers/m * cost=30000 *
	9x attempt 1 ok *
