# A call that does not finish in the time that is given ends with the broker, and leaves its row.
config
	[broker]
	drain = 10s
start one
connect a
a call 1 model=one/m stream=yes
up 1 streams
up 1 says A
raise TERM
after 9s
serving
after 1s
stopped
a gets 0
	goaway drain grace_ms=10000
a gets 1
	start *
	text A
a leaves
ledger
	exchange cancelled cancelled one/m *
	attempt 1 cancelled cancelled one/m http=200 sent *
