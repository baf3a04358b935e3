# A provider whose clock is wrong: what it says of moments is read by its own clock, and none of it is believed for
# long.
config
	[broker]
	connect_timeout = 1h
	[provider "left"]
	dialect = anthropic
	base_url = https://left.test
	limits = anthropic
	auth = none
start one two three
connect a
# half a century behind: five seconds
a call 1 model=one/m
up 1 answers 429 date=Thu,%2001%20Jan%201970%2000:00:00%20GMT retry-after=Thu,%2001%20Jan%201970%2000:00:05%20GMT
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 1
	status queued: place 1 of 1 for one/m; about 5 s
after 5s
up 2 replies 1 1 x
a gets 1
	status route: one/m failed(rate_limited), one/m
	start *
	...
# a moment that is past by its own clock is no wait; and without a clock of its own there is none to read it by
after 1ms
a call 2 model=two/m
up 3 answers 429 date=Thu,%2001%20Jan%202099%2000:00:00%20GMT retry-after=Thu,%2001%20Jan%202026%2000:00:00%20GMT
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 2s
up 4 replies 1 1 x
after 1ms
a call 3 model=two/m
up 5 answers 429 retry-after=Thu,%2001%20Jan%202099%2000:00:00%20GMT
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
after 2s
up 6 replies 1 1 x
a gets 2..3
	...
# nothing is left until the year 9999, says one: that is believed for an hour at the most, in which all comes back
after 1ms
a call 4 model=left/m max_tokens=10
up 7 answers 200 content-type=application/json date=Thu,%2001%20Jan%202026%2000:00:00%20GMT anthropic-ratelimit-requests-limit=50 anthropic-ratelimit-requests-remaining=0 anthropic-ratelimit-requests-reset=9999-12-31T23:59:59Z
	{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}
a gets 4
	...
after 1ms
a call 5 model=left/m max_tokens=10
ups 7
after 30m
ups 8
up 8 answers 200 content-type=application/json
	{"id":"msg_2","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"y"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}
a gets 5
	...
# and a duration that nobody can wait
after 1ms
a call 6 model=three/m
up 9 answers 429 retry-after=99999999999999999999
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a gets 6
	...
after 61m
open 0
a leaves
