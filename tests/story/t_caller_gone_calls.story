# What goes on for a caller who is gone is one of the calls that he may have under way, on whichever connection; and he is
# known as long as it does.
config only
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	on_gone = drain
	[policy "few"]
	kind = host
	operation = *
	max_calls = 3
start one
connect a
a call 1..2 model=one/m stream=yes max_tokens=9
up 1..2 streams
a leaves
open 2
connect b
b call 1..2 model=one/m stream=yes max_tokens=9
b gets 2
	fault overloaded: 3 requests of yours are in flight, which is the limit (max_calls)
up 3 streams
up 1 finishes 1 1
after 1ms
b call 3 model=one/m stream=yes max_tokens=9
up 4 streams
b call 4 model=one/m
b gets 4
	fault overloaded: *
b leaves
open 3
up 2..4 finishes 1 1
open 0
connect c
c call 1..3 model=one/m
up 5..7 replies 1 1 x
c gets 1..3
	start *
	...
c leaves
