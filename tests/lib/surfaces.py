"""surfaces.py - how does a test speak a public API over the daemon's socket?

`Call` is one relayed or native call by hand-made frames, whole (`relay`, `native`) or step by step.
A `Family` is one such API: what a caller asks in it, what a provider who speaks it replies, and what
stands in an answer, whoever wrote it. Requests and replies are written as no program of ours would
write them, with spaces, escapes and members that nobody knows, so that bytes which pass through can
be told from bytes that were written anew.
"""

import json
import time

from wire import (CALL, CANCEL, CREDIT, DATA, END, EVENT, FAULT, HEAD, HELLO, WELCOME, WireClient,
                  WireError)

PIECE = 65536
INLINE_MAX = 131072


class Call:
    """A call on a connection of its own, and what has come of it: status, headers, body, last.

    `credit` is what the call names; what was taken is given back unless `gives` is false. A body of
    None is the test's to send. Whatever else a call may say goes into its frame (timeout_ms=...)."""

    def __init__(self, made, surface=None, body=b"", *, provider=None, path=None, method=None,
                 query=None, headers=(), content_type=None, credit=None, gives=True, timeout=20,
                 **more):
        self.gives, self.timeout = gives, timeout
        self.status, self.headers, self.body, self.last = None, [], bytearray(), None
        self.is_stream = None
        self.taken = 0  # bytes of costing frames
        self.client = WireClient(made.socket, timeout=timeout)
        self.client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "surfaces"})
        self.balance = self.client.recv_until(WELCOME)[-1].body["credit"]
        where = {"surface": surface, "provider": provider, "path": path, "method": method,
                 "query": query, "headers": [list(pair) for pair in headers] or None,
                 "content_type": content_type}
        call = {"kind": "native" if provider else "relay", "credit": credit, **more,
                "surface": {name: value for name, value in where.items() if value is not None}}
        body = body.encode() if isinstance(body, str) else body
        if body is None:
            self._open(call)
        elif len(body) <= INLINE_MAX:
            self._open(call, body=body)
        else:
            self._open(call, body_bytes=len(body))
            self._send(body)

    def _open(self, call, **body):
        call = {name: value for name, value in call.items() if value is not None}
        self.client.send_frame(CALL, 1, {**call, **body})

    def _send(self, body):
        """The body in pieces, as far as there is credit for them and it is still wanted."""
        at = 0
        while at < len(body) and self.last is None:
            if self.balance <= 0:
                self.frame()
                continue
            piece = body[at:at + PIECE]
            at += len(piece)
            self.client.send_frame(DATA, 1, {"d": piece, "last": at == len(body)})
            self.balance -= len(piece) + 16  # a little more than it costs

    def frame(self, timeout=None):
        """Takes the next frame, and returns it."""
        frame = self.client.recv_frame(self.timeout if timeout is None else timeout)
        if frame is None:
            raise WireError("the daemon hung up")
        if frame.type == CREDIT:
            self.balance += frame.body["bytes"]
        elif frame.type == HEAD:
            assert self.status is None and not self.body, "one head, and before the body"
            self.status, self.is_stream = frame.body["status"], frame.body.get("stream", False)
            self.headers = [tuple(pair) for pair in frame.body.get("headers", ())]
        elif frame.type == DATA:
            assert self.status is not None, "a head comes first"
            self.body += frame.body["d"]
        elif frame.type in (END, FAULT):
            self.last = frame
        else:
            raise AssertionError(f"a relayed call has no such frame: {frame}")
        if frame.type in (HEAD, DATA, EVENT):
            self.taken += frame.size
            if self.gives:
                self.client.send_frame(CREDIT, 1, {"bytes": frame.size})
        return frame

    def until(self, text):
        """Reads until this is in the body; returns the call."""
        text = text.encode() if isinstance(text, str) else text
        until = time.monotonic() + self.timeout
        while text not in self.body:
            assert self.last is None, f"it ended without {text!r}: {self}"
            self.frame(max(0.001, until - time.monotonic()))
        return self

    def finish(self):
        """Reads all that is still to come; returns the call."""
        while self.last is None:
            self.frame()
        self.close()
        return self

    def cancel(self):
        self.client.send_frame(CANCEL, 1, {})

    def close(self):
        self.client.close()

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:2000]!r} {self.last}"

    # what has come

    @property
    def is_good(self):
        return self.last is not None and self.last.type == END

    @property
    def fault(self):
        """The class of the fault that ended it; None: it ended well."""
        return self.last.body["class"] if self.last.type == FAULT else None

    def header(self, name):
        """The values of a header, in order."""
        return [value for key, value in self.headers if key == name]

    @property
    def json(self):
        return json.loads(self.body)


def relay(made, surface, body=b"", **more):
    """A relayed call, from its beginning to its end."""
    return Call(made, surface, body, **more).finish()


def native(made, provider, body=b"", **more):
    return Call(made, body=body, provider=provider, **more).finish()


def sse_events(body):
    """The events of a stream, [(name or "", data)], comments as ("", ": ...")."""
    out = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        lines = block.split("\n")
        if block and all(line.startswith(":") for line in lines):
            out.append(("", block))
        elif block:
            name = [line[6:].strip() for line in lines if line.startswith("event:")]
            data = [line[5:].strip() for line in lines if line.startswith("data:")]
            out.append((name[0] if name else "", "\n".join(data)))
    return out


def data_of(body):
    """What the events of a stream say, parsed; comments and [DONE] are none."""
    return [json.loads(data) for name, data in sse_events(body)
            if not data.startswith(":") and data and data != "[DONE]"]


def raw(*blocks):
    """Blocks of text as the events of a script."""
    return [{"raw": block} for block in blocks]


class Family:
    """One public API: a caller of it, and a provider who speaks it."""

    surface = dialect = path = None  # path: of the provider, below its host
    owned = ("", "")  # what the broker adds to the request of a stream, and to others
    is_sse = True  # so are its streams

    def ask(self, model, text, stream=False):
        """How a caller asks: what Call takes, but for the daemon."""
        return {"surface": self.surface, "body": self.body(model, text, stream)}

    def forwarded(self, model, text, stream):
        """The body that a provider of this family gets of that."""
        sent = self.body(model, text, stream)
        added = self.owned[0] if stream else self.owned[1]
        return sent[:-1] + added + "}" if added else sent

    def path_of(self, model, stream):
        return self.path

    def script(self, text, stream):
        """What the provider replies, as a script, and what of it a caller of the family reads."""
        said = self.stream(text) if stream else [self.whole(text)]
        told = "".join(map(self.told, said)).encode()
        return ({"sse": raw(*said)} if stream else {"body": said[0]}), told

    def told(self, piece):
        """What becomes of a piece of a reply on its way to a caller."""
        return piece

    def named(self, body, call):
        """A reply with the provider's name for the answer to this call in place of the broker's own."""
        return body


class Chat(Family):
    surface, dialect, path = "openai.chat", "openai-chat", "/v1/chat/completions"
    owned = (',"stream_options":{"include_usage":true}', "")

    def body(self, model, text, stream):
        return ('{ "x_first": [1.0, 1e400, 9007199254740993],\n "model" : "%s", "messages":[{"role":'
                '"user","content":"\\u0053ay %s"}],"stream" : %s}' %
                (model, text, "true" if stream else "false"))

    def whole(self, text):
        return ('{ "id":"chatcmpl-\\u0031","object":"chat.completion","created":1,"model":"m-said",'
                '"x_odd":{"b":1.0},"choices":[ {"index":0,"message":{"role":"assistant","content":'
                '%s},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,'
                '"total_tokens":12}}' % json.dumps(text))

    def _chunk(self, delta, finish="null"):
        return ('data: {"id":"chatcmpl-1", "object":"chat.completion.chunk","created":1,"model":'
                '"m-said","x_odd":1.0,"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n' %
                (json.dumps(delta), finish))

    def stream(self, text):
        return [self._chunk({"role": "assistant", "content": ""}),
                *(self._chunk({"content": piece}) for piece in pieces(text)),
                self._chunk({}, '"stop"'), self.counts, "data: [DONE]\n\n"]

    def told(self, piece):
        return "" if piece == self.counts else piece  # who did not ask for these does not see them

    counts = ('data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[],"usage":'
              '{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}\n\n')

    def text(self, call):
        if not call.is_stream:
            return call.json["choices"][0]["message"]["content"]
        return "".join(choice["delta"].get("content") or "" for chunk in data_of(call.body)
                       for choice in chunk.get("choices", ()))

    def stream_error(self, call):
        """Type and message of the error that ended a stream."""
        error = data_of(call.body)[-1]["error"]
        return error["type"], error["message"]

    def error(self, call):
        return call.json["error"]["type"], call.json["error"]["message"]


class Completions(Chat):
    surface, dialect, path = "openai.completions", "openai-completions", "/v1/completions"

    def body(self, model, text, stream):
        return ('{"x_first":1e400 ,"prompt":"\\u0053ay %s","model":"%s","max_tokens":50,"stream":%s}' %
                (text, model, "true" if stream else "false"))

    def whole(self, text):
        return ('{"id":"cmpl-\\u0031","object":"text_completion","created":1,"model":"m-said","x_odd":'
                '1.0,"choices":[{"index":0 ,"text":%s,"finish_reason":"stop"}],"usage":{'
                '"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}' % json.dumps(text))

    def _piece(self, text, finish="null"):
        return ('data: {"id":"cmpl-1", "object":"text_completion","created":1,"model":"m-said",'
                '"choices":[{"index":0,"text":%s,"finish_reason":%s}]}\n\n' %
                (json.dumps(text), finish))

    def stream(self, text):
        return [*(self._piece(piece) for piece in pieces(text)), self._piece("", '"stop"'),
                self.counts, "data: [DONE]\n\n"]

    def text(self, call):
        if not call.is_stream:
            return call.json["choices"][0]["text"]
        return "".join(choice["text"] for chunk in data_of(call.body)
                       for choice in chunk.get("choices", ()))


class Responses(Family):
    surface, dialect, path = "openai.responses", "openai-responses", "/v1/responses"
    owned = (',"store":false', ',"store":false')

    def body(self, model, text, stream):
        return ('{"model":"%s" , "input":[{"role":"user","content":"\\u0053ay %s"}],"x_first":1e400,'
                '"stream":%s}' % (model, text, "true" if stream else "false"))

    def told(self, piece):
        return piece.replace('"store":false', '"store":true')  # it is kept here, and not there

    def named(self, body, call):
        """What is kept here has a name of ours."""
        ours = call.last.body["request_id"].replace("req_", "resp_")
        return body.replace(ours.encode(), b"resp_1")

    def _object(self, text, status):
        usage = ('{"input_tokens":9,"output_tokens":3,"total_tokens":12}' if status == "completed"
                 else "null")
        item = ('{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{'
                '"type":"output_text","text":%s,"annotations":[]}]}' % json.dumps(text))
        return ('{"id":"resp_1", "object":"response","created_at":1,"status":"%s","model":"m-said",'
                '"x_odd":1.0,"output":[%s],"store":false,"previous_response_id":null,"usage":%s}' %
                (status, item if status == "completed" else "", usage))

    def whole(self, text):
        return self._object(text, "completed")

    def _event(self, name, rest):
        return 'event: %s\ndata: {"type":"%s", "x_odd":1.0,%s}\n\n' % (name, name, rest)

    def stream(self, text):
        item = '"output_index":0,"item_id":"msg_1","content_index":0'
        message = ('{"type":"message","id":"msg_1","role":"assistant","status":"%s","content":[%s]}')
        part = '{"type":"output_text","text":%s,"annotations":[]}' % json.dumps(text)
        return [
            self._event("response.created", '"response":' + self._object("", "in_progress")),
            self._event("response.output_item.added", '"output_index":0,"item":' +
                        message % ("in_progress", "")),
            self._event("response.content_part.added", item + ',"part":{"type":"output_text","text":'
                        '"","annotations":[]}'),
            *(self._event("response.output_text.delta", '%s,"delta":%s' % (item, json.dumps(piece)))
              for piece in pieces(text)),
            self._event("response.output_text.done", '%s,"text":%s' % (item, json.dumps(text))),
            self._event("response.content_part.done", '%s,"part":%s' % (item, part)),
            self._event("response.output_item.done", '"output_index":0,"item":' +
                        message % ("completed", part)),
            self._event("response.completed", '"response":' + self._object(text, "completed"))]

    def text(self, call):
        if not call.is_stream:
            return "".join(part["text"] for item in call.json["output"] if item["type"] == "message"
                           for part in item["content"])
        return "".join(event["delta"] for event in data_of(call.body)
                       if event["type"] == "response.output_text.delta")

    def stream_error(self, call):
        """An event of its own behind events that are another's, the end of the response behind ours."""
        last = data_of(call.body)[-1]
        assert last["type"] == "error" or last["response"]["status"] == "failed", last
        error = last["error"] if last["type"] == "error" else last["response"]["error"]
        return error.get("type", error["code"]), error["message"]

    def error(self, call):
        return call.json["error"]["type"], call.json["error"]["message"]


class Anthropic(Family):
    surface, dialect, path = "anthropic.messages", "anthropic", "/v1/messages"

    def body(self, model, text, stream):
        return ('{"x_first":9007199254740993, "max_tokens":50,"messages":[ {"role":"user","content":'
                '"\\u0053ay %s"}],"stream":%s,"model":"%s"}' %
                (text, "true" if stream else "false", model))

    def whole(self, text):
        return ('{"id":"msg_\\u0031","type":"message", "role":"assistant","model":"m-said","x_odd":1.0,'
                '"content":[{"type":"text","text":%s}],"stop_reason":"end_turn","stop_sequence":null,'
                '"usage":{"input_tokens":9,"output_tokens":3}}' % json.dumps(text))

    def _event(self, name, rest):
        return 'event: %s\ndata: {"type": "%s","x_odd":1.0%s}\n\n' % (name, name, rest)

    def stream(self, text):
        return [
            self._event("message_start", ',"message":{"id":"msg_1","type":"message","role":"assistant",'
                        '"model":"m-said","content":[],"stop_reason":null,"usage":{"input_tokens":9,'
                        '"output_tokens":1}}'),
            self._event("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}'),
            self._event("ping", ""),
            *(self._event("content_block_delta", ',"index":0,"delta":{"type":"text_delta","text":%s}' %
                          json.dumps(piece)) for piece in pieces(text)),
            self._event("content_block_stop", ',"index":0'),
            self._event("message_delta", ',"delta":{"stop_reason":"end_turn","stop_sequence":null},'
                        '"usage":{"output_tokens":3}'),
            self._event("message_stop", "")]

    def text(self, call):
        if not call.is_stream:
            return "".join(block["text"] for block in call.json["content"])
        return "".join(event["delta"].get("text", "") for event in data_of(call.body)
                       if event["type"] == "content_block_delta")

    def stream_error(self, call):
        name, data = sse_events(call.body)[-1]
        last = json.loads(data)
        assert name == "error" and last["type"] == "error"
        return last["error"]["type"], last["error"]["message"]

    def error(self, call):
        assert call.json["type"] == "error"
        return call.json["error"]["type"], call.json["error"]["message"]


class Gemini(Family):
    """With alt=sse, in whose absence a stream is an array."""

    surface, dialect = "gemini.generate", "gemini"
    path = "/v1beta/models/{model}:{method}"
    query = "alt=sse"

    def ask(self, model, text, stream=False):
        method = "streamGenerateContent" if stream else "generateContent"
        return {**super().ask(model, text, stream), "path": f"/v1beta/models/{model}:{method}",
                "query": self.query if stream else None}

    def path_of(self, model, stream):
        return f"/v1beta/models/{model}:{'streamGenerateContent' if stream else 'generateContent'}"

    def body(self, model, text, stream):
        return ('{"contents":[ {"role":"user","parts":[{"text":"\\u0053ay %s"}]}], "xFirst":1e400}' %
                text)

    def _part(self, text, more=""):
        return ('{"candidates":[ {"index":0,"content":{"role":"model","parts":[{"text":%s}]}%s}],'
                '"modelVersion":"m-said","xOdd":1.0,"responseId":"r1"%s}' %
                (json.dumps(text), ',"finishReason":"STOP"' if more else "", more))

    usage = ',"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12}'

    def whole(self, text):
        return self._part(text, self.usage)

    def _parts(self, text):
        said = pieces(text)
        return [*(self._part(piece) for piece in said[:-1]), self._part(said[-1], self.usage)]

    def stream(self, text):
        return [f"data: {part}\r\n\r\n" for part in self._parts(text)]

    @staticmethod
    def _told(parts):
        return "".join(part["text"] for said in parts for one in said.get("candidates", ())
                       for part in one.get("content", {}).get("parts", ()))

    def text(self, call):
        return self._told(data_of(call.body) if call.is_stream else [call.json])

    def stream_error(self, call):
        error = data_of(call.body)[-1]["error"]
        return error["status"], error["message"]

    def error(self, call):
        assert call.json["error"]["code"] == call.status
        return call.json["error"]["status"], call.json["error"]["message"]


class GeminiList(Gemini):
    query, is_sse = None, False

    def stream(self, text):
        parts = self._parts(text)
        return [("[" if i == 0 else ",\r\n") + part for i, part in enumerate(parts)] + ["]"]

    def script(self, text, stream):
        script, said = super().script(text, stream)
        return ({**script, "headers": {"content-type": "application/json; charset=UTF-8"}}
                if stream else script), said

    def text(self, call):
        return self._told(call.json if call.is_stream else [call.json])

    def stream_error(self, call):
        error = call.json[-1]["error"]
        return error["status"], error["message"]


def pieces(text):
    """A text in the pieces that a stream tells it in."""
    words = text.split(" ")
    return [words[0]] + [" " + word for word in words[1:]]


FAMILIES = {"chat": Chat(), "completions": Completions(), "responses": Responses(),
            "anthropic": Anthropic(), "gemini": Gemini(), "gemini-list": GeminiList()}


def dialects():
    """The lines `dialect` of a provider that speaks them all."""
    return list(dict.fromkeys(f"{family.dialect} {family.path}" for family in FAMILIES.values()))
