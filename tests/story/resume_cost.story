# An answer that breaks off by a word of its provider's has cost something, though nobody says how much.
config
	[provider "pre"]
	dialect = openai-chat
	base_url = https://pre.test/v1
	prefill = plain
	[model "pre/m"]
	price_input = 3.00 USD
	price_output = 6.00 USD
	[model "goes"]
	target = one/m
	target = pre/m
	resume = yes
start one pre
connect a
# so it is not known what both have cost
a call 1 model=goes stream=yes max_tokens=100
up 1 is one/m
up 1 streams
up 1 says Once upon
up 1 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
up 2 is pre/m
up 2 streams
up 2 says , there was
up 2 finishes 20 5
a gets 1
	status route: one/m
	start *
	text Once upon
	status retrying: *
	warning resumed *
	text , there was
	usage *
	finish stop
	end pre/m attempts=2 input=20 output=5 cost=? *
# and what the first may have cost at the most, 242000, is not there for the second
after 1m
a call 2 model=goes stream=yes max_tokens=100 max_cost=900000
up 3 is one/m
up 3 asks *"max_tokens":100,*
up 3 streams
up 3 says Once upon
up 3 event {"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}
up 4 is pre/m
up 4 asks *"max_tokens":7[0-9],*
up 4 streams
up 4 says , there was
up 4 finishes 20 5
a gets 2
	status route: one/m
	start *
	text Once upon
	status retrying: *
	warning clamped_parameter *
	warning resumed *
	text , there was
	usage *
	finish stop
	end pre/m attempts=2 *
ledger
	exchange ok - pre/m attempts=2 warnings=1 input=20 output=5 cost=? ms=0.0
	exchange ok - pre/m attempts=2 warnings=2 input=20 output=5 cost=? ms=0.0
	attempt 1 failed overloaded one/m http=529 sent input=? output=? cost=?
	attempt 2 ok - pre/m http=200 sent input=20 output=5 cost=90000
	attempt 1 failed overloaded one/m http=529 sent input=? output=? cost=?
	attempt 2 ok - pre/m http=200 sent input=20 output=5 cost=90000
