"""drive_genai.py - drives the Python package google-genai."""

import base64
import functools
import io
import json

from driver import call, call_later, result, serve, without_none
from google import genai
from google.genai import types


@functools.cache
def _client(base, timeout_ms, attempts):
    return genai.Client(api_key="x", vertexai=False, http_options=types.HttpOptions(
        base_url=base, timeout=timeout_ms, retry_options=types.HttpRetryOptions(attempts=attempts)))


def client(o):
    """Kept, for what a client has begun ends with it."""
    return _client(o["base"], o.get("timeout_ms", 20000), 1 + o.get("retries", 0))


def body(o):
    parts = [types.Part(text=o["prompt"])]
    if o.get("image"):
        parts.append(types.Part.from_bytes(data=base64.b64decode(o["image"]), mime_type="image/png"))
    config = without_none({
        "system_instruction": o.get("system"), "max_output_tokens": o.get("max_tokens"),
        "tools": [types.Tool(function_declarations=[types.FunctionDeclaration(
            name=t["name"], description=t["description"], parameters_json_schema=t["parameters"])
            for t in o["tools"]])] if o.get("tools") else None,
        "tool_config": types.ToolConfig(function_calling_config=types.FunctionCallingConfig(
            mode="ANY", allowed_function_names=[o["choice"]])) if o.get("choice") else None,
        "response_mime_type": "application/json" if o.get("schema") else None,
        "response_json_schema": o.get("schema"),
        "thinking_config": types.ThinkingConfig(include_thoughts=True, thinking_budget=2048)
        if o.get("effort") else None, **o.get("more", {})})
    return {"model": o["model"], "contents": [types.Content(role="user", parts=parts)],
            "config": types.GenerateContentConfig(**config)}


def ask(o, a, asked):
    api = client(o).models
    parts = []
    said = api.generate_content_stream(**asked) if o.get("stream") else [api.generate_content(**asked)]
    a.close = getattr(said, "close", None)
    for answer in said:
        candidate = answer.candidates[0] if answer.candidates else None
        for part in candidate and candidate.content and candidate.content.parts or ():
            parts.append(part)
            if part.function_call:
                a.call(part.function_call.id, part.function_call.name, part.function_call.args or {})
            elif part.thought:
                a.said["reasoning"] += part.text
            else:
                a.piece(part.text)
        if candidate and candidate.finish_reason:
            a.said["finish"] = candidate.finish_reason.value
        a.said["model"] = answer.model_version or a.said.get("model")
        u = answer.usage_metadata
        if u:
            a.said["usage"] = {"input": u.prompt_token_count,
                               "output": (u.candidates_token_count or 0) + (u.thoughts_token_count or 0),
                               "total": u.total_token_count, "cached": u.cached_content_token_count or 0,
                               "reasoning": u.thoughts_token_count or 0}
    if o.get("schema"):
        a.said["parsed"] = json.loads(a.said["text"])
    return types.Content(role="model", parts=parts)


def loop(o, a):
    asked = body(o)
    a.said["turns"] = 0
    while True:
        a.said["turns"] += 1
        before, a.said["text"] = len(a.said["calls"]), ""
        asked["contents"].append(ask(o, a, asked))
        if len(a.said["calls"]) == before:
            return
        asked["contents"].append(types.Content(role="user", parts=[types.Part(
            function_response=types.FunctionResponse(id=c["id"], name=c["name"], response={
                "output": result(c["name"], c["args"])})) for c in a.said["calls"][before:]]))


def only_ask(o, a):
    ask(o, a, body(o))


def run(o, a):
    """The SDK itself calls the tools, and asks again."""
    def get_weather(city: str) -> str:
        """The weather in a city"""
        a.call(None, "get_weather", {"city": city})
        return result("get_weather", {"city": city})

    def get_time(city: str) -> str:
        """The time in a city"""
        a.call(None, "get_time", {"city": city})
        return result("get_time", {"city": city})

    asked = {"model": o["model"], "contents": o["prompt"], "config": {"tools": [get_weather, get_time]}}
    api = client(o).models
    for answer in api.generate_content_stream(**asked) if o.get("stream") else [api.generate_content(**asked)]:
        for part in answer.candidates[0].content.parts or ():
            a.piece(part.text)


def talk(o, a):
    """What was said before goes along by itself."""
    chat = client(o).chats.create(model=o["model"], config={"system_instruction": o.get("system")})
    if o.get("stream"):
        said = ["".join(chunk.text or "" for chunk in chat.send_message_stream(text)) for text in o["prompts"]]
    else:
        said = [chat.send_message(text).text for text in o["prompts"]]
    return {"said": said, "history": [one.role for one in chat.get_history()]}


def upload(o, a):
    done = client(o).files.upload(file=io.BytesIO(base64.b64decode(o["base64"])),
                                  config={"mime_type": o["type"], "display_name": "a"})
    return {"file": done.model_dump(mode="json", by_alias=True)}


serve({
    "run": run, "talk": talk, "upload": upload,
    "call": lambda o, a: call(client(o), o), "call_later": lambda o, a: call_later(client(o).aio, o),
    "ask": only_ask, "loop": loop,
    "embed": lambda o, a: {"vectors": [e.values for e in client(o).models.embed_content(
        model=o["model"], contents=o["texts"]).embeddings]},
    "models": lambda o, a: {"ids": [m.name for m in client(o).models.list()]},
    "model": lambda o, a: {"id": client(o).models.get(model=o["model"]).name},
    "count": lambda o, a: {"tokens": client(o).models.count_tokens(
        model=o["model"], contents=o["prompt"]).total_tokens},
})
