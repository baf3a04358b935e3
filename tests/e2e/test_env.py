"""test_env.py - does `llmb env` lead a shell's programs to the bridge, in that shell's own words?"""

import json
import os
import re
import shutil
import socket
import subprocess

import bridged
import harness
import pytest
from programs import needs

PORT = "127.0.0.1:9"  # nobody listens there
ODD = "it's a \\ \"$HOME\" `id` !!"
KEYS = {"OPENAI_API_KEY": "sk-real", "ANTHROPIC_API_KEY": "sk-ant-real", "GOOGLE_API_KEY": "AIza-real",
        "XAI_API_KEY": "xai-real", "CLAUDE_CODE_USE_BEDROCK": "1"}


@pytest.fixture
def made():
    made = harness.Broker()  # none is needed
    yield made
    made.close()


def env(made, *args, **more):
    done = made.llmb("env", *args, env=more)
    assert done.code == 0, done
    return done


def as_json(made, *args, **more):
    return json.loads(env(made, "--shell", "json", *args, **more).out)


def test_what_is_set(made):
    said = as_json(made, "--bridge", PORT)
    assert {name: value for name, value in said.items() if value is not None} == {
        "OPENAI_BASE_URL": f"http://{PORT}/v1", "OPENAI_API_BASE": f"http://{PORT}/v1",
        "OPENAI_API_BASE_URL": f"http://{PORT}/v1", "OPENAI_API_BASE_URLS": f"http://{PORT}/v1",
        "OPENAI_API_KEY": "llm-broker", "OPENAI_API_KEYS": "llm-broker",
        "ANTHROPIC_BASE_URL": f"http://{PORT}", "ANTHROPIC_AUTH_TOKEN": "llm-broker",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "GOOGLE_GEMINI_BASE_URL": f"http://{PORT}", "GEMINI_API_KEY": "llm-broker",
        "COPILOT_OFFLINE": "true", "COPILOT_PROVIDER_TYPE": "openai", "COPILOT_PROVIDER_BASE_URL": f"http://{PORT}/v1",
        "COPILOT_PROVIDER_API_KEY": "llm-broker", "COPILOT_MODEL": "default", "LLM_BROKER_API_KEY": "llm-broker"}
    for name in KEYS:
        assert said[name] == ("llm-broker" if name == "OPENAI_API_KEY" else None)
    assert as_json(made, "--bridge", PORT, "--json") == said


def test_a_model_and_a_socket(made):
    said = as_json(made, "--bridge", f"http://{PORT}/", "--bridge", "unix:/run/x/http", "-m", ODD)
    assert said["OPENAI_BASE_URL"] == f"http://{PORT}/v1" and said["ANTHROPIC_UNIX_SOCKET"] == "/run/x/http"
    assert {said[name] for name in ("ANTHROPIC_MODEL", "GEMINI_MODEL", "COPILOT_MODEL")} == {ODD}
    assert "ANTHROPIC_MODEL" not in as_json(made, "--bridge", PORT)
    only = as_json(made, "--bridge", "unix:/run/x/http")
    assert only["ANTHROPIC_BASE_URL"] == "http://localhost" and only["OPENAI_BASE_URL"] is None


@pytest.mark.parametrize("address", ["", "8411", "10.0.0.1:8411", "[::2]:8411", "127.0.0.1:0", "127.0.0.1:65536",
                                     "example.com:80", "unix:", "unix:x", "[", "[::1", "http://", ":", "127.0.0.1:1/v1"])
def test_what_is_no_address(made, address):
    done = made.llmb("env", "--bridge", address)
    assert done.code == 2 and "an address of this host" in done.err and done.out == "", done


@pytest.mark.parametrize("address", ["[::1]:8411", "127.0.0.7:1", "localhost:65535"])
def test_what_is_an_address(made, address):
    assert as_json(made, "--bridge", address)["ANTHROPIC_BASE_URL"] == f"http://{address}"


SHELLS = {"sh": ["sh", "-c"], "bash": ["bash", "-c"], "zsh": ["zsh", "-fc"], "fish": ["fish", "--no-config", "-c"],
          "csh": ["csh", "-fc"], "tcsh": ["tcsh", "-fc"]}
EVAL = {"fish": "{} | source; env", "csh": "eval `{}`; env", "tcsh": "eval `{}`; env"}


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize("quoted", [True, False])
def test_a_shell_takes_it(made, name, quoted):
    """Whatever is in a value; also where the shell makes one line of what was printed."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not here")
    model = ODD if quoted else "it's"  # words are made of what no quotes hold together
    command = f"'{harness.program('llmb')}' env -q --shell {name} --bridge {PORT} -m \"$MODEL\""
    line = EVAL.get(name, 'eval "$({})"; env' if quoted else "eval $({}); env").format(command)
    done = subprocess.run([*SHELLS[name], line], env={**made.env, **KEYS, "MODEL": model}, capture_output=True, text=True,
                          timeout=harness.CALL_SECONDS)
    assert done.returncode == 0 and not done.stderr, done
    got = dict(one.split("=", 1) for one in done.stdout.splitlines() if "=" in one)
    want = as_json(made, "--bridge", PORT, "-m", model)
    assert {one: got.get(one) for one in want} == want


@pytest.mark.parametrize("shell, says", [("/usr/bin/fish", "set -gx "), ("/bin/tcsh", "setenv "), ("/bin/zsh", "export "),
                                         ("/bin/odd", "export "), ("", "export ")])
def test_the_shell_is_the_user_s(made, shell, says):
    assert env(made, SHELL=shell).out.startswith(says)


def test_no_such_shell(made):
    done = made.llmb("env", "--shell", "cmd.exe")
    assert done.code == 2 and "sh, fish, csh or json" in done.err, done


def test_quoting_of_shells_that_may_not_be_here(made):
    fish = env(made, "--shell", "fish", "-m", ODD).out
    assert "set -gx COPILOT_MODEL 'it\\'s a \\\\ \"$HOME\" `id` !!';\n" in fish and "; or set -eg XAI_API_KEY;\n" in fish
    csh = env(made, "--shell", "csh", "-m", ODD).out
    assert "setenv COPILOT_MODEL 'it'\\''s a \\ \"$HOME\" `id` \\!\\!';\n" in csh and "unsetenv XAI_API_KEY;\n" in csh
    assert "setenv COPILOT_MODEL 'a\\\nb';\n" in env(made, "--shell", "csh", "-m", "a\nb").out


@needs("fish")
def test_what_fish_keeps_for_good_is_kept(made):
    """A universal variable is the user's in all sessions: it is hidden here, and there again in the next one."""
    def fish(*lines):
        done = subprocess.run(["fish", "-c", "; ".join(lines)], env=made.env, capture_output=True, text=True,
                              timeout=harness.CALL_SECONDS)
        assert not done.stderr, done
        return done.stdout
    fish("set -Ux XAI_API_KEY xai-real")
    assert "XAI_API_KEY=xai-real" in fish("env")
    ours = f"'{harness.program('llmb')}' env -q --shell fish --bridge {PORT} | source"
    for lines in ((ours, "env"), (ours, ours, "sh -c env")):
        assert "XAI_API_KEY=\n" in fish(*lines) and "MISTRAL_API_KEY" not in fish("set -gx MISTRAL_API_KEY x", *lines)
    assert "XAI_API_KEY=xai-real" in fish("env")


def test_a_proxy_is_told_of_the_loopback(made):
    assert "NO_PROXY" not in as_json(made)
    said = as_json(made, HTTPS_PROXY="http://proxy:3128", no_proxy="corp.test")
    assert said["NO_PROXY"] == "127.0.0.1,localhost,::1" and said["no_proxy"] == "corp.test,127.0.0.1,localhost,::1"
    said = as_json(made, HTTPS_PROXY="http://proxy:3128", no_proxy="*", NO_PROXY="x,127.0.0.1")
    assert "NO_PROXY" not in said and "no_proxy" not in said


def test_the_doctor_takes_none_of_it_for_a_key(made):
    def keys(**more):
        report = json.loads(made.llmb("doctor", "--json", env=more).out)
        return [one["status"] for one in report["checks"] if one["name"] == "keys"]
    ours = {name: value for name, value in as_json(made).items() if value is not None}
    assert keys(**ours) == keys(OPENAI_API_KEY="llmb_" + "0" * 64) == ["ok"]
    assert keys(**{**ours, "OPENAI_API_KEY": "sk-real"}) == ["warn"]


# ---- who listens ----

def test_nobody_listens(made):
    done = env(made, "--bridge", PORT)
    assert f"no bridge listens at http://{PORT}" in done.err and "run `llm-broker-bridge`" in done.err, done
    assert env(made, "--bridge", PORT, "-q").err == ""


def test_a_bridge_listens(broker):
    made = broker()
    with bridged.Bridge(made, "--listen", "127.0.0.1:0", "--listen", f"unix:{made.folder}/http") as bridge:
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d+", bridge.addresses[0]), bridge.addresses
        assert bridge.addresses[1] == f"unix:{made.folder}/http"
        for address in bridge.addresses:
            assert env(made, "--bridge", address).err == ""


def test_the_usual_socket_is_named_where_somebody_listens(broker):
    made = broker()
    folder = made.home / "run" / "llm-broker"
    folder.mkdir(mode=0o700)
    assert as_json(made)["ANTHROPIC_UNIX_SOCKET"] is None
    with bridged.Bridge(made, "--listen", f"unix:{folder}/http"):
        assert as_json(made)["ANTHROPIC_UNIX_SOCKET"] == f"{folder}/http"
    assert as_json(made)["ANTHROPIC_UNIX_SOCKET"] is None


def test_what_listens_is_no_bridge(made):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        done = env(made, "--bridge", f"127.0.0.1:{mute.getsockname()[1]}")
        assert "no bridge listens" in done.err, done


def test_another_user_s_port_is_told_of(made):
    if os.geteuid() != 0:
        pytest.skip("root alone can be somebody else")
    code = ("import os, socket, sys; os.setuid(65534); s = socket.create_server(('127.0.0.1', 0)); "
            "print(s.getsockname()[1], flush=True); sys.stdin.read()")
    with subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        try:
            done = env(made, "--bridge", f"127.0.0.1:{int(other.stdout.readline())}")
        finally:
            other.stdin.close()
    assert "another user listens" in done.err, done
