# A locked vault: targets that need a key are told, one that needs none serves.
config
	[model "fallback"]
	target = one/m
	target = offline/echo
start one two
admin vault.lock
connect a
a call 1 model=one/m
a gets 1
	fault locked*
after 1ms
a call 2 model=fallback
a gets 2
	status retrying: *
	status route: offline/echo
	start *
	...
after 1ms
a call 3 model=default
a gets 3
	fault locked*default model*
admin vault.unlock {}
after 1ms
a call 4 model=one/m
up 1 is one/m
# a call that is under way has its key; the next try has not
raise USR1
up 1 answers 503
	{"error":{"message":"The server is overloaded"}}
after 500ms
ups 1
a gets 4
	status retrying: *
	fault locked*
a leaves
ledger
	exchange failed locked - attempts=0 *
	exchange ok - offline/echo *
	exchange failed locked - attempts=0 *
	exchange failed locked one/m attempts=1 *
	attempt *
	attempt *
