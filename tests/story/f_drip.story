# Five characters a second, and never a silence that is long enough to be one: the call's own time is what ends it.
start one two
connect a
a call 1 model=all stream=yes max_tokens=1000 timeout=60000
up 1 streams
after 59s every 200ms up 1 says x
up 1 running
after 1s
ups 1
a gets 1
	status route: one/m
	start *
	text of 295 bytes
	fault timeout partial*: *
open 0
# a whole answer that drips has no more of it
after 1ms
a call 2 model=one/m max_tokens=1000 timeout=20000
up 2 head 200 content-type=application/json
after 19s every 1s up 2 body
	  
up 2 running
after 1s
ups 2
a gets 2
	fault timeout*: *
ledger
	exchange * timeout one/m attempts=1 * ms=60000.0
	exchange * timeout one/m attempts=1 * ms=20000.0
	attempt 1 * one/m http=200 sent *
	attempt 1 * one/m http=200 sent *
