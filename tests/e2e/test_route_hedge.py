"""test_route_hedge.py - does the quicker of two answer, alone, and is the other one in the ledger too?

A host is asked for a second try by one in ten of its calls, and ten times besides: so many may be hedged.
"""

import collections
import random
import threading
import time

import harness
from harness import wait_until
from provider_faults import said
from route_calls import Relayed, Typed, ledger

RESERVE = 10
SLOW = "slow " * 30 + "end"
QUICK = "quick " * 30 + "end"
RACES, RACERS = 240, 8


def config(a, b, hedge, **more):
    return (harness.provider_section(a, "a", auth="none") + harness.provider_section(b, "b", auth="none") +
            harness.section("model", "both", {"target": ["a/m", "b/m"], "hedge": hedge, **more}) +
            harness.section("model", "a/m", {"price_input": "1", "price_output": "2"}) +
            harness.section("model", "b/m", {"price_input": "3", "price_output": "6"}))


def test_the_quicker_one_answers(broker, providers):
    """One says nothing, to a crowd of typed and relayed calls, streams and whole answers."""
    a, b = (providers(needs_key=False) for _ in range(2))
    a.script(**said(SLOW), hold="start", times=0)
    b.script(**said(QUICK), times=0)
    made = broker(config(a, b, "100ms"))
    begun = time.monotonic()
    calls = [(Typed, Relayed)[i % 2](made, "both", stream=i % 4 < 2) for i in range(8)]
    done = [call.finish() for call in calls]
    took = time.monotonic() - begun
    assert [(call.text, call.fault) for call in done] == [(QUICK, None)] * len(done)
    assert 0.1 <= took < 5 * harness.SLOWER, took
    for call in done[1::2]:
        assert call.last.body["attempts"] == 2 and call.last.body["provider"] == "b", call.last
    for connection in {request.connection for request in a.requests()}:
        a.wait_disconnect(connection)  # at once: nobody pays for more than has to be
    rows = ledger(made)
    assert {(row["outcome"], row["provider"], row["attempts"]) for row in rows["exchange"]} == {("ok", "b", 2)}
    assert collections.Counter((row["number"], row["provider"], row["outcome"], row["error"])
                               for row in rows["attempt"]) == {
        (1, "a", "unknown", "cancelled"): 8, (2, "b", "ok", None): 8}
    tally = a.tally()
    assert len(tally) == 8 and not any(answered for _, _, answered, _ in tally)
    # what may have been served there is paid for as it was set aside
    sums = collections.Counter()
    for row in rows["attempt"]:
        assert row["cost_nusd"] > 0, row
        sums[row["exchange_id"]] += row["cost_nusd"]
    assert sums == {row["id"]: row["cost_nusd"] for row in rows["exchange"]}


def test_one_that_is_quick_enough_is_left_alone(broker, providers):
    """p95 is known after twenty answers; then one that takes much longer is."""
    a, b = (providers(needs_key=False) for _ in range(2))
    made = broker(config(a, b, "p95"))
    b.script(**said(QUICK), times=0)
    a.script(**said(SLOW), pause={"at": "head", "ms": 100}, times=20)
    a.script(**said(SLOW), hold="head", times=1)
    for _ in range(20):
        assert Typed(made, "both").finish().text == SLOW
    assert b.requests() == []
    begun = time.monotonic()
    assert Typed(made, "both").finish().text == QUICK
    assert time.monotonic() - begun < 3 * harness.SLOWER
    assert len(b.requests()) == 1


def test_killed_while_two_are_under_way(broker, providers):
    a, b = (providers(needs_key=False) for _ in range(2))
    for provider in (a, b):
        provider.script(**said(SLOW), hold="start", times=0)
    made = broker(config(a, b, "50ms"))
    call = Typed(made, "both")
    for provider in (a, b):
        provider.wait_request(1)
    made.kill9()
    call.close()
    made.start()
    rows = ledger(made)
    assert [(row["outcome"], row["attempts"]) for row in rows["exchange"]] == [("unknown", 2)]
    assert sorted((row["number"], row["provider"], row["outcome"]) for row in rows["attempt"]) == [
        (1, "a", "unknown"), (2, "b", "unknown")]
    assert rows["exchange"][0]["cost_nusd"] == sum(row["cost_nusd"] for row in rows["attempt"]) > 0


def test_killed_where_no_second_one_was_asked(broker, providers):
    """Its host has had all the second tries for now: of what was not sent there is no row."""
    a, b = (providers(needs_key=False) for _ in range(2))
    for provider in (a, b):
        provider.script(**said(SLOW), hold="start", times=0)
    made = broker(config(a, b, "50ms"))
    calls = [Typed(made, "both") for _ in range(2 * RESERVE)]
    a.wait_request(2 * RESERVE)
    b.wait_request(RESERVE)
    time.sleep(0.3)
    asked = len(b.requests())
    assert asked < 2 * RESERVE - 2, asked
    made.kill9()
    for call in calls:
        call.close()
    made.start()
    assert collections.Counter((row["number"], row["provider"], row["outcome"]) for row in ledger(made)["attempt"]) == {
        (1, "a", "unknown"): 2 * RESERVE, (2, "b", "unknown"): asked}


def test_races(broker, providers):
    """Both begin at about the same time, some break off before, some callers go: one answer each, and a row for each
    body."""
    a, b = (providers(needs_key=False) for _ in range(2))
    draw = random.Random(7)
    for provider, text in ((a, SLOW), (b, QUICK)):
        for _ in range(RACES):
            how = {"pause": {"at": "start", "ms": draw.randrange(15, 45)}} if provider is a else {
                "pause": {"at": "start", "ms": draw.randrange(0, 15)}}
            kind = draw.randrange(12)
            provider.script(**said(text), **how, **({"reset_after": "head"} if kind == 0 else {}))
    made = broker(config(a, b, "20ms", attempts="3"))
    before = made.fds()
    got, left, lock = [], iter(range(RACES)), threading.Lock()

    def work():
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            call = (Typed, Relayed)[number % 2](made, "both", stream=number % 3 > 0)
            if number % 10 == 0:  # its caller goes while they race
                time.sleep(0.025)
                call.close()
                continue
            got.append(call.finish())
    threads = [threading.Thread(target=work) for _ in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for call in got:
        if call.fault is None:
            assert call.text in (SLOW, QUICK), call.text
        else:
            assert call.fault in ("outcome_unknown", "stream_incomplete", "server_error"), call.last
    wait_until(lambda: len(ledger(made)["exchange"]) == RACES, 20, "a row for each")
    rows = ledger(made)
    by_exchange = collections.defaultdict(list)
    for row in sorted(rows["attempt"], key=lambda row: row["number"]):
        by_exchange[row["exchange_id"]].append(row)
    hedged = 0
    for exchange in rows["exchange"]:
        mine = by_exchange[exchange["id"]]
        assert [row["number"] for row in mine] == list(range(1, exchange["attempts"] + 1)), (exchange, mine)
        assert [row["outcome"] for row in mine].count("ok") == (exchange["outcome"] == "ok"), (exchange, mine)
        hedged += any(row["error"] == "cancelled" and row["outcome"] == "unknown" for row in mine)
    sent = sum(row["sent_body"] for row in rows["attempt"])
    assert sent == len(a.tally()) + len(b.tally())
    assert RESERVE // 2 <= hedged <= RESERVE + RACES // 5, hedged
    wait_until(lambda: len(made.fds()) <= len(before) + 2 * RACERS + 4, 5, "no descriptor is left")
