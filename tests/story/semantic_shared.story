# Who asked for a vector first goes, or has no more time for it: it comes for those who wait for it too.
config
	[policy "all"]
	kind = host
	cache = on
	cache_semantic = 0.9
	operation = *
	[cache]
	embed_model = two/e
start one two
connect a
connect b
connect c
a call 1 model=one/m prompt=1
up 1 sent
b call 1 model=one/m prompt=1
a cancel 1
a gets 1
	fault cancelled: *
up 1 running
up 1 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":4}}
up 2 is one/m
up 2 replies 7 9 hello
b gets 1
	start *
	text hello
	usage *
	finish stop
	end one/m *
ups 2
# he leaves altogether, and the rules change
c call 1 model=one/m prompt=2
up 3 sent
b call 2 model=one/m prompt=2
c leaves
admin config.reload {}
	raw *
up 3 running
up 3 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":4}}
b gets 2
	start *
	text hello
	finish stop
	usage *
	end semantic *
# he has less time for it, though his call goes on
a call 3 model=one/m prompt=3 timeout=2000
up 4 head 200
after 100ms
b call 3 model=one/m prompt=3 timeout=2000
after 339ms
up 4 running
up 5 is one/m
up 4 body
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":4}}
up 4 ends
b gets 3
	start *
	text hello
	finish stop
	usage *
	end semantic *
up 5 replies 7 9 later
a gets 3
	start *
	text later
	usage *
	finish stop
	end one/m *
# nobody waits any more
a call 4 model=one/m prompt=4
up 6 sent
b call 4 model=one/m prompt=4
a cancel 4
a gets 4
	fault cancelled: *
up 6 running
b cancel 4
b gets 4
	fault cancelled: *
up 6 cancelled
# a broker that is to end waits for it no longer than for those who do
a call 5 model=one/m prompt=5
up 7 sent
b call 5 model=one/m prompt=5
a leaves
raise TERM
up 7 running
b leaves
up 7 cancelled
