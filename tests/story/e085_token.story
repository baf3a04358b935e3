# A provider that takes tokens: one fetch for all who need it, a 401 renews it once, an end in time too.
config
	[provider "cloud"]
	dialect = openai-chat
	base_url = https://cloud.test/v1
	auth = entra
	token_url = https://login.test/org
start one
admin key.add {"provider":"cloud","secret":"not one"}
	fault invalid_argument*TENANT:CLIENT_ID:CLIENT_SECRET*
admin key.add {"provider":"cloud","secret":"org:app:topsecret"}
	raw *"origin":"https://login.test:443"*
connect a
# three calls wait for one fetch
a call 1 model=cloud/m
after 1ms
a call 2 model=cloud/m
after 1ms
a call 3 model=cloud/m
ups 1
up 1 is cloud/token
up 1 url https://login.test/org
up 1 asks grant_type=client_credentials&client_id=app&client_secret=topsecret&scope=*
a cancel 2
a gets 2
	fault cancelled: *
up 1 answers 200
	{"access_token":"first","token_type":"Bearer","expires_in":3600}
ups 3
up 2 is cloud/m
up 2 url https://cloud.test/v1/chat/completions
up 2 lacks topsecret
up 2 replies 1 1 x
up 3 replies 1 1 x
a gets 1
	...
a gets 3
	...
# both get another, once, and together, when it is refused
after 1ms
a call 4 model=cloud/m
after 1ms
a call 5 model=cloud/m
after 1ms
up 4 answers 401
	{"error":{"message":"token expired"}}
up 6 is cloud/token
up 5 answers 401
	{"error":{"message":"token expired"}}
ups 6
up 6 answers 200
	{"access_token":"second","token_type":"Bearer","expires_in":3600}
ups 8
after 1ms
up 7 replies 1 1 x
a gets 4
	status retrying: the token is refused and fetched anew; trying cloud/m
	status route: cloud/m failed(auth), cloud/m
	start *
	text x
	usage *
	finish stop
	end cloud/m attempts=2 *
# and then it is told
up 8 answers 401
	{"error":{"message":"token expired"}}
ups 8
a gets 5
	status retrying: *
	fault auth status=401 *cloud refuses*
# near its end it is renewed while it serves
after 56m
a call 6 model=cloud/m
up 9 is cloud/token
up 10 is cloud/m
up 10 replies 1 1 x
a gets 6
	...
up 9 breaks
a call 7 model=cloud/m
ups 11
up 11 is cloud/m
up 11 replies 1 1 x
a gets 7
	...
# and after its end it is waited for
after 4m
a call 8 model=cloud/m
ups 12
up 12 is cloud/token
up 12 answers 200
	{"access_token":"third","token_type":"Bearer","expires_in":60}
up 13 is cloud/m
up 13 replies 1 1 x
a gets 8
	...
# a locked vault has no tokens
admin vault.lock
after 1ms
a call 9 model=cloud/m
a gets 9
	fault locked*
admin vault.unlock {}
after 1ms
a call 10 model=cloud/m
up 14 is cloud/token
admin vault.lock
up 14 answers 200
	{"access_token":"fourth","token_type":"Bearer","expires_in":3600}
up 15 is cloud/m
up 15 replies 1 1 x
a gets 10
	...
after 1ms
a call 11 model=cloud/m
a gets 11
	fault locked*
admin vault.unlock {}
# the deadline holds while it is waited for, and what comes later serves the next
after 1ms
a call 12 model=cloud/m timeout=500
up 16 is cloud/token
after 500ms
a gets 12
	fault timeout: *
up 16 running
up 16 answers 200
	{"access_token":"fifth","token_type":"Bearer","expires_in":3600}
a call 13 model=cloud/m
up 17 is cloud/m
up 17 replies 1 1 x
a gets 13
	...
a leaves
after 1ms
ledger
	exchange ok - cloud/m attempts=1 *
	exchange cancelled cancelled - attempts=0 *
	exchange ok - cloud/m attempts=1 *
	exchange ok - cloud/m attempts=2 *
	exchange failed auth cloud/m attempts=2 *
	3x exchange ok - cloud/m attempts=1 *
	exchange failed locked *
	exchange ok - cloud/m attempts=1 *
	exchange failed locked *
	exchange failed timeout *
	exchange ok - cloud/m attempts=1 *
	attempt 1 ok *
	attempt 1 ok *
	attempt 1 failed auth cloud/m http=401 *
	attempt 2 ok *
	attempt 1 failed auth cloud/m http=401 *
	attempt 2 failed auth cloud/m http=401 *
	5x attempt 1 ok *
