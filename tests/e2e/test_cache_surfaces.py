"""test_cache_surfaces.py - is an answer that was kept the same, in every language, as the one that was given?

Each family of providers gives an answer with reasoning, words and tool calls (a completion: words), streamed and whole; callers
of each surface ask for it streamed and whole, live and again. `dialect decode` reads what each got.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys

import harness
import pytest
from surfaces import FAMILIES, relay

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sdk"))
import replies  # noqa: E402

NAMES = ("chat", "responses", "anthropic", "gemini", "completions")
OTHERS = {"mistral": "mistral", "cohere": "cohere /v2/chat", "ollama": "ollama /api/chat", "bedrock": "bedrock"}
SAID = replies.Said(text="It is \u2603 raining in many words. " * 20, reasoning="Let me think. Rain.",
                    calls=[("look", {"at": "sky", "n": 1.0}), ("look", {"at": "floor"})])
WORDS = dataclasses.replace(SAID, reasoning="", calls=[])  # all that a completion is made of
TOOLS = {
    "chat": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    "responses": [{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}],
    "anthropic": [{"name": "look", "input_schema": {"type": "object"}}],
    "gemini": [{"functionDeclarations": [{"name": "look", "parameters": {"type": "object"}}]}]}
WITH_THOUGHT = {"responses": {"reasoning": {"summary": "auto"}},
                "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096},
                "gemini": {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}}


def question(name, stream, model):
    """What a caller of that surface asks, and how."""
    family = FAMILIES[name]
    body = {"model": f"all/{model}", **WITH_THOUGHT.get(name, {})}
    if name in TOOLS:
        body["tools"] = TOOLS[name]
    if name == "gemini":
        body["contents"] = [{"role": "user", "parts": [{"text": "x"}]}]
        del body["model"]
        method = "streamGenerateContent" if stream else "generateContent"
        return {"surface": family.surface, "body": json.dumps(body), "path": f"/v1beta/models/all/{model}:{method}",
                "query": "alt=sse" if stream else None}
    if name == "responses":
        body.update(input="x", store=False)
    elif name == "completions":
        body["prompt"] = "x"
    else:
        body["messages"] = [{"role": "user", "content": "x"}]
    if name in ("chat", "completions") and stream:
        body["stream_options"] = {"include_usage": True}
    return {"surface": family.surface, "body": json.dumps({**body, "stream": stream})}


def read(name, stream, call):
    """What stands in it."""
    assert call.status == 200, (call.status, bytes(call.body))
    done = subprocess.run([harness.program("dialect"), "decode", FAMILIES[name].dialect, *(["--stream"] if stream else [])],
                          input=bytes(call.body), capture_output=True, timeout=20, check=True)
    found = json.loads(done.stdout)
    for one in found["tool_calls"]:
        one["arguments"] = json.loads(one["arguments"]) if isinstance(one["arguments"], str) else one["arguments"]
        if name == "gemini":
            del one["id"]  # has none of its own, so the reader makes one up
    found["usage"] = {word: count or 0 for word, count in found["usage"].items()}
    assert found["complete"] or not stream, found
    found.pop("complete", None)
    return found


@pytest.mark.parametrize("host", [*NAMES, *OTHERS])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_kept_is_as_given(broker, providers, host, streamed):
    provider = providers(needs_key=False)
    dialect = OTHERS.get(host) or f"{FAMILIES[host].dialect} {FAMILIES[host].path}"
    made = broker(harness.provider_section(provider, "all", auth="none", dialect=dialect))
    model = "anthropic.claude-sonnet-4-5" if host == "bedrock" else "m"  # one that is known to reason
    for n, name in enumerate(("completions",) if host == "completions" else NAMES):
        told = WORDS if name == "completions" else SAID
        provider.script(**replies.script(host, told, streamed), times=1)
        apart = {"cache": "on", "cache_namespace": f"n{n}"}
        asked = question(name, streamed, model)
        live = relay(made, **asked, **apart)
        given = read(name, streamed, live)
        assert given["text"] == told.text and len(given["tool_calls"]) == len(told.calls), given
        if name in WITH_THOUGHT:
            assert given["reasoning_text"] == SAID.reasoning, given
        again = relay(made, **asked, **apart)
        assert again.header("x-llm-broker-cache") and read(name, streamed, again) == given
        if name == host:
            assert bytes(again.body) == bytes(live.body)
        other = relay(made, **question(name, not streamed, model), **apart)
        assert other.header("x-llm-broker-cache"), other.headers
        found = read(name, not streamed, other)
        for member in ("text", "tool_calls", "finish_reason", "reasoning_text"):
            assert found.get(member) == given.get(member), (name, member, found, given)
        assert found["usage"] == given["usage"], (name, found, given)
        assert len(provider.requests()) == n + 1
