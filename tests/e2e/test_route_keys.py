"""test_route_keys.py - who notices that a key has died, that one is spent, or that a provider is away?

Nobody, as long as there is another. A provider is away, or silent, for $LLMB_DOWN seconds (6). A minute of it, and up to
half of one until it is asked again:

  make check-route ROUTE=keys
"""

import collections
import math
import os
import time

import harness
from crowds import Crowds

KEYS = {label: f"sk-{label}-0123456789abcdef" for label in ("first", "one", "two")}
NAMES = {"first": "P", "one": "P/one", "two": "P/two"}
PROCESSES, CALLS = 8, 200
DOWN_SECONDS = float(os.environ.get("LLMB_DOWN", "6"))
UP_SECONDS, EACH_SECONDS = 1.0, 0.05  # before, and behind what is waited for; between two calls
REST_FIRST, REST_MAX = 1.0, 5.0  # of a local host that refuses connections, doubling: brokerd/exchange/pulse.c
FAILURES = 3  # in a row, until it rests
CALLERS = 5  # that wait for one that is silent, at the same time
KNOWN = 20  # first contents, until it is known how soon they usually come: brokerd/route/silence.h
DEADLINE_SECONDS = 8.0
SHARE_SECONDS = DEADLINE_SECONDS / 2  # what one that is silent may have of it: brokerd/exchange/step_send.c
PROBE_SECONDS = 2.0  # for so long others wait for what becomes of one: brokerd/route/health.h


def ledger(made):
    """Its rows, and those that waited to be written."""
    assert made.llmb("usage").code == 0
    return made.ledger()


def of_key(provider, label):
    """What became of the whole requests with that key: how many by which script (None: well)."""
    return collections.Counter(script for _, script, _, key in provider.tally() if key == KEYS[label])


def test_three_keys_of_which_one_is_good(broker, provider):
    """One is revoked, and one refused for the next 50 minutes, while eight processes call."""
    made = broker(harness.provider_section(provider, "P"))
    for label, name in NAMES.items():
        made.add_key(name, KEYS[label])
    crowds = Crowds(made, [{"models": ["P/m"], "calls": CALLS // PROCESSES, "every_ms": 100}] * PROCESSES)
    provider.wait_request(CALLS // 4, timeout=20)
    provider.key_is(KEYS["first"], "revoked")
    provider.wait_request(CALLS // 2, timeout=20)
    provider.script(name="spent", status=429, when={"key": KEYS["one"]}, headers={"retry-after": "3000"}, times=0)
    called = [one for process in crowds.finish(40) for one in process]
    assert collections.Counter(one.what for one in called) == {"ok": CALLS}
    used = {label: of_key(provider, label) for label in KEYS}
    # each process may have had one under way when the first was refused; and an answer that had been under way longer
    # says once more that all is well
    assert 1 <= used["first"]["revoked"] <= 2 * PROCESSES, used
    assert 1 <= used["one"]["spent"] <= 2 * PROCESSES, used
    served = {label: used[label][None] for label in KEYS}
    assert sum(served.values()) == CALLS and min(served.values()) > 0, served
    rows = ledger(made)
    assert len(rows["exchange"]) == CALLS and {row["outcome"] for row in rows["exchange"]} == {"ok"}
    assert collections.Counter((row["key_label"], row["error"]) for row in rows["attempt"]
                               if row["outcome"] != "ok") == {
        (None, "auth"): used["first"]["revoked"], ("one", "rate_limited"): used["one"]["spent"]}


def rest_at(seconds):
    """How long the rest at most is that begins when it has been away for so long."""
    return min(REST_MAX, REST_FIRST * 2 ** math.floor(math.log2(seconds / REST_FIRST + 1)))


def rests_in(seconds):
    """How many rests begin in that time."""
    rests, rest = 0, REST_FIRST
    while seconds > 0:
        rests, seconds, rest = rests + 1, seconds - rest, min(REST_MAX, rest * 2)
    return rests


def test_a_provider_that_is_away(broker, providers):
    """Its kept connections end and it takes no new one, while there are 20 calls a second."""
    a, b = (providers(needs_key=False) for _ in range(2))
    made = broker(harness.provider_section(a, "a", auth="none") + harness.provider_section(b, "b", auth="none") +
                  harness.section("model", "both", {"target": ["a/m", "b/m"]}))
    again = rest_at(DOWN_SECONDS) + 1
    seconds = UP_SECONDS + DOWN_SECONDS + again + UP_SECONDS
    crowds = Crowds(made, [{"models": ["both"], "every_ms": 2000 * EACH_SECONDS, "at_once": 50,
                            "slices": {"seconds": seconds, "count": 1}}] * 2)
    time.sleep(max(0.0, crowds.begun - time.monotonic()) + UP_SECONDS)
    a.listener("down", hangs_up=True)
    time.sleep(DOWN_SECONDS)
    served = a.stats()["requests"]
    a.listener("up")
    up = time.monotonic()
    back = a.wait_request(served + 1, timeout=again + 5)
    called = [one for process in crowds.finish(seconds + 30) for one in process]

    assert len(called) > 0.8 * seconds / EACH_SECONDS, len(called)
    assert {one.what for one in called} == {"ok"}, collections.Counter(one.what for one in called)
    assert back.received_at - up <= again, "it is asked again as soon as it has rested"
    rows = ledger(made)
    asked_a = [row for row in rows["attempt"] if row["provider"] == "a"]
    failed = [row for row in asked_a if row["outcome"] != "ok"]
    assert all(row["outcome"] == "ok" for row in rows["attempt"] if row["provider"] == "b")
    assert failed and {row["error"] for row in failed} <= {"connection", "outcome_unknown", "stream_incomplete"}
    # those that find it out, at the same time at the worst, and one after each of its rests
    rests = rests_in(DOWN_SECONDS)
    paid = {row["exchange_id"] for row in failed}
    assert len(paid) <= FAILURES + rests and len(failed) <= 2 * FAILURES + rests, failed
    last = [row["provider"] for row in rows["exchange"]][-int(UP_SECONDS / EACH_SECONDS / 2):]
    assert set(last) == {"a"}, last


def silences(seconds):
    """How many calls may meet it in so many seconds of silence; and how long it may rest behind them."""
    paid, at, rest = CALLERS, SHARE_SECONDS, REST_FIRST
    while at + rest < seconds:
        at += rest
        # one that tries it, and another one each time that those before have taken long
        paid += 1 + math.floor(min(SHARE_SECONDS, seconds - at) / PROBE_SECONDS)
        at += SHARE_SECONDS
        rest = min(REST_MAX, rest * 2)
    return paid, rest


def test_a_provider_that_is_silent(broker, providers):
    """It takes what is sent and says nothing, until it begins anew, while five callers wait eight seconds at the most."""
    a, b = (providers(needs_key=False) for _ in range(2))
    made = broker(harness.provider_section(a, "a", auth="none") + harness.provider_section(b, "b", auth="none") +
                  harness.section("model", "both", {"target": ["a/m", "b/m"]}))
    most, again = silences(DOWN_SECONDS)
    seconds = 4 * UP_SECONDS + DOWN_SECONDS + again
    crowds = Crowds(made, [{"models": ["both"], "every_ms": 1000 * CALLERS * EACH_SECONDS, "stream": True,
                            "timeout_ms": 1000 * DEADLINE_SECONDS,
                            "slices": {"seconds": seconds, "count": 1}}] * CALLERS)
    a.wait_request(KNOWN + CALLERS, timeout=10)
    a.script(silence="start", times=0)
    time.sleep(DOWN_SECONDS)
    met = a.stats()["requests"]
    a.reset()
    up = time.monotonic()
    back = a.wait_request(1, timeout=again + 5)
    called = [one for process in crowds.finish(seconds + 30) for one in process]

    assert {one.what for one in called} == {"ok"}, collections.Counter(one.what for one in called)
    assert max(one.ended - one.begun for one in called) < DEADLINE_SECONDS
    assert back.received_at - up <= again + 1, "it is asked again as soon as it has rested"
    rows = ledger(made)
    assert all(row["outcome"] == "ok" for row in rows["attempt"] if row["provider"] == "b")
    failed = [row for row in rows["attempt"] if row["provider"] == "a" and row["outcome"] != "ok"]
    assert CALLERS <= len(failed) <= most, (len(failed), most, failed)
    assert len({row["exchange_id"] for row in failed}) == len(failed), "each pays once"
    assert {row["error"] for row in failed} <= {"timeout", "outcome_unknown"}, failed
    assert met >= KNOWN + len(failed)
    # meanwhile all the others were served as if nothing were
    slow = [one for one in called if one.ended - one.begun > SHARE_SECONDS / 2]
    assert len(slow) <= len(failed) and len(called) > 3 * len(failed), (len(slow), len(failed), len(called))
    assert {row["provider"] for row in rows["exchange"][-CALLERS:]} == {"a"}
