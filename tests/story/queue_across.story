# A limit over several models: who waits for one of them is not overtaken by who asks for another.
config
	[limit "few"]
	provider = one
	concurrency = 1
	[limit "tokens"]
	provider = two
	tokens = 2000/20s
	[limit "group"]
	provider = three
	app = app:g*
	tokens = 2000/20s
	[policy "apps"]
	kind = app
	allow = yes
start one two three
admin app.add {"name":"g1"}
admin app.add {"name":"g2"}
connect a
connect g1 app
connect g2 app
connect x
# batches wait for n, and come behind all that is not
a call 1 model=one/m
a call 2..4 model=one/n batch=yes
a call 5..7 model=one/m
up 1 replies 1 1 x
up 2 is one/m
up 2 replies 1 1 x
up 3 is one/m
up 3 replies 1 1 x
up 4 is one/m
up 4 replies 1 1 x
up 5 is one/n
up 5 replies 1 1 x
up 6 is one/n
a call 8 model=one/m
up 6 replies 1 1 x
up 7 is one/m
up 7 replies 1 1 x
up 8 replies 1 1 x
a gets 1..8
	...
# a large one is not passed by small ones for ever: 42 tokens of prompt, and the rest
a call 9 model=two/m max_tokens=1900
up 9 replies 42 1000 x
after 1s
a call 10 model=two/n max_tokens=1500
a gets 10
	status queued: place 1 of 1 for two/n; about *
a call 11 model=two/m max_tokens=100
a gets 11
	status queued: *
ups 9
after 10s
ups 11
up 10 is two/n
up 11 is two/m
up 10..11 replies 1 1 x
a gets 9..11
	...
# nor in one lane, where a limit is for some; whom it is not for goes by
g1 call 1 model=three/m max_tokens=1900
up 12 replies 42 1900 x
g1 call 2 model=three/m max_tokens=1500
g2 call 1 model=three/m max_tokens=10
x call 1 model=three/m max_tokens=10
ups 13
up 13 replies 1 1 x
x gets 1
	start *
	...
after 14s
ups 13
after 3s
ups 15
g1 gets 1..2
	...
a leaves
g1 leaves
g2 leaves
x leaves
admin app.remove {"name":"g1"}
admin app.remove {"name":"g2"}
