"""test_5_hardened.py - does all that the broker can do work under the hardening of its unit?"""

import json
import os
import pathlib
import shutil
import signal
import sqlite3

import machine
from machine import MEMBER, SECOND, ask, found, good, llmb, login, show, systemctl

MOST_OPEN = 2.0
TOOL = """#!/bin/sh
case "$1" in
store) cat >{home}/code ;;
lookup) [ -e {home}/code ] && cat {home}/code ;;
*) exit 2 ;;
esac
"""


def test_how_open_it_is():
    units = {}
    for unit in ("llm-broker.service", "llm-broker-bridge.service"):
        out = good("systemd-analyze", "security", "--no-pager", unit, seconds=60)
        units[unit] = float(found(r"exposure level for \S+ ([\d.]+)", out))
    machine.figures(**{"exposure of " + unit: level for unit, level in units.items()})
    assert units["llm-broker.service"] <= MOST_OPEN


def test_what_is_switched_on(system):
    """What the kernel says of the running daemon."""
    assert ask("hi").code == 0
    status = pathlib.Path(f"/proc/{machine.main_pid()}/status").read_text()
    assert found(r"^Seccomp:\s+(\d)", status) == "2" and found(r"^NoNewPrivs:\s+(\d)", status) == "1"
    assert int(found(r"^CapEff:\s+(\w+)", status), 16) == 0 and int(found(r"^CapBnd:\s+(\w+)", status), 16) == 0
    said = llmb("status", "--json", user="root").json
    assert said["confined"] is True and said["degraded"] is None and said["version"] == \
        machine.version_of("llm-broker").partition("-")[0]
    machine.figures(memory_locked=said["memory_locked"])


def test_who_calls_is_known(system):
    """A broker of its own user sees no other user's program, but his user, and a unit of the system's."""
    uid = int(good("id", "-u", MEMBER))
    for user, expected in ((MEMBER, uid), ("root", 0)):
        assert llmb("whoami", "--json", user=user).json["peer"]["uid"] == expected
    peer = json.loads(good("systemd-run", "--quiet", "--pipe", "--wait", "--unit=reader", f"--uid={MEMBER}",
                           "--property=SupplementaryGroups=llm-broker", "llmb", "whoami", "--json"))["peer"]
    assert (peer["kind"], peer["name"], peer["uid"]) == ("service", "reader.service", uid), peer


def test_a_user_s_own_sees_which_program(system):
    peer = llmb("whoami", "--json", user=SECOND).json["peer"]
    assert (peer["kind"], peer["name"], peer["confidence"]) == ("host", "llmb", "proc"), peer
    program = login(SECOND, "python3", "-c", "import llmclient; print(llmclient.Client().chat('hi', model='offline/echo').text)")
    assert program.code == 0 and program.out.strip() == "hi", program
    assert "python3" in llmb("app", "list", user=SECOND).out


def test_tls_and_no_other_ca(system, provider):
    done = ask("by TLS", model="test/m")
    assert done.code == 0, done
    assert provider.wait_request().json["messages"][-1]["content"] == "by TLS"
    with machine.changed(lambda text: text.replace("ca.pem", "unknown.pem")):
        done = ask("by TLS", model="test/m")
        assert done.code == 7 and "certificate" in done.err, done


def test_a_key_that_is_a_credential(system, key, provider):
    path = machine.HERE / "handed-key"
    path.write_text(key)
    path.chmod(0o600)
    with machine.changed(lambda text: text.replace("auth = bearer", "auth = bearer\nkey_source = credential: handed-key"),
                         lambda text: text + f"[Service]\nLoadCredential=handed-key:{path}\n"):
        done = ask("whose key?", model="test/m")
        assert done.code == 0, done
        assert provider.wait_request().header("authorization") == [f"Bearer {key}"]
    path.unlink()


def test_what_is_kept_on_disk(system, provider):
    for ended_between in (False, True):
        if ended_between:
            systemctl("stop", "llm-broker.service")
        done = ask("--cache=on", "is it kept?", model="test/m")
        assert done.code == 0, done
    assert len(provider.requests()) == 1, "the second answer is the first one"
    stats = llmb("cache", "stats", user="root").out
    assert "disk" in stats, stats


def test_the_ledger(system):
    before = llmb("usage", "--json", user="root").json["total"]["requests"]
    assert ask("count me").code == 0
    assert llmb("usage", "--json", user="root").json["total"]["requests"] == before + 1
    systemctl("stop", "llm-broker.service")
    copy = shutil.copytree(machine.STATE, machine.HERE / "state")
    try:
        with sqlite3.connect(copy / "ledger.db") as ledger:
            assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows, = ledger.execute("SELECT count(*) FROM exchange").fetchone()
    finally:
        shutil.rmtree(copy)
    assert rows >= before + 1
    machine.figures(rows=rows)


def test_the_login_opens_a_user_s_own_vault(system, provider):
    """A program stands for secret-tool, and keeps what it is given in a file."""
    home = pathlib.Path(f"/home/{SECOND}")
    tools = home / "bin"
    tools.mkdir(exist_ok=True)
    for name, text in (("secret-tool", TOOL.format(home=home)), ("notify-send", '#!/bin/sh\necho "notify-send 0.8.1"\n')):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    assert llmb("key", "add", "openai", "--from-stdin", "--no-input", user=SECOND, input="sk-nothing\n").code == 0
    done = llmb("vault", "passphrase", "--drop-key-file", "--from-stdin", "--no-input", user=SECOND, input="correct horse\n")
    assert done.code == 0, done
    path = {"PATH": f"{tools}:/usr/bin:/bin"}
    done = login(SECOND, "llm-broker-agent", "--enroll", env=path)
    assert done.code == 0, done
    systemctl("restart", "llm-broker.service", user=SECOND)

    def state():
        return llmb("vault", "status", "--json", user=SECOND).json["state"]
    assert state() == "locked"
    agent = machine.start(*machine.in_login(SECOND, "llm-broker-agent", env=path))
    try:
        machine.wait_until(lambda: state() == "open", "the agent opens it")
    finally:
        for pid in [pid for pid, name in machine.ours().items() if name == "llm-broker-agent"]:
            os.kill(pid, signal.SIGTERM)
        agent.communicate(timeout=20 * machine.SLOWER)
    assert show("llm-broker.service", "ActiveState", SECOND) == "active"
