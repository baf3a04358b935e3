"""test_tools.py - do Claude Code and Codex answer, and use a tool, through the bridge?

They are started with nothing of the caller's environment, with folders of their own, and only in a network where
there is nothing but the loopback (alone.py): what they would do at their own hosts they cannot do here."""

import contextlib
import json
import os
import signal
import subprocess

import alone
import install
import pytest
from conftest import sdk_folder
from recorder import Recorder
from replies import Said, script
from test_bytes import ADDED

FAMILIES = ("chat", "responses", "anthropic", "gemini")
SECONDS = 100  # a busy machine reads their many files slowly
SECRET = "the-word-in-the-file"


class Tool:
    """One of them, as its user would start it; `surface` is what it speaks."""
    kind = "tools"

    def __init__(self, home):
        self.made = install.find(sdk_folder(), self.kind)
        if self.made is None:
            pytest.skip(f"the {self.kind} are not installed: run `make check-tools`")
        if not alone.is_alone():
            pytest.skip("there may be a way out of this network: run `make check-tools`")
        self.home, self.work = home, home / "work"
        self.work.mkdir()
        self.file = self.work / "note.txt"
        self.file.write_text(SECRET + "\n")

    def program(self, *names):
        found = [path for name in names for path in sorted((self.made / "node_modules").glob(name))]
        if not found:
            pytest.skip("there is no such program for this machine")
        return str(found[0])

    def run(self, command, env, wanted):
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "dumb", "HOME": str(self.home), **env}
        process = subprocess.Popen(command, cwd=self.work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:  # nothing that it started outlives it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.returncode == wanted, (command, process.returncode, out, err)
        return out


class ClaudeCode(Tool):
    surface = "anthropic"

    def ask(self, base, model, prompt, wanted=0):
        return self.run(
            [self.program("@anthropic-ai/claude-code-linux-*/claude"), "-p", prompt, "--model", model],
            {"ANTHROPIC_BASE_URL": base, "ANTHROPIC_API_KEY": "x", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
             "CLAUDE_CONFIG_DIR": str(self.home / "claude")}, wanted)

    def call(self):
        return "Read", {"file_path": str(self.file)}


class Codex(Tool):
    surface = "responses"

    def ask(self, base, model, prompt, wanted=0):
        home = self.home / "codex"
        home.mkdir(exist_ok=True)
        host = f'{{name="broker",base_url="{base}/v1",wire_api="responses"}}'
        return self.run(
            [self.program(".bin/codex"), "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access",
             "-c", f"model={model}", "-c", "model_provider=broker", "-c", f"model_providers.broker={host}", prompt],
            {"CODEX_HOME": str(home)}, wanted)

    def call(self):
        return "exec_command", {"cmd": f"cat {self.file}"}


@pytest.fixture(params=[ClaudeCode, Codex], ids=["claude-code", "codex"])
def tool(request, tmp_path):
    return request.param(tmp_path)


def asked(world, tool, text):
    """The requests that a model was asked by, and that have this in them."""
    return [seen for seen in world.provider.requests() if text in seen.body.decode() and seen.method == "POST"]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer(world, tool, family):
    world.provider.script({**script(family, Said("Hello from afar."), True), "times": 0})
    assert "Hello from afar." in tool.ask(world.base, f"{family}/m", "Say hello to me.")
    assert asked(world, tool, "Say hello to me.")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_of_a_tool(world, tool, family):
    """The file's word comes to the provider, and the answer behind it to the user; the bytes are the tool's own."""
    world.provider.script({**script(family, Said("It is read.", "It is there."), True), "when": {"contains": SECRET},
                           "times": 0},
                          {**script(family, Said("I look.", "Where is it?", [tool.call()]), True), "times": 0})
    with Recorder(int(world.base.rpartition(":")[2])) as recorder:
        out = tool.ask(recorder.base, f"{family}/m", "What is in note.txt?")
        sent = [one for one in recorder.requests() if one.method == "POST" and b"What is in note.txt?" in one.body]
    assert "It is read." in out
    seen = asked(world, tool, "What is in note.txt?")
    assert any(SECRET in one.body.decode() for one in seen)
    if family != tool.surface:
        return
    assert len(sent) == len(seen)
    added = ADDED[family][0]
    for one, other in zip(sent, seen):
        body = one.body.decode().replace(f'"{family}/m"', '"m"', 1)
        if added and added[1:].partition(":")[0] not in body:
            body = body[:-1] + added + "}"
        assert other.body.decode() == body
        assert json.loads(body)["tools"]


def test_a_budget_that_is_spent(world, tool):
    """What its user sees is what the broker says, and at once."""
    if isinstance(tool, Codex):
        pytest.skip("it has a text of its own for this status")
    done = tool.ask(world.base, "poor/m", "Say hello.", wanted=1)
    assert 'limit "poor"' in done and world.provider.requests() == []
