"""test_2_vault.py - does a credential of systemd's open the vault with nobody there, and where does a key turn up?"""

import os
import pathlib
import shutil

import canary
import machine
import pytest
from machine import ask, good, llmb, login, systemctl

CREDENTIAL = pathlib.Path("/etc/credstore.encrypted/llm-broker.vault-key")
OLD = CREDENTIAL.with_name(CREDENTIAL.name + ".old")
STORES = ("/etc", "/run", "/tmp", "/var/tmp", "/var/log", "/var/lib", "/home", "/root")


def vault():
    return llmb("vault", "status", "--json", user="root").json


def seal(secret):
    """What an administrator types, once: the unit looks there by itself."""
    CREDENTIAL.parent.mkdir(mode=0o700, exist_ok=True)
    good("systemd-creds", "encrypt", "--with-key=host", "--name=llm-broker.vault-key", "-", CREDENTIAL, input=secret)
    systemctl("stop", "llm-broker.service")


def test_a_sealed_credential_opens_the_vault(system, key, provider):
    seal(os.urandom(32).hex())
    for words in (("add", "credential"), ("remove", "key-file")):
        done = llmb("vault", *words, user="root")
        assert done.code == 0, done
    assert [slot["type"] for slot in llmb("vault", "slots", "--json", user="root").json["slots"]] == ["credential"]
    assert not (machine.STATE / "vault.key").exists()
    systemctl("stop", "llm-broker.service")
    done = ask("who opened it?", model="test/m")
    assert done.code == 0, done
    assert provider.wait_request().header("authorization") == [f"Bearer {key}"]
    assert vault()["state"] == "open"


def test_without_it_the_vault_stays_shut(system):
    away = CREDENTIAL.rename(machine.HERE / "credential")
    try:
        systemctl("stop", "llm-broker.service")
        done = ask("and now?", model="test/m")
        assert done.code == 5 and "credential" in done.err, done
        assert vault()["state"] != "open"
    finally:
        shutil.copy(away, CREDENTIAL)
        systemctl("stop", "llm-broker.service")
    assert vault()["state"] == "open"


def start_fails():
    done = machine.run("systemctl", "start", "llm-broker.service", seconds=60)
    assert done.code != 0, done
    machine.wait_until(lambda: machine.show("llm-broker.service", "ExecMainStatus") == "243", "systemd says CREDENTIALS")


def test_one_that_no_longer_decrypts_is_replaced(system, key, provider):
    """No service starts with it; the recovery code and a new one mend it, in the order of llm-brokerd(8)."""
    done = llmb("vault", "add", "recovery", user="root")
    assert done.code == 0, done
    code, whole = done.out.strip(), CREDENTIAL.read_bytes()
    at = len(whole) // 2
    try:
        systemctl("stop", "llm-broker.service")
        CREDENTIAL.write_bytes(whole[:at] + (b"B" if whole[at:at + 1] == b"A" else b"A") + whole[at + 1:])
        start_fails()
        CREDENTIAL.rename(OLD)
        seal(os.urandom(32).hex())
        systemctl("reset-failed", "llm-broker.service", "llm-broker.socket")
        systemctl("start", "llm-broker.socket")
        done = ask("is it open?", model="test/m")
        assert done.code == 5, done
        done = llmb("vault", "unlock", "--recovery", "--from-stdin", "--no-input", user="root", input=code + "\n")
        assert done.code == 0, done
        done = llmb("vault", "add", "credential", user="root")
        assert done.code == 0, done
    except BaseException:  # the others of this file need one that opens it
        CREDENTIAL.write_bytes(whole)
        machine.run("systemctl", "reset-failed", "llm-broker.service", "llm-broker.socket")
        machine.run("systemctl", "start", "llm-broker.socket")
        raise
    finally:
        OLD.unlink(missing_ok=True)
        systemctl("stop", "llm-broker.service")
    done = ask("who opened it now?", model="test/m")
    assert done.code == 0, done
    assert provider.wait_request().header("authorization") == [f"Bearer {key}"]
    assert llmb("vault", "remove", "recovery", "--yes", user="root").code == 0
    assert [slot["type"] for slot in llmb("vault", "slots", "--json", user="root").json["slots"]] == ["credential"]


def told_by_proc(pid):
    """{file: bytes} of all that /proc tells of a process, but for its memory itself."""
    told = {}
    for path in pathlib.Path(f"/proc/{pid}").rglob("*"):
        if path.name not in ("mem", "pagemap", "clear_refs", "kpagecount") and path.is_file() and not path.is_symlink() and \
                not {"fd", "map_files", "cwd", "root", "net"} & set(path.parts):
            try:
                told[str(path)] = path.read_bytes()
            except OSError:
                pass  # not even root's to read
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        told[str(link)] = os.readlink(link).encode()
    return told


def files():
    for top in STORES:
        for folder, _, names in os.walk(top):
            for name in names:
                path = pathlib.Path(folder, name)
                if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 28:
                    yield path


@pytest.fixture
def asked(system, provider):
    """A call that uses the key, under way until the provider goes on."""
    provider.script(hold="head")
    process = machine.start(*machine.in_login(machine.MEMBER, "llmb", "ask", "-m", "test/m", "hello"))
    provider.wait_held(timeout=30 * machine.SLOWER)
    yield process
    if process.poll() is None:
        provider.release()
        process.communicate(timeout=30 * machine.SLOWER)


def test_a_key_turns_up_nowhere(asked, key, provider):
    """While a call that uses it is under way, and behind it."""
    pids = machine.ours()
    assert set(pids.values()) == {"llm-brokerd", "llmb"}
    told = {}
    for pid in pids:
        told.update(told_by_proc(pid))
    daemon = f"/proc/{machine.main_pid()}"
    assert {f"{daemon}/{name}" for name in ("environ", "cmdline", "maps", "smaps", "status")} <= set(told)
    provider.release()
    _, err = asked.communicate(timeout=30 * machine.SLOWER)
    assert asked.returncode == 0, err
    told["the shown unit"] = good("systemctl", "show", "llm-broker.service").encode()
    told["the status of it"] = machine.run("systemctl", "status", "-l", "--no-pager", "llm-broker.service").out.encode()
    good("journalctl", "--sync")
    told["the journal"] = good("journalctl", "--all", "--output=export", seconds=60).encode()
    assert b"exchange.end" in told["the journal"]
    sought = canary.forms(key)
    places = [name for name, data in told.items() if any(form in data for form in sought)]
    read = 0
    for path in files():
        data = path.read_bytes()
        read += 1
        if any(form in data for form in sought):
            places.append(str(path))
    assert places == []
    assert (machine.STATE / "vault").exists() and read > 100
    machine.figures(looked_into=f"{len(told)} texts of /proc and systemd, {read} files")


def test_of_its_memory_only_what_is_closed_has_it(system, key, provider):
    """Once it was used."""
    with machine.changed(lambda text: text.replace("idle_exit = 2s", "idle_exit = 5m")):
        assert ask("hi", model="test/m").code == 0
        found = canary.regions_with(machine.main_pid(), key)
    assert [canary.described([one]) for one in found if not canary.is_shut(one[0])] == []


def test_nobody_else_may_read_the_state(system):
    for path in [machine.STATE, *machine.STATE.rglob("*")]:
        assert path.is_symlink() or path.stat().st_mode & 0o077 == 0, path
    done = login(machine.MEMBER, "cat", machine.STATE / "vault")
    assert done.code != 0 and "Permission denied" in done.err, done
