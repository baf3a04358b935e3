# A pause in the middle of an answer is borne for so long, then it ends with what there was.
config
	[broker]
	idle_timeout = 20s
start one
connect a
a call 1 model=one/m max_tokens=100 stream=yes
up 1 streams
up 1 says One,
after 19s
up 1 says two,
after 19s
up 1 running
after 1s
up 1 over
a gets 1
	start *
	text One,
	text two,
	fault timeout partial code=idle from=one: *
ups 1
ledger
	exchange unknown timeout one/m attempts=1 warnings=0 input=? output=? cost=242000 ms=39000.0
	attempt 1 unknown timeout one/m http=200 sent input=? output=? cost=242000
