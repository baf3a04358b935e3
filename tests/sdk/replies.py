"""replies.py - what would a provider of a family reply, in that family's words?

Pure. `Said` is what is to be said; `script` makes of it a script of reply.py, whole or streamed. What stands
in it is what a real provider sends: ids, signatures, counts, events that carry no text.
"""

import base64
import dataclasses
import json

from answers import pieces

USAGE = {"input": 20, "output": 7, "cached": 5, "reasoning": 2}


@dataclasses.dataclass
class Said:
    text: str = ""
    reasoning: str = ""
    calls: list = dataclasses.field(default_factory=list)  # (name, arguments as an object)
    finish: str = ""  # stop, length, content_filter; "": as the rest of it says


def script(family, said, stream):
    """A script of reply.py. The providers of openai-chat and anthropic have answers of their own."""
    if family in ("chat", "anthropic"):
        usage = dict(USAGE) if family == "chat" else {k: v for k, v in USAGE.items() if k != "reasoning"}
        answer = {"text": said.text, "reasoning": said.reasoning, "usage": usage}
        if said.calls:
            prefix = "call" if family == "chat" else "toolu"
            answer["tool_calls"] = [{"id": f"{prefix}_{i}_of_the_provider", "name": name, "arguments": json.dumps(args)}
                                    for i, (name, args) in enumerate(said.calls)]
        if said.finish:
            answer["finish"] = said.finish
        return {"answer": answer}
    maker = _responses if family == "responses" else _gemini
    return maker(said, stream)


# ---- Google's ----

def _gemini(said, stream):
    usage = {"promptTokenCount": USAGE["input"], "cachedContentTokenCount": USAGE["cached"],
             "candidatesTokenCount": USAGE["output"] - USAGE["reasoning"], "thoughtsTokenCount": USAGE["reasoning"],
             "totalTokenCount": USAGE["input"] + USAGE["output"]}
    signature = base64.b64encode(b"a signature of the provider").decode()
    parts = [{"text": piece, "thought": True} for piece in (pieces(said.reasoning) if stream else
                                                            [said.reasoning] * bool(said.reasoning))]
    parts += [{"text": piece} for piece in (pieces(said.text) if stream else [said.text] * bool(said.text))]
    for i, (name, args) in enumerate(said.calls):
        part = {"functionCall": {"name": name, "args": args}}
        parts.append(part if i else {**part, "thoughtSignature": signature})
    reason = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(said.finish, "STOP")

    def answer(parts, **candidate):
        return {"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0, **candidate}],
                "usageMetadata": usage, "modelVersion": "m", "responseId": "r1"}
    if not stream:
        return {"body": answer(parts, finishReason=reason)}
    chunks = [answer([part]) for part in parts[:-1]]
    chunks.append(answer(parts[-1:] or [{"text": ""}], finishReason=reason))
    return {"sse": [{"raw": f"data: {json.dumps(chunk)}\r\n\r\n"} for chunk in chunks]}


# ---- OpenAI's responses ----

def _items(said):
    if said.reasoning:
        yield {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": said.reasoning}],
               "encrypted_content": "b3BhcXVl"}
    if said.text or not said.calls:
        yield {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [
            {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}]}
    for i, (name, args) in enumerate(said.calls):
        yield {"id": f"fc_{i}", "type": "function_call", "status": "completed", "call_id": f"call_{i}_of_the_provider",
               "name": name, "arguments": json.dumps(args)}


def _response(status, items, usage=None, **more):
    return {"id": "resp_1", "object": "response", "created_at": 1760000000, "status": status, "background": False,
            "error": None, "incomplete_details": None, "instructions": None, "max_output_tokens": None, "model": "m",
            "output": items, "parallel_tool_calls": True, "previous_response_id": None, "reasoning": {
                "effort": None, "summary": None}, "store": False, "temperature": 1.0, "text": {"format": {
                    "type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled",
            "usage": usage, "user": None, "metadata": {}, **more}


def _responses(said, stream):
    usage = {"input_tokens": USAGE["input"], "input_tokens_details": {"cached_tokens": USAGE["cached"]},
             "output_tokens": USAGE["output"], "output_tokens_details": {"reasoning_tokens": USAGE["reasoning"]},
             "total_tokens": USAGE["input"] + USAGE["output"]}
    items = list(_items(said))
    status, more = ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}) \
        if said.finish == "length" else ("completed", {})
    done = _response(status, items, usage, **more)
    if not stream:
        return {"body": done}
    events = []

    def tell(kind, **members):
        events.append({"event": kind, "data": {"type": kind, "sequence_number": len(events), **members}})
    tell("response.created", response=_response("in_progress", []))
    tell("response.in_progress", response=_response("in_progress", []))
    for at, item in enumerate(items):
        where = {"output_index": at, "item_id": item["id"]}
        empty = {"reasoning": {"summary": []}, "message": {"content": [], "status": "in_progress"},
                 "function_call": {"arguments": "", "status": "in_progress"}}[item["type"]]
        tell("response.output_item.added", output_index=at, item={**item, **empty})
        if item["type"] == "reasoning":
            where["summary_index"] = 0
            part = item["summary"][0]
            tell("response.reasoning_summary_part.added", **where, part={**part, "text": ""})
            for piece in pieces(part["text"]):
                tell("response.reasoning_summary_text.delta", **where, delta=piece)
            tell("response.reasoning_summary_text.done", **where, text=part["text"])
            tell("response.reasoning_summary_part.done", **where, part=part)
        elif item["type"] == "message":
            where["content_index"] = 0
            part = item["content"][0]
            tell("response.content_part.added", **where, part={**part, "text": ""})
            for piece in pieces(part["text"]):
                tell("response.output_text.delta", **where, delta=piece, logprobs=[])
            tell("response.output_text.done", **where, text=part["text"], logprobs=[])
            tell("response.content_part.done", **where, part=part)
        else:
            for piece in pieces(item["arguments"]):
                tell("response.function_call_arguments.delta", **where, delta=piece)
            tell("response.function_call_arguments.done", **where, name=item["name"], arguments=item["arguments"])
        tell("response.output_item.done", output_index=at, item=item)
    tell(f"response.{status}", response=done)
    return {"sse": events}
