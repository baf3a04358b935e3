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
a call 1..256 model=one/m
b call 1..256 model=one/m
c call 1..256 model=one/m
d call 1..256 model=one/m
e call 1..256 model=one/m
f call 1..256 model=one/m
g call 1..256 model=one/m
h call 1..256 model=one/m
ups 2048
j call 1..142 model=one/m
ups 2190
j gets 1..142
j call 143 model=one/m
ups 2190
j gets 143
	fault storage_full: *
# when something has ended there is room again
j cancel 1..142
j gets 1..142
	fault cancelled: *
j call 143 model=one/m
ups 2191
a leaves
b leaves
c leaves
d leaves
e leaves
f leaves
g leaves
h leaves
up 2191 replies 1 1 x
j gets 143
	start *
	text x
	usage *
	finish stop
	end one/m *
j leaves
