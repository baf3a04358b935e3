"""test_harness.py - does the harness notice what it is there to notice?

It runs stand-ins for the programs here: a harness that finds no fault in a daemon that does not stop,
leaves a process behind or dies at once would find none in the real one.
"""

import os
import signal
import socket
import threading
import time

import pytest

import harness
import wire
from harness import BrokerError

DAEMON = """#!/usr/bin/python3
import argparse, os, pathlib, signal, socket, sqlite3, subprocess, sys, time
parser = argparse.ArgumentParser()
for name in ("config", "socket", "state-dir"):
    parser.add_argument("--" + name, required=True)
options = parser.parse_args()
said = open(options.config).read().split()
print("env", sorted(os.environ), file=sys.stderr, flush=True)
if "die" in said:
    sys.exit("no such key")
state = pathlib.Path(options.state_dir)
state.mkdir(exist_ok=True)
if "ledger" in said:
    base = sqlite3.connect(state / "ledger.db", isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("CREATE TABLE IF NOT EXISTS exchange (id INTEGER PRIMARY KEY, cost_nusd INTEGER)")
    base.execute("CREATE TABLE IF NOT EXISTS attempt (id INTEGER PRIMARY KEY, exchange INTEGER)")
    base.execute("INSERT INTO exchange (cost_nusd) VALUES (7)")
    base.execute("INSERT INTO attempt (exchange) VALUES (1)")
if "child" in said:
    subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
def on_term(*_):
    if "stubborn" not in said:
        if "ledger" in said:
            base.close()
        sys.exit(3 if "bad-exit" in said else 0)
signal.signal(signal.SIGTERM, on_term)
signal.signal(signal.SIGHUP, lambda *_: print("reloaded", file=sys.stderr, flush=True))
if "unclean" in said:
    print("x.c:1:2: runtime error: signed integer overflow", file=sys.stderr, flush=True)
path = pathlib.Path(options.socket)
path.unlink(missing_ok=True)
server = socket.socket(socket.AF_UNIX)
server.bind(str(path))
if "late" in said:
    time.sleep(0.2)
server.listen()
while True:
    server.accept()[0].close()
"""

CLI = """#!/usr/bin/python3
import os, sys, time
args = sys.argv[1:]
if args[0] == "ask":
    print("first", flush=True)
    print("then " + sys.stdin.readline().strip(), flush=True)
elif args[0] == "hang":
    time.sleep(600)
elif args[0] == "key":
    sys.exit(5 if "bad" in sys.stdin.read() else 0)
else:
    print(args, os.environ["LLM_BROKER_SOCKET"])
    sys.exit(7)
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    for name, text in (("llm-brokerd", DAEMON), ("llmb", CLI)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("LLMB_BIN_DIR", str(tmp_path))


@pytest.fixture
def made(programs):
    """Makes brokers that no other fixture looks after: their faults are what is tested."""
    brokers = []

    def make(config=""):
        brokers.append(harness.Broker(config, wrap=()))
        return brokers[-1]
    yield make
    for broker in brokers:
        broker.close()
        assert not broker.folder.exists()
    harness.kill_leftovers()


def test_a_life(made, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-developer")
    broker = made("late").start()
    first = broker.pid
    assert harness.accepts(broker.socket) and broker.is_alive()
    assert broker.rss_kib() > 1000 and broker.threads() == 1
    assert any("socket:" in what for what in broker.fds().values())
    broker.reload()
    broker.wait_log("reloaded")
    broker.restart()
    assert broker.pid != first and broker.log().count("env [") == 2
    assert "OPENAI_API_KEY" not in broker.log() and "XDG_RUNTIME_DIR" in broker.log()
    broker.kill9()
    assert not broker.is_alive() and not harness.accepts(broker.socket)
    broker.start()
    broker.stop()
    assert broker.process is None


@pytest.mark.parametrize("config, why", [
    ("die", "ended with 1 at start\n.*no such key"),
    ("bad-exit", "ended with 3 on SIGTERM"),
    ("stubborn", "did not end in 0.3 s"),
    ("unclean", "a sanitizer complained"),
])
def test_a_bad_life(made, config, why):
    broker = made(config)
    with pytest.raises(BrokerError, match="(?s)" + why):
        broker.start()
        broker.stop(timeout=0.3 if config == "stubborn" else 15)


def test_a_daemon_that_never_listens(made):
    broker = made("late").start(wait=False)
    with pytest.raises(BrokerError, match="not within 0.01 s: llm-brokerd listens"):
        broker.wait_ready(timeout=0.01)
    broker.wait_ready()


def test_ledger(made):
    broker = made("ledger")
    assert broker.ledger() == {"exchange": [], "attempt": []}
    broker.start()
    row = {"exchange": [{"id": 1, "cost_nusd": 7}], "attempt": [{"id": 1, "exchange": 1}]}
    assert broker.wait_ledger(1, 1) == row
    broker.stop()
    assert broker.ledger() == row
    with pytest.raises(BrokerError, match="1 rows of exchange, not 0"):
        broker.wait_ledger(0)
    with pytest.raises(BrokerError, match="not within"):
        broker.wait_ledger(2, timeout=0.05)


def test_cli(made):
    broker = made().start()
    assert broker.llmb("status", 1) == (7, f"['status', '1'] {broker.socket}\n", "")
    broker.add_key("test", "good")
    with pytest.raises(BrokerError, match="llmb key add test: 5"):
        broker.add_key("test", "bad")
    with pytest.raises(BrokerError, match="llmb hang did not end in 0.2 s"):
        broker.llmb("hang", timeout=0.2)
    running = broker.llmb_start("ask", stdin=True)
    assert running.read_until("first") == b"first\n"
    with pytest.raises(BrokerError, match="no more output in time"):
        running.read_until("then", timeout=0.05)
    running.write("go on\n")
    assert running.finish() == (0, "first\nthen go on\n", "")
    held = broker.llmb_start("hang")
    held.signal(signal.SIGINT)
    assert held.finish().code == -signal.SIGINT or "KeyboardInterrupt" in held.err
    with pytest.raises(BrokerError, match="ended without b'second'"):
        broker.llmb_start("status").read_until("second")


def test_nothing_is_left_behind(made):
    broker = made("child").start()
    assert len(harness.leftovers()) == 2
    broker.stop()
    assert harness.kill_leftovers() == ["sleep 600"]
    harness.wait_until(lambda: not harness.leftovers(), 5, "the child is gone")


def test_programs_that_are_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMB_BIN_DIR", str(tmp_path))
    broker = harness.Broker()
    with pytest.raises(BrokerError, match="no llm-brokerd in .*: run `make`"):
        broker.start()
    broker.close()


def test_configuration(provider, plain_provider):
    assert harness.provider_section(provider, "a", model=["m1", "m2"]) == (
        '[provider "a"]\ndialect = openai-chat /v1/chat/completions\n'
        f"base_url = https://localhost:{provider.port}\nauth = bearer\n"
        f"ca_file = {provider.ca_file}\nlocal = yes\nmodel = m1\nmodel = m2\n")
    plain = harness.provider_section(plain_provider, dialect=["anthropic /v1/messages"])
    assert f"base_url = http://127.0.0.1:{plain_provider.port}\n" in plain
    assert "allow_plain_loopback = yes\n" in plain and "ca_file" not in plain
    with pytest.raises(ValueError, match="line end"):
        harness.section("cache", None, {"a": "b\nc = d"})


@pytest.fixture
def peer(tmp_path):
    """A WireClient and the socket at its other end."""
    path = tmp_path / "sock"
    if len(str(path)) > 100:
        os.chdir(tmp_path)
        path = "sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with wire.WireClient(path, timeout=2) as client:
            other, _ = server.accept()
            with other:
                yield client, other


def test_wire_frames(peer):
    client, other = peer
    client.send_frame(wire.HELLO, 0, {"version": 1, "raw": b"\xff"})
    sent = other.recv(1000)
    assert sent == b"\0\0\0\x14\x93\x01\x00\x82\xa7version\x01\xa3raw\xc4\x01\xff"
    other.sendall(sent[:3])
    threading.Timer(0.05, other.sendall, [sent[3:] + wire.frame_bytes(wire.END, 1, None) +
                                          wire.frame_bytes(99, 2, [])]).start()
    frames = client.recv_until(wire.END)
    assert frames == [(1, 0, {"version": 1, "raw": b"\xff"}, 20), (7, 1, None, 4)]
    assert [frame.name for frame in frames] == ["hello", "end"]
    assert client.recv_frame().name == "type 99"
    other.sendall(b"abc")
    assert client.recv_raw() == b"abc"
    other.close()
    assert client.recv_frame() is None


@pytest.mark.parametrize("sent, why", [
    (b"", "nothing in time"), (b"\0\0\0\x05\x93", "nothing in time"),
    (b"\xff\xff\xff\xff", "a frame of 4294967295 bytes"), (b"\0\0\0\x01\xc1", "no msgpack"),
    (b"\0\0\0\x02\x92\x01", "no msgpack"), (b"\0\0\0\x03\x92\x01\x02", r"no \[type, call, body\]"),
])
def test_wire_that_is_none(peer, sent, why):
    client, other = peer
    other.sendall(sent)
    began = time.monotonic()
    with pytest.raises(wire.WireError, match=why):
        client.recv_frame(timeout=0.1)
    assert time.monotonic() - began < 1


def test_wire_sends_descriptors(peer, tmp_path):
    client, other = peer
    (tmp_path / "file").write_text("attached")
    with open(tmp_path / "file", "rb") as file:
        client.send_with_fds(b"abc", [file.fileno()])
    data, fds, _, _ = socket.recv_fds(other, 10, 4)
    assert data == b"abc" and len(fds) == 1
    with open(fds[0], "rb") as file:
        assert file.read() == b"attached"


def test_wire_ends(peer):
    client, other = peer
    assert not client.is_closed(timeout=0.05)
    taken = client.send_until_blocked(b"x" * 4096, seconds=0.1)
    assert 4096 <= taken < 10_000_000
    client.half_close()
    got = 0
    while data := other.recv(1 << 20):
        got += len(data)
    assert got == taken
    other.sendall(b"\0\0\0\x05\x93")
    other.close()
    with pytest.raises(wire.WireError, match="inside a frame"):
        client.recv_frame()
    assert client.is_closed()
