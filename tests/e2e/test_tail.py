"""test_tail.py - is every call that ends told to who follows, and nobody held up by it?"""

import json
import os
import select
import subprocess

import harness
import msgpack
import pytest
from test_audit import listed
from test_identity import NOBODY, PYTHON, as_user
from wire import CALL, DATA, END, FAULT, HELLO, WELCOME, WireClient

KEY = "sk-test-0123456789abcdef"
PRICES = harness.section("model", "test/m", {"price_input": "0.15", "price_output": "0.60"})


@pytest.fixture
def served(broker, provider):
    made = broker(harness.provider_section(provider, model="m") + PRICES)
    made.add_key("test", KEY)
    return made


class Follower:
    """One `llmb tail --json` whose rows are read as they come."""

    def __init__(self, made, *args):
        self.made = made
        self.running = made.llmb_start("tail", "--json", *args)
        self.text = ""
        # it says nothing before the first call that it sees: one is made until it does
        harness.wait_until(self.sees_one, 20, "it follows")
        self.rows()

    def sees_one(self):
        self.made.llmb("ask", "-m", "test/m", "1 word")
        self.read(0.2)
        return "\n" in self.text

    def read(self, seconds):
        fd = self.running.process.stdout.fileno()
        while select.select([fd], [], [], seconds)[0]:
            got = os.read(fd, 65536)
            if not got:
                break
            self.text += got.decode()

    def rows(self):
        self.read(0)
        *whole, self.text = self.text.split("\n")
        return [json.loads(line) for line in whole]

    def wait(self, n):
        seen = []

        def are_there():
            self.read(0.1)
            seen.extend(self.rows())
            return len(seen) >= n
        harness.wait_until(are_there, 20, lambda: seen)
        return seen


def test_what_ends_is_told(served, provider):
    follower = Follower(served)
    assert served.llmb("ask", "-m", "test/m", "7 words").code == 0
    provider.script(status=400, body={"error": {"message": "no"}}, times=1)
    assert served.llmb("ask", "-m", "test/m", "8 words").code != 0
    good, bad = follower.wait(2)[-2:]
    assert (good["outcome"], good["provider"], good["target_model"], good["op"]) == ("ok", "test", "m", "chat"), good
    assert good["total_us"] > 0 and good["cost_nusd"] > 0 and good["output"] > 0 and "error" not in good
    assert bad["outcome"] == "failed" and bad["error"] == "invalid_request", bad
    assert "usage.follow" not in {record["what"] for record in listed(served)}, "who looks changes nothing"
    ids = {row["id"] for row in served.ledger()["exchange"]}
    harness.wait_until(lambda: {good["id"], bad["id"]} <= {r["id"] for r in served.ledger()["exchange"]}, 10, lambda: ids)
    served.stop()
    assert follower.running.finish().code == 4, "it does not start another broker"


def test_who_wants_some_gets_these(served, provider):
    follower = Follower(served, "--model", "test/*")
    failed = served.llmb_start("tail", "--outcome", "failed", "--model", "test/*")

    def fails():
        provider.script(status=400, body={"error": {"message": "no"}}, times=1)
        served.llmb("ask", "-m", "test/m", "8 words")
        return bool(select.select([failed.process.stdout.fileno()], [], [], 0.2)[0])
    harness.wait_until(fails, 20, "a failure is told")
    line = os.read(failed.process.stdout.fileno(), 4096).decode().split("\n")[0]
    assert "invalid_request chat test/m" in line and "tokens" not in line.split("chat")[0], line
    assert served.llmb("ask", "-m", "offline/echo", "hi").code == 0
    assert served.llmb("ask", "-m", "test/m", "3 words").code == 0
    rows = follower.wait(2)
    assert all(row["model"].startswith("test/") for row in rows), rows


def greeted(made):
    client = WireClient(made.socket, timeout=60)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "test_tail"})
    client.recv_until(WELCOME)
    return client


def follow(made, **body):
    with greeted(made) as client:
        client.send_frame(CALL, 1, {"kind": "admin", "op": "usage.follow", "credit": 1 << 24,
                                    "body": json.dumps({"wait_ms": 0, **body}).encode()})
        frames = client.recv_until(END, FAULT)
        assert frames[-1].type == END, frames
        return json.loads(b"".join(f.body["d"] for f in frames if f.type == DATA))


def test_a_follower_who_is_late_is_told_so(served):
    place = follow(served)["next"]
    assert follow(served, after=place)["rows"] == []
    assert served.llmb("ask", "-m", "test/m", "3 words").code == 0
    seen = follow(served, after=place)
    assert len(seen["rows"]) == 1 and seen["missed"] == 0 and seen["next"] == place + 1, seen
    for other in (place + 1000, 0, place - 1000):
        seen = follow(served, after=other)
        assert seen["rows"] == [] and seen["missed"] is None, "a place of another broker's says nothing of this one's"
        assert seen["next"] == place + 1
    kept, more = 1024, 5
    body = msgpack.packb({"model": "nobody/has-it", "messages": [{"role": "user", "content": "hi"}]})
    with greeted(served) as client:  # which ends at once, and leaves its row like all
        for number in range(1, kept + more + 1):
            client.send_frame(CALL, number, {"kind": "typed", "op": "chat", "body": body})
            if number % 15 == 0 or number == kept + more:
                last = number % 15 or 15
                assert [client.recv_until(END, FAULT)[-1].type for _ in range(last)] == [FAULT] * last
    seen = follow(served, after=place)
    assert seen["missed"] == more + 1 and seen["next"] == place + more + 1 + len(seen["rows"]), seen["missed"]
    number = len(seen["rows"])
    while seen["rows"]:
        seen = follow(served, after=seen["next"])
        assert seen["missed"] == 0
        number += len(seen["rows"])
    assert number == kept


ASK = """
import sys, msgpack
from wire import CALL, END, FAULT, DATA, HELLO, WELCOME, WireClient
client = WireClient(sys.argv[1], timeout=20)
client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "theirs"})
client.recv_until(WELCOME)
body = {"model": "test/m", "messages": [{"role": "user", "content": "4 words"}]}
client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "credit": 1 << 20, "body": msgpack.packb(body)})
assert client.recv_until(END, FAULT)[-1].type == END
client.send_frame(CALL, 2, {"kind": "admin", "op": "usage.follow", "credit": 1 << 20, "body": sys.argv[2].encode()})
print(b"".join(f.body["d"] for f in client.recv_until(END, FAULT) if f.type == DATA).decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's program is wanted")
def test_nobody_is_told_of_others(broker, provider):
    def rule(name, uid):
        return harness.section("policy", name, {"user": uid, "kind": "host", "operation": "*"})
    made = broker(harness.provider_section(provider, model="m") + PRICES + rule("mine", os.geteuid()) + rule("guest", NOBODY))
    made.add_key("test", KEY)
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)
    place = follow(made)["next"]
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    done = subprocess.run([*as_user(NOBODY), PYTHON, "-c", ASK, str(made.socket), json.dumps({"wait_ms": 0, "after": place})],
                          cwd="/", capture_output=True, text=True, timeout=harness.CALL_SECONDS, stdin=subprocess.DEVNULL,
                          env={**made.env, "PYTHONPATH": str(harness.TOP / "tests/lib"), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done
    theirs, mine = json.loads(done.stdout), follow(made, after=place)
    assert [row["uid"] for row in theirs["rows"]] == [NOBODY], theirs
    assert sorted(row["uid"] for row in mine["rows"]) == sorted([os.geteuid(), NOBODY]), mine
