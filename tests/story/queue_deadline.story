# A wait that turns out too long ends with the call's time, and says what for.
config
	[limit "few"]
	provider = one
	concurrency = 1
start one
connect a
a call 1 model=one/m timeout=10000
after 1ms
a call 2 model=one/m timeout=5000
a gets 2
	status queued: *
up 1 sent
after 4999ms
a gets 2
after 1ms
a gets 2
	fault rate_limited *: 5000 ms were not enough for its turn to come: *few*
ups 1
a cancel 1
a gets 1
	fault cancelled:*
ledger
	exchange cancelled cancelled one/m attempts=1 *
	exchange failed rate_limited - attempts=0 * queued=5000.0 ms=5000.0
	attempt 1 cancelled cancelled one/m *
