# What each has for itself: one program's budget is not another's.
config
	[limit "apps"]
	each = app
	budget = 0.000150/day
	zone = UTC
start one
connect a
connect b
a call 1 model=one/m max_tokens=50
up 1 replies 10 50 x
a gets 1
	start *
	...
a call 2 model=one/m max_tokens=50
a gets 2
	fault budget *: *apps*a*
b call 1 model=one/m max_tokens=50
up 2 replies 10 50 x
b gets 1
	start *
	...
a leaves
b leaves
