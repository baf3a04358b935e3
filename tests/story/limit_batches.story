# Each of the requests that many inputs are has its own claim, and waits for itself.
config
	[provider "many"]
	dialect = openai-chat
	base_url = https://many.test/v1
	inputs_max = 2
	[model "many/e"]
	price_input = 1.00 USD
	[limit "slow"]
	provider = many
	requests = 1/10s
	budget = 1/day
	zone = UTC
start many
connect a
a call 1 model=many/e op=embed inputs=3
up 1 answers 200
	{"data":[{"embedding":[1]},{"embedding":[2]}],"usage":{"prompt_tokens":4}}
ups 1
a gets 1
	start *
	embedding *
	embedding *
	usage *
	status queued: place 1 of 1 for many/e; about 10 s
after 10s
up 2 asks *"input":[[]"input 3"]*
up 2 answers 200
	{"data":[{"embedding":[3]}],"usage":{"prompt_tokens":2}}
a gets 1
	embedding *
	usage input=6 *
	end many/e attempts=2 input=6 *
admin budget.list {}
	raw *"spent_nusd":6000,"reserved_nusd":0,*
admin cache.clear {}
	raw {"removed":*}
ledger
	exchange ok - many/e attempts=2 * cost=6000 *
	2x attempt * ok - many/e *
