# A provider that knows no stop sequences: the broker cuts the answer, and wants no more of it.
config
	[provider "five"]
	dialect = openai-responses
	base_url = https://five.test/v1
start five
connect a
a call 1 model=five/m stream=yes stop=END
up 1 url https://five.test/v1/responses
up 1 lacks *END*
up 1 streams
up 1 event {"type":"response.created","response":{"id":"resp_1","model":"m","status":"in_progress"}}
up 1 event {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"One E"}
up 1 running
a gets 1
	warning emulated stop: *
	start m
	text One*
# what may become a sequence waits
up 1 event {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"ND two"}
up 1 cancelled
a gets 1
	finish stop at=END
	end five/m attempts=1 *
ledger
	exchange ok - five/m attempts=1 *
	attempt 1 ok - five/m http=200 sent *
