"""test_completions.py - do bash, zsh and fish offer what a program takes, and run nothing that a broker says?"""

import os
import re
import select
import shlex
import socket
import subprocess
import time

import harness
import pytest
from harness import section
from programs import needs
from test_install import CLEAN
from test_manual import commands, said

PROGRAMS = ("llmb", "llm-brokerd", "llm-broker-agent", "llm-broker-bridge")
FOLDER = harness.bin_dir().parent / "completions"
HOME = []
FILES = {"bash": "bash/{}", "zsh": "zsh/_{}", "fish": "fish/{}.fish"}
shells = pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in FILES])

# $1: what is installed, $2: the program, $3: the line, and behind it the words that the shell makes of it. Each prints what is
# offered on a line, and what kind of files @ it leaves to the shell.
BASH = r"""
source "$1" || exit 3
function=$(complete -p "$2" | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=("${@:4}") COMP_CWORD=$(($# - 4)) COMP_LINE=$3 COMP_POINT=${#3}
compopt() { printf '@%s\n' "${@: -1}"; }
"$function" "$2" "${COMP_WORDS[COMP_CWORD]}" ''
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""
ZSH = r"""
compadd() { print -rl -- "${(@P)@[-1]}" }
_describe() { print -rl -- "${(@P)@[-1]%%:*}" }
_files() { print -r -- @files "$@" }
_normal() { print -r -- @program $CURRENT "$words[@]" }
compset() { : }
words=("${@:4}") CURRENT=$(($# - 3))
source "$1"
"""
FISH = r"""
source $argv[1]
complete -C $argv[3]
true
"""


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """Where shells keep what they have made for themselves."""
    HOME.append(str(tmp_path_factory.mktemp("home")))


def env(made=None, first=None, socket_path=None):
    """A user's, with nothing of the test's own."""
    found = {"PATH": f"{first or harness.bin_dir()}:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": HOME[0], harness.MARK: harness.RUN_ID}
    if socket_path:
        found["LLM_BROKER_SOCKET"] = str(socket_path)
    if made:
        found.update(XDG_RUNTIME_DIR=made.env["XDG_RUNTIME_DIR"], HOME=made.env["HOME"], LLM_BROKER_SOCKET=str(made.socket))
    return found


def words_of(shell, line):
    """As readline cuts a line: at blanks, and at : and =, which are words themselves. zsh cuts at blanks alone."""
    words = re.findall(r"[:=]|(?:\\.|[^\s:=\\])+" if shell == "bash" else r"\S+", line)
    return words + [""] if line.endswith(" ") else words


def offered(shell, line, folder="/", **of):
    program = line.split()[0]
    path = FOLDER / FILES[shell].format(program)
    script = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    begin = {"bash": ["bash", "--norc", "--noprofile", "-c", script, "bash"], "zsh": ["zsh", "-f", "-c", script, "zsh"],
             "fish": ["fish", "--no-config", "-c", script]}[shell]
    done = subprocess.run([*begin, path, program, line, *words_of(shell, line)], env=env(**of), cwd=folder,
                          capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    assert done.returncode == 0 and not done.stderr, done
    return [one.split("\t")[0] for one in done.stdout.splitlines() if one]  # fish says behind a tab what it is


def of_help(*command):
    return set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z][a-z-]*)", said(*command)))


def lines():
    """Each command with what its --help says that it takes; a group takes that alone."""
    for program in PROGRAMS[1:]:
        yield program, of_help(program)
    groups = set()
    for words in commands():
        if len(words) > 1 and words[0] not in groups:
            groups.add(words[0])
            yield f"llmb {words[0]}", {"--help"}
        yield " ".join(("llmb", *words)), of_help("llm-brokerd") if words == ("daemon",) else of_help("llmb", *words)


@shells
def test_the_options_are_those_of_the_help(shell):
    for line, wanted in lines():
        assert sorted(offered(shell, f"{line} --")) == sorted(wanted), line
    assert offered(shell, "llmb --") == ["--help", "--version"]
    assert "-m" in offered(shell, "llmb ask -") and "-m" not in offered(shell, "llmb status -")


@shells
def test_the_commands_are_those_of_the_help(shell):
    names = list(dict.fromkeys(words[0] for words in commands()))
    assert sorted(offered(shell, "llmb ")) == sorted(names)
    groups = {words[0] for words in commands() if len(words) > 1}
    assert {"key", "vault", "app", "audit"} <= groups
    for group in groups:
        wanted = [words[1] for words in commands() if words[0] == group]
        assert sorted(offered(shell, f"llmb {group} ")) == sorted(wanted), group
    assert not offered(shell, "llmb nothing --") and not offered(shell, "llmb key nothing --")


WORDS = {
    "ask --cache ": ["off", "read", "write", "on", "refresh", "only"],
    "ask hello --reasoning x": ["xhigh"],
    "env --shell ": ["sh", "fish", "csh", "json"],
    "explain --on ": ["main", "sandbox", "app", "handed"],
    "vault add ": ["recovery", "key-file", "credential"],
    "vault remove a": ["agent"],
    "usage --json --export ": ["csv", "jsonl"],
    "wire c": ["claude", "codex", "continue"],
    "key add olla": ["ollama"],
    "relay openai.c": ["openai.chat", "openai.completions"],
    "ask -m": ["-m"],
    "ask -s ": [],
    "ask --tag x ": [],
    "status ": [],
    "ask -- --": [],
}


@shells
@pytest.mark.parametrize("line", WORDS)
def test_sets_that_are_fixed(shell, line):
    wanted = WORDS[line]
    found = offered(shell, f"llmb {line}")
    if shell == "zsh":  # which looks for what fits by itself
        begin = line.split(" ")[-1]
        found = [one for one in found if one.startswith(begin)]
    assert sorted(found) == sorted(wanted)


@shells
def test_a_value_behind_its_option(shell):
    assert offered(shell, "llmb ask --cache=o") and set(offered(shell, "llmb env --shell=")) == {
        "bash": {"sh", "fish", "csh", "json"}, "zsh": {"sh", "fish", "csh", "json"},
        "fish": {"--shell=sh", "--shell=fish", "--shell=csh", "--shell=json"}}[shell]
    assert not offered(shell, "llmb env --no-input=")


@shells
def test_files_are_the_shells(shell, tmp_path):
    (tmp_path / "a b.txt").touch()
    (tmp_path / "folder").mkdir()
    files, folders = {"bash": (["@default"], ["@dirnames"]), "zsh": (["@files"], ["@files -/"]),
                      "fish": (["a b.txt", "folder/"], ["folder/"])}[shell]
    for line in ("llmb ask -a ", "llmb cache warm ", "llm-brokerd --config ", "llmb daemon --socket ", "llm-broker-agent --socket "):
        assert sorted(offered(shell, line, tmp_path)) == files, line
    assert offered(shell, "llm-brokerd --state-dir ", tmp_path) == folders


@pytest.mark.parametrize("shell", [pytest.param("bash", marks=needs("bash")), pytest.param("fish", marks=needs("fish"))])
def test_another_programs_line_is_its_own(shell):
    assert "bash" in offered(shell, "llmb run --profile small -- bas")
    assert "--listen" not in offered(shell, "llmb run -- llm-broker-bridge --")


@needs("zsh")
def test_another_programs_line_is_its_own_in_zsh():
    assert offered("zsh", "llmb run --profile small -- ls --al") == ["@program 2 ls --al"]


# ---- what a broker says ----

@shells
def test_names_of_a_broker_that_is_there(shell, broker):
    made = broker(section("model", "my-alias", {"target": "offline/echo"}) + section("model", "my:8b", {"target": "offline/echo"}) +
                  section("provider", "mine", {"dialect": "openai-chat", "base_url": "https://mine.test", "auth": "bearer"}) +
                  section("policy", "small", {"profile": "small", "operation": "chat"}) +
                  section("policy", "all", {"kind": "host", "operation": "*"}))
    assert made.llmb("ask", "-m", "my-alias", "hello").code == 0
    assert {"my-alias", "offline/echo"} <= set(offered(shell, "llmb ask -m ", made=made))
    assert {"mine", "openai"} <= set(offered(shell, "llmb key add ", made=made))
    assert offered(shell, "llmb run --profile ", made=made) == ["small"]
    assert "host:llmb" in [one.replace("\\", "") for one in offered(shell, "llmb app revoke ", made=made)]
    found = offered(shell, "llmb ask -m my:", made=made)
    assert {"bash": "8b"}.get(shell, "my:8b") in found


@shells
def test_nothing_is_started_where_no_broker_is(shell, tmp_path):
    of = env()
    assert not offered(shell, "llmb ask -m ")
    for name in ("models", "providers", "profiles", "apps", "nothing"):
        done = subprocess.run([harness.program("llmb"), "--names", name], capture_output=True, timeout=harness.CALL_SECONDS,
                              env={**of, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)})
        assert done.returncode != 0 and not done.stdout and not done.stderr, done
    assert not list(tmp_path.iterdir())


def test_it_waits_a_second_at_the_most(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "sock"))
        silent.listen()
        began = time.monotonic()
        done = subprocess.run([harness.program("llmb"), "--names", "models"], capture_output=True, timeout=harness.CALL_SECONDS,
                              env=env(socket_path=tmp_path / "sock"))
        assert done.returncode != 0 and not done.stdout and not done.stderr, done
        assert time.monotonic() - began < 1 + harness.START_SECONDS / 2


@needs("bash")
def test_no_shell_tells_of_a_broker_that_is_silent(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "sock"))
        silent.listen()
        assert not offered("bash", "llmb ask -m ", socket_path=tmp_path / "sock")


# what would be done, if any of it were evaluated
ODD = ["$(touch ran)", "`touch ran`", "a;touch ran", "a&touch ran&", "it's", 'a"b', "two words", "back\\slash", "x:8b", "a=b", "~x",
       "!x", "*", "{a,b}", "$HOME", "-dash", "a\\(touch ran)"]


@pytest.fixture
def odd(tmp_path):
    """A folder with an llmb whose broker has such names, and which writes down with what else it was called."""
    program = tmp_path / "bin/llmb"
    program.parent.mkdir()
    names = " ".join(shlex.quote(name) for name in ODD)
    program.write_text(f"#!/bin/sh\nif [ \"$1\" = --names ]; then printf '%s\\n' {names}; else\n"
                       f"printf '%s\\0' \"$@\" >>{shlex.quote(str(tmp_path / 'called'))}; fi\n")
    program.chmod(0o755)
    return tmp_path


@shells
def test_what_a_broker_says_is_never_run(shell, odd):
    found = offered(shell, "llmb ask -m ", odd, first=odd / "bin")
    assert len(found) == len(ODD) and not (odd / "ran").exists()
    if shell == "bash":  # which puts it on the line as it is
        for shown, name in zip(found, ODD):
            done = subprocess.run(["bash", "-c", f"printf %s {shown}"], cwd=odd, capture_output=True, text=True,
                                  timeout=harness.CALL_SECONDS)
            assert done.stdout == name, shown
        assert offered("bash", "llmb ask -m '", odd, first=odd / "bin") == ["x:8b", "a=b", "-dash"]
    for begin in ("'$(to", '"$(to', "$(to", "$\\(to", "`to", "--model=$(to"):
        offered(shell, f"llmb ask -m {begin}", odd, first=odd / "bin")
    assert not (odd / "ran").exists()


class Terminal:
    """A shell that somebody types at."""

    SHELLS = {"bash": (["bash", "--norc", "--noprofile", "-i"], "source {path}\n"),
              "zsh": (["zsh", "-f", "-i"], "fpath=({folder} $fpath); autoload -Uz compinit; compinit -D -u\n")}

    def __init__(self, shell, folder):
        argv, begin = self.SHELLS[shell]
        path = FOLDER / FILES[shell].format("llmb")
        self.shown = ""
        self.master, slave = os.openpty()
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=folder, start_new_session=True,
                                        env={**env(first=folder / "bin"), "TERM": "dumb", "PS1": "> ", "INPUTRC": "/dev/null"})
        os.close(slave)
        self.type(begin.format(path=shlex.quote(str(path)), folder=shlex.quote(str(path.parent))))
        self.type("echo rea''dy\n")
        self.wait_for("ready")

    def type(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, text):
        """Until it shows that, behind all that it has shown."""
        def shows():
            while select.select([self.master], [], [], 0)[0]:
                self.shown += os.read(self.master, 4096).decode(errors="replace")
            return text in self.shown
        harness.wait_until(shows, harness.START_SECONDS, lambda: f"{text!r} is shown: {self.shown!r}")
        self.shown = self.shown.split(text, 1)[1]

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in Terminal.SHELLS])
@pytest.mark.parametrize("begin, shown, wanted", [("two", "\\ words", "two words"), ("x:", "8b", "x:8b"), ("it", "\\'s", "it's")])
def test_it_is_typed(shell, begin, shown, wanted, odd):
    """In the shell's own editor: what stands on the line is the name, and one word."""
    terminal = Terminal(shell, odd)
    try:
        terminal.type(f"llmb ask --model {begin}\t")
        terminal.wait_for(shown)  # for the shell may take what is typed meanwhile as a word of its own
        terminal.type("\n")
        called = odd / "called"
        harness.wait_until(lambda: called.exists() and called.read_bytes().endswith(b"\0"), harness.CALL_SECONDS, "it was called")
        assert called.read_bytes().split(b"\0")[:-1] == [b"ask", b"--model", wanted.encode()]
        assert not (odd / "ran").exists()
    finally:
        terminal.close()


# ---- what is installed ----

def test_what_is_installed(tmp_path):
    """Where shells look: what was made, or what a packager has brought along."""
    brought = tmp_path / "brought"
    for name in FILES.values():
        for program in PROGRAMS:
            file = brought / name.format(program)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(program)
    for made in (FOLDER, brought):
        root = tmp_path / f"of-{made.name}"
        subprocess.run(["make", "-C", harness.TOP, "-o", "all", f"B={harness.bin_dir().parent}", "install", f"DESTDIR={root}",
                        "PREFIX=/usr", f"COMPLETIONS={made}"], check=True, capture_output=True, env=CLEAN,
                       timeout=harness.CALL_SECONDS)
        for program in PROGRAMS:
            for to, name in (("bash-completion/completions", program), ("zsh/site-functions", f"_{program}"),
                             ("fish/vendor_completions.d", f"{program}.fish")):
                shell = to[:4].rstrip("/-")
                wanted = made / FILES[shell].format(program)
                assert (root / "usr/share" / to / name).read_bytes() == wanted.read_bytes()
        assert (root / "usr/share/applications/llm-broker-agent.desktop").exists()


@needs("desktop-file-validate")
def test_the_desktop_entry():
    entry = harness.TOP / "packaging/applications/llm-broker-agent.desktop"
    done = subprocess.run(["desktop-file-validate", entry], capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    assert done.returncode == 0 and not done.stdout and not done.stderr, done
    assert "\nExec=llm-broker-agent\n" in entry.read_text()
