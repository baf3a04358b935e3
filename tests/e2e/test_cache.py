"""test_cache.py - is the same request answered once, for those alone who share it, and never wrongly?"""

import collections
import json
import threading
import time

import harness
import msgpack
import pytest
from bridge import ask
from harness import wait_until
from provider_faults import said
from test_identity import NOBODY, as_user, needs_root
from test_route_faults import ledger
from wire import CALL, CREDIT, END, EVENT, FAULT, HELLO, WELCOME, WireClient

SHARED = 500
KEY = "sk-test-0123456789abcdefghijklmnop"
TEXT = "words " * 200 + "end"


@pytest.fixture
def provider(providers):
    return providers(needs_key=False)


def config(provider, *sections, **model):
    return (harness.provider_section(provider, "a", auth="none") + "".join(sections) +
            harness.section("model", "a/m", {"price_input": "1", "price_output": "2", **model}))


class Calls:
    """Many calls on one connection, and what has come of each."""

    def __init__(self, path, timeout=60):
        self.client = WireClient(path, timeout=timeout)
        self.client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "cache"})
        self.client.recv_until(WELCOME)
        self.texts, self.last = collections.defaultdict(str), {}
        self.n = 0

    def ask(self, text="Say it.", model="a/m", *, stream=True, temperature=0, op="chat", more=None, **call):
        self.n += 1
        body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
        if temperature is not None:
            body["temperature"] = temperature
        self.client.send_frame(CALL, self.n, {"kind": "typed", "op": op, "credit": 1 << 24,
                                              "body": msgpack.packb({**body, **(more or {})}), **call})
        return self.n

    def frame(self):
        frame = self.client.recv_frame()
        assert frame is not None, "the broker hung up"
        if frame.type in (END, FAULT):
            assert frame.call not in self.last
            self.last[frame.call] = frame
        elif frame.type == EVENT and frame.body["ev"] == "text":
            self.texts[frame.call] += frame.body["d"]
        else:
            assert frame.type in (EVENT, CREDIT), frame
        return frame

    def finish(self, *numbers):
        while not all(number in self.last for number in numbers or range(1, self.n + 1)):
            self.frame()
        return self

    def source(self, number):
        """Where the answer came from: "" a provider."""
        assert self.last[number].type == END, self.last[number]
        return self.last[number].body.get("cache", {}).get("source", "")

    def close(self):
        self.client.close()


def one(made, *args, **options):
    """Its text, and where it came from."""
    calls = Calls(made.socket)
    number = calls.ask(*args, **options)
    calls.finish()
    calls.close()
    return calls.texts[number], calls.source(number)


def one_end(made, **options):
    """The account at its end."""
    calls = Calls(made.socket)
    number = calls.ask(**options)
    calls.finish()
    calls.close()
    assert calls.last[number].type == END, calls.last[number]
    return calls.last[number].body


def test_the_same_is_asked_once(broker, provider):
    made = broker(config(provider))
    provider.script(**said("first"))
    provider.script(**said("second"))
    assert one(made) == ("first", "")
    assert one(made, stream=False) == ("first", "hit")
    assert one(made, "Say it!") == ("second", "")
    assert one(made) == ("first", "hit")
    assert len(provider.requests()) == 2
    rows = ledger(made)
    assert sorted((row["cache"] or "", row["attempts"], row["cost_nusd"] == 0, (row["saved_nusd"] or 0) > 0)
                  for row in rows["exchange"]) == [
        ("", 1, False, False), ("", 1, False, False), ("hit", 0, True, True), ("hit", 0, True, True)]
    used = made.llmb("usage", "--by", "none", "--json")
    assert json.loads(used.out)["total"]["cached"] == 2
    stats = json.loads(made.llmb("cache", "stats", "--json").out)
    assert stats["memory"]["entries"] == 2 and stats["memory"]["hits"] == 2
    listed = json.loads(made.llmb("cache", "list", "--json").out)["entries"]
    assert [(row["target"], row["op"]) for row in listed] == [("a/m", "chat")] * 2
    assert made.llmb("cache", "clear").code == 0
    provider.script(**said("third"))
    assert one(made) == ("third", "")


def test_what_is_asked_many_times_is_read_once(broker, provider):
    """And is what it was: for the next answer, the next provider's request, another limit of policy, another secret."""
    rule = harness.section("policy", "here", {"kind": "host", "operation": "*"})
    debug = "[broker]\nlog_level = debug\n"
    made = broker(debug + config(provider, rule))
    made.add_key("openai", KEY)
    much = {"tools": [{"type": "function", "name": "look", "parameters": json.dumps({"type": "object"})}],
            "max_tokens": 400, "metadata": {"of": "mine"}}

    def ask_it(**options):
        return one(made, TEXT * 40, more=much, **options)
    provider.script(**said("first"))
    read = lambda: (made.log().count("cache.asked"), made.log().count("cache.again"))  # noqa: E731
    assert [ask_it() for _ in range(6)] == [("first", "")] + [("first", "hit")] * 5
    assert read() == (1, 2), "found twice, and then no more read, and then told as it was before"
    assert [ask_it(stream=False) for _ in range(4)] == [("first", "hit")] * 4
    assert read() in ((2, 3), (3, 2)), "where two calls want one place, the second has it a little later"
    provider.script(**said("second"))
    assert [ask_it(cache="refresh"), ask_it(), ask_it(cache="read")] == [
        ("second", ""), ("second", "hit"), ("second", "hit")]
    first, again = (json.loads(request.body) for request in provider.requests())
    assert first == again and first["tools"][0]["function"]["name"] == "look" and TEXT in first["messages"][0]["content"]
    made.configure(debug + config(provider, rule + "max_output = 100\n"))
    assert made.llmb("config", "reload").code == 0
    provider.script(**said("bounded"))
    assert [ask_it() for _ in range(4)] == [("bounded", "")] + [("bounded", "hit")] * 3
    made.configure(debug + config(provider, rule))
    assert made.llmb("config", "reload").code == 0
    assert ask_it() == ("second", "hit")
    assert made.llmb("vault", "lock").code == 0
    provider.script(**said("locked"))
    assert [ask_it() for _ in range(4)] == [("locked", "")] + [("locked", "hit")] * 3
    assert made.llmb("vault", "unlock").code == 0
    assert [ask_it() for _ in range(4)] == [("second", "hit")] * 4
    assert made.llmb("cache", "clear").code == 0
    provider.script(**said("cleared"))
    assert [ask_it() for _ in range(4)] == [("cleared", "")] + [("cleared", "hit")] * 3
    assert len(provider.requests()) == 5
    assert len(ledger(made)["exchange"]) == 6 + 4 + 3 + 4 + 1 + 4 + 4 + 4
    provider.script(**said("held"), hold="start")
    calls = Calls(made.socket)
    number = calls.ask(TEXT * 40, more=much, cache="refresh")
    provider.wait_request(6)
    assert made.llmb("cache", "clear").code == 0
    provider.release()
    calls.finish()
    calls.close()
    assert (calls.texts[number], calls.source(number)) == ("held", "")
    assert json.loads(provider.requests()[-1].body) == first, "what is under way is what it was"


def test_llmb_says_how(broker, provider):
    made = broker(config(provider))
    for text in ("first", "second", "third"):
        provider.script(**said(text))
    assert [made.llmb("ask", "-m", "a/m", *more, "x").out.strip()
            for more in (("--cache=on",), ("--cache=on",), (), ("--cache=refresh",), ("--cache=read",))] == [
        "first", "first", "second", "third", "third"]
    wrong = made.llmb("ask", "-m", "a/m", "--cache=maybe", "x")
    assert wrong.code == 2 and "off, read, write, on, refresh and only" in wrong.err, wrong


def test_only_what_is_kept(broker, provider, bridge):
    """Nobody is asked, whatever it is that would be asked for."""
    rule = harness.section("policy", "here", {"kind": "host", "operation": "*", "native": "* * /"})
    made = broker(config(provider, rule))
    served = bridge(made)
    missing = made.llmb("ask", "-m", "a/m", "--cache=only", "x")
    assert missing.code == 1 and "no answer to this request is kept" in missing.err, missing
    provider.script(**said("first"))
    assert made.llmb("ask", "-m", "a/m", "--cache=on", "x").out == "first\n"
    assert made.llmb("ask", "-m", "a/m", "--cache=only", "x").out == "first\n"

    def post(path, body, **more):
        return ask(served, "POST", path, json.dumps(body).encode(),
                   headers=[("content-type", "application/json"), ("x-llm-broker-cache", "only"), *more.items()])
    text = {"messages": [{"role": "user", "content": "y"}], "max_tokens": 9}
    for path, body in (("/v1/chat/completions", {"model": "a/m", **text}), ("/v1/messages", {"model": "a/m", **text}),
                       ("/v1/messages/count_tokens", {"model": "a/m", "messages": text["messages"]}),
                       ("/v1/embeddings", {"model": "a/m", "input": "y"}),
                       ("/v1/chat/completions", {"model": "offline/echo", **text}),
                       ("/v1/images/generations", {"model": "a/m", "prompt": "y"})):
        answer = post(path, body)
        assert answer.status == 404 and answer.header("x-llm-broker-class") == ["not_cached"], (path, answer)
        assert answer.header("x-should-retry") == ["false"], answer
    assert len(provider.requests()) == 1
    rows = ledger(made)
    assert len(rows["attempt"]) == 1
    made.configure(config(provider, rule.replace("native", "cache = off\nnative")))
    assert made.llmb("config", "reload").code == 0
    refused = made.llmb("ask", "-m", "a/m", "--cache=only", "x")
    assert refused.code == 1 and "or this caller may not have them" in refused.err, refused
    assert len(provider.requests()) == 1


def test_an_answer_says_that_it_is_kept(broker, provider):
    made = broker(config(provider, harness.section("cache", "", {"entry_kib": "1"})))
    kept = lambda **more: one_end(made, **more).get("kept", False)  # noqa: E731
    for text in ("first", "second", TEXT * 4):
        provider.script(**said(text))
    assert [kept(), kept(), kept(cache="off"), kept(cache="refresh")] == [True, False, False, False]
    assert json.loads(made.llmb("ask", "-m", "a/m", "--cache=on", "--json", "--no-stream", "x").out)["usage"]["kept"] is True


def test_it_outlives_the_broker(broker, provider):
    """While the vault is open it is on disk as well; locked, in memory alone, under other keys."""
    made = broker(config(provider))
    made.add_key("openai", KEY)
    provider.script(**said("kept"))
    assert one(made) == ("kept", "")
    wait_until(lambda: json.loads(made.llmb("cache", "stats", "--json").out)["disk"]["entries"] == 1, 10, "it is on disk")
    time.sleep(1)  # and was written, with what came soon after
    made.kill9()
    made.start()
    wait_until(lambda: json.loads(made.llmb("cache", "stats", "--json").out)["disk"]["entries"] == 1, 10, "it is found")
    assert one(made) == ("kept", "hit")
    assert len(provider.requests()) == 1
    whole = b"".join(path.read_bytes() for path in (made.state_dir / "cache").rglob("*") if path.is_file())
    assert b"kept" not in whole and b"Say it" not in whole and b"a/m" not in whole
    assert made.llmb("vault", "lock").code == 0
    provider.script(**said("locked"))
    assert one(made) == ("locked", "")
    assert one(made) == ("locked", "hit")
    assert made.llmb("vault", "unlock").code == 0
    assert one(made) == ("kept", "hit")


def test_what_is_cleared_does_not_come_back(broker, provider):
    """Killed as soon as the command has ended, open and locked; what came then stays."""
    made = broker(config(provider))
    made.add_key("openai", KEY)
    on_disk = lambda: json.loads(made.llmb("cache", "stats", "--json").out)["disk"]  # noqa: E731
    for text, is_locked in (("first", False), ("second", True), ("third", False)):
        provider.script(**said(text))
        assert one(made) == (text, "")
        time.sleep(0.5)  # it is on its way by then
        if is_locked:
            assert made.llmb("vault", "lock").code == 0
        assert made.llmb("cache", "clear").code == 0
        made.kill9()
        made.start()
        wait_until(lambda: on_disk()["open"], 10, "it was looked through")
        assert on_disk()["entries"] == 0


def test_what_came_last_is_written_at_the_end(broker, provider):
    made = broker(config(provider))
    made.add_key("openai", KEY)
    provider.script(**said("last"))
    assert one(made) == ("last", "")
    made.stop()
    made.start()
    wait_until(lambda: json.loads(made.llmb("cache", "stats", "--json").out)["disk"]["entries"] == 1, 10, "it is found")
    assert one(made) == ("last", "hit")


@pytest.mark.parametrize("scope, is_shared", [("app", False), ("user", True)])
def test_whose_it_is(broker, provider, scope, is_shared):
    rule = harness.section("policy", "apps", {"kind": "app", "model": "*", "cache_scope": scope})
    made = broker(config(provider, rule))
    paths = []
    for name in ("notes", "mail"):
        added = made.llmb("app", "add", name, "--json")
        assert added.code == 0, added
        paths.append(json.loads(added.out)["socket"])
    provider.script(**said("first"))
    provider.script(**said("second"))
    found = []
    for path in [*paths, *paths]:
        calls = Calls(path)
        number = calls.ask()
        calls.finish()
        calls.close()
        found.append((calls.texts[number], calls.source(number)))
    assert found == ([("first", ""), ("first", "hit"), ("first", "hit"), ("first", "hit")] if is_shared else
                     [("first", ""), ("second", ""), ("first", "hit"), ("second", "hit")])


def test_a_section_is_an_account(broker, provider):
    """Two of one address share nothing."""
    made = broker(harness.provider_section(provider, "a", auth="none") + harness.provider_section(provider, "b", auth="none") +
                  harness.section("model", "first", {"target": "a/m"}) + harness.section("model", "second", {"target": "b/m"}))
    for text in ("of a", "of b"):
        provider.script(**said(text))
    assert one(made, model="first") == ("of a", "")
    assert one(made, model="second") == ("of b", "")
    assert one(made, model="a/m") == ("of a", "hit")
    assert one(made, model="b/m") == ("of b", "hit")
    assert len(provider.requests()) == 2


def test_all_keys_of_an_account_share(broker, provider):
    """What one key got is there when another asks."""
    made = broker(harness.provider_section(provider, "a"))
    made.add_key("a/one", KEY)
    provider.script(**said("first"))
    assert one(made) == ("first", "")
    made.add_key("a/two", KEY[::-1])
    assert made.llmb("key", "rm", "a/one").code == 0
    assert one(made) == ("first", "hit")
    provider.script(**said("second"))
    assert one(made, "other words") == ("second", "")
    assert [request.header("authorization")[0] for request in provider.requests()] == [f"Bearer {KEY}", f"Bearer {KEY[::-1]}"]


@needs_root
def test_a_guest_is_told_of_his_own(broker, provider):
    """What is kept of others, and how often they ask, he cannot tell."""
    made = broker(config(provider, harness.section("policy", "guest", {"user": NOBODY, "kind": "host", "operation": "*"})))
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)

    def stats(*words):
        done = harness.subprocess.run([*as_user(NOBODY), harness.program("llmb"), "cache", "stats", *words],
                                      env=made.client_env(), cwd=made.folder, capture_output=True, timeout=20)
        assert done.returncode == 0, done
        return done.stdout.decode()

    before = json.loads(stats("--json"))
    for text in ("first", "second"):
        provider.script(**said(text))
        assert one(made, text)[1] == ""
    assert one(made, "first") == ("first", "hit")
    assert json.loads(stats("--json")) == before
    assert set(before) == {"memory", "disk"} and "hits" not in before["memory"] and "hits" not in before["disk"], before
    assert before["memory"]["entries"] == before["memory"]["bytes"] == before["disk"]["entries"] == before["disk"]["bytes"] == 0
    assert "HITS" not in stats() and "misses" not in stats()
    own = json.loads(made.llmb("cache", "stats", "--json").out)
    assert own["memory"]["entries"] == 2 and own["memory"]["hits"] == 1 and own["misses"] >= 2, own
    provider.script(**said("his"))
    asked = harness.subprocess.run([*as_user(NOBODY), harness.program("llmb"), "ask", "-m", "a/m", "--cache=on", "x"],
                                   env=made.client_env(), cwd=made.folder, capture_output=True, timeout=20)
    assert asked.returncode == 0, asked
    assert json.loads(stats("--json"))["memory"]["entries"] == 1


def test_where_nothing_is_on_disk_it_is_said_why(broker, provider):
    made = broker(config(provider))
    shown = made.llmb("cache", "stats")
    assert "there is no vault yet" in shown.err and "unlock" not in shown.err, shown
    assert json.loads(made.llmb("cache", "stats", "--json").out)["disk"]["state"] == "absent"
    made.add_key("openai", KEY)
    wait_until(lambda: json.loads(made.llmb("cache", "stats", "--json").out)["disk"]["state"] == "open", 10, "it is open")
    assert made.llmb("cache", "stats").err == ""
    assert "CACHE" not in made.llmb("status").out and "kept on disk as well" in made.llmb("doctor").out
    assert made.llmb("vault", "lock").code == 0
    assert "the vault is locked" in made.llmb("cache", "stats").err
    (made.state_dir / "cache" / "answers").unlink(missing_ok=True)
    (made.state_dir / "cache" / "answers").mkdir(parents=True)
    assert made.llmb("vault", "unlock").code == 0
    provider.script(**said("first"))
    assert one(made) == ("first", "")
    wait_until(lambda: json.loads(made.llmb("cache", "stats", "--json").out)["disk"]["state"] == "failing", 10, "it failed")
    assert "the disk takes no more: Is a directory" in made.llmb("cache", "stats").err
    assert "CACHE     the disk takes no more: Is a directory" in made.llmb("status").out
    assert "cache      the disk takes no more: Is a directory" in made.llmb("doctor").out
    made.configure(config(provider, harness.section("cache", "", {"disk_mib": 0})))
    assert made.llmb("config", "reload").code == 0
    assert made.llmb("cache", "stats").err == "" and "CACHE" not in made.llmb("status").out


def test_what_does_nothing_is_said(broker, provider):
    made = broker(config(provider))
    plain = made.config_file.read_text()

    def checked(rule, **cache):
        made.config_file.write_text(plain + harness.section("cache", "", {"embed_model": "a/e", **cache}) +
                                    harness.section("policy", "p", {"kind": "host", "operation": "*", **rule}))
        done = made.llmb("config", "check")
        assert done.code == 0, done
        return done.out + done.err

    near = {"cache_semantic": "0.95"}
    assert "does nothing" not in checked({"cache": "on", **near}) and "entry_kib" not in checked({})
    for rule, cache, why in ((near | {"cache": "off"}, {}, "cache = off"), (near | {"cache": "write"}, {}, "cache = write"),
                             (near, {"vectors": 0}, "vectors = 0"), (near, {"memory_mib": 0, "disk_mib": 0}, "disk_mib = 0")):
        said_so = checked(rule, **cache)
        assert '[policy "p"] cache_semantic does nothing with ' in said_so and why in said_so, said_so
    assert "more than memory_mib" in checked({}, memory_mib=1, entry_kib=1025)
    assert "more than half of disk_mib" in checked({}, disk_mib=1, entry_kib=513)
    assert "does nothing" not in checked({"cache": "off"}), "a rule that keeps nothing is as it should be"


def test_policy_forbids_it(broker, provider):
    rule = harness.section("policy", "none", {"kind": "host", "operation": "*", "cache": "off"})
    made = broker(config(provider, rule))
    shown = made.llmb("policy", "show")
    assert "cache = off\n" in shown.out and "cache_scope" not in shown.out, shown
    for text in ("first", "second"):
        provider.script(**said(text))
    assert one(made, cache="on") == ("first", "")
    assert one(made, cache="on") == ("second", "")
    assert made.llmb("config", "reload").code == 0 == made.llmb("usage").code, "who may do all else still may"


def test_many_ask_at_once(broker, provider):
    """One body goes out, all have the whole answer, and who asked first may die."""
    made = broker(config(provider))
    provider.script(**said(TEXT), hold="start")
    first = Calls(made.socket)
    first.ask()
    provider.wait_request(1)
    others = [Calls(made.socket) for _ in range(10)]
    for calls in others:
        for i in range(SHARED // 10):
            calls.ask(stream=i % 2 == 0)
    status = lambda: json.loads(made.llmb("status", "--json").out)  # noqa: E731
    wait_until(lambda: status()["calls"] >= SHARED + 1, 20, "all are there")
    first.close()
    provider.release()
    for calls in others:
        calls.finish()
        assert {(calls.texts[n], calls.source(n)) for n in range(1, calls.n + 1)} == {(TEXT, "joined")}
        calls.close()
    assert len(provider.requests()) == 1
    rows = ledger(made)
    assert collections.Counter((row["outcome"], row["cache"], row["attempts"]) for row in rows["exchange"]) == {
        ("ok", None, 1): 1, ("ok", "joined", 0): SHARED}
    assert len(rows["attempt"]) == 1
    assert sum(row["cost_nusd"] for row in rows["exchange"]) == rows["attempt"][0]["cost_nusd"] > 0


def test_the_provider_dies_under_many(broker, provider):
    """While the answer comes: all have the same fault, and nothing is kept."""
    made = broker(config(provider))
    provider.script(**said(TEXT), hold={"events": 5})
    all_calls = [Calls(made.socket) for _ in range(10)]
    for calls in all_calls:
        for i in range(SHARED // 10):
            calls.ask(stream=i % 2 == 0, at_most_once=True)
    wait_until(lambda: json.loads(made.llmb("status", "--json").out)["calls"] >= SHARED, 20, "all are there")
    while not all_calls[-1].texts[1]:
        all_calls[-1].frame()
    provider.listener("down", hangs_up=True)
    found = set()
    for calls in all_calls:
        calls.finish()
        found |= {(frame.type, frame.body["class"], frame.body["message"]) for frame in calls.last.values()}
        calls.close()
    assert [fault[:2] for fault in found] == [(FAULT, "stream_incomplete")], found
    assert len(provider.requests()) == 1
    rows = made.wait_ledger(SHARED, 1)["exchange"]
    assert collections.Counter((row["outcome"], row["attempts"]) for row in rows) == {
        ("unknown", 1): 1, ("failed", 0): SHARED - 1}
    assert not any(row["cost_nusd"] for row in rows if not row["attempts"])
    stats = json.loads(made.llmb("cache", "stats", "--json").out)
    assert stats["memory"]["entries"] == 0, stats
    provider.listener("up")
    made.forget_rests()
    provider.script(**said("whole"))
    assert one(made) == ("whole", "")


def test_a_slow_reader_holds_up_nobody(broker, provider):
    """The one who leads reads nothing: the others have all of it."""
    text = ("w" * 4000 + " ") * 1000
    made = broker(config(provider, harness.section("cache", "", {"entry_kib": "8192"})))
    provider.script(**said(text), hold="start")
    first = Calls(made.socket)
    first.client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "credit": 1, "body": msgpack.packb(
        {"model": "a/m", "messages": [{"role": "user", "content": "Say it."}], "stream": True, "temperature": 0})})
    provider.wait_request(1)
    others = [Calls(made.socket) for _ in range(3)]
    threads = []
    for calls in others:
        calls.ask(credit=1 << 25)
    time.sleep(0.3)
    provider.release()
    for calls in others:
        threads.append(threading.Thread(target=calls.finish))
        threads[-1].start()
    for thread in threads:
        thread.join(30)
    assert [calls.texts[1] == text for calls in others] == [True] * 3
    first.close()
    assert len(provider.requests()) == 1


def test_a_crowd_comes_and_goes(broker, provider):
    """Callers die at any moment, the leading ones too: whoever stays has the whole answer."""
    made = broker(config(provider))
    for _ in range(3):
        provider.script(**said(TEXT), pause={"at": {"events": 3}, "ms": 400}, times=0)
    gone = [Calls(made.socket) for _ in range(40)]
    stay = [Calls(made.socket) for _ in range(10)]
    for calls in gone[:20] + stay[:5] + gone[20:] + stay[5:]:
        calls.ask()
    for i, calls in enumerate(gone):
        threading.Timer(0.01 * i, calls.close).start()
    for calls in stay:
        calls.finish()
        assert calls.texts[1] == TEXT
        calls.close()
    assert len(provider.requests()) == 1


def test_what_is_stale_stands_in_for_a_provider_that_is_away(broker, provider, bridge):
    """By the library, the bridge and the command line; the ledger says so, with what was tried; no more than is asked for."""
    made = broker(config(provider, harness.section("cache", "", {"ttl": "1s"})))
    served = bridge(made)
    stale = {"cache_ttl_s": 0, "cache_stale_s": 3600}
    provider.script(**said("kept"))
    assert one(made, **stale) == ("kept", "")
    provider.listener("down", hangs_up=True)

    def post(**headers):
        body = {"model": "a/m", "messages": [{"role": "user", "content": "x"}], "temperature": 0}
        return ask(served, "POST", "/v1/chat/completions", json.dumps(body).encode(),
                   headers=[("content-type", "application/json"), *headers.items()])

    calls = Calls(made.socket)
    for number in (calls.ask(**stale), calls.ask(stream=False, **stale)):
        calls.finish(number)
        assert calls.texts[number] == "kept" and calls.last[number].body["cache"]["saved_nusd"] > 0
        assert calls.source(number) == "stale" and not calls.last[number].body["usage"].get("cost_nusd")
    fresh = calls.ask(cache_ttl_s=0)
    calls.finish(fresh)
    assert calls.last[fresh].type == FAULT and calls.last[fresh].body["class"] in ("connection", "overloaded")
    calls.close()
    rows = [row for row in ledger(made)["exchange"] if row["cache"]]
    assert [(row["cache"], row["outcome"], row["provider"], row["warnings"]) for row in rows] == [("stale", "ok", "a", 1)] * 2
    assert min(row["attempts"] for row in rows) == 0 < max(row["attempts"] for row in rows)  # one of them led
    assert all(row["cost_nusd"] == 0 and row["saved_nusd"] > 0 for row in rows)
    assert json.loads(made.llmb("usage", "--by", "none", "--json").out)["total"]["cached"] == 2

    provider.listener("up")
    provider.script(**said("bridged"))
    terms = {"x-llm-broker-cache-ttl": "0", "x-llm-broker-cache-stale-if-error": "60"}
    wait_until(lambda: post(**terms).status == 200, 20, "it is asked again")
    provider.listener("down", hangs_up=True)
    again = post(**terms)
    assert again.status == 200 and b"bridged" in again.body
    assert again.header("x-llm-broker-cache")[0].startswith("stale; age=")
    assert any(text.startswith("stale") for text in again.header("x-llm-broker-warning"))
    assert post(**{"x-llm-broker-cache-ttl": "0"}).status >= 500

    provider.listener("up")
    provider.script(**said("asked"))
    wait_until(lambda: made.llmb("ask", "-m", "a/m", "--cache=write", "--cache-stale=1h", "y").code == 0, 20, "it is asked again")
    provider.listener("down", hangs_up=True)
    time.sleep(2.1)  # it is no longer fresh
    kept = made.llmb("ask", "-m", "a/m", "--cache=on", "--cache-stale=1h", "y")
    assert kept.code == 0 and kept.out.strip() == "asked" and "stale" in kept.err, kept
    assert made.llmb("ask", "-m", "a/m", "--cache=on", "y").code != 0


def test_by_the_bridge(broker, provider, bridge):
    """Streams and whole answers of a surface, each made of what was kept of the other; byte for byte where the body is the same."""
    made = broker(config(provider))
    served = bridge(made)

    def post(headers=(), **more):
        body = {"model": "a/m", "messages": [{"role": "user", "content": "x"}], "temperature": 0, **more}
        return ask(served, "POST", "/v1/chat/completions", json.dumps(body).encode(),
                   headers=[("content-type", "application/json"), *headers])

    provider.script(**said("first"))
    first, again, stream = post(), post(), post(stream=True)
    assert [answer.status for answer in (first, again, stream)] == [200] * 3
    assert not first.header("x-llm-broker-cache") and bytes(first.body) == bytes(again.body)
    assert again.header("x-llm-broker-cache")[0].startswith("hit; age=")
    assert stream.header("x-llm-broker-cache")[0].startswith("hit; age=")
    assert b'"content":"first"' in stream.body and stream.body.endswith(b"data: [DONE]\n\n")
    provider.script(**said("second"))
    asked = post([("x-llm-broker-cache", "refresh")])
    assert b"second" in asked.body and len(provider.requests()) == 2
    for name, value, said_so in (("", "maybe", b"off, read, write, on, refresh or only"), ("-ttl", "-1", b"-ttl is a number of seconds"),
                                 ("-stale-if-error", "x", b"-stale-if-error is a number of seconds"),
                                 ("-max-age", "soon", b"-max-age is a number of seconds"), ("-stale", "5", b"no header x-llm-broker-cache-stale:"),
                                 ("-foo", "1", b"no header x-llm-broker-cache-foo"), ("s", "on", b"no header x-llm-broker-caches")):
        wrong = post([("x-llm-broker-cache" + name, value)])
        assert wrong.status == 400 and said_so in wrong.body, wrong
    for name, values in (("", ("on", "off")), ("-ttl", ("5", "5")), ("-namespace", ("a", "b"))):
        wrong = post([("x-llm-broker-cache" + name, value) for value in values])
        assert wrong.status == 400 and b"x-llm-broker-cache" + name.encode() + b" is said twice" in wrong.body, wrong
    assert post([("X-LLM-Broker-Cache", "on"), ("X-LLM-Broker-Cache-Max-Age", "60"), ("x-llm-broker-cache-ttl", "0")]).status == 200
    provider.script(**said("apart"))
    assert b"apart" in post([("x-llm-broker-cache-namespace", "mine")]).body
