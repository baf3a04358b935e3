# Many inputs are several requests, one after the other; their vectors come as if they were one.
config
	[provider "dear"]
	dialect = openai-chat
	base_url = https://dear.test/v1
	inputs_max = 2
	[model "dear/e"]
	price_input = 1.00 USD
	[model "pair"]
	target = one/e
	target = two/e
start one two dear
connect a
a call 1 model=dear/e op=embed inputs=5
up 1 url https://dear.test/v1/embeddings
up 1 asks *"input":[[]"input 1","input 2"]*
up 1 answers 200
	{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],"model":"e","usage":{"prompt_tokens":4}}
up 2 asks *"input":[[]"input 3","input 4"]*
up 2 answers 200
	{"data":[{"index":0,"embedding":[3]},{"index":1,"embedding":[4]}],"model":"e","usage":{"prompt_tokens":4}}
up 3 asks *"input":[[]"input 5"]*
up 3 answers 200
	{"data":[{"index":0,"embedding":[5]}],"model":"e","usage":{"prompt_tokens":2}}
ups 3
a gets 1
	start *
	embedding *"index":0,"vector":[[]1[]]*
	embedding *"index":1,"vector":[[]2[]]*
	usage input=4 *
	embedding *"index":2,"vector":[[]3[]]*
	embedding *"index":3,"vector":[[]4[]]*
	usage input=8 *
	embedding *"index":4,"vector":[[]5[]]*
	usage input=10 *
	end dear/e attempts=3 input=10 *
# what fails for a while is tried again: only that batch
after 1ms
a call 2 model=dear/e op=embed inputs=3
up 4 answers 200
	{"data":[{"embedding":[1]},{"embedding":[2]}],"usage":{"prompt_tokens":4}}
up 5 answers 500
	{"error":{"message":"Internal error"}}
after 500ms
up 6 asks *"input":[[]"input 3"]*
up 6 answers 200
	{"data":[{"embedding":[3]}],"usage":{"prompt_tokens":2}}
a gets 2
	start *
	embedding *
	embedding *
	usage *
	status retrying: *
	embedding *"index":2,"vector":[[]3[]]*
	usage input=6 *
	end dear/e attempts=3 input=6 *
# what cannot be mended fails all of it, and what came before is paid for
after 1ms
a call 3 model=dear/e op=embed inputs=4
up 7 answers 200
	{"data":[{"embedding":[1]},{"embedding":[2]}],"usage":{"prompt_tokens":4}}
up 8 answers 400
	{"error":{"message":"input 3 is too long"}}
ups 8
a gets 3
	start *
	embedding *
	embedding *
	usage *
	fault invalid_request partial status=400 *input 3 is too long
# vectors of two models are not mixed; before the first of them another target may serve
after 1ms
a call 4 model=pair op=embed inputs=1
up 9 is one/e
up 9 answers 404
	{"error":{"message":"The model does not exist","code":"model_not_found"}}
up 10 is two/e
up 10 answers 200
	{"data":[{"embedding":[1]}]}
a gets 4
	status retrying: *
	status route: one/e failed(not_found), two/e
	start *
	embedding *
	end two/e attempts=2 *
# a reply that does not fit the request is none
after 1ms
a call 5 model=dear/e op=embed inputs=2
up 11 answers 200
	{"data":[{"embedding":[1]}]}
# which costs little, and is tried once more
after 500ms
up 12 answers 200
	{"data":[{"embedding":[1]}]}
ups 12
a gets 5
	status retrying: *
	fault server_error * 1 embeddings for 2 inputs
# a limit on the cost is kept by the price of the input alone
after 1ms
a call 6 model=dear/e op=embed inputs=2 max_cost=1000
a gets 6
	fault budget *
admin cache.clear {}
	raw {"removed":*}
ledger
	exchange ok - dear/e attempts=3 * input=10 output=? cost=10000 *
	exchange ok - dear/e attempts=3 * input=6 output=? *
	exchange failed invalid_request dear/e attempts=2 * input=4 *
	exchange ok - two/e attempts=2 *
	*
	*
	attempt 1 ok - dear/e http=200 sent input=4 output=? cost=4000
	attempt 2 ok - dear/e http=200 sent input=4 output=? cost=4000
	attempt 3 ok - dear/e http=200 sent input=2 output=? cost=2000
	attempt 1 ok - dear/e *
	attempt 2 failed server_error dear/e *
	attempt 3 ok - dear/e *
	attempt 1 ok - dear/e * cost=4000
	attempt 2 failed invalid_request dear/e *
	attempt 1 failed not_found one/e *
	attempt 2 ok - two/e *
	attempt 1 unknown server_error dear/e *
	attempt 2 unknown server_error dear/e *
