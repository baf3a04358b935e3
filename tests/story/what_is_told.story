# When every target has failed, the caller is told what helps most, not what happened to come last.
start one
connect a
a call 1 model=all timeout=20000
up 1 answers 429 retry-after=30
	{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}
ups 1
a gets 1
	status retrying: *; trying two/m
	status retrying: *the vault has no key for two*; trying three/m
	status retrying: *the vault has no key for three*; trying one/m
	fault rate_limited status=429 retry=30000 * from=one: *
# but what happened to an answer that was shown is told as it is
after 30s
a call 2 model=all stream=yes
up 2 answers 503
	{"error":{"message":"The server is overloaded"}}
after 500ms
up 3 streams
up 3 says A
up 3 event {"error":{"message":"oops","code":"server_error"}}
a gets 2
	status retrying: *
	status route: one/m failed(overloaded), one/m
	start *
	text A
	fault server_error partial * from=one: oops
ledger
	exchange failed rate_limited * attempts=1 *
	exchange failed server_error one/m attempts=2 *
	attempt 1 failed rate_limited one/m http=429 *
	attempt 1 failed overloaded one/m http=503 *
	attempt 2 failed server_error one/m *
