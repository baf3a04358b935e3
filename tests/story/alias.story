# An alias of three targets, each failing in its own way: all are tried, in order; the last serves.
start one two three
connect a
a call 1 model=all
up 1 is one/m
up 1 answers 404
	{"error":{"message":"The model does not exist","code":"model_not_found"}}
up 2 is two/m
up 2 answers 429
	{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}
up 3 is three/m
up 3 replies 1 1 x
a gets 1
	status retrying: *
	status retrying: *
	status route: one/m failed(not_found), two/m failed(quota_exhausted), three/m
	start *
	text x
	usage *
	finish stop
	end three/m attempts=3 *
# a request that is wrong is wrong everywhere
after 1ms
a call 2 model=all
up 4 answers 400
	{"error":{"message":"Invalid value for temperature","type":"invalid_request_error","param":"temperature"}}
ups 4
a gets 2
	fault invalid_request status=400 * Invalid value for temperature
# six attempts are the end of it, wherever they were (a configuration that is read anew ends all rests)
raise HUP
after 1ms
a call 3 model=all
up 5 answers 500
	{"error":{"message":"Internal error"}}
after 500ms
up 6 answers 500
	{"error":{"message":"Internal error"}}
up 7 is two/m
up 7 breaks
up 8 breaks
after 500ms
up 9 breaks
up 10 is three/m
up 10 breaks
ups 10
a gets 3
	status retrying: *
	status retrying: *
	status retrying: *
	status retrying: *
	status retrying: *
	fault server_error status=500 from=one: Internal error
# a target without a key is passed over
admin key.remove {"provider":"one"}
after 2s
a call 4 model=all
up 11 is two/m
up 11 replies 1 1 x
a gets 4
	status retrying: *
	status route: two/m
	start *
	text x
	usage *
	finish stop
	end two/m attempts=1 *
ledger
	exchange ok - three/m attempts=3 *
	exchange failed invalid_request three/m attempts=1 *
	exchange failed server_error three/m attempts=6 *
	exchange ok - two/m attempts=1 *
	attempt 1 failed not_found one/m http=404 *
	attempt 2 failed quota_exhausted two/m http=429 *
	attempt 3 ok - three/m *
	attempt 1 failed invalid_request three/m http=400 *
	attempt 1 failed server_error one/m http=500 *
	attempt 2 failed server_error one/m http=500 *
	attempt 3 failed connection two/m *
	attempt 4 failed connection two/m *
	attempt 5 failed connection two/m *
	attempt 6 failed connection three/m *
	attempt 1 ok - two/m *
