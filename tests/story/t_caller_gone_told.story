# Who has the last word of an answer has gone when it comes, as many clients do: what is left of the reply, how much was used, is
# read to its end, whatever the provider's section says, and the answer is kept.
config only
	[broker]
	drain_gone = 40s
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	[provider "two"]
	dialect = openai-chat
	base_url = https://two.test/v1
	on_gone = drain
	[model "one/m"]
	price_input = 1.00 USD
	price_output = 2.00 USD
start one two
connect a
a call 1 model=one/m stream=yes max_tokens=100 cache=on
up 1 streams
up 1 says Once
up 1 event {"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
up 1 event {"id":"r","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16}}
up 1 event [DONE]
a leaves
open 1
up 1 running
up 1 ends
open 0
# on a surface, in the provider's own bytes, and taken back; it counts as his until it has ended
after 1ms
connect b
b relay 1 openai.chat credit=100000
	{"messages":[{"role":"user","content":"Hello"}],"model":"one/m","stream":true,"temperature":0,"max_tokens":9}
up 2 streams
up 2 says Once
up 2 event {"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
up 2 event {"id":"r","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}
up 2 event [DONE]
b gets 1
	head 200 *
	raw *Once*
	raw *finish_reason*
	raw *DONE*
b cancel 1
b gets 1
	fault cancelled partial: cancelled by the caller
open 1
up 2 running
up 2 ends
open 0
after 1ms
b relay 2 openai.chat credit=100000
	{"messages":[{"role":"user","content":"Hello"}],"model":"one/m","stream":true,"temperature":0,"max_tokens":9}
ups 2
b gets 2
	head 200 *x-llm-broker-cache=hit*
	raw *Once*
	raw *finish_reason*
	raw *DONE*
	end hit *
# who asks for the same meanwhile has it, too
after 1ms
b call 3 model=one/m stream=yes max_tokens=50 temperature=0 cache=on
up 3 streams
up 3 says Once
up 3 event {"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
up 3 event {"id":"r","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}
up 3 event [DONE]
b gets 3
	start *
	text Once
	usage *
	finish stop
b cancel 3
b gets 3
	fault cancelled partial: cancelled by the caller
after 1ms
b call 4 model=one/m stream=yes max_tokens=50 temperature=0 cache=on
ups 3
up 3 ends
b gets 4
	start *
	text Once
	finish stop
	usage *
	end joined *
# the end does not come: not for ever
after 1ms
b call 5 model=one/m stream=yes max_tokens=60
up 4 streams
up 4 says Once
up 4 event {"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
up 4 event [DONE]
b cancel 5
b gets 5
	start *
	text Once
	finish stop
	fault cancelled partial: *
after 1999ms
up 4 running
after 1ms
up 4 cancelled
open 0
# of two answers the last word of one has come, and then of the other
after 1ms
b relay 6 openai.chat credit=100000
	{"messages":[{"role":"user","content":"Hello"}],"model":"one/m","stream":true,"n":2}
up 5 streams
up 5 asks *"n":2*
up 5 says Once
up 5 event {"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
b cancel 6
b gets 6
	head 200 *
	raw *Once*
	raw *finish_reason*
	fault cancelled partial: *
up 5 cancelled
open 0
# and what is drained is kept
after 1ms
b call 7 model=two/m stream=yes max_tokens=80 cache=on
up 6 streams
up 6 says Once
b leaves
up 6 says upon
up 6 finishes 3 4
open 0
connect c
after 1ms
c call 1 model=two/m stream=yes max_tokens=80 cache=on
ups 6
c gets 1
	start *
	text Once
	text upon
	finish stop
	usage *
	end hit *
admin cache.clear {}
ledger
	exchange ok - one/m attempts=1 warnings=0 input=7 output=9 cost=25000 *
	exchange ok - one/m attempts=1 warnings=0 input=3 output=4 cost=11000 *
	exchange ok - one/m attempts=0 warnings=0 input=? output=? cost=0 *
	exchange ok - one/m attempts=1 warnings=0 input=1 output=2 cost=5000 *
	exchange ok - one/m attempts=0 warnings=0 *
	exchange cancelled cancelled one/m attempts=1 *
	exchange cancelled cancelled one/m attempts=1 *
	exchange cancelled cancelled two/m attempts=1 warnings=0 input=3 output=4 *
	exchange ok - two/m attempts=0 warnings=0 *
	attempt 1 ok - one/m http=200 sent input=7 output=9 cost=25000
	attempt 1 ok - one/m http=200 sent input=3 output=4 cost=11000
	attempt 1 ok - one/m http=200 sent input=1 output=2 cost=5000
	attempt 1 cancelled cancelled one/m http=200 sent *
	attempt 1 cancelled cancelled one/m http=200 sent *
	attempt 1 ok - two/m http=200 sent input=3 output=4 *
