"""replies.py - what would a provider of a family reply, in that family's words?

Pure. `Said` is what is to be said; `script` makes of it a script of reply.py, whole or streamed. What stands
in it is what a real provider sends: ids, signatures, counts, events that carry no text.
"""

import base64
import dataclasses
import json

import event_stream
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
    return MAKERS[family](said, stream)


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


# ---- others' ----

def _cut(text, stream):
    return pieces(text) if stream else [text] * bool(text)


def _counts():
    return {"prompt_tokens": USAGE["input"], "completion_tokens": USAGE["output"],
            "total_tokens": USAGE["input"] + USAGE["output"]}


def _functions(said, prefix, more=lambda i: {}):
    return [{"id": f"{prefix}{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(args)}, **more(i)}
            for i, (name, args) in enumerate(said.calls)]


def _openai_stream(chunks):
    return {"sse": [{"raw": f"data: {json.dumps(chunk)}\n\n"} for chunk in chunks] + ["[DONE]"]}


def _completions(said, stream):
    def answer(text, finish, **more):
        return {"id": "cmpl-1", "object": "text_completion", "created": 1760000000, "model": "m", "choices": [
            {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}], **more}
    finish = said.finish or "stop"
    if not stream:
        return {"body": answer(said.text, finish, usage=_counts())}
    return _openai_stream([*(answer(piece, None) for piece in pieces(said.text)), answer("", finish),
                           {**answer("", None), "choices": [], "usage": _counts()}])


def _mistral(said, stream):
    """Reasoning is content, in a list, and the calls come whole."""
    thoughts = [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]} for piece in _cut(said.reasoning, stream)]
    calls = _functions(said, "aB3dE6f0", lambda i: {"index": i})
    finish = said.finish or ("tool_calls" if calls else "stop")
    head = {"id": "c1", "created": 1760000000, "model": "m"}
    if not stream:
        message = {"role": "assistant", "content": [*thoughts, {"type": "text", "text": said.text}], "tool_calls": calls}
        return {"body": {**head, "object": "chat.completion", "usage": _counts(), "choices": [
            {"index": 0, "message": message, "finish_reason": finish}]}}

    def chunk(delta, finish=None, **more):
        return {**head, "object": "chat.completion.chunk", "choices": [
            {"index": 0, "delta": delta, "finish_reason": finish}], **more}
    return _openai_stream([chunk({"role": "assistant", "content": ""}), *(chunk({"content": [one]}) for one in thoughts),
                           *(chunk({"content": piece}) for piece in pieces(said.text)),
                           chunk({"content": "", "tool_calls": calls or None}, finish, usage=_counts())])


def _cohere(said, stream):
    usage = {"billed_units": {"input_tokens": 15, "output_tokens": USAGE["output"]}, "cached_tokens": USAGE["cached"],
             "tokens": {"input_tokens": USAGE["input"], "output_tokens": USAGE["output"]}}
    calls = _functions(said, "look_")
    finish = {"length": "MAX_TOKENS"}.get(said.finish, "TOOL_CALL" if calls else "COMPLETE")
    content = [{"type": kind, kind: text} for kind, text in (("thinking", said.reasoning), ("text", said.text)) if text]
    if not stream:
        return {"body": {"id": "c1", "finish_reason": finish, "usage": usage,
                         "message": {"role": "assistant", "content": content, "tool_calls": calls}}}
    events = []

    def tell(kind, index=None, message=None, **more):
        event = {"type": kind, **({} if index is None else {"index": index}),
                 **({} if message is None else {"delta": {"message": message}}), **more}
        events.append({"event": kind, "data": event})
    tell("message-start", message={"role": "assistant", "content": [], "tool_calls": []}, id="c1")
    for at, block in enumerate(content):
        kind = block["type"]
        tell("content-start", at, {"content": {"type": kind, kind: ""}})
        for piece in pieces(block[kind]):
            tell("content-delta", at, {"content": {kind: piece}})
        tell("content-end", at)
    for at, call in enumerate(calls):
        tell("tool-call-start", at, {"tool_calls": {**call, "function": {**call["function"], "arguments": ""}}})
        for piece in pieces(call["function"]["arguments"]):
            tell("tool-call-delta", at, {"tool_calls": {"function": {"arguments": piece}}})
        tell("tool-call-end", at)
    events.append({"event": "message-end", "data": {"type": "message-end", "delta": {"finish_reason": finish, "usage": usage}}})
    return {"sse": events}


def _ollama(said, stream):
    """A line each, and calls without a name of their own."""
    head = {"model": "m", "created_at": "2026-01-01T00:00:00Z"}
    end = {"done": True, "done_reason": said.finish or "stop", "prompt_eval_count": USAGE["input"],
           "eval_count": USAGE["output"]}
    calls = {"tool_calls": [{"function": {"name": name, "arguments": args}} for name, args in said.calls]} if said.calls else {}
    if not stream:
        return {"body": {**head, **end, "message": {"role": "assistant", "content": said.text, "thinking": said.reasoning,
                                                    **calls}}}
    told = [{"content": "", "thinking": piece} for piece in pieces(said.reasoning)]
    told += [{"content": piece} for piece in pieces(said.text)] + [{"content": "", **calls}]
    lines = [{**head, "message": {"role": "assistant", **message}, "done": False} for message in told]
    lines.append({**head, "message": {"role": "assistant", "content": ""}, **end})
    return {"body": "".join(json.dumps(line) + "\n" for line in lines), "headers": {"content-type": "application/x-ndjson"}}


def _bedrock(said, stream):
    usage = {"inputTokens": USAGE["input"], "outputTokens": USAGE["output"], "cacheReadInputTokens": USAGE["cached"],
             "totalTokens": USAGE["input"] + USAGE["output"] + USAGE["cached"]}
    finish = {"length": "max_tokens"}.get(said.finish, "tool_use" if said.calls else "end_turn")
    blocks = []  # whole, how it begins in a stream, and what follows
    if said.reasoning:
        blocks.append(({"reasoningContent": {"reasoningText": {"text": said.reasoning, "signature": "c2ln"}}}, None,
                       [{"reasoningContent": {"text": piece}} for piece in pieces(said.reasoning)] +
                       [{"reasoningContent": {"signature": "c2ln"}}]))
    if said.text:
        blocks.append(({"text": said.text}, None, [{"text": piece} for piece in pieces(said.text)]))
    for i, (name, args) in enumerate(said.calls):
        begin = {"toolUseId": f"tooluse_{i}", "name": name}
        blocks.append(({"toolUse": {**begin, "input": args}}, {"toolUse": begin},
                       [{"toolUse": {"input": piece}} for piece in pieces(json.dumps(args))]))
    if not stream:
        return {"body": {"output": {"message": {"role": "assistant", "content": [whole for whole, _, _ in blocks]}},
                         "stopReason": finish, "usage": usage, "metrics": {"latencyMs": 1}}}
    events = [("messageStart", {"role": "assistant"})]
    for at, (_, begin, deltas) in enumerate(blocks):
        if begin:
            events.append(("contentBlockStart", {"contentBlockIndex": at, "start": begin}))
        events += [("contentBlockDelta", {"contentBlockIndex": at, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", {"contentBlockIndex": at}))
    events += [("messageStop", {"stopReason": finish}), ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})]
    data = b"".join(event_stream.message(kind, value) for kind, value in events)
    return {"body_base64": base64.b64encode(data).decode(), "headers": {"content-type": event_stream.TYPE}}


MAKERS = {"responses": _responses, "gemini": _gemini, "completions": _completions, "mistral": _mistral, "cohere": _cohere,
          "ollama": _ollama, "bedrock": _bedrock}
