# An error inside a stream: before content it moves on unseen, after it the caller has a part.
start one two
connect a
a call 1 model=all stream=yes
up 1 streams
up 1 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
up 1 cancelled
after 500ms
ups 2
up 2 is one/m
up 2 streams
up 2 event {"id":"r","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}
up 2 event {"error":{"message":"Incorrect API key provided","code":"invalid_api_key","type":"authentication_error"}}
ups 3
up 3 is two/m
up 3 streams
up 3 says Good
a gets 1
	status retrying: *
	status retrying: *
	status route: one/m failed(overloaded), one/m failed(auth), two/m
	start m-as-said
	text Good
up 3 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
up 3 cancelled
ups 3
a gets 1
	fault overloaded partial * from=two: *
ledger
	exchange failed overloaded two/m attempts=3 *
	attempt 1 failed overloaded one/m http=529 sent *
	attempt 2 failed auth one/m http=401 sent *
	attempt 3 failed overloaded two/m http=529 sent *
