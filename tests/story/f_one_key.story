# One key of three is refused, is empty, or may not ask for this model: another serves, and its caller sees an answer.
start one/a one/b one/c two/a two/b two/c three/a three/b three/c
connect a
a call 1 model=one/m
up 1 key a
up 1 answers 401
	{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}
up 2 is one/m
up 2 key b
up 2 replies 1 1 one
a gets 1
	status retrying: *one refuses the broker's key*key b
	status route: one/m failed(auth), one/m
	start *
	text one
	usage *
	finish stop
	end one/m attempts=2 *
after 1ms
a call 2 model=two/m
up 3 key a
up 3 answers 402
	{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}
up 4 is two/m
up 4 key b
up 4 replies 1 1 two
a gets 2
	status retrying: *key b
	status route: two/m failed(quota_exhausted), two/m
	start *
	text two
	usage *
	finish stop
	end two/m attempts=2 *
after 1ms
a call 3 model=three/m stream=yes
up 5 key a
up 5 answers 403
	{"error":{"message":"Your key may not use this model","type":"invalid_request_error","code":"model_not_allowed"}}
up 6 is three/m
up 6 key b
up 6 streams
up 6 says three
up 6 finishes 1 1
a gets 3
	status retrying: *key b
	status route: three/m failed(permission), three/m
	start *
	text three
	usage *
	finish stop
	end three/m attempts=2 *
# one that has asked too much rests, and the others serve meanwhile
after 1ms
a call 4 model=three/n stream=yes
up 7 key a
up 7 answers 429 retry-after=60
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
up 8 key b
up 8 replies 1 1 x
a gets 4
	status retrying: *key b
	status route: three/n failed(rate_limited), three/n
	start *
	...
after 30s
a call 5 model=three/n stream=yes
up 9 key [bc]
up 9 replies 1 1 x
ups 9
a leaves
ledger
	exchange ok - one/m attempts=2 *
	exchange ok - two/m attempts=2 *
	exchange ok - three/m attempts=2 *
	exchange ok - three/n attempts=2 *
	exchange ok - three/n attempts=1 *
	attempt 1 failed auth one/m http=401 sent *
	attempt 2 ok - one/m *
	attempt 1 failed quota_exhausted two/m http=402 sent *
	attempt 2 ok - two/m *
	attempt 1 failed permission three/m http=403 sent *
	attempt 2 ok - three/m *
	attempt 1 failed rate_limited three/n http=429 sent *
	attempt 2 ok - three/n *
	attempt 1 ok - three/n *
