# A head, and then silence: as unknown as no head at all. Not sent again for who forbids it.
config
	[broker]
	idle_timeout = 20s
start one two
connect a
a call 1 model=all max_tokens=100 stream=yes once=yes
up 1 streams
after 19s
up 1 running
after 1s
up 1 over
ups 1
a gets 1
	fault timeout code=idle from=one: *
# else once
after 1ms
a call 2 model=all max_tokens=100 stream=yes
up 2 streams
after 20s
ups 3
up 3 is two/m
up 3 streams
after 20s
ups 3
a gets 2
	status retrying: *
	fault timeout code=idle from=two: *
after 1ms
# what is no HTTP was sent, too: not to the same target again, and not at all here
a call 3 model=all once=yes max_tokens=100
up 4 nonsense
ups 4
a gets 3
	fault server_error * from=one: *
ledger
	exchange unknown timeout one/m attempts=1 warnings=0 input=? output=? cost=242000 ms=20000.0
	exchange unknown timeout two/m attempts=2 warnings=0 input=? output=? cost=968000 ms=40000.0
	exchange unknown server_error one/m attempts=1 warnings=0 input=? output=? cost=242000 ms=0.0
	2x attempt 1 unknown timeout one/m http=200 sent input=? output=? cost=242000
	attempt 2 unknown timeout two/m http=200 sent input=? output=? cost=726000
	attempt 1 unknown server_error one/m http=- sent input=? output=? cost=242000
