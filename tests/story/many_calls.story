# A hundred calls where forty may be in flight: sixty are told at once, and there is room again when
# one ends.
config
	[broker]
	max_calls = 40
start one
connect a
a call 1..100 model=one/m stream=yes
ups 40
a gets 41..100
	fault overloaded: 40 requests of yours are in flight, which is the limit (max_calls)
open 40
up 1..40 streams
up 1..40 says x
a gets 1..40
	start *
	text x
up 7 finishes 1 1
a gets 7
	usage *
	finish stop
	end one/m *
a call 100..101 model=one/m stream=yes
ups 41
a gets 101
	fault overloaded: *
up 41 streams
up 41 finishes 1 1
up 1..6 finishes 1 1
up 8..40 finishes 1 1
a gets 1..6
	usage *
	finish stop
	end one/m *
a gets 8..40
	usage *
	finish stop
	end one/m *
a gets 100
	start *
	...
a leaves
ledger
	41x exchange ok - one/m *
	41x attempt 1 ok - one/m *
