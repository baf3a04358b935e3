# A parameter that a provider refuses, and that has another name or can be done without, is sent again
# so, once; and later requests to that model are written so from the start.
start three
connect a
a call 1 model=three/m max_tokens=5
up 1 asks *"max_tokens":5*
up 1 answers 400
	{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}
up 2 asks *"max_completion_tokens":5*
up 2 lacks *"max_tokens"*
up 2 replies 1 1 x
a gets 1
	warning dropped_parameter max_tokens: *
	status route: three/m failed(invalid_request), three/m
	start *
	text x
	usage *
	finish stop
	end three/m attempts=2 *
# what was learned is kept
after 1ms
a call 2 model=three/m max_tokens=6
up 3 asks *"max_completion_tokens":6*
up 3 replies 1 1 y
a gets 2
	start *
	text y
	usage *
	finish stop
	end three/m attempts=1 *
# of that model alone
after 1ms
a call 3 model=three/other max_tokens=7
up 4 asks *"max_tokens":7*
up 4 replies 1 1 z
a gets 3
	start *
	text z
	usage *
	finish stop
	end three/other attempts=1 *
# what it refuses again, or what is nobody's to leave out, is told
after 1ms
a call 4 model=three/m max_tokens=8
up 5 answers 400
	{"error":{"message":"no","param":"max_tokens","code":"unsupported_parameter"}}
a gets 4
	fault invalid_request status=400 *
after 1ms
a call 5 model=three/m
up 6 answers 400
	{"error":{"message":"no","param":"tools","code":"unsupported_parameter"}}
a gets 5
	fault invalid_request status=400 *
ups 6
ledger
	exchange ok - three/m attempts=2 *
	exchange ok - three/m attempts=1 *
	exchange ok - three/other attempts=1 *
	2x exchange failed invalid_request three/m attempts=1 *
	attempt 1 failed invalid_request three/m http=400 *
	attempt 2 ok - three/m *
	attempt 1 ok - three/m *
	attempt 1 ok - three/other *
	2x attempt 1 failed invalid_request three/m http=400 *
