"""test_lifecycle.py - how does the broker begin, get better, and end, whatever is under way?"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import time

import harness
import pytest
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

KEY = "sk-test-0123456789abcdef"


def greeted(made):
    client = WireClient(made.socket, timeout=10)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test_lifecycle", "app": "test"})
    assert client.recv_frame().type == WELCOME
    return client


def admin(op, **body):
    return {"kind": "admin", "op": op, "body": json.dumps(body).encode()}


def ends_at_start(made):
    """What it says, where it cannot begin."""
    made.start(wait=False)
    assert made.wait_exit() == 1
    return made.log()


def test_a_mended_configuration_does_not_mend_the_state(broker):
    """Two things are wrong at start; one of them is put right."""
    made = broker("[broker]\nnonsense = 1\n", run=False)
    made.state_dir.write_text("a file where the folder should be")
    made.start()
    made.configure("")
    assert made.llmb("config", "reload").code in (0, 1, 2)
    made.reload()
    made.wait_log("config.loaded")
    done = made.llmb("ask", "-m", "offline/echo", "hi")
    assert done.code != 0 and "state folder" in done.err, done
    assert made.is_alive()
    status = json.loads(made.llmb("status", "--json").out)
    assert "state folder" in status["degraded"]
    made.state_dir.unlink()


@pytest.mark.parametrize("op,body", [
    ("key.remove", {"provider": "openai"}),
    ("key.add", {"provider": "openai", "label": "two", "secret": KEY}),
    ("vault.unlock", {"passphrase": "wrong"}),
    ("vault.passphrase", {"new": "long and good", "keep_key_file": True}),
    ("usage", {}),
])
def test_it_ends_in_the_middle_of_an_operation(broker, op, body):
    made = broker()
    made.add_key("openai", KEY)
    with greeted(made) as client:
        # the first keeps the vault busy while the second waits for its turn
        client.send_frame(CALL, 1, admin("vault.passphrase", new="a", keep_key_file=True))
        client.send_frame(CALL, 2, admin(op, **body))
        client.send_frame(CALL, 3, admin("status"))
        client.recv_until(END)
        made.process.send_signal(signal.SIGTERM)
        made.wait_log("broker.stopping")
        made.process.send_signal(signal.SIGTERM)
        assert made.wait_exit() == 0
    made.check_log()


def test_it_ends_while_a_provider_is_asked(broker, provider):
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", KEY)
    provider.script(hold="start", times=0)
    with greeted(made) as client:
        client.send_frame(CALL, 1, admin("key.test", provider="test"))
        provider.wait_held()
    made.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder is given away by root")
def test_root_is_not_told_to_take_the_state_of_the_system_s_broker(broker):
    """It belongs to the user of that one, who would find it taken."""
    made = broker(run=False)
    made.state_dir.mkdir(mode=0o700)
    os.chown(made.state_dir, 1003, 1003)
    made.start()
    said = json.loads(made.llmb("status", "--json").out)["degraded"]
    assert "belongs to uid 1003" in said and "systemctl start llm-broker.socket" in said and "chown" not in said, said


def test_the_socket_goes_when_the_state_is_free(broker):
    """Who finds no socket may start a broker; finding the journal in use, it would serve nobody."""
    made = broker()
    assert made.llmb("ask", "-m", "offline/echo", "hi").code == 0
    journal = os.open(made.state_dir / "journal", os.O_RDWR)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        made.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + harness.STOP_SECONDS
        while made.socket.exists():
            assert time.monotonic() < until
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert made.wait_exit() == 0
    finally:
        os.close(journal)


def test_started_without_standard_descriptors(broker):
    """No file of ours may come to stand where the log or anybody else writes."""
    made = broker(run=False)
    command = [harness.program("llm-brokerd"), "--config", str(made.config_file), "--socket",
               str(made.socket), "--state-dir", str(made.state_dir)]
    made.process = subprocess.Popen(["/bin/sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-', *command],
                                    env=made.env, cwd=made.folder, start_new_session=True)
    made.wait_ready()
    open_now = made.fds()
    assert [open_now[fd] for fd in range(3)] == ["/dev/null"] * 3
    assert made.llmb("ask", "-m", "offline/echo", "hi").code == 0
    made.wait_ledger(1)


def test_what_a_reload_changes_holds_at_once(broker):
    """A new time to lock after is counted from the reload, not from whoever comes next."""
    made = broker()
    made.add_key("openai", KEY)
    made.configure(harness.section("vault", "", {"auto_lock": "300ms"}))
    time.sleep(0.2)
    made.reload()
    made.wait_log("vault.locked reason=idle", timeout=5)


def test_idle_once_the_vault_locks_itself(broker):
    """An open vault that only a person can open keeps the broker there; a locked one does not."""
    made = broker(harness.section("broker", "", {"idle_exit": "300ms"}) +
                  harness.section("vault", "", {"auto_lock": "1s"}), run=False)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(made.socket))
    listening.listen()
    os.set_inheritable(listening.fileno(), True)
    code = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = "
            "str(os.getpid()); os.environ['LISTEN_FDS'] = '1'; os.execv(sys.argv[2], sys.argv[2:])")
    with open(made.log_file, "ab") as log:
        made.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", code, str(listening.fileno()), harness.program("llm-brokerd"),
             "--config", str(made.config_file), "--state-dir", str(made.state_dir)],
            env=made.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            pass_fds=[listening.fileno()])
    with greeted(made) as client:
        client.send_frame(CALL, 1, admin("key.add", provider="openai", secret=KEY))
        client.send_frame(CALL, 2, admin("vault.passphrase", new="a", keep_key_file=False))
        assert client.recv_until(END, FAULT)[-1].type == END
        assert client.recv_until(END, FAULT)[-1].type == END
    assert made.wait_exit(timeout=8 * harness.SLOWER) == 0
    assert made.log().index("vault.locked") < made.log().index("reason=idle calls")
    listening.close()


@pytest.mark.parametrize("other", ["nothing", "a socket of somebody else's"])
def test_one_that_cannot_be_reached_any_more_ends(broker, other):
    """Its state is another's to use: of the next session, or of a service manager that listens there now."""
    made = broker()
    made.socket.unlink()
    with socket.socket(socket.AF_UNIX) as theirs:
        if other != "nothing":
            theirs.bind(str(made.socket))
        assert made.wait_exit(timeout=25 * harness.SLOWER) == 0
        assert "reason=unreachable" in made.log() and made.socket.exists() == (other != "nothing")


def test_the_service_manager_is_told_how_long_the_end_may_take(broker):
    """As long as calls may, and then what is left to be written: a unit's own time may be shorter."""
    made = broker(harness.section("broker", "", {"drain": "2m"}), run=False)
    address = made.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(harness.CALL_SECONDS)
        made.env["NOTIFY_SOCKET"] = str(address)
        made.start()
        said = []
        while not said or not said[-1].startswith("READY=1"):
            said.append(manager.recv(4096).decode())
        made.stop()
        while not said[-1].startswith("STOPPING=1"):
            said.append(manager.recv(4096).decode())
    assert said[-1].splitlines() == ["STOPPING=1", f"EXTEND_TIMEOUT_USEC={(120 + 15) * 1000000}"], said


def test_a_lock_on_the_sockets_folder_keeps_nobody_for_ever(broker):
    made = broker(run=False)
    folder = os.open(made.folder, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        assert f"cannot lock the socket's folder {made.folder}" in ends_at_start(made)
    finally:
        os.close(folder)
    made.start()


def test_a_folder_that_anybody_may_write_to_is_no_place_for_the_socket(broker):
    made = broker(run=False)
    made.folder.chmod(0o777)
    said = ends_at_start(made)
    assert f"chmod o-w {made.folder}" in said
    assert not made.socket.exists()
    made.folder.chmod(0o1777)
    made.start()
