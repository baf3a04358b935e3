"""answers.py - what would this provider say to this request?

Pure: bytes of a request in, an Answer and its JSON or its events out; no socket and no clock. The
answers are derived from the request alone, so that a test can say what it must get:

- "... 12 words ..." in the last user text gives twelve words: `word1 word2 ... word12`;
- `call NAME {"a":1}` gives a call of that tool, if the request declares it;
- anything else comes back as it is.

A token is a word with the white space before it (`pieces`), and a stream sends one a time. A prompt
costs its tokens and MESSAGE_TOKENS a message, and PART_TOKENS for each part that is no text.
"""

import base64
import dataclasses
import hashlib
import json
import re
import struct

MESSAGE_TOKENS = 4
PART_TOKENS = 85
MAX_WORDS = 1_000_000
EPOCH = 1_760_000_000  # `created` of the first answer; the nth is n seconds later
MODELS = {"openai": ("gpt-4o-mini", "gpt-4o"),
          "anthropic": ("claude-sonnet-4-5", "claude-haiku-4-5")}

_WORDS = re.compile(r"\b(\d{1,7}) words?\b")
_CALL = re.compile(r"\s*call ([A-Za-z0-9_-]+)\s*(\{.*\})?\s*\Z", re.S)
_PIECE = re.compile(r"\s*\S+|\s+\Z")


def pieces(text):
    """Cuts a text into its tokens; joined, they are the text."""
    return _PIECE.findall(text)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclasses.dataclass
class Event:
    """A piece of a stream that is sent whole: its bytes, what it is for, the tokens it carries."""
    data: bytes
    kind: str = "content"  # start, content, ping, finish, usage, done, error
    tokens: int = 0


@dataclasses.dataclass
class Usage:
    """Tokens as the provider counts them: `input` and `output` include the classes below."""
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclasses.dataclass
class Answer:
    id: str
    model: str
    created: int
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: list = dataclasses.field(default_factory=list)  # {"id", "name", "arguments"}
    finish: str = "stop"  # stop, length, tool_calls, content_filter
    usage: Usage = dataclasses.field(default_factory=Usage)
    n: int = 1
    include_usage: bool = False


class Refused(Exception):
    """A request that the real provider would refuse as well."""

    def __init__(self, status, message, **error):
        super().__init__(message)
        self.status, self.message, self.error = status, message, error


def _texts(content):
    """The text in a message's content, and how many parts of it are no text."""
    if isinstance(content, str):
        return content, 0
    text, others = "", 0
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        if part.get("type") == "tool_result":
            inner, more = _texts(part.get("content"))
            text, others = text + inner, others + more
        elif part.get("type") == "text":
            text += str(part.get("text", ""))
        else:
            others += 1
    return text, others


def _count(messages, *more):
    tokens = 0
    for message in messages:
        text, others = _texts(message.get("content"))
        tokens += MESSAGE_TOKENS + len(pieces(text)) + PART_TOKENS * others
    return tokens + sum(len(pieces(compact(value))) for value in more if value)


def tokens_asked(body):
    """What a request counts against rates: its prompt, and what it lets the answer have at the most."""
    messages = body.get("messages")
    messages = [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    return _count(messages, body.get("system"), body.get("tools")) + (limit if isinstance(limit, int) else 0)


def _last_text(messages):
    for message in reversed(messages):
        text, _ = _texts(message.get("content"))
        if message.get("role") in ("user", "tool") and text:
            return text
    return ""


def _apply(answer, override):
    usage = override.pop("usage", None)
    for name, value in override.items():
        setattr(answer, name, value)
    if "tool_calls" in override and "finish" not in override:
        answer.finish = "tool_calls"
    answer.usage.reasoning = len(pieces(answer.reasoning))
    answer.usage.output = (len(pieces(answer.text)) + len(pieces(answer.refusal)) +
                           answer.usage.reasoning +
                           sum(len(pieces(call["arguments"])) + 1 for call in answer.tool_calls))
    answer.usage.output *= answer.n
    for name, value in (usage or {}).items():
        setattr(answer.usage, name, value)


def _compose(vendor, body, number, tools, limit, override):
    """Makes the answer to a checked request; `tools` are the names declared."""
    digest = hashlib.sha256(b"%d:" % number + compact(body).encode("utf-8", "surrogatepass"))
    answer = Answer(id=vendor.id_prefix + digest.hexdigest()[:24], model=body["model"],
                    created=EPOCH + number)
    messages = body["messages"]
    answer.usage.input = _count(messages, body.get("system"), body.get("tools"))
    answer.n = body.get("n") or 1
    answer.include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    asked = _last_text(messages)
    words, call = _WORDS.search(asked), _CALL.match(asked)
    if call and call[1] in tools:
        answer.tool_calls = [{"id": vendor.call_prefix + digest.hexdigest()[24:48],
                              "name": call[1], "arguments": call[2] or "{}"}]
        answer.finish = "tool_calls"
    elif words:
        count = min(int(words[1]), MAX_WORDS)
        answer.text = " ".join(f"word{i}" for i in range(1, count + 1))
    else:
        answer.text = asked
    tokens = pieces(answer.text)
    if isinstance(limit, int) and len(tokens) > limit:
        answer.text, answer.finish = "".join(tokens[:limit]), "length"
    _apply(answer, dict(override))
    return answer


def parsed(raw):
    """JSON, unless it is so deep that a thread's small stack could not hold its parser."""
    depth = deepest = 0
    for byte in raw if isinstance(raw, bytes) else raw.encode():
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    if deepest > 500:
        raise ValueError("nested too deep")
    return json.loads(raw)


def _checked(raw):
    try:
        body = parsed(raw)
    except (ValueError, RecursionError) as why:
        raise Refused(400, f"We could not parse the JSON body of your request. ({why})") from None
    if not isinstance(body, dict):
        raise Refused(400, "The body of your request must be a JSON object.")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused(400, "you must provide a model parameter", param="model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or \
            not all(isinstance(message, dict) for message in messages):
        raise Refused(400, "Missing required parameter: 'messages'.", param="messages")
    if body["model"].startswith("missing-"):
        raise Refused(404, f"The model `{body['model']}` does not exist or you do not have access "
                      "to it.", code="model_not_found")
    return body


def masked(key):
    """A key as error messages show it."""
    return key if len(key) < 8 else key[:3] + "*" * (len(key) - 7) + key[-4:]


def sse(value, event=None):
    """One server-sent event."""
    data = value if isinstance(value, str) else compact(value)
    name = f"event: {event}\n" if event else ""
    return (name + f"data: {data}\n\n").encode("utf-8", "surrogatepass")


_EDGE = ("<html>\r\n<head><title>{0} {1}</title></head>\r\n<body>\r\n"
         "<center><h1>{0} {1}</h1></center>\r\n"
         "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n")
EDGE_STATUSES = {502: "Bad Gateway", 504: "Gateway Time-out", 520: "Web server is returning an "
                 "unknown error", 522: "Connection timed out", 524: "A timeout occurred"}


def edge_error(status):
    """The page that a provider's CDN shows when nothing behind it answers."""
    return _EDGE.format(status, EDGE_STATUSES[status]).encode()


MAX_INPUTS = 100  # of one request for embeddings


def _judged(raw, *required):
    """The body of a request beside chat, its inputs as a list; or raises Refused."""
    try:
        body = json.loads(raw)
    except ValueError as why:
        raise Refused(400, f"We could not parse the JSON body of your request. ({why})") from None
    for name in ("model", *required):
        if not body.get(name):
            raise Refused(400, f"Missing required parameter: '{name}'.", param=name)
    inputs = body.get("input", body.get("documents"))
    return body, [inputs] if isinstance(inputs, str) else inputs


def vector_of(text, dimensions):
    """Numbers that floats of 32 bits hold: halves of the bytes of the text's digest, from -64 to 63.5."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[i % len(digest)] - 128) / 2 for i in range(dimensions)]


class OpenAI:
    """Chat completions and the list of models."""

    name = "openai"
    id_prefix, call_prefix = "chatcmpl-", "call_"
    _errors = {  # status: type, code, message
        400: ("invalid_request_error", None, "The request is invalid."),
        401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: {key}. You "
              "can find your API key at https://platform.openai.com/account/api-keys."),
        402: ("insufficient_quota", "insufficient_quota", "Payment required."),
        403: ("invalid_request_error", "unsupported_country_region_territory",
              "Country, region, or territory not supported"),
        404: ("invalid_request_error", None, "Invalid URL"),
        405: ("invalid_request_error", "method_not_supported", "Not allowed to use this method."),
        413: ("invalid_request_error", None, "Request body is too large."),
        429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests. Please try "
              "again in 20ms."),
        500: ("server_error", None, "The server had an error while processing your request. Sorry "
              "about that!"),
        503: ("server_error", "server_is_overloaded", "The engine is currently overloaded, please "
              "try again later"),
    }

    def headers(self, number, key, is_error):
        stamp = hashlib.sha256(b"openai:%d" % number).hexdigest()
        head = [("x-request-id", "req_" + stamp[:32]), ("openai-version", "2020-10-01"),
                ("openai-processing-ms", str(100 + number % 400)), ("server", "cloudflare"),
                ("cf-cache-status", "DYNAMIC"), ("cf-ray", stamp[:16] + "-FRA"),
                ("x-content-type-options", "nosniff"), ("alt-svc", 'h3=":443"; ma=86400'),
                ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
                ("set-cookie", f"__cf_bm={stamp[16:48]}; path=/; HttpOnly; Secure; SameSite=None")]
        if not is_error and key:
            used = number % 1000
            head += [("openai-organization", "user-test"),
                     ("x-ratelimit-limit-requests", "10000"),
                     ("x-ratelimit-limit-tokens", "200000"),
                     ("x-ratelimit-remaining-requests", str(10000 - used)),
                     ("x-ratelimit-remaining-tokens", str(200000 - 20 * used)),
                     ("x-ratelimit-reset-requests", "8.64s"), ("x-ratelimit-reset-tokens", "6ms")]
        return head

    def answer(self, raw, head, number, override):
        """The body and the Answer to a POST of chat completions, or raises Refused."""
        body = _checked(raw)
        if "stream_options" in body and not body.get("stream"):
            raise Refused(400, "The 'stream_options' parameter is only allowed when 'stream' is "
                          "enabled.", param="stream_options")
        tools = {tool.get("function", {}).get("name") for tool in body.get("tools") or ()}
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        return body, _compose(self, body, number, tools, limit, override)

    def error(self, status, message=None, key="", **more):
        kind, code, words = self._errors.get(status) or self._errors[400 if status < 500 else 500]
        error = {"message": message or words.format(key=masked(key)), "type": kind, "param": None,
                 "code": code, **more}
        return {"error": error}

    def error_event(self, status, message=None, **more):
        return Event(sse(self.error(status, message, **more)), "error")

    def usage(self, usage):
        return {"prompt_tokens": usage.input, "completion_tokens": usage.output,
                "total_tokens": usage.input + usage.output,
                "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": usage.reasoning, "audio_tokens": 0,
                    "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}

    def whole(self, answer):
        message = {"role": "assistant", "content": answer.text or None,
                   "refusal": answer.refusal or None, "annotations": []}
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [self._call(call) for call in answer.tool_calls]
        elif not answer.refusal:
            message["content"] = answer.text
        choices = [{"index": i, "message": message, "logprobs": None,
                    "finish_reason": answer.finish} for i in range(answer.n)]
        return {"id": answer.id, "object": "chat.completion", "created": answer.created,
                "model": answer.model, "choices": choices, "usage": self.usage(answer.usage),
                "service_tier": "default", "system_fingerprint": "fp_test"}

    def _call(self, call):
        return {"id": call["id"], "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]}}

    def _chunk(self, answer, kind, choices, tokens=0, usage=None):
        chunk = {"id": answer.id, "object": "chat.completion.chunk", "created": answer.created,
                 "model": answer.model, "service_tier": "default", "system_fingerprint": "fp_test",
                 "choices": choices}
        if answer.include_usage:
            chunk["usage"] = usage
        return Event(sse(chunk), kind, tokens)

    def delta(self, answer, index, delta, tokens=0, kind="content", finish=None):
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._chunk(answer, kind, [choice], tokens)

    def text_event(self, answer, text):
        return self.delta(answer, 0, {"content": text}, 1)

    def stream(self, answer):
        events = []
        for i in range(answer.n):
            events.append(self.delta(answer, i, {"role": "assistant", "content": "",
                                                 "refusal": None}, kind="start"))
            for name, text in (("reasoning_content", answer.reasoning), ("content", answer.text),
                               ("refusal", answer.refusal)):
                events += [self.delta(answer, i, {name: piece}, 1) for piece in pieces(text)]
            for slot, call in enumerate(answer.tool_calls):
                first = {"index": slot, **self._call(dict(call, arguments=""))}
                events.append(self.delta(answer, i, {"tool_calls": [first]}, 1))
                events += [self.delta(answer, i, {"tool_calls": [
                    {"index": slot, "function": {"arguments": piece}}]}, 1)
                    for piece in pieces(call["arguments"])]
            events.append(self.delta(answer, i, {}, kind="finish", finish=answer.finish))
        if answer.include_usage:
            events.append(self._chunk(answer, "usage", [], usage=self.usage(answer.usage)))
        events.append(Event(sse("[DONE]"), "done"))
        return events

    def models(self):
        return {"object": "list", "data": [
            {"id": name, "object": "model", "created": EPOCH, "owned_by": "system"}
            for name in MODELS["openai"]]}

    def embed(self, raw):
        body, inputs = _judged(raw, "input")
        if len(inputs) > MAX_INPUTS:
            raise Refused(400, f"At most {MAX_INPUTS} inputs.", param="input")
        data = []
        for i, text in enumerate(inputs):
            vector = vector_of(text, body.get("dimensions", 8))
            if body.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
            data.append({"object": "embedding", "index": i, "embedding": vector})
        tokens = sum(len(pieces(text)) for text in inputs)
        return {"object": "list", "data": data, "model": body["model"],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}

    def rerank(self, raw):
        """The share of the query's words that a document has."""
        body, documents = _judged(raw, "query", "documents")
        words = set(body["query"].lower().split())
        results = [{"index": i, "relevance_score": len(words & set(text.lower().split())) / len(words)}
                   for i, text in enumerate(documents)]
        results.sort(key=lambda result: -result["relevance_score"])
        return {"id": "rank-1", "model": body["model"], "results": results[:body.get("top_n")],
                "usage": {"total_tokens": sum(len(pieces(text)) for text in documents)}}

    def moderate(self, raw):
        """What has the word "unsafe" in it is flagged."""
        body, inputs = _judged(raw, "input")
        verdicts = ["unsafe" in text for text in inputs]
        return {"id": "modr-1", "model": body["model"], "results": [
            {"flagged": flagged, "categories": {"hate": flagged},
             "category_scores": {"hate": 0.9 if flagged else 0.1}} for flagged in verdicts]}


class Anthropic:
    """Messages, token counts and the list of models."""

    name = "anthropic"
    id_prefix, call_prefix = "msg_", "toolu_"
    _finish = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use",
               "content_filter": "refusal"}
    _errors = {  # status: type, message
        400: ("invalid_request_error", "The request is invalid."),
        401: ("authentication_error", "invalid x-api-key"),
        402: ("billing_error", "There is an issue with your billing."),
        403: ("permission_error", "Your API key does not have permission to use this resource."),
        404: ("not_found_error", "Not found"),
        405: ("invalid_request_error", "Method Not Allowed"),
        413: ("request_too_large", "Request exceeds the maximum size"),
        429: ("rate_limit_error", "This request would exceed your account's rate limit. Please try "
              "again later."),
        500: ("api_error", "Internal server error"),
        504: ("timeout_error", "Timed out"),
        529: ("overloaded_error", "Overloaded"),
    }

    def headers(self, number, key, is_error):
        stamp = hashlib.sha256(b"anthropic:%d" % number).hexdigest()
        head = [("request-id", "req_" + stamp[:24]), ("server", "cloudflare"),
                ("via", "1.1 google"), ("cf-cache-status", "DYNAMIC"),
                ("cf-ray", stamp[:16] + "-FRA"), ("x-robots-tag", "none"),
                ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
                ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000")]
        if not is_error and key:
            for name, limit in (("requests", 4000), ("tokens", 480000), ("input-tokens", 400000),
                                ("output-tokens", 80000)):
                head += [(f"anthropic-ratelimit-{name}-limit", str(limit)),
                         (f"anthropic-ratelimit-{name}-remaining", str(limit - number % 1000)),
                         (f"anthropic-ratelimit-{name}-reset", "2030-01-01T00:00:00Z")]
        return head

    def answer(self, raw, head, number, override):
        if "anthropic-version" not in head:
            raise Refused(400, "anthropic-version: header is required")
        body = _checked(raw)
        if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
            raise Refused(400, "max_tokens: Field required")
        tools = {tool.get("name") for tool in body.get("tools") or ()}
        return body, _compose(self, body, number, tools, body["max_tokens"], override)

    def count(self, raw):
        body = _checked(raw)
        return {"input_tokens": _count(body["messages"], body.get("system"), body.get("tools"))}

    def error(self, status, message=None, key="", **more):
        kind, words = self._errors.get(status) or self._errors[400 if status < 500 else 500]
        more = {name: value for name, value in more.items() if name not in ("param", "code")}
        return {"type": "error", "error": {"type": kind, "message": message or words, **more},
                "request_id": "req_test"}

    def error_event(self, status, message=None, **more):
        return Event(sse(self.error(status, message, **more), "error"), "error")

    def usage(self, usage, output=None):
        return {"input_tokens": usage.input - usage.cached - usage.cache_write,
                "cache_creation_input_tokens": usage.cache_write,
                "cache_read_input_tokens": usage.cached,
                "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write,
                                   "ephemeral_1h_input_tokens": 0},
                "output_tokens": usage.output if output is None else output,
                "service_tier": "standard"}

    def _blocks(self, answer):
        if answer.reasoning:
            sign = base64.b64encode(hashlib.sha256(answer.reasoning.encode()).digest()).decode()
            yield {"type": "thinking", "thinking": answer.reasoning, "signature": sign}
        if answer.text or not answer.tool_calls:
            yield {"type": "text", "text": answer.text}
        for call in answer.tool_calls:
            yield {"type": "tool_use", "id": call["id"], "name": call["name"],
                   "input": json.loads(call["arguments"])}

    def whole(self, answer):
        return {"id": answer.id, "type": "message", "role": "assistant", "model": answer.model,
                "content": list(self._blocks(answer)), "stop_reason": self._finish[answer.finish],
                "stop_sequence": None, "usage": self.usage(answer.usage)}

    def _event(self, kind, name, tokens=0, **members):
        return Event(sse({"type": name, **members}, name), kind, tokens)

    def delta(self, index, delta, tokens=1):
        return self._event("content", "content_block_delta", tokens, index=index, delta=delta)

    def text_event(self, answer, text):
        index = 1 if answer.reasoning else 0
        return self.delta(index, {"type": "text_delta", "text": text})

    def stream(self, answer):
        start = dict(self.whole(answer), content=[], stop_reason=None,
                     usage=self.usage(answer.usage, output=1))
        events = [self._event("start", "message_start", message=start)]
        for index, block in enumerate(self._blocks(answer)):
            kind, args = block["type"], []
            if kind == "text":
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
                block = dict(block, text="")
            elif kind == "thinking":
                deltas = [{"type": "thinking_delta", "thinking": piece}
                          for piece in pieces(block["thinking"])]
                args = [{"type": "signature_delta", "signature": block["signature"]}]
                block = dict(block, thinking="", signature="")
            else:
                call = next(c for c in answer.tool_calls if c["id"] == block["id"])
                deltas = [{"type": "input_json_delta", "partial_json": piece}
                          for piece in pieces(call["arguments"])]
                args = [{"type": "input_json_delta", "partial_json": ""}]
                block = dict(block, input={})
            events.append(self._event("start", "content_block_start", index=index,
                                      content_block=block))
            if index == 0:
                events.append(self._event("ping", "ping"))
            events += [self.delta(index, delta) for delta in deltas]
            events += [self.delta(index, delta, 0 if kind == "thinking" else 1) for delta in args]
            events.append(self._event("content", "content_block_stop", index=index))
        stop = {"stop_reason": self._finish[answer.finish], "stop_sequence": None}
        events.append(self._event("finish", "message_delta", delta=stop,
                                  usage={"output_tokens": answer.usage.output}))
        events.append(self._event("done", "message_stop"))
        return events

    def models(self):
        names = MODELS["anthropic"]
        return {"data": [{"type": "model", "id": name, "display_name": name,
                          "created_at": "2025-09-29T00:00:00Z"} for name in names],
                "has_more": False, "first_id": names[0], "last_id": names[-1]}


OPENAI, ANTHROPIC = OpenAI(), Anthropic()


def vendor_of(path, head):
    """Whose wire this is: told by the path, and for a path of both by the headers."""
    if path.endswith("/messages") or path.endswith("/messages/count_tokens") or \
            "anthropic-version" in head:
        return ANTHROPIC
    return OPENAI
