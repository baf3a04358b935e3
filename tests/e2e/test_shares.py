"""test_shares.py - can one of those who come by a program in between take what is there for all of them?

Each who is named counts by himself, whoever names him; and what a call is under way for ends with that."""

import json
import resource
import select
import selectors
import socket
import struct
import threading
import time

import harness
import msgpack
import pytest
from bridge import Http
from test_behalf import Between, chat, program  # noqa: F401
from wire import CALL, CANCEL, CREDIT, DATA, END, FAULT, HEAD, HELLO, WELCOME, frame_bytes

KEY = "sk-test-0123456789abcdef"


class Many(Between):
    """The same, with calls under way that nobody waits for."""

    def begin(self, token=None, fds=(), **more):
        """Its number."""
        self.calls += 1
        named = {**({"token": token} if token else {}), **({"fd": 0} if fds else {})}
        call = {**chat("test/a"), **more, **({"behalf": named} if named else {})}
        data = frame_bytes(CALL, self.calls, call)
        self.client.send_with_fds(data, list(fds)) if fds else self.client.send_raw(data)
        return self.calls

    def end_of(self, *numbers):
        """The ends of these calls, in the order in which they come: number, class of the fault or "ok", message."""
        ends = []
        while len(ends) < len(numbers):
            frame = self.client.recv_frame()
            if frame.type in (END, FAULT) and frame.call in numbers:
                fault = frame.type == FAULT
                ends.append((frame.call, frame.body["class"] if fault else "ok", frame.body.get("message", "")))
        return ends


@pytest.fixture
def many():
    started = []

    def start(made):
        started.append(Many(made.socket))
        return started[-1]
    yield start
    for one in started:
        one.close()


@pytest.fixture
def served(broker, provider):
    def start(*sections, calls=2048):
        made = broker(f"[broker]\nmax_calls = {calls}\n" + "".join(sections) + harness.provider_section(provider))
        made.add_key("test", KEY)
        return made
    return start


def new(made, app):
    return json.loads(made.llmb("token", "new", app, "--json").out)


def texts(made, *apps):
    return [new(made, app)["token"] for app in apps]


def rule(called, **more):
    return harness.section("policy", called, {"operation": "use", **more})


def at_the_provider(provider, n):
    harness.wait_until(lambda: len(provider.requests()) >= n, 20, f"{n} requests at the provider")


def test_all_who_are_named_count(served, many, provider, program):  # noqa: F811
    """The program that is named, though the account is its token's."""
    made = served(rule("sleep", kind="host", name="sleep", max_calls=1), rule("notes", kind="token", name="notes", max_calls=2))
    notes, other = texts(made, "notes", "other")
    sleeper, awake = program(), program()
    provider.script(silence="start", times=3)
    one = many(made)
    first = one.begin(notes, [sleeper.fd])
    at_the_provider(provider, 1)
    (_, fault, message), = one.end_of(one.begin(other, [awake.fd]))
    assert fault == "overloaded" and "host:sleep" in message and "max_calls" in message, message
    second = one.begin(notes)
    at_the_provider(provider, 2)
    (_, fault, message), = one.end_of(one.begin(notes))
    assert fault == "overloaded" and "token:notes" in message, message
    third = one.begin(other)
    at_the_provider(provider, 3)
    seen = {each["who"]: each["calls"] for each in json.loads(made.llmb("app", "list", "--json").out)["seen"]}
    assert seen["host:sleep"] == 1 and seen["token:notes"] == 2 and seen["token:other"] == 1, seen
    for number in (first, second, third):
        one.client.send_frame(CANCEL, number, {})
    one.end_of(first, second, third)
    provider.script(times=0)
    assert one.end_of(one.begin(other, [awake.fd]))[0][1] == "ok"
    seen = {each["who"]: each["calls"] for each in json.loads(made.llmb("app", "list", "--json").out)["seen"]}
    assert not any(seen.values()), seen


def test_one_leaves_room_for_the_others(served, many, provider):
    made = served(calls=8)
    greedy, modest = texts(made, "greedy", "modest")
    provider.script(silence="start", times=0)
    one = many(made)
    held = [one.begin(greedy) for _ in range(6)]
    at_the_provider(provider, 6)
    (_, fault, message), = one.end_of(one.begin(greedy))
    assert fault == "overloaded" and "token:greedy" in message and "host:python" in message, message
    held += [one.begin(modest) for _ in range(2)]
    at_the_provider(provider, 8)
    (_, fault, message), = one.end_of(one.begin(modest))
    assert fault == "overloaded" and "8 requests of yours" in message, message
    alone = many(made)
    assert alone.end_of(alone.begin())[0][1] == "overloaded", "it is the same program"
    alone.close()
    one.close()
    harness.wait_until(lambda: not any(each["calls"] for each in json.loads(
        made.llmb("app", "list", "--json").out)["seen"]), 20, "all to have gone")


def test_turns_are_taken_by_those_who_are_named(served, many, provider):
    made = served(harness.section("limit", "one", {"provider": "test", "concurrency": 1}))
    eager, modest = texts(made, "eager", "modest")
    provider.script(silence="start")
    provider.script(times=0)
    one = many(made)
    held = one.begin(eager)
    at_the_provider(provider, 1)
    waiting = [one.begin(eager) for _ in range(6)]
    last = one.begin(modest)
    harness.wait_until(lambda: json.loads(made.llmb("top", "--once", "--json").out)["waiting"] == 7, 20, "they wait in line")
    one.client.send_frame(CANCEL, held, {})
    order = [number for number, fault, _ in one.end_of(*waiting, last) if fault == "ok"]
    assert len(order) == 7 and order.index(last) <= 2, order


# ---- by the bridge ----

class Owed:
    """What is to be sent of one answer, as far as there is credit for it."""

    def __init__(self, call, credit, frames):
        self.call, self.credit, self.frames = call, credit, frames


class Deaf:
    """What a broker would be that greets everybody and answers nobody; or everybody with `answer`."""

    WELCOME = frame_bytes(WELCOME, 0, {"version": 1, "features": [], "broker": "deaf", "identity": "{}", "credit": 262144,
                                       "max_body_bytes": 1 << 26})

    def __init__(self, path, answer=b"", content_type="application/json"):
        self.answer, self.content_type = answer, content_type
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4096)
        self.calls, self.buffers, self.owed, self.ended = 0, {}, {}, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with selectors.DefaultSelector() as all_of_them:
            all_of_them.register(self.listener, selectors.EVENT_READ)
            while not self.ended.is_set():
                for key, _ in all_of_them.select(0.1):
                    if key.fileobj is self.listener:
                        all_of_them.register(self.listener.accept()[0], selectors.EVENT_READ)
                    elif not self.read(key.fileobj):
                        all_of_them.unregister(key.fileobj)
                        key.fileobj.close()
            for key in list(all_of_them.get_map().values()):
                key.fileobj.close()

    def read(self, sock):
        """False: it is gone."""
        data = sock.recv(1 << 16)
        held = self.buffers.pop(sock, b"") + data
        while len(held) >= 4 and len(held) >= 4 + struct.unpack(">I", held[:4])[0]:
            n = 4 + struct.unpack(">I", held[:4])[0]
            kind, call, body = msgpack.unpackb(held[4:n])
            held = held[n:]
            self.calls += kind == CALL
            if kind == HELLO:
                sock.sendall(self.WELCOME)
            if kind == CALL and self.answer:
                self.owed[sock] = Owed(call, body.get("credit", 262144), self.frames(call))
            if kind == CREDIT and sock in self.owed and call == self.owed[sock].call:
                self.owed[sock].credit += body["bytes"]
            if kind == CANCEL:
                self.owed.pop(sock, None)
            self.pay(sock)
        if data:
            self.buffers[sock] = held
        else:
            self.owed.pop(sock, None)
        return bool(data)

    def frames(self, call):
        pieces = [self.answer[at:at + 60_000] for at in range(0, len(self.answer), 60_000)]
        head = {"status": 200, "headers": [["content-type", self.content_type]]}
        return [frame_bytes(HEAD, call, head), *(frame_bytes(DATA, call, {"d": piece}) for piece in pieces)]

    def pay(self, sock):
        """Of the one call that is under way there: the bridge has a connection for each."""
        owed = self.owed.get(sock)
        while owed and owed.frames and owed.credit > 0:
            frame = owed.frames.pop(0)
            owed.credit -= len(frame) - 4
            sock.sendall(frame)
        if owed and not owed.frames:
            sock.sendall(frame_bytes(END, owed.call, {}))
            del self.owed[sock]

    def close(self):
        self.ended.set()
        self.thread.join()


@pytest.fixture
def deaf(tmp_path):
    one = Deaf(str(tmp_path / "sock"))
    yield one
    one.close()


# one that is gathered, and one of which the kernel takes no more than a part; and how many make nearly 128 MiB
WHOLE = ("application/json", 254_000, 300)
STREAM = ("text/event-stream", 1_000_000, 240)


@pytest.fixture(params=[WHOLE, STREAM], ids=["whole", "stream"])
def talker(tmp_path, request):
    content_type, n, enough = request.param
    one = Deaf(str(tmp_path / "sock"), b"[" + b" " * n + b"]", content_type)
    one.enough = enough
    yield one
    one.close()


ASK = json.dumps({"model": "test/a", "messages": [{"role": "user", "content": "hi"}]}).encode()


def asked(where, headers=()):
    http = Http(where)
    http.request("POST", "/v1/chat/completions", ASK, headers)
    return http


def test_those_nobody_knows_leave_room_for_the_others(broker, bridge, deaf, tmp_path):
    """A program that comes by TCP and says nothing of itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    door, held = bridge(broker(run=False), socket_path=tmp_path / "sock"), []
    try:
        for n in range(1536):
            held.append(asked(door))
        harness.wait_until(lambda: deaf.calls == 1536, 30 * harness.SLOWER, lambda: f"{deaf.calls} calls")
        with asked(door) as http:
            answer = http.read()
        assert answer.status == 503 and "app token" in answer.json["error"]["message"], answer
        held.append(asked(door.path))
        held.append(asked(door, [("authorization", "Bearer llmb_" + "0" * 64)]))
        harness.wait_until(lambda: deaf.calls == 1538, 20 * harness.SLOWER, lambda: f"{deaf.calls} calls")
        held[0].close()

        def another():
            with asked(door) as http:
                return select.select([http.sock], [], [], 0.5)[0] == [] and deaf.calls > 1538
        harness.wait_until(another, 20 * harness.SLOWER, "whose caller has gone makes room")
    finally:
        for http in held:
            http.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_is_quiet_for_long_makes_room(broker, bridge):
    """Where there is no descriptor left: with all 12,000 connections it is the same."""
    door = bridge(broker(), before=["prlimit", "--nofile=40:40"])
    held = [Http(door) for _ in range(60)]
    try:
        held[0].send("POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        begun = time.monotonic()
        with Http(door.path) as http:
            assert http.request("GET", "/").read().status == 200
        assert time.monotonic() - begun < 15 * harness.SLOWER
        held[0].sock.settimeout(10)
        assert held[0].sock.recv(100) == b"", "the one that was quiet for longest is let go"
    finally:
        for http in held:
            http.close()


def test_answers_that_nobody_reads_are_bounded_together(broker, bridge, talker, tmp_path):
    """128 MiB; others are refused then, until those are read, or are let go who do not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    door, held = bridge(broker(run=False), socket_path=tmp_path / "sock"), []
    with asked(door.path) as http:
        assert http.read().json == []
    before = door.rss_kib()

    def status():
        with asked(door.path) as http:
            return http.read().status
    def is_refused():
        """One more who does not read."""
        held.append(asked(door.path))
        return held[-1].sock.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 503"  # it has begun

    def fill():
        # that nobody reads a stream is known a second later
        if not any(is_refused() for _ in range(talker.enough)):
            harness.wait_until(is_refused, 40 * harness.SLOWER, lambda: f"a refusal beside {len(held)} answers unread")
    try:
        fill()
        print(f"{len(held) - 1} answers unread: {door.rss_kib() - before} KiB")
        assert len(held) - 1 > 200
        if not harness.is_sanitized():  # beside it each connection has its own
            assert door.rss_kib() - before < 128 * 1024 + 80 * len(held) + 16 * 1024
        answer = held.pop().read()
        assert "not read" in answer.json["error"]["message"] and answer.header("x-should-retry") == ["true"], answer
        if talker.content_type != "application/json":  # these come in their own time, and so are counted
            while status() == 503:
                with held.pop() as http:
                    http.read()
            return
        for _ in range(40):
            with held.pop() as http:
                assert http.read().json == [] and http.answer.is_whole
        harness.wait_until(lambda: status() == 200, 20 * harness.SLOWER, "those that are read make room")
        fill()
        harness.wait_until(lambda: status() == 200, 40 * harness.SLOWER, "who does not read is let go")
        with held.pop(0) as http:
            http.read()
            assert not http.answer.is_whole, "it was not read in time"
    finally:
        for http in held:
            http.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
