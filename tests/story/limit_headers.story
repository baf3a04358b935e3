# What is left, says a provider with each answer, is what all share, before anybody is refused.
start one
connect a
connect b
a call 1 model=one/m max_tokens=10
up 1 answers 200 content-type=application/json x-ratelimit-limit-requests=2 x-ratelimit-remaining-requests=1 x-ratelimit-reset-requests=10s
	{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}
a gets 1
	start *
	text x
	usage *
	finish stop
	end *
a call 2..3 model=one/m max_tokens=10
b call 1 model=one/m max_tokens=10
ups 2
a gets 3
	status queued: place 1 of 1 for one/m; about 10 s
b gets 1
	status queued: place 2 of 2 for one/m; about 20 s
up 2 replies 1 1 x
after 10s
ups 3
up 3 is one/m
up 3 replies 1 1 x
after 10s
ups 4
a leaves
b leaves
