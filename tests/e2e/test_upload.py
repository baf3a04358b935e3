"""test_upload.py - does a body that a program sends as it has it reach the provider, and what does the program hold of
it while the daemon is slow or does not want it?"""

import os
import signal
import subprocess
import threading
import time

import harness
import pytest
from surfaces import FAMILIES, Call, dialects

KEY = "sk-test-0123456789abcdef"
MIB = 1 << 20
HELD_KIB = 4 * 1024  # by the program with all that is its own; a body is 40 MiB
ways = pytest.mark.parametrize("way", ["wait", "loop"])
SCRIPT = {"status": 200, "body": '{"id":"file-1"}'}


@pytest.fixture
def made(broker, provider):
    made = broker(harness.provider_section(provider, "all", dialect=dialects(), bytes_max=str(64 * MIB)))
    made.add_key("all", KEY)
    return made


class Upload:
    """tests/wrap/upload under way; `told` is what it says at its end."""

    def __init__(self, made, *args):
        self.process = subprocess.Popen([harness.wrap("upload"), *map(str, args)], env=made.client_env(),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.fed = 0  # bytes that it has taken, or that stand in the pipe
        self.feeder = None

    def feed(self, body, gap_at=-1, gap_s=0.0):
        """Writes the body from another thread, with a gap in it."""
        def write():
            try:
                for at in range(0, len(body), 65536):
                    if gap_at <= at < gap_at + 65536:
                        time.sleep(gap_s)
                    self.process.stdin.write(body[at:at + 65536])
                    self.process.stdin.flush()
                    self.fed = at + 65536
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        self.feeder = threading.Thread(target=write)
        self.feeder.start()
        return self

    def finish(self, timeout=50):
        try:
            self.process.wait(timeout * harness.SLOWER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it does not end; fed {self.fed}") from None
        finally:
            self.feeder.join()
        self.out, err = self.process.stdout.read(), self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        self.told = dict(line.split("=", 1) for line in err.splitlines() if "=" in line)
        assert self.process.returncode == 0 and "class" in self.told, err
        return self

    @property
    def held_kib(self):
        return int(self.told["most_kib"])


@ways
@pytest.mark.parametrize("is_announced", [True, False])
def test_forty_mebibytes_of_a_public_api(made, provider, way, is_announced):
    family = FAMILIES["chat"]
    body = family.body("all/m", "y" * (40 * MIB), False).encode()
    provider.script(**family.script("Hi", False)[0])
    done = Upload(made, "relay", family.surface, "-", len(body) if is_announced else -1, way).feed(body).finish()
    assert (done.told["class"], done.told["status"], int(done.told["read"])) == ("ok", "200", len(body))
    assert b"Hi" in done.out
    assert provider.requests()[0].body.decode() == family.forwarded("m", "y" * (40 * MIB), False)
    assert done.held_kib < HELD_KIB


@ways
def test_forty_mebibytes_for_a_providers_own_endpoint(made, provider, way):
    body = os.urandom(40 * MIB)
    provider.script(**SCRIPT)
    done = Upload(made, "native", "all", "/v1/files", -1, way).feed(body).finish()
    assert (done.told["class"], done.out) == ("ok", SCRIPT["body"].encode())
    assert provider.requests()[0].body == body
    assert done.held_kib < HELD_KIB


@ways
@pytest.mark.parametrize("length", [0, -1])
def test_a_body_of_nothing(made, provider, way, length):
    provider.script(**SCRIPT)
    done = Upload(made, "native", "all", "/v1/files", length, way).feed(b"").finish()
    assert (done.told["class"], done.out) == ("ok", SCRIPT["body"].encode())
    assert provider.requests()[0].body == b""


@ways
def test_a_daemon_that_is_slow_holds_its_caller_up(made, provider, way):
    """What nobody takes stays where it comes from."""
    body = os.urandom(40 * MIB)
    provider.script(**SCRIPT)
    upload = Upload(made, "native", "all", "/v1/files", len(body), way)
    os.kill(made.pid, signal.SIGSTOP)
    try:
        upload.feed(body)
        seen = -1
        while upload.fed != seen:
            seen = upload.fed
            time.sleep(0.5)
        assert seen < 2 * MIB, "it waits"
    finally:
        os.kill(made.pid, signal.SIGCONT)
    assert upload.finish().told["class"] == "ok"
    assert provider.requests()[0].body == body
    assert upload.held_kib < HELD_KIB


@ways
@pytest.mark.parametrize("where", [("relay", "openai.chat", "-"), ("native", "all", "/v1/files")])
def test_a_call_that_is_refused_before_its_body_is_there(broker, provider, way, where):
    """The rest is for nobody, and the answer can be read."""
    made = broker(harness.provider_section(provider, "all", dialect=dialects()) +
                  harness.section("policy", "mine", {"kind": "host", "operation": ["key.*"]}))
    body = b"x" * (40 * MIB)
    done = Upload(made, *where, len(body), way).feed(body, 65536, 0.5).finish()
    assert (done.told["class"], done.told["status"]) == ("denied", "403"), done.told
    assert b'"message"' in done.out
    assert int(done.told["read"]) == len(body) and done.held_kib < HELD_KIB
    assert provider.requests() == []


@ways
def test_a_call_that_ends_in_the_middle_of_its_body(broker, provider, way):
    made = broker(harness.section("broker", None, {"request_timeout": "1s"}) +
                  harness.provider_section(provider, "all", dialect=dialects()))
    made.add_key("all", KEY)
    body = b"x" * (40 * MIB)
    done = Upload(made, "relay", "openai.chat", "-", len(body), way).feed(body, 20 * MIB, 2.0).finish()
    assert (done.told["class"], done.told["status"]) == ("timeout", "504"), done.told
    assert b'"error"' in done.out
    assert int(done.told["read"]) == len(body) and done.held_kib < HELD_KIB
    assert provider.requests() == []
    row = made.wait_ledger(1)["exchange"][0]
    assert row["error"] == "timeout"


@pytest.mark.parametrize("kind", ["relay", "native"])
def test_a_body_whose_length_nobody_said_ends_where_any_must(made, provider, kind):
    """A caller that is not ours goes over it: the call is refused, and leaves nothing."""
    where = {"surface": "openai.chat"} if kind == "relay" else {"provider": "all", "path": "/v1/files"}
    before = made.heap_kib()
    call = Call(made, body=None, timeout=50, **where)
    call._send(b"x" * (64 * MIB + 65536))
    assert call.finish().fault == "too_big", call
    assert call.status == 413, call
    assert provider.requests() == []
    made.wait_ledger(1)
    made.gives_back(before, 8 * 1024)
