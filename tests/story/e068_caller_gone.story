# A client that goes away takes its calls along: upstream is dropped at once, every call has its row.
start one
connect a
a call 1 model=one/m body=later
a data 1 5
a leaves
open 0
after 1ms
connect b
b call 1 model=one/m
up 1 answers 503
	{"error":{"message":"The server is overloaded"}}
b leaves
open 0
after 2s
ups 1
connect c
c call 1 model=one/m
c leaves
up 2 cancelled
after 1ms
connect d
d call 1 model=one/m
up 3 sent
d leaves
up 3 cancelled
after 1ms
connect e
e call 1 model=one/m stream=yes
up 4 streams
up 4 says Once
e leaves
up 4 cancelled
# the answer is there, and nobody reads it
after 1ms
connect f
f deaf
f call 1 model=one/m stream=yes
up 5 streams
up 5 says Once
up 5 finishes 1 1
f leaves
open 0
# without a word, and with words that are none
connect g mute
g leaves
connect h
h raw GET / HTTP/1.1
h gets 0
	fault *
	closed
serving
ledger
	exchange cancelled cancelled - attempts=0 *
	4x exchange cancelled cancelled one/m attempts=1 *
	exchange ok - one/m *
	attempt 1 failed overloaded one/m http=503 sent *
	attempt 1 cancelled cancelled one/m http=- unsent *
	attempt 1 cancelled cancelled one/m http=- sent *
	attempt 1 cancelled cancelled one/m http=200 sent *
	attempt 1 ok *
