# What is set aside is held until the attempt is over, and then what it cost counts: nothing where it was not
# served, all of it where nobody can know.
config
	[limit "daily"]
	budget = 1/day
	zone = UTC
	[model "pair"]
	target = one/m
	target = two/m
start one two
connect a
a call 1 model=one/m max_tokens=100
admin budget.list {"name":"daily"}
	raw *"spent_nusd":0,"reserved_nusd":242000,*
# refused: given back
up 1 answers 401
	{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}
a gets 1
	fault auth *
after 10m
admin budget.list {"name":"daily"}
	raw *"spent_nusd":0,"reserved_nusd":0,*
# nobody knows: as set aside
a call 2 model=one/m max_tokens=100 once=yes
up 2 sent
up 2 breaks
a gets 2
	fault outcome_unknown *
admin budget.list {"name":"daily"}
	raw *"spent_nusd":242000,"reserved_nusd":0,*
# cancelled before it was sent: given back; and after: as set aside
a call 3 model=one/m max_tokens=100
a cancel 3
a gets 3
	fault cancelled:*
admin budget.list {"name":"daily"}
	raw *"spent_nusd":242000,"reserved_nusd":0,*
a call 4 model=one/m max_tokens=100
up 4 sent
a cancel 4
a gets 4
	fault cancelled:*
admin budget.list {"name":"daily"}
	raw *"spent_nusd":484000,"reserved_nusd":0,*
# one target after the other: each for itself
a call 5 model=pair max_tokens=100
up 5 answers 500
	{"error":{"message":"no"}}
after 500ms
up 6 answers 500
	{"error":{"message":"no"}}
up 7 is two/m
admin budget.list {"name":"daily"}
	raw *"spent_nusd":484000,"reserved_nusd":726000,*
up 7 replies 10 100 x
a gets 5
	status retrying: *
	status retrying: *
	status route: one/m failed(server_error), one/m failed(server_error), two/m
	start *
	...
# 10 at 3 USD a million, and 100 at 6
admin budget.list {"name":"daily"}
	raw *"spent_nusd":1114000,"reserved_nusd":0,*
# what its provider says that it cost comes first
a call 6 model=one/m max_tokens=100
up 8 answers 200 content-type=application/json
	{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.00001}}
a gets 6
	start *
	...
admin budget.list {"name":"daily"}
	raw *"spent_nusd":1124000,"reserved_nusd":0,*
a leaves
