"""test_sources.py - do keys that live in another manager serve as those of the vault do?"""

import json
import os
import pathlib
import signal
import subprocess
import time

import harness
import pytest
from canary import canary, hits, may_read_memory, memory_of


def section(provider, source, **more):
    return harness.provider_section(provider, model="m", key_source=source, **more)


def sent(provider):
    return [seen.header("authorization")[0].removeprefix("Bearer ") for seen in provider.requests()]


def refuse(provider, times=1):
    provider.script(status=401, times=times, body={"error": {
        "message": "Incorrect API key provided", "type": "invalid_request_error"}})


def ask(made):
    return made.llmb("ask", "-m", "test/m", "3 words")


def helper_of(made):
    """The process that minds the one that runs commands; None: there is none."""
    return named_child(made.pid, "llm-key-helper")


def listener_of(minder):
    return named_child(minder, "llm-key-listen")


def named_child(parent, wanted):
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name, rest = (folder / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if name == wanted and int(rest.split()[1]) == parent:
            return int(folder.name)
    return None


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("sk-of-a-file\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def script(tmp_path):
    """A command that notes each run, and prints what is in `said`."""
    (tmp_path / "said").write_text("sk-of-a-command\n")
    path = tmp_path / "manager"
    path.write_text(f"#!/bin/sh\necho \"$@\" >>{tmp_path}/runs\ncat {tmp_path}/said\n")
    path.chmod(0o755)
    return path


def runs(script):
    path = script.parent / "runs"
    return path.read_text().splitlines() if path.exists() else []


def test_a_file(broker, provider, key_file):
    made = broker(section(provider, f"file: {key_file}"))
    assert ask(made).code == 0
    assert sent(provider) == ["sk-of-a-file"]
    key_file.write_text("sk-of-another\n")
    assert ask(made).code == 0
    assert sent(provider)[1:] == ["sk-of-a-file"], "it is kept"
    refuse(provider)
    assert ask(made).code == 0
    assert sent(provider)[2:] == ["sk-of-a-file", "sk-of-another"], "and read anew"
    key_file.chmod(0o644)
    assert made.llmb("vault", "lock").code == 0
    failed = ask(made)
    assert failed.code == 5 and "chmod 600" in failed.err and "key_source" in failed.err
    assert helper_of(made) is None, "nobody needs one"


def test_a_command(broker, provider, script):
    made = broker(section(provider, f"command: {script} show 'open ai' $HOME"))
    assert ask(made).code == 0 and ask(made).code == 0
    assert sent(provider) == ["sk-of-a-command"] * 2
    assert runs(script) == ["show open ai $HOME"], "once, and by no shell"
    tested = made.llmb("key", "test", "test")
    assert tested.code == 0, tested.err
    listed = made.llmb("key", "list")
    head, row = listed.out.splitlines()
    assert head.split("  ")[0] == "PROVIDER" and head.endswith("KEPT IN")
    assert row.startswith("test ") and f"command: {script} show" in row and "sk-of" not in row
    assert row.index("command:") == head.index("KEPT IN")
    (key,) = json.loads(made.llmb("key", "list", "--json").out)["keys"]
    assert key["provider"] == "test" and key["read_s"] > 0 and "fingerprint" not in key
    made.reload()
    made.wait_log("config.loaded")
    assert ask(made).code == 0
    assert len(runs(script)) == 2, "a reload forgets it"
    assert made.llmb("vault", "lock").code == 0
    assert ask(made).code == 0
    assert len(runs(script)) == 3, "and so does a lock"
    assert "sk-of" not in made.log()


def test_a_command_that_fails(broker, provider, script):
    script.write_text("#!/bin/sh\necho 'gpg: decryption failed' >&2\nexit 2\n")
    made = broker(section(provider, f"command: {script}"))
    done = ask(made)
    assert done.code == 5 and "status 2: gpg: decryption failed" in done.err, done.err
    assert provider.requests() == []
    script.write_text("#!/bin/sh\necho sk-mended\n")
    assert ask(made).code == 0
    assert sent(provider) == ["sk-mended"]


def test_a_command_that_fails_is_not_run_by_every_call(broker, provider, script):
    """The key rests after the third time, for a second on a host of one's own, and then for longer."""
    path = script.parent / "runs"
    script.write_text(f"#!/bin/sh\necho x >>{path}\nsleep 0.1\nexit 2\n")
    made = broker(section(provider, f"command: {script}") + harness.provider_section(provider, "other", model="m") +
                  harness.section("model", "either", {"target": ["test/m", "other/m"]}))
    made.add_key("other", "sk-of-the-vault")
    began = time.monotonic()
    for _ in range(12):
        assert made.llmb("ask", "-m", "either", "3 words").code == 0
    seconds = time.monotonic() - began
    assert sent(provider) == ["sk-of-the-vault"] * 12
    assert 3 <= len(runs(script)) <= 4 + seconds, "whoever asks when a second is over tries again"
    assert len(runs(script)) < 12 or seconds > 8
    resting = json.loads(made.llmb("status", "--json").out)["targets"]
    (one,) = [t for t in resting if t["provider"] == "test"]
    assert (one["key"], one["class"]) == ("", "no_key") and "model" not in one


def test_many_calls_wait_for_one_reading(broker, provider, script):
    script.write_text(f"#!/bin/sh\necho x >>{script.parent}/runs\nsleep 1\necho sk-slow\n")
    made = broker(section(provider, f"command: {script}"))
    began = time.monotonic()
    calls = [made.llmb_start("ask", "-m", "test/m", "3 words") for _ in range(5)]
    assert made.llmb("ask", "-m", "offline/echo", "hi").code == 0
    assert time.monotonic() - began < 1, "nobody else waits"
    for call in calls:
        assert call.finish().code == 0
    assert len(runs(script)) == 1
    assert sent(provider) == ["sk-slow"] * 5


def test_a_refresh(broker, provider, script):
    made = broker(section(provider, f"command: {script}", key_refresh="1s"))
    assert ask(made).code == 0
    (script.parent / "said").write_text("sk-newer\n")
    time.sleep(1.1)
    assert ask(made).code == 0

    def is_new():
        assert ask(made).code == 0
        return sent(provider)[-1] == "sk-newer"
    harness.wait_until(is_new, 5, lambda: "the new key")


def test_the_helper_dies_and_another_one_serves(broker, provider, script):
    """Its parent, which is not confined, starts another."""
    made = broker(section(provider, f"command: {script}"))
    assert ask(made).code == 0
    minder = helper_of(made)
    first = listener_of(minder)
    assert minder and first
    environment = pathlib.Path(f"/proc/{first}/environ").read_bytes()
    assert b"XDG" not in environment
    os.kill(first, signal.SIGKILL)
    harness.wait_until(lambda: listener_of(minder) not in (None, first), 5, "another one")
    assert made.llmb("vault", "lock").code == 0
    assert ask(made).code == 0
    made.stop()
    assert not pathlib.Path(f"/proc/{minder}").exists()


def test_both_of_them_die_and_the_broker_says_what_to_do(broker, provider, script):
    """It is confined, and can start no process any more."""
    made = broker(section(provider, f"command: {script}"))
    os.kill(harness.wait_until(lambda: helper_of(made), 5, "it is there"), signal.SIGKILL)
    made.wait_log("helper.died")
    made.llmb("vault", "lock")
    done = ask(made)
    if json.loads(made.llmb("status", "--json").out)["confined"]:
        assert done.code == 5 and "restart the broker" in done.err, done
        made.restart()
    assert ask(made).code == 0


def test_the_helper_dies_with_a_broker_that_is_killed(broker, provider, tmp_path):
    made = broker(section(provider, "command: /bin/sleep 60"))
    waiting = made.llmb_start("ask", "-m", "test/m", "hi")
    harness.wait_until(lambda: helper_of(made), 5, lambda: "a helper")
    helper = helper_of(made)
    time.sleep(0.3)
    made.kill9()
    harness.wait_until(lambda: not pathlib.Path(f"/proc/{helper}").exists(), 5, lambda: "its end")
    harness.wait_until(lambda: harness.leftovers() in ([], [waiting.pid]), 5, harness.leftovers)
    waiting.kill()


def test_a_credential(broker, provider, tmp_path):
    (tmp_path / "openai-key").write_text("sk-of-systemd\n")
    (tmp_path / "openai-key").chmod(0o400)
    made = broker(section(provider, "credential: openai-key"),
                  env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert ask(made).code == 0
    assert sent(provider) == ["sk-of-systemd"]
    made.stop()
    del made.env["CREDENTIALS_DIRECTORY"]
    made.start()
    done = ask(made)
    assert done.code == 5 and "LoadCredential" in done.err


def test_it_serves_as_the_default_and_without_a_vault(broker, provider, key_file):
    made = broker(section(provider, f"file: {key_file}"))
    assert made.llmb("ask", "3 words").code == 0
    assert sent(provider) == ["sk-of-a-file"]
    assert not (made.state_dir / "vault").exists()
    added = made.llmb("key", "add", "test", "--from-stdin", "--no-input", input="sk-other\n")
    assert added.code != 0 and "key_source" in added.err
    made.add_key("test/work", "sk-of-the-vault")
    assert made.llmb("key", "test", "test/work").code == 0
    assert sent(provider)[-1] == "sk-of-the-vault"


def test_a_label_is_chosen(broker, provider):
    made = broker(harness.provider_section(provider, model="m", key_label="work"))
    made.add_key("test", "sk-plain")
    assert ask(made).code == 5
    made.add_key("test/work", "sk-work")
    assert ask(made).code == 0
    assert sent(provider) == ["sk-work"]


@pytest.mark.parametrize("source, word", [
    ("command: pass show x", "absolute"), ("command: /bin/x 'y", "not closed"),
    ("file: key", "slash"), ("credential: ../x", "name"), ("sk-my-key", "llmb key add")])
def test_what_is_no_source(broker, provider, source, word):
    made = broker(section(provider, source), run=False)
    done = subprocess.run([harness.program("llm-brokerd"), "--check", "--config", made.config_file],
                          capture_output=True, text=True)
    assert done.returncode != 0 and word in done.stderr, done


@pytest.mark.skipif(not may_read_memory(), reason="another process's memory is root's to read")
@pytest.mark.parametrize("kind", ["command", "file"])
def test_after_locking_nobody_has_it(broker, provider, tmp_path, kind):
    key = canary()
    (tmp_path / "key").write_text(key + "\n")
    (tmp_path / "key").chmod(0o600)
    path = tmp_path / "key"
    made = broker(section(provider, f"command: /bin/cat {path}" if kind == "command" else
                          f"file: {path}"))
    assert ask(made).code == 0
    refuse(provider)
    assert ask(made).code == 0
    assert sent(provider) == [key] * 3
    assert made.llmb("vault", "lock").code == 0
    processes = [pid for pid in (made.pid, helper_of(made)) if pid]
    assert len(processes) == (2 if kind == "command" else 1)
    found = [form for pid in processes for part in memory_of(pid) for form in hits(part.data, key)]
    assert found == []
    for file in made.folder.rglob("*"):
        assert not file.is_file() or not hits(file.read_bytes(), key), file
