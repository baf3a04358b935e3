"""test_attach.py - can another process of the same user get into the daemon, while it runs or while it starts?

The daemon is installed as `make install` does it, root's and 0711, which is why the kernel closes it to its own
user from execve on, and runs as nobody. $LLMB_ROUNDS says how often its start is raced (100)."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import harness
import pytest
from programs import needs, needs_release, needs_root

pytestmark = [pytest.mark.security, needs_root, needs_release, needs("setpriv")]

ROUNDS = int(os.environ.get("LLMB_ROUNDS", "100"))
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all",
             "--inh-caps=-all"]


def run(*command, **more):
    return subprocess.run([*AS_NOBODY, *map(str, command)], capture_output=True, text=True, timeout=120, **more)


def counts(done):
    assert done.returncode == 0, (done.returncode, done.stderr)
    return dict((name, int(number)) for name, number in (
        pair.split("=") for pair in done.stdout.splitlines()[-1].split()))


@pytest.fixture(scope="module")
def place():
    """A folder that nobody may look into, with the attacker and the daemon, shut and open."""
    with tempfile.TemporaryDirectory(prefix="llmb-attach-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        shutil.copy(harness.wrap("attach"), folder / "attach")
        for kind, mode in (("shut", 0o711), ("open", 0o755)):
            (folder / kind).mkdir(mode=0o755)
            shutil.copy(harness.program("llm-brokerd"), folder / kind / "llm-brokerd")
            (folder / kind / "llm-brokerd").chmod(mode)
        yield folder


def test_nobody_gets_in_while_it_starts(place):
    """But a tracer of what was there before it, whom the kernel lets stay: with such a one it does not run."""
    seen = counts(run(place / "attach", "race", ROUNDS, place / "shut/llm-brokerd", "--version"))
    assert seen["rounds"] == ROUNDS and seen["attempts"] > ROUNDS, seen
    assert seen["breaches"] == 0, seen
    assert seen["early"] > 0 and seen["ran"] == 0, seen


def test_the_race_is_won_where_the_file_can_be_read(place):
    seen = counts(run(place / "attach", "race", 21, place / "open/llm-brokerd", "--version"))
    assert seen["breaches"] > 0, seen


@pytest.fixture
def running(place):
    """The daemon at work, as nobody; a process of nobody's that is not shut, beside it."""
    with tempfile.TemporaryDirectory(prefix="llmb-nobody-") as name:
        os.chown(name, NOBODY, NOBODY)
        folder = pathlib.Path(name)
        (folder / "broker.conf").touch()
        with open(folder / "log", "wb") as log:
            daemon = subprocess.Popen(
                [*AS_NOBODY, place / "shut/llm-brokerd", "--config", folder / "broker.conf", "--socket",
                 folder / "sock", "--state-dir", folder / "state"], stderr=log, stdin=subprocess.DEVNULL)
        other = subprocess.Popen([*AS_NOBODY, "sleep", "60"])
        try:
            harness.wait_until(lambda: (folder / "sock").exists() and harness.accepts(folder / "sock"), 10,
                               lambda: (folder / "log").read_text())
            yield daemon.pid, other.pid
        finally:
            for process in (daemon, other):
                process.terminate()
            assert daemon.wait(15) == 0 and other.wait(15)


def test_nobody_gets_in_while_it_runs(place, running):
    daemon, other = running
    done = run(place / "attach", "try", daemon)
    assert counts(done) == {"attempts": 7, "breaches": 0}, done.stdout
    assert counts(run(place / "attach", "try", other))["breaches"] > 0
    for name in ("mem", "environ", "maps", "smaps", "auxv", "io", "stack", "syscall"):
        assert run("cat", f"/proc/{daemon}/{name}").returncode != 0, name
    for name in ("exe", "root", "cwd", "fd/0"):
        assert run("readlink", f"/proc/{daemon}/{name}").returncode != 0, name
    assert run("readlink", f"/proc/{other}/exe").returncode == 0


@pytest.mark.parametrize("command", [
    ["gdb", "-nx", "-batch", "-ex", "info registers", "-p"], ["strace", "-c", "-p"], ["gcore", "-o", "/dev/null"]],
    ids=["gdb", "strace", "gcore"])
def test_no_tool_gets_in(running, command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    done = run(*command, running[0])
    assert "Operation not permitted" in done.stdout + done.stderr, done
    assert "TracerPid:\t0\n" in pathlib.Path(f"/proc/{running[0]}/status").read_text()


@needs("strace")
def test_a_traced_daemon_does_not_start(place):
    done = run("strace", "-f", "-o", "/dev/null", place / "shut/llm-brokerd", "--version")
    assert done.returncode == 1 and "untraced" in done.stderr and not done.stdout
