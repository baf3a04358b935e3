# When a second target is asked beside a slow one, and when it is not.
config only
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	on_gone = drain
	[provider "two"]
	dialect = openai-chat
	base_url = https://two.test/v1
	[provider "cloud"]
	dialect = openai-chat
	base_url = https://cloud.test/v1
	auth = entra
	[model "quick"]
	target = one/m
	target = two/m
	hedge = 800ms
	[model "usual"]
	target = one/fresh
	target = two/m
	hedge = p95
	[model "capped"]
	target = one/m
	target = two/capped
	hedge = 800ms
	[model "last"]
	target = one/m
	target = offline/echo
	hedge = 800ms
	[model "far"]
	target = one/m
	target = cloud/m
	hedge = 800ms
	[limit "one"]
	model = two/m
	concurrency = 1
	[limit "little"]
	model = two/capped
	budget = 0.01 USD/day
	[model "two/capped"]
	price_input = 1 USD
	price_output = 1000 USD
start one two
admin key.add {"provider":"cloud","secret":"org:app:topsecret"}
	raw *"origin":"https://login.microsoftonline.com:443"*
connect a
connect b
# a limit has no room: it is not waited for
b call 1 model=two/m stream=yes
up 1 is two/m
up 1 sent
a call 1 model=quick stream=yes
up 2 is one/m
up 2 sent
after 5s
ups 2
a gets 1
up 2 streams
up 2 says x
up 2 finishes 1 2
a gets 1
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m *
up 1 streams
up 1 says y
up 1 finishes 1 2
b gets 1
	...
# the room that the loser had is there again at once, and that of a winner when it has ended
a call 2 model=quick stream=yes
up 3 sent
after 1s
up 4 is two/m
up 4 sent
a call 3 model=quick stream=yes
up 5 sent
after 1s
ups 5
up 3 streams
up 3 says x
up 4 cancelled
a call 4 model=quick stream=yes
up 6 sent
after 1s
up 7 is two/m
up 7 streams
up 7 says z
up 6 cancelled
up 3 finishes 1 2
up 5 streams
up 5 says x
up 5 finishes 1 2
up 7 finishes 1 2
a gets 2..4
	...
# a budget would cut it short
a call 5 model=capped stream=yes max_tokens=100
up 8 sent
after 2s
ups 8
up 8 streams
up 8 says x
up 8 finishes 1 2
a gets 5
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m *
# its token is waited for meanwhile; and not any longer once the first has begun
a call 6 model=far stream=yes
up 9 sent
after 1s
up 10 is cloud/token
up 9 streams
up 9 says x
up 10 running
up 9 finishes 1 2
a gets 6
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m *
up 10 answers 200
	{"access_token":"first","token_type":"Bearer","expires_in":3600}
ups 10
# it is there in time
a call 7 model=far stream=yes
up 11 sent
after 1s
up 12 is cloud/m
up 12 streams
up 12 says w
up 11 cancelled
up 12 finishes 1 2
a gets 7
	status retrying: no word of the answer within 800 ms; asking cloud/m beside it
	status route: one/m unknown(cancelled), cloud/m
	start *
	text w
	usage *
	finish stop
	end cloud/m *
# p95 is that of twenty at least
a call 8 model=usual stream=yes
up 13 sent
after 10s
ups 13
up 13 streams
up 13 says x
up 13 finishes 1 2
a gets 8
	...
# its caller goes: the second is ended, the first read to its end
connect c
c call 1 model=quick stream=yes
up 14 sent
after 1s
up 15 sent
c leaves
up 15 cancelled
up 14 running
up 14 streams
up 14 says x
up 14 finishes 1 2
up 14 over
# on a surface: in the bytes of the one that answers
a relay 9 openai.chat
	{"messages":[{"role":"user","content":"Hello"}],"model":"quick","stream":true}
up 16 is one/m
up 16 streams
up 16 event {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}
after 1s
up 17 is two/m
up 17 streams
up 17 event {"id":"c2","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}
a gets 9
up 17 event {"id":"c2","choices":[{"index":0,"delta":{"content":"Hel"}}]}
up 16 cancelled
up 17 finishes 1 2
a gets 9
	head 200 *x-llm-broker-target=two/m x-llm-broker-route=one/m unknown(cancelled), two/m x-llm-broker-attempts=2
	raw data: *"id":"c2"*"content":""*
	raw data: *"id":"c2"*"content":"Hel"*
	raw *
	raw *
	end *
# twenty are known: all began after 100 ms
b call 10..29 model=one/fresh stream=yes
up 18..37 streams
after 100ms
up 18..37 says x
up 18..37 finishes 1 2
b gets 10..29
	...
b call 30 model=usual stream=yes
up 38 is one/fresh
up 38 sent
after 99ms
ups 38
after 2ms
up 39 is two/m
up 39 streams
up 39 says y
up 38 cancelled
up 39 finishes 1 2
b gets 30
	...
# what is answered here would always be quicker
a call 31 model=last stream=yes
up 40 is one/m
up 40 sent
after 10s
up 40 running
up 40 streams
up 40 says x
up 40 finishes 1 2
a gets 31
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m attempts=1 *
a leaves
b leaves
ledger
	exchange ok - one/m attempts=1 *
	exchange ok - two/m attempts=1 *
	exchange ok - one/m attempts=2 *
	exchange ok - one/m attempts=1 *
	exchange ok - two/m attempts=2 *
	exchange ok - one/m attempts=1 *
	exchange ok - one/m attempts=1 *
	exchange ok - cloud/m attempts=2 *
	exchange ok - one/fresh attempts=1 *
	exchange cancelled cancelled one/m attempts=2 * input=1 output=2 *
	exchange ok - two/m attempts=2 *
	20x exchange ok - one/fresh attempts=1 *
	exchange ok - two/m attempts=2 *
	exchange ok - one/m attempts=1 *
	attempt 1 ok - one/m *
	attempt 1 ok - two/m *
	attempt 1 ok - one/m *
	attempt 2 unknown cancelled two/m *
	attempt 1 ok - one/m *
	attempt 1 unknown cancelled one/m *
	attempt 2 ok - two/m *
	2x attempt 1 ok - one/m *
	attempt 1 unknown cancelled one/m *
	attempt 2 ok - cloud/m *
	attempt 1 ok - one/fresh *
	attempt 1 ok - one/m *
	attempt 2 unknown cancelled two/m *
	attempt 1 unknown cancelled one/m *
	attempt 2 ok - two/m *
	20x attempt 1 ok - one/fresh *
	attempt 1 unknown cancelled one/fresh *
	attempt 2 ok - two/m *
	attempt 1 ok - one/m *
