# Whose turn comes a moment too early is refused once more, and waits once more; but not for ever.
start one
connect a
a call 1 model=one/m max_tokens=10
up 1 answers 429 retry-after-ms=50
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 1
	status queued: *
after 50ms
up 2 answers 429 retry-after-ms=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 10ms
up 3 answers 429 retry-after-ms=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 10ms
up 4 replies 1 1 x
a gets 1
	...
a call 2 model=one/m max_tokens=10
up 5 answers 429 retry-after-ms=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 10ms
up 6 answers 429 retry-after-ms=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 10ms
up 7 answers 429 retry-after-ms=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 10ms
up 8 answers 429 retry-after-ms=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 10ms
up 9 answers 429 retry-after-ms=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 10ms
up 10 answers 429 retry-after-ms=10
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 2
	...
after 1m
ups 10
a leaves
ledger
	exchange ok - one/m attempts=4 *
	exchange failed rate_limited one/m attempts=6 *
	3x attempt * failed rate_limited one/m http=429 *
	attempt 4 ok - one/m *
	6x attempt * failed rate_limited one/m http=429 *
