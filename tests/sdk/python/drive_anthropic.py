"""drive_anthropic.py - drives the Python package anthropic."""

import json

import anthropic
from driver import call, call_later, result, serve, without_none
from pydantic import BaseModel


def client(o):
    return anthropic.Anthropic(api_key="x", base_url=o["base"], max_retries=o.get("retries", 0),
                               timeout=o.get("timeout_ms", 20000) / 1000)


def body(o):
    content = o["prompt"]
    if o.get("image"):
        content = [{"type": "text", "text": content}, {"type": "image", "source": {
            "type": "base64", "media_type": "image/png", "data": o["image"]}}]
    return without_none({
        "model": o["model"], "max_tokens": o.get("max_tokens", 4096), "messages": [{"role": "user", "content": content}],
        "system": o.get("system"),
        "tools": [{"name": t["name"], "description": t["description"], "input_schema": t["parameters"]}
                  for t in o.get("tools") or ()] or None,
        "tool_choice": {"type": "tool", "name": o["choice"]} if o.get("choice") else None,
        "output_config": {"format": {"type": "json_schema", "schema": o["schema"]}} if o.get("schema") else None,
        "thinking": {"type": "enabled", "budget_tokens": 2048} if o.get("effort") else None, **o.get("more", {})})


def take(a, done):
    u = done.usage
    a.said.update(
        text="".join(b.text for b in done.content if b.type == "text"), finish=done.stop_reason, model=done.model,
        reasoning="".join(b.thinking for b in done.content if b.type == "thinking"),
        usage={"input": u.input_tokens + (u.cache_read_input_tokens or 0) + (u.cache_creation_input_tokens or 0),
               "output": u.output_tokens, "cached": u.cache_read_input_tokens or 0})
    for b in done.content:
        if b.type == "tool_use":
            a.call(b.id, b.name, b.input)
    if a.order.get("schema"):
        a.said["parsed"] = json.loads(a.said["text"])
    return done


def ask(o, a, asked=None):
    api, asked = client(o).messages, asked or body(o)
    if o.get("stream") == "helper":
        with api.stream(**asked) as stream:
            a.close = stream.close
            for text in stream.text_stream:
                a.piece(text)
            return take(a, stream.get_final_message())
    if o.get("stream"):
        stream, pieces = api.create(**asked, stream=True), {}
        a.close = stream.close
        for event in stream:
            if event.type == "message_start":
                a.said["model"] = event.message.model
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                a.piece(event.delta.text)
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                pieces[event.index] = pieces.get(event.index, "") + event.delta.partial_json
            if event.type == "content_block_start" and event.content_block.type == "tool_use":
                a.said["calls"].append({"id": event.content_block.id, "name": event.content_block.name})
            if event.type == "message_delta":
                a.said["finish"] = event.delta.stop_reason
        for call, args in zip(a.said["calls"], pieces.values()):
            call["args"] = json.loads(args or "{}")
        return None
    raw = api.with_raw_response.create(**asked)
    a.said["headers"] = dict(raw.headers)
    return take(a, raw.parse())


def loop(o, a):
    asked = body(o)
    a.said["turns"] = 0
    while True:
        a.said["turns"] += 1
        before = len(a.said["calls"])
        done = ask(o, a, asked)
        if len(a.said["calls"]) == before:
            return
        asked["messages"] += [{"role": "assistant", "content": done.content}, {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": c["id"], "content": result(c["name"], c["args"])}
            for c in a.said["calls"][before:]]}]


def only_ask(o, a):
    ask(o, a)


def later(o):
    return anthropic.AsyncAnthropic(api_key="x", base_url=o["base"], max_retries=o.get("retries", 0),
                                    timeout=o.get("timeout_ms", 20000) / 1000)


def run(o, a):
    """The SDK itself calls the tools, and asks again."""
    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city"""
        a.call(None, "get_weather", {"city": city})
        return result("get_weather", {"city": city})

    @anthropic.beta_tool
    def get_time(city: str) -> str:
        """The time in a city"""
        a.call(None, "get_time", {"city": city})
        return result("get_time", {"city": city})

    asked = {**body(o), "tools": [get_weather, get_time]}
    if not o.get("stream"):
        done = client(o).beta.messages.tool_runner(**asked).until_done()
    else:
        for stream in client(o).beta.messages.tool_runner(**asked, stream=True):
            done = stream.get_final_message()
    a.said["text"] = "".join(b.text for b in done.content if b.type == "text")


class Weather(BaseModel):
    city: str
    degrees: float


serve({
    "run": run, "parse": lambda o, a: {"parsed": client(o).messages.parse(
        **body(o), output_format=Weather).parsed_output.model_dump()},
    "call": lambda o, a: call(client(o), o), "call_later": lambda o, a: call_later(later(o), o),
    "ask": only_ask, "loop": loop,
    "models": lambda o, a: {"ids": [m.id for m in client(o).models.list()]},
    "model": lambda o, a: {"id": client(o).models.retrieve(o["model"]).id},
    "count": lambda o, a: {"tokens": client(o).messages.count_tokens(
        model=o["model"], messages=[{"role": "user", "content": o["prompt"]}]).input_tokens},
})
