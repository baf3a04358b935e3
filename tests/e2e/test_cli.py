"""test_cli.py - does llmb keep its word to people and to scripts?"""

import contextlib
import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import harness
import pytest

KEY = "sk-cli-0123456789abcdef"
DAY = 86400


def configured(provider):
    return (harness.provider_section(provider, "test", model="gpt-test") +
            harness.section("model", "test/gpt-test",
                            {"price_input": "0.15", "price_output": "0.60"}))


# --- the line

@pytest.mark.parametrize("args, code, says", [
    ([], 0, "llmb key add openai"),
    (["--help"], 0, "doctor"),
    (["--version"], 0, "llmb 0."),
    (["ask", "--help"], 0, "--no-stream"),
    (["key", "add", "-h"], 0, "--from-stdin"),
    (["key"], 2, "llmb key rm"),
    (["aks"], 2, "is `llmb ask` meant?"),
    (["key", "lsit"], 2, "is `llmb key list` meant?"),
    (["ask", "--modle", "x", "hi"], 2, "is --model meant?"),
    (["ask", "--mod", "x", "hi"], 2, "there is no option --mod"),
    (["ask", "-Z"], 2, "there is no option -Z"),
    (["ask", "--timeout", "soon", "hi"], 2, "a duration such as 30s"),
    (["ask", "--timeout", "30d", "hi"], 2, "at most 24d"),
    (["key", "rotate", "x", "--overlap", "31d"], 2, "at most 30d"),
    (["ask", "--temperature", "warm", "hi"], 2, "a number is wanted"),
    (["ask", "--timeout"], 2, "--timeout wants TIME"),
    (["ask", "-a", "/nonexistent", "hi"], 2, "No such file"),
    (["ask", ""], 2, "the question is empty"),
    (["key", "add"], 2, "PROVIDER[/LABEL] is missing"),
    (["key", "rm", "a", "b"], 2, 'what is "b"?'),
    (["usage", "--by", "colour"], 2, "kind, surface, op, hour, day or month is wanted"),
    (["usage", "--by", "day,", "--json"], 2, "is wanted"),
    (["usage", "--zone", "Europe/Atlantis"], 2, "like Europe/Berlin or UTC"),
    (["usage", "--zone", "../../etc/passwd"], 2, "a time zone is wanted"),
    (["usage", "--export", "xml"], 2, "csv or jsonl is wanted"),
    (["usage", "--attempts"], 2, "goes with --export"),
    (["usage", "--billed", "--export", "csv"], 2, "--billed is for sums"),
    (["usage", "--csv", "--json"], 2, "one of --json, --csv and --export"),
    (["usage", "--estimates", "--by", "app"], 2, "one of --by, --estimates, --export and --prompt"),
    (["usage", "--since", "yesterday"], 2, "24h, 7d or 2026-01-31"),
    (["vault", "passphrase", "--remove", "--drop-key-file"], 2, "--remove goes with neither"),
])
def test_what_stands_on_the_line(broker, args, code, says):
    made = harness.Broker()
    try:
        done = made.llmb(*args)  # nobody listens, and nobody is needed
        assert done.code == code, done
        assert says in (done.out if code == 0 or not done.err else done.err)
    finally:
        made.close()


def commands(made, *group):
    """All that the help names: [("ask",), ..., ("key", "add"), ...]."""
    start = "  " if not group else f"  llmb {group[0]} "
    found = []
    for line in made.llmb(*group, "--help").out.splitlines():
        name = line.removeprefix(start).split(" ")[0]
        if line.startswith(start) and name.isalpha():
            found.append((*group, name))
    return found


def test_every_command_explains_itself_and_refuses_what_it_does_not_know():
    made = harness.Broker()
    try:
        all_commands = commands(made)
        assert len(all_commands) > 15
        for group in list(all_commands):
            if "usage:" not in made.llmb(*group, "--help").out:
                inner = commands(made, *group)
                assert len(inner) > 1, group
                all_commands += inner
        for words in all_commands:
            done = made.llmb(*words, "--help")
            assert done.code == 0 and f"llmb {' '.join(words)} " in done.out, (words, done)
            done = made.llmb(*words, "--bogus")
            assert done.code == 2 and "--bogus" in done.err, (words, done)
            assert words == ("daemon",) or made.llmb(*words).code >= 0, words
    finally:
        made.close()


def test_no_broker_is_its_own_exit_code():
    made = harness.Broker()
    try:
        done = made.llmb("ask", "hi")
        assert done.code == 4 and str(made.socket) in done.err
        done = made.llmb("status", "--json")
        error = json.loads(done.out)["error"]
        assert done.code == 4 and error["class"] == "unreachable" and error["exit"] == 4
        done = made.llmb("doctor", "--json")
        report = json.loads(done.out)
        assert done.code == 1 and not report["ok"]
        assert [c["name"] for c in report["checks"] if c["status"] == "fail"] == ["broker"]
    finally:
        made.close()


def test_config_check_needs_no_broker():
    made = harness.Broker('[provider "x"]\nbase_url = http://example.com\nnonsense = 1\n')
    try:
        done = made.llmb("config", "check", "--config", made.config_file)
        assert done.code == 1 and "nonsense" in done.err and done.out == ""
        made.configure("")
        done = made.llmb("config", "check", "--config", made.config_file, "--json")
        assert done.code == 0 and json.loads(done.out)["ok"] is True
    finally:
        made.close()


def test_config_check_looks_at_what_the_running_broker_reads(broker):
    made = broker()
    done = made.llmb("config", "check")
    assert (done.code, done.out) == (0, f"{made.config_file}: ok\n"), done
    made.configure("nonsense = 1\n")
    done = made.llmb("config", "check")
    assert done.code == 1 and str(made.config_file) in done.err, done
    made.config_file.unlink()
    done = made.llmb("config", "check", "--json")
    assert done.code == 0 and json.loads(done.out) == {
        "ok": True, "path": str(made.config_file),
        "message": f"{made.config_file}: there is none: the defaults hold"}
    made.configure("")
    made.stop()
    assert "the defaults hold" in made.llmb("config", "check").out, "of nobody's own"
    assert not made.socket.exists() and made.process is None


# --- questions

def test_stdin_and_words_are_one_question(broker):
    made = broker()
    assert made.llmb("ask", "-m", "offline/echo", input="from stdin\n").out == "from stdin\n"
    assert made.llmb("ask", "-m", "offline/echo", "-", input="a dash").out == "a dash\n"
    assert made.llmb("ask", "-m", "offline/echo", "several", "words").out == "several words\n"


def test_the_cost_line_is_asked_for_or_on_a_terminal(broker):
    made = broker()
    done = made.llmb("ask", "-m", "offline/echo", "--usage", "one two three")
    assert done.err.startswith("offline/echo · 3 in, 3 out · 0.000000 USD · ")
    assert made.llmb("ask", "-m", "offline/echo", "hi").err == ""


@pytest.mark.parametrize("more", [[], ["--no-stream"]])
def test_json_is_one_object_a_line(broker, provider, more):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script(answer={"text": "four words of text"})
    done = made.llmb("ask", "-m", "test/gpt-test", "--json", "hi", *more)
    lines = [json.loads(line) for line in done.out.splitlines()]
    last = lines[-1]
    assert last["type"] == ("answer" if more else "done")
    assert last["text"] == "four words of text"
    assert last["provider"] == "test" and last["stop_reason"] == "stop"
    assert last["usage"]["input"] > 0 and last["usage"]["cost_nusd"] > 0
    pieces = "".join(line["text"] for line in lines if line["type"] == "text")
    assert pieces == ("" if more else last["text"])


def test_an_error_has_its_code_and_its_object(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script({"status": 401}, {"status": 401})
    done = made.llmb("ask", "-m", "test/gpt-test", "hi")
    assert done.code == 7 and done.out == "" and "test" in done.err
    done = made.llmb("ask", "-m", "test/gpt-test", "--json", "hi")
    error = json.loads(done.out)["error"]
    assert done.code == 7 and error["class"] == "auth" and error["http_status"] == 401
    assert KEY not in done.out + done.err
    assert made.llmb("ask", "-m", "nobody/nothing", "hi").code == 7


def test_a_timeout_is_124(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script(hold=1, answer={"text": "far too late"})
    done = made.llmb("ask", "-m", "test/gpt-test", "--timeout", "300ms", "hi")
    assert done.code == 124, done
    provider.wait_disconnect()


@pytest.mark.parametrize("more", [[], ["--no-stream"]])
def test_ctrl_c_cancels_upstream(broker, provider, more):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script(hold="start" if more else 2, answer={"text": "first then the rest"})
    running = made.llmb_start("ask", "-m", "test/gpt-test", "hi", *more)
    provider.wait_held()
    if not more:
        running.read_until(b"first")
    running.signal(signal.SIGINT)
    done = running.finish()
    assert done.code == 130
    provider.wait_disconnect()
    row = made.wait_ledger(1, 1)["exchange"][0]
    assert row["outcome"] != "ok"


def test_a_reader_that_leaves_ends_it(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script(hold=2, answer={"text": "first " + "and on " * 2000})
    running = made.llmb_start("ask", "-m", "test/gpt-test", "hi")
    running.read_until(b"first")
    running.process.stdout.close()
    provider.release()
    assert running.process.wait(harness.CALL_SECONDS) == -signal.SIGPIPE


def test_an_attachment_is_sent(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    image = made.folder / "dot.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    done = made.llmb("ask", "-m", "test/gpt-test", "-a", image, "what is this?")
    assert done.code == 0, done.err
    content = provider.requests()[0].json["messages"][-1]["content"]
    assert any("data:image/png;base64,iVBORw0K" in json.dumps(part) for part in content)


def test_options_reach_the_provider(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    done = made.llmb("ask", "-m", "test/gpt-test", "-s", "be brief", "--temperature", "0.5",
                     "--max-tokens", "7", "hi")
    assert done.code == 0, done.err
    body = provider.requests()[0].json
    assert body["messages"][0]["content"] == "be brief"
    assert body["temperature"] == 0.5
    assert 7 in (body.get("max_tokens"), body.get("max_completion_tokens"))


# --- conversations

def test_a_chat_remembers(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script({"answer": {"text": "I am one"}}, {"answer": {"text": "two"}},
                    {"answer": {"text": "three"}})
    done = made.llmb("chat", "-m", "test/gpt-test", "-s", "be kind",
                     input="who are you?\nand then?\n/clear\nagain\\\nand again\n/quit\nunsaid\n")
    assert done.code == 0, done.err
    assert done.out == "I am one\ntwo\nthree\n"
    said = [[(m["role"], m["content"]) for m in seen.json["messages"]]
            for seen in provider.requests()]
    system = ("system", "be kind")
    assert said == [
        [system, ("user", "who are you?")],
        [system, ("user", "who are you?"), ("assistant", "I am one"), ("user", "and then?")],
        [system, ("user", "again\nand again")],
    ]


def test_a_failed_turn_leaves_no_trace(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script({"status": 400}, {"answer": {"text": "yes"}})
    done = made.llmb("chat", "-m", "test/gpt-test", input="first\nsecond\n")
    assert done.out == "yes\n" and done.code == 0
    assert [m["content"] for m in provider.requests()[1].json["messages"]] == ["second"]


# --- keys and the vault

def test_a_key_comes_and_goes(broker, provider):
    made = broker(configured(provider))
    done = made.llmb("key", "add", "test/work", "--from-stdin", "--json", input=KEY + "\r\n")
    added = json.loads(done.out)
    assert done.code == 0 and added["label"] == "work" and added["created_vault"] is True
    listed = made.llmb("key", "list")
    assert "test" in listed.out and "work" in listed.out
    keys = json.loads(made.llmb("key", "list", "--json").out)["keys"]
    assert [(k["provider"], k["label"]) for k in keys] == [("test", "work")]
    done = made.llmb("key", "test", "test/work")
    assert done.code == 0 and "works" in done.err
    assert made.llmb("key", "rm", "test/work").code == 0
    assert json.loads(made.llmb("key", "list", "--json").out)["keys"] == []
    assert made.llmb("key", "rm", "test/work").code != 0
    for text in (listed.out, listed.err, made.log()):
        assert KEY not in text


def test_a_key_by_descriptor(broker, provider):
    made = broker(configured(provider))
    file = made.folder / "key"
    file.write_text(KEY + "\n")
    with open(file, "rb") as key:
        done = subprocess.run(
            [harness.program("llmb"), "key", "add", "test", "--from-fd", str(key.fileno()),
             "--no-input"], env=made.client_env(), pass_fds=[key.fileno()], capture_output=True,
            stdin=subprocess.DEVNULL, timeout=harness.CALL_SECONDS)
    assert done.returncode == 0, done.stderr
    made.llmb("ask", "-m", "test/gpt-test", "hi")
    assert provider.requests()[0].header("authorization") == ["Bearer " + KEY]


@pytest.mark.parametrize("text, says", [
    ("", "nothing was given"), ("\n", "nothing was given"), ("two\nlines\n", "line break"),
    ("x" * 20000, "longer than 16384 bytes"),
])
def test_what_is_no_key(broker, provider, text, says):
    made = broker(configured(provider))
    done = made.llmb("key", "add", "test", "--from-stdin", input=text)
    assert done.code == 2 and says in done.err
    assert "two" not in done.err
    assert not (made.state_dir / "vault").exists()


def test_no_terminal_no_question(broker):
    made = broker()
    for args in (("key", "add", "openai"), ("vault", "passphrase")):
        done = made.llmb(*args, "--no-input")
        assert done.code == 2 and "--from-stdin" in done.err


def test_a_passphrase_is_set_and_needed(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    done = made.llmb("vault", "passphrase", "--from-stdin", "--drop-key-file", "--json",
                     input="correct horse\n")
    state = json.loads(done.out)
    assert done.code == 0, done.err
    assert state["passphrase"] is True and state["unattended"] is False
    assert made.llmb("vault", "lock").code == 0
    assert made.llmb("ask", "-m", "test/gpt-test", "hi").code == 5
    done = made.llmb("vault", "unlock", "--from-stdin", input="wrong horse\n")
    assert done.code == 5 and "passphrase" in done.err
    assert made.llmb("vault", "unlock", "--from-stdin", input="correct horse\n").code == 0
    assert made.llmb("ask", "-m", "test/gpt-test", "hi").code == 0
    assert "open" in made.llmb("vault", "unlock", "--no-input").out
    for text in (made.log(), done.out, done.err):
        assert "horse" not in text.replace("wrong horse", "")


class Terminal:
    """A program on a terminal of its own, which shows what it shows."""

    def __init__(self, made, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(made.folder)
                env = {**made.client_env(), "TERM": "xterm"}
                os.execve(harness.program("llmb"), ["llmb", *args], env)
            finally:
                os._exit(127)
        self.shown = b""

    def wait_for(self, text):
        until = time.monotonic() + harness.CALL_SECONDS
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            try:
                self.shown += os.read(self.fd, 4096)
            except OSError:  # the program has left
                assert text in self.shown, self.shown

    def type(self, text):
        os.write(self.fd, text)

    def end(self):
        while True:
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                break
            if not data:
                break
            self.shown += data
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_prompt_shows_no_key(broker, provider):
    made = broker(configured(provider))
    terminal = Terminal(made, "key", "add", "test")
    terminal.wait_for(b"Key for test (not shown): ")
    terminal.type(b"oops\x15" + KEY.encode() + b"x\x7f\r")
    terminal.wait_for(b"empty for none")
    terminal.type(b"\r")
    assert terminal.end() == 0, terminal.shown
    assert b"added test" in terminal.shown and KEY.encode() not in terminal.shown
    made.llmb("ask", "-m", "test/gpt-test", "hi")
    assert provider.requests()[0].header("authorization") == ["Bearer " + KEY]


def test_the_first_key_asks_what_opens_its_vault(broker, provider):
    made = broker(configured(provider))
    terminal = Terminal(made, "key", "add", "test")
    terminal.wait_for(b"Key for test")
    terminal.type(KEY.encode() + b"\r")
    terminal.wait_for(b"empty for none")
    terminal.type(b"a horse\r")
    terminal.wait_for(b"Once more")
    terminal.type(b"a mule\r")
    assert terminal.end() == 2 and b"differ" in terminal.shown
    assert not (made.state_dir / "vault").exists()
    terminal = Terminal(made, "key", "add", "test")
    terminal.wait_for(b"Key for test")
    terminal.type(KEY.encode() + b"\r")
    terminal.wait_for(b"empty for none")
    terminal.type(b"a horse\r")
    terminal.wait_for(b"Once more")
    terminal.type(b"a horse\r")
    assert terminal.end() == 0 and b"llmb vault add recovery" in terminal.shown, terminal.shown
    assert b"horse" not in terminal.shown and not (made.state_dir / "vault.key").exists()
    assert made.llmb("ask", "-m", "test/gpt-test", "hi").code == 0
    made.restart()
    assert made.llmb("ask", "-m", "test/gpt-test", "hi").code == 5
    assert made.llmb("vault", "unlock", "--from-stdin", input="a horse\n").code == 0
    terminal = Terminal(made, "key", "add", "test")
    terminal.wait_for(b"Key for test")
    terminal.type(KEY.encode() + b"\r")
    assert terminal.end() == 0 and b"none" not in terminal.shown, "there is a vault now"


def test_a_prompt_can_be_left(broker, provider):
    made = broker(configured(provider))
    terminal = Terminal(made, "key", "add", "test")
    terminal.wait_for(b"Key for test")
    terminal.type(b"half\x03")
    assert terminal.end() == 130
    assert not (made.state_dir / "vault").exists()


def test_a_passphrase_is_asked_for_twice(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    terminal = Terminal(made, "vault", "passphrase")
    terminal.wait_for(b"New passphrase")
    terminal.type(b"one horse\r")
    terminal.wait_for(b"Once more")
    terminal.type(b"another horse\r")
    assert terminal.end() == 2 and b"differ" in terminal.shown
    assert json.loads(made.llmb("vault", "status", "--json").out)["passphrase"] is False


def test_a_terminal_is_asked_before_a_key_goes(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    terminal = Terminal(made, "key", "rm", "test")
    terminal.wait_for(b"[y/N]")
    terminal.type(b"n\r")
    assert terminal.end() == 1
    assert len(json.loads(made.llmb("key", "list", "--json").out)["keys"]) == 1


def test_no_answer_takes_over_a_terminal(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script(answer={"text": "\x1b]0;owned\x07 plain"})
    terminal = Terminal(made, "ask", "-m", "test/gpt-test", "hi")
    assert terminal.end() == 0, terminal.shown
    assert b"plain" in terminal.shown and b"\x1b" not in terminal.shown
    provider.script(answer={"text": "\x1b[1mbold"})
    assert made.llmb("ask", "-m", "test/gpt-test", "hi").out == "\x1b[1mbold\n", "but a file gets all"


def test_ctrl_c_in_a_chat_cancels_the_answer_alone(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script({"hold": 2, "answer": {"text": "never ending story"}},
                    {"answer": {"text": "still here"}})
    terminal = Terminal(made, "chat", "-m", "test/gpt-test")
    terminal.wait_for(b"> ")
    terminal.type(b"tell me\r")
    terminal.wait_for(b"never")
    terminal.type(b"\x03")
    terminal.wait_for(b"cancelled")
    terminal.type(b"are you there?\r")
    terminal.wait_for(b"still here")
    terminal.type(b"\x04")
    assert terminal.end() == 0, terminal.shown


# --- what there is to see

def test_status_models_usage(broker, provider):
    made = broker(configured(provider) + harness.section(
        "model", "fast", {"target": "test/gpt-test"}))
    made.add_key("test", KEY)
    for _ in range(2):
        assert made.llmb("ask", "-m", "fast", "hi").code == 0
    status = json.loads(made.llmb("status", "--json").out)
    assert status["pid"] == made.pid and status["you"]["uid"] == os.getuid()
    assert str(made.socket) in made.llmb("status").out
    models = made.llmb("models").out
    assert "fast" in models and "alias of test/gpt-test" in models and "0.15" in models
    made.wait_ledger(2, 2)
    usage = json.loads(made.llmb("usage", "--by", "model", "--since", "1h", "--json").out)
    assert [(r["key"], r["requests"]) for r in usage["rows"]] == [("test/gpt-test", 2)]
    table = made.llmb("usage", "--by", "app").out
    assert "llmb" in table and "total" in table
    tomorrow = time.strftime("%Y-%m-%d", time.localtime(time.time() + 2 * DAY))
    later = json.loads(made.llmb("usage", "--since", tomorrow, "--json").out)
    assert later["total"]["requests"] == 0


def test_a_healthy_broker_is_told_so(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    done = made.llmb("doctor", "--live", "--json", env={"OPENAI_API_KEY": "sk-in-the-open"})
    report = json.loads(done.out)
    checks = {c["name"]: c for c in report["checks"]}
    assert done.code == 0 and report["ok"], report
    assert checks["broker"]["status"] == checks["offline"]["status"] == "ok"
    assert checks["keys"]["status"] == "warn" and "OPENAI_API_KEY" in checks["keys"]["message"]
    assert "test" in checks["provider"]["message"]
    assert all("fix" in c for c in report["checks"] if c["status"] != "ok")
    assert "sk-in-the-open" not in done.out and KEY not in done.out


# --- a broker of one's own

def own(made):
    """The environment of somebody whose broker the library may start."""
    return {"LLM_BROKER_SOCKET": ""}


def may_start():
    marks = ("/.flatpak-info", "/run/.containerenv")
    return (os.readlink("/proc/self/ns/pid") == "pid:[4026531836]" and
            not any(pathlib.Path(mark).exists() for mark in marks) and
            not (os.geteuid() == 0 and pathlib.Path("/run/systemd/system").exists()))


@pytest.fixture
def home():
    if pathlib.Path("/run/llm-broker/sock").exists():
        pytest.skip("the system's own broker runs here, and is found first")
    made = harness.Broker()
    yield made
    done = made.llmb("status", "--json", env=own(made))
    if done.code == 0:
        pid = json.loads(done.out)["pid"]
        os.kill(pid, signal.SIGTERM)
        harness.wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(),
                           harness.STOP_SECONDS, "the started broker ends")
    made.close()


@pytest.mark.skipif(not may_start(), reason="this is a sandbox, where no broker is started")
def test_the_library_starts_a_broker_and_again_after_a_crash(home):
    socket = pathlib.Path(home.env["XDG_RUNTIME_DIR"]) / "llm-broker/sock"
    assert not socket.exists()
    done = home.llmb("ask", "hello", env=own(home))
    assert (done.code, done.out) == (0, "hello\n"), done.err
    status = json.loads(home.llmb("status", "--json", env=own(home)).out)
    assert status["socket"] == str(socket)
    assert status["state_dir"].startswith(str(home.home))
    os.kill(status["pid"], signal.SIGKILL)
    done = home.llmb("ask", "again", env=own(home))
    assert (done.code, done.out) == (0, "again\n"), done.err
    again = json.loads(home.llmb("status", "--json", env=own(home)).out)
    assert again["pid"] != status["pid"]


@pytest.mark.skipif(not may_start(), reason="this is a sandbox, where no broker is started")
def test_many_at_once_start_one(home):
    all_ = [home.llmb_start("ask", f"number {i}", env=own(home)) for i in range(8)]
    for i, running in enumerate(all_):
        done = running.finish()
        assert (done.code, done.out) == (0, f"number {i}\n"), done.err
    home_brokers = [pid for pid in os.listdir("/proc") if pid.isdigit() and
                    str(home.home).encode() in cmdline(pid) and b"llm-brokerd" in cmdline(pid)]
    harness.wait_until(lambda: len([p for p in home_brokers if cmdline(p)]) == 1,
                       harness.STOP_SECONDS, "one broker stays")


def cmdline(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def dbus_field(code, kind, value):
    if kind == "u":
        return struct.pack("<BBsxI", code, 1, b"u", value)
    size = struct.pack("<B" if kind == "g" else "<I", len(value))
    return struct.pack("<BBsx", code, 1, kind.encode()) + size + value.encode() + b"\0"


def dbus_answer(to, error):
    """To the call of that number: an error of that name, or that a job was made."""
    body = error or "/org/freedesktop/systemd1/job/1"
    fields = b""
    for field in ([dbus_field(4, "s", error)] if error else []) + [dbus_field(5, "u", to), dbus_field(8, "g", "s" if error else "o")]:
        fields += bytes(-len(fields) % 8) + field
    body = struct.pack("<I", len(body)) + body.encode() + b"\0"
    head = struct.pack("<sBBBIII", b"l", 3 if error else 2, 1, 1, len(body), to, len(fields))
    return head + fields + bytes(-len(fields) % 8) + body


class Manager:
    """A user's systemd, as far as `systemctl start` asks for it. `started` are the units; `answer` starts them, or
    returns the name of an error; None: it takes calls, and says nothing."""

    def __init__(self, runtime, answer):
        (runtime / "systemd").mkdir(parents=True)
        self.started, self.answer, self.open = [], answer, []
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(runtime / "systemd/private"))
        self.listening.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                asking = self.listening.accept()[0]
                if self.answer is None:
                    self.open.append(asking)
                    continue
                with asking, contextlib.suppress(ConnectionError):
                    asking.settimeout(harness.CALL_SECONDS)
                    self.talk(asking)

    def talk(self, asking):
        """D-Bus: who it is, line by line, then calls, of which the name of the unit is all that matters."""
        said = b""
        while b"BEGIN\r\n" not in said:
            more = asking.recv(4096)
            if not more:
                return
            for line in more.lstrip(b"\0").split(b"\r\n"):
                if line == b"AUTH EXTERNAL":
                    asking.sendall(b"DATA\r\n")
                elif line == b"DATA" or line.startswith(b"AUTH EXTERNAL "):
                    asking.sendall(b"OK " + b"0" * 32 + b"\r\n")
                elif line == b"NEGOTIATE_UNIX_FD":
                    asking.sendall(b"AGREE_UNIX_FD\r\n")
            said += more
        calls = said.split(b"BEGIN\r\n", 1)[1]
        while True:
            if len(calls) >= 16:
                n_body, number, n_fields = struct.unpack_from("<4xIII", calls)
                n = 16 + (n_fields + 7) // 8 * 8 + n_body
                if len(calls) >= n:
                    asking.sendall(dbus_answer(number, self.take(calls[:n])))
                    calls = calls[n:]
                    continue
            more = asking.recv(4096)
            if not more:
                return
            calls += more

    def take(self, call):
        if b"StartUnit" not in call:
            return "org.freedesktop.DBus.Error.UnknownMethod"
        self.started.append(b"llm-broker.socket" in call)
        return self.answer()

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)  # who waits in accept() has it, too
        self.listening.close()
        for asking in self.open:
            asking.close()


needs_manager = pytest.mark.skipif(not may_start() or not pathlib.Path("/usr/bin/systemctl").exists(),
                                   reason="this is a sandbox, or there is no systemctl")
NO_SUCH_UNIT = "org.freedesktop.systemd1.NoSuchUnit"


@contextlib.contextmanager
def managed(home, answer):
    manager = Manager(pathlib.Path(home.env["XDG_RUNTIME_DIR"]), answer)
    try:
        yield manager
    finally:
        manager.close()


def own_state(home):
    return pathlib.Path(home.env["XDG_STATE_HOME"]) / "llm-broker"


@needs_manager
def test_a_user_s_systemd_is_asked_first(home):
    home.socket = pathlib.Path(home.env["XDG_RUNTIME_DIR"]) / "llm-broker/sock"

    def start():
        home.start()

    with managed(home, start) as manager:
        done = home.llmb("ask", "hello", env=own(home))
        assert (done.code, done.out) == (0, "hello\n"), done.err
        assert manager.started == [True]
        assert json.loads(home.llmb("status", "--json", env=own(home)).out)["pid"] == home.process.pid
    home.stop()
    assert not own_state(home).exists(), "it is systemd that keeps what this one says"


@needs_manager
def test_a_systemd_that_does_not_answer_is_done_without(home):
    with managed(home, lambda: None):
        pass
    done = home.llmb("ask", "hello", env=own(home))
    assert (done.code, done.out) == (0, "hello\n"), done.err


@needs_manager
def test_where_systemd_has_no_such_unit_the_library_starts_a_broker(home):
    with managed(home, lambda: NO_SUCH_UNIT) as manager:
        done = home.llmb("ask", "hello", env=own(home))
    assert (done.code, done.out, manager.started) == (0, "hello\n", [True]), done
    assert (own_state(home) / "llm-brokerd.log").exists()


@needs_manager
@pytest.mark.parametrize("error", ["org.freedesktop.systemd1.UnitMasked", "org.freedesktop.DBus.Error.AccessDenied",
                                   "org.freedesktop.systemd1.LoadFailed"])
def test_who_masks_the_unit_has_no_broker_beside_it(home, error):
    with managed(home, lambda: error) as manager:
        done = home.llmb("ask", "hello", env=own(home))
    assert done.code == 4 and "none is started, for systemd does not start llm-broker.socket" in done.err, done
    assert "masked" in done.err and "systemctl --user status llm-broker.socket" in done.err
    assert set(manager.started) == {True} and not own_state(home).exists()


@needs_manager
def test_where_the_command_alone_is_installed_it_says_so_at_once(home, tmp_path):
    """Not that a broker was started which does not listen, which takes five seconds to find."""
    for name in ("bin/llmb", "lib/libllmclient.so.1"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(harness.bin_dir().parent / name, tmp_path / name)
    with managed(home, lambda: NO_SUCH_UNIT) as manager:
        done = subprocess.run([tmp_path / "bin/llmb", "ask", "hello"], env=home.client_env(own(home)), capture_output=True, text=True,
                              timeout=harness.CALL_SECONDS)
    assert done.returncode == 4 and "no llm-brokerd is installed beside the library" in done.stderr, done
    assert manager.started and not own_state(home).exists()


@needs_manager
@pytest.mark.parametrize("answer, said", [(None, "has not answered in time"), (lambda: None, "nobody listens at")])
def test_what_systemd_has_not_done_in_time(home, answer, said):
    with managed(home, answer):
        done = home.llmb("ask", "hello", env=own(home))
    assert done.code == 4 and "systemd was asked to start llm-broker.socket, " in done.err and said in done.err, done


WHERE_SYSTEMD_RUNS = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec "$@"', "sh"]


def is_place_made():
    return (os.geteuid() == 0 and shutil.which("unshare") is not None and
            subprocess.run([*WHERE_SYSTEMD_RUNS, "true"], stderr=subprocess.DEVNULL).returncode == 0)


@pytest.mark.skipif(not may_start() or not is_place_made(), reason="it takes root, who may mount")
def test_where_systemd_runs_root_starts_none_of_his_own(home):
    """His is the system's, which somebody may have disabled."""
    with managed(home, lambda: NO_SUCH_UNIT) as manager:
        done = subprocess.run([*WHERE_SYSTEMD_RUNS, harness.program("llmb"), "ask", "hello"],
                              env=home.client_env(own(home)), capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    assert done.returncode == 4 and "`systemctl start llm-broker.socket`" in done.stderr, done
    assert manager.started == [] and not own_state(home).exists()


@pytest.mark.parametrize("env", [{"SNAP": "/snap/x"}, {"container": "oci"}])
def test_no_broker_is_started_in_a_sandbox(home, env):
    done = home.llmb("ask", "hello", env={**own(home), **env})
    assert done.code == 4 and "sandbox" in done.err and "llm-broker/sock: No such file" in done.err, done
