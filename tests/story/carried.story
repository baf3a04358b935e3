# Another family's signature travels in the caller's own slot for such things: it comes back to the family
# that made it, and never goes to one that speaks the caller's language.
config
	[provider "claude"]
	dialect = anthropic
	base_url = https://claude.test
	[provider "gem"]
	dialect = gemini
	base_url = https://gem.test
start claude gem
connect a
a relay 1 anthropic.messages
	{"model":"gem/gemini-2.5-flash","max_tokens":900,"messages":[{"role":"user","content":"x"}]}
up 1 answers 200
	{"candidates":[{"content":{"role":"model","parts":[{"text":"Hm.","thought":true,"thoughtSignature":"c2lnbmVk"},{"text":"Yes."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"g","responseId":"r"}
a gets 1
	head 200 *
	raw *"type":"thinking","thinking":"Hm.","signature":"eyJsbG1i*"*"text":"Yes."*
	end *
after 1s
a relay 2 anthropic.messages
	{"model":"gem/gemini-2.5-flash","max_tokens":900,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"eyJsbG1iIjoxLCJmYW1pbHkiOiJnZW1pbmkiLCJtb2RlbCI6ImciLCJkYXRhIjp7InRob3VnaHRTaWduYXR1cmUiOiJjMmxuYm1WayJ9fQ=="},{"type":"text","text":"Yes."}]},{"role":"user","content":"y"}]}
up 2 asks *"thoughtSignature":"c2lnbmVk"*
up 2 answers 200
	{"candidates":[{"content":{"role":"model","parts":[{"text":"No."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"g","responseId":"r"}
a gets 2
	head 200 *
	raw *"text":"No."*
	end *
after 1s
a relay 3 anthropic.messages
	{"model":"claude/claude-sonnet-4-6","max_tokens":900,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"eyJsbG1iIjoxLCJmYW1pbHkiOiJnZW1pbmkiLCJtb2RlbCI6ImciLCJkYXRhIjp7InRob3VnaHRTaWduYXR1cmUiOiJjMmxuYm1WayJ9fQ=="},{"type":"text","text":"Yes."}]},{"role":"user","content":"y"}]}
up 3 lacks *eyJsbG1i*
up 3 asks *"text":"Yes."*
up 3 answers 200
	{"id":"msg_2","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"No."}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}
a gets 3
	head 200 *x-llm-broker-warning=reasoning_dropped *
	raw *"text":"No."*
	end *
