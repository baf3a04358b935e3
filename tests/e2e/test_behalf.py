"""test_behalf.py - does it only ever take away, to say by a pidfd on whose behalf one asks?"""

import json
import os
import pathlib
import signal
import subprocess

import harness
import pytest
from between import BOX, Between, between, chat, made, program  # noqa: F401
from test_identity import PYTHON, needs_bwrap
from wire import CALL, DATA, END, FAULT, frame_bytes


def test_a_program_in_the_open_is_named(made, between, program):
    asker = program()
    assert between.ask([asker.fd])[0] == ""
    who = between.whoami([asker.fd])
    assert who["who"] == "host:sleep" and who["peer"]["pid"] == asker.pid
    assert who["peer"]["via"].startswith("host:python")
    row = made.wait_ledger(1)["exchange"][0]
    assert row["program"] == row["app"] == "sleep" and row["pid"] == asker.pid
    assert row["via"].startswith("host:python") and row["kind"] == "host"
    # who asks for himself has nobody between
    assert between.client.send_frame(CALL, 100, chat()) is None
    assert between.client.recv_until(END, FAULT)[-1].type == END
    rows = made.wait_ledger(2)["exchange"]
    assert not rows[1]["via"] and rows[1]["app"] == "between"
    seen = {one["who"]: one for one in json.loads(made.llmb("app", "list", "--json").out)["seen"]}
    assert seen["host:sleep"]["served"] == 1 and seen["host:sleep"]["connections"] == 0


@needs_bwrap
def test_a_sandbox_stays_one(made, between, program):
    boxed = program(*BOX)
    fault, frames = between.ask([boxed.fd])
    assert fault == "consent", frames
    who = between.whoami([boxed.fd])
    assert who["who"] == "sandbox" and who["rule"] == "sandbox" and "key.list" not in who["operations"]
    # of its own the same program may all the while
    assert between.ask(behalf={"label": "mine"})[0] == ""
    denied = [line for line in made.llmb("audit", "list", "--json").out.splitlines() if "denied" in line or "consent" in line]
    assert any('"kind":"sandbox"' in line and '"via":"host:python' in line for line in denied), denied
    assert made.llmb("app", "allow", "sandbox").code == 0
    assert between.ask([boxed.fd])[0] == ""
    row = [row for row in made.wait_ledger(3)["exchange"] if row["outcome"] == "ok"][-1]
    assert row["kind"] == "sandbox" and row["app"] == "sandbox"
    assert made.llmb("app", "revoke", "sandbox").code == 0
    assert between.ask([boxed.fd])[0] == "denied"


def test_what_is_no_program_is_refused(made, between, program):
    asker = program()
    reader, writer = os.pipe()
    assert between.ask()[0] == "invalid_request"
    assert between.ask([reader])[0] == "invalid_request"
    assert between.ask([reader, asker.fd])[0] == "invalid_request"
    assert between.ask([reader, asker.fd], index=1)[0] == ""
    assert between.ask([asker.fd], index=1)[0] == "invalid_request"
    folder = os.open(f"/proc/{asker.pid}", os.O_RDONLY | os.O_DIRECTORY)
    assert between.ask([folder])[0] == "invalid_request"
    with open("/dev/null") as nothing:
        assert between.ask([nothing.fileno()])[0] == "invalid_request"
    # one that was named is named once
    assert between.ask([asker.fd])[0] == ""
    assert between.ask()[0] == "invalid_request"
    asker.end()
    fault, frames = between.ask([asker.fd])
    assert fault == "denied" and "has ended" in frames[-1].body["message"]
    for fd in (reader, writer, folder):
        os.close(fd)
    # nothing of that stays with the daemon
    harness.wait_until(lambda: not [what for what in made.fds().values() if "pidfd" in what or "pipe" in what
                                    and what == os.readlink(f"/proc/self/fd/{between.client.fileno()}")],
                       5, lambda: made.fds())


@pytest.mark.security
@pytest.mark.skipif(os.geteuid() != 0, reason="another user's program is wanted")
def test_another_users_program_is_refused(made, between):
    other = subprocess.Popen([PYTHON, "-c", "import os, time; os.setuid(65534); print(flush=True); time.sleep(600)"],
                             stdout=subprocess.PIPE)
    other.stdout.readline()
    fd = os.pidfd_open(other.pid)
    try:
        fault, frames = between.ask([fd])
        assert fault == "denied" and "another user" in frames[-1].body["message"]
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
        os.close(fd)


def test_each_call_has_its_own_descriptor(made, between, program):
    """Whatever comes in one reading, or in many: who asks is never taken for another."""
    one, two = program(), program()
    whoami = {"kind": "admin", "op": "whoami", "credit": 1 << 20, "body": b"{}", "behalf": {"fd": 0}}
    long = {**whoami, "body": b"{" + b" " * 20000 + b"}"}
    client = between.client
    os.kill(made.pid, signal.SIGSTOP)  # all of it waits to be read
    client.send_frame(CALL, 1, whoami)  # which has none
    first = frame_bytes(CALL, 2, long)
    client.send_raw(first[:-100])
    client.send_with_fds(first[-100:], [one.fd])
    client.send_raw(frame_bytes(CALL, 3, whoami))
    client.send_with_fds(frame_bytes(CALL, 4, whoami), [two.fd])
    client.send_with_fds(first[:4], [two.fd])  # with the beginning of a frame, which it is of then, too
    client.send_raw(frame_bytes(CALL, 5, long)[4:])
    client.send_raw(frame_bytes(CALL, 6, whoami))
    os.kill(made.pid, signal.SIGCONT)
    faults, texts = {}, {}
    while len(faults) < 6:
        frame = client.recv_frame()
        if frame.type == DATA:
            texts[frame.call] = texts.get(frame.call, b"") + frame.body["d"]
        if frame.type in (END, FAULT):
            faults[frame.call] = frame.body["class"] if frame.type == FAULT else ""
    assert faults == {1: "invalid_request", 2: "", 3: "invalid_request", 4: "", 5: "", 6: "invalid_request"}
    assert {number: json.loads(text)["peer"]["pid"] for number, text in texts.items()} == {
        2: one.pid, 4: two.pid, 5: two.pid}
    assert "key.list" not in json.loads(texts[2])["operations"]


def test_a_full_reading_loses_nobodys_descriptor(made, between, program):
    """The message with a descriptor is cut where the daemon's buffer ends, at each of its bytes and around it."""
    asker = program()
    whoami = frame_bytes(CALL, 2, {"kind": "admin", "op": "whoami", "credit": 1 << 20, "body": b"{}", "behalf": {"fd": 0}})
    empty = len(frame_bytes(CALL, 1, {"kind": "admin", "op": "whoami", "body": b"{" + b" " * 60000 + b"}"}))
    for over in (-1, 0, 1, 2, len(whoami) // 2, len(whoami) - 1, len(whoami), len(whoami) + 1):
        body = b"{" + b" " * (60000 + 65536 - empty - len(whoami) + over) + b"}"
        first = frame_bytes(CALL, 1, {"kind": "admin", "op": "whoami", "body": body})
        assert len(first) + len(whoami) == 65536 + over
        one = Between(made.socket)
        os.kill(made.pid, signal.SIGSTOP)
        one.client.send_raw(first)
        one.client.send_with_fds(whoami, [asker.fd])
        os.kill(made.pid, signal.SIGCONT)
        ended = {}
        while len(ended) < 2:
            frame = one.client.recv_frame()
            if frame.type in (END, FAULT):
                ended[frame.call] = frame.body.get("class", "")
        assert ended == {1: "", 2: ""}, over
        one.close()


def test_administration_is_nobody_elses(made, between, program):
    asker = program()
    for op in ("key.list", "status", "vault.lock", "app.allow", "listener.add"):
        fault, frames = between.ask([asker.fd], call={"kind": "admin", "op": op, "body": b"{}"})
        assert fault == "denied" and "behalf" in frames[-1].body["message"], (op, frames)


@pytest.mark.security
@needs_bwrap
def test_a_sandbox_gains_nothing_by_a_program_of_the_host(made, program):
    """It has a pidfd of one in the open, and says that it asks for that."""
    asker = program()
    inside = ("import os, socket, sys; sys.path.insert(0, sys.argv[2]); from between import Between\n"
              "one = Between(sys.argv[1])\n"
              "try:\n    print(one.ask([int(sys.argv[3])])[0])\n"
              "except PermissionError:\n    print('kept', one.ask()[0])\n")
    path = harness.sandbox_socket(made)
    here = str(pathlib.Path(__file__).parent)
    for socket_path in (path, made.socket):
        done = subprocess.run([*BOX, "--setenv", "PYTHONPATH", os.path.dirname(os.path.abspath(harness.__file__)) + ":" + here, "--",
                               PYTHON, "-c", inside, str(socket_path), here, str(asker.fd)],
                              pass_fds=[asker.fd], capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() in ("denied", "kept denied"), done
    assert made.ledger()["exchange"] == []


def test_ceilings_of_both_hold(broker, provider, program):
    made = broker(harness.provider_section(provider))
    made.add_key("test", "sk-test-0123456789abcdef")
    made.configure(harness.section("policy", "between", {"kind": "host", "name": "python*", "model": ["test/a", "test/b"],
                                                         "max_output": 9, "operation": "use"}) +
                   harness.section("policy", "sleep", {"kind": "host", "name": "sleep", "model": ["test/b", "test/c"],
                                                       "max_output": 7, "operation": "use"}) +
                   harness.provider_section(provider))
    made.reload()
    made.wait_log("config.loaded")
    provider.script(times=0)
    one, asker = Between(made.socket), program()
    try:
        assert one.ask([asker.fd], call=chat("test/b"))[0] == ""
        assert one.ask([asker.fd], call=chat("test/a"))[0] == "denied"
        assert one.ask([asker.fd], call=chat("test/c"))[0] == "denied"
        sent = [request.json for request in provider.requests()]
        assert [body.get("max_completion_tokens", body.get("max_tokens")) for body in sent] == [7]
    finally:
        one.close()
