"""test_route_mix.py - is every request accounted for, when every fault is mixed in at random?

What three providers say that they got and answered is laid beside the ledger, request by request: each has a
word of its own. $LLMB_MIX requests are made (300), and $LLMB_MIX_SEED makes another run of them.
"""

import collections
import os
import re
import threading

import harness
from provider_client import Provider
from provider_faults import CALLS, LOST, WORDS
from route_calls import Relayed, Typed, ledger

COUNT = int(os.environ.get("LLMB_MIX", "300"))
SEED = os.environ.get("LLMB_MIX_SEED", "llm-broker")
CALLERS = 16
NAMES = ("one", "two", "three")
PLACES = max(1, COUNT // 12)  # of each, so that no few failures put all that there is to rest
TIMERS = {"connect_timeout": "2s", "first_byte_timeout": "2s", "idle_timeout": "2s", "first_token_timeout": "3s",
          "reply_timeout": "2s", "head_hold": "never"}
ASKED = re.compile(r"\bu(\d+) 60 words")
ANSWERS = (" ".join(f"word{i}" for i in range(1, 61)), WORDS, LOST)


def config(rigs):
    """As many providers as there are places for each of the three, and aliases where each is the first."""
    text = harness.section("broker", "", TIMERS)
    for place in range(PLACES):
        for name, rig in zip(NAMES, rigs):
            text += harness.provider_section(rig, f"{name}-{place}", auth="none", base_path=f"/{place}")
        for at in range(len(NAMES)):
            targets = [f"{name}-{place}/m" for name in NAMES[at:] + NAMES[:at]]
            text += harness.section("model", f"from-{at}-{place}", {"target": targets})
    return text


def provider_of(row):
    return row["provider"].partition("-")[0]


class Asked:
    """A request: who made it, what came of it."""

    def __init__(self, made, number):
        way, stream = Typed if number % 2 else Relayed, number % 5 > 1
        self.is_once = number % 7 == 0
        call = way(made, f"from-{number % 3}-{number // 3 % PLACES}", f"u{number} 60 words", stream,
                   at_most_once=self.is_once).finish()
        self.number, self.last, self.fault, self.text = number, call.last, call.fault, call.text
        self.calls = tuple(map(tuple, call.calls.values())) if call.text == "" and self.fault is None else ()
        self.id, self.partial = call.last.body["request_id"], call.last.body.get("partial", False)


def ask_all(made):
    """All of them, CALLERS at a time."""
    done, left, broke = [], iter(range(1, COUNT + 1)), []
    lock = threading.Lock()

    def work():
        while not broke:
            with lock:
                number = next(left, None)
            if number is None:
                return
            try:
                done.append(Asked(made, number))
            except Exception as why:  # whatever it is, the test ends by it
                broke.append((number, why))
    threads = [threading.Thread(target=work) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broke, broke
    return done


def is_told_well(asked):
    """One answer's words alone, all of them or, with an error, a part."""
    whole = [answer for answer in ANSWERS if answer.startswith(asked.text)]
    assert whole, (asked.number, asked.text)
    if asked.fault is None:
        assert asked.text in ANSWERS or asked.calls == CALLS, (asked.number, asked.text, asked.calls)
    else:
        assert asked.last.body["message"] and asked.partial == bool(asked.text), (asked.number, asked.last)


def brief(row):
    return {column: row[column] for column in ("number", "provider", "outcome", "error", "http_status", "sent_body",
                                               "sent_bytes", "received_bytes", "connect_us", "total_us")}


def is_sent_by_rule(attempts, is_once):
    """What may have been served is sent again once, and elsewhere; after a second such nothing is, nor after the
    first where its caller forbids it."""
    unknown, most = [i for i, row in enumerate(attempts) if row["outcome"] == "unknown"], 1 if is_once else 2
    assert len(unknown) <= most and (len(unknown) < most or unknown[-1] == len(attempts) - 1), attempts
    if unknown and unknown[0] + 1 < len(attempts):
        assert attempts[unknown[0] + 1]["provider"] != attempts[unknown[0]]["provider"], attempts
    for row in attempts[:-1]:
        assert row["outcome"] in ("failed", "unknown"), attempts
    for row in attempts:
        assert row["sent_body"] or row["outcome"] == "failed", attempts


def test_every_request_is_accounted_for(broker, certs):
    rigs = [Provider(certs, needs_key=False) for _ in NAMES]
    try:
        for number, rig in enumerate(rigs):
            rig.start().mix(seed=f"{SEED}:{number}")
        made = broker(config(rigs))
        done = ask_all(made)
        rows = ledger(made)
        stats = [rig.stats() for rig in rigs]
        tallies = [rig.tally() for rig in rigs]
        for rig in rigs:
            rig.check()
    finally:
        for rig in rigs:
            rig.stop()

    exchanges = {row["id"]: row for row in rows["exchange"]}
    attempts = collections.defaultdict(list)
    for row in sorted(rows["attempt"], key=lambda row: row["number"]):
        attempts[row["exchange_id"]].append(row)
    assert len(exchanges) == len(done) == COUNT and set(attempts) <= set(exchanges)

    got = collections.defaultdict(list)  # (request, provider): [(what happened, is it answered)]
    for name, tally in zip(NAMES, tallies):
        for body, script, answered, _ in tally:
            got[int(ASKED.search(body)[1]), name].append((script, answered))
    for asked in done:
        is_told_well(asked)
        exchange, mine = exchanges[asked.id], attempts[asked.id]
        assert (exchange["outcome"] == "ok") == (asked.fault is None) and exchange["error"] == asked.fault, exchange
        assert exchange["attempts"] == len(mine), (exchange, mine)
        is_sent_by_rule(mine, asked.is_once)
        for name in NAMES:
            sent = [row for row in mine if provider_of(row) == name and row["sent_body"]]
            there = got[asked.number, name]
            about = (asked.number, name, there, [brief(row) for row in mine])
            assert len(there) == len(sent), about
            assert sum(not answered for _, answered in there) == \
                sum(row["outcome"] == "unknown" for row in sent), about
    unanswered = sum(stat["bodies"] - stat["answers"] for stat in stats)
    unknown = sum(row["outcome"] == "unknown" for row in rows["attempt"])
    assert unanswered == unknown and unknown > 0
    sent = sum(row["sent_body"] for row in rows["attempt"])
    assert sum(stat["bodies"] for stat in stats) == sent >= COUNT * 3 // 4, sent
    drawn = {name for stat in stats for name in stat["drawn"]}
    assert len(drawn) > 20, "a mix"
