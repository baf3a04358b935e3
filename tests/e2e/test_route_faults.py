"""test_route_faults.py - what does a caller get when the first of two targets fails, in every way there is?

Each fault has a test of its own, in which six calls are under way at once: a typed one and one of OpenAI's
chat, each with the fault before any content and another target behind it, with the fault after some words, and
with the fault and nobody else to ask. Each of the six has a provider of its own, told from the others by its
path, so that what is learned of one says nothing of another.
"""

import contextlib
import json
import os
import time

import harness
import msgpack
import pytest
from harness import wait_until
from provider_client import Provider
from provider_faults import FAULTS, LOST, ODD, SEEN, TOKENS, said
from surfaces import FAMILIES, Call
from wire import CALL, CREDIT, END, EVENT, FAULT, HELLO, WELCOME, WireClient

GOOD = " ".join(f"good{i}" for i in range(1, 41))  # what the second one says
TIMERS = {"connect_timeout": "1s", "first_byte_timeout": "1s", "idle_timeout": "1s", "first_token_timeout": "2s",
          "request_timeout": "60s", "head_hold": "never"}
DEADLINE_MS = 6000 * harness.SLOWER
WAYS = ("typed", "relayed")
PARTS = ("before", "after", "alone")
MORE = ("late", "gone")  # providers for calls that run out of time, and whose callers vanish
KEYS = ("one", "two", "three")
KEPT = ("reset", "stall", "down")  # what becomes of a host whose kept connection closes
DEAD = {"revoked": (401, "auth"), "quota": (402, "quota_exhausted"), "forbidden": (403, "permission")}
# of the broker, for one fault's six calls: to move ten megabytes is the most
CPU_SECONDS = 0.8 * harness.SLOWER * (8 if harness.is_observed() else 1)
PATHS = {"openai-chat": "/v1/chat/completions", "openai-responses": "/v1/responses"}
ALL = {**FAULTS, **ODD}


class Typed:
    """A typed chat under way on a connection of its own, and what has come of it."""

    def __init__(self, made, model, text="Say it.", stream=True, **more):
        body = msgpack.packb({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]})
        self.texts, self.calls, self.finish, self.last = [], {}, [], None
        self.client = WireClient(made.socket, timeout=30)
        self.client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "faults"})
        self.client.recv_until(WELCOME)
        self.client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "body": body, **more})

    def frame(self):
        frame = self.client.recv_frame()
        assert frame is not None, "the broker hung up"
        assert self.last is None
        if frame.type in (END, FAULT):
            self.last = frame
            return
        if frame.type != EVENT:
            assert frame.type == CREDIT, frame
            return
        self.client.send_frame(CREDIT, 1, {"bytes": frame.size})
        event, name = frame.body, frame.body["ev"]
        if name == "text":
            self.texts.append(event["d"])
        elif name == "tool_start":
            self.calls[event.get("t", 0)] = [event["name"], ""]
        elif name == "tool_args":
            self.calls[event.get("t", 0)][1] += event["d"]
        elif name == "finish":
            self.finish.append(event["finish"])

    def until(self, n):
        """Reads until so many pieces of text have come."""
        while len(self.texts) < n and self.last is None:
            self.frame()
        return self

    def finished(self):
        while self.last is None:
            self.frame()
        self.close()
        return self

    def close(self):
        self.client.close()

    @property
    def text(self):
        return "".join(self.texts)

    @property
    def ended_well(self):
        """Whether the answer is whole, by its own marks."""
        return self.last.type == END and len(self.finish) == 1

    @property
    def fault(self):
        return self.last.body["class"] if self.last.type == FAULT else None


class Relayed:
    """The same of a caller who speaks OpenAI's chat."""

    family = FAMILIES["chat"]

    def __init__(self, made, model, text="it", stream=True, **more):
        self.call = Call(made, **self.family.ask(model, text, stream), timeout=30, **more)

    def until(self, n):
        while self.call.body.count(b'"content"') <= n and self.call.last is None:
            self.call.frame()
        return self

    def finished(self):
        self.call.finish()
        return self

    def close(self):
        self.call.close()

    @property
    def last(self):
        return self.call.last

    @property
    def chunks(self):
        """What its provider sent is passed on byte by byte, and so is a line that is no JSON."""
        return [json.loads(line[6:]) for line in self.call.body.decode().replace("\r", "").split("\n")
                if line.startswith("data: {") and line != "data: {oops"]

    @property
    def _choices(self):
        return [choice for chunk in self.chunks for choice in chunk.get("choices", ())]

    @property
    def text(self):
        if self.call.is_stream:
            return "".join(choice["delta"].get("content") or "" for choice in self._choices)
        return self.family.text(self.call) if self.call.is_good else ""

    @property
    def calls(self):
        calls = {}
        for choice in self._choices:
            for piece in choice["delta"].get("tool_calls") or ():
                call = calls.setdefault(piece["index"], ["", ""])
                call[0] += piece["function"].get("name") or ""
                call[1] += piece["function"].get("arguments") or ""
        return calls

    @property
    def ended_well(self):
        finishes = [choice["finish_reason"] for choice in self._choices if choice.get("finish_reason")]
        return self.call.is_good and self.call.status == 200 and len(finishes) == 1 and \
            not any("error" in chunk for chunk in self.chunks)

    @property
    def fault(self):
        """Its class, once it is sure that it was told in the surface's own words, too, and once."""
        fault = self.call.fault
        if fault and self.call.is_stream:
            errors = [chunk for chunk in self.chunks if "error" in chunk]
            assert errors == self.chunks[-1:], self.call
            assert b"[DONE]" not in self.call.body, "an answer that broke has no good end"
        elif fault:
            assert self.call.status >= 400 and self.family.error(self.call)[1], self.call
        return fault


CALLS = {"typed": Typed, "relayed": Relayed}


def named(fault, part, way):
    return f"{fault.replace('.', '-')}-{part}-{way}"


def config(first, connect, second):
    """A provider of its own for each call, and an alias of it and of the one that is well."""
    text = harness.section("broker", "", TIMERS)
    text += harness.provider_section(second, "second", auth="none", base_path="/second")
    for fault, what in ALL.items():
        rig = connect if what.is_connect else first
        for part in PARTS + MORE:
            for way in WAYS:
                name = named(fault, part, way)
                text += harness.provider_section(rig, name, auth="none", base_path="/" + name,
                                                 dialect=f"{what.dialect} {PATHS[what.dialect]}")
                text += harness.section("model", "both-" + name, {"target": [name + "/m", "second/m"]})
    for state in DEAD:
        text += harness.provider_section(first, state, base_path="/" + state)
    for name in ("changed", *KEPT):
        text += harness.provider_section(connect, name, auth="none", base_path="/" + name)
        text += harness.section("model", "both-" + name, {"target": [name + "/m", "second/m"]})
    return text


@pytest.fixture(scope="module")
def rigs(certs):
    """One for what happens to requests, one for what happens to connections, one that is well."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Provider(certs, needs_key=False)) for _ in range(3)]


@pytest.fixture(scope="module")
def made(rigs):
    with harness.Broker(config(*rigs)) as broker:
        yield broker


@pytest.fixture
def world(made, rigs):
    """The broker and its providers, all as if new but for what it has learned; and nothing is left of a test."""
    for rig in rigs:
        rig.reset()
    rigs[2].script(**said(GOOD), times=0)
    yield made, *rigs
    for rig in rigs:
        rig.check()
    has_open(made, 0)


def has_open(made, calls):
    """Waits until so many calls are open."""
    wait_until(lambda: json.loads(made.llmb("status", "--json").out)["calls"] == calls, 10, f"{calls} calls are open")


def cpu_seconds(made):
    with open(f"/proc/{made.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ledger(made):
    """Its rows, and those that waited to be written."""
    assert made.llmb("usage").code == 0
    return made.ledger()


def rows_of(made, call):
    """The exchange's row and those of its attempts, once they are there."""
    def found():
        rows = ledger(made)
        mine = [row for row in rows["exchange"] if row["id"] == call.last.body["request_id"]]
        return mine and (mine[0], sorted((row for row in rows["attempt"] if row["exchange_id"] == mine[0]["id"]),
                                         key=lambda row: row["number"]))
    return wait_until(found, 10, "the rows of a call")


def bodies(rig, name):
    """How many whole requests came there for that provider."""
    return sum(seen.body_complete and seen.path.startswith(f"/{name}/") for seen in rig.requests())


def prepare(rig, fault, what, parts):
    """Lets the fault be, for all of a fault's calls that are to meet it."""
    if what.listener:
        rig.listener(what.listener)
    elif what.flaw:
        rig.on_connect({**what.flaw, "times": 0})
    else:
        for part in parts:
            script = what.after if part == "after" else what.script
            for way in WAYS:
                rig.script(dict(script, path=f"/{named(fault, part, way)}{PATHS[what.dialect]}", times=0))


def ask(made, fault, part, way, timeout_ms=DEADLINE_MS):
    name = named(fault, part, way)
    model = "both-" + name if part in ("before", "after") else name + "/m"
    return CALLS[way](made, model, timeout_ms=timeout_ms)


def is_answered_by_the_second(rows, name, what):
    """By the ledger: some attempts at the first that failed as this fault has it, and a good one behind them."""
    exchange, attempts = rows
    assert exchange["outcome"] == "ok" and exchange["provider"] == "second", rows
    assert exchange["attempts"] == len(attempts) >= 2, rows
    assert [row["number"] for row in attempts] == list(range(1, len(attempts) + 1)), rows
    for row in attempts[:-1]:
        assert row["provider"] == name and row["error"], rows
        assert row["outcome"] == ("failed" if what.answers or what.is_connect else "unknown"), rows
    assert attempts[-1]["provider"] == "second" and attempts[-1]["outcome"] == "ok", rows
    if not what.answers and not what.is_connect:
        assert len(attempts) == 2, "what may have been served is sent once more, and elsewhere"


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(world, fault):
    made, first, connect, second = world
    what = FAULTS[fault]
    rig = connect if what.is_connect else first
    parts = [part for part in PARTS if what.after or part != "after"]
    prepare(rig, fault, what, parts)
    begun, spent = time.monotonic(), cpu_seconds(made)
    calls = {(part, way): ask(made, fault, part, way) for part in parts for way in WAYS}
    for call in calls.values():
        call.finished()
    took = time.monotonic() - begun
    assert took < DEADLINE_MS / 1000 + 1, "no call outlives its deadline"
    assert cpu_seconds(made) - spent < CPU_SECONDS
    if what.listener:
        rig.listener("up")
    for (part, way), call in calls.items():
        name, rows = named(fault, part, way), rows_of(made, call)
        exchange, attempts = rows
        if part == "before":
            assert call.ended_well and call.text == GOOD, (way, call.last, call.text)
            is_answered_by_the_second(rows, name, what)
        elif part == "after":
            shown = call.text.split()
            assert call.fault in what.told_after, (way, call.last)
            assert call.last.body["partial"] is True
            assert len(shown) >= TOKENS and shown == LOST.split()[:len(shown)], (way, shown)
            assert len(attempts) == 1 and exchange["error"] == call.fault, rows
            assert attempts[0]["outcome"] == ("failed" if what.answers_after else "unknown"), rows
        else:
            assert call.fault in what.told, (way, call.last)
            assert call.last.body["message"] and not call.last.body.get("partial") and call.text == ""
            assert exchange["outcome"] == ("failed" if what.answers or what.is_connect else "unknown"), rows
            assert all(row["provider"] == name for row in attempts), rows
        assert bodies(rig, name) == sum(row["sent_body"] for row in attempts if row["provider"] == name), rows
    moved_on = len(WAYS) if "before" in parts else 0
    assert second.stats()["bodies"] == moved_on, "one for each call that moved on, and none for another"


@pytest.mark.parametrize("odd", ODD)
def test_odd_but_whole(world, odd):
    """The first one's answer is what its caller gets, whatever it looks like."""
    made, first, _, second = world
    what = ODD[odd]
    prepare(first, odd, what, ["before", "alone"])
    spent = cpu_seconds(made)
    calls = {(part, way): ask(made, odd, part, way) for part in ("before", "alone") for way in WAYS}
    for call in calls.values():
        call.finished()
    assert cpu_seconds(made) - spent < CPU_SECONDS
    for (part, way), call in calls.items():
        exchange, attempts = rows_of(made, call)
        assert call.ended_well, (way, call.last)
        is_same = call.text == what.text  # of ten megabytes no difference is shown
        assert is_same, (way, len(call.text), call.text[:200])
        assert [(name, json.loads(args)) for name, args in call.calls.values()] == \
            [(name, json.loads(args)) for name, args in what.calls]
        assert exchange["outcome"] == "ok" and len(attempts) == 1 and attempts[0]["sent_body"], exchange
        assert bodies(first, named(odd, part, way)) == 1
    assert second.stats()["bodies"] == 0


SILENT = [name for name, what in FAULTS.items() if "stall" in name or "silence" in name or "swallowed" in name]


@pytest.mark.parametrize("connection", [name for name in SILENT if FAULTS[name].is_connect])
def test_who_says_nothing_is_left_at_the_deadline(world, connection):
    """By a deadline that is shorter than any timer of the broker's."""
    made, first, connect, second = world
    silent = [connection]
    if connection == "tls-stall":  # once is enough for these
        silent += [name for name in SILENT if not FAULTS[name].is_connect]
    for name in silent:
        prepare(connect if name == connection else first, name, FAULTS[name], ["late"])
    begun, most = time.monotonic(), 600 * harness.SLOWER
    calls = [ask(made, name, "late", way, most) for name in silent for way in WAYS]
    for call in calls:
        call.finished()
    assert time.monotonic() - begun < most / 1000 + 1
    if FAULTS[connection].listener:
        connect.listener("up")
    for call in calls:
        exchange, attempts = rows_of(made, call)
        assert len(attempts) == 1 and exchange["error"] == call.fault
        assert call.fault in ("timeout", "outcome_unknown")[:1 + attempts[0]["sent_body"]], call.last
        assert exchange["outcome"] == attempts[0]["outcome"]
        assert exchange["outcome"] == "unknown" or not attempts[0]["sent_body"], (exchange, attempts)
    assert second.stats()["bodies"] == 0


# ---- its caller vanishes ----

def held(script, place):
    """The script, waiting where its fault would strike."""
    if "steps" in script:
        return dict(script, steps=[{"hold": True}, *script["steps"]])
    return dict(script, hold=place)


def test_callers_who_vanish(world):
    """At each of these points: one call for each fault before content and one for each behind it."""
    made, first, _, second = world
    sockets, begun = made.sockets(), time.time_ns() // 1000
    calls = []
    for name, what in FAULTS.items():
        if what.is_connect:
            continue
        for way, script, place in (("typed", what.script, "start"), ("relayed", what.after, SEEN)):
            if script:
                first.script(dict(held(script, place), path=f"/{named(name, 'gone', way)}{PATHS[what.dialect]}"))
                calls.append((ask(made, name, "gone", way), place))
    first.wait_held(len(calls), 20)
    spent = cpu_seconds(made)
    for call, place in calls:
        if place is SEEN:
            call.until(TOKENS // 2)
        call.close()

    def rows():
        found = ledger(made)
        return all(len([row for row in found[table] if row["at_us"] >= begun]) >= len(calls)
                   for table in ("exchange", "attempt")) and found
    found = wait_until(rows, 20, "a row for each")
    first.release(at_least=0)
    wait_until(lambda: made.sockets() <= sockets, 10, lambda: f"{sockets} sockets of {made.fds()}")
    for table in ("exchange", "attempt"):
        new = [row for row in found[table] if row["at_us"] >= begun]
        assert len(new) == len(calls) and {row["outcome"] for row in new} == {"cancelled"}, new
    assert cpu_seconds(made) - spent < CPU_SECONDS
    assert first.stats()["bodies"] == len(calls) and second.stats()["bodies"] == 0
    has_open(made, 0)


@pytest.mark.parametrize("fault", [name for name in SILENT if FAULTS[name].is_connect])
def test_a_caller_who_vanishes_before_there_is_a_connection(world, fault):
    made, _, connect, second = world
    sockets = made.sockets()
    prepare(connect, fault, FAULTS[fault], [])
    calls = [ask(made, fault, "gone", way) for way in WAYS]
    if FAULTS[fault].flaw:
        wait_until(lambda: connect.stats()["connections"] == len(calls), 10, "it connects")
    else:
        has_open(made, len(calls))
    for call in calls:
        call.close()
    wait_until(lambda: made.sockets() <= sockets, 10, lambda: f"{sockets} sockets of {made.fds()}")
    if FAULTS[fault].listener:
        connect.listener("up")

    def rows():
        return [row for row in ledger(made)["attempt"] if row["provider"] in [named(fault, "gone", w) for w in WAYS]]
    wait_until(lambda: len(rows()) == len(calls), 10, rows)
    assert {(row["outcome"], row["sent_body"]) for row in rows()} == {("cancelled", 0)}
    assert second.stats()["bodies"] == 0


# ---- one key of several ----

@pytest.mark.parametrize("state", DEAD)
def test_one_key_of_three(world, state):
    """Nobody notices that it is dead, and with all of them dead each is asked, and no second time."""
    made, first, _, _ = world
    keys = {label: f"sk-{state}-{label}-0123456789" for label in KEYS}
    status, told = DEAD[state]
    for label, key in keys.items():
        made.add_key(f"{state}/{label}", key)
    first.script(**said(GOOD), times=0)
    first.key_is(keys["one"], state)
    for way in WAYS * 3:
        call = CALLS[way](made, state + "/m").finished()
        assert call.ended_well and call.text == GOOD, call.last
        attempts = rows_of(made, call)[1]
        assert attempts[-1]["key_label"] == "two" and len(attempts) <= 2, attempts
        assert all((row["key_label"], row["outcome"], row["http_status"]) == ("one", "failed", status)
                   for row in attempts[:-1]), attempts
    for label in KEYS[1:]:
        first.key_is(keys[label], state)
    call = Typed(made, state + "/m").finished()
    assert call.fault == told and call.text == ""
    asked = [row["key_label"] for row in rows_of(made, call)[1]]
    assert set(KEYS[1:]) <= set(asked) and len(asked) == len(set(asked)), asked


# ---- another certificate ----

def test_a_certificate_that_changes(world):
    """To one that is not trusted, between two calls: nothing more is said to that host."""
    made, _, connect, _ = world
    connect.script(**said(GOOD), times=0)
    for way in WAYS:
        assert CALLS[way](made, "both-changed").finished().ended_well
    said_before = connect.stats()["bodies"]
    assert said_before == len(WAYS)
    connect.on_connect({"cert": "other_ca", "times": 0})
    connect.listener("down", hangs_up=True)
    connect.listener("up")
    for way in WAYS:
        call = CALLS[way](made, "both-changed", timeout_ms=DEADLINE_MS).finished()
        assert call.ended_well and call.text == GOOD, call.last
        exchange, attempts = rows_of(made, call)
        assert exchange["provider"] == "second" and attempts[-1]["outcome"] == "ok"
        assert all(row["provider"] == "changed" and row["error"] == "connection" and not row["sent_body"]
                   for row in attempts[:-1]), attempts
    assert Typed(made, "changed/m", timeout_ms=DEADLINE_MS).finished().fault in ("connection", "overloaded")
    assert connect.stats()["bodies"] == said_before


# ---- a connection that was kept ----

@pytest.mark.parametrize("how", KEPT)
def test_a_host_that_dies_with_the_request(world, how):
    """It has got the whole request on a connection that was kept, closes it without a word, and cannot be reached
    any more: the request was sent, and goes to nobody but the second."""
    made, _, connect, second = world
    assert Typed(made, how + "/m").finished().ended_well
    connect.script(close_after="start")
    if how == "down":
        connect.listener("down")
    else:
        connect.on_connect({**({"reset": True} if how == "reset" else {"stall": "hello"}), "times": 0})
    call = Typed(made, "both-" + how).finished()
    connect.listener("up")
    exchange, attempts = rows_of(made, call)
    assert call.ended_well and call.text == GOOD, call.last
    assert [(row["provider"], row["outcome"], row["sent_body"]) for row in attempts] == \
        [(how, "unknown", 1), ("second", "ok", 1)], attempts
    assert connect.stats()["bodies"] == 2 and second.stats()["bodies"] == 1
