"""test_vault_faults.py - is the vault the old one or the new one, whole, whatever fails while it is written?

strace makes each call of a kind fail in turn, the first, the second and so on, while `llmb key add` is under way,
or kills the daemon there. What `trace=` leaves out is not injected: it names the call each time."""

import json
import pathlib
import re
import subprocess

import harness
import pytest
from programs import needs, needs_release, needs_root

pytestmark = [pytest.mark.security, needs_root, needs_release, needs("strace")]

CALLS_MAX = 40
FILES = ["vault", "vault.new", "vault.bak", "vault.bak~", "vault.key", "vault.lock"]  # others may fail elsewhere
WRITES = ["openat", "write", "fsync", "linkat", "renameat", "renameat2", "rename", "unlinkat", "flock", "fstat",
          "newfstatat", "read", "close", "mlock", "getrandom"]
ERRORS = {"openat": ["ENOSPC", "EMFILE", "EACCES"], "write": ["ENOSPC", "EDQUOT"], "fsync": ["EIO"],
          "linkat": ["EPERM", "ENOSPC"], "mlock": ["ENOMEM"], "getrandom": ["EINTR"]}
ELSEWHERE = {"mlock", "getrandom"}  # which name no file
USED = {"openat", "write", "fsync", "read", "close"}  # by any way of writing a file safely


def cases():
    for call in WRITES:
        for error in ERRORS.get(call, ["EIO"]):
            yield call, f"error={error}"
    yield "write", "retval=1"  # a disk that lies


@pytest.fixture
def made(broker):
    made = broker()
    made.add_key("openai", "sk-the-first")
    return made


def keys(made):
    done = made.llmb("key", "list", "--json")
    assert done.code == 0, done
    return {f"{key['provider']}/{key['label']}" for key in json.loads(done.out)["keys"]}


class Trouble:
    """strace on the daemon, for a while: `seen` says afterwards whether a call was met."""

    def __init__(self, made, call, fault, number, log):
        self.log = log
        self.seen = False
        self.call, self.pid = call, made.pid
        paths = [str(made.state_dir), *FILES, *(str(made.state_dir / name) for name in FILES)]
        of_files = [] if call in ELSEWHERE else [word for path in paths for word in ("-P", path)]
        self.strace = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", str(log), "-p", str(made.pid), "-e", f"trace={call}", *of_files,
             "-e", f"inject={call}:{fault}:when={number}"], stderr=subprocess.PIPE)

    def __enter__(self):
        def is_on():
            if self.strace.poll() is not None:
                raise AssertionError(self.strace.stderr.read().decode())
            tasks = pathlib.Path(f"/proc/{self.pid}/task")
            return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks.iterdir())
        harness.wait_until(is_on, 5, "strace is there")
        return self

    def __exit__(self, *_):
        is_stuck = False
        self.strace.terminate()
        try:
            self.strace.wait(5)
        except subprocess.TimeoutExpired:
            # all were killed as it let go of them, and it waits for the first thread, which is there until the others are not
            self.strace.kill()
            self.strace.wait()
            is_stuck = True
        self.strace.stderr.close()
        text = self.log.read_text(errors="replace")
        self.seen = is_stuck or bool(re.search(rf"{self.call}\(.*\(INJECTED", text)) or "killed by SIGKILL" in text


def knows_call(call):
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "true"],
                          capture_output=True).returncode == 0


@pytest.mark.parametrize("call, fault", cases(), ids=str)
def test_a_call_that_fails(made, tmp_path, call, fault):
    if not knows_call(call):
        pytest.skip(f"no {call} on this machine")
    number, met = 1, 0
    while number <= CALLS_MAX:
        before, name = keys(made), f"openai/k{number}"
        with Trouble(made, call, fault, number, tmp_path / f"log{number}") as trouble:
            done = made.llmb("key", "add", name, "--from-stdin", "--no-input", input=f"sk-number-{number}\n")
        assert made.is_alive()
        made.restart()  # it opens what is there
        after = keys(made)
        assert after in (before, before | {name}), (number, done)
        assert done.code != 0 or after == before | {name}, (number, done)
        assert done.code == 0 or done.err.strip(), (number, done)
        if not trouble.seen:
            break
        met, number = met + 1, number + 1
    assert met > 0 or call not in USED, "the vault was written without it"
    # nothing is left of what was begun
    assert {path.name for path in made.state_dir.iterdir()} & {"vault.new", "vault.bak~"} == set()


@pytest.mark.parametrize("call", ["openat", "write", "fsync", "linkat", "renameat", "renameat2", "rename"])
def test_a_crash_in_a_call(made, tmp_path, call):
    if not knows_call(call):
        pytest.skip(f"no {call} on this machine")
    number, met = 1, 0
    while number <= CALLS_MAX:
        before, name = keys(made), f"openai/k{number}"
        with Trouble(made, call, "signal=KILL", number, tmp_path / f"log{number}") as trouble:
            done = made.llmb("key", "add", name, "--from-stdin", "--no-input", input=f"sk-number-{number}\n")
        if not trouble.seen:
            assert done.code == 0, done
            break
        assert made.wait_exit() == -9
        made.start()
        after = keys(made)
        assert after in (before, before | {name}), (number, done)
        assert done.code != 0 or after == before | {name}, (number, done)
        met, number = met + 1, number + 1
    assert met > 0 or call not in USED
