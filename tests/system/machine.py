"""machine.py - how does a check act in the booted system: as which user, on which unit, and what does it find there?

A user's commands run as in a login of his: in a session's scope, where a program is nobody's service. Every wait has an end,
and all of them are LLMB_SLOWER times as long where the machine is emulated."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import time

HERE = pathlib.Path("/srv/llm-broker")
SLOWER = int(os.environ.get("LLMB_SLOWER", "1"))
SOCKET = "/run/llm-broker/sock"
STATE = pathlib.Path("/var/lib/llm-broker")
DROP_IN = pathlib.Path("/etc/systemd/system/llm-broker.service.d/check.conf")
CONFIG = pathlib.Path("/etc/llm-broker/broker.conf.d/50-check.conf")  # before the rules of the package
MEMBER, SECOND, OUTSIDER = "alice", "bob", "mallory"  # the first two are in the group
PROGRAMS = ("llm-brokerd", "llm-broker-bridge", "llm-broker-agent", "llmb")
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


class Done:
    """A command that ended: code, out, err."""

    def __init__(self, args, done):
        self.args, self.code, self.out, self.err = args, done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"{self.args}: {self.code}\n{self.out[-4000:]}\n{self.err[-4000:]}"


def run(*args, input="", seconds=30, env=None):
    """Runs a command of root's, which is in the service of the checks."""
    args = list(map(str, args))
    done = subprocess.run(args, input=input, capture_output=True, text=True, errors="replace", timeout=seconds * SLOWER,
                          env={**CLEAN, **(env or {})}, check=False)
    return Done(args, done)


def good(*args, **more):
    """The same, of one that has to end well; its output."""
    done = run(*args, **more)
    assert done.code == 0, done
    return done.out


def in_login(user, *args, env=None):
    """The command that does so in a login of the user's."""
    words = ["env", *(f"{name}={value}" for name, value in (env or {}).items()), *map(str, args)]
    return ["runuser", "-l", user, "-c", shlex.join(words)]


def login(user, *args, env=None, **more):
    return run(*in_login(user, *args, env=env), **more)


def llmb(*args, user=MEMBER, **more):
    return login(user, "llmb", *args, **more)


def ask(*args, user=MEMBER, model="offline/echo", **more):
    return llmb("ask", "-m", model, *args, user=user, **more)


def start(*args):
    """Starts one and leaves it running; its output comes in pipes."""
    return subprocess.Popen(list(map(str, args)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, errors="replace", env=CLEAN, start_new_session=True)


def wait_until(is_true, what, seconds=10):
    until = time.monotonic() + seconds * SLOWER
    while True:
        found = is_true()
        if found:
            return found
        assert time.monotonic() < until, f"not within {seconds * SLOWER} s: {what}\n{journal(20)}"
        time.sleep(0.05)


# ---- units and processes


def show(unit, name, user=None):
    command = ["systemctl", *(["--user"] if user else []), "show", "--value", f"--property={name}", unit]
    return (login(user, *command) if user else run(*command)).out.strip()


def systemctl(*args, user=None, **more):
    done = login(user, "systemctl", "--user", *args, **more) if user else run("systemctl", *args, **more)
    assert done.code == 0, done
    return done.out


def journal(lines):
    return run("journalctl", "--no-pager", "-n", lines, "-u", "llm-broker*").out


def ours():
    """{pid: program} of the processes that run a program of ours, whoever started them."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                path = os.readlink(f"/proc/{entry.name}/exe")
            except OSError:
                continue
            name = pathlib.Path(path.removesuffix(" (deleted)")).name
            if name in PROGRAMS:
                found[int(entry.name)] = name
    return found


def main_pid(user=None):
    return int(show("llm-broker.service", "MainPID", user) or 0)


def wait_idle(user=None):
    """Waits until the daemon has ended by itself."""
    wait_until(lambda: show("llm-broker.service", "ActiveState", user) == "inactive", "it ends when it is idle", 20)


def drop_in(text):
    """What is beside the package's own unit; the next call starts the daemon by it."""
    DROP_IN.parent.mkdir(exist_ok=True)
    DROP_IN.write_text(text)
    systemctl("daemon-reload")
    systemctl("stop", "llm-broker.service")


def configure(text):
    """What is beside the package's own configuration; the next call starts the daemon with it."""
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(text)
    systemctl("stop", "llm-broker.service")


@contextlib.contextmanager
def changed(configuration=lambda text: text, unit=lambda text: text):
    """For a while the texts are what these make of them."""
    texts = CONFIG.read_text(), DROP_IN.read_text() if DROP_IN.exists() else ""
    try:
        configure(configuration(texts[0]))
        drop_in(unit(texts[1]))
        yield
    finally:
        configure(texts[0])
        drop_in(texts[1])


def packages(folder):
    return {path.name.partition("_")[0]: path for path in sorted((HERE / folder).glob("*.deb"))}


def version_of(package):
    return good("dpkg-query", "-W", "-f", "${Version}", package)


def figures(**values):
    """Shows what was measured."""
    print("    " + ", ".join(f"{name} {value}" for name, value in values.items()), flush=True)


def found(pattern, text):
    match = re.search(pattern, text, re.M)
    assert match, f"{pattern} is not in\n{text}"
    return match[1]
