"""provider.py - a provider that does to its callers what a test tells it to.

A process of its own with a real socket on 127.0.0.1, TLS or (`--plain`) plain HTTP. It speaks
OpenAI's chat completions and Anthropic's messages (answers.py says what it answers), plays every
fault that reply.py lists, writes down every request as it came, and keeps its own bill. It can hold each
key to rates (provider_limits.py), take keys for dead, and choose faults by chance (provider_faults.py); and
it counts the requests that it has got whole and those that it has answered.

It is driven over a Unix socket by JSON lines, one object a line and one line in return; `Provider`
in provider_client.py is the other end. It ends when its standard input does, and so with its
parent. Times are CLOCK_MONOTONIC in seconds, which all processes of a host share.

Every packet is one `send` on a socket with TCP_NODELAY. A thread serves a connection and never
sleeps without watching it, so that a caller who hangs up is noticed whatever the thread waits for.
"""

import argparse
import base64
import collections
import dataclasses
import fractions
import json
import os
import resource
import select
import socket
import ssl
import struct
import sys
import threading
import time

import answers
import billing
import provider_faults
import provider_limits
import provider_reports
import reply
from certs import GOOD, NAMES, Certs

HEAD_MAX = 1 << 20
BODY_MAX = 128 << 20
RECV_BYTES = 1 << 16
FLAWS = ("stall", "stall_after", "reset", "close", "say", "cert", "delay_ms", "times")


class Gone(Exception):
    """The caller hung up."""


class Ended(Exception):
    """The script ended the connection."""


class Malformed(Exception):
    """The caller does not speak HTTP; the message says where."""


class Wire:
    """A connected socket, with TLS or without, that sends exactly the packets it is told to."""

    def __init__(self, sock):
        self.sock = sock
        self.tls = None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.hangup = None  # (when, "fin" or "reset")
        self.waker = None
        self.budget = None  # bytes that the handshake may still send
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def wake(self):
        """Ends the `rest` under way, or the next one. Any thread may call it."""
        if self.waker is not None:
            os.eventfd_write(self.waker, 1)

    def arm(self):
        """Makes this wire one that `wake` reaches."""
        if self.waker is None:
            self.waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def _note_hangup(self, events):
        if self.hangup is None:
            bad = events & (select.POLLERR | select.POLLHUP)
            self.hangup = (time.monotonic(), "reset" if bad else "fin")

    def _poll(self, mask, timeout):
        """Waits for the events of `mask`, for a hang-up or for `wake`; returns (events, woken)."""
        poll = select.poll()
        poll.register(self.sock, mask | (0 if self.hangup else select.POLLRDHUP))
        if self.waker is not None:
            poll.register(self.waker, select.POLLIN)
        found = dict(poll.poll(None if timeout is None else max(0, timeout) * 1000))
        woken = self.waker is not None and self.waker in found
        if woken:
            os.eventfd_read(self.waker)
        events = found.get(self.sock.fileno(), 0)
        if events & (select.POLLRDHUP | select.POLLERR | select.POLLHUP):
            self._note_hangup(events)
        return events, woken

    def rest(self, seconds):
        """Does nothing for a time (None: for ever) or until `wake`; raises Gone on a hang-up."""
        until = None if seconds is None else time.monotonic() + seconds
        while self.hangup is None:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            _, woken = self._poll(0, left)
            if woken:
                return
        raise Gone

    def raw_recv(self):
        """Reads what there is, waiting for it; b"" at the end."""
        while True:
            try:
                data = self.sock.recv(RECV_BYTES)
            except BlockingIOError:
                self._poll(select.POLLIN, None)
                continue
            except OSError:
                self._note_hangup(select.POLLERR)
                return b""
            if not data:
                self._note_hangup(0)
            return data

    def raw_send(self, data):
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view):]
            except BlockingIOError:
                self._poll(select.POLLOUT, None)
            except OSError:
                self._note_hangup(select.POLLERR)
                raise Gone from None

    def _flush(self):
        data = self.outgoing.read()
        if self.budget is not None:
            data, self.budget = data[:self.budget], self.budget - len(data)
        if data:
            self.raw_send(data)
        if self.budget is not None and self.budget <= 0:
            self.rest(None)

    def handshake(self, context, budget=None):
        """Takes up TLS; raises ssl.SSLError or Gone. Sends at most `budget` bytes, then nothing."""
        self.budget = budget
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                data = self.raw_recv()
                if not data:
                    raise Gone from None
                self.incoming.write(data)
            except ssl.SSLError:
                self._flush()  # the alert
                raise
        self._flush()
        self.budget = None

    def recv(self):
        """Reads bytes of the application, waiting for them; b"" at the end."""
        if self.tls is None:
            return self.raw_recv()
        while True:
            try:
                return self.tls.read(RECV_BYTES)
            except ssl.SSLWantReadError:
                data = self.raw_recv()
                if not data:
                    return b""
                self.incoming.write(data)
            except ssl.SSLZeroReturnError:
                self._note_hangup(0)
                return b""

    def send(self, data):
        """Sends one packet."""
        if self.tls is not None:
            self.tls.write(data)
            data = self.outgoing.read()
        self.raw_send(data)

    def half_close(self):
        self._say_goodbye()
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._note_hangup(select.POLLERR)
            raise Gone from None

    def _say_goodbye(self):
        if self.tls is None:
            return
        try:
            self.tls.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # it waits for theirs, or there was no handshake
        try:
            self.raw_send(self.outgoing.read())
        except Gone:
            pass

    def close(self, notify=True):
        if notify and self.hangup is None:
            self._say_goodbye()
        self._shut()

    def reset(self):
        """Ends the connection by RST; what was not yet read of it is lost to the caller."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._shut()

    def _shut(self):
        self.sock.close()
        if self.waker is not None:
            waker, self.waker = self.waker, None
            os.close(waker)


@dataclasses.dataclass
class Request:
    """A request as it came."""
    n: int
    connection: int
    nth: int  # of its connection, from 1
    received_at: float
    raw_head: bytes = b""
    method: str = ""
    target: str = ""
    version: str = "1.1"
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    body_complete: bool = False
    body_at: float = None
    script: str = None
    status: int = None
    sent_bytes: int = 0
    answered_at: float = None  # when the last byte of the answer was sent
    hangup_at: float = None  # when the caller hung up on the answer
    answered: bool = False  # the answer came as far as to be one: reply.py, ANSWERED
    bill: dict = None

    @property
    def path(self):
        return self.target.partition("?")[0]

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key.lower() == name), default)

    def key(self):
        bearer = self.header("authorization", "")
        if bearer.lower().startswith("bearer "):
            return bearer[7:].strip()
        return self.header("x-api-key") or self.header("api-key") or ""

    def as_json(self):
        out = dataclasses.asdict(self)
        out["raw_head"] = base64.b64encode(self.raw_head).decode()
        out["body"] = base64.b64encode(self.body).decode()
        return dict(out, path=self.path, query=self.target.partition("?")[2])


class Book:
    """What happened since the last reset."""

    def __init__(self):
        self.requests = []
        self.connections = []
        self.bodies = 0
        self.answers = 0  # to whole bodies
        self.mixed = 0
        self.malformed = []
        self.script_errors = []
        self.tls_failures = []
        self.scripts = collections.deque()
        self.flaws = collections.deque()
        self.held = set()
        self.open = set()

    def bill(self):
        rows = [request.bill for request in self.requests if request.bill]
        total = {name: sum(row[name] or 0 for row in rows)
                 for name in ("input", "output", "cached", "cache_write", "nano_usd")}
        return dict(total, requests=len(rows),
                    unpriced=sum(row["nano_usd"] is None for row in rows))


class Prices:
    """USD for a million tokens by model ("*": the others), as decimal text; counts nano-dollars."""

    def __init__(self, table):
        self.table = {model: {name: fractions.Fraction(value) for name, value in row.items()}
                      for model, row in table.items()}

    def cost(self, model, usage):
        """The exact sum, rounded half up to whole nano-dollars; None for an unknown model."""
        row = self.table.get(model, self.table.get("*"))
        if row is None:
            return None
        base = row.get("input", 0)
        plain = usage["input"] - usage["cached"] - usage["cache_write"]
        usd = (plain * base + usage["cached"] * row.get("cached", base) +
               usage["cache_write"] * row.get("cache_write", base) +
               usage["output"] * row.get("output", 0)) / 1_000_000
        return int(usd * 1_000_000_000 + fractions.Fraction(1, 2))


class Connection:
    """One connection from accept to its end, in a thread of its own."""

    def __init__(self, server, book, sock, peer_port):
        self.server, self.book = server, book
        self.wire = Wire(sock)
        self.buffer = b""
        self.released = False
        self.kicked = False
        with server.changed:
            self.row = {"connection": len(book.connections) + 1, "opened_at": time.monotonic(),
                        "peer_port": peer_port, "requests": 0, "tls": None, "hangup_at": None,
                        "hangup": None, "closed_at": None}
            book.connections.append(self.row)
            book.open.add(self)
            self.flaw = self._take_flaw()
            server.changed.notify_all()

    def _take_flaw(self):
        if not self.book.flaws:
            return self.server.mix.connect(self.row["connection"]) if self.server.mix else {}
        flaw = self.book.flaws[0]
        if flaw.get("times", 1) == 1:
            self.book.flaws.popleft()
        elif flaw["times"]:
            flaw["times"] -= 1
        return flaw

    def run(self):
        try:
            self._meet()
            while self._exchange():
                pass
            self.wire.close()
        except Ended:
            pass
        except Gone:
            self.wire.close()
        except (Malformed, ssl.SSLError) as why:
            is_tls = isinstance(why, ssl.SSLError)
            with self.server.changed:
                (self.book.tls_failures if is_tls else self.book.malformed).append(str(why))
            self.wire.close()
        finally:
            self.wire.close(notify=False)
            with self.server.changed:
                self.book.open.discard(self)
                self.book.held.discard(self)
                self.row["closed_at"] = time.monotonic()
                self._note_hangup()
                self.server.changed.notify_all()

    def _note_hangup(self):
        if self.wire.hangup and self.row["hangup_at"] is None:
            self.row["hangup_at"], self.row["hangup"] = self.wire.hangup

    def kick(self):
        """Ends this connection soon, whatever it does. Any thread may call it."""
        self.kicked = True
        try:
            self.wire.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _meet(self):
        """Takes the connection up, or does what the test has for it."""
        flaw, wire = self.flaw, self.wire
        if "delay_ms" in flaw:
            wire.rest(flaw["delay_ms"] / 1000)
        if flaw.get("stall") == "accept":
            wire.rest(None)
        if flaw.get("reset"):
            wire.reset()
            raise Ended
        if "say" in flaw:
            wire.raw_send(flaw["say"].encode("latin-1"))
        if flaw.get("close") or "say" in flaw:
            wire.close()
            raise Ended
        if flaw.get("stall") == "hello":
            wire.raw_recv()
            wire.rest(None)
        if self.server.certs is None:
            return
        context = self.server.context(flaw.get("cert", self.server.cert))
        wire.handshake(context, flaw.get("stall_after"))
        self.row["tls"] = {"version": wire.tls.version(), "cipher": wire.tls.cipher()[0],
                           "alpn": wire.tls.selected_alpn_protocol()}

    # reading a request

    def _more(self, what):
        data = self.wire.recv()
        if not data:
            if not self.buffer and what == "head":
                return False
            raise Gone
        self.buffer += data
        return True

    def _take(self, count):
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            data = self.wire.recv()
            if not data:
                self.buffer = b"".join(parts)
                raise Gone
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def _line(self):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > HEAD_MAX:
                raise Malformed("a line without an end")
            self._more("body")
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def _read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > HEAD_MAX:
                raise Malformed("a head without an end")
            if not self._more("head"):
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
            raise Malformed(f"no request line: {lines[0][:80]!r}")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise Malformed(f"no header: {line[:80]!r}")
            headers.append((name, value.strip(" \t")))
        self.row["requests"] += 1
        with self.server.changed:
            request = Request(len(self.book.requests) + 1, self.row["connection"],
                              self.row["requests"], time.monotonic(), head + b"\r\n\r\n",
                              words[0], words[1], words[2][5:], headers)
            self.book.requests.append(request)
            self.server.changed.notify_all()
        return request

    def _read_body(self, request):
        coding = request.header("transfer-encoding", "").lower()
        length = request.header("content-length")
        if coding and coding != "chunked" or coding and length:
            raise Malformed("a body with two lengths, or with none we know")
        if coding:
            parts, total = [], 0
            while size := self._chunk_size():
                total += size
                if total > BODY_MAX:
                    raise Malformed("a body too large")
                parts.append(self._take(size))
                if self._line():
                    raise Malformed("a chunk longer than it says")
            while self._line():
                pass  # trailers
            request.body = b"".join(parts)
        elif length:
            if not length.isdigit() or int(length) > BODY_MAX:
                raise Malformed(f"content-length: {length[:40]}")
            try:
                request.body = self._take(int(length))
            except Gone:
                request.body = self.buffer  # as far as it came
                raise
        with self.server.changed:
            request.body_complete, request.body_at = True, time.monotonic()
            self.book.bodies += 1
            self.server.changed.notify_all()

    def _chunk_size(self):
        text = self._line().partition(b";")[0].strip()
        try:
            return int(text, 16)
        except ValueError:
            raise Malformed(f"no chunk size: {text[:40]!r}") from None

    # answering it

    def _take_script(self, request, is_for):
        """Takes the first script whose head fits, if `is_for` it; {} where there is none."""
        with self.server.changed:
            for script in self.book.scripts:
                if not reply.matches_head(script, request.path, request.nth, request.key()):
                    continue
                verdict = is_for(script)
                if verdict is None:
                    return {}
                if verdict:
                    if script["times"] == 1:
                        self.book.scripts.remove(script)
                    elif script["times"]:
                        script["times"] -= 1
                    request.script = script.get("name", "")
                    return script
        return {}

    def _early_script(self, request):
        # the first in line decides; one that looks at the body has to wait for it
        return self._take_script(request, lambda script: True if "early" in script else None)

    def _script(self, request):
        try:
            body = answers.parsed(request.body)
        except (ValueError, RecursionError):
            body = None
        body = body if isinstance(body, dict) else {}
        refusal, headers = self._gate(request, body)
        script = refusal or self._take_script(
            request, lambda script: reply.matches_body(script, request.body, body)) or self._mixed(
                request, bool(body.get("stream")))
        return _with_headers(script, headers)

    def _gate(self, request, body):
        """What the key's state and its rates say: (a script that refuses, or None; headers of any answer)."""
        key, server = request.key(), self.server
        state = server.key_states.get(key)
        if state is not None:
            request.script = KEY_STATES[state]["name"]
            return KEY_STATES[state], {}
        if not server.limits.rules or request.method != "POST":
            return None, {}
        vendor = answers.vendor_of(request.path, {name.lower() for name, _ in request.headers})
        with server.changed:
            over, headers = server.limits.ask(key, body.get("model"), answers.tokens_asked(body), vendor.name,
                                              time.monotonic(), time.time())
        if over is None:
            return None, headers
        request.script = "limited"
        return {"status": 429, "message": f"Rate limit reached for {over}."}, headers

    def _mixed(self, request, is_stream):
        """What chance has for this request."""
        with self.server.changed:
            if self.server.mix is None or request.method != "POST":
                return {}
            self.book.mixed += 1
            request.script, script = self.server.mix.request(self.book.mixed, is_stream)
        return dict(reply.check(script))

    def _expectation(self, request):
        """Answers `Expect: 100-continue`. Returns False if that refused the request."""
        if request.header("expect", "").lower() != "100-continue":
            return True
        with self.server.changed:
            said = next((script.get("expect") for script in self.book.scripts if reply.matches_head(
                script, request.path, request.nth, request.key())), None)
        if said == "refuse":
            self._take_script(request, lambda script: True)
            self.wire.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n"
                           b"Connection: close\r\n\r\n")
            return False
        if said != "ignore":
            self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _exchange(self):
        """One request and its answer. Returns whether the connection goes on."""
        request = self._read_head()
        if request is None:
            return False
        try:
            return self._answer(request)
        finally:
            if self.wire.hangup and request.answered_at is None:
                request.hangup_at = self.wire.hangup[0]

    def _answer(self, request):
        script = self._early_script(request)
        if not script:
            if not self._expectation(request):
                return False
            self._read_body(request)
            script = self._script(request)
        plan, answer = self._plan(request, script)
        request.status = plan.status
        self._play(request, plan, answer)
        with self.server.changed:
            request.answered_at = time.monotonic()
            self.server.changed.notify_all()
        if script.get("early") == "abandon":
            self.wire.reset()
            raise Ended
        if script.get("early") == "drain":
            self._read_body(request)
        wants_close = "close" in request.header("connection", "").lower()
        if plan.closes or wants_close or request.version == "1.0":
            self.wire.close(plan.close_notify)
            raise Ended
        return True

    def _plan(self, request, script):
        vendor = answers.vendor_of(request.path, {name.lower() for name, _ in request.headers})
        made, answer = None, None
        if not {"body", "body_base64", "file", "sse", "record", "steps"} & set(script) and \
                script.get("status", 200) < 400:
            made, answer = self._built_in(request, vendor, script.get("answer", {}))
        try:
            plan = reply.compile_reply(script, vendor, request.n, request.key(), made, answer,
                                       request.version)
            plan.charge = script.get("charge")
        except (reply.BadScript, KeyError, TypeError, OSError, ValueError) as why:
            with self.server.changed:
                self.book.script_errors.append(f"request {request.n}: {type(why).__name__}: {why}")
            self.wire.reset()
            raise Ended from None
        return plan, answer

    def _built_in(self, request, vendor, override):
        """What the provider itself says: ((status, events, is_stream), the Answer if it is one)."""
        def whole(status, value):
            return (status, [answers.Event(answers.compact(value).encode())], False)

        key, path, method = request.key(), request.path, request.method
        heads = {name.lower() for name, _ in request.headers}
        report = self.server.reports.answer(request, self.book, self.server.prices, vendor.error)
        if report is not None:
            return whole(*report), None
        allowed = self.server.keys
        if self.server.needs_key and (not key or allowed and key not in allowed):
            return whole(401, vendor.error(401, key=key)), None
        routes = {"/models": "GET", "/messages": "POST", "/chat/completions": "POST",
                  "/messages/count_tokens": "POST", "/embeddings": "POST", "/rerank": "POST",
                  "/moderations": "POST"}
        beside = {"/messages/count_tokens": "count", "/embeddings": "embed", "/rerank": "rerank",
                  "/moderations": "moderate"}
        route = next((end for end in routes if path.endswith(end)), None)
        if route is None:
            return whole(404, vendor.error(404, f"Invalid URL ({method} {path})")), None
        if method != routes[route]:
            return whole(405, vendor.error(405)), None
        try:
            if route == "/models":
                return whole(200, vendor.models()), None
            if route in beside:
                return whole(200, getattr(vendor, beside[route])(request.body)), None
            body, answer = vendor.answer(request.body, heads, request.n, override)
        except answers.Refused as no:
            return whole(no.status, vendor.error(no.status, no.message, key, **no.error)), None
        if body.get("stream"):
            return (200, vendor.stream(answer), True), answer
        data = answers.compact(vendor.whole(answer)).encode("utf-8", "surrogatepass")
        return (200, [answers.Event(data, "content", answer.usage.output)], False), answer

    def _play(self, request, plan, answer):
        pos, packets = 0, iter(plan.packets)
        end = next(packets, 0)
        for stop in plan.stops + [None]:
            until = len(plan.wire) if stop is None else stop.offset
            while pos < until:
                while end <= pos:
                    end = next(packets)
                cut = min(end, until)
                if answer is not None:
                    # before it is sent: who has the answer may ask for the bill at once
                    request.bill = self._charge(plan, answer, cut)
                elif plan.charge and cut == len(plan.wire):
                    request.bill = self._charge_as_said(plan.charge)
                self._send(request, plan, pos, cut)
                pos = request.sent_bytes = cut
                if self.kicked:
                    raise Gone
                if plan.delay_ms and pos < len(plan.wire):
                    self.wire.rest(plan.delay_ms / 1000)
            if stop is not None:
                self._halt(stop, plan)

    def _send(self, request, plan, start, end):
        """Sends a packet. What it answers is counted before that, for the reason of the bill."""
        answers_it = plan.answer_end is not None and start < plan.answer_end <= end
        if answers_it:
            self._count_answer(request, True)
        try:
            self.wire.send(plan.wire[start:end])
        except Gone:
            if answers_it:
                self._count_answer(request, False)
            raise

    def _count_answer(self, request, is_one):
        with self.server.changed:
            request.answered = is_one
            if request.body_complete:
                self.book.answers += 1 if is_one else -1

    def _halt(self, stop, plan):
        wire = self.wire
        if stop.verb == "hold":
            self._hold()
        elif stop.verb == "pause":
            wire.rest(stop.ms / 1000)
        elif stop.verb == "reset":
            wire.reset()
            raise Ended
        elif stop.verb == "close":
            wire.close(plan.close_notify)
            raise Ended
        else:
            if stop.verb == "half_close":
                wire.half_close()
            wire.rest(None)

    def _hold(self):
        self.wire.arm()
        with self.server.changed:
            self.released = False
            self.book.held.add(self)
            self.server.changed.notify_all()
        try:
            while not self.released:
                self.wire.rest(None)
        finally:
            with self.server.changed:
                self.book.held.discard(self)

    def release(self):
        """Lets go of a hold; the caller has `changed`."""
        self.released = True
        self.book.held.discard(self)
        self.wire.wake()

    def _charge(self, plan, answer, sent_bytes):
        """What so much of an answer costs."""
        usage = answer.usage
        is_all = plan.is_whole and sent_bytes == len(plan.wire)
        bill = {"model": answer.model, "input": usage.input, "cached": usage.cached,
                "cache_write": usage.cache_write,
                "output": usage.output if is_all else plan.tokens_by(sent_bytes)}
        bill["nano_usd"] = self.server.prices.cost(answer.model, bill)
        return bill

    @staticmethod
    def _charge_as_said(charge):
        """What an answer costs by its own usage object."""
        nano_usd = billing.cost(charge["family"], charge["usage"], lambda tokens: billing.price_of(None, False))
        return {"model": charge.get("model"), "input": 0, "cached": 0, "cache_write": 0, "output": 0,
                "nano_usd": nano_usd}


KEY_STATES = {  # of keys that are not good any more
    "revoked": {"name": "revoked", "status": 401},
    "quota": {"name": "quota", "status": 402},
    "forbidden": {"name": "forbidden", "status": 403},
}


def _with_headers(script, headers):
    """The script, with these headers below its own."""
    if not headers:
        return script
    own = script.get("headers", {})
    return dict(script, headers={**headers, **own} if isinstance(own, dict) else [*headers.items(), *own])


class Server:
    """The listener, and the control channel that drives it."""

    def __init__(self, options):
        self.certs = None if options.plain else Certs(options.certs)
        self.cert = options.cert
        self.prices = Prices(json.loads(options.prices))
        self.reports = provider_reports.Reports()
        self._make_good()
        self.keys = options.key or ()
        self.needs_key = not options.no_key
        self.contexts = {}
        self.changed = threading.Condition()
        self.book = Book()
        self.fillers = []
        self.is_up = True
        self.listener = None
        self.port = options.port
        self._listen(4096)
        self.port = self.listener.getsockname()[1]

    def _make_good(self):
        self.limits = provider_limits.Limits()
        self.key_states = {}
        self.mix = None

    def context(self, name):
        with self.changed:
            if name not in self.contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certs.chain(name), self.certs.key(name))
                context.set_alpn_protocols(["http/1.1"])
                self.contexts[name] = context
            return self.contexts[name]

    def _listen(self, backlog):
        """Binds the port; without a backlog (None) the kernel refuses who comes."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        if backlog is not None:
            sock.listen(backlog)
        self.listener = sock

    def accept_forever(self, listener):
        while True:
            try:
                sock, peer = listener.accept()
            except OSError:
                return  # closed by do_listener
            with self.changed:
                book = self.book
            connection = Connection(self, book, sock, peer[1])
            threading.Thread(target=connection.run, daemon=True).start()

    def start(self):
        threading.Thread(target=self.accept_forever, args=(self.listener,), daemon=True).start()

    def _wait(self, is_true, timeout):
        """Waits until `is_true()` holds; the caller has `changed`."""
        return self.changed.wait_for(is_true, timeout)

    # what the control channel asks for

    def do_script(self, ask):
        scripts = []
        for script in ask["responses"]:
            script = reply.check(script)
            script.setdefault("times", 1)
            if "steps" in script:
                reply.compile_reply(dict(script, expand=False), answers.OPENAI, 0, "", None)
            scripts.append(script)
        with self.changed:
            self.book.scripts.extend(scripts)
        return {}

    def do_on_connect(self, ask):
        for flaw in ask["flaws"]:
            odd = sorted(set(flaw) - set(FLAWS))
            if odd:
                raise reply.BadScript(f"unknown: {', '.join(odd)}; known: {', '.join(FLAWS)}")
            if flaw.get("cert", GOOD) not in NAMES:
                raise reply.BadScript(f"no certificate {flaw['cert']!r}: {', '.join(NAMES)}")
            if flaw.get("stall", "accept") not in ("accept", "hello"):
                raise reply.BadScript("stall is at accept or hello")
        with self.changed:
            self.book.flaws.extend(ask["flaws"])
        return {}

    def do_release(self, ask):
        wanted = ask.get("connection")

        def held():
            return [c for c in self.book.held if wanted in (None, c.row["connection"])]
        with self.changed:
            if not self._wait(lambda: len(held()) >= ask.get("at_least", 1), ask["timeout"]):
                raise TimeoutError(f"{len(held())} connections are held, not "
                                   f"{ask.get('at_least', 1)}")
            free = held()
            for connection in free:
                connection.release()
        return {"released": len(free)}

    def do_wait_held(self, ask):
        with self.changed:
            count = ask["count"]
            if not self._wait(lambda: len(self.book.held) >= count, ask["timeout"]):
                raise TimeoutError(f"{len(self.book.held)} connections are held, not {count}")
        return {}

    def do_requests(self, _):
        with self.changed:
            return {"requests": [request.as_json() for request in self.book.requests]}

    def do_wait_request(self, ask):
        n, field = ask["n"], {"head": "received_at", "body": "body_at",
                              "answer": "answered_at"}[ask.get("until", "body")]

        def is_there():
            return len(self.book.requests) >= n and getattr(self.book.requests[n - 1], field)
        with self.changed:
            if not self._wait(is_there, ask["timeout"]):
                raise TimeoutError(f"request {n} did not come: {len(self.book.requests)} began and "
                                   f"{self.book.bodies} were complete")
            return {"request": self.book.requests[n - 1].as_json()}

    def do_wait_disconnect(self, ask):
        n = ask["connection"]

        def is_over():
            return len(self.book.connections) >= n and \
                self.book.connections[n - 1]["closed_at"] is not None
        with self.changed:
            if not self._wait(is_over, ask["timeout"]):
                raise TimeoutError(f"connection {n} is still open")
            return {"connection": dict(self.book.connections[n - 1])}

    def do_reports(self, ask):
        """What is said of costs, as provider_reports.Reports takes it."""
        self.reports = provider_reports.Reports(**ask["reports"])
        return {}

    def do_limits(self, ask):
        """Rates, as provider_limits.py has them; they begin anew."""
        limits = provider_limits.Limits(ask["rules"])
        with self.changed:
            self.limits = limits
        return {}

    def do_key(self, ask):
        """A key is good, or why it is not any more: KEY_STATES."""
        key, state = ask["key"], ask["state"]
        if state != "good" and state not in KEY_STATES:
            raise reply.BadScript(f"a key is good, {', '.join(KEY_STATES)}")
        with self.changed:
            self.key_states.pop(key, None)
            if state != "good":
                self.key_states[key] = state
        return {}

    def do_mix(self, ask):
        """What no script is for gets a fault by chance, as provider_faults.Mix has it; without a seed, no more."""
        options = dict(ask["options"])
        mix = provider_faults.Mix(**options) if options else None
        with self.changed:
            self.mix = mix
        return {}

    def do_tally(self, _):
        """The requests that came whole: [what is in their body, script, answered, key]."""
        with self.changed:
            return {"rows": [[request.body.decode("utf-8", "replace"), request.script, request.answered,
                              request.key()] for request in self.book.requests if request.body_complete]}

    def do_stats(self, _):
        book = self.book
        with self.changed:
            return {"connections": len(book.connections), "open": len(book.open),
                    "requests": len(book.requests), "bodies": book.bodies, "answers": book.answers,
                    "limited": dict(self.limits.refused), "drawn": dict(self.mix.drawn) if self.mix else {},
                    "held": len(book.held), "scripts_left": len(book.scripts),
                    "malformed": list(book.malformed), "tls_failures": list(book.tls_failures),
                    "script_errors": list(book.script_errors), "bill": book.bill(),
                    "connection_log": [dict(row) for row in book.connections]}

    def do_reset(self, _):
        """Forgets everything and ends every connection."""
        with self.changed:
            old, self.book = self.book, Book()
            self.reports = provider_reports.Reports()
            self._make_good()
            for connection in list(old.open):
                connection.kick()
        if not self.is_up:
            self.do_listener({"state": "up"})
        return {}

    def _stop_listening(self):
        if self.is_up:
            # close alone leaves a thread in accept holding the socket open
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.fillers:
            sock.close()
        self.fillers = []

    def do_listener(self, ask):
        """up: as usual; down: refuses; blackhole: neither accepts nor refuses. Where it goes down and hangs up,
        those who are connected are lost, too."""
        if ask["state"] not in ("up", "down", "blackhole"):
            raise reply.BadScript("a listener is up, down or blackhole")
        self._stop_listening()
        self.is_up = ask["state"] == "up"
        if self.is_up:
            self._listen(4096)
            self.start()
        elif ask["state"] == "down":
            self._listen(None)
            if ask.get("hangs_up"):
                with self.changed:
                    for connection in list(self.book.open):
                        connection.kick()
        else:
            self._listen(0)
            for _ in range(3):  # more than a backlog of 0 takes; SYNs are dropped from then on
                sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                sock.connect_ex(("127.0.0.1", self.port))
                self.fillers.append(sock)
        return {}

    def control(self, sock):
        """Serves one control connection."""
        with sock, sock.makefile("rwb") as file:
            for line in file:
                try:
                    ask = json.loads(line)
                    ask.setdefault("timeout", 5)
                    out = {"ok": True, **getattr(self, "do_" + ask["op"])(ask)}
                except TimeoutError as why:
                    out = {"ok": False, "timeout": True, "error": str(why)}
                except (reply.BadScript, KeyError, TypeError, AttributeError, ValueError) as why:
                    out = {"ok": False, "error": f"{type(why).__name__}: {why}"}
                try:
                    file.write(json.dumps(out).encode() + b"\n")
                    file.flush()
                except OSError:
                    return


def main():
    parser = argparse.ArgumentParser(description="A scripted LLM provider for tests.")
    parser.add_argument("--control", help="path of the Unix socket that takes commands")
    parser.add_argument("--certs", help="folder of certificates, made if it is not there")
    parser.add_argument("--cert", default=GOOD, choices=NAMES, help="the one to show")
    parser.add_argument("--plain", action="store_true", help="HTTP without TLS")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--prices", default="{}", help='JSON: {"MODEL": {"input": "0.15", ...}}, '
                        'USD for a million tokens; "*" is any model')
    parser.add_argument("--key", action="append", help="accept this key alone (repeats)")
    parser.add_argument("--no-key", action="store_true", help="ask for no key")
    options = parser.parse_args()
    if not options.plain and not options.certs:
        parser.error("--certs or --plain is needed")
    if not options.plain:
        Certs(options.certs).make()

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    threading.stack_size(512 << 10)
    server = Server(options)
    server.start()
    if options.control:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        control.bind(options.control)
        control.listen(64)

        def serve():
            while True:
                sock, _ = control.accept()
                threading.Thread(target=server.control, args=(sock,), daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()
    print(json.dumps({"port": server.port}), flush=True)
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)  # the threads have nothing to save


if __name__ == "__main__":
    main()
