# One deadline over all attempts and waits: the third has what the first two left. A transfer ends a tenth of a second
# behind it, so that it is the deadline that is told.
start one three
connect a
a call 1 model=three/m max_tokens=100 timeout=3000
up 1 total_ms 3100
after 300ms
up 1 answers 503
	{"error":{"message":"The server is overloaded"}}
after 500ms
ups 2
after 200ms
up 2 answers 503
	{"error":{"message":"The server is overloaded"}}
after 1s
ups 3
up 3 running
after 999ms
a gets 1
	status retrying: *
	status retrying: *
after 1ms
up 3 cancelled
a gets 1
	fault timeout: the call's time is over: 3000 ms
# nothing but a deadline ends a provider that dawdles
after 1ms
a call 2 model=one/m max_tokens=100 timeout=1500 stream=yes
up 4 streams
up 4 says a
after 800ms
up 4 says b
after 699ms
up 4 running
after 1ms
up 4 cancelled
a gets 2
	start *
	text a
	text b
	fault timeout partial: the call's time is over: 1500 ms
# nor one that is never reached
after 1ms
a call 3 model=one/m timeout=700
after 700ms
up 5 cancelled
a gets 3
	fault timeout: the call's time is over: 700 ms
# a call whose body never comes
after 1ms
a call 4 model=one/m body=later timeout=900
after 900ms
ups 5
a gets 4
	fault timeout: the call's time is over: 900 ms
ledger
	exchange failed timeout three/m attempts=3 warnings=0 input=? output=? cost=? ms=3000.0
	exchange unknown timeout one/m attempts=1 warnings=0 input=? output=? cost=242000 ms=1500.0
	exchange failed timeout one/m attempts=1 warnings=0 input=? output=? cost=? ms=700.0
	exchange failed timeout - attempts=0 warnings=0 input=? output=? cost=? ms=900.0
	attempt 1 failed overloaded three/m http=503 sent *
	attempt 2 failed overloaded three/m http=503 sent *
	attempt 3 failed timeout three/m http=- unsent *
	attempt 1 unknown timeout one/m http=200 sent input=? output=? cost=242000
	attempt 1 failed timeout one/m http=- unsent input=? output=? cost=?
