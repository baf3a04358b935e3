"""test_scarce.py - what does the daemon do when memory runs out, at any allocation?

It may answer, tell an error, or end by its own choice, to be started again: its own small things are not to be had
halfway. It may not crash, nor go on with what is damaged; and started again it has its keys and its ledger. Needs a build
that leaves the heap as it is: `make scarce`. $LLMB_SCARCE_RUNS is how many allocations are tried; $LLMB_SEED repeats them."""

import mmap
import os
import random
import re
import sqlite3
import struct
import time

import harness
import msgpack
import pytest
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient, WireError

PRELOAD = harness.bin_dir().parent / "tests" / "scarce.so"
RUNS = int(os.environ.get("LLMB_SCARCE_RUNS", "60"))
SECONDS = float(os.environ.get("LLMB_SCARCE_SECONDS", "5"))
SEED = int(os.environ.get("LLMB_SEED", "1"))
KEY = "sk-test-0123456789abcdef"
ALL = 1 << 62
# how the C library, or an assertion, says that something was damaged before
DAMAGE = re.compile(r"Assertion|free\(\)|malloc\(\)|realloc\(\)|corrupted|double free|stack smashing|invalid pointer")

pytestmark = pytest.mark.skipif(harness.bin_dir().parent.name != "debug" or harness.SLOWER > 1 or not PRELOAD.exists(),
                                reason="for a build whose heap is the C library's: make scarce")


class Scarce:
    """What the daemon's heap is told: numbers that it shares."""

    def __init__(self, path):
        path.write_bytes(bytes(40))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 40)

    def fail(self, first=0, last=0, chance=0):
        self.map[:] = struct.pack("5q", 0, 0, 0, 0, 0)
        self.map[:] = struct.pack("5q", 0, first, last, chance, 0)

    def seen(self):
        return struct.unpack_from("q", self.map)[0]

    def failed(self):
        return struct.unpack_from("q", self.map, 32)[0]


class Rig:
    def __init__(self, broker, provider, folder):
        self.scarce, self.told = Scarce(folder / "scarce"), {}
        self.made = broker(harness.provider_section(provider, model="m"), env={
            "LD_PRELOAD": str(PRELOAD), "LLMB_SCARCE": str(folder / "scarce")})
        self.made.add_key("test", KEY)
        self.ends = {"served": 0, "error": 0, "ended": 0}
        self.client = None

    def connect(self):
        self.client = WireClient(self.made.socket, timeout=5)
        self.client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "scarce"})
        self.client.recv_until(WELCOME, FAULT)
        self.number = 0

    def call(self):
        """One call, on a connection that is there or a new one: "served", "error", or "ended"."""
        try:
            if self.client is None:
                self.connect()
            self.number += 1
            self.client.send_frame(CALL, self.number, {"kind": "typed", "op": "chat", "body": msgpack.packb({
                "model": "test/m", "stream": True, "messages": [{"role": "user", "content": "3 words"}]})})
            last = self.client.recv_until(END, FAULT)[-1]
            if last.body and last.body.get("request_id"):
                self.told[last.body["request_id"]] = last.type == END
            return "served" if last.type == END else "error"
        except (WireError, OSError):
            self.hang_up()
            return "error"

    def hang_up(self):
        if self.client:
            self.client.close()
        self.client = None

    def try_it(self, **how):
        """One call while memory is short, and one when it is there again. Counts what came of it."""
        self.scarce.fail(**how)
        came = self.call()
        self.scarce.fail()
        self.look(came, how)

    def look(self, came, how):
        if came == "error":
            self.hang_up()
            # an end takes a moment; whoever is alive answers
            for _ in range(2):
                if self.is_alive() and self.call() == "served":
                    break
                time.sleep(0.05)
            else:
                assert not self.is_alive(), f"{how}: it lives and serves nobody\n{self.made.log()[-3000:]}"
        if not self.is_alive():
            came = "ended"
            code = self.made.wait_exit()
            log = self.made.log()[self.logged:]
            assert code in (-6, 1) and not DAMAGE.search(log), f"{how}: it ended with {code}\n{log[-3000:]}"
            self.hang_up()
            self.start()
            assert self.call() == "served", self.made.log()[-3000:]
        self.ends[came] += 1

    def is_alive(self):
        return self.made.process.poll() is None

    def start(self):
        self.logged = len(self.made.log())
        self.made.start()

    def check(self):
        """What was told to have ended is in the ledger; and the ledger is sound."""
        self.hang_up()
        self.scarce.fail()
        self.made.stop()
        base = sqlite3.connect(f"file:{self.made.state_dir}/ledger.db?mode=ro", uri=True)
        assert base.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        rows = dict(base.execute("SELECT id, outcome FROM exchange"))
        base.close()
        for one, was_good in self.told.items():
            assert one in rows and (rows[one] == "ok") == was_good, (one, was_good, rows.get(one))


@pytest.fixture
def rig(broker, plain_provider, tmp_path):
    made = Rig(broker, plain_provider, tmp_path)
    made.logged = 0
    for _ in range(20):
        assert made.call() == "served"
    yield made
    made.hang_up()


def allocations(rig, fresh):
    """How many a call takes, with its connection or without."""
    if fresh:
        rig.hang_up()
    rig.scarce.fail()
    assert rig.call() == "served"
    time.sleep(0.2)  # its rows, too
    return rig.scarce.seen()


def numbers(count):
    chance = random.Random(SEED)
    return sorted(chance.sample(range(1, count + 1), min(RUNS, count)))


@pytest.mark.parametrize("fresh", [False, True], ids=["a call", "a connection and a call"])
def test_one_allocation_fails(rig, fresh, record_property):
    count = allocations(rig, fresh)
    for number in numbers(count):
        if fresh:
            rig.hang_up()
        rig.try_it(first=number, last=number)
    rig.check()
    record_property("figure", f"{count} allocations, {sum(rig.ends.values())} tried: {rig.ends}, 0 crashed")


def test_all_fail_from_one_on(rig, record_property):
    count = allocations(rig, False)
    for number in numbers(count):
        rig.try_it(first=number, last=ALL)
    rig.check()
    record_property("figure", f"{sum(rig.ends.values())} tried: {rig.ends}, 0 crashed")


def test_one_in_a_hundred_fails(rig, record_property):
    until, began = time.monotonic() + SECONDS, time.monotonic()
    failed = 0
    while time.monotonic() < until:
        rig.scarce.fail(chance=10_000)
        for _ in range(20):
            came = rig.call()
            if came == "error":
                break
        failed += rig.scarce.failed()
        rig.scarce.fail()
        rig.look(came, {"chance": 10_000})
    assert failed > 0
    rig.check()
    record_property("figure", f"{time.monotonic() - began:.0f} s, {failed} failures: {rig.ends}, 0 crashed")
