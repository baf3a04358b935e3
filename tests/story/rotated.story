# A key that was rotated: the new one is sent, and where it is refused the former one, once, while it is good.
start one
admin key.rotate {"provider":"one","secret":"sk-new","overlap_s":60}
	raw *"replaced":{"fingerprint":*"not_after_s":*}*
connect a
a call 1 model=one/m
up 1 is one/m
up 1 answers 401
	{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}
up 2 is one/m
up 2 replies 1 1 x
a gets 1
	status retrying: the new key is refused, and the one before it serves; trying one/m
	status route: one/m failed(auth), one/m
	start *
	text x
	usage *
	finish stop
	end one/m attempts=2 *
# both are refused: it is told
after 1ms
a call 2 model=one/m
up 3 answers 401
	{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}
up 4 answers 401
	{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}
a gets 2
	status retrying: *
	fault auth status=401 *one refuses the broker's key*
ups 4
# another failure is not the key's (which rests, but is the only one: it is tried once in a while)
after 6s
a call 3 model=one/m
up 5 answers 404
	{"error":{"message":"no such model"}}
a gets 3
	fault not_found*
ups 5
# who rotates without an overlap has one key
admin key.rotate {"provider":"one","secret":"sk-newer","overlap_s":0}
	raw *"provider":"one"*
after 1ms
a call 4 model=one/m
up 6 answers 401
	{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}
a gets 4
	fault auth *
ups 6
admin key.rotate {"provider":"one","label":"work","secret":"sk-x"}
	fault no_key*one/work*
admin key.rotate {"provider":"one","secret":"sk-x","overlap_s":-1}
	fault invalid_argument*overlap*
ledger
	exchange ok - one/m attempts=2 *
	exchange failed auth one/m attempts=2 *
	exchange failed not_found one/m attempts=1 *
	exchange failed auth one/m attempts=1 *
	attempt 1 failed auth one/m http=401 *
	attempt 2 ok *
	attempt 1 failed auth one/m http=401 *
	attempt 2 failed auth one/m http=401 *
	attempt 1 failed not_found one/m http=404 *
	attempt 1 failed auth one/m http=401 *
