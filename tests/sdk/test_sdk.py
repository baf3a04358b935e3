"""test_sdk.py - does each official SDK get what it would have got from the API that it was made for?

Every SDK asks, in its own words and through the bridge, a provider of each family: mostly one whose
language is another."""

import base64
import json
import struct
import zlib

import pytest
from clients import CLIENTS
from conftest import live_and_kept
from replies import USAGE, Said

from strict import module

FAMILIES = ("chat", "responses", "anthropic", "gemini")
PAPERS = {"chat": "openai-chat", "responses": "openai-responses", "anthropic": "anthropic", "gemini": "gemini"}
TEXT = "Hello, w\u00f6rld: \u6771\u4eac \U0001f600 and \"more\"."
THOUGHT = "First think, then answer."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        "additionalProperties": False}
TOOLS = [{"name": "get_weather", "description": "The weather in a city", "parameters": CITY},
         {"name": "get_time", "description": "The time in a city", "parameters": CITY}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "degrees": {"type": "number"}},
          "required": ["city", "degrees"], "additionalProperties": False}
# how each says that it is at its end
FINISHES = {
    "stop": {"chat": "stop", "responses": "completed", "anthropic": "end_turn", "gemini": "STOP", "ai": "stop"},
    "calls": {"chat": "tool_calls", "responses": "completed", "anthropic": "tool_use", "gemini": "STOP",
              "ai": "tool-calls"},
    "cut": {"chat": "length", "responses": "incomplete", "anthropic": "max_tokens", "gemini": "MAX_TOKENS",
            "ai": "length"}}

clients = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
families = pytest.mark.parametrize("family", FAMILIES)
# "helper": the SDK gathers the answer by itself
HOWS = [(client, how) for client in CLIENTS for how in (False, True, "helper")
        if how != "helper" or "helper" in client.can]
ways = pytest.mark.parametrize("client, how", HOWS, ids=[f"{c.name}-{h or 'whole'}" for c, h in HOWS])


def who_can(what):
    return pytest.mark.parametrize("client", [client for client in CLIENTS if what in client.can],
                                   ids=lambda client: client.name)


def png():
    """The smallest picture: one red point."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) +
                            chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")).decode()


def is_lawful(world, client, family):
    """What came to the provider is what it would have taken, where not its caller is to answer for that."""
    if client.surface == family:
        return
    for seen in world.provider.requests():
        assert module(PAPERS[family]).check(seen.json, seen.path, "m") == [], seen.body


def skip_what_is_another(world, client, family):
    """A round goes on from the items of the one before, by ids that are made anew each time where the provider has none."""
    has_own = client.surface == family if client.surface == "responses" else client.name != "ai-google" or family != "gemini"
    if world.is_kept and not has_own:
        pytest.skip("the next round has other ids, and is another request")


def finish(client, why):
    return FINISHES[why]["ai" if client.program == "ai.mjs" else client.surface]


@live_and_kept
# ---- text ----

@families
@ways
def test_text(world, client, how, family):
    world.says(family, how, Said(TEXT))
    out = world.well(client, "ask", f"{family}/m", prompt="Say it.", system="Be brief.", stream=how)
    assert out["text"] == TEXT
    assert out["finish"] == finish(client, "stop")
    if how:
        assert out["pieces"] > 3, "it comes in pieces"
    if out["usage"] is not None:
        used = {name: out["usage"].get(name) for name in ("input", "output", "cached")}
        assert used == {"input": 20, "output": 7, "cached": 5}
        if "anthropic" not in (client.surface, family):
            assert out["usage"]["reasoning"] == USAGE["reasoning"]
    else:
        assert how is True and client.name == "py-anthropic", "usage is told"
    seen = world.provider.requests()[0]
    assert b"Say it." in seen.body and b"Be brief." in seen.body
    is_lawful(world, client, family)


@live_and_kept
@families
@clients
def test_a_limit_cuts_it(world, client, family):
    for how in (False, True):
        world.says(family, how, Said("As far as", finish="length"))
        out = world.well(client, "ask", f"{family}/m", prompt="Say it.", max_tokens=16, stream=how)
        assert out["text"] == "As far as" and out["finish"] == finish(client, "cut"), out
    assert all(b"16" in seen.body for seen in world.provider.requests())


@live_and_kept
# ---- tools ----

@families
@ways
def test_one_tool(world, client, how, family):
    args = {"city": "S\u00e3o Paulo, \"SP\""}
    world.says(family, how, Said(calls=[("get_weather", args)]))
    out = world.well(client, "ask", f"{family}/m", prompt="Weather?", tools=TOOLS, stream=how)
    (call,) = out["calls"]
    assert (call["name"], call["args"]) == ("get_weather", args), out
    assert call["id"] or client.surface == "gemini", "an answer needs it"
    assert out["finish"] == finish(client, "calls")
    is_lawful(world, client, family)


@live_and_kept
@families
@ways
def test_parallel_tools_behind_text(world, client, how, family):
    calls = [("get_weather", {"city": "Oslo"}), ("get_time", {"city": "Oslo"}), ("get_weather", {"city": "Rome"})]
    world.says(family, how, Said("I look.", calls=calls))
    out = world.well(client, "ask", f"{family}/m", prompt="Weather?", tools=TOOLS, stream=how)
    assert [(call["name"], call["args"]) for call in out["calls"]] == calls, out
    assert out["text"] == "I look."
    ids = [call["id"] for call in out["calls"] if call["id"]]
    assert len(set(ids)) == len(ids) and (len(ids) == 3 or client.surface == "gemini")


@live_and_kept
@families
@clients
def test_arguments_come_in_pieces(world, client, family):
    args = {"city": "a b c d e f g h"}
    world.says(family, True, Said(calls=[("get_weather", args)]))
    out = world.well(client, "ask", f"{family}/m", prompt="Weather?", tools=TOOLS, stream=True)
    assert [call["args"] for call in out["calls"]] == [args]
    if out.get("argument_pieces") and "gemini" not in (family, client.surface):
        assert out["argument_pieces"][0] > 3, "they come as the provider sends them"


@live_and_kept
@families
@clients
def test_a_tool_that_must_be_called(world, client, family):
    world.says(family, False, Said(calls=[("get_time", {"city": "Oslo"})]))
    out = world.well(client, "ask", f"{family}/m", prompt="Time?", tools=TOOLS, choice="get_time")
    assert [call["name"] for call in out["calls"]] == ["get_time"]
    body = world.provider.requests()[0].json
    asked = body.get("tool_choice") or body.get("toolConfig") or body.get("tool_config")
    assert "get_time" in json.dumps(asked)
    is_lawful(world, client, family)


@live_and_kept
@families
@ways
def test_results_go_back_and_it_goes_on(world, client, how, family):
    """Two rounds of tools, the first of two at once, with what was thought before each."""
    skip_what_is_another(world, client, family)
    world.says(family, how,
               Said("I look.", "Two at once.", [("get_weather", {"city": "Oslo"}), ("get_time", {"city": "Rome"})]),
               Said("", "One more.", [("get_weather", {"city": "Rome"})]), Said("All fine."))
    if (client.name, how) == ("py-anthropic", True):
        pytest.skip("its raw events are not gathered to be sent again")
    out = world.well(client, "loop", f"{family}/m", prompt="Weather?", tools=TOOLS, stream=how, effort="low")
    assert out["text"] == "All fine." and out["turns"] == 3, out
    assert [call["name"] for call in out["calls"]] == ["get_weather", "get_time", "get_weather"]
    first, second, third = (seen.body.decode() for seen in world.provider.requests())
    assert "get_weather: Oslo" not in first
    assert second.count("get_weather: Oslo") == 1 and second.count("get_time: Rome") == 1
    assert third.count("get_weather: Rome") == 1 and third.count("get_time: Rome") == 1
    is_lawful(world, client, family)


@live_and_kept
@families
@pytest.mark.parametrize("client", [c for c in CLIENTS if "kept" in c.can], ids=lambda c: c.name)
def test_results_go_back_to_an_answer_that_is_kept(world, client, family):
    skip_what_is_another(world, client, family)
    for how in (False, True):
        world.says(family, how, Said("I look.", "Hm.", [("get_weather", {"city": "Oslo"})]), Said("All fine."))
        out = world.well(client, "loop", f"{family}/m", prompt="Weather?", tools=TOOLS, stream=how, kept=True)
        assert out["text"] == "All fine." and out["turns"] == 2, out
        assert "Weather?" in world.provider.requests()[-1].body.decode()
    is_lawful(world, client, family)


@live_and_kept
# ---- more than text ----

@families
@clients
def test_a_picture(world, client, family):
    world.says(family, False, Said("Red."))
    out = world.well(client, "ask", f"{family}/m", prompt="What is it?", image=png())
    assert out["text"] == "Red."
    sent = world.provider.requests()[0].body.decode()
    assert png() in (sent.replace("-", "+").replace("_", "/") if client.surface == family == "gemini" else sent)
    is_lawful(world, client, family)


@live_and_kept
@families
@clients
def test_an_object_of_a_schema(world, client, family):
    wanted = {"city": "Oslo", "degrees": -3.5}
    world.says(family, False, Said(json.dumps(wanted)))
    out = world.well(client, "ask", f"{family}/m", prompt="Weather?", schema=SCHEMA)
    assert out["parsed"] == wanted, out
    sent = world.provider.requests()[0].body.decode()
    assert '"degrees"' in sent and '"required"' in sent, "the schema came to the provider"
    is_lawful(world, client, family)


@live_and_kept
@families
@ways
def test_what_was_thought(world, client, how, family):
    world.says(family, how, Said(TEXT, THOUGHT))
    out = world.well(client, "ask", f"{family}/m", prompt="Think.", effort="low", stream=how)
    assert out["text"] == TEXT
    if client.name in ("ai-chat", "py-anthropic") and (how or client.name == "ai-chat"):
        return  # they have no place for it
    if (client.name, how) == ("openai-chat", "helper"):
        return
    assert out["reasoning"] == THOUGHT, out
    body = world.provider.requests()[0].json
    asked = {"chat": "reasoning_effort", "responses": "reasoning", "anthropic": "thinking",
             "gemini": "generationConfig"}[family]
    assert body.get(asked), body
    is_lawful(world, client, family)


# ---- beside chat ----

VECTORS = [[1.0, -2.5, 0.125], [3.0, 4.0, -0.5]]


@live_and_kept
@who_can("embed")
@pytest.mark.parametrize("family", ["chat", "gemini"])
def test_vectors(world, client, family):
    if family == "gemini":
        world.provider.script(body={"embeddings": [{"values": row} for row in VECTORS]})
    else:
        coded = [base64.b64encode(struct.pack("<3f", *row)).decode() for row in VECTORS]
        for form, rows in (("base64", coded), ("float", VECTORS)):
            world.provider.script(
                {"body": {"object": "list", "model": "e", "usage": {"prompt_tokens": 2, "total_tokens": 2}, "data": [
                    {"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]},
                 "when": {"contains": f'"{form}"'} if form == "base64" else {}})
    out = world.well(client, "embed", f"{family}/e", texts=["one", "two"])
    assert out["vectors"] == VECTORS, out
    path = world.provider.requests()[0].path
    assert path == {"chat": "/v1/embeddings", "gemini": "/v1beta/models/e:batchEmbedContents"}[family], path


@who_can("models")
def test_models(world, client):
    world.provider.script(body={"object": "list", "data": [{"id": "m-one", "object": "model"}]}, times=0,
                          path="/v1/models")
    out = world.well(client, "models", None)
    ids = [name.removeprefix("models/") for name in out["ids"]]
    assert "offline/echo" in ids and len(set(ids)) == len(ids), out
    one = world.well(client, "model", "offline/echo")
    assert one["id"].removeprefix("models/") == "offline/echo"
    gone = world.do(client, "model", "chat/nothing-of-that-name")
    assert gone["error"]["status"] == 404, gone


@who_can("count")
@families
def test_counts(world, client, family):
    if family == "anthropic":
        world.provider.script(body={"input_tokens": 12})
    if family == "gemini":
        world.provider.script(body={"totalTokens": 12})
    if family == "responses":
        world.provider.script(body={"object": "response.input_tokens", "input_tokens": 12})
    out = world.well(client, "count", f"{family}/m", prompt="one two three")
    assert out["tokens"] > 0, out
    if (client.surface, family) in (("anthropic", "anthropic"), ("gemini", "gemini")):
        assert out["tokens"] == 12


@live_and_kept
@who_can("moderate")
def test_verdicts(world, client):
    assert world.well(client, "moderate", "chat/j", texts=["fine", "unsafe"])["flagged"] == [False, True]


@live_and_kept
@who_can("complete")
@families
def test_old_completions(world, client, family):
    for how in (False, True):
        world.says(family, how, Said("As ever."))
        assert world.well(client, "complete", f"{family}/m", prompt="Say it.", stream=how)["text"] == "As ever."


@pytest.mark.parametrize("client", [c for c in CLIENTS if c.name == "openai-responses"], ids=lambda c: c.name)
@families
def test_kept_answers(world, client, family):
    world.says(family, False, Said("One."), Said("Two."))
    out = world.well(client, "kept", f"{family}/m", prompt="First.", more_prompt="Second.")
    assert out == {"first": "One.", "again": "One.", "second": "Two.", "gone": 404}
    last = world.provider.requests()[-1].body.decode()
    assert "First." in last and "One." in last and "Second." in last and "previous_response_id\":\"" not in last


@pytest.mark.parametrize("client", [c for c in CLIENTS if c.name == "ai-anthropic"], ids=lambda c: c.name)
def test_a_base_without_a_version(world, client):
    """The same variable has another meaning to another package."""
    world.says("anthropic", False, Said("Fine."))
    assert world.well(client, "ask", "anthropic/m", prompt="x", api_path="")["text"] == "Fine."
