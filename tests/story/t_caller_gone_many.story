# So many may go on for callers who are gone; those beyond that are cancelled.
config only
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	on_gone = drain
start one
connect a
connect b
connect c
connect d
connect e
a call 1..250 model=one/m stream=yes max_tokens=1
b call 1..250 model=one/m stream=yes max_tokens=1
c call 1..250 model=one/m stream=yes max_tokens=1
d call 1..250 model=one/m stream=yes max_tokens=1
e call 1..100 model=one/m stream=yes max_tokens=1
open 1100
up 1..1100 streams
a leaves
b leaves
c leaves
d leaves
open 1100
e leaves
open 1024
up 1..1000 running
# when some have ended there is room again
up 1..1000 finishes 1 1
open 24
connect f
f call 1 model=one/m stream=yes
up 1101 streams
f leaves
open 25
after 30s
open 0
