# A month ends where it ends, and what was set aside before that is of the month in which it was.
config
	[limit "monthly"]
	budget = 0.000400/month
	zone = UTC
start one
clock 2026-02-28T23:59:00Z
connect a
a call 1 model=one/m max_tokens=100 stream=yes
up 1 connected
up 1 sent
up 1 head 200 content-type=text/event-stream
admin budget.list {}
	raw *"spent_nusd":0,"reserved_nusd":242000,"from_s":1769904000,"until_s":1772323200*
after 30s every 10s up 1 hums
after 30s every 10s up 1 hums
admin budget.list {}
	raw *"spent_nusd":0,"reserved_nusd":0,"from_s":1772323200,"until_s":1775001600*
a call 2 model=one/m max_tokens=150
up 2 replies 10 100 x
up 1 finishes 10 100
admin budget.list {}
	raw *"spent_nusd":210000,"reserved_nusd":0,*
a leaves
