# A provider that bills for what it was asked, whoever has gone: its answer is read to the end for what it has truly used.
config only
	[broker]
	drain_gone = 40s
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	on_gone = drain
	[provider "two"]
	dialect = openai-chat
	base_url = https://two.test/v1
	[model "all"]
	target = one/m
	target = two/m
	[model "one/m"]
	price_input = 1.00 USD
	price_output = 2.00 USD
start one two
connect a
a call 1 model=one/m stream=yes max_tokens=100
up 1 streams
up 1 says Once
a leaves
open 1
up 1 running
after 10s
up 1 says upon
up 1 finishes 7 9
open 0
up 1 over
# much of it: nobody reads it, and it does not wait for that
after 1ms
connect b
b call 1 model=one/m stream=yes max_tokens=100 credit=1000
up 2 streams
up 2 floods 2000000 each=10000
up 2 paused
b leaves
open 1
up 2 flowing
up 2 floods 20000000 each=10000
up 2 flowing
up 2 finishes 7 9
open 0
# a whole answer, and one on a surface, in its own bytes and in others'
after 1ms
connect c
c call 1 model=one/m
up 3 sent
c relay 2 openai.chat
	{"messages":[{"role":"user","content":"Hello"}],"model":"one/m","stream":true}
up 4 streams
up 4 says Once
c relay 3 anthropic.messages
	{"messages":[{"role":"user","content":"Hello"}],"model":"one/m","stream":true,"max_tokens":9}
up 5 streams
up 5 says Once
c leaves
open 3
up 3 replies 1 2 x
after 20s
up 4 says upon
up 4 finishes 3 4
up 5 finishes 5 6
open 0
# past its time
after 1ms
connect d
d call 1 model=one/m stream=yes max_tokens=100
up 6 streams
up 6 says Once
d leaves
after 39s every 1s up 6 hums
up 6 running
after 1s
up 6 cancelled
open 0
# nor beyond the call's own
after 1ms
connect e
e call 1 model=one/m stream=yes max_tokens=100 timeout=15000
up 7 streams
up 7 says Once
after 5s
e leaves
after 9999ms
up 7 running
after 1ms
up 7 cancelled
open 0
# what breaks off is not sent again
after 1ms
connect f
f call 1 model=all stream=yes max_tokens=100
up 8 streams
f leaves
open 1
up 8 breaks
open 0
ups 8
# what has not left in full costs nothing: it is cancelled; and so is what its caller takes back, and whatever
# another provider is asked
after 1ms
connect g
g call 1 model=one/m stream=yes max_tokens=100
g call 2 model=one/m stream=yes max_tokens=100
g call 3 model=two/m stream=yes max_tokens=100
up 10 streams
g cancel 2
up 10 cancelled
g gets 2
	fault cancelled: cancelled by the caller
up 11 streams
up 11 says Once
g leaves
up 9 cancelled
up 11 cancelled
open 0
ledger
	exchange cancelled cancelled one/m attempts=1 warnings=0 input=7 output=9 cost=25000 ms=10000.0
	exchange cancelled cancelled one/m attempts=1 warnings=0 input=7 output=9 cost=25000 *
	exchange cancelled cancelled one/m attempts=1 warnings=0 input=1 output=2 cost=5000 *
	exchange cancelled cancelled one/m attempts=1 warnings=0 input=3 output=4 cost=11000 *
	exchange cancelled cancelled one/m attempts=1 warnings=0 input=5 output=6 cost=17000 *
	exchange cancelled cancelled one/m attempts=1 warnings=0 input=? output=? cost=? ms=40000.0
	exchange cancelled cancelled one/m attempts=1 warnings=0 input=? output=? cost=? ms=15000.0
	exchange cancelled cancelled one/m attempts=1 *
	3x exchange cancelled cancelled *
	2x attempt 1 ok - one/m http=200 sent input=7 output=9 cost=25000
	attempt 1 ok - one/m http=200 sent input=1 output=2 cost=5000
	attempt 1 ok - one/m http=200 sent input=3 output=4 cost=11000
	attempt 1 ok - one/m http=200 sent input=5 output=6 cost=17000
	2x attempt 1 cancelled cancelled one/m http=200 sent *
	attempt 1 unknown * one/m http=200 sent *
	attempt 1 cancelled cancelled one/m http=- unsent *
	attempt 1 cancelled cancelled one/m http=200 sent *
	attempt 1 cancelled cancelled two/m http=200 sent *
