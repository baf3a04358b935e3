# A request whose body comes in data frames: whole, too long, too short, with something behind it.
start one
connect a
a call 1 model=one/m body=later prompt=100000
a data 1 60000
ups 0
a data 1 rest last
ups 1
up 1 asks *"content":"Say hello.yyyy*
up 1 replies 1 1 x
a gets 1
	start *
	text x
	usage *
	finish stop
	end one/m *
# more than was announced
after 1ms
a call 2 model=one/m body=later announce=50
a data 2 51
a gets 2
	fault invalid_request: the body is longer than the 50 bytes announced
# less
after 1ms
a call 3 model=one/m body=later announce=5000
a data 3 rest last
a gets 3
	fault invalid_request: the body is * bytes, and 5000 were announced
# nothing at all
after 1ms
a call 4 model=one/m body=later announce=0
a data 4 0 last
a gets 4
	fault malformed*
# behind the last piece, and behind a body that came inside the call
after 1ms
a call 5 model=one/m body=later
a data 5 rest last
a data 5 10
up 2 cancelled
a gets 5
	fault protocol: data after the last piece of the body
after 1ms
a call 6 model=one/m
a data 6 10 last
a gets 6
	fault protocol: data after the last piece of the body
# of an unknown length; and junk in it
after 1ms
a call 7 model=one/m body=later announce=-1
a data 7 20
a data 7 rest last
up 4 running
up 4 replies 1 1 x
a gets 7
	start *
	...
after 1ms
a call 8 model=one/m body=later announce=-1
a data 8 rest
a data 8 10 last
a gets 8
	fault malformed: *
# a long one needs credit, which comes as it is taken: 256 KiB at first
after 1ms
a call 9 model=one/m body=later prompt=400000 announce=-1
a data 9 200000
a gets 9
	credit 131072
a data 9 180000
a gets 9
	credit 131072
a data 9 rest last
a gets 9
up 5 replies 1 1 x
a gets 9
	start *
	...
# and what comes without any is refused
after 1ms
a call 10 model=one/m body=later announce=-1
a data 10 700000
a gets 10
	...
serving
a leaves
ledger
	exchange ok - one/m *
	2x exchange failed invalid_request - attempts=0 warnings=0 input=? output=? cost=? ms=0.0
	exchange failed malformed - attempts=0 *
	2x exchange failed protocol one/m attempts=1 *
	exchange ok - one/m *
	exchange failed malformed - *
	exchange ok - one/m *
	exchange * - attempts=0 *
	attempt 1 ok *
	2x attempt 1 failed protocol one/m http=- unsent *
	2x attempt 1 ok *
