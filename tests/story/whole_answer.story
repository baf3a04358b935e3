# A whole answer: one call, one transfer, one row; the key stays with the broker.
start one
connect a
a call 1 model=one/m
ups 1
up 1 is one/m
up 1 url https://one.test/v1/chat/completions
up 1 asks *"model":"m"*"content":"Say hello."*
a gets 1
after 250ms
up 1 replies 9 3 Hello.
a gets 1
	start m-as-said
	text Hello.
	usage input=9 output=3 cost=15000
	finish stop
	end one/m attempts=1 input=9 output=3 cost=15000 ttft_us=250000 total_us=250000
ledger
	exchange ok - one/m attempts=1 warnings=0 input=9 output=3 cost=15000 ms=250.0
	attempt 1 ok - one/m http=200 sent input=9 output=3 cost=15000
