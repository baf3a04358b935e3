"""test_bridge.py - does a program that knows a base URL get through the bridge what its API would have said?"""

import json
import os
import signal
import socket
import subprocess
import time

import answers
import harness
import pytest
from bridge import Http, ask, has_v6
from surfaces import FAMILIES, dialects

KEY = "sk-test-0123456789abcdef"
TEXT = "Hel lo, w\u00f6r ld. \u6771\u4eac"
MIB = 1 << 20
WHERE = {"tcp": lambda b: ("127.0.0.1", b.port), "unix": lambda b: b.path, "v6": lambda b: ("::1", b.v6_port)}

families = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
streaming = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def config(provider, **more):
    text = harness.provider_section(provider, "all", dialect=dialects(), **more)
    return text + harness.section("model", "all/m", {"price_input": "1", "price_output": "2"})


@pytest.fixture
def made(broker, provider):
    made = broker(config(provider))
    made.add_key("all", KEY)
    return made


@pytest.fixture
def door(bridge, made):
    return bridge(made)


def target_of(family, stream, model="all/m"):
    asked = family.ask(model, "x", stream)
    path = asked.get("path") or family.path
    return path + (f"?{asked['query']}" if asked.get("query") else "")


def held_at(family):
    """The events that come before a hold in the midst of the text."""
    return 2 if "gemini" in family.surface or family.surface == "openai.completions" else 4


def say(where, family, stream=False, text="x", model="all/m", **more):
    return ask(where, "POST", target_of(family, stream, model), family.body(model, text, stream), **more)


# ---- surfaces ----

@pytest.mark.valgrind
@families
@streaming
def test_bytes_go_through(door, provider, family, stream):
    """By each way in; the provider gets what the caller sent, and the caller what the provider said."""
    ways = [name for name in WHERE if name != "v6" or has_v6()]
    for n, way in enumerate(ways):
        script, told = family.script(TEXT, stream)
        provider.script(**script)
        answer = say(WHERE[way](door), family, stream)
        assert answer.status == 200 and answer.is_whole, answer
        answer.is_stream = stream
        assert family.named(bytes(answer.body), answer) == told and family.text(answer) == TEXT, way
        seen = provider.requests()[n]
        assert seen.path == family.path_of("m", stream)
        assert seen.body.decode() == family.forwarded("m", "x", stream)
        assert seen.header("authorization") == [f"Bearer {KEY}"]
        assert answer.header("x-llm-broker-target") == ["all/m"]
        assert answer.header("x-request-id")[0].startswith("req_"), answer
        if stream and family.is_sse:
            assert answer.header("content-type")[0].startswith("text/event-stream")
            assert answer.header("cache-control") == ["no-cache"]
            assert answer.header("content-length") == []
        elif not stream:
            assert answer.header("x-llm-broker-cost-usd") == ["0.000015000"], answer
            assert answer.header("content-length") == [str(len(answer.body))]


@families
def test_a_stream_comes_as_it_is_said(door, provider, family):
    """What the provider has said is there before it says more; an array's members, too."""
    script, told = family.script(TEXT, True)
    provider.script(**script, hold=held_at(family))
    with Http(door) as http:
        http.request("POST", target_of(family, True), family.body("all/m", "x", True)).head()
        http.until("Hel")
        assert b"ld." not in http.answer.body
        provider.release()
        assert family.named(bytes(http.finish().body), http.answer) == told


def test_paths_that_mean_the_same(door, provider):
    family = FAMILIES["chat"]
    for target in ("/chat/completions", "/v1/v1/chat/completions", "/openai/v1/chat/completions", "/v1/chat/completions/",
                   "//v1/chat/completions", "/v1//chat/completions", "/v1/chat/completions?x=y",
                   "http://127.0.0.1:8411/v1/chat/completions"):
        provider.script(**family.script(TEXT, False)[0])
        answer = ask(door, "POST", target, family.body("all/m", "x", False))
        assert answer.status == 200 and family.text(answer) == TEXT, (target, answer)
        assert provider.requests()[-1].path == family.path


def test_models(door):
    for target in ("/v1/models", "/models", "/v1/v1/models"):
        answer = ask(door, "GET", target)
        names = [row["id"] for row in answer.json["data"]]
        assert {f"all/{name}" for name in answers.MODELS["openai"]} <= set(names), answer
        assert answer.json["first_id"] == names[0]
    whole = ask(door, "GET", "/v1/models/offline/echo")
    assert whole.json["id"] == "offline/echo", whole
    for target in ("/v1/models/offline/echo", "/v1/models"):
        with Http(door) as http:  # what a GET would say, but for the body; and the connection stays in step
            answer = http.request("HEAD", target).read("HEAD")
            assert answer.status == 200 and not answer.body, answer
            assert http.request("GET", "/health").read().json["status"] == "ok"
    gone = ask(door, "GET", "/v1/models/all/nothing")
    assert gone.status == 404 and gone.json["error"]["code"] == "model_not_found", gone
    listed = ask(door, "GET", "/v1beta/models?pageSize=1000")
    assert all(row["name"].startswith("models/") for row in listed.json["models"]), listed
    assert ask(door, "GET", "/v1beta/models/offline/echo").json["name"].endswith("offline/echo")


def test_what_is_beside_chat(door, provider):
    provider.script(body='{"object":"list" ,"data":[{"index":0,"embedding":[1.0,2e0],"object":"embedding"}],'
                    '"model":"e","usage":{"prompt_tokens":2}}')
    answer = ask(door, "POST", "/v1/embeddings", '{"input":"a" ,"model":"all/e","x":1e400}')
    assert answer.body.startswith(b'{"object":"list" ,"data":[{"index":0,"embedding":[1.0,2e0]'), answer
    assert provider.requests()[0].body == b'{"input":"a" ,"model":"e","x":1e400}'
    answer = ask(door, "POST", "/v1/rerank", json.dumps(
        {"model": "all/r", "query": "cheese", "top_n": 1, "documents": ["bread", "cheese"]}))
    assert [row["index"] for row in answer.json["results"]] == [1], answer
    answer = ask(door, "POST", "/v1/moderations", '{"model":"all/j","input":["fine","unsafe"]}')
    assert [row["flagged"] for row in answer.json["results"]] == [False, True], answer
    answer = ask(door, "POST", "/v1/messages/count_tokens",
                 '{"model":"offline/echo","messages":[{"role":"user","content":"one two"}]}')
    assert answer.json["input_tokens"] > 0, answer
    answer = ask(door, "POST", "/v1beta/models/offline/echo:countTokens", '{"contents":[{"parts":[{"text":"one"}]}]}')
    assert answer.json["totalTokens"] > 0, answer
    answer = ask(door, "POST", "/v1/responses/input_tokens", '{"model":"offline/echo","input":"one two"}')
    assert answer.json["input_tokens"] > 0, answer


COUNTS = {  # in which dialect, at which path it is asked, with what, where the count is, and at which path its host is asked
    "responses": ("openai-responses /responses", "/v1/responses/input_tokens", {"model": "%s", "input": "one two"},
                  "input_tokens", "/responses/input_tokens"),
    "anthropic": ("anthropic /v1/messages", "/v1/messages/count_tokens",
                  {"model": "%s", "messages": [{"role": "user", "content": "one two"}]}, "input_tokens",
                  "/v1/messages/count_tokens"),
    "gemini": ("gemini /v1beta/models/{model}:{method}", "/v1beta/models/%s:countTokens",
               {"contents": [{"role": "user", "parts": [{"text": "one two"}]}]}, "totalTokens", "/v1beta/models/m:countTokens")}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("status,body", [(404, "404 page not found"), (404, '{"detail":"Not Found"}'), (405, ""), (501, "{}")])
def test_a_host_that_does_not_count(bridge, broker, provider, name, status, body):
    """It is asked once: from then on counts are made here, for all of its models; and it rests from nothing."""
    dialect, path, asked, member, seen = COUNTS[name]
    family = FAMILIES[name]
    door = bridge(broker(harness.provider_section(provider, "all", dialect=dialect, auth="none")))

    def count(model):
        text = json.dumps(asked).replace("%s", model)
        return ask(door, "POST", path.replace("%s", model), text)
    provider.script(status=status, body=body, headers={"content-type": "application/json" if body[:1] == "{" else "text/plain"})
    for model in ("all/m", "all/m", "all/n"):
        answer = count(model)
        assert answer.status == 200 and answer.json[member] > 0, answer
        assert answer.header("x-llm-broker-warning")[0].startswith("emulated messages"), answer
    assert [one.path for one in provider.requests()] == [seen]
    provider.script(**family.script(TEXT, False)[0])
    assert say(door, family).status == 200 and len(provider.requests()) == 2, "all else is asked there as before"


@pytest.mark.parametrize("name", COUNTS)
def test_a_host_that_knows_no_such_model_to_count_for(bridge, broker, provider, name):
    dialect, path, asked, _, _ = COUNTS[name]
    door = bridge(broker(harness.provider_section(provider, "all", dialect=dialect, auth="none")))
    for n in (1, 2):
        provider.script(status=404, body='{"error":{"message":"The model m does not exist","code":"model_not_found"}}')
        answer = ask(door, "POST", path.replace("%s", f"all/m{n}"), json.dumps(asked).replace("%s", f"all/m{n}"))
        assert answer.status == 404 and len(provider.requests()) == n, answer


def test_responses_are_kept(door, provider):
    family = FAMILIES["responses"]
    provider.script(**family.script(TEXT, False)[0])
    made = say(door, family)
    name = made.json["id"]
    kept = ask(door, "GET", f"/v1/responses/{name}")
    assert kept.status == 200 and kept.json["id"] == name, kept
    assert ask(door, "DELETE", f"/v1/responses/{name}").status == 200
    assert ask(door, "GET", f"/v1/responses/{name}").status == 404


def test_native(door, provider):
    for method, target, seen_target, body in (
            ("POST", "/native/all/v1/files?purpose=x&key=mine", "/v1/files?purpose=x", b"\x00\xff\xfe"),
            ("GET", "/native/all/v1/files/a%2Fb", "/v1/files/a%2Fb", b""),
            ("DELETE", "/native/all/v1/files/f", "/v1/files/f", b""),
            ("PUT", "/native/all/v1/x", "/v1/x", b"y" * 300_000),
            ("PATCH", "/native/all/v1/x", "/v1/x", b'{"a" : 1e400}')):
        provider.script(status=201, body=' {"odd" :1.0}', headers={"etag": "e1"})
        answer = ask(door, method, target, body, [("Content-Type", "application/x-mine"), ("x-api-key", "mine"),
                                                  ("Authorization", "Bearer mine"), ("Cookie", "mine=1")])
        assert answer.status == 201 and answer.body == b' {"odd" :1.0}' and answer.header("etag") == ["e1"], answer
        seen = provider.requests()[-1]
        assert (seen.method, seen.target, seen.body) == (method, seen_target, body)
        assert b"mine" not in seen.raw_head.replace(b"x-mine", b"") and seen.header("authorization") == [f"Bearer {KEY}"]


def test_native_answers_of_any_kind(door, provider):
    """Short or long: one length or none, and the connection goes on."""
    with Http(door) as http:
        for kind in ("application/octet-stream", "application/json", "audio/mpeg", None):
            for size in (0, 1000, 2 * MIB):
                provider.script(body="z" * size, headers={"content-type": kind, "x-odd": "yes"})
                answer = http.request("GET", "/native/all/v1/files/f/content", headers=[("Range", "bytes=0-")]).read()
                assert answer.status == 200 and answer.is_whole and answer.body == b"z" * size, answer
                assert len(answer.header("content-length")) + len(answer.header("transfer-encoding")) == 1, answer
                assert provider.requests()[-1].header("range") == ["bytes=0-"]


def test_native_statuses(door, provider):
    with Http(door) as http:
        for n, status in enumerate((204, 304, 206, 301, 418)):
            said = "" if status in (204, 304) else "odd"
            provider.script(status=status, body=said, headers={"location": "https://evil.test/"})
            answer = http.request("GET", "/native/all/v1/x", headers=[("If-None-Match", "e1")]).read()
            assert answer.status == status and answer.body == said.encode(), answer
            assert len(provider.requests()) == n + 1, "nobody is followed anywhere"


def test_a_long_native_answer_is_not_kept(door, provider):
    provider.script(body="z" * (24 * MIB), headers={"content-type": "application/octet-stream"}, packet_bytes=65536)
    before = door.rss_kib()
    with Http(door, rcvbuf=65536) as http:
        http.request("GET", "/native/all/v1/files/f/content").head()
        time.sleep(0.5)
        used = door.rss_kib() - before
        assert len(http.finish().body) == 24 * MIB and http.answer.is_whole
    assert harness.is_sanitized() or used < 4 * 1024, used


def test_a_provider_named_by_a_header(door, provider):
    provider.script(body="{}")
    answer = ask(door, "GET", "/v1/files", headers=[("X-LLM-Broker-Provider", "all")])
    assert answer.status == 200 and provider.requests()[0].target == "/v1/files", answer


# ---- what is said of it ----

def test_headers_say_what_became_of_it(bridge, broker, providers):
    """Who answered, behind whom, at which price."""
    first, second = providers(), providers()
    family = FAMILIES["chat"]
    made = broker(harness.provider_section(first, "one", auth="none") + harness.provider_section(second, "two", auth="none") +
                  harness.section("model", "m", {"target": ["one/a", "two/b"]}))
    door = bridge(made)
    first.script(status=503, times=0)
    second.script(**family.script(TEXT, False)[0])
    answer = say(door, family, model="m")
    assert answer.status == 200 and answer.header("x-llm-broker-target") == ["two/b"], answer
    assert int(answer.header("x-llm-broker-attempts")[0]) >= 2 and "one/a" in answer.header("x-llm-broker-route")[0]


def test_warnings(bridge, broker, provider):
    made = broker(harness.provider_section(provider, "claude", dialect="anthropic /v1/messages", auth="none"))
    provider.script(**FAMILIES["anthropic"].script(TEXT, False)[0])
    answer = say(bridge(made), FAMILIES["chat"], model="claude/m")
    assert answer.status == 200 and answer.header("x-llm-broker-warning")[0].startswith("dropped_parameter x_first")


HOSTED = {  # a tool that its own hosts serve, its word in a warning, and how it is chosen
    "responses": ([{"type": "web_search"}], "web_search", {"tool_choice": {"type": "web_search"}}),
    "anthropic": ([{"type": "web_search_20250305", "name": "web_search"}], "web_search_20250305",
                  {"tool_choice": {"type": "tool", "name": "web_search"}}),
    "gemini": ([{"googleSearch": {}}], "googleSearch", {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}})}


@pytest.mark.parametrize("name,to", [(name, to) for name in HOSTED for to in ("chat", "responses", "anthropic", "gemini") if name != to])
@streaming
def test_tools_of_another_host(bridge, broker, provider, name, to, stream):
    """They are offered on every request by some programs: that is no reason not to answer. To be called they are refused."""
    tools, word, choice = HOSTED[name]
    family, other = FAMILIES[name], FAMILIES[to]
    door = bridge(broker(harness.provider_section(provider, "all", dialect=f"{other.dialect} {other.path}", auth="none")))
    provider.script(**other.script(TEXT, stream)[0])
    asked = {"responses": {"input": "x"}, "anthropic": {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
             "gemini": {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}}[name]
    body = {"model": "all/m", **({} if name == "gemini" else {"stream": stream}), **asked, "tools": tools}
    answer = ask(door, "POST", target_of(family, stream), json.dumps(body))
    assert answer.status == 200 and answer.is_whole and "Hel" in answer.body.decode(), answer
    assert any(word in said and said.startswith("dropped_parameter tools[0]")
               for said in answer.header("x-llm-broker-warning")), answer
    sent = json.loads(provider.requests()[0].body)
    assert word not in json.dumps(sent) and not sent.get("tools") and "tool_choice" not in sent, sent
    answer = ask(door, "POST", target_of(family, stream), json.dumps({**body, **choice}))
    assert answer.status == 400 and len(provider.requests()) == 1, answer


def test_wishes_for_the_broker(door, provider, made):
    family = FAMILIES["chat"]
    provider.script(**family.script(TEXT, False)[0])
    answer = say(door, family, headers=[("X-LLM-Broker-Tags", "a=1, b=2"), ("X-LLM-Broker-Session", "s")])
    assert answer.status == 200, answer
    long = say(door, family, headers=[("X-LLM-Broker-Tags", "a=" + "x" * 1000)])
    assert long.status == 400 and "tag" in long.json["error"]["message"], long
    provider.script(hold="start")
    late = say(door, family, headers=[("X-LLM-Broker-Timeout-Ms", "300")])
    assert late.status in (400, 504) and late.header("x-llm-broker-class")[0] in ("timeout", "outcome_unknown"), late
    for name, value in (("Timeout-Ms", "soon"), ("Timeout-Ms", "-1"), ("Max-Cost-Usd", "much"), ("Batch", "perhaps"),
                        ("At-Most-Once", "2"), ("Timeout-Ms", "99999999999999999999")):
        answer = say(door, family, headers=[(f"X-LLM-Broker-{name}", value)])
        assert answer.status == 400 and name.lower() in answer.json["error"]["message"], answer
    assert len(provider.requests()) == 2


# ---- HTTP ----

@pytest.mark.valgrind
def test_a_connection_is_used_again(door, provider):
    """One request after another, whatever came of the one before; then several that do not wait for each other."""
    family = FAMILIES["chat"]
    provider.script(**family.script(TEXT, False)[0], times=0)
    body = family.body("all/m", "x", False)
    with Http(door) as http:
        for _ in range(3):
            assert http.request("POST", family.path, body).read().status == 200
            assert http.request("GET", "/v1/nowhere").read().status == 404
            assert http.request("POST", family.path, "{").read().status == 400
            assert http.request("GET", "/").read().status == 200
        for _ in range(4):
            http.request("POST", family.path, body).request("GET", "/v1/models").request("HEAD", "/")
        for _ in range(4):
            assert family.text(http.read()) == TEXT
            assert http.read().json["object"] == "list"
            assert http.read("HEAD").status == 200
    assert sum(seen.method == "POST" for seen in provider.requests()) == 7


def test_pipelined_streams_stay_in_order(door, provider):
    family = FAMILIES["anthropic"]
    for text in ("one", "two", "three"):
        provider.script(**family.script(text, True)[0])
    with Http(door) as http:
        for _ in range(3):
            http.request("POST", family.path, family.body("all/m", "x", True))
        for text in ("one", "two", "three"):
            answer = http.read()
            assert answer.is_whole and family.text(answer) == text, answer


@streaming
def test_http_1_0(door, provider, stream):
    """Without a Host and without chunks; the end of the connection is the end of the answer."""
    family = FAMILIES["chat"]
    script, told = family.script(TEXT, stream)
    provider.script(**script)
    with Http(door) as http:
        http.request("POST", family.path, family.body("all/m", "x", stream), version="1.0", host=None)
        answer = http.read()
        assert answer.status == 200 and answer.body == told and answer.header("transfer-encoding") == [], answer
        assert http.is_closed()


def test_a_body_in_chunks(door, provider):
    family = FAMILIES["chat"]
    with Http(door) as http:
        for sizes in ((1,) * 60, (10_000,) * 40, (1_000_000,), (3, 200_000, 1)):
            text = "y" * max(0, sum(sizes) - 200)
            provider.script(**family.script(TEXT, False)[0])
            body, pieces = family.body("all/m", text, False).encode(), []
            for size in (*sizes, len(family.body("all/m", text, False))):
                pieces.append(body[:size])
                body = body[size:]
            http.request("POST", family.path, headers=[("Transfer-Encoding", "chunked")], length=False)
            http.chunks([one for one in pieces if one], extension=";a=b")
            assert http.read().status == 200, http.answer
            assert provider.requests()[-1].body.decode() == family.forwarded("m", text, False)


def test_heads_as_others_write_them(door, provider):
    """Names in any case, trailers behind the chunks, no type, and an end of the connection that was asked for."""
    family = FAMILIES["chat"]
    provider.script(**family.script(TEXT, False)[0], times=0)
    body = family.body("all/m", "x", False).encode()
    with Http(door) as http:
        http.send(b"POST /v1/chat/completions HTTP/1.1\r\nhOST:localhost:8411\r\nTRANSFER-encoding: Chunked\r\n"
                  b"Trailer: X-Sum\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n%X;q=\"1\"\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" %
                  (len(body), body))
        assert family.text(http.read()) == TEXT, http.answer
        http.request("POST", family.path, body, [("Connection", "close"), ("Content-Type", "text/plain;charset=utf-8")])
        assert family.text(http.read()) == TEXT and http.answer.header("connection") == ["close"], http.answer
        assert http.is_closed()
    assert [seen.body for seen in provider.requests()] == [family.forwarded("m", "x", False).encode()] * 2


def test_an_empty_body(door, provider):
    """In chunks, by its length, and not announced at all: the surface's own word for it, at once."""
    for headers, sent in (([("Transfer-Encoding", "chunked")], "0\r\n\r\n"), ([("Content-Length", "0")], ""), ([], "")):
        with Http(door, timeout=5 * harness.SLOWER) as http:
            http.request("POST", "/v1/chat/completions", headers=headers, length=False)
            http.send(sent)
            assert http.read().status == 400 and http.answer.json["error"]["message"], http.answer
    assert provider.requests() == []


def test_expect_100_continue(door, provider):
    """Who asks first is told to go on, or why not."""
    family = FAMILIES["chat"]
    provider.script(**family.script(TEXT, False)[0])
    body = family.body("all/m", "y" * 300_000, False).encode()
    with Http(door) as http:
        http.request("POST", family.path, length=False, headers=[
            ("Expect", "100-continue"), ("Content-Length", str(len(body)))])
        assert http.head().status == 100
        http.send(body)
        assert http.read().status == 200
    with Http(door) as http:
        http.request("POST", "/v1/nowhere", length=False, headers=[
            ("Expect", "100-continue"), ("Content-Length", str(len(body)))])
        assert http.read().status == 404
    assert provider.requests()[0].body.decode() == family.forwarded("m", "y" * 300_000, False)


def test_forty_mebibytes(bridge, broker, provider):
    made = broker(config(provider, bytes_max=str(64 * MIB)))
    made.add_key("all", KEY)
    door = bridge(made)
    family, text = FAMILIES["anthropic"], "0123456789abcdef" * (40 * MIB // 16)
    provider.script(**family.script("small", False)[0])
    say(door, family)
    before = door.rss_kib()
    provider.script(**family.script("z" * (5 * MIB), False)[0])
    answer = say(door, family, text=text)
    assert answer.status == 200 and len(family.text(answer)) == 5 * MIB, answer
    assert provider.requests()[1].body.decode() == family.forwarded("m", text, False)
    if not harness.is_sanitized():
        assert door.rss_kib() - before < 4 * 1024, "no more of it is kept than what is under way"


def test_more_than_a_body_may_have(door, provider):
    family = FAMILIES["anthropic"]
    with Http(door) as http:
        http.request("POST", family.path, length=False, headers=[("Content-Length", str(64 * MIB + 1)),
                                                                 ("Expect", "100-continue")])
        answer = http.read()
        assert answer.status == 413 and answer.json["error"]["type"] == "request_too_large", answer
    with Http(door) as http:
        http.request("POST", family.path, length=False, headers=[("Transfer-Encoding", "chunked")])
        http.chunks([b"y" * MIB] * 65)
        answer = http.read()
        assert answer.status == 413 and answer.json["error"]["type"] == "request_too_large", answer
    assert provider.requests() == []


def test_who_sends_all_before_he_listens_hears_why_not(door, provider):
    """As most clients do; what nobody wants is read, or the answer would be lost with the connection."""
    with Http(door) as http:
        for target, size, status in (("/v1/nowhere", 10, 404), ("/v1/nowhere", 3 * MIB, 404),
                                     ("/v1/messages", 65 * MIB, 413), ("/health", 200_000, 405)):
            answer = http.request("POST", target, b"y" * size).read()
            assert answer.status == status and answer.json["error"]["message"], answer
            assert http.request("GET", "/").read().status == 200, "the connection is as good as before"
    assert provider.requests() == []


# ---- errors ----

@families
def test_errors_of_the_provider(door, made, provider, family):
    is_claude = family.surface == "anthropic.messages"
    for status, name in ((401, "auth"), (403, "permission"), (404, "not_found"), (400, "invalid_request"),
                         (429, "rate_limited"), (500, "server_error"), (503, "overloaded")):
        provider.script(status=status, times=0)
        answer = say(door, family, headers=[("X-LLM-Broker-At-Most-Once", "yes")])
        want = ERRORS[name]
        assert answer.header("x-llm-broker-class") == [name], answer
        assert answer.status == want["anthropic_status" if is_claude else "status"], answer
        assert answer.header("x-should-retry") == ["true" if want["retryable"] else "false"]
        kind, message = family.error(answer)
        assert message and kind == want["anthropic" if is_claude else "gemini" if "gemini" in family.surface else "openai"], answer
        provider.reset()
        made.forget_rests()


def errors():
    """The rows of err.def, as far as callers see them."""
    rows = {}
    text = (harness.TOP / "protocol/base/err.def").read_text()
    for part in text.split("\nFAULT(")[1:]:
        words = [word.strip().strip('"') for word in part.split(",")]
        rows[words[2]] = {"status": int(words[5]), "openai": words[6], "anthropic_status": int(words[8]),
                          "anthropic": words[9], "gemini": words[10], "retryable": words[11] == "1"}
    return rows


ERRORS = errors()
PLACES = {"chat": "/v1/chat/completions", "anthropic": "/v1/messages", "gemini": "/v1beta/models/m:generateContent"}


def is_refused(answer, name, kind, status=None):
    """In the words of its surface, with the status of its class."""
    want = ERRORS[name]
    error = answer.json["error"]
    assert answer.header("x-llm-broker-class") == [name] and len(error["message"]) > 10, answer
    if kind == "gemini":
        assert (error["status"], error["code"]) == (want["gemini"], answer.status), answer
    else:
        assert error["type"] == want["anthropic" if kind == "anthropic" else "openai"], answer
    assert answer.status == (status or want["anthropic_status" if kind == "anthropic" else "status"]), answer
    return error["message"]


def test_no_broker(bridge, broker):
    made = broker(run=False)
    door = bridge(made, socket_path=made.folder / "nowhere")
    for kind, path in PLACES.items():
        for body in (b"{}", b"y" * 300_000):
            message = is_refused(ask(door, "POST", path, body), "unreachable", kind)
            assert "llmb daemon" in message or "llm-broker" in message
    assert ask(door, "GET", "/health").status == 200


def test_errors_of_the_bridge(door):
    for kind, path in PLACES.items():
        refused = ask(door, "PUT", path, b"{}")
        is_refused(refused, "unsupported", kind, 405)
        assert refused.header("allow") == ["POST"]
        is_refused(ask(door, "POST", path, b"{}", [("Content-Encoding", "gzip")]), "unsupported", kind, 415)
        is_refused(ask(door, "POST", path, b"{}", host="evil.test"), "denied", kind, 403)
        is_refused(ask(door, "POST", path, b"{}", [("Origin", "https://evil.test")]), "denied", kind, 403)
        is_refused(say(door, FAMILIES[kind], model="nobody/m"), "not_found", kind)


def test_nowhere(door):
    for target in ("/v1/nowhere", "/native/", "/v2/chat/completions", "*", "/v1/chat%2Fcompletions"):
        answer = ask(door, "GET", target)
        assert answer.status == 404 and "/v1/chat/completions" in answer.json["error"]["message"], (target, answer)
    assert ask(door, "GET", "/native/nobody/v1/x").status == 404
    assert ask(door, "POST", "/v1/messages/nothing", b"{}").json["type"] == "error"


@families
def test_the_broker_dies_in_a_stream(door, made, provider, family):
    """What has come is there, and it does not look like all of it."""
    provider.script(**family.script(TEXT, True)[0], hold=held_at(family))
    with Http(door) as http:
        http.request("POST", target_of(family, True), family.body("all/m", "x", True)).head()
        http.until("Hel")
        provider.wait_held()
        made.kill9()
        answer = http.finish()
        assert not answer.is_whole and b"[DONE]" not in answer.body and b"message_stop" not in answer.body, answer
        assert http.is_closed()
    refused = say(door, family)
    assert refused.status == 503 and refused.header("x-llm-broker-class") == ["unreachable"], refused
    made.start()
    assert ask(door, "GET", "/v1/models").status == 200


def test_the_broker_dies_before_the_answer(door, made, provider):
    provider.script(hold="start")
    with Http(door) as http:
        http.request("POST", PLACES["chat"], FAMILIES["chat"].body("all/m", "x", False))
        provider.wait_held()
        made.kill9()
        answer = http.read()
    assert answer.status >= 400 and answer.is_whole and answer.json["error"]["message"], answer
    made.start()


@families
def test_a_stream_that_the_provider_breaks_off(door, provider, family):
    """It ends with an error in the surface's own words; with that, all is said."""
    provider.script(**family.script(TEXT, True)[0], reset_after={"events": held_at(family)})
    answer = say(door, family, True)
    answer.is_stream = True
    assert answer.status == 200 and answer.is_whole and b"Hel" in answer.body, answer
    kind, message = family.stream_error(answer)
    assert message and kind in {row[name] for row in (ERRORS["stream_incomplete"], ERRORS["connection"])
                                for name in ("openai", "anthropic", "gemini")}, answer


# ---- start and end ----

def test_health(door):
    for target in ("/", "/health", "/healthz", "//"):
        answer = ask(door, "GET", target)
        assert answer.status == 200 and answer.json["status"] == "ok"
        assert ask(door, "HEAD", target).status == 200
    assert ask(door, "POST", "/", b"x").status == 405


def test_sigterm_lets_a_stream_end(door, provider):
    """And whoever comes meanwhile is refused by the kernel, not left waiting."""
    family = FAMILIES["chat"]
    script, all_of_it = family.script(TEXT, True)
    provider.script(**script, hold=3)
    with Http(door) as http, Http(door) as idle:
        assert idle.request("GET", "/").read().status == 200
        http.request("POST", family.path, family.body("all/m", "x", True)).head()
        http.until("Hel")
        door.signal(signal.SIGTERM)
        assert idle.is_closed(5 * harness.SLOWER), "nothing is under way there"
        for where in (("127.0.0.1", door.port), door.path):
            with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
                Http(where)
        time.sleep(0.2)
        assert door.is_alive()
        provider.release()
        assert http.finish().body == all_of_it and http.answer.is_whole
        assert http.is_closed()
    assert door.wait_exit() == 0
    assert not os.path.exists(door.path)


def test_sigterm_twice_ends_it_at_once(door, provider):
    provider.script(**FAMILIES["chat"].script(TEXT, True)[0], hold=3)
    with Http(door) as http:
        http.request("POST", PLACES["chat"], FAMILIES["chat"].body("all/m", "x", True)).head()
        http.until("Hel")
        door.signal(signal.SIGTERM)
        with pytest.raises(OSError):
            harness.wait_until(lambda: Http(door).close(), 5, "it listens no more")
        door.signal(signal.SIGTERM)
        assert door.wait_exit(5 * harness.SLOWER) == 0
        assert not http.finish().is_whole


@pytest.mark.skipif(os.environ.get("LLMB_LONG") != "1", reason="it waits for half a minute: LLMB_LONG=1")
def test_sigterm_waits_for_no_stream_for_ever(door, provider):
    provider.script(**FAMILIES["chat"].script(TEXT, True)[0], hold=3)
    with Http(door, timeout=50) as http:
        http.request("POST", PLACES["chat"], FAMILIES["chat"].body("all/m", "x", True)).head()
        http.until("Hel")
        begun = time.monotonic()
        door.signal(signal.SIGTERM)
        assert not http.finish().is_whole and 25 < time.monotonic() - begun < 40
    assert door.wait_exit() == 0


def test_sockets_of_a_service_manager(bridge, made):
    """They stay where they are when it ends."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        path = str(made.folder / "handed")
        local.bind(path)
        local.listen()
        door = bridge(made, handed=[tcp, local])
        assert ask(tcp.getsockname(), "GET", "/v1/models").status == 200
        assert ask(path, "GET", "/v1/models").status == 200
        door.stop()
        assert os.path.exists(path)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        door = bridge(made, handed=[deaf], run=False).start(wait=False)
        assert door.wait_exit() == 1 and "no socket that listens" in door.log()
        door.process = None


def handed_at(path):
    one = socket.socket(socket.AF_UNIX)
    one.bind(path)
    one.listen()
    return one


def test_one_that_was_started_for_a_caller_ends_when_nobody_comes(bridge, made):
    """As the broker does; who comes then is the service manager's, who starts another."""
    path = str(made.folder / "handed")
    with handed_at(path) as listening:
        door = bridge(made, args=["--idle-exit", "1s"], handed=[listening])
        with Http(path) as http:
            assert http.request("GET", "/").read().status == 200
            time.sleep(2)
            assert door.is_alive(), "somebody is connected"
            assert http.request("GET", "/").read().status == 200
        begun = time.monotonic()
        assert door.wait_exit(15 * harness.SLOWER) == 0
        assert time.monotonic() - begun > 0.8, "not at once"
        with Http(path) as http:
            http.request("GET", "/")
            bridge(made, args=["--idle-exit", "never"], handed=[listening])
            assert http.read().status == 200


def test_one_that_nobody_comes_to_ends_too(bridge, made):
    with handed_at(str(made.folder / "handed")) as listening:
        door = bridge(made, args=["--idle-exit", "300ms"], handed=[listening])
        assert door.wait_exit(15 * harness.SLOWER) == 0


def test_only_that_one_ends(bridge, made):
    """Which listens by itself stays, but where it is told; and where it is told to stay, so does the other."""
    with handed_at(str(made.folder / "handed")) as listening:
        stays = [bridge(made), bridge(made, args=["--idle-exit", "never"], handed=[listening])]
        ends = bridge(made, addresses=["127.0.0.1:0"], args=["--idle-exit", "300ms"])
        assert ends.wait_exit(15 * harness.SLOWER) == 0
        time.sleep(0.5)
        assert all(door.is_alive() for door in stays)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "400d"])
def test_what_is_no_time(text):
    done = subprocess.run([harness.program("llm-broker-bridge"), "--idle-exit", text], capture_output=True, text=True)
    assert done.returncode == 2 and "--help" in done.stderr and "idle" in done.stderr, done


def fails(bridge, made, code, *words, **options):
    door = bridge(made, run=False, **options).start(wait=False)
    assert door.wait_exit() == code, door.log()
    for word in words:
        assert word in door.log(), door.log()
    assert len(door.log().splitlines()) == 1, door.log()
    door.process = None


def test_two_at_one_address(bridge, made):
    door = bridge(made)
    fails(bridge, made, 1, "Address already in use", "--listen", addresses=[f"127.0.0.1:{door.port}"])
    fails(bridge, made, 1, "another program listens there", addresses=[f"unix:{door.path}"])
    assert ask(door.path, "GET", "/").status == 200


def test_what_a_former_one_left(bridge, made):
    door = bridge(made)
    door.process.kill()
    door.process.wait()
    door.process = None
    assert os.path.exists(door.path)
    other = bridge(made)
    assert ask(other.path, "GET", "/").status == 200 and os.stat(other.path).st_mode & 0o777 == 0o600
    path = made.folder / "file"
    path.write_text("mine")
    fails(bridge, made, 1, "there is a file of that name", addresses=[f"unix:{path}"])
    assert path.read_text() == "mine"


def test_options_that_are_wrong(bridge, broker):
    made = broker(run=False)
    for args, word in ((["--nonsense"], "is no option"), (["word"], "is no option"), (["--listen"], "wants a value"),
                       (["--socket"], "wants a value"), (["--listen", "127.0.0.1:1"] * 20, "too many")):
        fails(bridge, made, 2, word, "--help", addresses=[], args=args)


def test_addresses_that_are_none(bridge, broker):
    made = broker(run=False)
    for address in ("8411", "localhost:8411", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536",
                    "[::1]", "[::1:8411", "::1:8411", "unix:", "unix:" + "x" * 200, "0.0.0.0:8411", "[::]:8411",
                    "10.0.0.1:8411", ""):
        fails(bridge, made, 2, "llm-broker-bridge: ", addresses=[address])


def test_what_it_is(bridge, broker):
    made = broker(run=False)
    for args, word in ((["--version"], "llm-broker-bridge 0."), (["--help"], "--listen ADDR:PORT")):
        door = bridge(made, addresses=[], args=args, run=False).start(wait=False)
        assert door.wait_exit() == 0 and word in door.log()
        door.process = None
