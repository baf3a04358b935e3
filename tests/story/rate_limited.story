# 429: another target serves at once. With none, its caller waits, as all others do, and is told where that takes too
# long.
start one two three
connect a
a call 1 model=all
up 1 answers 429 retry-after=1
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
ups 2
up 2 is two/m
up 2 replies 1 1 ok
a gets 1
	status retrying: *; trying two/m
	status route: one/m failed(rate_limited), two/m
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
	status queued: place 1 of 1 for three/m; about 2 s
ups 3
after 1499ms
ups 3
after 1ms
ups 4
up 4 is three/m
up 4 replies 1 1 later
a gets 2
	status route: three/m failed(rate_limited), three/m
	start *
	text later
	usage *
	finish stop
	end three/m attempts=2 * total_us=1500000
# the same, but for longer than the call may take
a call 3 model=three/m timeout=29000
up 5 answers 429 retry-after=30
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 3
	fault rate_limited status=429 retry=30000 code=rate_limit_exceeded from=three: *
# and again after a wait: as often as its time allows, for to be told to wait is no try
after 30s
a call 4 model=three/m timeout=15000
up 6 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
after 2s
up 7 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
after 2s
up 8 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
after 2s
up 9 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
after 2s
up 10 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
after 2s
up 11 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
after 2s
up 12 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
after 2s
up 13 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
a gets 4
	status queued: *
	status queued: *
	status queued: *
	status queued: *
	status queued: *
	status queued: *
	status queued: *
	fault rate_limited status=429 retry=2000 * from=three: *
ups 13
# who does not say for how long is left alone for a moment
after 2s
a call 5 model=three/m
up 14 answers 429
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
a gets 5
	status queued: *
after 499ms
ups 14
after 1ms
up 15 replies 1 1 x
a gets 5
	status route: three/m failed(rate_limited), three/m
	start *
	text x
	usage *
	finish stop
	end three/m attempts=2 *
ledger
	exchange ok - two/m attempts=2 *
	exchange ok - three/m attempts=2 * queued=1500.0 ms=1500.0
	exchange failed rate_limited three/m attempts=1 * cost=? ms=0.0
	exchange failed rate_limited three/m attempts=8 * cost=? queued=14000.0 ms=14000.0
	exchange ok - three/m attempts=2 * ms=500.0
	attempt 1 failed rate_limited one/m http=429 *
	attempt 2 ok - two/m *
	attempt 1 failed rate_limited three/m http=429 *
	attempt 2 ok - three/m *
	2x attempt 1 failed rate_limited three/m http=429 *
	attempt 2 failed rate_limited three/m http=429 *
	attempt 3 failed rate_limited three/m http=429 *
	attempt 4 failed rate_limited three/m http=429 *
	attempt 5 failed rate_limited three/m http=429 *
	attempt 6 failed rate_limited three/m http=429 *
	attempt 7 failed rate_limited three/m http=429 *
	attempt 8 failed rate_limited three/m http=429 *
	attempt 1 failed rate_limited three/m http=429 *
	attempt 2 ok - three/m *
