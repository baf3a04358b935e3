# Words that mean about the same are compared before anybody is asked, for no longer than that may take, and whoever has to wait
# for his limits waits for such an answer too.
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
	requests = 2/1h
start one two
connect a
a call 1 model=one/m prompt=1
up 1 asks *"input":[[]"Say hello.y"]*
ups 1
up 1 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":4}}
up 2 replies 7 9 hello
a gets 1
	start *
	text hello
	usage *
	finish stop
	end one/m attempts=1 *
after 10s
a call 2 model=one/m prompt=2 stream=yes
up 3 asks *"input":[[]"Say hello.yy"]*
up 3 answers 200
	{"data":[{"index":0,"embedding":[3,4.1]}],"model":"e","usage":{"prompt_tokens":4}}
a gets 2
	start *
	text hello
	finish stop
	usage *cost=0*
	end semantic age=10 saved=25000 score=0.9999 *
# it counts as asked, and so waits
a call 3 model=one/m prompt=3
up 4 answers 200
	{"data":[{"index":0,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":4}}
a gets 3
after 31m
a gets 3
	start *
	text hello
	finish stop
	usage *cost=0*
	end semantic *
after 2h
# no longer than two seconds, of which a little is for the search
a call 4 model=one/m prompt=4
after 1750ms
up 5 running
after 1ms
up 5 cancelled
up 6 replies 7 9 asked
a gets 4
	start *
	text asked
	usage *
	finish stop
	end one/m *
# nor than a fourth of its time
after 2h
a call 5 model=one/m prompt=5 timeout=2000
after 437ms
up 7 running
after 1ms
up 7 cancelled
up 8 replies 7 9 soon
a gets 5
	start *
	text soon
	usage *
	finish stop
	end one/m *
# who says stop stops both
a call 6 model=one/m prompt=6
ups 9
a cancel 6
up 9 cancelled
a gets 6
	fault cancelled: *
# a broker that is to end asks for no more vectors, and answers what was asked
after 2h
a call 7 model=one/m prompt=7
ups 10
raise TERM
up 10 answers 200
	{"data":[{"index":0,"embedding":[4,-3]}],"model":"e","usage":{"prompt_tokens":4}}
up 11 replies 7 9 last
a gets 7
	start *
	text last
	usage *
	finish stop
	end one/m *
a gets 0
	goaway drain *
	closed
