# What a program calls itself gives it no more turns: all that it opens are one.
config
	[limit "few"]
	provider = one
	concurrency = 1
	[policy "apps"]
	kind = app
	allow = yes
start one
admin app.add {"name":"b"}
connect x1
connect x2
connect x3
connect x4
connect b app
x1 call 1..2 model=one/m max_tokens=3000
x2 call 1 model=one/m max_tokens=3000
x3 call 1 model=one/m max_tokens=3000
x4 call 1 model=one/m max_tokens=3000
b call 1..2 model=one/m max_tokens=3000
# each has every second turn
b gets 1
	status queued: place 2 of 6 for one/m
b gets 2
	status queued: place 4 of 6 for one/m
x1 leaves
x2 leaves
x3 leaves
x4 leaves
b leaves
admin app.remove {"name":"b"}
