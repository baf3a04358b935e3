# However much a call says that it wants, whoever waits with it is given his turn, and no figure runs over.
config
	[limit "few"]
	provider = one
	concurrency = 1
	[limit "watched"]
	soft_budget = 1/day
	zone = UTC
start one
connect a
a call 1 model=one/m max_tokens=9000000000000000000
a call 2..3 model=one/m max_tokens=9000000000000000000
a call 4 model=one/m max_tokens=2147483647
ups 1
up 1 replies 1 1 x
ups 2
up 2 replies 1 1 x
up 3 replies 1 1 x
up 4 replies 1 1 x
a leaves
ledger
	4x exchange ok - one/m *
	4x attempt 1 ok - one/m *
