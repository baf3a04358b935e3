# Whoever waits for his limits does not get what was cleared meanwhile.
config
	[policy "all"]
	kind = host
	cache = on
	cache_semantic = 0.9
	operation = *
	[cache]
	embed_model = two/e
	[limit "few"]
	model = one/m
	requests = 1/30m
start one two
connect a
a call 1 model=one/m prompt=1
up 1 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":30}}
up 2 replies 7 9 hello
a gets 1
	start *
	text hello
	usage *
	finish stop
	end *
a call 2 model=one/m prompt=2
up 3 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":30}}
a gets 2
admin cache.clear {}
	raw {"removed":*}
after 1798s
ups 3
after 3s
up 4 is one/m
up 4 replies 7 9 anew
a gets 2
	start *
	text anew
	usage *
	finish stop
	end *
admin cache.clear {}
	raw {"removed":*}
