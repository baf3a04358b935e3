"""test_killed.py - is the ledger right, however often the broker is killed?

Rounds of load and `kill -9` at any moment, at times also while it starts. After each, what a client was told of the
end of a call is in the ledger, once; what had no end is charged as unknown; no more was billed by the provider than
the ledger has; and the database is sound. `make crash ROUNDS=2000` runs as many rounds; $LLMB_SEED repeats them."""

import contextlib
import os
import random
import select
import sqlite3
import struct
import time

import harness
import msgpack
from wire import CALL, CANCEL, END, FAULT, HELLO, WELCOME, WireClient, frame_bytes

ROUNDS = int(os.environ.get("LLMB_ROUNDS", "40"))
SEED = int(os.environ.get("LLMB_SEED", str(random.SystemRandom().randrange(1 << 30))))
KEY = "sk-test-0123456789abcdef"
CONNECTIONS = 6
AT_ONCE = 4       # calls of each
BATCH = 25        # rounds with one ledger: reading it all each time must not become the work


def call_body(rng):
    return msgpack.packb({"model": "test/m", "stream": rng.random() < 0.7, "max_tokens": 50,
                          "messages": [{"role": "user", "content": f"{rng.randrange(1, 30)} words"}]})


def greeted(path):
    client = WireClient(path, timeout=20 * harness.SLOWER)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": "load"})
    assert client.recv_frame().type == WELCOME
    return client


class Load:
    """Clients that call and call. `ended` are the ids of calls whose end was told: {id: was it good?}"""

    def __init__(self, path, rng):
        self.rng = rng
        self.ended = {}
        self.sent = 0
        self.next_call = 0
        self.clients = []
        for _ in range(CONNECTIONS):
            client = greeted(path)
            client.sock.setblocking(False)
            self.clients.append(client)
        for client in self.clients * AT_ONCE:
            self.call(client)

    def call(self, client):
        self.next_call += 1
        data = frame_bytes(CALL, self.next_call, {"kind": "typed", "op": "chat",
                                                  "body": call_body(self.rng)})
        if self.rng.random() < 0.1:
            data += frame_bytes(CANCEL, self.next_call, {})
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sock.send(data)
            self.sent += 1

    def take(self, client, goes_on):
        """What came on one connection. False: it is over."""
        try:
            data = client.sock.recv(65536)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        client.buffer += data
        while len(client.buffer) >= 4:
            size, = struct.unpack_from(">I", client.buffer)
            if len(client.buffer) < 4 + size:
                break
            frame = WireClient._frame(client.buffer[4:4 + size])
            client.buffer = client.buffer[4 + size:]
            if frame.type not in (END, FAULT):
                continue
            if frame.body.get("request_id", "").startswith("req_"):
                assert frame.body["request_id"] not in self.ended
                self.ended[frame.body["request_id"]] = frame.type == END
            if goes_on:
                self.call(client)
        return bool(data)

    def run(self, seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for client in select.select(self.clients, [], [], left)[0]:
                assert self.take(client, True), "the broker hung up before it was killed"

    def drain(self):
        """All that was told before the end."""
        for client in self.clients:
            client.sock.setblocking(True)
            while self.take(client, False):
                pass
            client.close()


def rows_of(made):
    base = sqlite3.connect(f"file:{made.state_dir}/ledger.db?mode=ro", uri=True, timeout=20)
    try:
        base.row_factory = sqlite3.Row
        assert base.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        exchanges = {row["id"]: row for row in base.execute(
            "SELECT id, outcome, error, attempts, cost_nusd FROM exchange")}
        attempts = {}
        for row in base.execute("SELECT exchange_id, number, outcome, cost_nusd FROM attempt"):
            attempts.setdefault(row["exchange_id"], []).append(row)
        return exchanges, attempts
    finally:
        base.close()


def check(made, told, sent, bill):
    """Against what clients were told, how many calls they sent, and what the provider charges."""
    exchanges, attempts = rows_of(made)
    for one, was_good in told.items():
        assert one in exchanges, f"{one} was told to have ended ({was_good}), and is lost"
        assert (exchanges[one]["outcome"] == "ok") == was_good, dict(exchanges[one])
    assert len(exchanges) <= sent, "more requests than were sent"
    assert set(attempts) <= set(exchanges), "an attempt of no request"
    for one, row in exchanges.items():
        own = attempts.get(one, [])
        assert [a["number"] for a in own] == list(range(1, row["attempts"] + 1)), dict(row)
        if row["outcome"] == "unknown":
            assert row["error"] == "outcome_unknown", dict(row)
            assert (row["cost_nusd"] or 0) == sum(a["cost_nusd"] or 0 for a in own), dict(row)
            assert all(a["cost_nusd"] > 0 for a in own if a["outcome"] == "unknown"), dict(row)
    charged = sum(row["cost_nusd"] or 0 for row in exchanges.values())
    assert charged >= bill, "the provider billed more than the ledger has"
    return exchanges


def start_timed(made):
    """How long until it answers: it listens before it has read its journal."""
    began = time.monotonic()
    made.start()
    greeted(made.socket).close()
    return time.monotonic() - began


def kill_while_starting(made, rng):
    made.start(wait=False)
    time.sleep(rng.random() * 0.03)
    made.kill9()


def test_killed_again_and_again(broker, plain_provider, capsys):
    rng = random.Random(SEED)
    print(f"LLMB_SEED={SEED}")
    made = broker(harness.provider_section(plain_provider, model="m") + harness.section(
        "model", "test/m", {"price_input": "0.15", "price_output": "0.60"}) +
        "[broker]\nmax_calls = 64\n")
    made.add_key("test", KEY)
    starts, totals, unknown = [], {"told": 0, "sent": 0, "rows": 0}, 0
    told, sent, exchanges = {}, 0, {}

    def end_batch():
        """The broker is running, and idle: a new ledger, and a new bill."""
        nonlocal told, sent, unknown
        totals["told"] += len(told)
        totals["sent"] += sent
        totals["rows"] += len(exchanges)
        unknown += sum(row["outcome"] == "unknown" for row in exchanges.values())
        made.stop()
        for path in made.state_dir.glob("ledger.db*"):
            path.unlink()
        plain_provider.reset()
        told, sent = {}, 0
        made.start()

    began = time.monotonic()
    for number in range(1, ROUNDS + 1):
        load = Load(made.socket, rng)
        load.run((0.005 + rng.random() * 0.1) * harness.SLOWER)
        made.kill9()
        load.drain()
        told.update(load.ended)
        sent += load.sent
        while rng.random() < 0.15:
            kill_while_starting(made, rng)
        starts.append(start_timed(made))
        bill = plain_provider.bill()["nano_usd"]
        exchanges = check(made, told, sent, bill)
        if number % BATCH == 0 or number == ROUNDS:
            end_batch()
    starts.sort()
    with capsys.disabled():
        print(f"\n{ROUNDS} rounds in {time.monotonic() - began:.0f} s: {totals['sent']} calls sent, "
              f"{totals['told']} told to have ended, {totals['rows']} in the ledger, {unknown} of "
              f"them unknown; ready again after {starts[len(starts) // 2] * 1000:.0f} ms (median), "
              f"{starts[-1] * 1000:.0f} ms at most")
    assert totals["told"] > ROUNDS and unknown > ROUNDS / 2, "there was something to lose"


PRICED = harness.section("model", "test/m", {"price_input": "1000", "price_output": "2000"})


def killed_in_a_call(made, model, wait):
    """The rows of one call, that was under way when the broker was killed: its exchange, and its attempts."""
    made.add_key("test", KEY)
    asked = made.llmb_start("ask", "--no-stream", "-m", model, "--max-tokens", "50", "hello")
    wait()
    made.kill9()
    asked.kill()
    made.start()
    greeted(made.socket).close()
    exchanges, attempts = rows_of(made)
    (one, row), = exchanges.items()
    assert row["outcome"] == "unknown"
    return row, attempts[one]


def test_killed_while_it_waits_out_a_failure(broker, provider):
    """A provider that is busy serves nothing, and nothing is under way until it is asked again."""
    made = broker(harness.provider_section(provider, model="m") + PRICED)
    provider.script(status=429, headers={"retry-after": "20"})

    row, attempts = killed_in_a_call(made, "test/m", lambda: made.wait_ledger(0, 1))
    assert [a["outcome"] for a in attempts] == ["failed"]
    assert not row["cost_nusd"] and not attempts[0]["cost_nusd"]


def test_killed_in_a_second_attempt(broker, provider):
    """The first was cut, so that nobody knows what it cost, and then the second: it is both."""
    made = broker(harness.provider_section(provider, model="m") + PRICED +
                  PRICED.replace("test/m", "test/m2") +
                  harness.section("model", "al", [("target", "test/m"), ("target", "test/m2")]))
    provider.script(close_after="start")
    provider.script(silence="start")
    row, attempts = killed_in_a_call(made, "al", lambda: provider.wait_request(2))
    assert [a["outcome"] for a in attempts] == ["unknown", "unknown"]
    assert row["attempts"] == 2 and all(a["cost_nusd"] > 0 for a in attempts)
    assert row["cost_nusd"] == sum(a["cost_nusd"] for a in attempts)
