"""broken.py - how is a good answer made one that breaks the law?

For the tests of the checkers: each way takes an answer that keeps the law and yields answers that do
not, or nothing where there is nothing to break.
"""

import collections
import copy
import json


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# ---- streams ----


def split(text):
    """[name or None, data] of each event; comments are left out."""
    events = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":") and ": " in line)
        if "data" in lines:
            events.append([lines.get("event"), lines["data"]])
    return events


def joined(events):
    return "".join((f"event: {name}\n" if name else "") + f"data: {data}\n\n" for name, data in events)


def framings(text):
    """Of every family's event streams."""
    events = split(text)
    whole = joined(events)
    first, last = events[0], events[-1]
    yield "the last is missing", joined(events[:-1])
    yield "something behind the end", joined([*events, first])
    yield "the end twice", joined([*events, last])
    yield "cut in the middle", whole[:len(whole) * 6 // 10].removesuffix("\n\n")
    yield "no empty line at the end", whole[:-1]
    yield "no empty line between two", whole.replace("\n\n", "\n", 1)
    yield "data in two lines", whole.replace("data: {", "data: {\ndata: ", 1)
    yield "no data line", whole.replace("data: ", "text: ", 1)
    yield "a name twice", joined([[first[0], '{"a":1,"a":1,' + first[1][1:]], *events[1:]])
    yield "an unknown member", joined([[first[0], '{"x_of_no_version":1,' + first[1][1:]], *events[1:]])
    yield "no JSON", joined([[first[0], first[1][:-1]], *events[1:]])
    yield "another name", joined([["answer", first[1]], *events[1:]])


class Events:
    """A stream whose data are values; edits are made in a copy."""

    def __init__(self, text):
        self.all = [(name, json.loads(data) if data != "[DONE]" else data) for name, data in split(text)]

    def text(self, events):
        return joined([(name, value if value == "[DONE]" else compact(value)) for name, value in events])

    def edited(self, edit, wanted=lambda e: True):
        """With the first value that is wanted edited in place; an edit that returns False did nothing."""
        events = copy.deepcopy(self.all)
        for _, value in events:
            if value != "[DONE]" and wanted(value):
                if edit(value) is not False:
                    yield self.text(events)
                return

    def without(self, at, fixed=lambda events: events):
        return self.text(fixed([*self.all[:at], *self.all[at + 1:]]))

    def doubled(self, at, fixed=lambda events: events):
        return self.text(fixed([*self.all[:at + 1], *self.all[at:]]))

    def swapped(self, at, fixed=lambda events: events):
        return self.text(fixed([*self.all[:at], self.all[at + 1], self.all[at], *self.all[at + 2:]]))


def _set(name, value):
    def edit(e):
        e[name] = value
    return edit


def _more(*path):
    """One more than there is at the end of the path."""
    def edit(e):
        for step in path[:-1]:
            e = e[step]
        e[path[-1]] += 1
    return edit


def _del(*path):
    def edit(e):
        for step in path[:-1]:
            e = e[step]
        del e[path[-1]]
    return edit


def _has(e, *path):
    """What is at the end of the path; None where it leads nowhere."""
    for step in path:
        if not (isinstance(e, dict) and step in e or isinstance(e, list) and isinstance(step, int) and step < len(e)):
            return None
        e = e[step]
    return e


def _openai(text, choice):
    """What chat and completions have in common; `choice` says whether a choice says something."""
    s = Events(text)
    chunks = [value for _, value in s.all if value != "[DONE]"]
    for name in ("id", "object", "created", "model", "choices"):
        for out in s.edited(_del(name)):
            yield f"{name} missing", out
    for out in s.edited(_set("created", "1")):
        yield "created as text", out
    if len(chunks) > 1:
        last = chunks[-1]
        for name in ("id", "model"):
            for out in s.edited(_set(name, "another"), lambda e: e == last):
                yield f"another {name}", out
    ends = [i for i, (_, e) in enumerate(s.all) if _has(e, "choices", 0, "finish_reason")]
    for i in ends[:1]:
        yield "no finish", s.without(i)
        yield "finish twice", s.doubled(i)
        before, at = s.all[i - 1][1], _has(s.all[i][1], "choices", 0, "index")
        if i and choice(before) and before["choices"][0]["index"] == at:
            yield "something behind the finish", s.swapped(i - 1)
    for out in s.edited(lambda e: e["choices"][0].update(finish_reason="eos"),
                        lambda e: _has(e, "choices", 0, "finish_reason")):
        yield "an unknown finish", out
    for out in s.edited(_more("usage", "total_tokens"), lambda e: _has(e, "usage")):
        yield "a wrong sum", out
    for out in s.edited(_del("usage"), lambda e: "usage" in e and len(chunks) > 3):
        yield "usage missing in one", out
    for out in s.edited(lambda e: e["choices"][0].update(index=-1)):
        yield "no choice's index", out


def openai_chat(text):
    def says(e):
        return _has(e, "choices", 0, "delta", "content") or _has(e, "choices", 0, "delta", "tool_calls")

    def call(e):
        return _has(e, "choices", 0, "delta", "tool_calls", 0, "id")
    yield from _openai(text, says)
    s = Events(text)
    for out in s.edited(lambda e: e["choices"][0].update(index=1)):
        yield "another choice first", out
    for out in s.edited(_del("choices", 0, "delta", "role"), lambda e: _has(e, "choices", 0, "delta", "role")):
        yield "no role", out
    for out in s.edited(lambda e: e["choices"][0]["delta"].update(role="assistant"), lambda e: says(e) and not
                        _has(e, "choices", 0, "delta", "role")):
        yield "the role again", out
    for out in s.edited(_del("choices", 0, "delta")):
        yield "no delta", out
    for name in ("id", "type", "index"):
        for out in s.edited(_del("choices", 0, "delta", "tool_calls", 0, name), call):
            yield f"a call without {name}", out
    for out in s.edited(_more("choices", 0, "delta", "tool_calls", 0, "index"), call):
        yield "a call of another index", out
    for out in s.edited(lambda e: e["choices"][0]["delta"]["tool_calls"][0]["function"].update(arguments={}), call):
        yield "arguments as an object", out
    if not any(call(e) or _has(e, "choices", 0, "delta", "function_call") for _, e in s.all):
        for out in s.edited(lambda e: e["choices"][0].update(finish_reason="tool_calls"),
                            lambda e: _has(e, "choices", 0, "finish_reason")):
            yield "it ends for no call", out


def openai_completions(text):
    yield from _openai(text, lambda e: _has(e, "choices", 0, "text"))
    s = Events(text)
    for out in s.edited(_del("choices", 0, "text")):
        yield "no text", out
    for out in s.edited(lambda e: e["choices"][0].update(text=None)):
        yield "null as text", out


def anthropic(text):
    s = Events(text)
    kinds = {}
    for i, (_, e) in enumerate(s.all):
        kinds.setdefault(e["type"], i)
    for kind, i in kinds.items():
        if kind not in ("ping", "content_block_delta"):
            yield f"no {kind}", s.without(i)
            if kind != "message_delta":  # of which there may be more than one
                yield f"{kind} twice", s.doubled(i)
        if "index" in s.all[i][1]:
            for out in s.edited(_more("index"), lambda e, kind=kind: e["type"] == kind):
                yield f"{kind} of another block", out
        for name in list(s.all[i][1]):
            if name != "context_management":
                for out in s.edited(_del(name), lambda e, kind=kind: e["type"] == kind):
                    yield f"{kind} without {name}", out

    def piece(kind):
        return lambda e: _has(e, "delta", "type") == kind
    for kind, name, other in (("text_delta", "text", "thinking_delta"), ("thinking_delta", "thinking", "text_delta"),
                              ("input_json_delta", "partial_json", "text_delta")):
        for out in s.edited(_set("delta", {"type": other, other[:-6]: "x"}), piece(kind)):
            yield f"{other} in another block", out
        for out in s.edited(_del("delta", name), piece(kind)):
            yield f"{kind} without {name}", out
    for out in s.edited(lambda e: e["delta"].update(partial_json="}"),
                        lambda e: piece("input_json_delta")(e) and e["delta"]["partial_json"]):
        yield "an input that is no JSON", out
    signed = [i for i, (_, e) in enumerate(s.all) if piece("signature_delta")(e)]
    for i in signed[:1]:
        if piece("thinking_delta")(s.all[i - 1][1]):
            yield "thinking behind its signature", s.swapped(i - 1)
    for word in (None, "stop", "stop_sequence"):
        for out in s.edited(lambda e, word=word: e["delta"].update(stop_reason=word, stop_sequence=None),
                            lambda e: e["type"] == "message_delta"):
            yield f"stop_reason {word}", out
    for out in s.edited(lambda e: e["content_block"].update(text="x"), lambda e: _has(e, "content_block", "type") ==
                        "text"):
        yield "a block that is not empty at first", out
    for out in s.edited(lambda e: e["message"].update(content=[{"type": "text", "text": "x"}]),
                        lambda e: e["type"] == "message_start"):
        yield "content at the beginning", out
    for out in s.edited(lambda e: e["usage"].update(output_tokens=-1), lambda e: e["type"] == "message_delta"):
        yield "tokens below none", out


def _renumbered(events):
    return [(name, {**e, "sequence_number": i}) for i, (name, e) in enumerate(events)]


def openai_responses(text):
    s = Events(text)

    def is_loose(e):
        """It may be missing or elsewhere: progress of hosted tools, and notes between pieces."""
        return "_call." in e["type"] or "mcp_" in e["type"] or "queued" in e["type"] or "annotation" in e["type"] or \
            "_call_code." in e["type"]
    times = collections.Counter()
    for i, (_, e) in enumerate(s.all):
        times[e["type"]] += 1
        if is_loose(e) or times[e["type"]] > 3:
            continue
        yield f"no {e['type']}", s.without(i, _renumbered)
        yield f"{e['type']} twice", s.doubled(i, _renumbered)
        after = s.all[i + 1][1] if i + 1 < len(s.all) else None
        is_same = after and after["type"] == e["type"] and after["delta"] + e["delta"] == e["delta"] + after["delta"]
        if after and not is_loose(after) and not is_same:
            yield f"{e['type']} behind {after['type']}", s.swapped(i, _renumbered)
    yield "a number left out", s.without(1)
    seen = set()
    for _, e in s.all:
        kind = e["type"]
        if kind in seen or is_loose(e):
            continue
        seen.add(kind)

        def same(value, kind=kind):
            return value["type"] == kind
        for name in list(e):
            if name not in ("obfuscation", "name"):
                for out in s.edited(_del(name), same):
                    yield f"{kind} without {name}", out
        for name in ("sequence_number", "output_index", "content_index", "summary_index"):
            if name in e:
                for out in s.edited(_more(name), same):
                    yield f"{kind} of another {name}", out
        for name in ("item_id", "text", "arguments", "delta"):
            if name in e:
                for out in s.edited(_set(name, e[name] + "x"), same):
                    yield f"{kind} of another {name}", out

    def ends(e):
        return e["type"] in ("response.completed", "response.incomplete")
    for out in s.edited(_del("response", "output", -1), lambda e: ends(e) and e["response"]["output"]):
        yield "an item less at the end", out
    for out in s.edited(lambda e: e["response"].update(id="another"), ends):
        yield "another response at the end", out
    for out in s.edited(lambda e: e["response"].update(status="in_progress"), ends):
        yield "a status of another end", out
    for out in s.edited(_more("response", "usage", "total_tokens"), lambda e: ends(e) and e["response"].get("usage")):
        yield "a wrong sum", out


def gemini(text):
    s = Events(text)
    yield from _gemini(s.edited, len(s.all))


def _gemini(edited, n):
    def part(e):
        return _has(e, "candidates", 0, "content", "parts", 0)

    def parts(e):
        return e["candidates"][0]["content"]["parts"]
    for out in edited(lambda e: parts(e)[0].update(functionCall={"name": "f"}, text="x"), part):
        yield "a part of two kinds", out
    for out in edited(lambda e: parts(e).append({}), part):
        yield "a part of no kind", out
    for out in edited(lambda e: parts(e)[0].update(thoughtSignature="no base64!"), part):
        yield "a signature that is no base64", out
    for out in edited(lambda e: e["candidates"][0]["content"].update(role="assistant"), part):
        yield "another role", out
    for out in edited(lambda e: e["candidates"][0].update(finishReason="stop"),
                      lambda e: _has(e, "candidates", 0, "finishReason")):
        yield "an unknown finish", out
    for out in edited(_del("candidates", 0, "finishReason"), lambda e: _has(e, "candidates", 0, "finishReason")):
        yield "no finish", out
    for out in edited(lambda e: e["candidates"][0].update(index=-1), lambda e: "candidates" in e):
        yield "no candidate's index", out
    for out in edited(_more("usageMetadata", "totalTokenCount"), lambda e: _has(e, "usageMetadata", "totalTokenCount")):
        yield "a wrong sum", out
    for out in edited(lambda e: parts(e)[0]["functionCall"].update(args="{}"),
                      lambda e: part(e) and "functionCall" in part(e)):
        yield "arguments as text", out
    if n > 1:
        for out in edited(lambda e: e["candidates"][0].update(finishReason="STOP"),
                          lambda e: part(e) and not _has(e, "candidates", 0, "finishReason")):
            yield "something behind the finish", out
        for out in edited(_set("responseId", "another")):
            yield "another response", out


def streams(family, text):
    yield from framings(text)
    if family in ("openai-chat", "anthropic", "openai-responses"):  # of others each piece is like the first
        yield "the first is missing", joined(split(text)[1:])
    yield from globals()[family.replace("-", "_")](text)


# ---- answers in one piece ----

NEEDED = {
    "openai-chat": "id object created model choices", "openai-completions": "id object created model choices",
    "anthropic": "id type role model content stop_reason stop_sequence usage",
    "openai-responses": "id object created_at model output error incomplete_details tool_choice tools",
    "gemini": "candidates modelVersion responseId",
}


def wholes(family, text):
    value = json.loads(text)

    def edited(edit, wanted=lambda e: True):
        other = copy.deepcopy(value)
        if wanted(other) and edit(other) is not False:
            yield compact(other)
    yield "cut in the middle", text.rstrip()[:-1]
    yield "something behind the end", text + "{}"
    yield "a name twice", '{"a":1,"a":1,' + text.lstrip()[1:]
    for out in edited(_set("x_of_no_version", 1)):
        yield "an unknown member", out
    may_lack = ("candidates",) if "promptFeedback" in value else ()
    for name in NEEDED[family].split():
        for out in edited(_del(name), lambda e, name=name: name in e and name not in may_lack):
            yield f"{name} missing", out
    if family == "gemini":
        yield from _gemini(edited, 1)
        return
    for path in (("usage", "total_tokens"), ("choices", 0, "index")):
        for out in edited(_more(*path), lambda e, path=path: _has(e, *path) is not None):
            yield f"another {path[-1]}", out
    for path in (("choices", 0, "finish_reason"), ("choices", 0, "message", "role"), ("choices", 0, "text"),
                 ("choices", 0, "message", "tool_calls", 0, "id"), ("content", 0, "type"), ("content", 0, "text"),
                 ("usage", "input_tokens"), ("output", 0, "id"), ("output", 0, "content", 0, "text"),
                 ("output", 0, "call_id"), ("output", 0, "summary"), ("usage", "total_tokens")):
        for out in edited(_del(*path), lambda e, path=path: _has(e, *path) is not None):
            yield f"no {path[-1]}", out
    for path, other in ((("choices", 0, "finish_reason"), "eos"), (("stop_reason",), "stop"), (("status",), "done"),
                        (("role",), "user"), (("object",), "answer"), (("output", 0, "type"), "text"),
                        (("choices", 0, "message", "tool_calls"), []),
                        (("choices", 0, "message", "tool_calls", 0, "function", "arguments"), {}),
                        (("output", 0, "arguments"), {"a": 1}), (("content", 0, "text"), "")):
        def edit(e, path=path, other=other):
            for step in path[:-1]:
                e = e[step]
            e[path[-1]] = other
        for out in edited(edit, lambda e, path=path: _has(e, *path) is not None):
            yield f"another {path[-1]}", out
