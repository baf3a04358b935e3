"""test_crash.py - what is left when the broker is killed?"""

import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile

import harness
import pytest

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def made(broker, provider):
    one = broker(harness.provider_section(provider, model="m") +
                 harness.section("model", "test/m", {"price_input": "0.15",
                                                     "price_output": "0.60"}))
    one.add_key("test", KEY)
    return one


def test_kill_9_in_the_middle_of_a_stream(made, provider):
    provider.script(hold=2)
    running = made.llmb_start("ask", "-m", "test/m", "20 words")
    provider.wait_held()
    made.kill9()
    done = running.finish()
    assert done.code in (1, 4, 7), done
    assert done.err.strip(), "a typed error, with a sentence"

    made.start()
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    rows = made.wait_ledger(2)["exchange"]
    lost = [row for row in rows if row["outcome"] == "unknown"]
    assert len(lost) == 1 and lost[0]["error"] == "outcome_unknown"
    assert lost[0]["cost_nusd"] > 0, "billed as it was reserved"


def test_what_was_settled_survives(made):
    for _ in range(5):
        assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    made.kill9()
    made.start()
    rows = made.wait_ledger(5, 5)
    assert {row["outcome"] for row in rows["exchange"]} == {"ok"}
    with sqlite3.connect(made.state_dir / "ledger.db") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture
def user(tmp_path_factory):
    """Runs a command as an ordinary user with a home and a run-time folder of its own, and copies of
    the programs, for a folder of ours may be closed to others."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="llmb-user-"))
    shutil.copytree(harness.bin_dir(), home / "bin")
    shutil.copytree(harness.bin_dir().parent / "lib", home / "lib", symlinks=True)
    (home / "run").mkdir(mode=0o700)
    become = []
    if os.geteuid() == 0:  # root's broker is the system's: nothing is started for it
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for path in [home, *home.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"),
           "LANG": "C.UTF-8", harness.MARK: harness.RUN_ID,
           **{k: os.environ[k] for k in harness.PASSED_ON if k in os.environ}}

    def start(*args):
        return subprocess.Popen([*become, str(home / "bin" / "llmb"), *args], env=env, cwd=home,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
    start.home = home
    yield start
    harness.kill_leftovers()
    shutil.rmtree(home, ignore_errors=True)


def test_the_library_starts_a_broker_where_none_listens(user):
    """Eight at once: all are answered, and by one and the same broker."""
    asked = [user("ask", "-q", f"number {i}") for i in range(8)]
    for i, process in enumerate(asked):
        out, err = process.communicate(timeout=30 * harness.SLOWER)
        assert (process.returncode, out.strip()) == (0, f"number {i}"), err
    status = user("status", "--json")
    said = json.loads(status.communicate(timeout=30 * harness.SLOWER)[0])
    assert said["socket"] == str(user.home / "run/llm-broker/sock")
    assert said["served"] == 8
    os.kill(said["pid"], signal.SIGKILL)
    again = user("ask", "-q", "still there")
    assert again.communicate(timeout=30 * harness.SLOWER)[0].strip() == "still there"


def test_sigterm_finishes_open_streams(made, provider):
    provider.script(hold=2)
    running = made.llmb_start("ask", "-m", "test/m", "20 words")
    provider.wait_held()
    os.kill(made.pid, signal.SIGTERM)
    made.wait_log("broker.stopping")
    provider.release()
    done = running.finish()
    assert done.code == 0, done.err
    assert len(done.out.split()) == 20
    assert made.wait_exit() == 0


def test_a_second_broker_on_the_same_socket_goes_away(made, tmp_path):
    second = subprocess.run([harness.program("llm-brokerd"), "--config", str(made.config_file),
                             "--socket", str(made.socket), "--state-dir", str(tmp_path / "state")],
                            env=made.env, capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert "already listens" in second.stderr
    assert made.llmb("ask", "-m", "offline/echo", "still here").code == 0


def test_a_second_broker_on_the_same_state_serves_nobody(made, broker):
    other = broker(run=False)
    other.state_dir = made.state_dir
    other.start()
    done = other.llmb("ask", "hi")
    assert done.code != 0 and "another" in done.err.lower()
    assert made.llmb("ask", "-m", "offline/echo", "still here").code == 0


def test_a_dead_socket_is_replaced(made):
    made.kill9()
    assert made.socket.exists()
    made.start()
    assert made.llmb("status").code == 0


def test_a_reload_takes_a_good_file_and_keeps_the_old_for_a_bad_one(made, provider):
    good = made.config_file.read_text()
    made.configure("[broker]\nnonsense = 1\n")
    made.reload()
    made.wait_log("config.bad")
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    check = made.llmb("status")
    assert "nonsense" in check.out + check.err
    made.configure(good + harness.section("model", "quick", {"target": "offline/echo"}))
    made.reload()
    made.wait_log("config.loaded")
    assert made.llmb("ask", "-m", "quick", "hi").code == 0


def test_a_bad_configuration_at_start_is_told_to_every_caller(broker):
    made = broker("[provider \"x\"]\ncolour = red\n")
    done = made.llmb("ask", "hi")
    assert done.code == 1
    assert "colour" in done.err and "broker.conf:2" in done.err
    assert made.llmb("status").code == 0
    made.configure("")
    made.reload()
    made.wait_log("config.loaded")
    assert made.llmb("ask", "hi").code == 0


def test_a_state_folder_that_others_can_write_is_refused(broker):
    made = broker(run=False)
    made.state_dir.mkdir(mode=0o777)
    made.state_dir.chmod(0o777)
    made.start()
    done = made.llmb("ask", "hi")
    assert done.code == 1
    assert "chmod 700" in done.err


def test_socket_activation_and_idle_exit(broker):
    """The socket is made here, as a service manager would, and handed over."""
    made = broker("[broker]\nidle_exit = 1s\n", run=False)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(made.socket))
        listening.listen(64)
        for _ in range(2):  # it goes when idle, and comes back for the next call
            code = ("import os,sys; os.dup2(int(sys.argv[1]),3); os.set_inheritable(3,True); "
                    "os.environ['LISTEN_PID']=str(os.getpid()); os.environ['LISTEN_FDS']='1'; "
                    "os.execv(sys.argv[2],sys.argv[2:])")
            daemon = subprocess.Popen(
                ["/usr/bin/python3", "-c", code, str(listening.fileno()),
                 harness.program("llm-brokerd"), "--config", str(made.config_file),
                 "--state-dir", str(made.state_dir)],
                pass_fds=[listening.fileno()], env=made.env, stderr=subprocess.PIPE)
            try:
                done = made.llmb("ask", "-m", "offline/echo", "woken")
                assert done.code == 0, done.err
                assert daemon.wait(timeout=10 * harness.SLOWER) == 0
            finally:
                daemon.kill()
                daemon.communicate()
        assert made.socket.exists(), "the socket is the service manager's"
