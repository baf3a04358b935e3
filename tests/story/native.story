# A provider's own endpoint, which nobody translates: method, path, query and body are the caller's, the
# host and the key are not, and the reply comes back as it is, whatever its status.
start one
connect a
a native 1 one path=/v1/files method=GET query=purpose=x&key=mine header=openai-beta:assistants=v2
up 1 url https://one.test/v1/files?purpose=x
up 1 answers 200 etag=e1 set-cookie=secret
	{"data":[ 1 ]}
a gets 1
	head 200 content-type=application/json x-llm-broker-provider-request-id=up-answer etag=e1 x-llm-broker-target=one
	raw {"data":[[] 1 ]}
	end one/ attempts=1 cost=? ttft_us=0 total_us=0
# an error of its own is the caller's to read
after 1s
a native 2 one path=/v1/batches
	{"input_file_id":"nope"}
up 2 url https://one.test/v1/batches
up 2 asks {"input_file_id":"nope"}
up 2 answers 404
	{"error":{"message":"No such File object: nope"}}
a gets 2
	head 404 content-type=application/json *
	raw {"error":{"message":"No such File object: nope"}}
	end *
# an endpoint that somebody here can read is listened to for its counts
after 1s
a native 3 one path=/v1/chat/completions
	{"model":"m","messages":[]}
up 3 replies 9 3 Hello.
a gets 3
	head 200 *
	raw *"content":"Hello."*
	end one/m attempts=1 input=9 output=3 cost=15000 *
after 1s
a native 4 nobody path=/v1/files
a gets 4
	head 404 content-type=application/json x-should-retry=false x-llm-broker-class=not_found
	raw {"error":{"message":"no provider is called \"nobody\"*
	fault not_found param=surface.provider: no provider is called*
a native 5 offline path=/v1/files
a gets 5
	head 400 *
	raw *answers by itself*
	fault unsupported *
# once the request has left, it is never sent again
after 1s
a native 6 one path=/v1/files
	{"purpose":"x"}
up 4 sent
up 4 breaks
a gets 6
	head 400 *
	raw {"error":*
	fault outcome_unknown *
ups 4
# no model's name is as long as that
after 1s
a native 7 one path=/v1/chat/completions
	{"model":"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm","messages":[]}
a gets 7
	head 400 *class=invalid_request
	raw {"error":{"message":"a model's name has at most 128 bytes, not 200"*
	fault invalid_request param=model: *
ups 4
