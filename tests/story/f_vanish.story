# Whoever goes away takes the call along, wherever it stands: nothing is asked for it any more, and each has its row.
config
	[broker]
	idle_timeout = 30s
	[model "lost"]
	target = three/gone
	target = two/m
	[model "late"]
	target = three/m
	target = two/m
start one two three
# while it connects, and while another does
connect a
a call 1 model=all stream=yes
a leaves
up 1 cancelled
open 0
after 1ms
connect b
b call 1 model=lost stream=yes
up 2 answers 404
	{"error":{"message":"The model does not exist","code":"model_not_found"}}
up 3 is two/m
b leaves
up 3 cancelled
open 0
# sent, and no answer; the head, and no word; a word that says nothing yet
after 1ms
connect c
c call 1 model=two/m stream=yes
up 4 sent
c leaves
up 4 cancelled
after 1ms
connect d
d call 1 model=two/m stream=yes
up 5 streams
d leaves
up 5 cancelled
after 1ms
connect e
e call 1 model=two/m stream=yes
up 6 streams
up 6 event {"id":"r","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
e leaves
up 6 cancelled
open 0
# words, and then a silence that would be too long
after 1ms
connect f
f call 1 model=two/m stream=yes
up 7 streams
up 7 says Once
after 29s
f leaves
up 7 cancelled
open 0
# between two tries, and in a queue
after 1ms
connect g
g call 1 model=one/m stream=yes
up 8 answers 503
	{"error":{"message":"The server is overloaded"}}
g leaves
open 0
after 1ms
connect h
h call 1 model=two/m stream=yes
up 9 answers 429 retry-after=5
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
h leaves
open 0
# the second one's words, behind a first that may have served it
after 10s
connect i
i call 1 model=late stream=yes
up 10 is three/m
up 10 sent
up 10 breaks
up 11 is two/m
up 11 streams
up 11 says Twice
i leaves
up 11 cancelled
open 0
after 5m
ups 11
serving
ledger
	9x exchange cancelled cancelled *
	attempt 1 cancelled cancelled one/m http=- unsent *
	attempt 1 failed not_found three/gone http=404 sent *
	attempt 2 cancelled cancelled two/m http=- unsent *
	attempt 1 cancelled cancelled two/m http=- sent *
	3x attempt 1 cancelled cancelled two/m http=200 sent *
	attempt 1 failed overloaded one/m http=503 sent *
	attempt 1 failed rate_limited two/m http=429 sent *
	attempt 1 unknown outcome_unknown three/m http=- sent *
	attempt 2 cancelled cancelled two/m http=200 sent *
