"""test_run_http.py - is a program that llmb starts led to the broker by HTTP, and past nobody?"""

import json
import os
import pathlib
import re
import signal
import stat
import subprocess

import bridged
import harness
import pytest
from surfaces import FAMILIES
from test_identity import needs_bwrap
from test_policy import KEY, PROFILE, llmb, started
from test_run import SMALL, Terminal, folders, seen_as

CHAT = FAMILIES["chat"]
REAL = {"OPENAI_API_KEY": "sk-real", "OPENAI_BASE_URL": "https://api.openai.test/v1", "OPENAI_API_BASE": "https://x.test",
        "OPENAI_ORG_ID": "org-real", "ANTHROPIC_API_KEY": "sk-ant-real", "ANTHROPIC_CUSTOM_HEADERS": "x-api-key: sk-ant-real",
        "CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-real", "GOOGLE_API_KEY": "AIza-real",
        "GEMINI_API_KEY": "AIza-real", "XAI_API_KEY": "xai-real", "GROQ_API_KEY": "gsk-real",
        "VOYAGE_API_KEY": "pa-real", "MOONSHOT_API_KEY": "sk-moon-real", "ZAI_API_KEY": "zai-real"}

PRINT = """#!/usr/bin/python3
import json, os, sys
home = os.environ.get("GEMINI_CLI_HOME")
print(json.dumps({"args": sys.argv[1:], "env": dict(os.environ),
                  "settings": open(home + "/.gemini/settings.json").read() if home else None}))
"""

# as OpenAI's library does it, over what the variables say
CALL = """
import json, os, urllib.request
body = {"model": "MODEL", "messages": [{"role": "user", "content": "hello there"}]}
ask = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(),
                             {"content-type": "application/json", "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
try:
    print(json.load(urllib.request.urlopen(ask))["choices"][0]["message"]["content"])
except urllib.error.HTTPError as no:
    print(no.code, json.load(no)["error"]["message"])
"""


def call(model="offline/echo"):
    return ["/usr/bin/python3", "-c", "import urllib.error" + CALL.replace("MODEL", model)]


def tool(made, name, text=PRINT):
    path = made.folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def outfit(made, name, *args, options=(), env=None):
    """What a program of that name gets."""
    done = made.llmb("run", *options, "--", tool(made, name), *args, env=env)
    assert done.code == 0 and done.err == "", done
    return json.loads(done.out)


def bridges():
    return [pid for pid in harness.leftovers()
            if pathlib.Path(f"/proc/{pid}/comm").read_text() == "llm-broker-brid\n"]


def gone(made):
    assert folders(made) == [] and bridges() == []


# ---- what it gets ----

def test_a_program_calls_by_what_its_environment_says(broker, provider):
    made = started(broker, provider)
    done = llmb(made, "run", "--", *call())
    assert done.code == 0 and "hello there" in done.out and done.err == "", done
    gone(made)


def test_nothing_leads_past_the_broker(broker):
    made = broker()
    got = outfit(made, "thing", "a b", "", "--", "-x", env=REAL)
    assert got["args"] == ["a b", "", "--", "-x"]
    for name in REAL:
        assert "real" not in got["env"].get(name, "") and ".test" not in got["env"].get(name, ""), name
    base = got["env"]["ANTHROPIC_BASE_URL"]
    assert base.startswith("http://127.0.0.1:") and got["env"]["OPENAI_BASE_URL"] == base + "/v1"
    assert got["env"]["GOOGLE_GEMINI_BASE_URL"] == base and got["env"]["ANTHROPIC_UNIX_SOCKET"].endswith("/http")
    assert got["env"]["ANTHROPIC_API_KEY"] == got["env"]["ANTHROPIC_AUTH_TOKEN"] == got["env"]["OPENAI_API_KEY"] != ""
    assert "ANTHROPIC_API_KEY" not in outfit(made, "claude", env=REAL)["env"]
    assert got["env"]["LLM_BROKER_FD"] and got["env"]["LLM_BROKER_SOCKET"] != str(made.socket)
    gone(made)


def test_without_http_its_environment_is_its_own(broker):
    made = broker()
    got = outfit(made, "codex", "exec", options=["--no-http"], env=REAL)
    assert {name: got["env"].get(name) for name in REAL} == REAL and got["args"] == ["exec"]
    assert "LLM_BROKER_FD" in got["env"]


@pytest.mark.parametrize("args, head", [(["exec", "hi"], 1), (["e", "-c", "x=1"], 1), (["hi"], 0), ([], 0), (["resume", "exec"], 0)])
def test_codex_is_told_by_options(broker, args, head):
    made = broker()
    got = outfit(made, "codex", *args, options=["-m", 'odd"model'])
    base = got["env"]["OPENAI_BASE_URL"]
    told = ["-c", 'model_provider="llm-broker"', "-c",
            f'model_providers.llm-broker={{name="llm-broker",base_url="{base}",wire_api="responses",'
            'env_key="LLM_BROKER_API_KEY"}', "-c", 'model="odd\\"model"']
    assert got["args"] == args[:head] + told + args[head:]
    assert got["env"]["LLM_BROKER_API_KEY"]
    plain = outfit(made, "codex", *args)["args"]
    assert "model=" not in " ".join(plain) and plain[head + 4:] == args[head:]


def test_gemini_is_told_by_settings(broker):
    made = broker()
    got = outfit(made, "gemini")
    assert json.loads(got["settings"]) == {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    assert got["env"]["GEMINI_CLI_TRUST_WORKSPACE"] == "true"
    assert not (made.home / ".gemini").exists()
    gone(made)


def test_gemini_s_home_is_the_user_s_but_for_that(broker):
    made = broker()
    own = made.home / ".gemini"
    (own / "tmp").mkdir(parents=True)
    (own / "GEMINI.md").write_text("mine")
    text = '{\n  // mine\n  "security": {"auth": {"selectedType": "oauth-personal"}},\n  "ui": {"theme": "x"},\n}\n'
    (own / "settings.json").write_text(text)
    script = ('#!/bin/sh\ncd "$GEMINI_CLI_HOME/.gemini"\necho kept >tmp/new\necho lost >settings.json.new\nmkdir made\n'
              'cat GEMINI.md settings.json\n')
    done = made.llmb("run", "--", tool(made, "gemini", script))
    assert done.out == "mine" + text.replace("oauth-personal", "gemini-api-key"), done
    assert (own / "settings.json").read_text() == text and (own / "tmp" / "new").read_text() == "kept\n"
    assert sorted(one.name for one in own.iterdir()) == ["GEMINI.md", "settings.json", "tmp"]
    gone(made)


def test_gemini_s_home_is_the_user_s_where_it_says_so_already(broker):
    made = broker()
    own = made.folder / "elsewhere" / ".gemini"
    own.mkdir(parents=True)
    (own / "settings.json").write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}')
    home = {"GEMINI_CLI_HOME": str(own.parent)}
    assert outfit(made, "gemini", env=home)["env"]["GEMINI_CLI_HOME"] == str(own.parent)
    for text in ("{", '{"security": 1}'):
        (own / "settings.json").write_text(text)
        done = made.llmb("run", "--", tool(made, "gemini"), env=home)
        assert done.code == 1 and done.out == "" and "cannot make settings" in done.err, done
        gone(made)


def test_opencode_is_told_by_settings(broker):
    made = broker()
    got = outfit(made, "opencode", options=["-m", "offline/echo"])
    said = json.loads(got["env"]["OPENCODE_CONFIG_CONTENT"])
    assert said["model"] == "llm-broker/offline/echo"
    assert said["provider"]["llm-broker"]["options"]["baseURL"] == got["env"]["OPENAI_BASE_URL"]
    assert said["provider"]["llm-broker"]["models"] == {"offline/echo": {}}
    assert outfit(made, "opencode", env={"OPENCODE_CONFIG_CONTENT": "{}"})["env"]["OPENCODE_CONFIG_CONTENT"] == "{}"


def test_models_are_told_by_variables(broker):
    made = broker()
    got = outfit(made, "claude", options=["-m", "offline/echo"])["env"]
    assert got["ANTHROPIC_MODEL"] == got["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == got["COPILOT_MODEL"] == "offline/echo"
    assert "ANTHROPIC_MODEL" not in outfit(made, "claude")["env"]


# ---- who it is ----

def test_a_profile_holds_by_http_too(broker, provider):
    """Its bridge calls on its own socket: what it may not do there it may not do here."""
    made = started(broker, provider, SMALL)
    done = llmb(made, "run", "--profile", "small", "--name", "one", "--", *call())
    assert done.code == 0 and "hello there" in done.out, done
    done = llmb(made, "run", "--profile", "small", "--name", "two", "--", *call("other/a"))
    assert done.code == 0 and done.out.startswith("403 "), done
    assert {"sandbox:one", "sandbox:two"} <= seen_as(made)
    assert provider.requests() == []


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_is_asked_by_http_too(broker, provider, answer):
    made = started(broker, provider)
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    terminal = Terminal(made, harness.program("llmb"), "run", "--ask", "--name", "tool", "--", *call("other/a"))
    terminal.read_until("[n]o: ")
    terminal.type(answer + "\n")
    status, out = terminal.finish()
    assert status == 0 and ("Hello." in out) == (answer == "y") and ("403 " in out) == (answer == "n"), out
    gone(made)


@needs_bwrap
def test_a_sandbox_without_a_network_has_the_socket(broker, provider):
    made = started(broker, provider, SMALL)
    done = llmb(made, "run", "--profile", "small", "--", "bwrap", "--unshare-all", "--ro-bind", "/", "/", "--", "sh", "-c",
                'exec curl -sS --fail-with-body --unix-socket "$ANTHROPIC_UNIX_SOCKET" "$ANTHROPIC_BASE_URL/v1/models"')
    assert done.code == 0 and "offline/echo" in done.out, done


# ---- what it holds in a key's place ----

def tokens(made):
    return json.loads(llmb(made, "token", "list", "--json").out)["tokens"]


def test_it_holds_a_token_while_it_runs(broker, provider):
    made = started(broker, provider)
    running = made.llmb_start("run", "--name", "tool.1", "--", "sh", "-c", 'echo "$OPENAI_API_KEY"; read line', stdin=True)
    text = running.read_until("\n").decode().strip()
    assert re.fullmatch("llmb_[0-9a-f]{64}", text)
    (token,) = tokens(made)
    assert token["app"] == "tool.1" and token["session"]
    running.write("\n")
    assert running.finish().code == 0
    assert tokens(made) == []


def test_it_is_known_by_its_token(broker, provider):
    """Also at a bridge that other programs use, and no longer than it runs."""
    made = started(broker, provider)
    with bridged.Bridge(made, "--listen", "127.0.0.1:0", "--require-token") as bridge:
        done = llmb(made, "run", "--bridge", bridge.base, "--name", "tool", "--", "sh", "-c",
                    'echo "$OPENAI_API_KEY"; exec /usr/bin/python3 -c "$1"', "sh", call()[2])
        text, said = done.out.split("\n", 1)
        assert done.code == 0 and "hello there" in said, done
        (row,) = made.wait_ledger(1)["exchange"]
        assert "token:tool" in row.values(), row
        for key in (text, "llm-broker"):
            late = subprocess.run(call(), env={**made.env, "OPENAI_BASE_URL": f"{bridge.base}/v1", "OPENAI_API_KEY": key},
                                  capture_output=True, text=True, timeout=harness.CALL_SECONDS)
            assert late.stdout[:4] in ("401 ", "403 ") and "llmb token new" in late.stdout, late
    done = llmb(made, "run", "--name", "other", "--", *call())
    assert done.code == 0 and "hello there" in done.out, done
    assert "token:other" in made.wait_ledger(3)["exchange"][-1].values()


@pytest.mark.parametrize("name, app", [(".hidden", "_hidden"), ("n" * 90, "n" * 63), ("odd name+", "odd_name_")])
def test_the_token_s_name_is_fit_for_one(broker, provider, name, app):
    made = started(broker, provider)
    running = made.llmb_start("run", "--", tool(made, name, "#!/bin/sh\necho up; read line\n"), stdin=True)
    running.read_until("up\n")
    assert [one["app"] for one in tokens(made)] == [app]
    running.write("\n")
    running.finish()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_its_token_ends_with_it(broker, provider, number):
    made = started(broker, provider)
    running = made.llmb_start("run", "--", "sh", "-c", "echo $$; exec sleep 60")
    program = int(running.read_until("\n"))
    assert len(tokens(made)) == 1
    running.signal(number)
    harness.wait_until(lambda: tokens(made) == [], 5, "it is no more")
    if number == signal.SIGKILL:
        os.kill(program, signal.SIGKILL)


def test_who_is_known_by_its_socket_has_no_token(broker, provider):
    made = started(broker, provider, SMALL)
    done = llmb(made, "run", "--profile", "small", "--", "sh", "-c", 'echo "$OPENAI_API_KEY"')
    assert done.out == "llm-broker\n", done


# ---- a bridge that runs ----

def test_a_bridge_that_runs_is_used(broker):
    made = broker()
    with bridged.Bridge(made, "--listen", "127.0.0.1:0") as bridge:
        got = outfit(made, "thing", options=["--bridge", bridge.addresses[0]])["env"]
        assert got["ANTHROPIC_BASE_URL"] == bridge.base and "ANTHROPIC_UNIX_SOCKET" not in got
        done = made.llmb("run", "--bridge", bridge.base, "--", *call())
        assert done.code == 0 and "hello there" in done.out, done
    done = made.llmb("run", "--bridge", bridge.base, "--", "touch", made.folder / "ran")
    assert done.code == 1 and "nothing was started" in done.err and not (made.folder / "ran").exists(), done


@pytest.mark.parametrize("options", [["--profile", "small"], ["--ask"], ["--no-http"]])
def test_what_does_not_go_together(broker, options):
    made = broker()
    done = made.llmb("run", "--bridge", "127.0.0.1:9", *options, "--", "true")
    assert done.code == 2 and "--bridge goes with" in done.err, done
    done = made.llmb("run", "--bridge", "nowhere", "--", "true")
    assert done.code == 2 and "an address of this host" in done.err, done


# ---- its end ----

def test_its_bridge_is_not_the_terminal_s(broker):
    """^C is for the program, which may go on and call."""
    made = broker()
    script = "trap 'echo got' INT; echo up; read line; /usr/bin/python3 -c \"$1\""
    program = ["sh", "-c", script, "sh", call()[2]]
    terminal = Terminal(made, harness.program("llmb"), "run", "--", *program)
    terminal.read_until("up")
    terminal.type("\x03")
    terminal.read_until("got")
    terminal.type("\n")
    status, out = terminal.finish()
    assert status == 0 and "hello there" in out, out
    gone(made)


@pytest.mark.parametrize("script, code", [("exit 5", 5), ("kill -9 $$", 137), ("exec /nonexistent", 127)])
def test_it_ends_with_the_program(broker, script, code):
    made = broker()
    assert made.llmb("run", "--", "sh", "-c", script).code == code
    gone(made)


def test_what_outlives_the_program_holds_nothing_up(broker, provider):
    """A child of it that still waits for an answer: that ends with the bridge."""
    made = started(broker, provider)
    provider.script(hold="start")
    running = made.llmb_start("run", "--", "sh", "-c", '/usr/bin/python3 -c "$1" >/dev/null 2>&1 & echo up; read line', "sh",
                              call("other/a")[2], stdin=True)
    running.read_until("up\n")
    provider.wait_request(1)
    running.write("\n")
    assert running.finish(timeout=10).code == 0
    provider.wait_disconnect(1)
    gone(made)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda n: n.name)
def test_it_ends_by_a_signal(broker, number):
    made = broker()
    running = made.llmb_start("run", "--", "sh", "-c", "echo up; exec sleep 60")
    running.read_until("up\n")
    assert len(bridges()) == 1
    running.signal(number)
    assert running.finish().code == 128 + number
    gone(made)


def test_a_killed_llmb_leaves_no_bridge(broker):
    made = broker()
    running = made.llmb_start("run", "--", "sh", "-c", "echo $$; exec sleep 60")
    program = int(running.read_until("\n"))
    (bridge,) = bridges()
    os.kill(running.pid, signal.SIGKILL)
    harness.wait_until(lambda: bridges() == [], 5, "it is gone")
    os.kill(program, signal.SIGKILL)
    harness.wait_until(lambda: not pathlib.Path(f"/proc/{bridge}").exists(), 5, "and no zombie is left")


def test_its_bridge_holds_nothing_of_the_program_s(broker):
    made = broker()
    running = made.llmb_start("run", "--", "sh", "-c", "echo up; exec sleep 60")
    running.read_until("up\n")
    (bridge,) = bridges()
    own = harness.fds_of(bridge)
    assert own[0] == own[1] == "/dev/null"
    pipes = set(harness.fds_of(running.pid).values()) & set(own.values())
    assert not [one for one in pipes if one.startswith(("pipe:", "socket:"))], pipes
    running.signal(signal.SIGTERM)
    running.finish()


def test_without_a_bridge_nothing_is_started(broker):
    """One that is there and cannot be run."""
    made = broker()
    folder = made.folder / "bin"
    folder.mkdir()
    alone = folder / "llmb"
    alone.write_bytes(pathlib.Path(harness.program("llmb")).read_bytes())
    alone.chmod(0o755)
    lib = {"LD_LIBRARY_PATH": str(harness.bin_dir().parent / "lib"), "PATH": "/usr/bin:/bin"}
    for text in (None, "#!/bin/sh\nexit 3\n"):
        if text:
            tool(made, "bin/llm-broker-bridge", text)
        done = subprocess.run([alone, "run", "--", "touch", made.folder / "ran"], env=made.client_env(lib), cwd=made.folder,
                              capture_output=True, text=True, timeout=harness.CALL_SECONDS)
        assert done.returncode == 1 and "nothing was started" in done.stderr, done
        assert not (made.folder / "ran").exists()
    done = subprocess.run([alone, "run", "--no-http", "--", "echo", "ran"], env=made.client_env(lib), cwd=made.folder,
                          capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    assert done.stdout == "ran\n", done
    gone(made)


def test_what_is_made_for_it_is_its_user_s_alone(broker):
    made = broker()
    running = made.llmb_start("run", "--", "sh", "-c", "echo up; exec sleep 60")
    running.read_until("up\n")
    (folder,) = folders(made)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE((folder / "http").stat().st_mode) == 0o600
    running.signal(signal.SIGTERM)
    running.finish()
