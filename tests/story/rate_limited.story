# 429: another target serves at once. With none, a short wait is waited out, a long one is told.
start one two three
connect a
a call 1 model=all
up 1 answers 429 retry-after=1
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
ups 2
up 2 is two/m
up 2 replies 1 1 ok
a gets 1
	status retrying: *
	start *
	text ok
	usage *
	finish stop
	end two/m attempts=2 *
# the only target, and it is free again in 1.5 s
after 1ms
a call 2 model=three/m
up 3 answers 429 retry-after-ms=1500
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 2
	status retrying: *
ups 3
after 1499ms
ups 3
after 1ms
ups 4
up 4 is three/m
up 4 replies 1 1 later
a gets 2
	start *
	text later
	usage *
	finish stop
	end three/m attempts=2 * total_us=1500000
# the same, but for longer than is waited
a call 3 model=three/m
up 5 answers 429 retry-after=30
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 3
	fault rate_limited status=429 retry=30000 code=rate_limit_exceeded from=three: *
# and again after one wait: told, not waited for a second time
after 1ms
a call 4 model=three/m
up 6 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
after 2s
up 7 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
a gets 4
	status retrying: *
	fault rate_limited status=429 retry=2000 * from=three: *
ups 7
ledger
	exchange ok - two/m attempts=2 *
	exchange ok - three/m attempts=2 * ms=1500.0
	exchange failed rate_limited three/m attempts=1 * cost=? ms=0.0
	exchange failed rate_limited three/m attempts=2 * cost=? ms=2000.0
	attempt 1 failed rate_limited one/m http=429 *
	attempt 2 ok - two/m *
	attempt 1 failed rate_limited three/m http=429 *
	attempt 2 ok - three/m *
	2x attempt 1 failed rate_limited three/m http=429 *
	attempt 2 failed rate_limited three/m http=429 *
