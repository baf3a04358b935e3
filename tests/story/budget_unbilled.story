# What nobody sends a bill for costs nothing, as far as budgets go: who asks for no key, and has no price of his own;
# and native calls that nobody here reads.
config
	[provider "home"]
	dialect = openai-chat
	base_url = http://127.0.0.1:11434/v1
	auth = none
	local = yes
	allow_plain_loopback = yes
	[provider "open"]
	dialect = openai-chat
	base_url = https://open.test/v1
	auth = none
	[model "open/priced"]
	price_input = 1.00 USD
	price_output = 1.00 USD
	[limit "watched"]
	soft_budget = 1/day
	zone = UTC
	[limit "hard"]
	provider = home
	budget = 0.000001/day
	zone = UTC
start one
connect a
a call 1 model=home/m
up 1 lacks *max_tokens*
up 1 replies 1000 2000 x
a call 2 model=open/m
up 2 replies 1000 2000 x
a call 3 model=home/m max_cost=1
up 3 replies 1000 2000 x
admin budget.list {"name":"watched"}
	raw *"spent_nusd":0,"reserved_nusd":0,*
# a price that is said holds
a call 4 model=open/priced max_tokens=10
up 4 replies 1000 2000 x
admin budget.list {"name":"watched"}
	raw *"spent_nusd":3000000,"reserved_nusd":0,*
# a native call without a body, and one whose answer says nothing of what it used
a native 5 one path=/v1/files method=GET
admin budget.list {"name":"watched"}
	raw *"spent_nusd":3000000,"reserved_nusd":0,*
up 5 answers 200
	{"object":"list","data":[]}
a native 6 one path=/v1/other method=POST
	{"a":1}
admin budget.list {"name":"watched"}
	raw *"spent_nusd":3000000,"reserved_nusd":41*
up 6 answers 200
	{"object":"thing"}
admin budget.list {"name":"watched"}
	raw *"spent_nusd":3000000,"reserved_nusd":0,*
a leaves
