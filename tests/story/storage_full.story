# What cannot be written down is not sent: the journal has room for so many reservations, no more.
config
	[broker]
	max_calls = 4000
start one
connect a
connect b
connect c
connect d
connect e
connect f
connect g
connect h
connect j
connect k
a call 1..256 model=one/m
b call 1..256 model=one/m
c call 1..256 model=one/m
d call 1..256 model=one/m
e call 1..256 model=one/m
f call 1..256 model=one/m
g call 1..256 model=one/m
h call 1..256 model=one/m
k call 1..256 model=one/m
ups 2304
j call 1..101 model=one/m
ups 2405
j gets 1..101
j call 102 model=one/m
ups 2405
j gets 102
	fault storage_full: *
# when something has ended there is room again
j cancel 1..101
j gets 1..101
	fault cancelled: *
j call 102 model=one/m
ups 2406
a leaves
b leaves
c leaves
d leaves
e leaves
f leaves
g leaves
h leaves
k leaves
up 2406 replies 1 1 x
j gets 102
	start *
	text x
	usage *
	finish stop
	end one/m *
j leaves
