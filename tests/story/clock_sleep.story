# A host that slept over midnight has a new day's budget, once; a rate does not grow back while nobody is awake.
config
	[limit "daily"]
	budget = 0.000200/day
	zone = UTC
	[limit "pace"]
	requests = 2/day
start one
clock 2026-05-04T20:00:00Z
connect a
after 1h
a call 1 model=one/m max_tokens=70
up 1 replies 10 75 x
a gets 1
	start *
	...
sleeps 2h
a call 2 model=one/m max_tokens=70
a gets 2
	fault budget retry=3600000: *anew at 2026-05-05 00:00 UTC*
sleeps 8h
a call 3 model=one/m max_tokens=70
up 2 replies 10 75 x
a gets 3
	start *
	...
a call 4 model=one/m max_tokens=70 timeout=5000
a gets 4
	fault budget *anew at 2026-05-06 00:00 UTC*
admin budget.list {"name":"pace"}
	raw *"requests":{"limit":2,"per_ms":86400000,"used":2}*
# set back by a day and forward again, asleep or awake
clock 2026-05-04T07:00:00Z
sleeps 2h
clock 2026-05-05T09:00:00Z
a call 5 model=one/m max_tokens=70
a gets 5
	fault budget *anew at 2026-05-06 00:00 UTC*
sleeps 15h
admin budget.list {"name":"daily"}
	raw *"spent_nusd":0,*"from_s":1778025600,*
a leaves
