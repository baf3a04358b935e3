"""test_run.py - does a program that llmb starts have a way of its own, and none to the answer?"""

import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import time

import harness
import pytest
from programs import needs
from surfaces import FAMILIES
from test_policy import PROFILE, llmb, started

CHAT = FAMILIES["chat"]
SMALL = ("small", PROFILE)


def folders(made):
    return list(pathlib.Path(made.env["XDG_RUNTIME_DIR"]).glob("llmb-run-*"))


# ---- its end ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT], ids=lambda n: n.name)
def test_signals_are_passed_on(broker, provider, number):
    made = started(broker, provider, SMALL)
    before = made.sockets()
    running = made.llmb_start("run", "--profile", "small", "--", "sh", "-c",
                              f"trap 'echo got; exit 7' {number.value}; echo up; while :; do sleep 0.02; done")
    running.read_until("up\n")
    running.signal(number)
    done = running.finish()
    assert (done.code, done.out) == (7, "up\ngot\n"), done
    assert folders(made) == []
    harness.wait_until(lambda: made.sockets() <= before, 5, "it is closed")


@pytest.mark.parametrize("script, code", [("exit 5", 5), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_the_status_is_the_program_s(broker, provider, script, code):
    made = started(broker, provider, SMALL)
    assert llmb(made, "run", "--profile", "small", "--", "sh", "-c", script).code == code
    assert folders(made) == []


def test_what_cannot_be_run(broker, provider):
    made = started(broker, provider, SMALL)
    for program, code in (("/nonexistent", 127), (str(made.config_file), 126)):
        done = llmb(made, "run", "--profile", "small", "--", program)
        assert done.code == code and f"cannot run {program}" in done.err, done
    assert "the program's" in llmb(made, "run", "--help").out


# ---- its name ----

def seen_as(made):
    return {one["who"] for one in json.loads(llmb(made, "app", "list", "--json").out)["seen"]}


def test_its_name_is_fit_for_an_identity(broker, provider):
    made = started(broker, provider, SMALL)
    program = made.folder / "odd name+ä"
    program.symlink_to(harness.program("llmb"))
    assert llmb(made, "run", "--profile", "small", "--", program, "whoami").code == 0
    assert "sandbox:odd_name___" in seen_as(made)
    assert llmb(made, "run", "--profile", "small", "--name", "tool-1", "--", program, "whoami").code == 0
    assert "sandbox:tool-1" in seen_as(made)
    done = llmb(made, "run", "--name", "a tool", "--", program, "whoami")
    assert done.code == 2 and "letters, digits" in done.err, done
    done = llmb(made, "run", "--", f"{made.folder}/", "whoami")
    assert done.code == 2 and "give --name" in done.err, done


def test_where_no_socket_can_be(broker, provider):
    made = started(broker, provider, SMALL)
    done = made.llmb("run", "--", "true", env={"XDG_RUNTIME_DIR": str(made.folder / "none")})
    assert done.code == 1 and str(made.folder / "none") in done.err, done


# ---- somebody who is asked on this terminal ----

class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, made, *args):
        self.out = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(made.folder)
            os.execve(args[0], list(map(str, args)), {
                **made.client_env(), "PATH": f"{harness.bin_dir()}:{made.env['PATH']}"})

    def read(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # its last program has closed it
            return False
        self.out += data
        return bool(data)

    def read_until(self, text):
        until = time.monotonic() + harness.CALL_SECONDS
        while text.encode() not in self.out:
            assert time.monotonic() < until and self.read(0.1), self.out

    def type(self, text):
        os.write(self.fd, text.encode())

    def finish(self):
        until = time.monotonic() + harness.CALL_SECONDS
        while self.read(0.1):
            assert time.monotonic() < until, self.out
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), self.out.decode()


def test_a_program_that_stops_itself_gives_the_terminal_back(broker, provider):
    """As vim and Claude Code do on ^Z: the shell is there again, and brings both of them back."""
    made = started(broker, provider, SMALL)
    terminal = Terminal(made, "/bin/sh", "-i")
    ours = f"'{harness.program('llmb')}' run --profile small -- sh -c "
    terminal.type(f"{ours} 'echo up; kill -STOP $$; echo ba''ck'\n")
    terminal.read_until("Stopped")
    terminal.type("echo he''re; fg\n")
    terminal.read_until("here")
    terminal.read_until("back")
    terminal.type(f"{ours} 'echo run''ning; exec sleep 60'\n")
    terminal.read_until("running")
    terminal.type("\x1a")
    until = len(terminal.out)
    while b"Stopped" not in terminal.out[until:]:
        assert terminal.read(harness.CALL_SECONDS)
    terminal.type("kill %1; fg; echo en''ded; exit 7\n")
    terminal.read_until("ended")
    assert terminal.finish()[0] == 7


def test_where_no_shell_waits_nobody_stops(broker, provider):
    """Whoever stopped it, and continues it, has it as it was."""
    made = started(broker, provider, SMALL)
    terminal = Terminal(made, harness.program("llmb"), "run", "--profile", "small", "--", "sh", "-c",
                        "echo $$; kill -STOP $$; echo back; exit 5")
    terminal.read_until("\n")
    program = int(terminal.out.split()[0])
    stat = pathlib.Path(f"/proc/{program}/stat")
    harness.wait_until(lambda: " T " in stat.read_text(), 5, "it has stopped")
    os.kill(program, signal.SIGCONT)
    assert terminal.finish()[0] == 5


# ---- what was left behind ----

def test_what_a_killed_llmb_left_goes_with_the_next(broker, provider):
    made = started(broker, provider, SMALL)
    killed, other = (made.llmb_start("run", "--profile", "small", "--", "sh", "-c", "echo $$; exec sleep 60") for _ in range(2))
    programs = [int(one.read_until("\n")) for one in (killed, other)]
    left = set(folders(made))
    killed.signal(signal.SIGKILL)
    killed.process.wait()
    assert set(folders(made)) == left
    home = max(left) / "gemini" / ".gemini"  # of either: what is in use is kept
    home.mkdir(parents=True)
    (home / "tmp").symlink_to(made.home)
    foreign = pathlib.Path(made.env["XDG_RUNTIME_DIR"]) / "llmb-run-link"
    foreign.symlink_to(made.home)
    assert llmb(made, "run", "--profile", "small", "--", "true").code == 0
    (kept,) = set(folders(made)) - {foreign}
    assert kept in left and made.home.exists() and foreign.is_symlink()
    for one in programs:
        os.kill(one, signal.SIGKILL)
    other.finish()
    assert folders(made) == [foreign]


ASK = ("run", "--ask", "--name", "tool", "--")


def agents():
    found = []
    for pid in harness.leftovers():
        if pathlib.Path(f"/proc/{pid}/comm").read_text() == "llm-broker-agen\n":
            found.append(pid)
    return found


def sockets_of(pid):
    return [fd for fd, what in harness.fds_of(pid).items() if what.startswith("socket:")]


@pytest.mark.parametrize("answer, code", [("y", 0), ("n", 3)])
def test_a_person_is_asked_before_the_first_call(broker, provider, answer, code):
    """However early that is: the agent waits already."""
    made = started(broker, provider)
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    program = harness.program("llmb")
    terminal = Terminal(made, program, *ASK, program, "ask", "-m", "other/a", "hi")
    terminal.read_until("[n]o: ")
    (agent,) = agents()
    assert len(sockets_of(agent)) == 1, "the program's connection is the program's alone"
    terminal.type(answer + "\n")
    status, out = terminal.finish()
    assert status == code and ("Hello." in out) == (not code), out
    assert "May sandbox:tool use language models" in out
    assert agents() == [] and folders(made) == []


def test_without_a_terminal_nothing_is_started(broker, provider):
    made = started(broker, provider)
    done = made.llmb(*ASK, "touch", made.folder / "ran",
                     env={"PATH": f"{harness.bin_dir()}:{made.env['PATH']}"})
    assert done.code == 1 and "no terminal to ask on" in done.err and "nothing was started" in done.err, done
    assert not (made.folder / "ran").exists() and folders(made) == []


def test_an_agent_ends_with_who_started_it(broker, provider):
    made = started(broker, provider)
    terminal = Terminal(made, harness.program("llmb"), *ASK, "sh", "-c", "echo $$; exec sleep 60")
    terminal.read_until("\n")
    program = int(terminal.out)
    assert len(agents()) == 1
    os.kill(terminal.pid, signal.SIGKILL)
    harness.wait_until(lambda: agents() == [], 5, "it is gone")
    os.kill(program, signal.SIGKILL)
    terminal.finish()


def test_a_key_of_the_terminal_reaches_the_program(broker, provider):
    """It is in a session of its own, so that it is passed on."""
    made = started(broker, provider)
    terminal = Terminal(made, harness.program("llmb"), *ASK, "sh", "-c",
                        "trap 'echo got; exit 7' INT; echo up; while :; do sleep 0.02; done")
    terminal.read_until("up")
    terminal.type("\x03")
    status, out = terminal.finish()
    assert status == 7 and "got" in out, out


PUSH = """import fcntl, os, subprocess, sys, termios
tried = []
for name in ("/dev/tty", 0, 1, 2):
    try:
        fd = os.open(name, os.O_RDWR) if isinstance(name, str) else name
        for c in b"y\\n":
            fcntl.ioctl(fd, termios.TIOCSTI, bytes([c]))
        tried.append("pushed")
    except OSError as why:
        tried.append(why.strerror)
open("tried", "w").write(repr(tried))
"""


@needs("script", "setpriv")
def test_a_program_cannot_type_the_answer(broker, provider):
    """What it pushes into the terminal would be the answer to its own question. Without root's right to do so."""
    made = started(broker, provider)
    (made.folder / "push.py").write_text(PUSH)
    bare = ["setpriv", "--bounding-set", "-all"] if os.geteuid() == 0 else []
    tried = made.folder / "tried"

    def push(*before):
        tried.unlink(missing_ok=True)
        command = " ".join([*map(str, before), *bare, "/usr/bin/python3", "push.py"])
        done = subprocess.run(["script", "-qefc", command, "/dev/null"], cwd=made.folder, capture_output=True, text=True,
                              env={**made.client_env(), "PATH": f"{harness.bin_dir()}:{made.env['PATH']}"},
                              stdin=subprocess.DEVNULL, timeout=harness.CALL_SECONDS)
        return tried.read_text() if tried.exists() else done
    if "pushed" not in push():
        pytest.skip("this kernel lets nobody push characters into a terminal")
    assert "pushed" not in push(harness.program("llmb"), *ASK)


def test_an_agent_says_that_it_waits_for_a_broker(broker, provider):
    made = started(broker, provider)
    nowhere = made.folder / "nowhere"
    tool = made.folder / "notify-send"
    tool.write_text('#!/bin/sh\necho "notify-send 0.8.1"\n')
    tool.chmod(0o755)
    agent = subprocess.Popen([harness.program("llm-broker-agent"), "--socket", nowhere], stderr=subprocess.PIPE, text=True,
                             env={**made.env, "PATH": f"{made.folder}:{made.env['PATH']}"}, start_new_session=True)
    try:
        line = agent.stderr.readline()
        assert str(nowhere) in line and "waiting for a broker" in line, line
    finally:
        harness.kill_group(agent)
    done = subprocess.run([harness.program("llm-broker-agent"), "--terminal"], env=made.env, capture_output=True, text=True,
                          start_new_session=True, timeout=harness.CALL_SECONDS)
    assert done.returncode == 1 and "/dev/tty" in done.stderr, done
