# A stream that has begun, and then is only kept alive by comments, is given up after the time between two words.
config only
	[broker]
	token_timeout = 2m
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	[provider "two"]
	dialect = openai-chat
	base_url = https://two.test/v1
	token_timeout = 20s
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
up 1 says One
after 119s every 10s up 1 hums
up 1 says two
after 119s every 10s up 1 hums
up 1 running
# each word counts anew, and so does none but words
up 1 says three
after 110s every 10s up 1 hums
up 1 running
after 10s
up 1 cancelled
a gets 1
	start *
	text One
	text two
	text three
	fault timeout partial code=token from=one: no further word of the answer came within 120000 ms
# a provider has a time of its own
after 1ms
a call 2 model=two/m stream=yes max_tokens=100
up 2 streams
up 2 says One
after 19s every 1s up 2 hums
up 2 running
after 1s
up 2 cancelled
a gets 2
	start *
	text One
	fault timeout partial code=token from=two: *
# the first word has another
after 1ms
a call 3 model=two/m stream=yes max_tokens=100
up 3 streams
after 60s every 10s up 3 hums
up 3 running
up 3 says One
after 1s
up 3 finishes 1 1
a gets 3
	start *
	text One
	usage *
	finish stop
	end two/m *
# what is all there is a good answer, though its provider goes on humming
after 1ms
a call 4 model=two/m stream=yes max_tokens=100
up 4 streams
up 4 says One
up 4 event {"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
up 4 event {"id":"r","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}
after 15s every 5s up 4 hums
up 4 running
after 5s
up 4 cancelled
a gets 4
	start *
	text One
	usage input=3 output=4 *
	finish stop
	end two/m *
# while its reader is behind it does not run
after 1ms
a call 5 model=two/m stream=yes max_tokens=100 credit=262144
up 5 streams
up 5 floods 2000000 each=10000
up 5 paused
after 25s
a credit 5 1000000
after 25s
up 5 paused
a credit 5 4000000
up 5 flowing
after 19s every 1s up 5 hums
up 5 running
after 1s
up 5 cancelled
a gets 5
	start *
	text of 2000000 bytes
	fault timeout partial code=token from=two: *
ledger
	exchange unknown timeout one/m *
	exchange unknown timeout two/m *
	exchange ok - two/m *
	exchange ok - two/m attempts=1 warnings=0 input=3 output=4 *
	exchange unknown timeout two/m *
	attempt 1 unknown timeout one/m http=200 sent *
	attempt 1 unknown timeout two/m http=200 sent *
	attempt 1 ok - two/m http=200 sent *
	attempt 1 ok - two/m http=200 sent input=3 output=4 *
	attempt 1 unknown timeout two/m http=200 sent *
