"""test_wire_tools.py - does `llmb wire` lead a tool's own file to the bridge, and give back what was there?"""

import json
import os
import pathlib
import re
import signal
import stat
import subprocess

import harness
import pytest
from test_identity import needs_bwrap
from test_run import Terminal

PORT = "127.0.0.1:9"
BASE = f"http://{PORT}"
MODEL = ("-m", "local/a", "-m", "local/b")
FILES = {"aider": [".aider.conf.yml"], "claude": [".claude/settings.json"], "codex": [".codex/config.toml"],
         "continue": [".continue/config.yaml"], "gemini": [".gemini/settings.json", ".gemini/.env"],
         "llm": [".config/io.datasette.llm/extra-openai-models.yaml"], "opencode": [".config/opencode/opencode.json"],
         "pi": [".pi/agent/models.json"], "zed": [".config/zed/settings.json"]}
JSON = ("claude", "opencode", "pi", "zed")

# as people have them: comments, odd spaces, entries of their own
OWN = {
    "aider": "# mine\nopenai-api-base:   https://api.openai.test/v1   # real\nmodel: gpt-4o\nalias:\n  - \"f:gpt\"\n\n\n",
    "claude": '{\n    "permissions": {"allow": ["Bash(ls:*)"],\n  "deny": []},\n    "env": {"FOO": "1", "ANTHROPIC_API_KEY": "sk-ant-real"\n}}',
    "codex": '#:schema x\nmodel_provider = "azure"   # real\nnotify = [\n  "a", # [\n]\n\n[model_providers.azure]\nname="Azure"\n'
             'base_url = "https://x.test"\n[projects."/tmp/a"]\ntrust_level = "trusted"',
    "continue": "name: Mine\nversion: 0.0.1\nschema: v1\n# models of mine\nmodels:\n    # first\n    - name: A\n      provider: ollama\n"
                "      model: a\ncontext:\n  - provider: code\n",
    "gemini": '{"security":{"auth":{"selectedType":"oauth-personal"}},"ui":{"theme":"x"}}\n',
    "llm": "- model_id: mine\n  model_name: m\n  api_base: \"http://localhost:1/v1\"   # x\n",
    "opencode": '{\n\t// mine\n\t"$schema": "https://opencode.ai/config.json",\n\t"provider": {\n\t\t"mine": { "npm": "x" }, /* c */\n\t},\n}\n',
    "pi": '{ "providers" : { "mine" : { "baseUrl" : "x" } } }',
    "zed": '// Zed settings\n{\n  "theme": "One Dark", // dark\n  "language_models": {\n    "ollama": {}\n  },\n}\n',
}


@pytest.fixture
def made():
    made = harness.Broker()  # none runs
    for name in ("CONFIG_HOME", "STATE_HOME", "DATA_HOME", "CACHE_HOME"):
        del made.env["XDG_" + name]
    subprocess.run(["rm", "-rf", made.home / ".config", made.home / ".local", made.home / ".cache"], check=True)
    yield made
    made.close()


def wire(made, *args, code=0, **more):
    done = made.llmb("wire", "--bridge", PORT, *args, **more)
    assert done.code == code, done
    return done


def paths(made, tool):
    return [made.home / name for name in FILES[tool]]


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)


def own(made, tool):
    write(paths(made, tool)[0], OWN[tool], 0o640)


def whole(made):
    """All that is in the home: names, bytes, modes."""
    found = {}
    for path in made.home.rglob("*"):
        if "llmb" not in path.parts and path.relative_to(made.home).parts[:2] != (".local", "state"):
            found[path] = (path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None,
                           stat.S_IMODE(path.lstat().st_mode))
    return {path: what for path, what in found.items() if path.name != ".local"}


def records(made):
    return sorted(path.name for path in (made.home / ".local/state/llmb/wire").glob("*"))


def plain(text):
    """JSON without what editors allow beside it."""
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", re.sub(r"(?m)(^|\s)//.*$|/\*.*?\*/", r"\1", text)))


def patched(before, diff):
    """What a unified diff makes of a text."""
    before, out, at, sign = before.splitlines(keepends=True), [], 0, ""
    for line in diff.splitlines(keepends=True)[2:]:
        if line.startswith("@@"):
            begin, _, count = re.match(r"@@ -(\d+)(,(\d+))?", line).groups()
            begin = int(begin) - (count != "0")
            out += before[at:begin]
            at = begin
        elif line.startswith("\\") and sign != "-":
            out[-1] = out[-1].removesuffix("\n")
        elif line.startswith("\\"):
            pass
        elif line.startswith("+"):
            out.append(line[1:])
        else:
            assert line[1:].rstrip("\n") == before[at].rstrip("\n"), line
            if line.startswith(" "):
                out.append(before[at])
            at += 1
        sign = line[0]
    return "".join(out + before[at:])


def is_within(part, text):
    """Are all its characters there, in order?"""
    rest = iter(text)
    return all(one in rest for one in part)


# ---- there, and back ----

@pytest.mark.parametrize("tool", FILES)
def test_where_nothing_was_nothing_is_again(made, tool):
    before = whole(made)
    wire(made, tool, "-y", *MODEL)
    for path in paths(made, tool):
        text = path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert BASE in text or path.name == "settings.json" and tool == "gemini"
    wire(made, tool, "--undo", "-y")
    assert whole(made) == before and records(made) == []


@pytest.mark.parametrize("tool", FILES)
def test_byte_for_byte_there_and_back(made, tool):
    own(made, tool)
    before = whole(made)
    done = wire(made, tool, "-y", *MODEL)
    path = paths(made, tool)[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    first = re.split(r"(?m)^(?=--- )", done.out)[1]
    assert patched(OWN[tool], first) == path.read_text(), "what was shown is what was written"
    kept = [line for line in OWN[tool].splitlines() if line and "real" not in line and "selectedType" not in line]
    for line in kept:
        assert is_within(line, path.read_text()), line
    again = whole(made)
    assert "written already" in wire(made, tool, *MODEL).err, "without a question"
    assert whole(made) == again
    wire(made, tool, "--undo", "-y")
    assert whole(made) == before and records(made) == []
    assert "has written nothing" in wire(made, tool, "--undo", "-y", code=1).err


@pytest.mark.parametrize("tool", FILES)
def test_writing_it_otherwise_keeps_what_was_first(made, tool):
    own(made, tool)
    before = whole(made)
    wire(made, tool, "-y", *MODEL)
    done = made.llmb("wire", tool, "-y", "--bridge", "127.0.0.1:10", "-m", "other")
    assert done.code == 0, done
    text = "".join(path.read_text() for path in paths(made, tool))
    assert "127.0.0.1:10" in text and f"{PORT}/" not in text and f"{PORT}\"" not in text and "local/b" not in text
    wire(made, tool, "--undo", "-y")
    assert whole(made) == before


def test_what_is_written(made):
    for tool in FILES:
        own(made, tool)
        wire(made, tool, "-y", *MODEL)
    text = {tool: paths(made, tool)[0].read_text() for tool in FILES}
    claude = json.loads(text["claude"])
    assert claude["env"] == {"FOO": "1", "ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": BASE, "ANTHROPIC_AUTH_TOKEN": "llm-broker",
                             "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "ANTHROPIC_MODEL": "local/a"}
    assert claude["permissions"]["allow"] == ["Bash(ls:*)"]
    opencode = plain(text["opencode"])
    assert opencode["provider"]["mine"] == {"npm": "x"} and opencode["model"] == "llm-broker/local/a"
    assert opencode["provider"]["llm-broker"] == {
        "npm": "@ai-sdk/openai-compatible", "name": "llm-broker", "options": {"baseURL": f"{BASE}/v1", "apiKey": "llm-broker"},
        "models": {"local/a": {}, "local/b": {}}}
    assert json.loads(text["pi"])["providers"]["llm-broker"] == {
        "baseUrl": f"{BASE}/v1", "api": "openai-completions", "apiKey": "llm-broker", "models": [{"id": "local/a"}, {"id": "local/b"}]}
    zed = plain(text["zed"])["language_models"]
    assert zed["ollama"] == {} and zed["openai_compatible"]["llm-broker"]["api_url"] == f"{BASE}/v1"
    assert json.loads(text["gemini"]) == {"model": {"name": "local/a"}, "security": {"auth": {"selectedType": "gemini-api-key"}},
                                          "ui": {"theme": "x"}}
    assert f'GOOGLE_GEMINI_BASE_URL="{BASE}"\n' in paths(made, "gemini")[1].read_text()


def test_codex_can_read_it(made):
    tomllib = pytest.importorskip("tomllib")
    own(made, "codex")
    was = tomllib.loads(OWN["codex"])
    wire(made, "codex", "-y", *MODEL)
    got = tomllib.loads(paths(made, "codex")[0].read_text())
    assert got.pop("model_provider") == "llm-broker" and got.pop("model") == "local/a"
    assert got["model_providers"].pop("llm-broker") == {"name": "llm-broker", "base_url": f"{BASE}/v1", "wire_api": "responses"}
    del was["model_provider"]
    assert got == was


@pytest.mark.parametrize("tool", ["aider", "continue", "llm"])
@pytest.mark.parametrize("is_own", [True, False])
def test_yaml_can_be_read(made, tool, is_own):
    yaml = pytest.importorskip("yaml")
    if is_own:
        own(made, tool)
    wire(made, tool, "-y", *MODEL)
    got = yaml.safe_load(paths(made, tool)[0].read_text())
    if tool == "aider":
        assert got == {"openai-api-base": f"{BASE}/v1", "openai-api-key": "llm-broker", "model": "openai/local/a",
                       **({"alias": ["f:gpt"]} if is_own else {})}
    elif tool == "continue":
        ours = [one for one in got["models"] if one["provider"] == "openai"]
        assert ours == [{"name": f"{name} (llm-broker)", "provider": "openai", "model": name, "apiBase": f"{BASE}/v1",
                         "apiKey": "llm-broker"} for name in ("local/a", "local/b")]
        assert len(got["models"]) == 2 + is_own and got["name"] == ("Mine" if is_own else "llm-broker")
    else:
        ours = [one for one in got if one["model_id"].startswith("llm-broker/")]
        assert [one["model_name"] for one in ours] == ["local/a", "local/b"] and len(got) == 2 + is_own


# ---- others write too ----

@pytest.mark.parametrize("tool", FILES)
def test_what_others_added_since_stays(made, tool):
    """Tools write their files themselves: only what is ours is taken out."""
    own(made, tool)
    wire(made, tool, "-y", *MODEL)
    path = paths(made, tool)[0]
    if path.suffix == ".json":
        text = path.read_text()
        last = text.rindex("}")
        comma = "" if text[:last].rstrip().endswith(",") else ","
        path.write_text(text[:last] + comma + '"added": [1]' + text[last:])
    else:
        path.write_text(path.read_text() + "# added\n")
    done = wire(made, tool, "--undo", "-y")
    text = path.read_text()
    assert "added" in text and BASE not in text and "llm-broker" not in text and "gemini-api-key" not in text, done
    without = text.replace("# added\n", "").replace(',"added": [1]', "").replace('"added": [1]', "")
    assert without.rstrip("\n") == OWN[tool].rstrip("\n") or tool in JSON and plain(without) == plain(OWN[tool])
    assert records(made) == []


def test_a_tool_that_writes_all_of_it_anew(made):
    """Where no file was: it keeps what the tool has written into ours."""
    wire(made, "claude", "-y")
    path = paths(made, "claude")[0]
    said = json.loads(path.read_text())
    path.write_text(json.dumps({"hooks": {}, **said, "permissions": {"allow": ["x"]}}, indent=4))
    wire(made, "claude", "--undo", "-y")
    assert json.loads(path.read_text()) == {"hooks": {}, "permissions": {"allow": ["x"]}}
    path.unlink()
    wire(made, "claude", "-y")
    path.write_text(json.dumps(json.loads(path.read_text())))
    wire(made, "claude", "--undo", "-y")
    assert not path.exists()


@pytest.mark.parametrize("tool", FILES)
def test_where_ours_was_changed_it_is_refused(made, tool):
    own(made, tool)
    wire(made, tool, "-y", *MODEL)
    path = paths(made, tool)[-1]
    changed = path.read_text().replace(PORT, "127.0.0.1:11")
    path.write_text(changed)
    for args in (["--undo"], ["-m", "x"]):
        done = wire(made, tool, "-y", *args, code=1)
        assert "127.0.0.1:11" in done.out and "--force" in done.err and f"{tool}-" in done.err, done
        assert path.read_text() == changed
    backup = pathlib.Path(re.search(r"is in (\S+)", done.err)[1])
    assert backup.read_text() == (OWN[tool] if len(FILES[tool]) == 1 else "")
    wire(made, tool, "--undo", "-y", "--force")
    assert not path.exists() or "127.0.0.1:11" not in path.read_text()


def test_a_file_that_is_gone(made):
    own(made, "codex")
    wire(made, "codex", "-y")
    paths(made, "codex")[0].unlink()
    wire(made, "codex", "--undo", "-y")
    assert not paths(made, "codex")[0].exists() and records(made) == []


def test_a_writing_that_was_cut_short(made):
    """The record was there, and the file not yet."""
    own(made, "codex")
    before = whole(made)
    wire(made, "codex", "-y")
    paths(made, "codex")[0].write_text(OWN["codex"])
    wire(made, "codex", "--undo")  # there is nothing to ask
    assert whole(made) == before and records(made) == []


# ---- what is left alone ----

BROKEN = {"claude": ['{"env": ', "[]", '{"env": null}', '{"env": {}} x'], "codex": ['a = """', "[model_providers.llm-broker]\n"],
          "aider": ["{a: 1}", "a: 1\n---\nb: 2\n"], "continue": ["models: [x]\n", "- a\n"], "llm": ["a: b\n"],
          "opencode": ['{"provider": 1}'], "pi": ["\xff"], "zed": ['{"language_models": []}'], "gemini": ['{"security": {"auth": 1}}']}


@pytest.mark.parametrize("tool, text", [(tool, text) for tool, texts in BROKEN.items() for text in texts])
def test_what_cannot_be_changed_safely_is_left_alone(made, tool, text):
    write(paths(made, tool)[0], text.encode("latin-1"))
    before = whole(made)
    done = wire(made, tool, "-y", *MODEL, code=1)
    assert "cannot be changed safely" in done.err and str(paths(made, tool)[0]) in done.err and done.out == "", done
    assert whole(made) == before and records(made) == []


@pytest.mark.parametrize("kind", ["relative", "absolute"])
def test_a_link_stays_one(made, kind):
    real = made.home / "dotfiles" / "codex.toml"
    write(real, OWN["codex"], 0o604)
    path = paths(made, "codex")[0]
    path.parent.mkdir()
    path.symlink_to(real if kind == "absolute" else "../dotfiles/codex.toml")
    before = whole(made)
    wire(made, "codex", "-y")
    assert path.is_symlink() and BASE in real.read_text() and stat.S_IMODE(real.stat().st_mode) == 0o604
    wire(made, "codex", "--undo", "-y")
    assert whole(made) == before


def test_a_link_to_nowhere_and_a_folder(made):
    path = paths(made, "codex")[0]
    path.parent.mkdir()
    path.symlink_to("nowhere")
    assert "leads nowhere" in wire(made, "codex", "-y", code=1).err
    path.unlink()
    path.mkdir()
    assert "is no file" in wire(made, "codex", "-y", code=1).err


@needs_bwrap
def test_a_folder_that_cannot_be_written(made):
    own(made, "codex")
    before = whole(made)
    folder = paths(made, "codex")[0].parent
    done = subprocess.run(["bwrap", "--dev-bind", "/", "/", "--ro-bind", folder, folder, harness.program("llmb"), "wire", "codex",
                           "-y", "--bridge", PORT], env=made.client_env(), capture_output=True, text=True,
                          timeout=harness.CALL_SECONDS)
    assert done.returncode == 1 and str(folder) in done.stderr and "Read-only" in done.stderr, done
    assert whole(made) == before and records(made) == []
    wire(made, "codex", "-y")
    wire(made, "codex", "--undo", "-y")
    assert whole(made) == before


# ---- being asked ----

def test_without_a_terminal_nothing_is_written(made):
    before = whole(made)
    done = wire(made, "codex", code=2)
    assert "model_provider" in done.out and "--yes" in done.err and whole(made) == before, done
    assert records(made) == []


@pytest.mark.parametrize("option", ["--json", "--no-input"])
def test_who_cannot_see_it_is_not_asked(made, option):
    terminal = Terminal(made, harness.program("llmb"), "wire", "codex", "--bridge", PORT, option)
    status, out = terminal.finish()
    assert status == 2 and "--yes" in out and not paths(made, "codex")[0].exists(), out


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_a_person_is_asked(made, answer):
    terminal = Terminal(made, harness.program("llmb"), "wire", "codex", "--bridge", PORT)
    terminal.read_until("[y/N]")
    assert not paths(made, "codex")[0].exists() and b"+model_provider" in terminal.out
    terminal.type(answer + "\n")
    status, out = terminal.finish()
    assert status == (answer != "y") and paths(made, "codex")[0].exists() == (answer == "y"), out


def test_a_file_that_changes_while_somebody_thinks(made):
    own(made, "codex")
    terminal = Terminal(made, harness.program("llmb"), "wire", "codex", "--bridge", PORT)
    terminal.read_until("[y/N]")
    paths(made, "codex")[0].write_text("a = 1\n")
    terminal.type("y\n")
    status, out = terminal.finish()
    assert status == 1 and "changed meanwhile" in out and paths(made, "codex")[0].read_text() == "a = 1\n", out
    assert records(made) == []


def test_the_list(made):
    own(made, "codex")
    wire(made, "claude", "-y")
    wire(made, "pi", "-y", *MODEL)
    paths(made, "pi")[0].write_text("{}")
    said = {one["tool"]: (one["status"], one["file"]) for one in json.loads(wire(made, "--list", "--json").out)["tools"]}
    assert {tool: state for tool, (state, _) in said.items()} == {
        **dict.fromkeys(FILES, "no file"), "claude": "wired", "codex": "not wired", "pi": "wired, changed since"}
    assert all(path == str(paths(made, tool)[0]) for tool, (_, path) in said.items())
    assert re.search(r"(?m)^claude +wired +", wire(made, "--list").out)


def test_mistakes(made):
    assert "is codex meant?" in wire(made, "codx", code=2).err
    assert "--list" in wire(made, "emacs-mode-for-it", code=2).err
    assert "TOOL is missing" in wire(made, code=2).err
    assert "goes without" in wire(made, "--list", "codex", code=2).err
    assert "an address of this host" in made.llmb("wire", "codex", "--bridge", "x").err
    done = made.llmb("wire", "pi", "-y", "--bridge", PORT, env={"LLM_BROKER_SOCKET": "/nonexistent/x"})
    assert done.code == 1 and "-m MODEL" in done.err, done


@pytest.mark.parametrize("tool, variable, name", [("codex", "CODEX_HOME", "config.toml"), ("claude", "CLAUDE_CONFIG_DIR", "settings.json"),
                                                  ("pi", "PI_CODING_AGENT_DIR", "models.json"),
                                                  ("llm", "LLM_USER_PATH", "extra-openai-models.yaml"),
                                                  ("opencode", "XDG_CONFIG_HOME", "opencode/opencode.json")])
def test_files_that_are_elsewhere(made, tool, variable, name):
    there = {variable: str(made.folder / "there")}
    wire(made, tool, "-y", *MODEL, env=there)
    assert BASE in (made.folder / "there" / name).read_text()
    done = wire(made, tool, "-y", *MODEL, code=1)
    assert "--undo` first" in done.err and not paths(made, tool)[0].exists(), done
    wire(made, tool, "--undo", "-y")
    assert not (made.folder / "there").exists()


def test_the_models_are_the_broker_s(broker):
    made = broker()
    made.env.pop("XDG_CONFIG_HOME")
    done = made.llmb("wire", "pi", "-y", "--json", "--bridge", PORT)
    assert done.code == 0, done
    path = made.home / ".pi/agent/models.json"
    assert json.loads(done.out) == {"tool": "pi", "status": "wired", "files": [str(path)]}
    assert {"id": "offline/echo"} in json.loads(path.read_text())["providers"]["llm-broker"]["models"]
    state = made.home / ".local/state/llmb/wire"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in state.iterdir()} == {0o600}


def test_killed_in_the_middle_of_it(made):
    """A kill at any time leaves a whole file, the old one or the new one, and --undo gives the old one back."""
    own(made, "codex")
    before = whole(made)
    path = paths(made, "codex")[0]
    seen = set()
    for seconds in [*(n / 2000 for n in range(40)), harness.CALL_SECONDS]:
        process = subprocess.Popen([harness.program("llmb"), "wire", "codex", "-y", "-q", "--bridge", PORT], env=made.client_env(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        text = path.read_text()
        assert text == OWN["codex"] or BASE in text and text.endswith("# <<< llm-broker\n")
        seen.add(BASE in text)
        for left in path.parent.glob("config.toml.llmb-*"):
            left.unlink()
        if "codex-0.json" in records(made):
            wire(made, "codex", "--undo", "-y")
        assert whole(made) == before
    assert seen == {True, False}
