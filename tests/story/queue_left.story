# Whoever goes away gives all back at once: his place, and what his call had set aside.
config
	[limit "few"]
	provider = one
	concurrency = 2
start one
connect a
connect b
connect c
a call 1..2 model=one/m
after 1ms
b call 1 model=one/m
after 1ms
c call 1..3 model=one/m
ups 2
c gets 1..3
	status queued: *
b gets 1
	status queued: place 1 of 1 for one/m
# in the queue
b cancel 1
b gets 1
	fault cancelled: *
# on its way
a cancel 1
a gets 1
	fault cancelled: *
up 1 cancelled
ups 3
# a whole program
a leaves
up 2 cancelled
ups 4
up 3..4 replies 1 1 x
c gets 1..2
	start *
	...
ups 5
up 5 replies 1 1 x
c gets 3
	start *
	...
c leaves
ledger
	2x exchange cancelled cancelled one/m *
	exchange cancelled cancelled - attempts=0 *
	3x exchange ok - one/m *
	2x attempt 1 cancelled cancelled one/m * unsent *
	3x attempt 1 ok - one/m *
