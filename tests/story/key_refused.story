# A refused key moves on to the next target at once; with none left it says what to do.
start one two
connect a
a call 1 model=all
up 1 is one/m
up 1 answers 401
	{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}
ups 2
up 2 is two/m
a gets 1
	status retrying: *one refuses the broker's key*
up 2 replies 9 3 Hi.
a gets 1
	status route: one/m failed(auth), two/m
	start m-as-said
	text Hi.
	usage *
	finish stop
	end two/m attempts=2 *
after 1ms
a call 2 model=one/m
up 3 answers 401
	{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}
a gets 2
	fault auth status=401 code=invalid_api_key from=one: one refuses the broker's key: `llmb key add one` *
ups 3
ledger
	exchange ok - two/m attempts=2 *
	exchange failed auth one/m attempts=1 warnings=0 input=? output=? cost=? ms=0.0
	attempt 1 failed auth one/m http=401 sent input=? output=? cost=?
	attempt 2 ok - two/m http=200 sent *
	attempt 1 failed auth one/m http=401 sent *
