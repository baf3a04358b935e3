# How many answers are asked for is looked at before anything is set aside for them.
config
	[limit "daily"]
	budget = 1/day
	tokens = 1000000/minute
	zone = UTC
start one
connect a
a call 2 model=one/m n=129
a gets 2
	fault invalid_request *n must be 1 to 128*
a relay 3 openai.chat
	{"model":"one/m","messages":[{"role":"user","content":"x"}],"n":0}
a gets 3
	head 400 *
	raw *n must be 1 to 128*
	...
a relay 4 gemini.generate path=/v1beta/models/one%2Fm:generateContent
	{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"candidateCount":-5}}
a gets 4
	head 400 *
	...
ups 0
admin budget.list {}
	raw *"spent_nusd":0,"reserved_nusd":0,*
a leaves
