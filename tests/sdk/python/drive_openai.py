"""drive_openai.py - drives the Python package openai: chat completions and responses."""

import json
from typing import Literal

import openai
from driver import call, call_later, result, serve, without_none
from pydantic import BaseModel


class Weather(BaseModel):
    city: str
    degrees: float


def client(o):
    return openai.OpenAI(api_key="x", base_url=o["base"] + "/v1", max_retries=o.get("retries", 0),
                         timeout=o.get("timeout_ms", 20000) / 1000)


def image(o):
    return "data:image/png;base64," + o["image"]


class Chat:
    def body(self, o):
        content = o["prompt"]
        if o.get("image"):
            content = [{"type": "text", "text": content}, {"type": "image_url", "image_url": {"url": image(o)}}]
        system = [{"role": "system", "content": o["system"]}] if o.get("system") else []
        return without_none({
            "model": o["model"], "messages": [*system, {"role": "user", "content": content}],
            "tools": [{"type": "function", "function": t} for t in o.get("tools") or ()] or None,
            "tool_choice": {"type": "function", "function": {"name": o["choice"]}} if o.get("choice") else None,
            "reasoning_effort": o.get("effort"), "max_completion_tokens": o.get("max_tokens"), **o.get("more", {})})

    def usage(self, a, u):
        if u:
            a.said["usage"] = {"input": u.prompt_tokens, "output": u.completion_tokens, "total": u.total_tokens,
                               "cached": u.prompt_tokens_details and u.prompt_tokens_details.cached_tokens,
                               "reasoning": u.completion_tokens_details and
                               u.completion_tokens_details.reasoning_tokens}

    def take(self, a, done):
        message = done.choices[0].message
        a.said.update(text=message.content or "", finish=done.choices[0].finish_reason, model=done.model,
                      reasoning=getattr(message, "reasoning_content", None) or "")
        if getattr(message, "parsed", None):
            a.said["parsed"] = message.parsed.model_dump()
        for c in message.tool_calls or ():
            a.call(c.id, c.function.name, c.function.arguments)
        self.usage(a, done.usage)
        return message.model_dump(exclude_none=True, exclude={"parsed"})

    def ask(self, o, a, body):
        api = client(o).chat.completions
        if o.get("stream") == "helper":
            with api.stream(**body, stream_options={"include_usage": True}) as stream:
                a.close = stream.close
                for event in stream:
                    if event.type == "content.delta":
                        a.piece(event.delta)
                return self.take(a, stream.get_final_completion())
        if o.get("stream"):
            stream = api.create(**body, stream=True, stream_options={"include_usage": True})
            a.close = stream.close
            calls = {}
            for chunk in stream:
                self.usage(a, chunk.usage)
                for choice in chunk.choices:
                    a.said["reasoning"] += getattr(choice.delta, "reasoning_content", None) or ""
                    for c in choice.delta.tool_calls or ():
                        into = calls.setdefault(c.index, {"id": c.id, "name": c.function.name, "args": "", "n": 0})
                        into["args"] += c.function.arguments or ""
                        into["n"] += bool(c.function.arguments)
                    a.said["finish"] = choice.finish_reason or a.said["finish"]
                    a.piece(choice.delta.content)
            a.said["argument_pieces"] = [c["n"] for c in calls.values()]
            for c in calls.values():
                a.call(c["id"], c["name"], c["args"])
            return without_none({"role": "assistant", "content": a.said["text"] or None, "tool_calls": [
                {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["args"]}}
                for c in calls.values()] or None})
        if o.get("schema"):
            return self.take(a, api.parse(**body, response_format=Weather))
        raw = api.with_raw_response.create(**body)
        a.said["headers"] = dict(raw.headers)
        return self.take(a, raw.parse())

    def loop(self, o, a):
        body = self.body(o)
        a.said["turns"] = 0
        while True:
            a.said["turns"] += 1
            before, a.said["text"] = len(a.said["calls"]), ""
            body["messages"].append(self.ask(o, a, body))
            if len(a.said["calls"]) == before:
                return
            body["messages"] += [{"role": "tool", "tool_call_id": c["id"], "content": result(c["name"], c["args"])}
                                 for c in a.said["calls"][before:]]


class Responses:
    def body(self, o):
        asked = o["prompt"]
        if o.get("image"):
            asked = [{"role": "user", "content": [
                {"type": "input_text", "text": asked},
                {"type": "input_image", "detail": "auto", "image_url": image(o)}]}]
        return without_none({
            "model": o["model"], "instructions": o.get("system"), "input": asked,
            "tools": [{"type": "function", "strict": False, **t} for t in o.get("tools") or ()] or None,
            "tool_choice": {"type": "function", "name": o["choice"]} if o.get("choice") else None,
            "reasoning": {"effort": o["effort"], "summary": "auto"} if o.get("effort") else None,
            "max_output_tokens": o.get("max_tokens"), **o.get("more", {})})

    def take(self, a, done):
        u = done.usage
        a.said.update(text=done.output_text, finish=done.status, model=done.model, reasoning="".join(
            part.text for item in done.output if item.type == "reasoning"
            for part in [*item.summary, *(getattr(item, "content", None) or ())]))
        if u:
            a.said["usage"] = {"input": u.input_tokens, "output": u.output_tokens, "total": u.total_tokens,
                               "cached": u.input_tokens_details.cached_tokens,
                               "reasoning": u.output_tokens_details.reasoning_tokens}
        if getattr(done, "output_parsed", None):
            a.said["parsed"] = done.output_parsed.model_dump()
        for item in done.output:
            if item.type == "function_call":
                a.call(item.call_id, item.name, item.arguments)
        return done

    def ask(self, o, a, body):
        api = client(o).responses
        if o.get("stream"):
            pieces, done = {}, None
            stream = api.stream(**body) if o["stream"] == "helper" else api.create(**body, stream=True)
            with stream as events:
                a.close = events.close
                for event in events:
                    if event.type == "response.output_text.delta":
                        a.piece(event.delta)
                    if event.type == "response.function_call_arguments.delta":
                        pieces[event.output_index] = pieces.get(event.output_index, 0) + 1
                    if event.type in ("response.completed", "response.incomplete", "response.failed"):
                        done = event.response
            a.said["argument_pieces"] = list(pieces.values())
            return self.take(a, done)
        if o.get("schema"):
            return self.take(a, api.parse(**body, text_format=Weather))
        raw = api.with_raw_response.create(**body)
        a.said["headers"] = dict(raw.headers)
        return self.take(a, raw.parse())

    def loop(self, o, a):
        body = self.body(o)
        body["input"] = [{"role": "user", "content": body["input"]}]
        a.said["turns"] = 0
        while True:
            a.said["turns"] += 1
            before = len(a.said["calls"])
            done = self.ask(o, a, body)
            if len(a.said["calls"]) == before:
                return
            results = [{"type": "function_call_output", "call_id": c["id"], "output": result(c["name"], c["args"])}
                       for c in a.said["calls"][before:]]
            if o.get("kept"):
                body.update(previous_response_id=done.id, input=results)
            else:
                body["input"] += [*done.output, *results]


APIS = {"chat": Chat(), "responses": Responses()}


def ask(o, a):
    api = APIS[o["api"]]
    api.ask(o, a, api.body(o))


def embed(o, a):
    done = client(o).embeddings.create(model=o["model"], input=o["texts"], **o.get("more", {}))
    return {"vectors": [row.embedding for row in done.data]}


def later(o):
    return openai.AsyncOpenAI(api_key="x", base_url=o["base"] + "/v1", max_retries=o.get("retries", 0),
                              timeout=o.get("timeout_ms", 20000) / 1000)


def parse(o, a):
    class City(BaseModel):
        city: str
        when: Literal["now", "later"] | None

    tool = openai.pydantic_function_tool(City, name="get_weather")
    if o["api"] == "chat":
        done = client(o).chat.completions.parse(model=o["model"], messages=[{"role": "user", "content": o["prompt"]}],
                                                tools=[tool])
        return {"args": done.choices[0].message.tool_calls[0].function.parsed_arguments.model_dump()}
    tool = {"type": "function", **tool["function"]}
    done = client(o).responses.parse(model=o["model"], input=o["prompt"], tools=[tool])
    (call,) = [item for item in done.output if item.type == "function_call"]
    return {"args": json.loads(call.arguments)}


def raw(o, a):
    """The reply itself, line by line."""
    body = {"model": o["model"], "messages": [{"role": "user", "content": o["prompt"]}], "stream": True}
    with client(o).chat.completions.with_streaming_response.create(**body) as reply:
        return {"lines": [line for line in reply.iter_lines() if line], "headers": dict(reply.headers)}


serve({
    "parse": parse, "raw": raw,
    "call": lambda o, a: call(client(o), o), "call_later": lambda o, a: call_later(later(o), o),
    "ask": ask, "loop": lambda o, a: APIS[o["api"]].loop(o, a), "embed": embed,
    "models": lambda o, a: {"ids": [m.id for m in client(o).models.list()]},
    "model": lambda o, a: {"id": client(o).models.retrieve(o["model"]).id},
    "moderate": lambda o, a: {"flagged": [r.flagged for r in client(o).moderations.create(
        model=o["model"], input=o["texts"]).results]},
})
