# A provider that answers before it has the whole request is heard first: what it says is the verdict,
# and that the rest of the body could not be sent is no error of its own.
start one two
connect a
a call 1 model=one/m prompt=100000
up 1 connected
up 1 answers 413
	{"error":{"message":"Request too large.","type":"invalid_request_error","code":"request_too_large"}}
up 1 over
ups 1
a gets 1
	fault invalid_request status=413 code=request_too_large from=one: Request too large.
# a connection that ends while a body is sent, with no word, may be tried again
after 1ms
a call 2 model=one/m prompt=100000
up 2 connected
up 2 breaks
after 2s
up 3 replies 1 1 x
a gets 2
	status retrying: *
	status route: one/m failed(connection), one/m
	start *
	text x
	usage *
	finish stop
	end one/m attempts=2 *
