# Models: what the configuration names, then the list of each provider that has a key.
config
	[model "fast"]
	target = one/small
	[model "one/small"]
	context = 8192
	[model "one/s*"]
	max_output = 100
start one two
connect a
a call 1 op=models
up 1 url https://one.test/v1/models
up 1 answers 200
	{"data":[{"id":"small"},{"id":"large","context_length":128000}]}
up 2 url https://two.test/v1/models
up 2 answers 500
	{"error":{"message":"Internal error"}}
ups 2
a gets 1
	model {"event":"model","id":"all"}
	model {"event":"model","id":"one/m"}
	model {"event":"model","id":"two/m"}
	model {"event":"model","id":"fast"}
	model {"event":"model","id":"one/small","context":8192,"max_output":100}
	model {"event":"model","id":"offline/echo"}
	model {"event":"model","id":"one/large","context":128000}
	warning provider_failed two: Internal error
	end / attempts=2 *
# one of them alone: what fails is told as such
after 1ms
a call 2 op=models model=two
up 3 answers 401
	{"error":{"message":"Incorrect API key"}}
a gets 2
	model {"event":"model","id":"two/m"}
	fault auth *
after 1ms
a call 3 op=models model=nobody
a gets 3
	fault not_found * no provider is called "nobody"
ledger
	exchange ok - - attempts=2 * cost=0 *
	exchange failed auth two/models *
	exchange failed not_found - attempts=0 *
	attempt 1 ok - one/models *
	attempt 2 failed server_error two/models *
	attempt 1 failed auth two/models *
