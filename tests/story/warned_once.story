# What is dropped on the way is said once, however often the request was sent.
start three
connect a
a call 1 model=three/m top_k=5
up 1 answers 503
	{"error":{"message":"The server is overloaded"}}
after 500ms
up 2 lacks *top_k*
up 2 replies 1 1 x
a gets 1
	warning dropped_parameter top_k: *
	status retrying: *
	status route: three/m failed(overloaded), three/m
	start *
	text x
	usage *
	finish stop
	end three/m *
# also where nothing came of it
after 1ms
a call 2 model=three/m top_k=5
up 3 answers 400
	{"error":{"message":"no","type":"invalid_request_error"}}
a gets 2
	warning dropped_parameter top_k: *
	fault invalid_request *
ledger
	exchange ok - three/m attempts=2 warnings=1 *
	exchange failed invalid_request three/m attempts=1 warnings=1 *
	attempt 1 *
	attempt 2 *
	attempt 1 *
