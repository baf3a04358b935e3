# A name without a provider means all that are known to have such a model: one after the other.
start one two
connect a
a call 1 model=m
up 1 is one/m
up 1 answers 429
	{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}
up 2 is two/m
up 2 replies 1 1 x
a gets 1
	status retrying: *
	status route: one/m failed(quota_exhausted), two/m
	start *
	text x
	usage *
	finish stop
	end two/m attempts=2 *
