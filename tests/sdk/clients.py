"""clients.py - which SDKs are driven, and how does a test give one its orders?

A `Client` is one API of one SDK. An order is a JSON object: `op` (ask, loop, embed, models, model, count,
moderate, complete, kept), `api`, `base` (of the bridge), `model`, and of `ask` and `loop`: prompt, system, image
(PNG, base64), tools (name, description, parameters), choice (a tool that must be called), schema, effort,
max_tokens, more (members as the SDK has them), stream (true; "helper": by the SDK's own gathering),
retries, timeout_ms, abort_after (pieces of text), abort_ms. A loop answers each call of a tool by
`NAME: ARGUMENTS` and goes on until there is none. What comes back is said by driver.mjs's Answer.
"""

import collections
import json
import os
import pathlib
import select
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
Client = collections.namedtuple("Client", "name kind program api surface can")
SECONDS = 10
START_SECONDS = 40  # a busy machine reads an SDK's many files slowly

# what it can do beside asking
_OPENAI = "embed models helper raw"
CLIENTS = [Client(name, kind, program, api, surface, frozenset(can.split())) for
           name, kind, program, api, surface, can in (
    ("openai-chat", "node", "openai.mjs", "chat", "chat", _OPENAI + " moderate complete"),
    ("openai-responses", "node", "openai.mjs", "responses", "responses", "helper raw kept"),
    ("anthropic", "node", "anthropic.mjs", None, "anthropic", "models count helper raw"),
    ("genai", "node", "genai.mjs", None, "gemini", "models count embed"),
    ("ai-openai", "node", "ai.mjs", "openai", "responses", ""),
    ("ai-chat", "node", "ai.mjs", "chat", "chat", "embed"),
    ("ai-anthropic", "node", "ai.mjs", "anthropic", "anthropic", ""),
    ("ai-google", "node", "ai.mjs", "google", "gemini", "embed"),
    ("ai-compatible", "node", "ai.mjs", "compatible", "chat", "embed"),
    ("py-openai-chat", "python", "drive_openai.py", "chat", "chat", _OPENAI + " moderate"),
    ("py-openai-responses", "python", "drive_openai.py", "responses", "responses", "helper raw kept"),
    ("py-anthropic", "python", "drive_anthropic.py", None, "anthropic", "models count helper raw"),
    ("py-genai", "python", "drive_genai.py", None, "gemini", "models count embed"))]


class Driver:
    """A driver's process. `made`: where install.py put what it needs."""

    def __init__(self, made, kind, program, home):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(home), "LANG": "C.UTF-8",
               "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"}
        if kind == "node":
            shutil.copytree(HERE / "node", made, dirs_exist_ok=True)  # packages are found beside who asks for them
            command = ["node", str(made / program)]
        else:
            command = [str(made / "venv/bin/python"), str(HERE / kind / program)]
            env["PYTHONPATH"] = str(HERE / "python")  # where driver.py is
        self._errors = open(home / (program + ".stderr"), "wb")
        self._process = subprocess.Popen(command, env=env, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=self._errors, bufsize=0)
        self._left, self._seconds = b"", START_SECONDS

    def is_alive(self):
        return self._process.poll() is None

    def say(self, order):
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def hear(self):
        until = time.monotonic() + self._seconds
        self._seconds = SECONDS
        while b"\n" not in self._left:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, until - time.monotonic()))
            more = os.read(self._process.stdout.fileno(), 1 << 20) if ready else b""
            if not more:
                errors = pathlib.Path(self._errors.name).read_text(errors="replace")
                self._process.kill()
                raise AssertionError(f"the driver {'ended' if ready else 'does not answer'}: {errors[-2000:]}")
            self._left += more
        line, _, self._left = self._left.partition(b"\n")
        return json.loads(line)

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()
