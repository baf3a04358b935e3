# Whose limit holds a call back and what all have spent is for those who may list the limits: others are told what kind of
# limit it is, what their own call needs, and when to come again.
config
	[limit "household"]
	provider = one
	budget = 0.000400/day
	zone = UTC
	[limit "pace"]
	provider = two
	requests = 1/minute
	[limit "in-turn"]
	provider = three
	concurrency = 1
	[policy "apps"]
	kind = app
	allow = yes
	operation = chat
	operation = relay
start one two three
admin app.add {"name":"b"}
connect a
connect b app
a call 1 model=one/m max_tokens=100
up 1 replies 10 170 x
a gets 1
	start *
	...
# a budget
after 1ms
a call 2 model=one/m max_tokens=100
a gets 2
	fault budget retry=*: limit "household" (*) for provider one: 0.00035 of 0.0004 USD spent this day (UTC), and this call can cost *
b call 1 model=one/m max_tokens=100
b gets 1
	fault budget retry=*: a budget of this host has less left this day than this call can cost, which is * USD; it begins anew in * h * min. Ask whoever runs this host: `llmb budget list`
# where a surface has it
b relay 2 openai.chat
	{"model":"one/m","max_tokens":100,"messages":[{"role":"user","content":"Say hello."}]}
b gets 2
	head 429 *
	raw *"a budget of this host has less left this day than this call can cost, which is * Ask whoever runs this host: `llmb budget list`"*
	...
# a rate
a call 3 model=two/m
up 2 replies 1 1 x
a gets 3
	start *
	...
after 1ms
a call 4 model=two/m timeout=1000
a gets 4
	fault rate_limited retry=59999: limit "pace" (*) for provider two: 1 of 1 requests in use (1/minute); *
b call 3 model=two/m timeout=1000
b gets 3
	fault rate_limited retry=59999: a limit of this host on requests per minute is reached; there is enough in 60 s. Ask whoever runs this host: `llmb budget list`
# what is waited for in vain, also behind one who is told all, and he behind one who is not
a call 5 model=three/m
up 3 is three/m
b call 4 model=three/m timeout=3000
a call 6 model=three/m timeout=2000
b call 5 model=three/m timeout=1000
after 5s
b gets 4
	status queued: place 1 of 1 *
	fault rate_limited retry=1000: 3000 ms were not enough for its turn to come: a limit of this host on calls at a time is reached; there is room when one of them is over. Ask whoever runs this host: `llmb budget list`
a gets 6
	status queued: place 2 of 2 *
	fault rate_limited retry=1000: 2000 ms were not enough for its turn to come: limit "in-turn" (*) for provider three: 1 of 1 calls at a time are under way; *
b gets 5
	status queued: place 3 of 3 *
	fault rate_limited retry=1000: 1000 ms were not enough for its turn to come: others came before, and wait for what this call needs too. Ask whoever runs this host: `llmb budget list`
up 3 replies 1 1 x
a gets 5
	start *
	...
a leaves
b leaves
admin app.remove {"name":"b"}
