# Answers of the Responses API are kept here and not at the provider's: the next request goes on from one by
# its id, and they can be read, listed and removed. What ends an answer comes when it is kept. They have names
# of ours: this provider calls them all resp_1.
config
	[provider "resp"]
	dialect = openai-responses /v1/responses
	base_url = https://resp.test
start resp
connect a
a relay 1 openai.responses
	{"model":"resp/m","input":"One?","stream":true}
up 1 url https://resp.test/v1/responses
up 1 asks {"model":"m","input":"One?","stream":true,"store":false}
up 1 streams
up 1 event {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","output":[],"store":false,"previous_response_id":null}}
up 1 event {"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","content":[],"status":"in_progress"}}
up 1 event {"type":"response.output_text.delta","output_index":0,"item_id":"msg_1","content_index":0,"delta":"Two."}
a gets 1
	head 200 *
	raw data: *"response.created"*"store":true,"previous_response_id":null}}\n\n*"response.output_item.added"*
	raw data: *"response.output_text.delta"*
up 1 event {"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"Two.","annotations":[]}],"status":"completed"}}
up 1 event {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"Two.","annotations":[]}],"status":"completed"}],"store":false,"usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}}
up 1 ends
a gets 1
	raw data: *"response.output_item.done"*
	raw data: *"response.completed"*"id":"<kept 1>"*"store":true*
	end resp/m attempts=1 input=9 output=3 *
# it goes on
after 1s
a relay 2 openai.responses
	{"model":"resp/m","input":[{"role":"user","content":"Three?"}],"previous_response_id":"<kept 1>"}
up 2 asks {"model":"m","input":[[]{"type":"message","role":"user","content":[[]{"type":"input_text","text":"One?"}]},{"type":"message","role":"assistant","content":[[]{"type":"output_text","text":"Two.","annotations":[[]]}],"status":"completed"},{"role":"user","content":"Three?"}],"store":false}
up 2 answers 200
	{"id":"resp_1","object":"response","status":"completed","model":"m","output":[{"type":"message","id":"msg_2","role":"assistant","content":[{"type":"output_text","text":"Four."}]}],"usage":{"input_tokens":19,"output_tokens":3,"total_tokens":22},"store":false}
a gets 2
	head 200 *
	raw {"id":"resp_[0-9a-z]*"*"store":true,"previous_response_id":"<kept 1>"}
	end *
after 1s
a relay 3 openai.responses
	{"model":"resp/m","input":"Five?","previous_response_id":"<kept 2>"}
up 3 asks *"One?"*"Two."*"Three?"*"Four."*"Five?"*
up 3 answers 200
	{"id":"resp_1","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}
a gets 3
	head 200 *
	raw {"id":"resp_[0-9a-z]*"*
	end *
a relay 4 openai.responses method=GET path=/v1/responses/<kept 2>
a gets 4
	head 200 content-type=application/json
	raw {"id":"<kept 2>","object":"response"*"Four."*"previous_response_id":"<kept 1>"}
	end cost=? *
a relay 5 openai.responses method=GET path=/v1/responses/<kept 1>/input_items query=order=asc
a gets 5
	head 200 *
	raw {"object":"list","data":[[]{*"One?"*"id":"msg_*"}],"first_id":"msg_*","last_id":"msg_*","has_more":false}
	end *
a relay 6 openai.responses method=DELETE path=/v1/responses/<kept 1>
a gets 6
	head 200 *
	raw {"id":"<kept 1>","object":"response","deleted":true}
	end *
# what it went on from is gone
a relay 7 openai.responses
	{"model":"resp/m","input":"Six?","previous_response_id":"<kept 2>"}
a gets 7
	head 400 content-type=application/json x-should-retry=false x-llm-broker-class=invalid_request
	raw {"error":{"message":"no answer is kept under \"<kept 1>\": *","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}}
	fault invalid_request *
a relay 8 openai.responses method=GET path=/v1/responses/<kept 1>
a gets 8
	head 404 *
	raw {"error":{*"code":"response_not_found"}}
	fault not_found *
a relay 9 openai.responses path=/v1/responses/<kept 2>/cancel
a gets 9
	head 400 *
	raw *
	fault unsupported *
a relay 10 openai.responses
	{"model":"resp/m","input":"x","background":true}
a gets 10
	head 400 *
	raw *"param":"background"*
	fault invalid_request *
# who does not want it kept is believed
after 1s
a relay 11 openai.responses
	{"model":"resp/m","input":"x","store":false}
up 4 asks {"model":"m","input":"x","store":false}
up 4 answers 200
	{"id":"resp_9","object":"response","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2},"store":false}
a gets 11
	head 200 *
	raw {"id":"resp_9"*"store":false}
	end *
a relay 12 openai.responses method=GET path=/v1/responses/resp_9
a gets 12
	head 404 *
	raw *
	fault not_found *
ups 4
# an item may be named by its id alone
after 1s
a relay 13 openai.responses
	{"model":"resp/m","input":[{"type":"item_reference","id":"msg_2"},{"role":"user","content":"Seven?"}]}
up 5 asks {"model":"m","input":[[]{"type":"message","role":"assistant","content":[[]{"type":"output_text","text":"Four."}]},{"role":"user","content":"Seven?"}],"store":false}
up 5 answers 200
	{"id":"resp_1","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}
a gets 13
	head 200 *
	raw {"id":"resp_[0-9a-z]*"*
	end *
a relay 14 openai.responses
	{"model":"resp/m","input":[{"type":"item_reference","id":"msg_of_another"}]}
a gets 14
	head 400 *
	raw *"param":"input","code":"item_not_found"*
	fault invalid_request *
# nor does a name written with escapes go by unread
a relay 15 openai.responses
	{"model":"resp/m","input":"x","previous_response\u005fid":"<kept 2>"}
a gets 15
	head 400 *
	raw *"param":"previous_response_id"*
	fault invalid_request *
a relay 16 openai.responses
	{"model":"resp/m","input":[{"type":"item\u005freference","id":"msg_2"}]}
a gets 16
	head 400 *
	raw *"param":"input"*
	fault invalid_request *
