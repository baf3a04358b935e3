# Lists of models that come in pages are followed, by each family's own word for where they go on.
config
	[provider "paged"]
	dialect = anthropic
	base_url = https://paged.test
	auth = bearer
	[provider "plain"]
	dialect = openai-chat
	base_url = https://plain.test/v1
	auth = bearer
	[provider "cloud"]
	dialect = gemini
	base_url = https://cloud.test
	auth = entra
	token_url = https://login.test/org
start paged plain
admin key.add {"provider":"cloud","secret":"org:app:topsecret"}
	raw *"origin":"https://login.test:443"*
connect a
a call 1 op=models model=paged
up 1 url https://paged.test/v1/models?limit=1000
up 1 answers 200
	{"data":[{"id":"a"},{"id":"b"}],"has_more":true,"first_id":"a","last_id":"b"}
up 2 url https://paged.test/v1/models?limit=1000&after_id=b
# one that fails is asked for again, and nothing else is
up 2 answers 500
	{"error":{"message":"Internal error"}}
after 1s
up 3 url https://paged.test/v1/models?limit=1000&after_id=b
up 3 answers 200
	{"data":[{"id":"c d"}],"has_more":true,"last_id":"c d"}
up 4 url https://paged.test/v1/models?limit=1000&after_id=c%20d
up 4 answers 200
	{"data":[{"id":"e"}],"has_more":false,"last_id":"e"}
ups 4
a gets 1
	model {"event":"model","id":"paged/a"}
	model {"event":"model","id":"paged/b"}
	status retrying: *
	model {"event":"model","id":"paged/c d"}
	model {"event":"model","id":"paged/e"}
	end paged/models attempts=4 *
# whoever knows no pages gives the first again, and is left
after 1ms
a call 2 op=models model=plain
up 5 url https://plain.test/v1/models
up 5 answers 200
	{"object":"list","data":[{"id":"a"},{"id":"b"}],"has_more":true,"last_id":"b"}
up 6 url https://plain.test/v1/models?after=b
up 6 answers 200
	{"object":"list","data":[{"id":"a"},{"id":"b"}],"has_more":true,"last_id":"b"}
ups 6
a gets 2
	model {"event":"model","id":"plain/a"}
	model {"event":"model","id":"plain/b"}
	warning list_cut plain: its list goes on after 2 pages, and is cut there
	end plain/models attempts=2 *
# a token may end between two pages
after 1ms
a call 3 op=models model=cloud
up 7 is cloud/token
up 7 answers 200
	{"access_token":"first","token_type":"Bearer","expires_in":3600}
up 8 url https://cloud.test/v1beta/models?pageSize=1000
up 8 answers 200
	{"models":[{"name":"models/a"}],"nextPageToken":"p/2"}
up 9 url https://cloud.test/v1beta/models?pageSize=1000&pageToken=p%2F2
up 9 answers 401
	{"error":{"message":"token expired"}}
up 10 is cloud/token
up 10 answers 200
	{"access_token":"second","token_type":"Bearer","expires_in":3600}
up 11 url https://cloud.test/v1beta/models?pageSize=1000&pageToken=p%2F2
up 11 answers 200
	{"models":[{"name":"models/b"}]}
ups 11
a gets 3
	model {"event":"model","id":"cloud/a"}
	status retrying: the token is refused and fetched anew*
	model {"event":"model","id":"cloud/b"}
	end cloud/models attempts=3 *
a leaves
after 1ms
ledger
	exchange ok - paged/models attempts=4 *
	exchange ok - plain/models attempts=2 *
	exchange ok - cloud/models attempts=3 *
	attempt 1 ok *
	attempt 2 failed server_error paged/models *
	attempt 3 ok *
	attempt 4 ok *
	attempt 1 ok *
	attempt 2 ok *
	attempt 1 ok *
	attempt 2 failed auth cloud/models http=401 *
	attempt 3 ok *
