# What the vector of its words has cost is part of what a call may cost; and with tags its words go to no model that takes them all.
config
	[policy "all"]
	kind = host
	cache = on
	cache_semantic = 0.9
	operation = *
	[cache]
	embed_model = two/e
	[model "two/e"]
	price_input = 1000.00 USD
start one two
connect a
a call 1 model=one/m max_cost=50000000 max_tokens=30000 prompt=1
up 1 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":30}}
up 2 asks *"max_tokens":99*
up 2 replies 7 9900 hello
a gets 1
	warning *
	start *
	text hello
	usage *
	finish stop
	end *
# one that may have been served counts in full
after 1h
a call 2 model=one/m max_cost=50000000 max_tokens=30000 prompt=2
up 3 sent
after 2s
up 3 cancelled
up 4 asks *"max_tokens":29*
up 4 replies 7 9 other
a gets 2
	warning *
	start *
	text other
	usage *
	finish stop
	end *
a call 3 model=one/m tags=here prompt=3
up 5 is one/m
up 5 replies 7 9 tagged
a gets 3
	start *
	text tagged
	usage *
	finish stop
	end *
admin cache.clear {}
	raw {"removed":*}
