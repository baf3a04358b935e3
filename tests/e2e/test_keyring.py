"""test_keyring.py - does the desktop's login open the vault, by the agent and the Secret Service?

A program stands for secret-tool, and keeps what it is given in a file."""

import json
import pathlib
import subprocess

import harness
import pytest

KEY = "sk-test-0123456789abcdef"
TOOL = """#!/bin/sh
case "$1" in
store) cat >{folder}/code; echo "$@" >>{folder}/calls ;;
lookup) [ -e {folder}/code ] && cat {folder}/code ;;
*) exit 2 ;;
esac
"""


@pytest.fixture
def desk(tmp_path):
    tool = tmp_path / "secret-tool"
    tool.write_text(TOOL.format(folder=tmp_path))
    tool.chmod(0o755)
    notify = tmp_path / "notify-send"
    notify.write_text('#!/bin/sh\necho "notify-send 0.8.1"\n')
    notify.chmod(0o755)
    return tmp_path


@pytest.fixture
def made(broker, provider):
    """A vault that a passphrase alone opens."""
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", KEY)
    done = made.llmb("vault", "passphrase", "--drop-key-file", "--from-stdin", "--no-input", input="correct horse\n")
    assert done.code == 0, done
    return made


def agent_env(made, desk):
    return {**made.env, "LLM_BROKER_SOCKET": str(made.socket), "PATH": f"{desk}:{made.env['PATH']}"}


def enroll(made, desk):
    return subprocess.run([harness.program("llm-broker-agent"), "--enroll"], env=agent_env(made, desk),
                          capture_output=True, text=True, timeout=harness.CALL_SECONDS)


def state(made):
    return json.loads(made.llmb("vault", "status", "--json").out)["state"]


def test_the_login_opens_it(made, desk):
    done = enroll(made, desk)
    assert done.returncode == 0 and "opens with your login" in done.stderr, done
    code = (desk / "code").read_text()
    assert len(code) == 64 and code not in done.stderr and code not in (desk / "calls").read_text()
    made.restart()
    assert state(made) == "locked"
    agent = subprocess.Popen([harness.program("llm-broker-agent")], env=agent_env(made, desk), start_new_session=True)
    try:
        harness.wait_until(lambda: state(made) == "open", 10, "it is opened")
        assert made.llmb("vault", "lock").code == 0
        harness.wait_until(lambda: "llm-broker-agent" in made.llmb("app", "list").out, 5, "it is there")
        assert state(made) == "locked", "who locks it wants it locked"
    finally:
        harness.kill_group(agent)
    assert code.encode() not in b"".join(path.read_bytes() for path in made.state_dir.rglob("*") if path.is_file())


def test_a_keyring_that_keeps_nothing_changes_nothing(made, desk):
    (desk / "secret-tool").write_text("#!/bin/sh\nexit 1\n")
    done = enroll(made, desk)
    assert done.returncode == 1 and "keeps nothing" in done.stderr, done
    slots = json.loads(made.llmb("vault", "slots", "--json").out)["slots"]
    assert [slot["type"] for slot in slots] == ["passphrase"], slots


def test_a_code_of_another_vault_opens_nothing(made, desk):
    (desk / "code").write_text("0" * 64)
    made.restart()
    agent = subprocess.Popen([harness.program("llm-broker-agent")], env=agent_env(made, desk),
                             stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert "does not open the vault" in agent.stderr.readline()
        assert state(made) == "locked"
    finally:
        harness.kill_group(agent)


def test_a_locked_vault_is_given_no_slot(made, desk):
    made.restart()
    done = enroll(made, desk)
    assert done.returncode == 1 and "locked" in done.stderr, done
    assert not pathlib.Path(desk / "code").exists()
