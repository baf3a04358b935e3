"""test_relay.py - does a program that speaks a public API get what that API would have said?

A provider `all` speaks every language, so that each caller is answered in its own, and one named for
each language speaks that alone."""

import base64
import json

import answers
import harness
import pytest
from surfaces import FAMILIES, Call, dialects, relay

KEY = "sk-test-0123456789abcdef"
TEXT = "Hel lo, w\u00f6r ld. \u6771\u4eac"
HOSTS = {name: family for name, family in FAMILIES.items() if name != "gemini-list"}

streaming = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
families = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


@pytest.fixture
def made(broker, provider):
    config = harness.provider_section(provider, "all", dialect=dialects())
    for name, family in HOSTS.items():
        config += harness.provider_section(provider, name, dialect=f"{family.dialect} {family.path}",
                                           auth="none")
    made = broker(config + harness.section("model", "all/m", {"price_input": "1", "price_output": "2"}))
    made.add_key("all", KEY)
    return made


# ---- the same language ----

@pytest.mark.valgrind
@families
@streaming
def test_bytes_go_through_in_the_same_language(made, provider, family, stream):
    script, told = family.script(TEXT, stream)
    provider.script(**script)
    call = relay(made, **family.ask("all/m", "x", stream))
    assert call.is_good, call
    seen = provider.requests()[0]
    assert seen.path == family.path_of("m", stream)
    assert seen.body.decode() == family.forwarded("m", "x", stream)
    assert seen.header("authorization") == [f"Bearer {KEY}"]
    assert call.status == 200 and call.is_stream == stream
    assert family.named(call.body, call) == told and family.text(call) == TEXT
    assert call.header("x-llm-broker-target") == ["all/m"]
    assert call.header("x-llm-broker-warning") == []
    assert call.header("x-request-id") == [call.last.body["request_id"]]
    is_in_the_ledger(made, call, family, stream)


def is_in_the_ledger(made, call, family, stream):
    """What passed through was listened to: 9 tokens in and 3 out."""
    assert call.last.body["usage"]["input"] == 9 and call.last.body["usage"]["output"] == 3
    rows = made.wait_ledger(1, 1)
    row = rows["exchange"][0]
    assert (row["op"], row["outcome"], row["surface"]) == ("chat", "ok", family.surface)
    assert (row["provider"], row["target_model"], row["attempts"]) == ("all", "m", 1)
    assert (row["input"], row["output"], row["stream"]) == (9, 3, stream)
    assert row["cost_nusd"] == rows["attempt"][0]["cost_nusd"] == 9 * 1000 + 3 * 2000
    assert row["ttft_us"] is not None and rows["attempt"][0]["http_status"] == 200


@families
@pytest.mark.parametrize("how", [
    {"packet_bytes": 1}, {"random_cuts": {"seed": 3, "max": 40}}, {"one_packet": True},
    {"insert": [{"at": {"events": 0}, "text": ": first\n\n"},
                {"at": {"events": 2}, "text": ": keep-alive\r\n\r\n:\n\n"}]},
    {"framing": "close"}], ids=["byte", "random", "one", "comments", "close"])
def test_streams_go_through_however_they_come(made, provider, family, how):
    script, told = family.script(TEXT, True)
    if "insert" in how and not family.is_sse:
        pytest.skip("an array has no comments")
    provider.script(**script, **how)
    call = relay(made, **family.ask("all/m", "x", True))
    assert call.is_good, call
    for item in how.get("insert", ()):
        assert item["text"].encode() in call.body
    left = family.named(call.body, call).replace(b": first\n\n", b"").replace(b": keep-alive\r\n\r\n:\n\n", b"")
    assert left == told


@pytest.mark.parametrize("name", ["chat", "completions"])
@pytest.mark.parametrize("asked", [True, False])
def test_counts_come_to_who_asked_for_them(made, provider, name, asked):
    family = FAMILIES[name]
    provider.script(**family.script(TEXT, True)[0])
    ask = family.ask("all/m", "x", True)
    ask["body"] = ask["body"][:-1] + ', "stream_options":{"x":1,"include_usage":%s}}' % (
        "true" if asked else "false")
    call = relay(made, **ask)
    assert (family.counts.encode() in call.body) == asked
    options = provider.requests()[0].json["stream_options"]
    assert options == {"x": 1, "include_usage": True}
    assert call.last.body["usage"]["output"] == 3


def test_headers_that_say_how_a_body_is_meant_go_on(made, provider):
    family = FAMILIES["anthropic"]
    provider.script(**family.script(TEXT, False)[0])
    call = relay(made, **family.ask("all/m", "x"), headers=[
        ("anthropic-version", "2023-01-01"), ("anthropic-beta", "a-1,b-2"), ("x-api-key", "sk-mine"),
        ("authorization", "Bearer mine"), ("cookie", "mine=1"), ("x-forwarded-for", "10.0.0.1")])
    assert call.is_good, call
    seen = provider.requests()[0]
    assert seen.header("anthropic-version") == ["2023-01-01"]
    assert seen.header("anthropic-beta") == ["a-1,b-2"]
    assert seen.header("authorization") == [f"Bearer {KEY}"]
    assert b"mine" not in seen.raw_head and b"10.0.0.1" not in seen.raw_head
    assert call.header("set-cookie") == [] and call.header("request-id") == call.header("x-request-id")


# ---- another language ----

@families
@streaming
def test_another_language_is_translated(made, provider, family, stream):
    others = {name: host for name, host in HOSTS.items() if host.dialect != family.dialect}
    for name, host in others.items():
        provider.script(**host.script(TEXT, stream)[0])
        call = relay(made, **family.ask(f"{name}/m", "x", stream))
        assert call.is_good and call.status == 200 and call.is_stream == stream, call
        assert family.text(call) == TEXT, name
        assert call.header("x-llm-broker-target") == [f"{name}/m"]
        (warning,) = call.header("x-llm-broker-warning")
        assert warning.startswith(("dropped_parameter x_first", "dropped_parameter xFirst"))
        seen = provider.requests()[-1]
        assert seen.path == host.path_of("m", stream) and b"Say x" in seen.body
        assert b"irst" not in seen.body
        assert call.last.body["usage"]["input"] == 9 and call.last.body["usage"]["output"] == 3
    rows = made.wait_ledger(len(others), len(others))["exchange"]
    assert all((row["input"], row["output"], row["warnings"]) == (9, 3, 1) for row in rows)
    assert {row["surface"] for row in rows} == {family.surface}


@families
def test_the_offline_provider_answers_too(made, family):
    """Without a key, and what it says is what it was told."""
    for stream in (False, True):
        call = relay(made, **family.ask("offline/echo", "this", stream))
        assert call.is_good and family.text(call) == "Say this", call


# ---- beside chat ----

def test_vectors(made, provider):
    """In the same language, as they are; at Google's, translated."""
    asked = '{"input": ["a", "\\u0062"] , "model":"%s","x":1e400}'
    provider.script(body='{"object":"list" ,"data":[{"index":0,"embedding":[1.0,2e0],"object":"embedding"},'
                    '{"index":1,"embedding":[3,4]}],"model":"e","usage":{"prompt_tokens":2}}')
    call = relay(made, "openai.embeddings", asked % "chat/e")
    assert call.body.startswith(b'{"object":"list" ,"data":[{"index":0,"embedding":[1.0,2e0]')
    assert provider.requests()[0].body.decode() == asked % "e"
    provider.script(body={"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}]})
    call = relay(made, "openai.embeddings", '{"model":"gemini/e","input":["a","b"]}')
    assert [row["embedding"] for row in call.json["data"]] == [[1, 2], [3, 4]], call
    assert provider.requests()[1].path == "/v1beta/models/e:batchEmbedContents"
    rows = made.wait_ledger(2, 2)["exchange"]
    assert {(row["op"], row["surface"]) for row in rows} == {("embed", "openai.embeddings")}
    assert rows[0]["input"] == 2


def test_vectors_in_googles_words(made, provider):
    """One, or a list; all of one call alike."""
    said = {"data": [{"index": 0, "embedding": [1, 2]}, {"index": 1, "embedding": [3, 4]}],
            "usage": {"prompt_tokens": 2}}

    def ask(model, *texts, method="batchEmbedContents", **more):
        rows = [{"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **more} for text in texts]
        body = rows[0] if method == "embedContent" else {"requests": rows}
        return relay(made, "gemini.generate", json.dumps(body), path=f"/v1beta/models/{model}:{method}")
    provider.script({"body": said})
    call = ask("chat/e", "a", "b", outputDimensionality=2)
    assert call.json == {"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}]}, call
    seen = provider.requests()[0].json
    assert (seen["model"], seen["input"], seen["dimensions"]) == ("e", ["a", "b"], 2)
    provider.script({"body": {"data": said["data"][:1], "usage": {"prompt_tokens": 1}}})
    assert ask("chat/e", "a", method="embedContent").json == {"embedding": {"values": [1, 2]}}
    provider.script({"body": {"embeddings": [{"values": [1, 2]}]}})
    assert ask("gemini/e", "a", taskType="RETRIEVAL_QUERY").json == {"embeddings": [{"values": [1, 2]}]}
    sent = provider.requests()[-1]
    assert sent.path == "/v1beta/models/e:batchEmbedContents"
    assert sent.json["requests"] == [{"model": "models/e", "content": {"parts": [{"text": "a"}]},
                                      "taskType": "RETRIEVAL_QUERY"}]
    for body, words in (({"requests": []}, "at least one"), ({}, "an array"),
                        ({"requests": [{"content": {"parts": []}}]}, "one part"),
                        ({"requests": [{"content": {"parts": [{"text": "a"}]}, "taskType": "NO"}]}, "no such task"),
                        ({"requests": [{"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2},
                                       {"content": {"parts": [{"text": "b"}]}}]}, "alike"),
                        ({"requests": [{"content": {"parts": [{"text": "a"}]}, "title": "A"},
                                       {"content": {"parts": [{"text": "b"}]}, "title": "B"}]}, "alike")):
        call = relay(made, "gemini.generate", json.dumps(body), path="/v1beta/models/chat/e:batchEmbedContents")
        assert call.status == 400 and words in call.json["error"]["message"], call
    rows = made.wait_ledger(9)["exchange"]
    assert {row["op"] for row in rows if row["outcome"] == "ok"} == {"embed"}


def test_ranks_and_verdicts(made, provider):
    call = relay(made, "rerank", json.dumps({"model": "all/r", "query": "cheese", "top_n": 1,
                                             "documents": ["bread", "cheese"]}))
    assert [row["index"] for row in call.json["results"]] == [1], call
    call = relay(made, "openai.moderations", json.dumps({"model": "all/j", "input": ["fine", "unsafe"]}))
    assert [row["flagged"] for row in call.json["results"]] == [False, True], call
    assert [row["op"] for row in made.wait_ledger(2, 2)["exchange"]] == ["rerank", "moderate"]


def test_lists_of_models(made, provider):
    call = relay(made, "models", method="GET", path="/v1/models", query="provider=all")
    names = [row["id"] for row in call.json["data"]]
    assert {f"all/{name}" for name in answers.MODELS["openai"]} <= set(names)
    assert call.json["object"] == "list" and call.json["first_id"] == names[0]
    call = relay(made, "models", method="GET", path="/v1/models/offline/echo")
    assert call.json["id"] == "offline/echo", call
    call = relay(made, "models", method="GET", path="/v1/models/all/nothing")
    assert call.status == 404 and call.fault == "not_found", call
    call = relay(made, "gemini.generate", method="GET", path="/v1beta/models", query="provider=all")
    assert all(row["name"].startswith("models/") for row in call.json["models"]), call


def test_counts_of_tokens(made, provider):
    asked = '{"model":"%s/m","messages":[ {"role":"user","content":"one two"}]}'
    provider.script(body='{"input_tokens" : 6}')
    call = relay(made, "anthropic.messages", asked % "anthropic", path="/v1/messages/count_tokens")
    assert call.body == b'{"input_tokens" : 6}', call
    assert provider.requests()[0].body.decode() == (asked % "anthropic").replace("anthropic/", "")
    call = relay(made, "anthropic.messages", asked % "chat", path="/v1/messages/count_tokens")
    assert call.json["input_tokens"] > 0 and len(provider.requests()) == 1, "estimated here"
    call = relay(made, "openai.responses", '{"model":"chat/m","input":"one two"}',
                 path="/v1/responses/input_tokens")
    assert call.json["input_tokens"] > 0, call
    call = relay(made, "gemini.generate", '{"contents":[{"parts":[{"text":"one"}]}]}',
                 path="/v1beta/models/chat/m:countTokens")
    assert call.json["totalTokens"] > 0, call
    assert {row["op"] for row in made.wait_ledger(4)["exchange"]} == {"count"}


@pytest.mark.parametrize("surface, path", [
    ("openai.nonsense", None), ("openai.responses", "/v1/responses/resp_1/cancel"),
    ("gemini.generate", "/v1beta/models/m:predict")])
def test_what_a_surface_has_not(made, surface, path):
    call = relay(made, surface, "{}", path=path)
    assert call.status in (400, 501) and call.fault in ("unsupported", "invalid_request"), call
    assert call.json["error"]["message"], call


# ---- by the CLI ----

@pytest.mark.valgrind
def test_llmb_relay(made, provider):
    family = FAMILIES["anthropic"]
    script, told = family.script(TEXT, True)
    provider.script(**script)
    done = made.llmb("relay", "anthropic.messages", input=family.body("all/m", "x", True))
    assert done.code == 0 and done.out.encode() == told, done
    assert provider.requests()[0].body.decode() == family.forwarded("m", "x", True)
    provider.script(**FAMILIES["chat"].script(TEXT, False)[0])
    done = made.llmb("relay", "-i", "anthropic.messages", "/v1/messages",
                     input=family.body("chat/m", "x", False))
    head, _, body = done.out.partition("\n\n")
    assert done.code == 0 and head.startswith("HTTP 200\n") and "x-llm-broker-target: chat/m" in head
    assert json.loads(body)["content"] == [{"type": "text", "text": TEXT}]


def test_llmb_relay_as_json(made, provider):
    family = FAMILIES["gemini-list"]
    script, told = family.script(TEXT, True)
    provider.script(**script)
    done = made.llmb("relay", "--json", "gemini.generate",
                     "/v1beta/models/all/m:streamGenerateContent", input=family.body("", "x", True))
    said = [json.loads(line) for line in done.out.splitlines()]
    assert [line["type"] for line in (said[0], said[-1])] == ["head", "end"], done
    body = b"".join(base64.b64decode(line["base64"]) for line in said[1:-1])
    assert said[0]["status"] == 200 and body == told and said[-1]["usage"]["output"] == 3


def test_llmb_relay_shows_an_error_and_tells_it(made, provider):
    provider.script(status=400, message="no such tool")
    done = made.llmb("relay", "openai.chat", input=FAMILIES["chat"].body("all/m", "x", False))
    assert done.code == 7 and "no such tool" in done.err
    assert json.loads(done.out)["error"]["message"] == "no such tool"
    done = made.llmb("relay", "openai.chat", input="[]")
    assert done.code == 7 and json.loads(done.out)["error"]["type"] == "invalid_request_error"
    assert made.llmb("relay", "models", "/v1/models/offline/echo").code == 0


# ---- a caller who waits ----

@families
def test_who_waits_is_told_so_and_is_still_answered_by_another(broker, provider, family):
    """Comments are all that a stream has until somebody answers; to Google's readers, empty lines."""
    remark = b"\n" if family.surface == "gemini.generate" else b": waiting\n\n"
    made = broker("[broker]\nhead_hold = 50ms\nkeep_alive = 50ms\n" +
                  harness.provider_section(provider, "all", dialect=dialects()) +
                  harness.section("model", "m", {"target": ["all/a", "all/b"]}))
    made.add_key("all", KEY)
    script, told = family.script(TEXT, True)
    provider.script({"status": 503, "hold": "start"}, {"status": 503}, {"status": 503}, script)
    call = Call(made, **family.ask("m", "x", True))
    if family.is_sse:
        call.until(remark * 2)
        assert call.status == 200 and call.is_stream
    provider.release()
    call.finish()
    body = family.named(call.body, call)
    waited = len(body) - len(told)
    assert call.is_good and body == remark * (waited // len(remark)) + told, call
    assert (waited > 0) == family.is_sse
