# A stream: each piece goes on as it comes, the account is in the end.
start one
connect a
a call 1 model=one/m stream=yes
up 1 asks *"stream":true*"include_usage":true*
after 100ms
up 1 streams
a gets 1
up 1 says Hel
a gets 1
	start m-as-said
	text Hel
after 50ms
up 1 says lo.
a gets 1
	text lo.
up 1 finishes 9 3
a gets 1
	usage input=9 output=3 cost=15000
	finish stop
	end one/m attempts=1 input=9 output=3 cost=15000 ttft_us=100000 total_us=150000
up 1 over
ledger
	exchange ok - one/m attempts=1 warnings=0 input=9 output=3 cost=15000 ms=150.0
	attempt 1 ok - one/m http=200 sent input=9 output=3 cost=15000
