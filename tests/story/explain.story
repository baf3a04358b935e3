# Where a call would go is told with the words of those who would decide it, and nothing is sent or taken.
config only
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	key_label = a
	key_label = b model=small*
	[provider "two"]
	dialect = openai-chat
	base_url = https://two.test/v1
	[provider "three"]
	dialect = openai-chat
	base_url = https://three.test/v1
	[provider "blind"]
	dialect = openai-chat
	base_url = https://blind.test/v1
	images = no
	[model "smart"]
	target = one/small max_input=500
	target = two/apps app=nobody*
	target = two/tagged tag=slow
	target = two/needy needs=audio
	target = two/rich min_budget=900
	target = three/any
	target = nokey/any
	fallback_context = two/huge
	[provider "nokey"]
	dialect = openai-chat
	base_url = https://nokey.test/v1
	[model "quick"]
	target = one/small
	target = two/sees
	hedge = 800ms
	resume = yes
	[model "quicker"]
	target = one/small
	target = two/sees
	hedge = p95
	[model "dear"]
	target = one/dear
	target = two/fair
	max_price_input = 2
	[model "one/dear"]
	price_input = 10
	price_output = 20
	[model "two/fair"]
	price_input = 1
	price_output = 2
	[model "seeing"]
	target = blind/m
	target = two/sees
	[limit "daily"]
	provider = two
	budget = 5/day
	[limit "few"]
	model = three/any
	requests = 1/minute
start one/a one/b two three blind
connect a
admin route.explain {"model":"smart"}
	raw *"asked":"smart","input_tokens":1000,"allowed":true,"alias":"smart","strategy":"priority","targets":?{"provider":"three","model":"any","key":"","list":"usual","state":"closed","in_flight":0,"limits":"now"},{"provider":"two","model":"huge","key":"","list":"context",*"limits":"now"},{"provider":"nokey","model":"any","key":"","list":"usual","out":"key","why":"its provider has no key: *},{"provider":"one","model":"small","key":"a","list":"usual","out":"size","why":"it is for prompts of 500 tokens or less, *},{"provider":"one","model":"small","key":"b",*},{"provider":"two","model":"apps",*"out":"app","why":"it is for other apps"},{"provider":"two","model":"tagged",*"out":"tag","why":"it is for calls with other tags"},{"provider":"two","model":"needy",*"out":"need","why":"it is for requests that need audio"},{"provider":"two","model":"rich",*"out":"budget","why":"*900.00 USD*5.00 USD are"}?}
# with the tag, and a short prompt: both keys
admin route.explain {"model":"smart","input_tokens":10,"tags":["slow"]}
	raw *"targets":?{"provider":"one","model":"small","key":"a",*},{"provider":"one","model":"small","key":"b",*},{"provider":"two","model":"tagged",*
admin route.explain {"model":"quick"}
	raw *"alias":"quick","strategy":"priority","hedge_ms":800,"resume":true,"targets":*
admin route.explain {"model":"quicker"}
	raw *"alias":"quicker","strategy":"priority","hedge":"p95","targets":*
admin route.explain {"model":"dear"}
	raw *"targets":?{"provider":"two","model":"fair",*"cost_nusd":3000000,"limits":"now"},{"provider":"one","model":"dear",*"out":"price","why":*
admin route.explain {"model":"seeing","needs":["images"]}
	raw *"targets":?{"provider":"two","model":"sees",*},{"provider":"blind",*"out":"lacks","why":"images*
admin route.explain {"model":"one/large"}
	raw *"alias":null,"targets":?{"provider":"one","model":"large","key":"a","list":"usual","state":"closed","in_flight":0,"limits":"now"}?}
admin route.explain {"model":"one/large","fallbacks":["two/m"]}
	raw *{"provider":"two","model":"m","key":"","list":"usual","fallback":1,*
admin route.explain {"model":"nothing/there"}
	raw *"alias":null,"targets":?],"class":"not_found","message":*
admin route.explain {"model":"smart","as":"flatpak:org.example.App"}
	raw *"who":"flatpak:org.example.App"*
# what is no question
admin route.explain {"model":"smart","needs":["wings"]}
	fault invalid_argument *images, audio*
admin route.explain {"model":"smart","input_tokens":0}
	fault invalid_argument *
admin route.explain {"model":"smart","tags":"slow"}
	fault invalid_argument *list of texts*
admin request.explain {"id":"req_01hzx8k2mv9t4w7y5q3p6r1c0d"}
	fault invalid_argument *no request req_01hzx8k2mv9t4w7y5q3p6r1c0d*
admin request.explain {"id":"sk-typed-here"}
	fault invalid_argument *req_*
# one goes there: then its limit says when the next may, and asking has taken nothing
a call 1 model=three/any
up 1 replies 1 1 x
a gets 1
	start *
	text x
	usage *
	finish stop
	end three/any *
admin route.explain {"model":"three/any"}
	raw *"limits":"wait","wait_ms":*"limit":*few*
# it fails, and rests: it is the last one now
a call 2 model=one/small
up 2 key a
up 2 answers 401
	{"error":{"message":"no such key","code":"invalid_api_key"}}
up 3 key b
up 3 replies 1 1 x
a gets 2
	status retrying: *trying one/small with the key b
	status route: one/small failed(auth), one/small
	start *
	text x
	usage *
	finish stop
	end one/small attempts=2 *
admin route.explain {"model":"one/small"}
	raw *"targets":?{"provider":"one","model":"small","key":"b","list":"usual","state":"closed",*},{"provider":"one","model":"small","key":"a","list":"usual","state":"open","place":"key","until_ms":*,"class":"auth","because":"one refuses the broker*no such key*
admin status {}
	raw *"targets":?{"provider":"one","key":"a","state":"open","until_ms":*
# who waits there is before the next one, and nobody knows how long that takes
a call 3 model=three/any
admin route.explain {"model":"three/any"}
	raw *"limits":"wait","limit":*few*
a cancel 3
a gets 3
	status queued: place 1 of 1 *
	fault cancelled: *
# a locked vault
admin vault.lock
admin route.explain {}
	raw *"asked":"default",*"alias":null,"targets":??,"class":"locked","message":"the vault is locked, so no default model can be chosen*
admin route.explain {"model":"three/any"}
	raw *"targets":?{"provider":"three","model":"any",*"out":"key","why":"the vault is locked: *}?}
