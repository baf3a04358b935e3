# A stream that ends without its last marker is no success: billed as reserved, moved on only unseen.
start one two
connect a
a call 1 model=one/m max_tokens=100 stream=yes
up 1 streams
up 1 says Half of
up 1 ends
a gets 1
	start *
	text Half of
	fault stream_incomplete partial from=one: *
ups 1
after 1ms
a call 2 model=one/m max_tokens=100 stream=yes
up 2 streams
up 2 says Half of
up 2 breaks
a gets 2
	start *
	text Half of
	fault stream_incomplete partial from=one: *
# nothing was seen yet: one other target may try
after 1ms
a call 3 model=all max_tokens=100 stream=yes
up 3 streams
up 3 event {"id":"r","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}
up 3 ends
ups 4
up 4 is two/m
up 4 streams
up 4 says all
up 4 finishes 1 1
a gets 3
	status retrying: *
	status route: one/m unknown(stream_incomplete), two/m
	start *
	text all
	usage *
	finish stop
	end two/m attempts=2 input=1 output=1 cost=251000 *
ledger
	2x exchange unknown stream_incomplete one/m attempts=1 warnings=0 input=? output=? cost=242000 *
	exchange ok - two/m attempts=2 warnings=0 input=1 output=1 cost=251000 *
	3x attempt 1 unknown stream_incomplete one/m http=200 sent input=? output=? cost=242000
	attempt 2 ok - two/m http=200 sent input=1 output=1 cost=9000
