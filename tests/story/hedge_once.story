# A second one that may have been served is not asked again, whatever becomes of the first.
config
	[model "quick"]
	target = one/m
	target = two/m
	target = three/m
	hedge = 800ms
start one two three
connect a
a call 1 model=quick stream=yes max_tokens=100
up 1 sent
after 1s
up 2 is two/m
up 2 sent
up 2 breaks
up 1 running
up 1 answers 401
	{"error":{"message":"no such key","code":"invalid_api_key"}}
up 3 is three/m
up 3 answers 401
	{"error":{"message":"no such key","code":"invalid_api_key"}}
after 1m
ups 3
a gets 1
	status retrying: no word of the answer within 800 ms; asking two/m beside it
	status retrying: one refuses the broker's key: *; trying three/m
	fault *
ledger
	exchange unknown * attempts=3 *
	attempt 1 failed auth one/m *
	attempt 2 unknown outcome_unknown two/m *
	attempt 3 failed auth three/m *
