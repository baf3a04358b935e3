"""test_route_faults.py - what does a caller get when the first of two targets fails, in every way there is?

Each fault has a test of its own, in which six calls are under way at once: a typed one and one of OpenAI's
chat, each with the fault before any content and another target behind it, with the fault after some words, and
with the fault and nobody else to ask. Each of the six has a provider of its own, told from the others by its
path, so that what is learned of one says nothing of another.
"""

import json
import os
import time

import harness
import pytest
from harness import wait_until
from provider_faults import FAULTS, LOST, ODD, SEEN, TOKENS, said
from route_calls import Relayed, Typed, ledger, path_of, providers, rows_of, two_targets

GOOD = " ".join(f"good{i}" for i in range(1, 41))  # what the second one says
TIMERS = {"connect_timeout": "1s", "first_byte_timeout": "1s", "idle_timeout": "1s", "first_token_timeout": "2s",
          "request_timeout": "60s", "head_hold": "never"}
PATIENT = {"head_hold": "never"}  # what is odd may take its time: ten megabytes do, where each step is counted
DEADLINE_MS = 6000 * harness.SLOWER
WAYS = ("typed", "relayed")
PARTS = ("before", "after", "alone")
MORE = ("late", "gone")  # providers for calls that run out of time, and whose callers vanish
KEYS = ("one", "two", "three")
KEPT = ("reset", "stall", "down")  # what becomes of a host whose kept connection closes
DEAD = {"revoked": (401, "auth"), "quota": (402, "quota_exhausted"), "forbidden": (403, "permission")}
# of the broker, for one fault's six calls: to move ten megabytes is the most, and takes half a second, or nearly twice that
# where caches and processors are shared; who spins takes a second for each that the fault lasts
CPU_SECONDS = 2 * harness.SLOWER * (8 if harness.is_observed() else 1)
CALLS = {"typed": Typed, "relayed": Relayed}


def named(fault, part, way):
    return f"{fault.replace('.', '-')}-{part}-{way}"


def config(first, connect, second, cases, timers):
    """A provider of its own for each call, and an alias of it and of the one that is well."""
    text = harness.section("broker", "", timers)
    text += harness.provider_section(second, "second", auth="none", base_path="/second")
    for fault, what in cases.items():
        rig = connect if what.is_connect else first
        for part in PARTS + MORE:
            for way in WAYS:
                name = named(fault, part, way)
                text += two_targets(rig, name, what)
    for state in DEAD:
        text += harness.provider_section(first, state, base_path="/" + state)
    for name in ("changed", *KEPT):
        text += harness.provider_section(connect, name, auth="none", base_path="/" + name)
        text += harness.section("model", "both-" + name, {"target": [name + "/m", "second/m"]})
    return text


@pytest.fixture(scope="module")
def rigs(certs):
    """One for what happens to requests, one for what happens to connections, one that is well."""
    with providers(certs, 3) as all_of_them:
        yield all_of_them


@pytest.fixture(scope="module")
def made(rigs):
    with harness.Broker(config(*rigs, FAULTS, TIMERS)) as broker:
        yield broker


@pytest.fixture(scope="module")
def patient(rigs):
    with harness.Broker(config(*rigs, ODD, PATIENT)) as broker:
        yield broker


def as_new(made, rigs):
    """The broker and its providers, all as if new but for what it has learned; and nothing is left of a test."""
    for rig in rigs:
        rig.reset()
    rigs[2].script(**said(GOOD), times=0)
    yield made, *rigs
    for rig in rigs:
        rig.check()
    has_open(made, 0)


@pytest.fixture
def world(made, rigs):
    yield from as_new(made, rigs)


@pytest.fixture
def odd_world(patient, rigs):
    yield from as_new(patient, rigs)


def has_open(made, calls):
    """Waits until so many calls are open."""
    wait_until(lambda: json.loads(made.llmb("status", "--json").out)["calls"] == calls, 10, f"{calls} calls are open")


def cpu_seconds(made):
    with open(f"/proc/{made.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
                rig.script(dict(script, path=path_of(named(fault, part, way), what), times=0))


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
        call.finish()
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
def test_odd_but_whole(odd_world, odd):
    """The first one's answer is what its caller gets, whatever it looks like."""
    made, first, _, second = odd_world
    what = ODD[odd]
    prepare(first, odd, what, ["before", "alone"])
    spent = cpu_seconds(made)
    calls = {(part, way): ask(made, odd, part, way, 40_000 * harness.SLOWER) for part in ("before", "alone") for way in WAYS}
    for call in calls.values():
        call.finish()
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
        call.finish()
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
                first.script(dict(held(script, place), path=path_of(named(name, 'gone', way), what)))
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
        call = CALLS[way](made, state + "/m").finish()
        assert call.ended_well and call.text == GOOD, call.last
        attempts = rows_of(made, call)[1]
        assert attempts[-1]["key_label"] == "two" and len(attempts) <= 2, attempts
        assert all((row["key_label"], row["outcome"], row["http_status"]) == ("one", "failed", status)
                   for row in attempts[:-1]), attempts
    for label in KEYS[1:]:
        first.key_is(keys[label], state)
    call = Typed(made, state + "/m").finish()
    assert call.fault == told and call.text == ""
    asked = [row["key_label"] for row in rows_of(made, call)[1]]
    assert set(KEYS[1:]) <= set(asked) and len(asked) == len(set(asked)), asked


# ---- another certificate ----

def test_a_certificate_that_changes(world):
    """To one that is not trusted, between two calls: nothing more is said to that host."""
    made, _, connect, _ = world
    connect.script(**said(GOOD), times=0)
    for way in WAYS:
        assert CALLS[way](made, "both-changed").finish().ended_well
    said_before = connect.stats()["bodies"]
    assert said_before == len(WAYS)
    connect.on_connect({"cert": "other_ca", "times": 0})
    connect.listener("down", hangs_up=True)
    connect.listener("up")
    for way in WAYS:
        call = CALLS[way](made, "both-changed", timeout_ms=DEADLINE_MS).finish()
        assert call.ended_well and call.text == GOOD, call.last
        exchange, attempts = rows_of(made, call)
        assert exchange["provider"] == "second" and attempts[-1]["outcome"] == "ok"
        assert all(row["provider"] == "changed" and row["error"] == "connection" and not row["sent_body"]
                   for row in attempts[:-1]), attempts
    assert Typed(made, "changed/m", timeout_ms=DEADLINE_MS).finish().fault in ("connection", "overloaded")
    assert connect.stats()["bodies"] == said_before


# ---- a connection that was kept ----

@pytest.mark.parametrize("how", KEPT)
def test_a_host_that_dies_with_the_request(world, how):
    """It has got the whole request on a connection that was kept, closes it without a word, and cannot be reached
    any more: the request was sent, and goes to nobody but the second."""
    made, _, connect, second = world
    assert Typed(made, how + "/m").finish().ended_well
    connect.script(close_after="start")
    if how == "down":
        connect.listener("down")
    else:
        connect.on_connect({**({"reset": True} if how == "reset" else {"stall": "hello"}), "times": 0})
    call = Typed(made, "both-" + how).finish()
    connect.listener("up")
    exchange, attempts = rows_of(made, call)
    assert call.ended_well and call.text == GOOD, call.last
    assert [(row["provider"], row["outcome"], row["sent_body"]) for row in attempts] == \
        [(how, "unknown", 1), ("second", "ok", 1)], attempts
    assert connect.stats()["bodies"] == 2 and second.stats()["bodies"] == 1
