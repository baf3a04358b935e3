"""anthropic.py - an answer of the Messages API: what may be sent, and what is said?"""

from strict.answers import sse
from strict.anthropic import OPAQUE

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
          "model_context_window_exceeded": "length", "refusal": "content_filter", "pause_turn": "pause_turn"}
# the type of an error, and the status that it has as a reply
ERRORS = {"invalid_request_error": (400,), "authentication_error": (401,), "billing_error": (402,),
          "permission_error": (403,), "not_found_error": (404,), "request_too_large": (413,),
          "rate_limit_error": (429,), "api_error": (499, 500, 502, 503, 507), "timeout_error": (504,),
          "overloaded_error": (529, 503)}
CITATIONS = {
    "char_location": "cited_text document_index document_title start_char_index end_char_index",
    "page_location": "cited_text document_index document_title start_page_number end_page_number",
    "content_block_location": "cited_text document_index document_title start_block_index end_block_index",
    "web_search_result_location": "cited_text url title encrypted_index",
    "search_result_location": "cited_text source title search_result_index start_block_index end_block_index",
}
INPUT = "input_tokens cache_creation_input_tokens cache_read_input_tokens"
USAGE = f"{INPUT} output_tokens"
USAGE_MORE = "cache_creation service_tier server_tool_use output_tokens_details inference_geo iterations speed"
HEAD = "id type role model content stop_reason stop_sequence usage"
HEAD_MORE = "stop_details container context_management diagnostics"


def _usage(c, path, u, needed):
    """What is told later holds; what is not told again stays."""
    if not c.shape(path, u, needed, f"{USAGE} {USAGE_MORE}", null=f"{USAGE} {USAGE_MORE}"):
        return
    c.counts(path, u, USAGE, null=USAGE)
    for name in USAGE.split():
        if u.get(name) is not None:
            c.told[name] = u[name]
    parts = u.get("cache_creation")
    if parts and c.shape(f"{path}.cache_creation", parts, "ephemeral_5m_input_tokens ephemeral_1h_input_tokens"):
        c.counts(f"{path}.cache_creation", parts, "ephemeral_5m_input_tokens ephemeral_1h_input_tokens")
        c.within(f"{path}.cache_creation", sum(parts.values()), u.get("cache_creation_input_tokens"),
                 "more of both lifetimes than was written")
    details = u.get("output_tokens_details")
    if details and c.shape(f"{path}.output_tokens_details", details, "thinking_tokens"):
        c.within(path, details["thinking_tokens"], u.get("output_tokens"), "more thinking than answer")
        c.told["thinking"] = details["thinking_tokens"]


def _settle(c):
    told = c.told
    parts = [told.get(name) for name in INPUT.split()]
    c.usage = {"input": sum(n or 0 for n in parts) if any(n is not None for n in parts) else None,
               "output": told.get("output_tokens"), "cached_input": told.get("cache_read_input_tokens"),
               "cache_write": told.get("cache_creation_input_tokens"), "reasoning": told.get("thinking")}


def _ending(c, path, value):
    word, matched = value.get("stop_reason"), value.get("stop_sequence")
    c.one_of(f"{path}.stop_reason", word, FINISH)
    c.needs((matched is not None) == (word == "stop_sequence"), path, f"{word}, and {matched!r} as its sequence")
    details = value.get("stop_details")
    if details is not None and c.shape(f"{path}.stop_details", details, "type", "category explanation",
                                       null="category explanation"):
        c.needs(word == "refusal", path, "details of no refusal")
    c.needs(word != "tool_use" or c.calls, path, "it ends for no call")
    c.native, c.finish = word, FINISH.get(word)


def _citation(c, path, note):
    if c.obj(path, note, ["type"], is_open=True, nullable=("document_title", "title", "file_id")) and \
            c.one_of(f"{path}.type", note["type"], CITATIONS):
        c.shape(path, note, f"type {CITATIONS[note['type']]}", "file_id", null="document_title title file_id")


def error_object(c, path, value):
    if not c.shape(path, value, "type error", "request_id", null="request_id"):
        return
    c.one_of(f"{path}.type", value["type"], ("error",))
    if c.shape(f"{path}.error", value["error"], "type message", "details", null="details"):
        c.one_of(f"{path}.error.type", value["error"]["type"], ERRORS)
        c.string(f"{path}.error.message", value["error"]["message"], is_blank_ok=False)
        c.error = {"message": value["error"]["message"], "word": value["error"]["type"]}


def error(c, text, status):
    error_object(c, "error", c.json("error", text))
    if c.error:
        c.one_of("status", status, ERRORS.get(c.error["word"], ()))


# ---- blocks ----

HOSTED = (*OPAQUE, "advisor_tool_result")
WHOLE = {"text": ("text", "citations"), "thinking": ("thinking signature", ""), "redacted_thinking": ("data", ""),
         "tool_use": ("id name input", "caller toolset_name"), "server_tool_use": ("id name input", "caller")}


def _block(c, path, block):
    """The kind of a block that has its members; None where it is none."""
    if not c.obj(path, block, ["type"], is_open=True, nullable=("citations", "content", "caller")):
        return None
    kind = block["type"]
    if not c.one_of(f"{path}.type", kind, (*WHOLE, *HOSTED)):
        return None
    if kind in WHOLE:
        needed, also = WHOLE[kind]
        if not c.shape(path, block, f"type {needed}", also, null="citations"):
            return None
        for name in ("text", "thinking", "signature", "data", "id", "name"):
            if name in block and not c.string(f"{path}.{name}", block[name]):
                return None
    if kind in ("tool_use", "server_tool_use"):
        c.string(f"{path}.id", block["id"], r"\S+")
        c.string(f"{path}.name", block["name"], r".+")
        if not c.needs(isinstance(block["input"], dict), f"{path}.input", "an object is wanted"):
            return None
    return kind


def _say(c, path, kind, block):
    """A whole block, however it came."""
    if kind == "text":
        c.needs(block["text"], path, "a text of no letter, which cannot be sent back")
        c.text += block["text"]
        for i, note in enumerate(block.get("citations") or []):
            _citation(c, f"{path}.citations[{i}]", note)
    elif kind == "thinking":
        c.needs(block["thinking"] or block["signature"], path, "it says nothing")
        c.reasoning += block["thinking"]
        c.slots += [block["signature"]] if block["signature"] else []
    elif kind == "redacted_thinking":
        c.needs(block["data"], path, "it has nothing")
        c.slots.append(block["data"])
    elif kind == "tool_use":
        c.needs(block["id"] not in [call["id"] for call in c.calls], path, "two calls of one id")
        c.calls.append({"id": block["id"], "name": block["name"], "arguments": block["input"]})


def whole(c, text):
    value = c.json("answer", text)
    c.told = {}
    if not c.shape("answer", value, HEAD, HEAD_MORE, null=f"stop_sequence {HEAD_MORE}"):
        return
    _head(c, "answer", value)
    for i, block in c.array("content", value["content"]):
        kind = _block(c, f"content[{i}]", block)
        if kind:
            _say(c, f"content[{i}]", kind, block)
    _ending(c, "answer", value)
    _usage(c, "usage", value["usage"], "input_tokens output_tokens")
    _settle(c)
    c.choices, c.is_complete = 1, True


def _head(c, path, m):
    c.string(f"{path}.id", m["id"], r".+")
    c.one_of(f"{path}.type", m["type"], ("message",))
    c.one_of(f"{path}.role", m["role"], ("assistant",))
    c.string(f"{path}.model", m["model"], r".+")


# ---- a stream ----

DELTAS = {"text_delta": ("text", "text"), "thinking_delta": ("thinking", "thinking"),
          "signature_delta": ("signature", "thinking"), "input_json_delta": ("partial_json", "tool_use"),
          "citations_delta": ("citation", "text"), "compaction_delta": ("content", "compaction")}


class Stream:
    """Where a stream is: before, inside or between blocks, closing, over."""

    def __init__(self, c):
        self.c, self.state, self.n = c, "before", 0
        self.block, self.kind, self.json = None, None, ""

    def message_start(self, path, e):
        c = self.c
        if not c.needs(self.state == "before", path, "a second beginning") or not c.shape(path, e, "type message"):
            return
        m = e["message"]
        if c.shape(f"{path}.message", m, HEAD, HEAD_MORE, null=f"stop_reason stop_sequence {HEAD_MORE}"):
            _head(c, f"{path}.message", m)
            c.needs(m["content"] == [], path, "it begins with content")
            c.needs(m["stop_reason"] is None and m["stop_sequence"] is None, path, "it begins with an end")
            _usage(c, f"{path}.message.usage", m["usage"], "input_tokens output_tokens")
        self.state = "between"

    def content_block_start(self, path, e):
        c = self.c
        if not c.needs(self.state == "between", path, f"a block, {self.state}") or \
                not c.shape(path, e, "type index content_block"):
            return
        c.needs(e["index"] == self.n, path, f"index {e['index']} of block {self.n}")
        self.kind, self.block, self.json = _block(c, path, e["content_block"]), e["content_block"], ""
        for name in ("text", "thinking", "signature"):
            c.needs(self.kind not in WHOLE or not self.block.get(name), path, f"{name} before its pieces")
        self.state = "inside"

    def content_block_delta(self, path, e):
        c = self.c
        if not c.needs(self.state == "inside", path, f"a piece, {self.state}") or \
                not c.shape(path, e, "type index delta"):
            return
        c.needs(e["index"] == self.n, path, f"index {e['index']} in block {self.n}")
        kind = e["delta"].get("type") if isinstance(e["delta"], dict) else None
        if not c.one_of(f"{path}.delta.type", kind, DELTAS):
            return
        name, wanted = DELTAS[kind]
        here = "tool_use" if self.kind in ("server_tool_use", "mcp_tool_use") else self.kind
        if not c.needs(here in (wanted, None), path, f"{kind} in {here}") or \
                not c.shape(f"{path}.delta", e["delta"], f"type {name}", "encrypted_content"):
            return
        piece = e["delta"][name]
        if kind == "citations_delta":
            self.block.setdefault("citations", []).append(piece)
        elif c.string(f"{path}.delta.{name}", piece):
            c.needs(kind != "thinking_delta" or not self.block.get("signature"), path, "thinking behind its signature")
            if kind == "input_json_delta":
                self.json += piece
            elif kind != "compaction_delta":
                self.block[name] = self.block.get(name, "") + piece

    def content_block_stop(self, path, e):
        c = self.c
        if not c.needs(self.state == "inside", path, f"the end of a block, {self.state}") or \
                not c.shape(path, e, "type index"):
            return
        c.needs(e["index"] == self.n, path, f"index {e['index']} in block {self.n}")
        if self.json:
            c.needs(self.block.get("input") == {}, path, "an input before its pieces")
            value = c.json(path, self.json)
            c.needs(isinstance(value, dict), path, "its input is no object")
            self.block["input"] = value
        if self.kind:
            _say(c, path, self.kind, self.block)
        self.n += 1
        self.state = "between"

    def message_delta(self, path, e):
        c = self.c
        c.needs(self.state in ("between", "closing"), path, f"the end, {self.state}")
        if not c.shape(path, e, "type delta usage", "context_management"):
            return
        if c.shape(f"{path}.delta", e["delta"], "stop_reason stop_sequence", "stop_details container",
                   null="stop_sequence stop_details container"):
            _ending(c, f"{path}.delta", e["delta"])
        _usage(c, f"{path}.usage", e["usage"], "output_tokens")
        self.state = "closing"

    def message_stop(self, path, e):
        self.c.needs(self.state == "closing", path, f"the last, {self.state}")
        self.c.shape(path, e, "type")
        self.state = "over"

    def ping(self, path, e):
        self.c.needs(self.state not in ("before", "over"), path, f"a ping, {self.state}")
        self.c.shape(path, e, "type")

    def error(self, path, e):
        self.c.needs(self.state != "over", path, "it is over")
        error_object(self.c, path, e)
        self.state = "over"


EVENTS = ("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
          "message_stop", "ping", "error")


def stream(c, text):
    c.told = {}
    s = Stream(c)
    for path, e in sse.values(c, text):
        if c.one_of(path, e.get("type"), EVENTS):
            c.needs(s.state != "over", path, "it is behind the end")
            getattr(s, e["type"])(path, e)
    c.needs(s.state == "over", "stream", f"it has no end, {s.state}")
    _settle(c)
    c.is_complete = s.state == "over" and not c.error
    c.choices = 1
