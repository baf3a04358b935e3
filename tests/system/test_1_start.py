"""test_1_start.py - is the daemon there when it is called, and only then?"""

import os
import pathlib
import signal
import time

import machine
from machine import MEMBER, OUTSIDER, SECOND, SOCKET, ask, good, login, ours, run, show, systemctl

CALLS = 100
KILLS = 6


def test_the_packages_are_installed_by_apt():
    assert run("systemctl", "--failed", "--no-legend", "--plain").out == ""
    done = run("apt-get", "install", "--yes", "--no-install-recommends", *machine.packages("now").values(), seconds=120)
    assert done.code == 0, done
    print(done.out[done.out.find("Setting up"):], flush=True)
    for user in (MEMBER, SECOND, OUTSIDER):
        good("useradd", "--create-home", "--shell", "/bin/sh", user)
        good("loginctl", "enable-linger", user)
    for user in (MEMBER, SECOND):
        good("usermod", "-a", "-G", "llm-broker", user)
    for name in ("_llm-broker", "_llm-broker-bridge"):
        good("getent", "passwd", name)
    assert good("dpkg", "--audit") == ""


def test_the_socket_listens_and_no_process_runs():
    assert show("llm-broker.socket", "ActiveState") == "active"
    assert systemctl("is-enabled", "llm-broker.socket").strip() == "enabled"
    found = os.stat(SOCKET)
    assert found.st_mode & 0o777 == 0o660 and found.st_uid == 0
    assert good("stat", "-c", "%G %n", SOCKET).split()[0] == "llm-broker"
    assert os.stat(pathlib.Path(SOCKET).parent).st_mode & 0o777 == 0o755
    assert show("llm-broker.service", "ActiveState") == "inactive"
    assert show("llm-broker-bridge.socket", "ActiveState") == "inactive"
    assert not ours()
    assert not machine.STATE.exists(), "nothing is made before it is used"


def test_the_first_call_starts_it():
    began = time.monotonic()
    done = ask("is anybody there?")
    took = time.monotonic() - began
    assert done.code == 0 and "is anybody there?" in done.out, done
    assert show("llm-broker.service", "ActiveState") == "active"
    pid = machine.main_pid()
    assert ours() == {pid: "llm-brokerd"}
    assert os.stat(f"/proc/{pid}").st_uid == int(good("id", "-u", "_llm-broker"))
    assert machine.STATE.stat().st_mode & 0o777 == 0o700
    machine.figures(first_call=f"{took:.2f} s, the login included")


def test_it_ends_when_idle(system):
    assert ask("hi").code == 0
    machine.wait_idle()
    assert show("llm-broker.service", "Result") == "success"
    assert show("llm-broker.socket", "ActiveState") == "active"
    assert not ours()


def test_very_many_first_calls_at_once(system):
    machine.wait_idle()
    command = f"for i in $(seq {CALLS}); do llmb ask -m offline/echo word$i >$1/$i 2>&1 & done; wait"
    login(MEMBER, "mkdir", "-p", "calls")
    began = time.monotonic()
    done = login(MEMBER, "sh", "-c", command, "sh", "calls", seconds=60)
    took = time.monotonic() - began
    assert done.code == 0, done
    answers = {i: pathlib.Path(f"/home/{MEMBER}/calls/{i}").read_text().strip() for i in range(1, CALLS + 1)}
    assert {i: said for i, said in answers.items() if said != f"word{i}"} == {}
    machine.figures(first_calls_at_once=CALLS, took=f"{took:.2f} s")


def test_calls_after_it_was_killed(system):
    """Sooner one after the other than systemd's own bound for starts would let it begin again."""
    began = time.monotonic()
    for i in range(KILLS):
        assert ask("before").code == 0
        pid = machine.main_pid()
        os.kill(pid, signal.SIGKILL)
        done = ask(f"after{i}")
        assert done.code == 0 and f"after{i}" in done.out, done
        assert machine.main_pid() not in (0, pid)
    assert show("llm-broker.socket", "ActiveState") == "active"
    machine.figures(killed=KILLS, took=f"{time.monotonic() - began:.2f} s")
