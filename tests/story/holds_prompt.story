# A conversation goes on where its prompt is kept, for as long as it is, and before nobody who is meant to come first.
config only
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	[provider "two"]
	dialect = openai-chat
	base_url = https://two.test/v1
	[provider "three"]
	dialect = openai-chat
	base_url = https://three.test/v1
	[limit "few"]
	key = three/b
	requests = 2/minute
	[model "both"]
	target = one/m
	target = two/m
start one/a one/b two three/a three/b
connect a
# the second key answers, for the first may not
a call 1 model=one/m prompt=5000
up 1 key a
up 1 answers 429 retry-after=1
	{"error":{"message":"slowly"}}
up 2 key b
up 2 replies 1024 1 x
after 5s
# so it is asked first for what begins so, and the first one for all else
a call 2 model=one/m prompt=5000
up 3 key b
up 3 replies 1025 1 x
a call 3 model=one/m prompt=5001
up 4 key a
up 4 replies 1024 1 x
a call 4 model=one/m prompt=5000 session=s
up 5 key a
up 5 replies 1024 1 x
a call 5 model=one/m prompt=6000 session=s
up 6 key a
up 6 replies 1024 1 x
# whoever asks where it would go is told
admin route.explain {"model":"one/m","session":"s"}
	raw *"model":"m","key":"a",*"holds_prompt":true},{"provider":"one","model":"m","key":"b",*
admin route.explain {"model":"one/m","session":"t"}
	raw *"limits":"now"},{*"limits":"now"}]}
# five minutes from the last time on
after 299s
a call 6 model=one/m prompt=5000
up 7 key b
up 7 replies 1024 1 x
after 299s
a call 7 model=one/m prompt=5000
up 8 key b
up 8 replies 1024 1 x
after 300s
a call 8 model=one/m prompt=5000
up 9 key a
up 9 replies 1024 1 x
# what is too short is kept by nobody
a call 9 model=one/m prompt=100
up 10 key a
up 10 answers 429 retry-after=1
	{"error":{"message":"slowly"}}
up 11 key b
up 11 replies 1023 1 x
after 5s
a call 10 model=one/m prompt=100
up 12 key a
up 12 replies 1 1 x
# who holds it rests: the other one
a call 11 model=one/m prompt=7000
up 13 key a
up 13 replies 2000 1 x
a call 12 model=one/m prompt=7000
up 14 key a
up 14 answers 401
	{"error":{"message":"no"}}
up 15 key b
up 15 replies 2000 1 x
# and of an alias's lines the first that is written, whoever holds it
a call 13 model=both prompt=8000
up 16 key b
up 16 answers 429 retry-after=1
	{"error":{"message":"slowly"}}
up 17 is two/m
up 17 replies 2000 1 x
after 5s
a call 14 model=both prompt=8000
up 18 is one/m
up 18 key b
up 18 replies 2000 1 x
# who would have to wait for him goes to the other one at once
after 60s
a call 15 model=three/m prompt=9000
up 19 key a
up 19 answers 429 retry-after=1
	{"error":{"message":"slowly"}}
up 20 key b
up 20 replies 2000 1 x
after 5s
a call 16 model=three/m prompt=9000
up 21 key b
up 21 replies 2000 1 x
a call 17 model=three/m prompt=9000
up 22 key a
up 22 replies 2000 1 x
a leaves
