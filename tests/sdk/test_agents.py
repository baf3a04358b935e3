"""test_agents.py - do other programs answer, and use a tool, with what `llmb run` gives or `llmb wire` writes?

As test_tools.py has them: nothing of the caller's environment, folders of their own, and a network that leads
nowhere. Their user does nothing but what the README says."""

import harness
import pytest
from replies import Said, script
from test_sdk import FAMILIES
from test_tools import SECRET, Tool, asked

PROMPT = "What is in note.txt?"


def to_broker(world):
    """Where it is; all else is the agent's own."""
    return {"LLM_BROKER_SOCKET": str(world.broker.socket)}


class Run(Tool):
    """Started by `llmb run`, with a bridge of its own."""
    kind = "agents"

    def ask(self, world, model):
        return self.run([harness.program("llmb"), "run", "-m", model, "--", *self.command(model)], to_broker(world), 0)


class Wired(Tool):
    """Started as ever, behind `llmb wire`."""
    kind = "agents"

    def ask(self, world, model):
        self.run([harness.program("llmb"), "wire", self.name, "--yes", "-m", model, "--bridge",
                  world.base.removeprefix("http://")], to_broker(world), 0)
        return self.run(self.command(model), {}, 0)


class ClaudeCode(Run):
    kind = "tools"

    def command(self, model):
        return [self.program("@anthropic-ai/claude-code-linux-*/claude"), "-p", PROMPT]

    def call(self):
        return "Read", {"file_path": str(self.file)}


class Codex(Run):
    kind = "tools"

    def command(self, model):
        # a tool of its host's own, which no other has
        less = [] if model.startswith("responses/") else ["-c", "web_search=disabled"]
        return [self.program(".bin/codex"), "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", *less,
                PROMPT]

    def call(self):
        return "exec_command", {"cmd": f"cat {self.file}"}


class GeminiCli(Run):
    def command(self, model):
        return [self.program(".bin/gemini"), "-p", PROMPT, "--yolo"]

    def call(self):
        return "read_file", {"file_path": str(self.file)}


class Opencode(Run):
    def command(self, model):
        return [self.program("opencode-linux-*/bin/opencode"), "run", PROMPT]

    def call(self):
        return "read", {"filePath": str(self.file)}


class Copilot(Run):
    def command(self, model):
        return [self.program(".bin/copilot"), "-p", PROMPT, "--allow-all-tools"]

    def call(self):
        return "view", {"path": str(self.file)}


class Continue(Wired):
    name = "continue"

    def command(self, model):
        return [self.program(".bin/cn"), "-p", PROMPT, "--auto"]

    def call(self):
        return "Read", {"filepath": str(self.file)}


class Pi(Wired):
    name = "pi"

    def command(self, model):
        return [self.program(".bin/pi"), "-p", "--provider", "llm-broker", "--model", model, PROMPT]

    def call(self):
        return "read", {"path": str(self.file)}


AGENTS = {"claude-code": ClaudeCode, "codex": Codex, "gemini-cli": GeminiCli, "opencode": Opencode, "copilot": Copilot,
          "continue": Continue, "pi": Pi}
# who takes seconds to start asks two families
CASES = [(name, family) for name, agent in AGENTS.items() for family in FAMILIES
         if agent not in (Opencode, Continue, Pi) or family in ("chat", "anthropic")]


@pytest.mark.parametrize("name, family", CASES, ids=["-".join(case) for case in CASES])
def test_an_agent_calls_a_tool_and_answers(world, tmp_path, name, family):
    agent = AGENTS[name](tmp_path)
    world.provider.script({**script(family, Said("It is read.", "It is there."), True), "when": {"contains": SECRET},
                           "times": 0},
                          {**script(family, Said("I look.", "Where is it?", [agent.call()]), True), "times": 0})
    assert "It is read." in agent.ask(world, f"{family}/m")
    assert any(SECRET in one.body.decode() for one in asked(world, agent, PROMPT))
