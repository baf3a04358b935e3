# As many as were under way when a rate was spent are refused at the same time. That is no outage: all of them wait,
# and none is told of it, however many they are.
start one
connect a
a call 1..20 model=one/m max_tokens=10
ups 20
up 1..20 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 1..20
	status queued: *
ups 20
after 2s
ups 21
up 21 replies 1 1 x
ups 23
up 22..23 replies 1 1 x
ups 27
up 24..27 replies 1 1 x
ups 35
up 28..35 replies 1 1 x
ups 40
up 36..40 replies 1 1 x
a leaves
ledger
	20x exchange ok - one/m attempts=2 *
	20x attempt 1 failed rate_limited one/m http=429 *
	20x attempt 2 ok - one/m *
