# What one caller, one operation or one prompt meets is not held against all.
config
	[provider "keys"]
	dialect = openai-chat
	base_url = https://keys.test/v1
	inputs_max = 2
	[model "pair"]
	target = one/m
	target = two/m
	[model "gold"]
	target = three/gold
	[model "lax"]
	target = one/busy
	fallback_refusal = two/lax
	[limit "gold"]
	model = gold
	budget = 0.000001/day
	[limit "busy"]
	model = one/busy
	requests = 1/10s
	[model "three/gold"]
	price_input = 5
	price_output = 5
start one two three keys/x keys/y
connect a
connect b
# a host without a list of its models still chats
a call 1 model=one/m op=models
up 1 answers 404 content-type=text/plain
	404 page not found
a gets 1
	...
after 1ms
b call 1 model=one/m
up 2 is one/m
up 2 replies 1 1 x
b gets 1
	start *
	...
# whoever is in a hurry says nothing of how quick a target is
a call 2..4 model=pair timeout=5000
up 3..5 is one/m
up 3..5 sent
after 3750ms
up 6..8 is two/m
up 6..8 replies 1 1 x
after 1ms
b call 2 model=one/m
up 9 is one/m
# of whom nothing was sent is never told that something may have been
up 9 sent
up 9 breaks
b gets 2
	fault outcome_unknown *
b call 3..4 model=one/m timeout=60000
up 10..11 sent
up 10..11 breaks
b gets 3..4
	fault outcome_unknown *
# it rests; the only one is let through once in a while
b call 5 model=one/m
up 12 is one/m
a call 5 model=one/m
a gets 5
	fault overloaded *one/m is not asked for another*
up 12 replies 1 1 x
# limits see the name that a call falls back to
raise HUP
after 1ms
a call 6 model=gold
a gets 6
	fault budget: *
a call 7 model=two/gone fallbacks=gold
up 13 is two/gone
up 13 answers 404
	{"error":{"message":"no such model","code":"model_not_found"}}
ups 13
a gets 7
	status retrying: *
	fault *
# what is there for refusals is not there for waits
a call 8 model=lax
up 14 is one/busy
up 14 replies 1 1 x
a call 9 model=lax
ups 14
after 11s
up 15 is one/busy
up 15 replies 1 1 x
# a part of the answer is there: the next key goes on, for it is the same model
a call 10 model=keys/e op=embed inputs=4
up 16 key x
up 16 answers 200
	{"data":[{"embedding":[1]},{"embedding":[2]}],"usage":{"prompt_tokens":4}}
up 17 key x
up 17 answers 401
	{"error":{"message":"no"}}
up 18 key y
up 18 answers 200
	{"data":[{"embedding":[3]},{"embedding":[4]}],"usage":{"prompt_tokens":4}}
admin cache.clear {}
	raw {"removed":*}
a leaves
b leaves
