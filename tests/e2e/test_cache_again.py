"""test_cache_again.py - is a call that is answered the short way told, written down and counted as any other hit, and does it
go the long way as soon as anything is not as it was?

The same frame from the same program: the first time a provider answers, then the cache does, and from the fifth time on what was
told before is told again (cache.again in the log).
"""

import json
import time

import harness
import msgpack
import pytest
from provider_faults import said
from test_cache import Calls, config
from test_route_faults import ledger
from wire import CALL, DATA, END, EVENT, FAULT, HELLO, WELCOME, WireClient, frame_bytes

KEY = "sk-test-0123456789abcdefghijklmnop"
DEBUG = "[broker]\nlog_level = debug\n"
RULE = {"kind": "host", "operation": "*"}
TIMES = 8  # so often one asks, of which the last AGAIN are told the short way
AGAIN = 4
TOOLS = {"tools": [{"type": "function", "name": "look", "parameters": json.dumps({"type": "object"})}]}
HISTORY = {**TOOLS, "messages": [
    {"role": "user", "content": "Say it."},
    {"role": "assistant", "content": [{"type": "tool_call", "id": "call_1", "name": "look", "arguments": "{}"}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "blue"}]}
ALIASES = (harness.section("model", "mine", {"target": "a/m"}) +
           harness.section("model", "both", {"target": ["a/m", "b/m"]}))
CASES = {
    "a stream": ({"answer": {"text": "one two three"}}, {}),
    "whole": ({"answer": {"text": "one two three"}}, {"stream": False}),
    "reasoning": ({"answer": {"text": "so it is", "reasoning": "let me see"}}, {}),
    "an alias": ({"answer": {"text": "one"}}, {"model": "mine"}),
    "an alias of two": ({"answer": {"text": "one"}}, {"model": "both"}),
    "fallbacks": ({"answer": {"text": "one"}}, {"fallbacks": ["a/other"]}),
    "by itself": ({"answer": {"text": "one"}}, {"idempotency_key": "k"}),
    "a call that went before": ({"answer": {"text": "one"}}, {"more": HISTORY}),
    "a tool call": ({"answer": {"text": "", "tool_calls": [{"id": "call_1", "name": "look", "arguments": "{\"at\":\"sky\"}"}]}}, {"more": TOOLS}),
    "many words": ({"answer": {"text": " ".join(["word"] * 3000)}}, {}),
    "a warning": ({"answer": {"text": "one"}}, {"more": {"top_k": 3}}),
    "a namespace": ({"answer": {"text": "one"}}, {"cache_namespace": "mine"}),
    "tags": ({"answer": {"text": "one"}}, {"tags": ["fast"], "session": "s"}),
    "left to chance": ({"answer": {"text": "one"}}, {"temperature": None, "cache": "on"}),
}
# Its provider may want something back, of which something is noted or looked up each time; or which target is asked
# depends on more than the call's bytes.
LONG = ("a tool call", "a call that went before", "an alias of two", "fallbacks", "by itself")


@pytest.fixture
def provider(providers):
    return providers(needs_key=False)


def rule(**more):
    return harness.section("policy", "here", {**RULE, **more})


def n_again(made):
    return made.log().count("debug cache.again ")


class Asker:
    """The same frame over and over, and all that came back for each."""

    def __init__(self, made, **options):
        self.made, self.options = made, options
        self.calls = Calls(made.socket)

    def ask(self, **other):
        """(frames, is it told the short way)"""
        before = n_again(self.made)
        number = self.calls.ask(**{**self.options, **other})
        frames = []
        while number not in self.calls.last:
            frame = self.calls.frame()
            if frame.call == number:
                frames.append((frame.type, frame.body))
        return frames, n_again(self.made) > before

    def known(self):
        """It has been asked until it is told the short way."""
        for _ in range(TIMES):
            _, is_again = self.ask()
            if is_again:
                return self
        raise AssertionError("it goes the long way each time\n" + self.made.log())

    def close(self):
        self.calls.close()


def plain(frames):
    """Without what is another one each time."""
    out = []
    for kind, body in frames:
        body = dict(body)
        if kind == END:
            body.pop("request_id")
            body["cache"] = {**body["cache"], "age_s": 0}
        out.append((kind, body))
    return out


def row_of(made, name):
    row, = [dict(row) for row in ledger(made)["exchange"] if row["id"] == name]
    return {key: value for key, value in row.items() if key not in ("id", "at_us")}


def story_of(made, name):
    done = made.llmb("explain", name, "--json")
    assert done.code == 0, done
    story = json.loads(done.out)
    for step in story["steps"]:
        step["us"] = 0  # how old it is
    return {key: value for key, value in story.items() if key not in ("id", "at_us")}


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_and_written_as_any_hit(broker, provider, case):
    script, options = CASES[case]
    made = broker(DEBUG + config(provider, rule(cache="on"), harness.provider_section(provider, "b"), ALIASES))
    provider.script(**script)
    asker = Asker(made, **options)
    told = [asker.ask() for _ in range(TIMES)]
    assert [is_again for _, is_again in told] == [False] * (TIMES - AGAIN) + [case not in LONG] * AGAIN
    assert len(provider.requests()) == 1
    ends = [frames[-1][1] for frames, _ in told]
    assert len({end["request_id"] for end in ends}) == TIMES
    long = TIMES - AGAIN - 1
    for i in range(TIMES - AGAIN, TIMES):
        assert plain(told[i][0]) == plain(told[long][0])
        assert row_of(made, ends[i]["request_id"]) == row_of(made, ends[long]["request_id"])
        assert story_of(made, ends[i]["request_id"]) == story_of(made, ends[long]["request_id"])
    stats = json.loads(made.llmb("cache", "stats", "--json").out)
    assert stats["memory"]["hits"] == TIMES - 1
    used = json.loads(made.llmb("usage", "--by", "none", "--json").out)["total"]
    assert used["requests"] == TIMES and used["cached"] == TIMES - 1
    asker.close()


def metrics(made):
    with WireClient(made.socket, timeout=20) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "monitor"})
        client.recv_until(WELCOME)
        client.send_frame(CALL, 1, {"kind": "admin", "op": "metrics", "credit": 1 << 20, "body": b"{}"})
        frames = client.recv_until(END)
    return json.loads(b"".join(frame.body["d"] for frame in frames if frame.type == DATA))["metrics"]


def test_figures_count_it(broker, provider):
    made = broker(DEBUG + config(provider))
    provider.script(**said("one"))
    asker = Asker(made)
    for n in range(1, TIMES + 1):
        asker.ask()
        families = metrics(made)
        series = next(one for one in families if one["name"] == "gen_ai_client_operation_duration_seconds")["series"]
        assert {one["labels"].get("llm_broker_cache", ""): one["count"] for one in series} == {
            "": 1, **({"hit": n - 1} if n > 1 else {})}
    asker.close()


def test_many_at_once_are_each_answered(broker, provider):
    """In their order, whatever their numbers take."""
    made = broker(DEBUG + config(provider))
    provider.script(**said("one two"))
    Asker(made).known().close()
    calls, before = Calls(made.socket), n_again(made)
    calls.n = 65500
    numbers = [calls.ask() for _ in range(100)]
    calls.n = 120
    numbers += [calls.ask() for _ in range(150)]
    calls.finish(*numbers)
    assert [calls.texts[number] for number in numbers] == ["one two"] * 250
    assert {calls.source(number) for number in numbers} == {"hit"}
    assert n_again(made) == before + 250 and len(provider.requests()) == 1
    calls.close()


def test_who_gives_no_credit_waits_for_it(broker, provider):
    made = broker(DEBUG + config(provider))
    provider.script(**said("one two three"))
    asker = Asker(made).known()
    before = n_again(made)
    number = asker.calls.ask(credit=1)
    asker.calls.client.send_frame(10, number, {"bytes": 1 << 20})
    asker.calls.finish(number)
    assert asker.calls.texts[number] == "one two three" and n_again(made) == before
    asker.close()


def test_a_frame_in_pieces(broker, provider):
    made = broker(DEBUG + config(provider))
    provider.script(**said("one two three"))
    asker = Asker(made, text="Say it. " * 300).known()
    client, sent = asker.calls.client, []
    client.send_frame = lambda *frame: sent.append(frame_bytes(*frame))
    number = asker.calls.ask(text="Say it. " * 300)
    del client.send_frame
    data, before = b"".join(sent), n_again(made)
    for at in range(0, len(data), 700):
        client.send_raw(data[at:at + 700])
        time.sleep(0.02)
    asker.calls.finish(number)
    assert asker.calls.texts[number] == "one two three" and asker.calls.source(number) == "hit"
    assert n_again(made) == before + 1
    asker.close()


def test_two_connections_of_one_program_share_it(broker, provider):
    made = broker(DEBUG + config(provider))
    provider.script(**said("one"))
    Asker(made).known().close()
    other = Asker(made)
    frames, is_again = other.ask()
    assert is_again and told_text(frames) == "one"
    other.close()


def test_who_comes_by_once_takes_nobodys_place(broker, provider):
    """Of more calls than there is room for those that are there stay, and all are answered."""
    made = broker(DEBUG + config(provider))
    texts = [f"This is question {i:04d} of them" for i in range(200)]
    asker = Asker(made)
    for _ in range(6):
        for text in texts:
            assert told_text(asker.ask(text=text)[0]) == text
    assert len(provider.requests()) == len(texts)
    before = n_again(made)
    for text in texts:
        assert told_text(asker.ask(text=text)[0]) == text
    assert 20 < n_again(made) - before <= 64
    asker.close()


# ---- what is not as it was ----

def refused(frames):
    kind, body = frames[-1]
    return body["class"] if kind == FAULT else None


def told_text(frames):
    return "".join(body["d"] for kind, body in frames if kind == EVENT and body["ev"] == "text")


def reload(made, text):
    made.configure(text)
    assert made.llmb("config", "reload").code == 0


def test_policy_that_is_another(broker, provider):
    made = broker(DEBUG + config(provider, rule()))
    provider.script(**said("one"))
    asker = Asker(made).known()
    reload(made, DEBUG + config(provider, rule(operation=["status", "config.*"])))
    frames, is_again = asker.ask()
    assert refused(frames) == "denied" and not is_again
    reload(made, DEBUG + config(provider, rule(cache="off")))
    provider.script(**said("two"))
    frames, is_again = asker.ask()
    assert told_text(frames) == "two" and not is_again and len(provider.requests()) == 2
    asker.close()


def test_who_is_cut_off(broker, provider):
    made = broker(DEBUG + config(provider, rule()))
    provider.script(**said("one"))
    asker = Asker(made).known()
    seen = json.loads(made.llmb("app", "list", "--json").out)["seen"]
    who = next(one["who"] for one in seen if one["who"].startswith("host"))
    assert made.llmb("app", "revoke", who).code == 0
    frames, is_again = asker.ask()
    assert refused(frames) == "denied" and not is_again
    asker.close()


@pytest.mark.parametrize("how", ["all", "one"])
def test_it_was_cleared(broker, provider, how):
    made = broker(DEBUG + config(provider))
    provider.script(**said("one"))
    provider.script(**said("two"))
    asker = Asker(made).known()
    name = json.loads(made.llmb("cache", "list", "--json").out)["entries"][0]["id"]
    assert made.llmb("cache", "clear", *([] if how == "all" else ["--id", name])).code == 0
    frames, is_again = asker.ask()
    assert told_text(frames) == "two" and not is_again
    asker.known().close()
    assert len(provider.requests()) == 2


def test_another_answer_has_taken_its_place(broker, provider):
    made = broker(DEBUG + config(provider))
    provider.script(**said("one"))
    provider.script(**said("two"))
    asker = Asker(made).known()
    assert told_text(asker.ask(cache="refresh")[0]) == "two"
    frames, is_again = asker.ask()
    assert told_text(frames) == "two" and not is_again, "and not what was told before"
    frames, is_again = asker.ask()
    assert told_text(frames) == "two"
    asker.close()


def test_it_is_too_old(broker, provider):
    made = broker(DEBUG + config(provider))
    for text in ("one", "two", "three"):
        provider.script(**said(text))
    brief = Asker(made, text="brief", cache_ttl_s=2).known()
    old = Asker(made, text="old", cache_max_age_s=2).known()
    time.sleep(3.1)
    provider.script(**said("four"))
    for asker, text in ((brief, "three"), (old, "four")):
        frames, is_again = asker.ask()
        assert not is_again and told_text(frames) == text
        asker.close()


def test_the_vault_is_shut(broker, provider):
    """The keys of what is kept are others then."""
    made = broker(DEBUG + harness.provider_section(provider, "a"))
    made.add_key("a", KEY)
    provider.script(**said("one"))
    asker = Asker(made).known()
    assert made.llmb("vault", "lock").code == 0
    frames, is_again = asker.ask()
    assert refused(frames) == "locked" and not is_again
    assert made.llmb("vault", "unlock").code == 0
    frames, is_again = asker.ask()
    assert told_text(frames) == "one" and not is_again
    asker.known().close()


def test_the_vault_is_shut_of_one_without_a_key(broker, provider):
    """What is kept meanwhile has other keys, and what was told before is not told."""
    made = broker(DEBUG + config(provider, harness.provider_section(provider, "b")))
    made.add_key("b", KEY)
    provider.script(**said("one"))
    asker = Asker(made).known()
    assert made.llmb("vault", "lock").code == 0
    provider.script(**said("two"))
    frames, is_again = asker.ask()
    assert told_text(frames) == "two" and not is_again
    asker.close()


def test_one_more_target_has_a_key(broker, provider):
    """A bare name means every provider that has such a model and a key: it is looked for at each of them, each time."""
    made = broker(DEBUG + harness.provider_section(provider, "b") + harness.provider_section(provider, "a") +
                  harness.section("model", "a/m", {"price_input": "1"}) +
                  harness.section("model", "b/m", {"price_input": "1"}))
    made.add_key("a", KEY)
    provider.script(**said("one"))
    asker = Asker(made, model="m")
    for _ in range(TIMES):
        frames, is_again = asker.ask()
        assert told_text(frames) == "one" and not is_again
    made.add_key("b", KEY)
    frames, is_again = asker.ask()
    assert told_text(frames) == "one" and not is_again
    asker.close()


def test_there_is_another_key(broker, provider):
    """Its row says under which label: a key more, or none, and it is looked for anew."""
    made = broker(DEBUG + harness.provider_section(provider, "a"))
    made.add_key("a", KEY)
    provider.script(**said("one"))
    asker = Asker(made).known()
    made.add_key("a/second", KEY)
    frames, is_again = asker.ask()
    assert told_text(frames) == "one" and not is_again
    asker.close()


@pytest.mark.parametrize("of", [{"each": "app"}, {"each": "model"}, {"model": "a/m"}, {"policy": "here"}, {"each": "user"}],
                         ids=lambda of: "-".join(f"{key}-{value}" for key, value in of.items()).replace("/", "-"))
def test_limits_hold(broker, provider, of):
    """So many calls and no more, and it is told in the same words as of any other."""
    allowed = TIMES
    limit = harness.section("limit", "few", {**of, "requests": f"{allowed}/day"})
    made = broker(DEBUG + config(provider, rule(), limit))
    provider.script(**said("one"))
    asker = Asker(made)
    told = [asker.ask() for _ in range(allowed)]
    assert told[-1][1] and all(refused(frames) is None for frames, _ in told)
    frames, is_again = asker.ask()
    other, _ = asker.ask(text="Another.")
    assert not is_again and refused(frames) == refused(other) == "rate_limited"
    assert frames[-1][1]["message"] == other[-1][1]["message"]
    asker.close()


def test_of_others_it_knows_nothing(broker, provider):
    """Another application under the same user sends the same frame."""
    made = broker(DEBUG + config(provider))
    provider.script(**said("one"))
    Asker(made).known().close()
    client = WireClient(made.socket, timeout=20)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "another"})
    client.recv_until(WELCOME)
    before = n_again(made)
    body = {"model": "a/m", "messages": [{"role": "user", "content": "Say it."}], "stream": True, "temperature": 0}
    client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "credit": 1 << 24, "body": msgpack.packb(body)})
    frames = client.recv_until(END)
    assert frames[-1].body["cache"]["source"] == "hit" and n_again(made) == before
    rows = ledger(made)["exchange"]
    assert rows[-1]["app"] == "another"
    client.close()


def test_none_is_lost_when_it_is_killed(broker, provider):
    """What was told has a row, whenever that is."""
    made = broker(DEBUG + config(provider))
    provider.script(**said("one"))
    asker = Asker(made).known()
    told = [asker.ask()[0][-1][1]["request_id"] for _ in range(300)]
    made.kill9()
    asker.close()
    made.start()
    assert set(told) <= {row["id"] for row in ledger(made)["exchange"]}
