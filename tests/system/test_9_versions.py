"""test_9_versions.py - what becomes of calls and of what is kept when the packages are upgraded, downgraded, removed, purged?"""

import json
import os
import pathlib
import signal
import time

import machine
import pytest
from machine import MEMBER, SECOND, ask, good, llmb, run, show

DRAIN_SECONDS = 8  # of conftest.py
WORDS = [f"word{i}" for i in range(10)]
PACKAGE = "llm-broker"


def apt(*words, **more):
    return run("apt-get", "--yes", "--no-install-recommends", *words, seconds=120, **more)


def spent():
    return llmb("usage", "--json", user="root").json["total"]["requests"]


def files():
    """What SQLite has beside its file while that is open comes and goes."""
    return {path.name for path in machine.STATE.iterdir() if not path.name.endswith(("-shm", "-wal"))}


@pytest.fixture
def load():
    """Callers that ask without end; afterwards what they saw."""
    running = []

    def begin():
        for how in ("new", "kept"):
            running.append(machine.start("runuser", "-u", MEMBER, "--", "python3", machine.HERE / "tests/load.py", how))

    def end():
        seen = []
        while running:
            process = running.pop()
            for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGTERM)
            out, err = process.communicate(timeout=60 * machine.SLOWER)
            assert process.returncode == 0, (out, err)
            seen.append(json.loads(out))
        return seen
    begin.end = end
    yield begin
    for process in running:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_an_upgrade_under_load(system, provider, load):
    """Answers under way are told to their end, and nobody is turned away."""
    assert ask("hi").code == 0
    was, pid, rows = machine.version_of(PACKAGE), machine.main_pid(), spent()
    provider.script(answer={"text": " ".join(WORDS)}, delay_ms=300 * machine.SLOWER)
    stream = machine.start(*machine.in_login(MEMBER, "llmb", "ask", "-m", "test/m", "at length"))
    provider.wait_request(timeout=30 * machine.SLOWER)
    load()
    time.sleep(1)
    began = time.monotonic()
    done = apt("install", *machine.packages("next").values())
    took = time.monotonic() - began
    assert done.code == 0, done
    out, err = stream.communicate(timeout=60 * machine.SLOWER)
    assert stream.returncode == 0 and out.split() == WORDS, (out, err)
    assert ask("at last").code == 0
    time.sleep(1)
    seen = load.end()
    assert [each["failed"] for each in seen] == [[], []]
    assert all(each["calls"] > 10 for each in seen)
    now = machine.version_of(PACKAGE)
    assert now != was and llmb("status", "--json", user="root").json["version"] == now.partition("-")[0]
    assert machine.main_pid() not in (0, pid)
    assert show("llm-broker.socket", "NRefused") == "0"
    assert spent() >= rows + sum(each["calls"] for each in seen)
    machine.figures(upgrade=f"{was} to {now} in {took:.1f} s", calls=sum(each["calls"] for each in seen),
                    longest=f"{max(each['longest_s'] for each in seen)} s", failed=0)


def test_an_answer_without_end_has_the_time_that_the_configuration_says(system, provider):
    provider.script(hold=3)
    stream = machine.start(*machine.in_login(MEMBER, "llmb", "ask", "-m", "test/m", "without end"))
    provider.wait_held(timeout=30 * machine.SLOWER)
    began = time.monotonic()
    restart = machine.start("systemctl", "restart", "llm-broker.service")
    _, err = stream.communicate(timeout=60 * machine.SLOWER)
    took = time.monotonic() - began
    assert stream.returncode != 0 and err, "it is told that its answer is not whole"
    assert DRAIN_SECONDS - 0.5 <= took < DRAIN_SECONDS + 10 * machine.SLOWER
    restart.communicate(timeout=60 * machine.SLOWER)
    assert restart.returncode == 0
    assert ask("and then").code == 0
    machine.figures(drain=f"{took:.2f} s of {DRAIN_SECONDS} s")


def test_no_downgrade_by_mistake(system):
    was = machine.version_of(PACKAGE)
    done = apt("install", *machine.packages("now").values())
    assert done.code != 0 and "--allow-downgrades" in done.err + done.out, done
    assert machine.version_of(PACKAGE) == was and ask("hi").code == 0


def test_a_downgrade_that_is_wanted_keeps_everything(system, provider):
    rows = spent()
    done = apt("install", "--allow-downgrades", *machine.packages("now").values())
    assert done.code == 0, done
    assert llmb("status", "--json", user="root").json["version"] == machine.version_of(PACKAGE).partition("-")[0]
    assert spent() == rows
    assert ask("is the key there?", model="test/m").code == 0
    assert llmb("doctor", user="root").code == 0


def test_remove_keeps_what_there_is(system, provider):
    assert ask("hi", model="test/m").code == 0
    kept = files()
    done = apt("remove", PACKAGE)
    assert done.code == 0, done
    assert show("llm-broker.socket", "ActiveState") == "inactive"
    assert ask("is anybody there?").code == 4
    assert {"vault", "ledger.db", "journal", "audit.log"} <= kept == files()
    assert pathlib.Path("/etc/llm-broker/broker.conf").exists()
    assert not [pid for pid, name in machine.ours().items() if name == "llm-brokerd" and os.stat(f"/proc/{pid}").st_uid < 1000]
    done = apt("install", machine.packages("now")[PACKAGE])
    assert done.code == 0, done
    assert show("llm-broker.socket", "ActiveState") == "active"
    assert ask("is the key there?", model="test/m").code == 0


def test_purge_deletes_it_and_says_what(system):
    own = pathlib.Path(f"/home/{SECOND}/.local/state/llm-broker/vault")
    assert own.exists()
    machine.CONFIG.unlink()
    done = apt("purge", *machine.packages("now"))
    assert done.code == 0, done
    print(done.out[done.out.find("Purging"):], flush=True)
    assert not machine.STATE.exists() and "/var/lib/llm-broker" in done.out and "vault" in done.out
    assert not os.path.exists("/etc/llm-broker") and not os.path.exists("/run/llm-broker")
    assert own.exists(), "what is a user's is his"
    good("getent", "passwd", "_llm-broker")
    assert good("dpkg", "--audit") == ""
    assert run("sh", "-c", "systemctl list-unit-files | grep llm-broker | grep -v check").out == ""
    assert run("systemctl", "--failed", "--no-legend", "--plain").out == ""


def test_installed_anew_its_vault_opens_by_the_credential_alone():
    """It was sealed before there was a vault, as the configuration says it."""
    done = apt("install", *(machine.packages("now")[name] for name in (PACKAGE, "llmb", "libllmclient1")))
    assert done.code == 0, done
    assert llmb("vault", "status", "--json", user="root").json["state"] == "absent"
    done = llmb("key", "add", "openai", "--from-stdin", "--no-input", user="root", input="sk-nothing\n")
    assert done.code == 0, done
    assert [slot["type"] for slot in llmb("vault", "slots", "--json", user="root").json["slots"]] == ["credential"]
    machine.systemctl("restart", "llm-broker.service")
    assert llmb("vault", "status", "--json", user="root").json["state"] == "open"
    assert apt("purge", PACKAGE, "llmb", "libllmclient1").code == 0
    assert not machine.STATE.exists()
