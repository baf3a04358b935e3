# A price that nobody knows is not nothing: budgets count the one that the configuration has for that.
config
	[broker]
	unknown_price = 10.00 USD
	[limit "daily"]
	budget = 0.01/day
	zone = UTC
start three
connect a
a call 1 model=three/m max_tokens=100
admin budget.list {}
	raw *"spent_nusd":0,"reserved_nusd":1420000,*
up 1 replies 10 20 x
a gets 1
	start *
	...
# 30 tokens at 10 USD a million, as far as budgets go
admin budget.list {}
	raw *"spent_nusd":300000,"reserved_nusd":0,*
# a model whose answers have no known end gets a cap
a call 2 model=three/m
up 2 asks *"max_tokens":927[,}]*
up 2 replies 10 20 x
a gets 2
	warning clamped_parameter max_tokens: *
	start *
	...
a leaves
ledger
	2x exchange ok - three/m * cost=? *
	2x attempt 1 ok - three/m * cost=?*
