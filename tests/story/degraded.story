# A bad configuration at the start: it serves to tell every caller so, until it is mended.
config
	[broker]
	no_such_key = 1
start
connect a
a call 1 model=offline/echo
a gets 1
	fault misconfigured: *no_such_key*mend it, then `llmb config reload`
config
	[broker]
	max_calls = 5
raise HUP
after 1ms
a call 2 model=offline/echo
a gets 2
	start *
	...
# a bad one later changes nothing
config
	[broker
raise HUP
after 1ms
a call 3 model=offline/echo
a gets 3
	start *
	...
a leaves
ledger
	exchange failed misconfigured - attempts=0 *
	exchange ok - offline/echo *
	exchange ok - offline/echo *
	2x attempt 1 ok - offline/echo *
