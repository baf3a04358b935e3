# An endpoint that gives no token is not waited for by every call: the key rests, one call tries it again.
config
	[provider "cloud"]
	dialect = openai-chat
	base_url = https://cloud.test/v1
	auth = entra
	token_url = https://login.test/org
	[model "either"]
	target = cloud/m
	target = one/m
	[model "vectors"]
	target = cloud/v
	target = one/v
start one
admin key.add {"provider":"cloud","secret":"org:app:topsecret"}
	raw *
connect a
# the first who asks pays for the discovery
a call 1 model=either
up 1 is cloud/token
up 1 breaks
up 2 breaks
after 500ms
up 3 breaks
up 4 is one/m
up 4 replies 1 1 x
a gets 1
	...
# and nobody else, whatever of the key's he asks for
after 1ms
a call 2 model=either
up 5 is one/m
up 5 replies 1 1 x
a gets 2
	status route: one/m
	start *
	...
after 1ms
a call 3 model=vectors op=embed inputs=1
up 6 is one/v
up 6 answers 200
	{"object":"list","data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}
a gets 3
	...
admin status {}
	raw *"targets":?{"provider":"cloud","key":"","state":"open",*"class":"connection",*
# its rest is over: one tries it, and others do not wait for him
after 1s
a call 4 model=either
up 7 is cloud/token
a call 5 model=either
up 8 is one/m
up 8 replies 1 1 x
a gets 5
	status route: one/m
	start *
	...
# who leaves has found out nothing, and the next one tries
a cancel 4
a gets 4
	fault cancelled: *
up 7 running
a call 6 model=either
ups 8
up 7 breaks
up 9 is one/m
up 9 replies 1 1 x
a gets 6
	...
# it answers again, and all is as before
after 2s
a call 7 model=either
up 10 is cloud/token
up 10 answers 200
	{"access_token":"first","token_type":"Bearer","expires_in":3600}
up 11 is cloud/m
up 11 replies 1 1 x
a gets 7
	status route: cloud/m
	start *
	...
after 1ms
a call 8 model=either
up 12 is cloud/m
up 12 replies 1 1 x
a gets 8
	status route: cloud/m
	start *
	...
admin status {}
	raw *"targets":[[]]*
# a vault that is locked is no failure of anybody's
admin vault.lock
after 1ms
a call 9..12 model=cloud/m
a gets 9..12
	fault locked*
admin status {}
	raw *"targets":[[]]*
admin vault.unlock {}
after 1ms
a call 13 model=cloud/m
up 13 is cloud/token
up 13 answers 200
	{"access_token":"second","token_type":"Bearer","expires_in":3600}
up 14 is cloud/m
up 14 replies 1 1 x
a gets 13
	...
a leaves
admin cache.clear {}
	raw {"removed":1}
