# What one is told by a provider all keep to: nineteen wait, and none of them meets a 429.
start one
connect a
connect b
a call 1 model=one/m max_tokens=10
up 1 answers 429 retry-after=30
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 1
	status queued: place 1 of 1 for one/m; about 30 s
a call 2..10 model=one/m max_tokens=10
b call 1..10 model=one/m max_tokens=10
a gets 2..10
	status queued: *
b gets 1..10
	status queued: *
ups 1
after 29999ms
ups 1
# and then one asks, for nobody knows how much is left; for each that is served, one more
after 1ms
ups 2
up 2 replies 1 1 x
ups 4
up 3..4 replies 1 1 x
ups 8
up 5..8 replies 1 1 x
ups 16
up 9..16 replies 1 1 x
ups 21
up 17..21 replies 1 1 x
# one whose time is shorter than that is told at once, in the provider's words
after 1ms
a call 11 model=one/m
up 22 answers 429 retry-after=30
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 11
	status queued: *
a call 12 model=one/m timeout=5000
a gets 12
	fault rate_limited retry=30000*: *one*
a cancel 11
a gets 11
	fault cancelled: *
a leaves
b leaves
ledger
	20x exchange ok - one/m *
	exchange cancelled * one/m *
	exchange failed rate_limited - attempts=0 *
	attempt 1 failed rate_limited one/m http=429 *
	20x attempt * ok - one/m *
	attempt 1 failed rate_limited one/m http=429 *
