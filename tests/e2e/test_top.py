"""test_top.py - does `llmb top` show what the broker does now, to whom it may, and is the terminal as it was afterwards?"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import harness
import pytest
from test_audit import listed
from test_identity import NOBODY, PYTHON, as_user
from test_tail import greeted
from wire import CALL, DATA, END, FAULT

KEY = "sk-test-0123456789abcdef"
PRICES = harness.section("model", "test/m", {"price_input": "0.15", "price_output": "0.60"})
ENTER, LEAVE = b"\033[?1049h", b"\033[?1049l"


@pytest.fixture
def served(broker, provider):
    made = broker(harness.provider_section(provider, model="m") + PRICES)
    made.add_key("test", KEY)
    return made


@pytest.fixture
def held(served, provider):
    """A call whose answer has begun, and which goes on."""
    provider.script(hold=2, answer={"text": "first then the rest of it"})
    asking = served.llmb_start("ask", "-m", "test/m", "anything")
    provider.wait_held(1)
    asking.read_until("first")
    yield asking
    if asking.process.poll() is None:
        provider.release()
        assert asking.finish().code == 0


def once(made):
    done = made.llmb("top", "--once", "--json")
    assert done.code == 0, done
    line, rest = done.out.split("\n")
    assert rest == ""
    return json.loads(line)


# ---- what is told ----

def opened(made):
    with greeted(made) as client:
        client.send_frame(CALL, 1, {"kind": "admin", "op": "usage.open", "credit": 1 << 24, "body": b"{}"})
        frames = client.recv_until(END, FAULT)
        assert frames[-1].type == END, frames
        return json.loads(b"".join(f.body["d"] for f in frames if f.type == DATA))


def test_what_is_open_is_told(served, provider, held):
    told = opened(served)
    assert (told["open"], told["waiting"], told["all"], told["uid"]) == (1, 0, True, os.geteuid()), told
    row, = told["rows"]
    assert (row["provider"], row["target_model"], row["op"], row["state"]) == ("test", "m", "chat", "relay"), row
    assert row["app"] and row["age_us"] >= row["ttft_us"] > 0 and row["text_bytes"] >= len("first") and row["stream"], row
    assert row["output"] is None and not row["waiting"] and row["attempts"] == 1, row
    assert "anything" not in json.dumps(told) and "first" not in json.dumps(told), "nothing of what was answered"
    provider.release()
    assert held.finish().code == 0
    harness.wait_until(lambda: opened(served)["open"] == 0, 10, "it has ended")


def test_who_waits_is_told(served, provider):
    assert served.llmb("budget", "set", "one", "--concurrency", "1").code == 0
    provider.script(hold=1)
    first = served.llmb_start("ask", "-m", "test/m", "3 words")
    provider.wait_held(1)
    second = served.llmb_start("ask", "-m", "test/m", "4 words")
    harness.wait_until(lambda: opened(served)["waiting"] == 1, 20, lambda: opened(served))
    states = [row["state"] for row in opened(served)["rows"]]
    assert states == ["relay", "wait"], "the first one is first"
    seen = once(served)
    assert (seen["open"], seen["waiting"]) == (2, 1), seen
    assert sum(group["waiting"] for group in seen["calls"]) == 1, seen
    provider.release()
    assert first.finish().code == 0 and second.finish().code == 0


def test_of_many_the_oldest_are_listed(served):
    most, n = 256, 300
    with greeted(served) as one, greeted(served) as another, greeted(served) as third:
        for number in range(1, n // 3 + 1):  # whose bodies do not come
            for client in (one, another, third):
                client.send_frame(CALL, number, {"kind": "typed", "op": "chat", "credit": 1 << 16})
        told = harness.wait_until(lambda: (lambda t: t["open"] == n and t)(opened(served)), 20, lambda: opened(served)["open"])
        assert len(told["rows"]) == most and {row["state"] for row in told["rows"]} == {"body"}
        seen = once(served)
        assert seen["open"] == n and sum(group["calls"] for group in seen["calls"]) == most, seen
        page = served.llmb("top", "--once").out
        assert f"{n - most} more" in page, page


LOOK = """
import sys, msgpack
from wire import CALL, DATA, END, FAULT, HELLO, WELCOME, WireClient
client = WireClient(sys.argv[1], timeout=20)
client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "theirs"})
client.recv_until(WELCOME)
client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "credit": 1 << 16})
client.send_frame(CALL, 2, {"kind": "admin", "op": "usage.open", "credit": 1 << 20, "body": b"{}"})
print(b"".join(f.body["d"] for f in client.recv_until(END, FAULT) if f.type == DATA).decode(), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's program is wanted")
def test_nobody_is_told_of_others(broker, provider):
    def rule(name, uid):
        return harness.section("policy", name, {"user": uid, "kind": "host", "operation": "*"})
    made = broker(harness.provider_section(provider, model="m") + PRICES + rule("mine", os.geteuid()) + rule("guest", NOBODY))
    made.add_key("test", KEY)
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    provider.script(hold=1)
    asking = made.llmb_start("ask", "-m", "test/m", "3 words")
    provider.wait_held(1)
    env = {**made.env, "PYTHONPATH": str(harness.TOP / "tests/lib"), "PYTHONDONTWRITEBYTECODE": "1"}
    theirs = subprocess.Popen([*as_user(NOBODY), PYTHON, "-c", LOOK, str(made.socket)], cwd="/", text=True, env=env,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        told = json.loads(theirs.stdout.readline())
        assert (told["open"], told["all"], told["uid"]) == (1, False, NOBODY), told
        assert [row["uid"] for row in told["rows"]] == [NOBODY], told
        assert sorted(row["uid"] for row in opened(made)["rows"]) == sorted([os.geteuid(), NOBODY])
        page = subprocess.run([*as_user(NOBODY), harness.program("llmb"), "top", "--once", "--json", "--socket", str(made.socket)],
                              cwd="/", capture_output=True, text=True, timeout=harness.CALL_SECONDS, env=env,
                              stdin=subprocess.DEVNULL)
        assert page.returncode == 0, page
        seen = json.loads(page.stdout)
        assert seen["open"] == 1 and not seen["all"] and seen["minute"]["calls"] == 0 and seen["today"]["requests"] == 0, seen
    finally:
        theirs.communicate("")
    seen = once(made)
    assert seen["minute"]["calls"] >= 1 and seen["today"]["requests"] >= 1, seen
    provider.release()
    assert asking.finish().code == 0


# ---- pages and lines ----

def test_a_page_as_text(served, provider, held):
    assert served.llmb("ask", "-m", "offline/echo", "3 words").code == 0
    provider.script(status=400, body={"error": {"message": "no"}}, times=1)
    assert served.llmb("ask", "-m", "test/m", "8 words").code != 0
    for args in ((), ("--once",)):
        done = served.llmb("top", *args)
        assert done.code == 0 and done.err == "" and "\033" not in done.out, done
        assert "calls of all users" in done.out and "now       1 open, 0 waiting" in done.out, done.out
        assert "2 ended, 1 failed" in done.out and "loop      0 stalls" in done.out, done.out
        row = done.out.splitlines()[-1].split()
        assert row[0] == "1" and row[1] == "-" and row[-1] == "test/m", done.out
    seen = once(served)
    assert seen["open"] == 1 and seen["calls"][0]["model"] == "test/m" and seen["calls"][0]["calls"] == 1, seen
    minute = seen["minute"]
    assert (minute["calls"], minute["failed"]) == (2, 1) and minute["tokens"] > 0, seen
    assert minute["total_p99_us"] >= minute["total_p50_us"] >= minute["ttft_p50_us"] >= 0, seen
    assert seen["today"]["requests"] == 2 and seen["loop"]["stalls"] >= 0 and seen["calls_per_s"] > 0, seen
    assert "trouble" not in seen
    assert served.llmb("status").code == 0
    kinds = [record["what"] for record in listed(served)]
    assert not [kind for kind in kinds if "usage" in kind or "metrics" in kind], "who looks changes nothing"


def test_lines_go_on(served):
    watching = served.llmb_start("top", "--json")
    text, seen = "", []

    def more():
        nonlocal text
        while select.select([watching.process.stdout.fileno()], [], [], 0.05)[0]:
            got = os.read(watching.process.stdout.fileno(), 65536).decode()
            if not got:
                break
            text += got
        *whole, text = text.split("\n")
        seen.extend(map(json.loads, whole))
        return seen
    harness.wait_until(lambda: len(more()) >= 2, 20, lambda: seen)
    assert served.llmb("ask", "-m", "test/m", "5 words").code == 0
    harness.wait_until(lambda: more()[-1]["minute"]["calls"] == 1, 20, lambda: seen)
    harness.wait_until(lambda: more()[-1]["today"]["cost_nusd"], 20, lambda: seen)
    served.kill9()
    harness.wait_until(lambda: more()[-1].get("trouble") and seen[-1]["open"] is None, 20, lambda: seen)
    served.start()
    harness.wait_until(lambda: more()[-1]["open"] == 0 and "trouble" not in seen[-1], 40, lambda: seen)
    assert watching.process.poll() is None
    watching.signal(signal.SIGINT)
    assert watching.finish().code == -signal.SIGINT


def test_without_a_broker(served):
    served.stop()
    done = served.llmb("top", "--once")
    assert done.code == 4 and done.out == "" and "llmb: " in done.err, done


def test_who_may_not(broker, provider):
    made = broker(harness.section("policy", "little", {"user": os.geteuid(), "kind": "host", "operation": "use"}))
    done = made.llmb("top", "--once")
    assert done.code == 3 and "usage.open" in done.err and done.out == "", done


def test_who_may_little(broker):
    made = broker(harness.section("policy", "little", {"user": os.geteuid(), "kind": "host", "operation": "usage.o*"}))
    seen = once(made)
    assert seen["open"] == 0 and seen["today"]["requests"] is None and seen["loop"]["stalls"] is None, seen
    assert "usage.follow" in seen["trouble"], seen


# ---- on a terminal ----

class Screen:
    """`llmb top` on a terminal of its own, and what that shows, without the sequences."""

    def __init__(self, made, *args, size=(24, 100), argv=None):
        self.master, self.slave = pty.openpty()
        self.resize(*size, tell=False)
        self.before = termios.tcgetattr(self.slave)
        self.raw, self.mark = b"", 0
        env = made.client_env({"TERM": "xterm", "PYTHONDONTWRITEBYTECODE": "1"})
        self.process = subprocess.Popen(argv or [harness.program("llmb"), "top", *args], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, env=env, cwd=made.folder, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, lines, columns, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0.02)[0]:
            got = os.read(self.master, 65536)
            if not got:
                return
            self.raw += got

    def pages(self):
        """All that were shown whole, since `go_on`: lists of lines."""
        self.read()
        return [[line.split(b"\033[K")[0].decode() for line in page.split(b"\033[J")[0].split(b"\r\n")]
                for page in self.raw[self.mark:].split(b"\033[H")[1:] if b"\033[J" in page]

    def go_on(self):
        self.mark = len(self.raw)

    def wait(self, is_it, what):
        def shows():
            pages = self.pages()
            return pages and is_it(pages[-1]) and pages[-1]
        return harness.wait_until(shows, 30, lambda: (what, self.raw[-4000:]))

    def type(self, text):
        os.write(self.master, text)

    def modes(self):
        return termios.tcgetattr(self.slave)

    def is_quiet(self):
        return not self.modes()[3] & (termios.ECHO | termios.ICANON)

    def end(self):
        """Its status, once the terminal is as it was."""
        def has_ended():
            self.read()  # or it would wait for room
            return self.process.poll() is not None
        harness.wait_until(has_ended, 20, lambda: self.raw[-4000:])
        self.read()
        assert self.modes() == self.before
        assert self.raw.rfind(LEAVE) > self.raw.rfind(ENTER) >= 0, self.raw[-2000:]
        assert self.raw.rfind(b"\033[?25h") > self.raw.rfind(b"\033[?25l"), "there is a cursor"
        assert self.raw.rfind(b"\033[?7h") > self.raw.rfind(b"\033[?7l"), "and lines go on"
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master, self.slave):
            try:
                os.close(fd)
            except OSError:
                pass


@pytest.fixture
def screen(served):
    made = []

    def open_one(*args, **options):
        made.append(Screen(served, *args, **options))
        return made[-1]
    yield open_one
    for one in made:
        one.close()


def has_call(page):
    return any(line.split()[:1] == ["1"] and line.endswith("test/m") for line in page)


def test_it_is_seen_and_left(screen, provider, held):
    top = screen()
    page = top.wait(has_call, "the call that is held")
    assert top.is_quiet() and len(page) <= 24 and page[0].startswith("llmb top"), page
    provider.release()
    assert held.finish().code == 0
    top.wait(lambda p: not has_call(p) and "now       0 open" in p[1] and "1 ended" in p[2], "it has ended")
    top.type(b"xq")
    assert top.end() == 0


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP),
                                            (signal.SIGINT, 130)])
def test_a_signal_ends_it(screen, number, status):
    top = screen()
    top.wait(lambda p: "now " in p[1], "a page")
    if number == signal.SIGINT:
        top.type(b"\x03")
    else:
        os.kill(top.process.pid, number)
    assert top.end() == status


def test_a_window_of_another_size(screen, held):
    top = screen(size=(30, 120))
    top.wait(has_call, "a page")
    for lines, columns in ((5, 20), (3, 1), (40, 200)):
        top.go_on()
        top.resize(lines, columns)
        page = top.wait(lambda p: len(p) == min(lines, 9) and (columns >= 100 or max(map(len, p)) == columns),
                        f"{lines} lines of {columns}")
        assert max(map(len, page)) <= columns, page
    top.type(b"q")
    assert top.end() == 0


def test_the_brokers_end_is_told(screen, served):
    top = screen()
    top.wait(lambda p: "now       0 open" in p[1], "a page")
    served.kill9()
    top.wait(lambda p: p[1].startswith("TROUBLE") and "now       - open" in p[2], "it says so")
    served.start()
    top.wait(lambda p: "now       0 open" in p[1], "it is there again")
    top.type(b"q")
    assert top.end() == 0


SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], [sys.argv[1], "top"])
_, status = os.waitpid(child, os.WUNTRACED)
assert os.WIFSTOPPED(status), status
os.tcsetpgrp(0, os.getpgrp())
os.write(1, b"<stopped>")
os.kill(child, signal.SIGCONT)  # as bg does it
os.read(0, 1)
os.tcsetpgrp(0, child)
os.kill(child, signal.SIGCONT)
_, status = os.waitpid(child, 0)
os.tcsetpgrp(0, os.getpgrp())
os._exit(os.waitstatus_to_exitcode(status))
"""


def test_it_is_stopped_and_goes_on(screen):
    top = screen(argv=[sys.executable, "-c", SHELL, harness.program("llmb")])
    top.wait(lambda p: "now " in p[1], "a page")
    top.type(b"\x1a")
    harness.wait_until(lambda: top.read() or b"<stopped>" in top.raw, 20, lambda: top.raw)
    assert top.modes() == top.before and top.raw.rfind(LEAVE) > top.raw.rfind(ENTER)
    shown = top.raw
    time.sleep(1.2)  # more than a turn: in the background it neither shows anything nor stops again
    top.read()
    assert top.raw == shown and top.modes() == top.before
    top.go_on()
    top.type(b"\n")
    top.wait(lambda p: "now " in p[1], "it goes on")
    assert ENTER in top.raw[top.mark:] and top.is_quiet()
    top.type(b"q")
    assert top.end() == 0


def test_a_terminal_that_is_held_up(screen):
    """Ctrl-S: it waits for nobody, and is ended all the same."""
    top = screen()
    top.wait(lambda p: "now " in p[1], "a page")
    termios.tcflow(top.slave, termios.TCOOFF)
    os.kill(top.process.pid, signal.SIGTERM)
    harness.wait_until(lambda: top.process.poll() is not None, 20, "it has ended")
    assert top.process.returncode == -signal.SIGTERM and top.modes() == top.before


def test_a_terminal_that_goes(screen):
    top = screen()
    top.wait(lambda p: "now " in p[1], "a page")
    os.close(top.slave)
    os.close(top.master)
    assert top.process.wait(timeout=harness.CALL_SECONDS) in (-signal.SIGHUP, 1)


def test_names_of_others_are_no_sequences(screen, served, provider):
    provider.script(hold=1)
    asking = served.llmb_start("ask", "-m", "test/a\u202em\u2067", "hi")
    provider.wait_held(1)
    top = screen()
    top.wait(lambda p: any("test/a?m?" in line for line in p), "its name")
    top.type(b"q")
    assert top.end() == 0
    rest = top.raw
    for known in (ENTER, LEAVE, b"\033[?25l", b"\033[?25h", b"\033[?7l", b"\033[?7h", b"\033[K", b"\033[H", b"\033[J"):
        rest = rest.replace(known, b"")
    assert rest.count(b"\033[2J") == 1, "the one that is its own"
    rest = rest.replace(b"\033[2J", b"")
    assert not {c for c in rest.decode() if ord(c) < 32 and c not in "\r\n" or 0x7f <= ord(c) < 0xa0 or c == "\u202e"}, rest
    page = served.llmb("top", "--once").out
    assert "test/a?m?" in page and not {c for c in page if ord(c) < 32 and c != "\n"}
    provider.release()
    assert asking.finish().code == 0
