"""test_cache_semantic.py - does whoever asks in other words get the answer that is there, where policy says so, and nobody else?"""

import json
import threading

import harness
import pytest
from harness import wait_until
from provider_faults import said
from surfaces import relay
from test_cache import KEY, Calls
from test_route_faults import ledger

EAST, NEAR, WIDE = [1, 0, 0], [0.98, 0.199, 0], [0.8, 0.6, 0]
NEAREST = 0.98  # of NEAR to EAST; WIDE is 0.8


@pytest.fixture
def asked(providers):
    """Whom chats are for."""
    return providers(needs_key=False)


@pytest.fixture
def embedder(providers):
    return providers(needs_key=False)


def vector(numbers):
    return {"body": {"data": [{"index": 0, "embedding": numbers}], "usage": {"prompt_tokens": 3}}}


def rule(near="0.95", **more):
    return harness.section("policy", "all", {"kind": ["host", "app"], "cache": "on", "operation": "*",
                                             **({"cache_semantic": near} if near else {}), **more})


def config(asked, embedder, *sections, **cache):
    return (harness.provider_section(asked, "a", auth="none") +
            harness.provider_section(embedder, "v", auth="none", base_path="/v1", dialect="openai-chat") +
            harness.section("model", "a/m", {"price_input": "1", "price_output": "2"}) +
            harness.section("model", "v/e", {"price_input": "0.02"}) +
            harness.section("cache", None, {"embed_model": "v/e", **cache}) + "".join(sections or [rule()]))


def say(made, text, **more):
    """What was said, from where, and how near."""
    calls = Calls(made.socket)
    number = calls.ask(text, temperature=None, **more)
    calls.finish(number)
    cache = calls.last[number].body.get("cache", {})
    calls.close()
    return calls.texts[number], cache.get("source", ""), cache.get("score")


def semantic(made):
    return json.loads(made.llmb("cache", "stats", "--json").out)["semantic"]


def test_other_words_have_the_answer(broker, asked, embedder):
    made = broker(config(asked, embedder))
    asked.script(**said("Paris."))
    embedder.script(vector(EAST), vector(NEAR))
    assert say(made, "What is the capital of France?") == ("Paris.", "", None)
    assert say(made, "Which is the capital of France?", stream=False) == ("Paris.", "semantic", NEAREST)
    assert say(made, "What is the capital of France?") == ("Paris.", "hit", None)
    assert say(made, "Which is the capital of France?") == ("Paris.", "semantic", NEAREST), "its vector was kept too"
    assert len(asked.requests()) == 1
    assert [seen.json["input"] for seen in embedder.requests()] == [
        ["What is the capital of France?"], ["Which is the capital of France?"]]
    rows = ledger(made)["exchange"]
    assert sorted((row["op"], row["cache"] or "", row["attempts"], row["cost_nusd"]) for row in rows if row["op"] == "embed") == [
        ("embed", "", 1, 60), ("embed", "", 1, 60), ("embed", "hit", 0, 0)]
    chats = [row for row in rows if row["op"] == "chat"]
    assert sorted((row["cache"] or "", row["attempts"]) for row in chats) == [("", 1), ("hit", 0), ("semantic", 0), ("semantic", 0)]
    assert {row["cost_nusd"] for row in chats if row["cache"]} == {0}
    assert all(row["saved_nusd"] > 0 for row in chats if row["cache"])
    assert len({row["app"] for row in rows}) == 1, "all are of the one who asked"
    stats = semantic(made)
    assert (stats["entries"], stats["hits"], stats["searches"]) == (1, 2, 3)
    assert json.loads(made.llmb("usage", "--by", "none", "--json").out)["total"]["cached"] == 4


def test_far_words_are_asked(broker, asked, embedder):
    made = broker(config(asked, embedder))
    for text in ("first", "second"):
        asked.script(**said(text))
    embedder.script(vector(EAST), vector(WIDE), vector(WIDE), vector([1, 1e-3, 0]))
    assert say(made, "one") == ("first", "", None)
    assert say(made, "two") == ("second", "", None)
    assert say(made, "three") == ("second", "semantic", 1), "the nearest"
    assert say(made, "four") == ("first", "semantic", 1)


def test_how_near_is_near_enough(broker, asked, embedder):
    made = broker(config(asked, embedder, rule("0.98")))
    asked.script(**said("first"))
    asked.script(**said("second"))
    embedder.script(vector(EAST), vector(NEAR), vector([0.9799, 0.1995, 0]))
    assert say(made, "one") == ("first", "", None)
    assert say(made, "two") == ("first", "semantic", NEAREST), "just that"
    assert say(made, "three")[:2] == ("second", ""), "a little less"


SAME = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "before"},
                     {"role": "assistant", "content": "yes"}, {"role": "user", "content": "one"}]}


def changed(n, content):
    messages = [dict(message) for message in SAME["messages"]]
    messages[n]["content"] = content
    return {"messages": messages}


@pytest.mark.parametrize("more", [
    {"more": changed(0, "Be long.")}, {"more": changed(1, "earlier")}, {"more": {**SAME, "max_tokens": 50}},
    {"more": {**SAME, "top_p": 0.5}}, {"more": {**SAME, "tools": [{"name": "f", "parameters": "{}"}]}},
    {"more": SAME, "cache_namespace": "other"}, {"more": SAME, "model": "a/n"}, {"more": SAME, "cache": "refresh"},
    {"more": SAME, "cache": "off"}, {"more": SAME, "cache_max_age_s": 0},
    {"more": changed(3, [{"type": "text", "text": "one"}, {"type": "image", "data": b"x", "mime": "image/png"}])}],
    ids=["system", "turns", "max_tokens", "top_p", "tools", "namespace", "model", "refresh", "off", "age", "picture"])
def test_all_else_is_the_same(broker, asked, embedder, more):
    made = broker(config(asked, embedder))
    for text in ("first", "second"):
        asked.script(**said(text))
    embedder.script(vector(EAST), vector(EAST), vector(EAST))
    assert say(made, "", more=SAME) == ("first", "", None)
    if more.get("cache_max_age_s") == 0:
        threading.Event().wait(1.1)
    words = more["more"]["messages"][-1]
    if words["content"] == "one":
        more = {**more, "more": {**more["more"], "messages": [*more["more"]["messages"][:-1], {**words, "content": "other"}]}}
    assert say(made, "", **more) == ("second", "", None)
    has_own = "cache_max_age_s" in more  # of all else the same, and later
    assert say(made, "", more=changed(3, "two")) == ("second" if has_own else "first", "semantic", 1)


@pytest.mark.parametrize("scope, source", [("app", ""), ("user", "semantic")])
def test_whose_it_is(broker, asked, embedder, scope, source):
    made = broker(config(asked, embedder, rule(model="a/*", cache_scope=scope)))
    for text in ("first", "second"):
        asked.script(**said(text))
    for _ in range(2):
        embedder.script(vector(EAST))
    found = []
    for name in ("notes", "mail"):
        added = made.llmb("app", "add", name, "--json")
        assert added.code == 0, added
        calls = Calls(json.loads(added.out)["socket"])
        number = calls.ask(name, temperature=None)
        calls.finish()
        calls.close()
        found.append(calls.source(number))
    assert found == ["", source]
    assert len(embedder.requests()) == 2, "that their rule has no such model is no matter"


@pytest.mark.parametrize("what", ["down", "refuses", "odd", "slow", "empty", "half"])
def test_without_vectors_it_goes_on(broker, asked, embedder, what):
    made = broker(config(asked, embedder, **({"embed_timeout": "200ms"} if what == "slow" else {})))
    for text in ("first", "second"):
        asked.script(**said(text))
    if what == "down":
        embedder.listener("down")
    for _ in range(9):
        embedder.script(**{"down": {}, "refuses": {"status": 400, "body": {"error": {"message": "no"}}},
                           "odd": {"body": {"data": [{"index": 0, "embedding": [0, 0]}], "usage": {}}},
                           "slow": {**vector(EAST), "hold": "start"},
                           "empty": {"body": {"data": []}},
                           "half": {"body": {"data": [{"index": 0, "embedding": EAST}, {"index": 1, "embedding": [1]}]}}}[what])
    assert say(made, "one", timeout_ms=8000) == ("first", "", None)
    assert say(made, "two", timeout_ms=8000) == ("second", "", None)
    assert say(made, "one", timeout_ms=8000) == ("first", "hit", None)
    rows = ledger(made)["exchange"]
    assert {row["outcome"] for row in rows if row["op"] == "chat"} == {"ok"}
    assert len([row for row in rows if row["op"] == "embed"]) == 2
    assert semantic(made)["entries"] == 0


def test_off_as_a_rule(broker, asked, embedder):
    made = broker(config(asked, embedder, rule(near=None)))
    for text in ("first", "second"):
        asked.script(**said(text))
    assert say(made, "one") == ("first", "", None)
    assert say(made, "two") == ("second", "", None)
    assert not embedder.requests()
    assert "cache_semantic" not in made.llmb("policy", "show").out


def test_what_is_cleared_is_gone(broker, asked, embedder):
    made = broker(config(asked, embedder))
    for text in ("first", "second"):
        asked.script(**said(text))
    for _ in range(3):
        embedder.script(vector(EAST))
    assert say(made, "one") == ("first", "", None)
    assert semantic(made)["entries"] == 1
    assert "semantic" in made.llmb("cache", "stats").out
    assert made.llmb("cache", "clear").code == 0
    assert semantic(made)["entries"] == 0
    assert say(made, "two") == ("second", "", None)


def test_a_miss_is_one(broker, asked, embedder):
    """Of the chat, and of its vector: that it was compared is no other question."""
    made = broker(config(asked, embedder))
    asked.script(**said("first"))
    embedder.script(vector(EAST), vector(NEAR))
    assert say(made, "one") == ("first", "", None)
    assert json.loads(made.llmb("cache", "stats", "--json").out)["misses"] == 2
    assert say(made, "two") == ("first", "semantic", NEAREST)
    assert json.loads(made.llmb("cache", "stats", "--json").out)["misses"] == 4


def test_what_no_longer_holds_is_not_given(broker, asked, embedder):
    """The answer's time is over, or it went for others; its words may be the nearest still."""
    made = broker(config(asked, embedder, memory_mib=0, disk_mib=0))
    for text in ("first", "second"):
        asked.script(**said(text))
    embedder.script(vector(EAST), vector(EAST))
    assert say(made, "one") == ("first", "", None)
    assert say(made, "two") == ("second", "", None)
    assert semantic(made)["hits"] == 0


def test_an_alias_has_what_its_targets_said(broker, asked, embedder):
    alias = harness.section("model", "both", {"target": ["a/m", "a/n"]})
    made = broker(config(asked, embedder, rule(), alias))
    asked.script(**said("of the second"))
    embedder.script(vector(EAST), vector(NEAR))
    assert say(made, "one", model="a/n") == ("of the second", "", None)
    assert say(made, "two", model="both") == ("of the second", "semantic", NEAREST)


def test_another_model_of_vectors(broker, asked, embedder):
    """What was compared by one is not compared by another; and without one, nothing is."""
    made = broker(config(asked, embedder))
    for text in ("first", "second", "third"):
        asked.script(**said(text))
    embedder.script(vector(EAST), vector(EAST))
    assert say(made, "one") == ("first", "", None)
    made.configure(config(asked, embedder, embed_model="v/other"))
    made.reload()
    assert semantic(made)["entries"] == 1
    assert say(made, "two") == ("second", "", None)
    made.configure(config(asked, embedder, vectors=0))
    made.reload()
    assert semantic(made) | {"searches": 0, "evicted": 0} == dict.fromkeys(semantic(made), 0)
    assert say(made, "three") == ("third", "", None)
    assert [seen.json["model"] for seen in embedder.requests()] == ["e", "other"]


def test_a_locked_vault(broker, asked, embedder):
    """While it is locked keys are others, and so are groups; what was there is there again afterwards."""
    made = broker(config(asked, embedder))
    made.add_key("openai", KEY)
    for text in ("first", "locked"):
        asked.script(**said(text))
    for _ in range(4):
        embedder.script(vector(EAST))
    assert say(made, "one") == ("first", "", None)
    assert made.llmb("vault", "lock").code == 0
    assert say(made, "two") == ("locked", "", None)
    assert say(made, "three") == ("locked", "semantic", 1)
    assert made.llmb("vault", "unlock").code == 0
    assert say(made, "four") == ("first", "semantic", 1)


def test_many_in_the_same_words(broker, asked, embedder):
    """They are asked once, and their vector too."""
    made = broker(config(asked, embedder))
    asked.script(**said("first"), hold="start")
    embedder.script({**vector(EAST), "hold": "start"})
    calls = Calls(made.socket)
    for _ in range(20):
        calls.ask("one", temperature=None)
    embedder.wait_request(1)
    wait_until(lambda: json.loads(made.llmb("status", "--json").out)["calls"] >= 20, 20, "all are there")
    embedder.release()
    asked.wait_request(1)
    asked.release()
    calls.finish()
    assert sorted(calls.source(n) for n in range(1, 21)) == ["", *["joined"] * 19]
    assert len(asked.requests()) == 1 and len(embedder.requests()) == 1
    calls.close()


def test_its_caller_goes(broker, asked, embedder):
    """While it is compared: nothing is left of either call."""
    made = broker(config(asked, embedder))
    embedder.script({**vector(EAST), "hold": "start"})
    calls = Calls(made.socket)
    calls.ask("one", temperature=None)
    seen = embedder.wait_request(1)
    calls.close()
    rows = made.wait_ledger(2, 1)
    assert {(row["op"], row["outcome"]) for row in rows["exchange"]} == {("chat", "cancelled"), ("embed", "cancelled")}
    assert seen.path == "/v1/embeddings" and not asked.requests()
    asked.script(**said("first"))
    embedder.script(vector(EAST))
    assert say(made, "two") == ("first", "", None)


def test_budgets_count_it(broker, asked, embedder):
    limit = harness.section("limit", "small", {"provider": "v", "budget": "0.0000001/day"})
    made = broker(config(asked, embedder, rule(), limit))
    for text in ("first", "second"):
        asked.script(**said(text))
    embedder.script(vector(EAST), vector(EAST))
    found = [say(made, words)[:2] for words in ("one", "two")]
    assert found == [("first", ""), ("second", "")], "no vector is to be had for so little"
    assert len(embedder.requests()) <= 1


def test_public_apis_and_llmb(broker, asked, embedder):
    made = broker(config(asked, embedder))
    asked.script(**said("Paris."))
    embedder.script(vector(EAST), vector(NEAR), vector(NEAR), vector(EAST))
    body = lambda words: json.dumps({"model": "a/m", "messages": [  # noqa: E731
        {"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": words}]}]})
    first = relay(made, surface="openai.chat", body=body("one"))
    assert first.status == 200 and not first.header("x-llm-broker-cache"), first.body
    other = relay(made, surface="openai.chat", body=body("tw\u00f6"))
    assert [header.split("; age=0")[0] for header in other.header("x-llm-broker-cache")] == ["semantic"]
    assert other.header("x-llm-broker-cache")[0].endswith("; score=0.98")
    assert json.loads(bytes(other.body))["choices"][0]["message"]["content"] == "Paris."
    asked.script(**said("Rome."))
    assert made.llmb("ask", "-m", "a/m", "three").out.strip() == "Rome."
    shown = json.loads(made.llmb("ask", "-m", "a/m", "--json", "four").out.splitlines()[-1])
    assert shown["usage"]["cache"] == "semantic" and shown["usage"]["cache_score"] == NEAREST, shown
    assert "cache_semantic = 0.95\n" in made.llmb("policy", "show").out


def test_a_rule_without_a_model(broker, asked):
    made = broker(harness.provider_section(asked, "a", auth="none"))
    made.config_file.write_text(made.config_file.read_text() + rule())
    checked = made.llmb("config", "check")
    assert checked.code != 0 and "nothing says by which model words are compared" in checked.err, checked
