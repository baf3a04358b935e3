# What a rule lets nobody send again is not sent again for the rest of an answer either.
config
	[provider "pre"]
	dialect = openai-chat
	base_url = https://pre.test/v1
	prefill = plain
	[policy "host"]
	resend = deny
	[model "goes"]
	target = one/m
	target = pre/m
	resume = yes
start one pre
connect a
a call 1 model=goes stream=yes
up 1 streams
up 1 says Once
up 1 breaks
ups 1
a gets 1
	status *
	start *
	text Once
	fault stream_incomplete partial *
ledger
	exchange unknown stream_incomplete one/m attempts=1 *
	attempt 1 unknown stream_incomplete one/m *
