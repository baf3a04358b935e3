# Whether a call can be served in its time is judged by what is certain, not by the most that all before it may take.
config
	[limit "tokens"]
	tokens = 20000/minute
start three
connect a
# each may take 4,138 tokens, and takes 2
a call 1..30 model=three/m timeout=60000
ups 4
up 1..4 replies 1 1 x
up 5..8 replies 1 1 x
up 9..12 replies 1 1 x
up 13..16 replies 1 1 x
up 17..20 replies 1 1 x
up 21..24 replies 1 1 x
up 25..28 replies 1 1 x
up 29..30 replies 1 1 x
a gets 1..4
	start *
	...
a gets 5..30
	status queued: *
	...
# what does not grow back in its time is refused at once, and it is said what stands in the way
a call 31 model=three/m max_tokens=18000
a call 32 model=three/m max_tokens=19000 timeout=10000
a gets 32
	status queued: *
up 31 replies 1 17000 x
a gets 32
	fault rate_limited retry=*: limit "tokens" *
a leaves
