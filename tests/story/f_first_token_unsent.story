# The first word is not there in time, and nothing had been sent yet: that is no answer that may have been served.
config
	[broker]
	first_token_timeout = 5s
	connect_timeout = 10s
start one two
connect a
a call 1 model=all stream=yes once=yes max_tokens=100
after 5s
up 1 cancelled
ups 2
up 2 is two/m
up 2 streams
up 2 says Good
up 2 finishes 1 1
a gets 1
	status retrying: *
	status route: one/m failed(timeout), two/m
	start *
	text Good
	usage *
	finish stop
	end two/m attempts=2 *
ledger
	exchange ok - two/m attempts=2 *
	attempt 1 failed timeout one/m http=- unsent input=? output=? cost=?
	attempt 2 ok - two/m *
