# An endpoint that gives no token: each way has its class, and the next target serves where it may. What rests for it is
# tried again at once by whoever reads the configuration anew.
config
	[provider "cloud"]
	dialect = openai-chat
	base_url = https://cloud.test/v1
	auth = entra
	[model "either"]
	target = cloud/m
	target = one/m
start one
admin key.add {"provider":"cloud","secret":"org:app:topsecret"}
	raw *"origin":"https://login.microsoftonline.com:443"*
connect a
# it cannot be reached: three tries, the third a moment later, then the next target
a call 1 model=either
up 1 is cloud/token
up 1 url https://login.microsoftonline.com/org/oauth2/v2.0/token
up 1 breaks
up 2 breaks
after 500ms
up 3 breaks
up 4 is one/m
up 4 replies 1 1 x
a gets 1
	status retrying: no token for cloud: *
	status retrying: no token for cloud: *
	status retrying: no token for cloud: *
	status route: one/m
	start *
	...
# it may have answered: that costs nothing, and is asked again
raise HUP
after 1ms
a call 2 model=cloud/m
up 5 sent
up 5 breaks
up 6 sent
up 6 breaks
after 500ms
up 7 sent
up 7 breaks
ups 7
a gets 2
	status retrying: *
	status retrying: *
	fault connection code=first_byte from=cloud: no token for cloud: the token endpoint does not answer
# it refuses the key
raise HUP
after 1ms
a call 3 model=cloud/m
up 8 answers 401
	{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}
ups 8
a gets 3
	fault auth status=401 from=cloud: the token endpoint refuses the key of cloud: `llmb key add cloud` *AADSTS7000215*
# it has no time
raise HUP
after 1ms
a call 4 model=cloud/m
up 9 answers 503
	{}
ups 9
after 500ms
up 10 answers 200
	{"unexpected":"reply"}
ups 10
a gets 4
	status retrying: *
	fault server_error from=cloud: the token endpoint of cloud answered without a token that can be used
# it says nothing
raise HUP
after 1ms
a call 5 model=cloud/m
up 11 sent
after 20s
up 11 over
a gets 5
	fault timeout code=first_byte from=cloud: no token for cloud: the token endpoint does not answer
# many wait, and all are told
raise HUP
after 1ms
a call 6..9 model=cloud/m
ups 12
up 12 answers 400
	{"error":"invalid_request"}
a gets 6..9
	fault auth *
ups 12
a leaves
after 1ms
ledger
	exchange ok - one/m attempts=1 *
	exchange failed connection *
	exchange failed auth *
	exchange failed server_error *
	exchange failed timeout *
	4x exchange failed auth *
	attempt 1 ok - one/m *
