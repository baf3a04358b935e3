"""test_passed_fds.py - can a descriptor that somebody sends keep the daemon from its work?

The last close of a TCP socket that lingers waits for its peer, as long as its owner said, and a passed socket's last
owner is whoever did not want it."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import harness
import pytest
from test_identity import NOBODY, PYTHON, as_user, needs_root, stopped, system  # noqa: F401
from wire import CALL, CREDIT, END, FAULT, HELLO, WELCOME, WireClient, frame_bytes

LINGER_SECONDS = 8
GREETING = {"min": 1, "max": 1, "client": "fds", "app": "fds"}


class Sticky:
    """A connection with unsent data whose last close takes LINGER_SECONDS."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sock = socket.create_connection(self.listener.getsockname())
        self.other, _ = self.listener.accept()
        self.sock.setblocking(False)
        try:
            while True:
                self.sock.send(b"x" * 65536)
        except BlockingIOError:
            pass
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER_SECONDS))

    def done(self):
        self.other.close()  # unread data: it is reset, and nobody waits any more
        self.listener.close()
        self.sock.close()


@pytest.fixture
def sticky():
    one = Sticky()
    yield one
    one.done()


@pytest.fixture(params=["", "old_kernel"])
def made(broker, request):
    """On this kernel, and on one that cannot refuse descriptors (before 6.16)."""
    made = broker(run=False, wrap=[harness.wrap(request.param)] if request.param else None)
    made.socket = made.folder / "llm-broker" / "sock"
    made.env["LLM_BROKER_SOCKET"] = str(made.socket)
    return made.start()


def send(path, sent, data=frame_bytes(HELLO, 0, GREETING)):
    """Connects, sends a descriptor with the first bytes, and closes. False: the kernel did not take it."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        try:
            socket.send_fds(client, [data], sent)
        except OSError:
            return False
    return True


def answers(made, seconds=2):
    begun = time.monotonic()
    with WireClient(made.socket, timeout=seconds * harness.SLOWER) as client:
        client.send_frame(HELLO, 0, GREETING)
        assert client.recv_frame().type == WELCOME
    assert time.monotonic() - begun < seconds * harness.SLOWER


def test_from_a_program_of_the_host(made, sticky):
    """It may pass descriptors, and does; the daemon is the last to have it."""
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, GREETING)
        client.recv_until(WELCOME)
        client.send_with_fds(frame_bytes(CREDIT, 9, {"bytes": 1}), [sticky.sock.fileno()])
        sticky.sock.close()
        answers(made)
    answers(made)


def test_one_too_many(made, sticky):
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, GREETING)
        client.recv_until(WELCOME)
        client.send_with_fds(frame_bytes(CREDIT, 9, {"bytes": 1}), [sticky.sock.fileno()] * 250)
        sticky.sock.close()
        answers(made)
        client.send_frame(CREDIT, 9, {"bytes": 1})
        answers(made)


def test_unread_when_the_connection_ends(made, sticky):
    """What is still queued is let go of with the connection."""
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, GREETING)
        client.recv_until(WELCOME)
        stopped(made)
        client.send_raw(frame_bytes(99, 0, {}))
        client.send_with_fds(b"x", [sticky.sock.fileno()])
        client.send_with_fds(b"x", [sticky.sock.fileno()])
        sticky.sock.close()
    os.kill(made.pid, signal.SIGCONT)
    answers(made)
    answers(made)


@pytest.mark.parametrize("at", ["sandbox", "main"])
def test_before_it_is_accepted(made, sticky, at):
    path = harness.sandbox_socket(made) if at == "sandbox" else made.socket
    stopped(made)
    for _ in range(3):
        send(path, [sticky.sock.fileno()])
    sticky.sock.close()
    os.kill(made.pid, signal.SIGCONT)
    answers(made)
    answers(made)


def test_racing_accept(made, sticky):
    for _ in range(200):
        send(harness.sandbox_socket(made), [sticky.sock.fileno()])
    sticky.sock.close()
    answers(made)
    answers(made)


DENIED = """
import socket, sys, time
sys.path[:0] = sys.argv[2:]
from test_passed_fds import Sticky, send
sticky = Sticky()
for _ in range(50):
    send(sys.argv[1], [sticky.sock.fileno()])
sticky.sock.close()
print("sent", flush=True)
sys.stdin.readline()
sticky.done()
"""


@needs_root
def test_from_a_user_who_is_refused(made):
    for path in (made.folder, made.socket.parent):
        path.chmod(0o755)
    made.socket.chmod(0o666)
    places = [str(harness.TOP / "tests" / name) for name in ("lib", "e2e")]
    process = subprocess.Popen([*as_user(NOBODY), PYTHON, "-c", DENIED, str(made.socket), *places], env=made.env,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "sent\n"
    answers(made)
    answers(made)
    process.communicate("\n", timeout=harness.CALL_SECONDS)


def test_none_is_left(made):
    """Whoever sends them, and however many."""
    def held():
        return sum(what.startswith(("pipe:", "socket:")) for what in made.fds().values())
    paths = (made.socket, harness.sandbox_socket(made))
    harness.wait_until(lambda: held() == len(paths), 5, lambda: f"it listens, and that is all: {made.fds()}")
    reader, writer = os.pipe()
    for path in paths:
        for n in (1, 2, 3, 253):
            send(path, [reader] * n)
            with WireClient(path) as client:
                client.send_frame(HELLO, 0, GREETING)
                assert client.recv_until(WELCOME, FAULT)[-1].type in (WELCOME, FAULT)
                try:
                    client.send_with_fds(frame_bytes(CREDIT, 9, {"bytes": 1}), [reader] * n)
                except OSError:
                    pass
    os.close(reader)
    os.close(writer)
    harness.wait_until(lambda: held() == len(paths), 5, lambda: f"as before: {made.fds()}")


def test_the_daemon_ends_though_one_lingers(made, sticky):
    send(made.socket, [sticky.sock.fileno()])
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, GREETING)
        client.recv_until(WELCOME)
        client.send_with_fds(frame_bytes(CREDIT, 9, {"bytes": 1}), [sticky.sock.fileno()])
        sticky.sock.close()
        answers(made)
    begun = time.monotonic()
    made.stop()
    assert time.monotonic() - begun < LINGER_SECONDS / 2 * harness.SLOWER


def test_when_all_who_close_are_waiting(made):
    """Each has a socket that has one that lingers in its queue; connections are closed all the same."""
    before = made.sockets()
    n, stuck = 20, []
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, GREETING)
        client.recv_until(WELCOME)
        stopped(made)  # so that it is the last who has them
        for _ in range(n):
            stuck.append(Sticky())
            near, far = socket.socketpair()
            socket.send_fds(near, [b"x"], [stuck[-1].sock.fileno()])
            client.send_with_fds(frame_bytes(CREDIT, 9, {"bytes": 1}), [far.fileno()] * 3)
            for one in (stuck[-1].sock, near, far):
                one.close()
        os.kill(made.pid, signal.SIGCONT)
        for _ in range(100):
            answers(made)
    harness.wait_until(lambda: made.sockets() <= before + n, 5, lambda: made.fds())
    for one in stuck:
        one.done()
    harness.wait_until(lambda: made.sockets() == before, 5, lambda: made.fds())


# ---- sockets that are handed in ----

class Handed:
    """A listening socket of ours that the daemon listens on, and the connection that it was handed in by."""

    def __init__(self, made, kind=socket.SOCK_STREAM):
        self.path = str(made.folder / "handed")
        self.listener = socket.socket(socket.AF_UNIX, kind)
        self.listener.bind(self.path)
        self.listener.listen()
        self.reader, self.writer = os.pipe()
        self.client = WireClient(made.socket)
        self.client.send_frame(HELLO, 0, GREETING)
        self.client.recv_until(WELCOME)
        self.calls = 0

    def add(self, until=None, listener=None):
        """What the daemon says: None, or its fault."""
        self.calls += 1
        self.client.send_with_fds(
            frame_bytes(CALL, self.calls, {"kind": "admin", "op": "listener.add", "credit": 1 << 20,
                                           "body": json.dumps({"name": "x"}).encode()}),
            [(listener or self.listener).fileno(), self.reader if until is None else until])
        frame = self.client.recv_until(END, FAULT)[-1]
        return frame.body if frame.type == FAULT else None

    def greeted(self):
        with WireClient(self.path) as client:
            client.send_frame(HELLO, 0, GREETING)
            frame = client.recv_frame()
            assert frame.type == WELCOME, frame
            return json.loads(frame.body["identity"])

    def done(self):
        for fd in (self.reader, self.writer):
            os.close(fd)
        self.listener.close()
        self.client.close()


@pytest.fixture
def handed(made):
    one = Handed(made)
    yield one
    one.done()


@needs_root
def test_what_comes_with_the_word_that_shows_who_calls_is_his(system):  # noqa: F811
    """His hello was said before the daemon looked at him, and showed nothing."""
    stopped(system)
    threading.Timer(0.3, os.kill, (system.pid, signal.SIGCONT)).start()
    one = Handed(system)
    try:
        assert one.add() is None
        os.chmod(one.path, 0o666)
        assert (one.greeted()["kind"], one.greeted()["socket"]) == ("sandbox", "handed")
    finally:
        one.done()


@pytest.mark.parametrize("what", ["place", "epoll", "file", "writer", "socket", "itself"])
def test_what_is_watched_for_the_end_is_a_pipe(made, handed, what):
    pair = socket.socketpair()
    epoll = select.epoll()
    opened = {"place": os.open("/", os.O_PATH), "file": os.open("/etc/passwd", os.O_RDONLY)}
    until = {"epoll": epoll.fileno(), "writer": handed.writer, "socket": pair[0].fileno(),
             "itself": handed.listener.fileno(), **opened}[what]
    fault = handed.add(until)
    assert fault and fault["class"] == "invalid_argument" and "pipe" in fault["message"], fault
    assert handed.add() is None and handed.greeted()["socket"] == "handed"
    answers(made)
    for one in (epoll, *pair):
        one.close()
    for fd in opened.values():
        os.close(fd)


@pytest.mark.parametrize("kind", [socket.SOCK_SEQPACKET, socket.SOCK_DGRAM], ids=["seqpacket", "datagram"])
def test_what_is_listened_on_is_a_stream_s(made, handed, kind):
    other = socket.socket(socket.AF_UNIX, kind)
    other.bind(str(made.folder / "other"))
    if kind == socket.SOCK_SEQPACKET:
        other.listen()
    fault = handed.add(listener=other)
    assert fault and fault["class"] == "invalid_argument" and "stream" in fault["message"], fault
    other.close()
    answers(made)


def test_a_handed_socket_that_is_made_to_wait(made, handed):
    """Its maker has the same open file, and with it O_NONBLOCK."""
    assert handed.add() is None
    for _ in range(5):
        handed.listener.setblocking(True)
        assert handed.greeted()["name"] == "x"
        answers(made)


def test_a_handed_socket_that_is_shut_down(made, handed):
    def cpu_ticks():
        with open(f"/proc/{made.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    assert handed.add() is None
    handed.listener.shutdown(socket.SHUT_RDWR)
    answers(made)
    before = cpu_ticks()
    time.sleep(0.5)
    assert cpu_ticks() - before < 10 * harness.SLOWER, "it spins"
    answers(made)
