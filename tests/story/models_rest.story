# A provider that cannot be asked soon is left out of the list of models, with a warning; the others are asked.
config
	[limit "seldom"]
	provider = one
	requests = 1/hour
start one two
connect a
a call 1 model=one/m
up 1 replies 1 1 x
a gets 1
	start *
	...
a call 2 op=models
up 2 url https://two.test/v1/models
up 2 answers 200
	{"data":[{"id":"large"}]}
a gets 2
	model *
	model *
	model *
	model *
	warning provider_failed one: limit "seldom" *
	model *two/large*
	end *
# one of them alone: what is told is why
a call 3 op=models model=one timeout=1000
a gets 3
	model *
	fault rate_limited partial retry=*: limit "seldom" *
a leaves
