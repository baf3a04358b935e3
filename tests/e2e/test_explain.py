"""test_explain.py - is it told where a call would go and why, and where one went, while that is known and after?"""

import json
import re
import time

import harness
import pytest
from provider_faults import said
from surfaces import FAMILIES, relay
from test_cache import Calls
from test_route_faults import ledger

CHAT = FAMILIES["chat"]
ALIAS = {"target": ["one/m", "two/m max_input=5000"]}
LABELS = ("a", "b", "c")


def config(provider, *more):
    return (harness.provider_section(provider, "one", key_label=LABELS) +
            harness.provider_section(provider, "two") +
            harness.section("model", "smart", ALIAS) +
            harness.section("model", "one/m", {"price_input": "1", "price_output": "2"}) + "".join(more))


@pytest.fixture
def made(broker, provider):
    one = broker(config(provider))
    for label in LABELS:
        one.add_key(f"one/{label}", f"sk-{label}-0123456789abcdef")
    one.add_key("two", "sk-two-0123456789abcdef")
    return one


def good(made, *args, code=0):
    done = made.llmb(*args)
    assert done.code == code, done
    return done


def explained(made, *args, code=0):
    return json.loads(good(made, "explain", *args, "--json", code=code).out)


def tried(answer):
    return [(t["provider"], t["key"]) for t in answer["targets"] if "out" not in t]


def ask(made, model="smart"):
    good(made, "ask", "-m", model, "hi")


def last_id(made, n):
    return made.wait_ledger(n)["exchange"][-1]["id"]


def discovered(made, provider):
    """One key is refused, one is limited, and the third answers."""
    provider.script(status=401)
    provider.script(status=429, headers={"retry-after": "300"})
    ask(made)
    assert len(provider.requests()) == 3


def test_all_are_told_in_their_order(made, provider):
    before = explained(made, "-m", "smart")
    assert tried(before) == [("one", "a"), ("one", "b"), ("one", "c"), ("two", "")]
    assert (before["alias"], before["strategy"], before["allowed"]) == ("smart", "priority", True)
    first = before["targets"][0]
    # a thousand tokens in, as many out
    assert (first["state"], first["limits"], first["cost_nusd"]) == ("closed", "now", 3_000_000)
    assert "cost_nusd" not in before["targets"][-1], "nobody knows that price"
    long = explained(made, "-m", "smart", "--input-tokens", "6000")
    assert tried(long) == [("one", "a"), ("one", "b"), ("one", "c")]
    (out,) = [t for t in long["targets"] if "out" in t]
    assert (out["provider"], out["out"]) == ("two", "size") and "5000" in out["why"]
    assert provider.requests() == [], "nobody is asked for that"


def test_what_is_limited_waits_where_it_stands(made, provider):
    discovered(made, provider)
    after = explained(made, "-m", "smart")
    keys = {t["key"]: t for t in after["targets"] if t["provider"] == "one"}
    assert keys["b"]["limits"] == "wait" and 200_000 < keys["b"]["wait_ms"] <= 300_000 and keys["b"]["limit"]
    assert keys["c"]["state"] == "closed" and keys["c"]["first_ms"] >= 0
    lines = good(made, "explain", "-m", "smart").out.splitlines()
    assert lines[0].startswith("smart, an alias by priority, for ")
    (limited,) = [line for line in lines if re.match(r"\d +one/m +b +well ", line)]
    assert re.search(r" wait (2\d\d|300) s$", limited), limited
    (free,) = [line for line in lines if re.match(r"\d +one/m +c +well ", line)]
    assert free.endswith(" now"), free
    # asking all this has taken nothing, and the next call goes where it was said
    ask(made)
    assert provider.requests()[-1].header("authorization") == ["Bearer sk-c-0123456789abcdef"]


def test_what_rests_is_told_and_comes_last(broker, providers):
    """On a host of one's own it rests for a second, which may be over before it is asked about: then it is refused anew."""
    provider = providers(keys=["sk-b-0123456789abcdef", "sk-two-0123456789abcdef"])
    made = broker(config(provider))
    for label in "ab":
        made.add_key(f"one/{label}", f"sk-{label}-0123456789abcdef")
    made.add_key("two", "sk-two-0123456789abcdef")
    for _ in range(20):
        ask(made)
        status = good(made, "status").out
        shown = good(made, "explain", "-m", "smart").out
        if " rests " in shown and "\nresting " in status:
            break
    assert "\nresting   one with the key a, for 1 s: one refuses the broker's key" in status
    lines = shown.splitlines()
    assert re.match(r"1 +one/m +b +well ", lines[2]) and re.match(r"2 +two/m +- +well ", lines[3]), shown
    assert re.match(r"3 +one/m +a +rests \d+ ms ", lines[4]), shown
    assert any(line.startswith("one/m with the key a: was last told: one refuses") for line in lines), shown
    assert "0123456789abcdef" not in shown + status, "no key is shown"


def test_what_happened_is_told_until_it_is_forgotten_and_then_from_the_ledger(made, provider):
    discovered(made, provider)
    request = last_id(made, 1)
    known = explained(made, request)
    assert (known["from"], known["is_over"], known["model"], known["outcome"]) == ("memory", True, "smart", "ok")
    attempts = [s for s in known["steps"] if s["step"] == "attempt"]
    assert [(s["key"], s["outcome"], s.get("class"), s["http_status"]) for s in attempts] == [
        ("a", "failed", "auth", 401), ("b", "failed", "rate_limited", 429), ("c", "ok", None, 200)]
    assert [s["number"] for s in attempts] == [1, 2, 3] and known["attempts"] == 3
    nexts = [s for s in known["steps"] if s["step"] == "next"]
    assert [s["key"] for s in nexts] == ["b", "c"] and all(s["why"] for s in nexts)
    at = [s["at_us"] for s in known["steps"]]
    assert at == sorted(at) and at[-1] <= known["total_us"]
    shown = good(made, "explain", request)
    assert "one/m with the key a: failed (auth), HTTP 401" in shown.out and shown.err == ""

    made.restart()
    later = explained(made, request)
    assert later["from"] == "ledger"
    for member in ("id", "at_us", "op", "model", "outcome", "attempts", "total_us", "cost_nusd"):
        assert later[member] == known[member], member
    assert [s["step"] for s in later["steps"]] == ["attempt"] * 3
    for old, new in zip(attempts, later["steps"]):
        for member in ("provider", "model", "key", "number", "outcome", "http_status", "us", "at_us"):
            assert new[member] == old[member], member
        assert new.get("class") == old.get("class")
    shown = good(made, "explain", request)
    assert "one/m with the key a: failed (auth), HTTP 401" in shown.out
    assert "not known any more" in shown.err


def steps(made, n, what):
    """Those of the n-th call."""
    return [s for s in explained(made, last_id(made, n))["steps"] if s["step"] == what]


def test_who_is_not_asked_and_what_is_waited_for(broker, provider):
    made = broker(config(provider, harness.section("limit", "few", {"provider": "two", "requests": "1/3s"})))
    made.add_key("one/a", "sk-a-0123456789abcdef")
    made.add_key("two", "sk-two-0123456789abcdef")
    good(made, "ask", "-m", "smart", "x " * 20000)
    (out,) = steps(made, 1, "out")
    assert (out["provider"], out["model"]) == ("two", "m") and "5000" in out["why"]
    ask(made, "two/m")
    ask(made, "two/m")
    (queue,) = steps(made, 3, "queue")
    assert queue["provider"] == "two" and 0 < queue["us"] and "few" in queue["why"]
    assert explained(made, last_id(made, 3))["queued_us"] == queue["us"]
    # a failure that is tried again after a while
    provider.script(status=500)
    ask(made, "one/m")
    (pause,) = steps(made, 4, "pause")
    (following,) = steps(made, 4, "next")
    assert pause["us"] > 0 and (following["provider"], following["key"]) == ("one", "a")
    # a key that is refused rests, and is waited for where there is no other
    provider.script(status=401, times=0)
    for n in range(7, 40, 3):
        for _ in range(3):  # on a host of one's own for a second; the second one is let through all the same
            assert made.llmb("ask", "-m", "one/m", "hi").code != 0
        if steps(made, n, "rest"):
            break
    (rest,) = steps(made, n, "rest")
    assert (rest["provider"], rest["key"]) == ("one", "a") and rest["us"] > 0 and rest["why"]
    (pause,) = steps(made, n, "pause")
    assert 0 < pause["us"] <= 3_000_000
    assert "one/m with the key a: passed over: " in good(made, "explain", last_id(made, n)).out


def test_one_that_failed_says_so(made, provider):
    provider.script(status=400, times=0)
    done = made.llmb("ask", "-m", "smart", "hi")
    assert done.code != 0
    known = explained(made, last_id(made, 1))
    assert (known["outcome"], known["class"]) == ("failed", "invalid_request")
    assert known["message"] and [s["step"] for s in known["steps"]] == ["attempt"]


def test_what_is_no_question(made, provider):
    for args, code, says in [
            (["req_01hzx8k2mv9t4w7y5q3p6r1c0d"], 2, "no request req_01hzx8k2mv9t4w7y5q3p6r1c0d"),
            (["sk-typed-in-the-wrong-place"], 2, "req_..."),
            (["-m", "smart", "--needs", "wings"], 2, "images"),
            (["-m", "smart", "--as", "nobody:at-all"], 2, "KIND"),
            ([], 2, "-m MODEL"),
            (["-m", "smart", "req_01hzx8k2mv9t4w7y5q3p6r1c0d"], 2, "-m MODEL")]:
        done = made.llmb("explain", *args)
        assert (done.code, says in done.err) == (code, True), done
        assert "wrong-place" not in done.err
    none = explained(made, "-m", "nobody/m", code=3)
    assert none["targets"] == [] and none["class"] == "not_found" and none["message"]


def test_who_may_ask_and_as_whom(broker, provider):
    made = broker(config(
        provider,
        harness.section("policy", "boxes", {"kind": "flatpak", "allow": "yes", "except_model": "two/*"}),
        harness.section("policy", "mine", {"kind": "host", "operation": ["use", "key.*", "route.explain"]})))
    made.add_key("one/a", "sk-a-0123456789abcdef")
    made.add_key("two", "sk-two-0123456789abcdef")
    seen = explained(made, "-m", "smart", "--as", "flatpak:org.example.App")
    assert tried(seen) == [("one", "a")]
    (out,) = [t for t in seen["targets"] if "out" in t]
    assert (out["provider"], out["out"]) == ("two", "denied") and "boxes" in out["why"]
    nobody = explained(made, "-m", "smart", "--as", "snap:app", "--uid", "4711", code=3)
    assert (nobody["allowed"], nobody["class"]) == (False, "denied") and "targets" not in nobody
    asking = good(made, "explain", "-m", "smart", "--as", "snap:app").out
    assert "a person is asked first" in asking
    ask(made)
    done = made.llmb("explain", last_id(made, 1))
    assert done.code == 3 and "request.explain" in done.err, done


HOUSE = {"target": ["one/m", "two/m app=flatpak:org.secret.*", "two/dear min_budget=900"]}


def test_a_sandbox_that_may_ask_learns_nothing_of_the_house(broker, provider):
    """Its own rule lets it ask: still no name of a key, no figure, nothing of others."""
    made = broker(harness.provider_section(provider, "one", key_label=["work", "home"]) +
                  harness.provider_section(provider, "two") + harness.section("model", "house", HOUSE) +
                  harness.section("limit", "household", {"provider": "two", "budget": "5/day"}) +
                  harness.section("limit", "few", {"model": "one/m", "requests": "2/hour"}) +
                  harness.section("policy", "apps", {"kind": "app", "allow": "yes", "except_model": "hidden/*",
                                                     "operation": ["use", "route.explain", "request.explain"]}))
    for key in ("one/work", "one/home", "two"):
        made.add_key(key, f"sk-{key[:3]}-{key[-3:]}-0123456789abcdef")
    provider.script(status=401, message="the account of Jane Doe is closed")
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    ask(made, "one/m")
    path = json.loads(good(made, "app", "add", "notes", "--json").out)["socket"]
    open_text = good(made, "explain", "-m", "house", "--json").out
    told_text = good(made, "explain", "-m", "house", "--socket", path, "--json").out
    told, whole = json.loads(told_text), json.loads(open_text)
    secrets = ("work", "home", "Jane", "900", "5.00", "few", "in_flight", "first_ms")
    assert [word for word in secrets if word not in open_text] == [], open_text
    assert [word for word in (*secrets, "household", "org.secret") if word in told_text] == [], told_text
    assert [t.get("out") for t in told["targets"]] == [t.get("out") for t in whole["targets"]]
    assert {t.get("limits") for t in told["targets"] if "out" not in t} == {"wait"}
    shown = good(made, "explain", "-m", "house", "--socket", path).out
    assert "not asked: it is for other calls" in shown and "too little is left of a budget" in shown, shown
    for other in (["--as", "flatpak:org.secret.App"], ["--uid", "0"], ["--profile", "small"], ["--on", "main"]):
        done = made.llmb("explain", "-m", "house", *other, "--socket", path)
        assert done.code == 3 and "in the open" in done.err, done
    done = made.llmb("explain", last_id(made, 1), "--socket", path)
    assert done.code == 3 and "in the open" in done.err, done
    hidden = json.loads(made.llmb("explain", "-m", "hidden/m", "--socket", path, "--json").out)
    assert hidden["message"] == "there is no such model that this program may use"


def test_what_is_asked_for_is_what_is_told(broker, provider):
    """Of each operation, and within what the rule allows of a prompt and of an answer."""
    made = broker(config(
        provider, harness.section("policy", "short", {"kind": "flatpak", "allow": "yes", "max_input": "500",
                                                      "max_output": "100", "operation": ["chat", "rerank"]})))
    made.add_key("one/a", "sk-a-0123456789abcdef")

    def cost(*args):
        answer = explained(made, "-m", "one/m", *args)
        (first,) = [t for t in answer["targets"] if t["key"] == "a"]
        return answer["op"], first["cost_nusd"]

    assert cost() == ("chat", 3_000_000)
    assert cost("--op", "embed") == ("embed", 1_000_000), "no answer is written"
    assert cost("--op", "complete", "--output-tokens", "10") == ("complete", 1_020_000)
    assert cost("--op", "rerank", "--input-tokens", "20") == ("rerank", 20_000)
    assert cost("--op", "count")[0] == "count" and cost("--op", "moderate")[0] == "moderate"
    assert good(made, "explain", "-m", "one/m", "--op", "embed").out.startswith("embed one/m, for host:llmb")
    box = ["--as", "flatpak:org.example.App"]
    assert cost(*box, "--input-tokens", "500") == ("chat", 500_000 + 200_000), "no more than max_output"
    assert cost(*box, "--input-tokens", "500", "--max-tokens", "50") == ("chat", 500_000 + 100_000)
    long = explained(made, "-m", "one/m", *box, "--input-tokens", "501", code=3)
    assert (long["class"], long["targets"]) == ("denied", []) and "max_input" in long["message"]
    other = explained(made, "-m", "one/m", *box, "--op", "embed", code=3)
    assert (other["class"], other["allowed"]) == ("denied", False) and "embed" in other["message"]
    for args, says in ((["--op", "models"], "rerank"), (["--op", "dance"], "rerank"),
                       (["--op", "embed", "--output-tokens", "9"], "writes no answer")):
        done = made.llmb("explain", "-m", "one/m", *args)
        assert done.code == 2 and says in done.err, done


def test_the_reply_carries_its_route(made, provider):
    provider.script(status=401)
    call = relay(made, CHAT.surface, CHAT.body("smart", "hi", False))
    assert call.header("x-llm-broker-target") == ["one/m"]
    assert call.header("x-llm-broker-route") == ["one/m failed(auth), one/m"]
    assert call.header("x-llm-broker-attempts") == ["2"]
    call = relay(made, CHAT.surface, CHAT.body("one/m", "hi", False))
    assert call.header("x-llm-broker-route") == [] and call.header("x-llm-broker-attempts") == []


def test_a_long_route_is_cut_between_targets(broker, provider):
    names = [f"one/{n}{'x' * 110}" for n in range(8)]
    made = broker(harness.provider_section(provider, "one") + harness.section("model", "many", {"target": names}))
    made.add_key("one", "sk-one-0123456789abcdef")
    provider.script(status=404, times=7)
    call = relay(made, CHAT.surface, CHAT.body("many", "hi", False))
    (route,) = call.header("x-llm-broker-route")
    *tried_ones, gap, last = route.split(", ")
    assert gap == "..." and last == names[-1] and len(route) < 900
    assert tried_ones == [f"{name} failed(not_found)" for name in names[:len(tried_ones)]] and len(tried_ones) >= 4
    assert call.header("x-llm-broker-attempts") == ["8"]


def test_an_alias_that_is_hedged_and_resumed(broker, provider):
    two = {"target": ["one/m", "two/m"]}
    made = broker(config(provider, harness.section("model", "quick", {**two, "hedge": "800ms", "resume": "yes"}),
                         harness.section("model", "quicker", {**two, "hedge": "p95"})))
    for name, words in (("quick", ", hedged after 800 ms, resumed when it breaks off, for "),
                        ("quicker", ", hedged when the first is late (p95), for "), ("smart", "smart, an alias by priority, for ")):
        assert words in good(made, "explain", "-m", name, code=3).out.splitlines()[0]


def test_an_answer_that_is_kept_or_on_its_way(broker, providers):
    """Before: is it there? And behind it: where it came from; whose call it read along with its own owner is told alone."""
    provider = providers(needs_key=False)
    rule = harness.section("policy", "apps", {"kind": "app", "model": "*", "cache_scope": "host"})
    rules = harness.section("policy", "house", {"kind": "host", "operation": "*", "cache_scope": "host"})
    made = broker(harness.provider_section(provider, "one", auth="none") + rule + rules +
                  harness.section("cache", "", {"ttl": "6s", "stale_if_error": "1h"}))
    app = json.loads(good(made, "app", "add", "notes", "--json").out)["socket"]

    def cached(*more, text="hi"):
        return explained(made, "-m", "one/m", "--prompt", text, "--system", "Be short.", *more)["cached"]

    def call(*more, text="hi"):
        return made.llmb("ask", "-m", "one/m", "-s", "Be short.", "--cache=on", *more, text)

    assert cached() == {"is_looked_up": False}
    assert cached("--cache=on") == {"is_looked_up": True} == cached("--temperature", "0")
    provider.script(**said("first"))
    assert call().code == 0
    kept = cached("--cache=on")
    assert (kept["source"], kept["provider"], kept["model"]) == ("hit", "one", "m") and 0 <= kept["age_s"] < 5
    assert cached("--cache=on", text="other") == {"is_looked_up": True}
    assert "its answer is kept, by one/m" in good(made, "explain", "-m", "one/m", "--prompt", "hi", "--system", "Be short.",
                                                  "--cache=on").out
    assert call().code == 0
    [hit] = steps(made, 2, "hit")
    assert (hit["provider"], hit["model"]) == ("one", "m") and hit["us"] < 5000000
    assert "one/m: its answer was kept" in good(made, "explain", last_id(made, 2)).out

    harness.wait_until(lambda: cached("--cache=on").get("source") == "stale", 30, "it is stale")
    provider.listener("down", hangs_up=True)
    assert call().code == 0
    [stale] = steps(made, 3, "stale")
    assert stale["us"] >= 1000000 and stale["why"]
    assert "is stale" in good(made, "explain", last_id(made, 3)).out

    provider.listener("up")
    harness.wait_until(lambda: call(text="well").code == 0, 20, "it is well")
    provider.script(**said("late"), hold="start")
    before = len(provider.requests())
    calls = [Calls(path) for path in (made.socket, made.socket, app)]
    calls[0].ask("late", "one/m", temperature=None, cache="on")
    harness.wait_until(lambda: len(provider.requests()) == before + 1, 10, "it is under way")
    for one in calls[1:]:
        one.ask("late", "one/m", temperature=None, cache="on")
    time.sleep(0.3)
    words = ("-m", "one/m", "--prompt", "late", "--cache=on")
    going = explained(made, *words)["cached"]
    assert going["source"] == "joined" and going["request_id"].startswith("req_")
    assert "it would read along" in good(made, "explain", *words).out
    hidden = explained(made, *words, "--as", "app:notes", "--on", "app")["cached"]
    assert hidden == {"is_looked_up": True, "source": "joined"}
    provider.release()
    for one in calls:
        assert one.finish().texts[1] == "late"
        one.close()
    joined = [row["id"] for row in ledger(made)["exchange"] if row["cache"] == "joined"]
    found = [[step.get("why", "") for step in explained(made, id)["steps"] if step["step"] == "join"] for id in joined]
    assert sorted(found) == [[""], [going["request_id"]]], found
    assert len(provider.requests()) == before + 1
