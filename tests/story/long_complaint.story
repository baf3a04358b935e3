# What a provider says may be long and in any script: each text that goes on is whole characters.
start three
connect a
a call 1 model=three/m
up 1 answers 503
	{"error":{"message":"服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。"}}
after 500ms
up 2 answers 503
	{"error":{"message":"x服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。"}}
after 1s
up 3 answers 503
	{"error":{"message":"xx服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。服务器过载，请稍后再试。"}}
a gets 1
	status retrying: *服务器过载*
	status retrying: *服务器过载*
	fault overloaded *服务器过载*
ledger
	exchange failed overloaded *
	attempt 1 *
	attempt 2 *
	attempt 3 *
