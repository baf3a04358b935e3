# A limit on the cost caps the answer, or refuses what even its prompt would break.
# "Say hello." is 42 tokens at the most: 42000 nusd at one (1 and 2 USD a million), 126000 at two.
config
	[provider "dear"]
	dialect = openai-chat
	base_url = https://dear.test/v1
	n = yes
	[model "dear/m"]
	price_input = 1.00 USD
	price_output = 2.00 USD
	price_reasoning = 10.00 USD
	[model "dear/n"]
	price_input = 1.00 USD
	price_output = 2.00 USD
	[model "pair"]
	target = two/m
	target = one/m
start one two three dear
connect a
a call 1 model=one/m max_cost=242000
up 1 asks *"max_tokens":99[,}]*
up 1 replies 9 3 k
a gets 1
	warning clamped_parameter max_tokens: *
	start *
	text k
	usage *
	finish stop
	end one/m *
# a lower cap of the caller's own stands
after 1ms
a call 2 model=one/m max_cost=242000 max_tokens=50
up 2 asks *"max_tokens":50[,}]*
up 2 replies 9 3 k
a gets 2
	start *
	...
after 1ms
# not even the prompt
a call 3 model=one/m max_cost=42000
a gets 3
	fault budget param=max_cost: the prompt alone can cost 42000 *
# a price that is not known
after 1ms
a call 4 model=three/m max_cost=1000000000
a gets 4
	fault budget param=max_cost: the price of three/m is not known*
# the dearest kind of output counts, for reasoning comes unasked: 200000 at 10 USD a million
after 1ms
a call 5 model=dear/m max_cost=242000
up 3 asks *"max_tokens":19[,}]*
up 3 replies 9 3 k
a gets 5
	warning clamped_parameter max_tokens: *
	...
# and each of several answers: 99 tokens for four
after 1ms
a call 6 model=dear/n n=4 max_cost=242000
up 4 asks *"max_tokens":24[,}]*
up 4 replies 9 3 k
a gets 6
	warning clamped_parameter max_tokens: *
	...
# each target has its own cap: 368000 - 126000 at 6 USD, 368000 - 42000 at 2 USD
after 1ms
a call 7 model=pair max_cost=368000
up 5 is two/m
up 5 asks *"max_tokens":39[,}]*
up 5 answers 401
	{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}
up 6 is one/m
up 6 asks *"max_tokens":162[,}]*
up 6 replies 9 3 k
a gets 7
	warning clamped_parameter max_tokens: *
	status retrying: *
	warning clamped_parameter max_tokens: *
	status route: two/m failed(auth), one/m
	start *
	...
# what a first try may have cost is no longer there for the second
after 10m
a call 8 model=pair max_cost=600000 max_tokens=10
up 7 sent
up 7 breaks
up 8 is one/m
up 8 asks *"max_tokens":10[,}]*
up 8 replies 9 3 k
a gets 8
	status retrying: *
	status route: two/m unknown(outcome_unknown), one/m
	start *
	...
after 1ms
a call 9 model=pair max_cost=200000 max_tokens=10
up 9 sent
up 9 breaks
ups 9
a gets 9
	status retrying: *
	fault outcome_unknown * from=two: *
a leaves
ledger
	exchange ok - one/m * warnings=1 * cost=15000 *
	exchange ok - one/m * warnings=0 *
	exchange failed budget - attempts=0 *
	exchange failed budget - attempts=0 *
	exchange ok - dear/m * warnings=1 *
	exchange ok - dear/n * warnings=2 *
	exchange ok - one/m attempts=2 warnings=2 *
	exchange ok - one/m attempts=2 * cost=201000 *
	exchange unknown outcome_unknown * cost=186000 *
	2x attempt 1 ok - one/m *
	attempt 1 ok - dear/m *
	attempt 1 ok - dear/n *
	attempt 1 failed auth two/m *
	attempt 2 ok - one/m *
	attempt 1 unknown outcome_unknown two/m * cost=186000
	attempt 2 ok - one/m *
	attempt 1 unknown outcome_unknown two/m * cost=186000
