"""test_helpers.py - does what an SDK makes of several calls, or of its host's other endpoints, work through the bridge?"""

import base64
import json

import pytest
from clients import CLIENTS
from conftest import KEY, live_and_kept
from replies import Said
from test_sdk import FAMILIES, SCHEMA, TEXT, THOUGHT, TOOLS, is_lawful

BY_NAME = {client.name: client for client in CLIENTS}
CALLS = [("get_weather", {"city": "Oslo"}), ("get_time", {"city": "Rome"})]
ROUNDS = (Said("I look.", "Two at once.", CALLS), Said("", "", [("get_weather", {"city": "Rome"})]), Said("All fine."))
SURFACES = {"openai-chat": "chat", "openai-responses": "responses", "anthropic": "anthropic", "genai": "gemini"}
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
families = pytest.mark.parametrize("family", FAMILIES)


def named(*names):
    return pytest.mark.parametrize("client", [BY_NAME[name] for name in names], ids=lambda client: client.name)


@live_and_kept
# ---- tools that the SDK itself calls ----

@families
@named("openai-chat", "anthropic", "genai", "py-anthropic", "py-genai")
@both
def test_the_sdk_calls_the_tools(world, client, stream, family):
    """A stream of Google's is kept as one content for each piece."""
    world.says(family, stream, *ROUNDS)
    out = world.well(client, "run", f"{family}/m", prompt="Weather?", tools=TOOLS, stream=stream)
    assert [(call["name"], call["args"]) for call in out["calls"]] == [*CALLS, ("get_weather", {"city": "Rome"})]
    assert out["text"].endswith("All fine."), out
    _, second, third = (seen.body.decode() for seen in world.provider.requests())
    assert second.count("get_weather: Oslo") == 1 and second.count("get_time: Rome") == 1
    assert third.count("get_weather: Rome") == 1 and third.count("get_time: Rome") == 1
    is_lawful(world, client, family)


@live_and_kept
@families
@named("openai-chat", "openai-responses", "py-openai-chat", "py-openai-responses")
def test_a_tool_made_of_types(world, client, family):
    args = {"city": "Oslo", "when": None}
    world.says(family, False, Said(calls=[("get_weather", args)]))
    assert world.well(client, "parse", f"{family}/m", prompt="Weather?")["args"] == args
    assert b'"later"' in world.provider.requests()[0].body
    is_lawful(world, client, family)


@live_and_kept
@families
@named("anthropic", "py-anthropic")
def test_an_answer_made_of_types(world, client, family):
    wanted = {"city": "Oslo", "degrees": -3.5}
    world.says(family, False, Said(json.dumps(wanted)))
    assert world.well(client, "parse", f"{family}/m", prompt="Weather?")["parsed"] == wanted
    is_lawful(world, client, family)


@live_and_kept
@families
@named("openai-chat", "openai-responses", "ai-openai", "ai-chat", "ai-anthropic", "ai-google", "ai-compatible")
def test_an_object_in_pieces(world, client, family):
    wanted = {"city": "Oslo", "degrees": -3.5}
    world.says(family, True, Said(json.dumps(wanted, indent=1)))
    how = True if client.program == "ai.mjs" else "helper"
    out = world.well(client, "ask", f"{family}/m", prompt="Weather?", schema=SCHEMA, stream=how)
    assert out["parsed"] == wanted, out


@live_and_kept
# ---- streams ----

@families
@named("anthropic")
def test_what_a_helper_tells_as_it_comes(world, client, family):
    world.says(family, True, Said(TEXT, THOUGHT, CALLS))
    out = world.well(client, "told", f"{family}/m", prompt="Weather?", effort="low", tools=TOOLS)
    assert (out["text"], out["thinking"], out["json"]) == (TEXT, THOUGHT, {"city": "Rome"})
    assert out["blocks"] == ["thinking", "text", "tool_use", "tool_use"] and out["signature"] and out["request_id"]


@live_and_kept
@families
@named("genai", "py-genai")
@both
def test_a_talk(world, client, stream, family):
    world.says(family, stream, Said("One and two."), Said("Three."))
    out = world.well(client, "talk", f"{family}/m", prompts=["First.", "Second."], system="Be brief.", stream=stream)
    assert out["said"] == ["One and two.", "Three."]
    last = world.provider.requests()[-1].body.decode()
    assert "Be brief." in last and "First." in last and "Second." in last
    if family != "gemini":
        assert "One and two." in last, "the pieces of a stream are one text"
    is_lawful(world, client, family)


@live_and_kept
@families
@pytest.mark.parametrize("name", SURFACES)
def test_a_stream_that_is_waited_for(world, name, family):
    """By the clients of an event loop."""
    client = BY_NAME["py-" + name]
    method, body = {"chat": ("chat.completions.create", {"messages": [{"role": "user", "content": "x"}]}),
                    "responses": ("responses.create", {"input": "x"}),
                    "anthropic": ("messages.create", {"max_tokens": 99, "messages": [{"role": "user", "content": "x"}]}),
                    "gemini": ("models.generateContentStream", {"contents": "x"})}[SURFACES[name]]
    world.says(family, True, Said("one two three four"))
    out = world.well(client, "call_later", None, method=method, body={
        "model": f"{family}/m", **body, **({} if name == "genai" else {"stream": True})})
    assert len(out["out"]) >= 4
    for word in ("one", "two", "three", "four"):
        assert sum(word in json.dumps(event) for event in out["out"]) >= 1


@live_and_kept
@families
@named("py-openai-chat")
def test_the_lines_themselves(world, client, family):
    world.says(family, True, Said("one two"))
    out = world.well(client, "raw", f"{family}/m", prompt="x")
    assert out["lines"][-1] == "data: [DONE]" and all(line.startswith("data: ") for line in out["lines"])
    assert out["headers"]["content-type"].startswith("text/event-stream")
    assert out["headers"]["x-request-id"] and out["headers"]["x-llm-broker-target"] == f"{family}/m"
    chunks = [json.loads(line[6:]) for line in out["lines"][:-1]]
    assert all(chunk["choices"] and not chunk.get("usage") for chunk in chunks), "nobody has asked for counts"
    assert len({chunk["id"] for chunk in chunks}) == 1


@families
@named("openai-chat", "py-openai-chat", "anthropic", "py-anthropic", "genai", "py-genai")
@both
def test_a_word_that_ends_it(world, client, stream, family):
    """Also where the provider knows no such thing."""
    said = "one two STOP three" if family == "responses" else "one two "
    world.says(family, stream, Said(said))
    more = {"chat": {"stop": ["STOP"]}, "anthropic": {"stop_sequences": ["STOP"]},
            "gemini": {"stopSequences" if client.kind == "node" else "stop_sequences": ["STOP"]}}[client.surface]
    out = world.well(client, "ask", f"{family}/m", prompt="x", more=more, stream=stream)
    assert out["text"] == "one two ", out
    if family != "responses":
        assert b"STOP" in world.provider.requests()[0].body


# ---- what is kept ----

@families
@named("openai-responses", "py-openai-responses")
def test_an_answer_that_is_looked_at_again(world, client, family):
    def call(method, *ids, **order):
        return world.do(client, "call", None, method=method, ids=list(ids), **order)
    world.says(family, False, Said("One."))
    first = call("responses.create", body={"model": f"{family}/m", "input": "First.", "instructions": "Be brief."})["out"]
    assert call("responses.retrieve", first["id"])["out"]["id"] == first["id"]
    (item,) = call("responses.inputItems.list", first["id"])["out"]
    assert "First." in json.dumps(item)
    assert call("responses.cancel", first["id"])["error"]["status"] == 400
    assert "error" not in call("responses.delete", first["id"])
    assert call("responses.retrieve", first["id"])["error"]["status"] == 404
    gone = call("responses.create", body={"model": f"{family}/m", "input": "x", "previous_response_id": first["id"]})
    assert gone["error"]["status"] in (400, 404)
    assert len(world.provider.requests()) == 1


# ---- what a host has beside ----

def native(world, client, method, answer, *ids, status=200, headers=None, **order):
    world.provider.reset()
    world.provider.script({"status": status, "headers": headers or {}, **(
        {"body_base64": base64.b64encode(answer).decode()} if isinstance(answer, bytes) else {"body": answer})})
    out = world.do(client, "call", None, method=method, ids=list(ids), **order)
    seen = world.provider.requests()
    return out, seen[0] if seen else None


def is_keyed(seen):
    assert KEY.encode() in seen.raw_head and b"Bearer x" not in seen.raw_head


@named("anthropic", "py-anthropic")
def test_batches_of_messages(world, client):
    batch = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress", "request_counts": {
        "processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}, "results_url": None}
    out, seen = native(world, client, "messages.batches.create", batch, body={"requests": [{
        "custom_id": "a", "params": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}}]})
    assert out["out"]["id"] == "msgbatch_1"
    assert (seen.method, seen.path) == ("POST", "/v1/messages/batches") and b'"custom_id"' in seen.body
    is_keyed(seen)
    out, seen = native(world, client, "messages.batches.retrieve", batch, "msgbatch_1")
    assert out["out"]["processing_status"] == "in_progress" and seen.path == "/v1/messages/batches/msgbatch_1"
    out, seen = native(world, client, "messages.batches.list", {"data": [batch], "has_more": False})
    assert [one["id"] for one in out["out"]] == ["msgbatch_1"]


@named("genai", "py-genai")
def test_files_and_prompts_kept_at_google(world, client):
    """Google's stable version has none of it, whatever its client writes; an upload goes on where its reply says."""
    kept = {"name": "cachedContents/1", "model": "models/m"}
    for method, answer, order, wanted in (
            ("files.list", {"files": [{"name": "files/1"}]}, {}, ("GET", "/v1beta/files")),
            ("files.get", {"name": "files/1"}, {"body": {"name": "files/1"}}, ("GET", "/v1beta/files/1")),
            ("files.delete", {}, {"body": {"name": "files/1"}}, ("DELETE", "/v1beta/files/1")),
            ("caches.create", kept, {"body": {"model": "m", "config": {"ttl": "60s", "contents": [
                {"role": "user", "parts": [{"text": "x"}]}]}}}, ("POST", "/v1beta/cachedContents")),
            ("caches.get", kept, {"body": {"name": "cachedContents/1"}}, ("GET", "/v1beta/cachedContents/1"))):
        out, seen = native(world, client, method, answer, **order)
        assert "error" not in out and (seen.method, seen.path) == wanted, (out, seen)
        is_keyed(seen)
    out, _ = native(world, client, "files.get", {"error": {"code": 404, "message": "no such file", "status": "NOT_FOUND"}},
                    status=404, body={"name": "files/2"})
    assert out["error"]["status"] == 404 and "no such file" in out["error"]["message"]


@named("genai")
def test_a_file_goes_to_google(world, client):
    there = "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=abc&upload_protocol=resumable"
    world.provider.script({"body": {}, "headers": {"x-goog-upload-url": there, "x-goog-upload-status": "active"}},
                          {"body": {"file": {"name": "files/1"}}, "headers": {"x-goog-upload-status": "final"}})
    out = world.well(client, "upload", None, base64=base64.b64encode(b"words").decode(), type="text/plain")
    assert out["file"]["name"] == "files/1"
    first, second = world.provider.requests()
    assert first.target == "/upload/v1beta/files" and first.header("x-goog-upload-command") == ["start"]
    assert second.target == "/upload/v1beta/files?upload_id=abc&upload_protocol=resumable" and second.body == b"words"
    assert second.header("x-goog-upload-command") == ["upload, finalize"]
    is_keyed(second)


@named("genai", "py-genai")
def test_vectors_of_a_length(world, client):
    config = {"outputDimensionality": 3, "taskType": "RETRIEVAL_QUERY"}
    out = world.do(client, "call", None, method="models.embedContent", body={
        "model": "chat/e", "contents": "one", "config": config})
    assert [len(one["values"]) for one in out["out"]["embeddings"]] == [3]
    assert world.provider.requests()[0].json["dimensions"] == 3


@named("openai-chat", "py-openai-chat")
def test_vectors_as_they_are_asked_for(world, client):
    for members, wanted in (({"dimensions": 4}, 4), ({"encoding_format": "float", "dimensions": 3}, 3)):
        out = world.do(client, "call", None, method="embeddings.create", body={
            "model": "chat/e", "input": ["one", "two"], **members})
        assert [len(row["embedding"]) for row in out["out"]["data"]] == [wanted] * 2, out
    assert [seen.json["encoding_format"] for seen in world.provider.requests()] == ["base64", "float"]
