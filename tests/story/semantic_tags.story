# The words that are compared go where their call may go: by its tags, and no oftener.
config
	[policy "all"]
	kind = host
	cache = on
	cache_semantic = 0.9
	operation = *
	[cache]
	embed_model = vectors
	[model "vectors"]
	target = two/e tag=here
	target = three/e tag=there
start one two three
connect a
a call 1 model=one/m prompt=1 tags=there session=s
up 1 is three/e
up 1 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":30}}
up 2 replies 7 9 first
a gets 1
	start *
	text first
	usage *
	finish stop
	end *
a call 2 model=one/m prompt=2 tags=here,x
up 3 is two/e
up 3 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":30}}
up 4 replies 7 9 second
a gets 2
	start *
	text second
	usage *
	finish stop
	end *
a call 3 model=one/m prompt=3 tags=there
up 5 is three/e
up 5 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":30}}
a gets 3
	start *
	text first
	finish stop
	usage *
	end semantic *
# nowhere
a call 4 model=one/m prompt=4
up 6 is one/m
up 6 replies 7 9 fourth
a gets 4
	start *
	text fourth
	usage *
	finish stop
	end *
# one that is sent once at the most has a vector that is asked for once
a call 5 model=one/m prompt=5 tags=here once=yes
up 7 is two/e
up 7 sent
up 7 breaks
up 8 is one/m
up 8 replies 7 9 fifth
a gets 5
	start *
	text fifth
	usage *
	finish stop
	end *
admin cache.clear {}
	raw {"removed":*}
