# A broker that is to stop waits for what is read on, as for others.
config only
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
start one
connect a
a call 1 model=one/m stream=yes max_tokens=100
up 1 streams
up 1 says Once
a leaves
raise TERM
serving
after 5s
up 1 finishes 7 9
stopped
ledger
	exchange cancelled cancelled one/m attempts=1 warnings=0 input=7 output=9 cost=25000 ms=5000.0
	attempt 1 ok - one/m *
