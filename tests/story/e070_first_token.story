# A stream that is kept alive by comments is borne up to the limit for its first word, and then given up.
start one two
connect a
a call 1 model=all stream=yes max_tokens=100
up 1 streams
after 10m every 15s up 1 hums
up 1 running
after 1m every 15s up 1 hums
up 1 says At last
# from there on only silence counts
after 10m every 15s up 1 hums
up 1 finishes 1 2
a gets 1
	status route: one/m
	start *
	text At last
	usage *
	finish stop
	end one/m *
after 1ms
a call 2 model=all stream=yes max_tokens=100
up 2 streams
up 2 event {"id":"r","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}
after 14m every 15s up 2 hums
up 2 running
after 1m
up 2 cancelled
up 3 is two/m
up 3 replies 1 1 hi
a gets 2
	status retrying: *
	status route: one/m unknown(timeout), two/m
	start *
	text hi
	usage *
	finish stop
	end two/m attempts=2 *
# another limit, and a whole answer has its own
config
	[broker]
	first_token_timeout = 20s
raise HUP
after 1ms
a call 3 model=one/m stream=yes max_tokens=100
up 4 streams
after 19s every 1s up 4 hums
up 4 running
after 1s
up 4 cancelled
a gets 3
	fault timeout code=first_token from=one: *
ups 4
