# A soft budget refuses nobody: every call that is over it is told, and the log once a day.
config
	[limit "watched"]
	soft_budget = 0.000030/day
	zone = UTC
start one
connect a
a call 1 model=one/m max_tokens=20
up 1 replies 10 20 x
a gets 1
	start *
	...
a call 2..3 model=one/m max_tokens=20
a gets 2
	warning budget *watched*
a gets 3
	warning budget *watched*
up 2..3 replies 1 1 x
a gets 2..3
	start *
	...
admin audit.list {}
	raw *"budget.soft"*
after 24h
a call 4 model=one/m max_tokens=20
up 4 replies 1 1 x
a gets 4
	start *
	...
a leaves
