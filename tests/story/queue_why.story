# Who is behind others is told what all of them wait for: which limit, how much of it, and how it is changed.
config
	[limit "slow"]
	provider = one
	requests = 1/minute
start one
connect a
a call 1..2 model=one/m
a call 3 model=one/m timeout=100000
a gets 3
	fault rate_limited retry=120000: limit "slow" *: 1 of 1 requests in use (1/minute)*To change it: *
a leaves
