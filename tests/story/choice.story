# Who is asked first, and who not at all: by conditions, by what the request needs, by names that the call adds.
config only
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	[provider "two"]
	dialect = openai-chat
	base_url = https://two.test/v1
	[provider "three"]
	dialect = openai-chat
	base_url = https://three.test/v1
	[model "smart"]
	target = one/small max_input=100
	target = two/tagged tag=slow
	target = three/large
	fallback_context = two/huge
	fallback_refusal = one/lax
	[model "cheap"]
	target = one/dear
	target = two/fair
	target = three/unknown
	strategy = cheapest
	[model "one/dear"]
	price_input = 10
	price_output = 20
	[model "two/fair"]
	price_input = 1
	price_output = 2
	[model "blind"]
	target = one/a tag=never
	target = two/b tag=ever
start one two three
connect a
# a short prompt
a call 1 model=smart
up 1 is one/small
up 1 replies 1 1 x
a gets 1
	status route: one/small
	start *
	...
# a longer one, and what is not tagged
a call 2 model=smart prompt=4000
up 2 is three/large
up 2 replies 1 1 x
# tagged
a call 3 model=smart prompt=4000 tags=slow,x
up 3 is two/tagged
up 3 replies 1 1 x
# too long for all: the list for that; refused: the other
a call 4 model=smart
up 4 is one/small
up 4 answers 400
	{"error":{"message":"This model's maximum context length is 8 tokens","code":"context_length_exceeded"}}
up 5 is two/huge
up 5 replies 1 1 x
a gets 4
	status retrying: *trying two/huge
	...
a call 5 model=smart
up 6 is one/small
up 6 answers 400
	{"error":{"message":"flagged","code":"content_filter"}}
up 7 is one/lax
up 7 replies 1 1 x
a gets 5
	status retrying: *trying one/lax
	...
# the cheapest first, what nobody knows the price of last
a call 6 model=cheap
up 8 is two/fair
up 8 answers 401
	{"error":{"message":"no"}}
up 9 is one/dear
up 9 answers 401
	{"error":{"message":"no"}}
up 10 is three/unknown
up 10 replies 1 1 x
# none that fits
a call 7 model=blind
a gets 7
	fault not_found param=model: none of the targets of "blind" can serve this call: one/a: *; two/b: *
# models that the call itself names, where its own cannot serve
after 20m
a call 8 model=one/gone fallbacks=two/next,smart
up 11 is one/gone
up 11 answers 404
	{"error":{"message":"no such model","code":"model_not_found"}}
up 12 is two/next
up 12 answers 401
	{"error":{"message":"no"}}
up 13 is one/small
up 13 replies 1 1 x
a gets 8
	status retrying: *trying two/next
	status retrying: *trying one/small
	...
# a name that means nothing is told, before anything is sent
a call 9 model=one/gone fallbacks=nobody/x
a gets 9
	fault not_found param=fallbacks: *
ups 13
a leaves
