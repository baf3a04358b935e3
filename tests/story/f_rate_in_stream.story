# "Too many" inside of a good status's stream is a 429 like any other: who can asks another, who cannot waits, and
# what was learned of it all keep to.
start one two
connect a
a call 1 model=all stream=yes
up 1 streams
up 1 event {"id":"r","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
up 1 event {"error":{"message":"Rate limit reached for requests. Please try again in 20s.","type":"requests","code":"rate_limit_exceeded"}}
up 1 cancelled
ups 2
up 2 is two/m
up 2 streams
up 2 says Good
up 2 finishes 1 1
a gets 1
	status retrying: *; trying two/m
	status route: one/m failed(rate_limited), two/m
	start *
	text Good
	usage *
	finish stop
	end two/m attempts=2 *
# whoever comes next does not meet it again
after 1ms
a call 2 model=all stream=yes
up 3 is two/m
up 3 replies 1 1 x
a gets 2
	...
after 1ms
a call 3 model=one/m stream=yes
ups 3
a gets 3
	status queued: place 1 of 1 for one/m; about * s
after 19999ms
ups 4
up 4 is one/m
up 4 replies 1 1 x
a gets 3
	start *
	...
# behind the first word it is an error, and nobody else is asked
after 1m
a call 4 model=all stream=yes
up 5 is one/m
up 5 streams
up 5 says Half
up 5 event {"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
ups 5
a gets 4
	status route: one/m
	start *
	text Half
	fault rate_limited partial * from=one: *
a leaves
ledger
	exchange ok - two/m attempts=2 *
	exchange ok - two/m attempts=1 *
	exchange ok - one/m attempts=1 *
	exchange * rate_limited one/m attempts=1 *
	attempt 1 failed rate_limited one/m http=429 sent *
	attempt 2 ok - two/m *
	attempt 1 ok - two/m *
	attempt 1 ok - one/m *
	attempt 1 failed rate_limited one/m http=429 sent *
