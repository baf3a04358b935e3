# What has come to rest while a rival waited for its token is not asked.
config only
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	[provider "cloud"]
	dialect = openai-chat
	base_url = https://cloud.test/v1
	auth = entra
	[model "far"]
	target = one/m
	target = cloud/m
	hedge = 800ms
start one
admin key.add {"provider":"cloud","secret":"org:app:topsecret"}
	raw *"origin":"https://login.microsoftonline.com:443"*
connect a
a call 1..3 model=cloud/m stream=yes
up 1 is cloud/token
up 1 answers 200
	{"access_token":"first","token_type":"Bearer","expires_in":60}
up 2..4 is cloud/m
up 2..4 sent
after 55s
a call 4 model=far stream=yes
up 5 is one/m
up 5 sent
after 1s
up 6 is cloud/token
up 2..4 answers 529
	{"error":{"message":"busy"}}
a cancel 1..3
up 6 answers 200
	{"access_token":"second","token_type":"Bearer","expires_in":3600}
after 1s
ups 6
up 5 streams
up 5 says x
up 5 finishes 1 2
a gets 4
	status route: one/m
	start *
	text x
	usage *
	finish stop
	end one/m attempts=1 *
a gets 1..3
	status retrying: busy; trying cloud/m
	fault cancelled*
ledger
	3x exchange * cloud/m *
	exchange ok - one/m attempts=1 *
	3x attempt 1 failed overloaded cloud/m *
	attempt 1 ok - one/m *
