# A soft budget refuses nobody: every call that is over it is told, and the log once a day.
config
	[limit "watched"]
	soft_budget = 0.000030/day
	zone = UTC
	[policy "apps"]
	kind = app
	allow = yes
	operation = chat
start one
admin app.add {"name":"b"}
connect a
connect b app
a call 1 model=one/m max_tokens=20
up 1 replies 10 20 x
a gets 1
	start *
	...
a call 2..3 model=one/m max_tokens=20
a gets 2
	warning budget *watched*0.00005 of 0.00003 USD*
a gets 3
	warning budget *watched*
up 2..3 replies 1 1 x
a gets 2..3
	start *
	...
# what all have spent is not for those who may not list it
b call 1 model=one/m max_tokens=20
up 4 replies 1 1 x
b gets 1
	warning budget : a budget is over, and nobody is refused for it
	start *
	...
admin audit.list {}
	raw *"budget.soft"*
after 24h
a call 4 model=one/m max_tokens=20
up 5 replies 1 1 x
a gets 4
	start *
	...
a leaves
b leaves
admin app.remove {"name":"b"}
