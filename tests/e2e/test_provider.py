"""test_provider.py - does the scripted provider do what it is told, seen from a raw socket?

What the other tests conclude from a fault is worth what the fault is: each is looked at here as
bytes.
"""

import base64
import calendar
import collections
import contextlib
import email.utils
import gzip
import http.client
import json
import random
import re
import socket
import ssl
import struct
import time

import pytest

import answers
from provider_client import Provider, ProviderError, ProviderTimeout
from provider_faults import FLAWS, SCRIPTS, WHOLE_SCRIPTS
from provider_limits import Limits

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
BEARER = (("Authorization", "Bearer sk-test-0123456789"),)
OTHER = (("Authorization", "Bearer sk-other"),)
CLAUDE = (("x-api-key", "sk-ant-test"), ("anthropic-version", "2023-06-01"))
WAIT = 5


def chat(text="3 words", **more):
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


def stream(text="3 words", **more):
    return chat(text, stream=True, stream_options={"include_usage": True}, **more)


def claude(text="3 words", **more):
    return {"model": "claude-sonnet-4-5", "max_tokens": 100,
            "messages": [{"role": "user", "content": text}], **more}


class Caller:
    """A connection to the provider that shows every byte and how it ended."""

    def __init__(self, provider):
        self.sock = socket.create_connection(("127.0.0.1", provider.port), WAIT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not provider.plain:
            context = ssl.create_default_context(cafile=provider.ca_file)
            context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost",
                                            suppress_ragged_eofs=False)
        self.packets = []  # (when, bytes) of each recv
        self.ended = None  # "fin", "reset" or "cut" (TLS without close_notify)

    @property
    def got(self):
        return b"".join(data for _, data in self.packets)

    def send(self, body, path=CHAT, headers=BEARER, method="POST"):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(raw)}"]
        head += [f"{name}: {value}" for name, value in headers]
        self.sock.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + raw)
        return self

    def recv(self):
        """One recv; returns False at the end."""
        try:
            data = self.sock.recv(1 << 20)
        except ConnectionResetError:
            self.ended = "reset"
            return False
        except ssl.SSLError as why:
            if why.reason != "UNEXPECTED_EOF_WHILE_READING":
                raise
            self.ended = "cut"
            return False
        if not data:
            self.ended = "fin"
            return False
        self.packets.append((time.monotonic(), data))
        return True

    def read_until(self, mark):
        while mark not in self.got:
            assert self.recv(), f"{self.ended} before {mark!r}: {self.got[-200:]!r}"
        return self.got

    def read_all(self):
        while self.recv():
            pass
        return self.got

    def quiet(self, seconds=0.15):
        """Whether nothing comes for a while, not even an end."""
        self.sock.settimeout(seconds)
        try:
            return not self.sock.recv(1) and False
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(WAIT)

    def response(self):
        """Parses one answer as a correct client would: (status, headers, body)."""
        answer = http.client.HTTPResponse(self.sock)
        answer.begin()
        body = answer.read()
        return answer.status, answer.headers, body

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(provider, body, path=CHAT, headers=BEARER, method="POST"):
    with Caller(provider) as caller:
        return caller.send(body, path, headers, method).response()


def body_of(got):
    """What follows the head, as it is on the wire."""
    return got.partition(b"\r\n\r\n")[2]


def events_of(body):
    """The data of each event of a stream."""
    return [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]


def openai_text(body):
    chunks = [json.loads(data) for data in events_of(body) if data != "[DONE]"]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


# what it says when nothing is scripted

def test_chat_whole(provider):
    status, headers, body = ask(provider, chat("say 3 words"))
    value = json.loads(body)
    assert status == 200
    assert value["choices"][0]["message"]["content"] == "word1 word2 word3"
    assert value["choices"][0]["finish_reason"] == "stop"
    usage = value["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 3, 10)
    assert headers["x-request-id"] and headers["openai-processing-ms"].isdigit()
    assert headers["x-ratelimit-remaining-requests"] == "9999"


def test_chat_stream(provider):
    _, headers, body = ask(provider, stream("say 3 words"))
    data = events_of(body)
    assert headers["content-type"].startswith("text/event-stream")
    assert data[-1] == "[DONE]"
    assert openai_text(body) == "word1 word2 word3"
    assert [json.loads(d)["usage"] for d in data[:-2]] == [None] * (len(data) - 2)
    assert json.loads(data[-2])["usage"]["completion_tokens"] == 3
    assert b"usage" not in ask(provider, chat(stream=True))[2], "nobody asked for it"


@pytest.mark.parametrize("text, n, limit, want, finish", [
    ("Grüße, 世界 😀!", 1, None, "Grüße, 世界 😀!", "stop"),
    ("one two three", 1, 2, "one two", "length"),
    ("twice", 2, None, "twice", "stop"),
])
def test_chat_answers(provider, text, n, limit, want, finish):
    asked = chat(text, n=n, **({"max_tokens": limit} if limit else {}))
    value = json.loads(ask(provider, asked)[2])
    assert [(c["message"]["content"], c["finish_reason"]) for c in value["choices"]] == \
        [(want, finish)] * n
    assert value["usage"]["completion_tokens"] == n * len(answers.pieces(want))


def test_chat_tools(provider):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    asked = 'call weather {"city": "Oslo", "days": 3}'
    call = json.loads(ask(provider, chat(asked, tools=tools))[2])["choices"][0]
    assert call["finish_reason"] == "tool_calls" and call["message"]["content"] is None
    made = call["message"]["tool_calls"][0]
    assert made["function"] == {"name": "weather", "arguments": '{"city": "Oslo", "days": 3}'}

    deltas = [json.loads(d)["choices"][0]["delta"] for d in
              events_of(ask(provider, chat(asked, tools=tools, stream=True))[2])[:-1]]
    parts = [d["tool_calls"][0]["function"] for d in deltas if "tool_calls" in d]
    assert parts[0]["name"] == "weather" and len(parts) > 2
    assert "".join(p["arguments"] for p in parts) == made["function"]["arguments"]
    assert json.loads(ask(provider, chat(asked))[2])["choices"][0]["message"]["content"] == asked


def test_messages_whole(provider):
    asked = claude("say 3 words", system="Be brief.")
    status, headers, body = ask(provider, asked, MESSAGES, CLAUDE)
    value = json.loads(body)
    assert status == 200 and headers["request-id"].startswith("req_")
    assert headers["anthropic-ratelimit-tokens-limit"] == "480000"
    assert value["content"] == [{"type": "text", "text": "word1 word2 word3"}]
    assert value["stop_reason"] == "end_turn"
    assert (value["usage"]["input_tokens"], value["usage"]["output_tokens"]) == (9, 3)


def test_messages_stream(provider):
    provider.script(answer={"reasoning": "let me think", "usage": {"cached": 2, "cache_write": 1}})
    body = ask(provider, claude("two words", stream=True), MESSAGES, CLAUDE)[2]
    values = [json.loads(data) for data in events_of(body)]
    assert [line[7:] for line in body.decode().splitlines() if line.startswith("event: ")] == \
        [value["type"] for value in values]
    assert values[0]["type"] == "message_start" and values[-1] == {"type": "message_stop"}
    usage = values[0]["message"]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"],
            usage["cache_creation_input_tokens"]) == (3, 2, 1)
    assert values[-2]["usage"] == {"output_tokens": 5}
    deltas = [value["delta"] for value in values if value["type"] == "content_block_delta"]
    assert "".join(d.get("thinking", "") for d in deltas) == "let me think"
    assert "".join(d.get("text", "") for d in deltas) == "two words"
    assert [d for d in deltas if d["type"] == "signature_delta"]


def test_messages_tools(provider):
    asked = claude('call weather {"city": "Oslo"}', tools=[{"name": "weather", "input_schema": {}}])
    value = json.loads(ask(provider, asked, MESSAGES, CLAUDE)[2])
    assert value["stop_reason"] == "tool_use" and value["content"][0]["input"] == {"city": "Oslo"}
    body = ask(provider, dict(asked, stream=True), MESSAGES, CLAUDE)[2]
    parts = [json.loads(data).get("delta", {}).get("partial_json", "") for data in events_of(body)]
    assert json.loads("".join(parts)) == {"city": "Oslo"}


def test_models_and_counts(provider):
    names = [m["id"] for m in json.loads(ask(provider, b"", "/v1/models", method="GET")[2])["data"]]
    assert names == list(answers.MODELS["openai"])
    names = [m["id"] for m in
             json.loads(ask(provider, b"", "/v1/models", CLAUDE, "GET")[2])["data"]]
    assert names == list(answers.MODELS["anthropic"])
    count = ask(provider, claude("say 3 words"), MESSAGES + "/count_tokens", CLAUDE)[2]
    assert json.loads(count) == {"input_tokens": 7}


@pytest.mark.parametrize("why, body, path, headers, method, status, words", [
    ("no key", chat(), CHAT, (), "POST", 401, "Incorrect API key"),
    ("no JSON", b"{", CHAT, BEARER, "POST", 400, "could not parse"),
    ("deep JSON", b"[" * 200_000, CHAT, BEARER, "POST", 400, "could not parse"),
    ("no messages", {"model": "m"}, CHAT, BEARER, "POST", 400, "messages"),
    ("no model", {"messages": [{}]}, CHAT, BEARER, "POST", 400, "model parameter"),
    ("usage without a stream", chat(stream_options={}), CHAT, BEARER, "POST", 400, "only allowed"),
    ("a model it lacks", dict(chat(), model="missing-1"), CHAT, BEARER, "POST", 404, "not exist"),
    ("a path it lacks", {}, "/v2/x", BEARER, "POST", 404, "Invalid URL"),
    ("another method", b"", CHAT, BEARER, "GET", 405, "Not allowed"),
    ("no version", claude(), MESSAGES, CLAUDE[:1], "POST", 400, "anthropic-version"),
    ("no max_tokens", dict(claude(), max_tokens=None), MESSAGES, CLAUDE, "POST", 400, "max_tokens"),
    ("no x-api-key", claude(), MESSAGES, CLAUDE[1:], "POST", 401, "x-api-key"),
])
def test_refuses(provider, why, body, path, headers, method, status, words):
    got, _, raw = ask(provider, body, path, headers, method)
    value = json.loads(raw)
    assert got == status, why
    assert words in value["error"]["message"]
    assert (value.get("type") == "error") == (path == MESSAGES)
    assert provider.bill()["requests"] == 0


def test_only_its_keys(providers):
    provider = providers(plain=True, keys=["sk-good"])
    for key, status in (("sk-good", 200), ("sk-bad-key-1234", 401), ("sk-goo", 401)):
        got, _, raw = ask(provider, chat(), headers=[("Authorization", f"Bearer {key}")])
        assert got == status
        assert b"sk-bad-key-1234" not in raw
    assert ask(providers(plain=True, needs_key=False), chat(), headers=())[0] == 200


# what it writes down

def test_log_has_every_byte(provider):
    raw = ('POST /v1/chat/completions?a=b%20c HTTP/1.1\r\nhOsT: x\r\nX-Twice: 1\r\n'
           'authorization: Bearer k\r\nx-twice:  2 \r\nTransfer-Encoding: chunked\r\n\r\n').encode()
    body = json.dumps(chat("é")).encode()
    with Caller(provider) as caller:
        before = time.monotonic()
        caller.sock.sendall(raw)
        for piece in (body[:5], body[5:]):
            caller.sock.sendall(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece))
        caller.sock.sendall(b"0\r\nTrailer: t\r\n\r\n")
        assert caller.response()[0] == 200
        assert caller.send(chat("again")).response()[0] == 200
    provider.wait_request(2, until="answer")
    first, second = provider.requests()
    assert first.raw_head == raw
    assert first.header("x-twice") == ["1", "2"]
    assert [name for name, _ in first.headers][:2] == ["hOsT", "X-Twice"]
    assert first.body == body and first.json["messages"][0]["content"] == "é"
    assert (first.path, first.query, first.method) == (CHAT, "a=b%20c", "POST")
    assert before <= first.received_at <= first.body_at <= first.answered_at <= time.monotonic()
    assert [(r.n, r.connection, r.nth) for r in (first, second)] == [(1, 1, 1), (2, 1, 2)]
    stats = provider.stats()
    assert (stats["connections"], stats["requests"], stats["bodies"]) == (1, 2, 2)


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_log_has_the_hangup(provider, how):
    provider.script(hold=2)
    caller = Caller(provider).send(stream("9 words"))
    caller.read_until(b"word1")
    provider.wait_held()
    if how == "reset":
        caller.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket(fileno=caller.sock.detach()).close()  # no close_notify
    else:
        caller.close()
    at = time.monotonic()
    over = provider.wait_disconnect(1)
    assert over["hangup"] == how
    assert abs(over["hangup_at"] - at) < 0.5
    request = provider.requests()[0]
    assert request.hangup_at == over["hangup_at"] and request.answered_at is None
    assert provider.stats()["held"] == 0


def test_log_has_a_body_cut_short(plain_provider):
    with Caller(plain_provider) as caller:
        caller.sock.sendall(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    plain_provider.wait_disconnect(1)
    request, = plain_provider.requests()
    assert not request.body_complete and request.body == b"half"
    assert plain_provider.stats()["bodies"] == 0
    with pytest.raises(ProviderTimeout, match="1 began and 0 were complete"):
        plain_provider.wait_request(1, timeout=0.01)


@pytest.mark.parametrize("raw", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                                 b"POST / HTTP/1.1\r\ncontent-length: 1x\r\n\r\n",
                                 b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
                                 b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n"
                                 b"content-length: 3\r\n\r\n"])
def test_log_has_the_malformed(plain_provider, raw):
    with Caller(plain_provider) as caller:
        caller.sock.sendall(raw)
        caller.read_all()
    assert len(plain_provider.stats()["malformed"]) == 1


def test_bill(providers):
    provider = providers(plain=True, prices={
        "gpt-4o-mini": {"input": "0.15", "cached": "0.075", "output": "0.60"}})
    ask(provider, chat("say 3 words"))
    assert provider.requests()[0].bill == {
        "model": "gpt-4o-mini", "input": 7, "cached": 0, "cache_write": 0, "output": 3,
        "nano_usd": 7 * 150 + 3 * 600}
    provider.script(answer={"usage": {"input": 1000, "cached": 999, "output": 1}})
    ask(provider, chat("say 3 words"))
    assert provider.requests()[1].bill["nano_usd"] == 150 + 999 * 75 + 600
    provider.script(close_after={"events": 3})  # the role and two words of nine
    with Caller(provider) as caller:
        caller.send(stream("9 words")).read_all()
    assert provider.requests()[2].bill["output"] == 2
    provider.script(status=500)
    ask(provider, chat())
    ask(provider, dict(chat(), model="unpriced"))
    bill = provider.bill()
    assert (bill["requests"], bill["unpriced"]) == (4, 1)
    assert bill["nano_usd"] == sum(r.bill["nano_usd"] or 0 for r in provider.requests() if r.bill)


# scripts in general

def test_scripts_go_in_order_and_to_whom_they_are_for(provider):
    provider.script({"status": 503, "path": MESSAGES}, {"status": 429, "times": 2},
                    {"status": 402, "when": {"key": "other"}},
                    {"status": 418, "when": {"stream": True, "contains": "tea"}})
    want = [(chat(), 429), (chat(), 429), (chat("tea"), 200), (stream("coffee"), 200),
            (stream("tea"), 418)]
    assert [ask(provider, body)[0] for body, _ in want] == [status for _, status in want]
    assert ask(provider, chat(), headers=[("Authorization", "Bearer other")])[0] == 402
    assert ask(provider, claude(), MESSAGES, CLAUDE)[0] == 503
    assert provider.stats()["scripts_left"] == 0
    provider.script(status=500, times=0)
    assert {ask(provider, chat())[0] for _ in range(5)} == {500}


@pytest.mark.parametrize("script, why", [
    ({"staus": 200}, "unknown: staus"),
    ({"body": "", "sse": []}, "exclude each other"),
    ({"reset_after": 1, "close_after": 2}, "exclude each other"),
    ({"hold": "middle"}, "no place"),
    ({"actions": ["hold"]}, "no place"),
    ({"steps": [{"sent": "x"}]}, "no step"),
    ({"steps": [{"close": True}, {"send": "x"}]}, "after the end"),
    ({"framing": "http2"}, "framing must be one of"),
    ({"when": {"modle": "x"}}, "when has no modle"),
    ({"packet_bytes": 0}, "1 or more"),
])
def test_a_wrong_script_is_refused(provider, script, why):
    with pytest.raises(ProviderError, match=why):
        provider.script(script)


@pytest.mark.parametrize("script, why", [
    ({"close_after": 10 ** 9}, "1000000000 bytes of an answer"),
    ({"hold": 99}, "99 events of an answer"),
    ({"no_done": True}, "none to leave out"),
    ({"file": "/nonexistent"}, "FileNotFoundError"),
])
def test_a_script_that_cannot_be_played_is_told(providers, script, why):
    provider = Provider(plain=True).start()
    try:
        provider.script(script)
        with Caller(provider) as caller:
            caller.send(chat()).read_all()
            assert caller.ended == "reset"
        with pytest.raises(ProviderError, match=why):
            provider.check()
    finally:
        provider.stop()


def test_reset_forgets_and_hangs_up(provider):
    provider.script({"hold": 1}, {"status": 500})
    with Caller(provider) as caller:
        caller.send(stream()).read_until(b"role")
        provider.wait_held()
        provider.listener("down")
        provider.reset()
        caller.read_all()
    stats = provider.stats()
    assert (stats["connections"], stats["requests"], stats["scripts_left"], stats["held"]) == \
        (0, 0, 0, 0)
    assert ask(provider, chat())[0] == 200


def test_hold_and_release(provider):
    provider.script({"hold": 2}, {"hold": 2})
    callers = [Caller(provider).send(stream("5 words")) for _ in range(2)]
    for caller in callers:
        caller.read_until(b"word1")
        assert caller.quiet() and b"word2" not in caller.got
    with pytest.raises(ProviderTimeout, match="2 connections are held, not 3"):
        provider.release(at_least=3, timeout=0.01)
    assert provider.release(connection=2) == 1
    callers[1].read_until(b"[DONE]")
    assert callers[0].quiet()
    assert provider.release() == 1
    callers[0].read_until(b"[DONE]")
    for caller in callers:
        caller.close()


def test_ends_with_its_parent(certs):
    provider = Provider(certs).start()
    process = provider._process
    process.stdin.close()
    assert process.wait(WAIT) == 0
    process.stdin = open("/dev/null", "wb")
    provider.stop()


# certificates and connections

def test_tls_with_the_ca(provider):
    with Caller(provider) as caller:
        assert caller.sock.version() == "TLSv1.3"
        assert caller.send(chat()).response()[0] == 200
    assert provider.stats()["connection_log"][0]["tls"]["version"] == "TLSv1.3"


@pytest.mark.parametrize("cert, why", [
    ("expired", "certificate has expired"),
    ("wrong_host", "Hostname mismatch"),
    ("self_signed", "self-signed certificate"),
    ("other_ca", "unable to get local issuer certificate"),
])
def test_tls_with_a_bad_certificate(provider, cert, why):
    provider.on_connect(cert=cert)
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        Caller(provider)
    provider.wait_disconnect(1)
    assert len(provider.stats()["tls_failures"]) == 1
    assert ask(provider, chat())[0] == 200, "the next certificate is good again"


def test_tls_without_the_ca(provider):
    with socket.create_connection(("127.0.0.1", provider.port), WAIT) as sock:
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")


@pytest.mark.parametrize("flaw, first", [
    ({"stall": "accept"}, 0), ({"stall": "hello"}, 0), ({"stall_after": 40}, 40)])
def test_tls_that_stalls(provider, flaw, first):
    provider.on_connect(flaw)
    hello = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(("127.0.0.1", provider.port), WAIT) as sock:
        sock.sendall(hello.read())
        got = b""
        while len(got) < first:
            got += sock.recv(100)
        assert len(got) == first
        sock.settimeout(0.15)
        with pytest.raises(TimeoutError):
            sock.recv(1)
    assert provider.wait_disconnect(1)["hangup"] in ("fin", "reset")


def test_tls_that_is_none(provider):
    provider.on_connect(say="HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        Caller(provider)


def test_connection_faults(plain_provider):
    plain_provider.on_connect({"reset": True}, {"close": True}, {"delay_ms": 100}, {})
    for want in ("reset", "fin"):
        try:
            with Caller(plain_provider) as caller:
                caller.read_all()
                ended = caller.ended
        except ConnectionResetError:  # so soon that connecting already fails
            ended = "reset"
        assert ended == want
    began = time.monotonic()
    assert ask(plain_provider, chat())[0] == 200
    assert time.monotonic() - began >= 0.1
    assert ask(plain_provider, chat())[0] == 200


def test_listener_that_refuses(provider):
    provider.listener("down")
    with pytest.raises(ConnectionRefusedError):
        Caller(provider)
    provider.listener("up")
    assert ask(provider, chat())[0] == 200


def test_listener_that_swallows(provider):
    provider.listener("blackhole")
    with socket.socket() as sock:
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.connect(("127.0.0.1", provider.port))
    provider.listener("up")
    assert ask(provider, chat())[0] == 200


# how an answer can go wrong, each looked at as bytes

@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429, 500, 502, 503, 504, 529])
def test_status(provider, status):
    provider.script({"status": status, "headers": {"retry-after": "7", "Server": None}}, {
        "status": status, "path": MESSAGES, "message": "own words", "error": {"details": 1}})
    got, headers, raw = ask(provider, chat())
    assert got == status and headers["retry-after"] == "7" and headers["server"] is None
    if status in answers.EDGE_STATUSES:
        assert raw.startswith(b"<html>") and headers["content-type"] == "text/html"
    else:
        assert json.loads(raw)["error"]["message"]
    got, _, raw = ask(provider, claude(), MESSAGES, CLAUDE)
    error = json.loads(raw)["error"]
    assert got == status and (error["message"], error["details"]) == ("own words", 1)
    assert "x-ratelimit-limit-requests" not in headers


def test_silence(provider):
    provider.script({"silence": True}, {"silence": "head"}, {"actions": ["silence"]})
    for mark in (b"", b"\r\n\r\n", b""):
        with Caller(provider) as caller:
            caller.send(stream()).read_until(mark)
            assert caller.quiet() and body_of(caller.got) == b""
    assert [bool(r.sent_bytes) for r in provider.requests()] == [False, True, False]
    assert all(r.body_complete for r in provider.requests())


def test_stall_in_the_middle(plain_provider):
    plain_provider.script(pause={"at": {"events": 2}, "ms": 200})
    with Caller(plain_provider) as caller:
        caller.send(stream("5 words")).read_until(b"word1")
        first = caller.packets[-1][0]
        caller.read_until(b"[DONE]")
        assert any(b"word2" in data and when - first >= 0.19 for when, data in caller.packets)


RECORD = {"status": 200, "response_headers": {"content-type": "text/event-stream",
                                              "content-length": "999", "x-request-id": "req_1"},
          "streaming": True,
          "response_body": ": hi\r\n\r\ndata: {\"a\": \"é世😀\"}\r\n\r\ndata: [DONE]\n\n"}
RECORDED = RECORD["response_body"].encode()


@pytest.mark.parametrize("verb, ends", [("close_after", "fin"), ("reset_after", "reset")])
def test_cut_at_any_byte(plain_provider, verb, ends):
    places = list(range(0, len(RECORDED) + 1, 3)) + [-1]
    plain_provider.script(*[{"record": RECORD, "framing": "close", verb: place, "name": "cut"}
                            for place in places])
    for place in places:
        with Caller(plain_provider) as caller:
            caller.send(stream()).read_all()
            assert caller.ended == ends
            if ends == "fin":  # a reset may overtake what was sent before it
                assert body_of(caller.got) == RECORDED[:place]


def test_cut_inside_a_chunk(plain_provider):
    plain_provider.script({"record": RECORD, "chunk_bytes": 10, "close_after": 13},
                          {"close_after": {"wire": 20}}, {"close_after": "head"},
                          {"record": RECORD, "close_after": "body"})
    wants = (b"a\r\n" + RECORDED[:10] + b"\r\na\r\n" + RECORDED[10:13], None, b"", None)
    for i, want in enumerate(wants):
        with Caller(plain_provider) as caller:
            caller.send(stream()).read_all()
        if want is not None:
            assert body_of(caller.got) == want
        elif i == 1:
            assert len(caller.got) == 20
        else:
            assert caller.got.endswith(b"[DONE]\n\n"), "no chunk says that it is the last"


@pytest.mark.parametrize("notify, ends", [(True, "fin"), (False, "cut")])
def test_cut_of_tls(provider, notify, ends):
    provider.script(close_after={"events": 2}, close_notify=notify)
    with Caller(provider) as caller:
        caller.send(stream()).read_all()
    assert caller.ended == ends and b"word1" in caller.got and b"word2" not in caller.got


def test_half_close(plain_provider):
    plain_provider.script(half_close_after="end")
    with Caller(plain_provider) as caller:
        caller.send(chat()).read_all()
        assert caller.ended == "fin"
        caller.sock.sendall(b"still open")
        assert plain_provider.stats()["open"] == 1
    plain_provider.wait_disconnect(1)


def test_packets_of_one_byte(plain_provider):
    small = {"status": 200, "response_headers": {}, "response_body": "0123456789" * 3}
    plain_provider.script(record=small, packet_bytes=1, delay_ms=1)
    with Caller(plain_provider) as caller:
        caller.send(chat()).read_until(b"0123456789" * 3)
        # two may arrive together when this side is late
        assert len(caller.packets) > len(caller.got) / 2


def test_records_of_tls_are_the_packets(provider):
    provider.script({"record": RECORD, "cuts": ["head", 20, {"events": 2}, -1]}, {
        "record": RECORD, "random_cuts": {"seed": 1, "max": 7}}, {"record": RECORD,
                                                                  "one_packet": True})
    with Caller(provider) as caller:
        for least, most in ((5, 5), (30, 200), (1, 1)):
            before = len(caller.packets)
            caller.send(stream())
            whole = b""
            while not whole.endswith(b"0\r\n\r\n"):
                assert caller.recv()  # one record of TLS: that is what SSL_read gives
                whole += caller.packets[-1][1]
            assert least <= len(caller.packets) - before <= most
            assert len(body_of(whole)) > len(RECORDED)


def test_drip(plain_provider):
    plain_provider.script(body="0123456789", headers={"x": "y"}, cuts=["head", 5], delay_ms=60)
    with Caller(plain_provider) as caller:
        caller.send(chat()).read_until(b"0123456789")
        assert [data for _, data in caller.packets[1:]] == [b"01234", b"56789"]
        assert caller.packets[2][0] - caller.packets[1][0] >= 0.05


def test_utf8_across_chunks(plain_provider):
    plain_provider.script(chunk_bytes=1)
    with Caller(plain_provider) as caller:
        caller.send(stream("😀")).read_until(b"\r\n0\r\n\r\n")
    assert b"\r\n1\r\n\xf0\r\n1\r\n\x9f\r\n1\r\n\x98\r\n1\r\n\x80\r\n" in caller.got
    plain_provider.script(chunk_bytes=1)
    assert openai_text(ask(plain_provider, stream("😀"))[2]) == "😀"


def test_ends_of_a_stream(provider):
    provider.script({"no_done": True}, {"no_finish": True}, {"no_usage": True})
    for has_finish, has_usage, has_done in ((1, 1, 0), (0, 0, 0), (1, 0, 1)):
        body = ask(provider, stream())[2]
        assert openai_text(body) == "word1 word2 word3"
        assert (b'"finish_reason":"stop"' in body) == has_finish
        assert (b'"prompt_tokens"' in body) == has_usage
        assert (b"[DONE]" in body) == has_done
    provider.script({"no_done": True}, {"no_finish": True})
    for has_finish in (True, False):
        body = ask(provider, claude(stream=True), MESSAGES, CLAUDE)[2]
        assert b"message_stop" not in body and (b"message_delta" in body) == has_finish


def test_error_inside_a_stream(provider):
    fault = {"error_event": {"events": 3, "status": 429, "message": "slow down"}}
    provider.script(fault, dict(fault, error_event={"events": 4, "status": 529}))
    data = events_of(ask(provider, stream("9 words"))[2])
    assert len(data) == 4 and json.loads(data[3])["error"]["message"] == "slow down"
    body = ask(provider, claude("9 words", stream=True), MESSAGES, CLAUDE)[2]
    assert body.endswith(b"\n\n") and b"event: error\n" in body
    assert json.loads(events_of(body)[-1])["error"]["type"] == "overloaded_error"
    assert provider.bill()["output"] == 3


def test_garbage(plain_provider):
    junk = base64.b64encode(b"\x00\xff\xfe").decode()
    plain_provider.script(
        {"insert": {"at": {"events": 2}, "text": "data: {oops\n\n"}},
        {"record": RECORD, "insert": [{"at": 3, "base64": junk}, {"at": -1, "text": "!"}]},
        {"insert": {"at": {"wire": 0}, "text": "junk"}},
        {"insert": {"at": "end", "text": "data: more\n\n"}, "framing": "close"})
    assert events_of(ask(plain_provider, stream())[2])[2] == "{oops"
    assert ask(plain_provider, stream())[2] == \
        RECORDED[:3] + b"\x00\xff\xfe" + RECORDED[3:-1] + b"!" + RECORDED[-1:]
    with pytest.raises(http.client.BadStatusLine):
        ask(plain_provider, stream())
    assert ask(plain_provider, stream())[2].endswith(b"[DONE]\n\ndata: more\n\n")


def test_big_event(provider):
    provider.script(big_event=10_000_000)
    body = ask(provider, stream())[2]
    assert max(map(len, events_of(body))) > 10_000_000
    assert openai_text(body) == "word1" + "x" * 10_000_000 + " word2 word3"


def test_crlf_and_comments(provider):
    provider.script(crlf=True, insert={"at": {"events": 0}, "text": ": keep-alive\n\n"})
    body = ask(provider, stream())[2]
    assert body.startswith(b": keep-alive\n\ndata: ") and body.count(b"\r\n\r\n") == len(
        events_of(body))


def test_gzip_nobody_asked_for(provider):
    provider.script(gzip=True, times=2)
    for asked in (chat(), stream()):
        _, headers, body = ask(provider, asked)
        assert headers["content-encoding"] == "gzip"
        assert b"word3" in gzip.decompress(body)


@pytest.mark.parametrize("framing, line, named", [
    ("http10", b"HTTP/1.0 200 OK\r\n", True), ("close", b"HTTP/1.1 200 OK\r\n", True),
    ("none", b"HTTP/1.1 200 OK\r\n", False)])
def test_ended_by_the_connection(plain_provider, framing, line, named):
    plain_provider.script(framing=framing)
    with Caller(plain_provider) as caller:
        got = caller.send(stream()).read_all()
    head = got.partition(b"\r\n\r\n")[0].lower()
    assert got.startswith(line) and caller.ended == "fin"
    assert b"content-length" not in head and b"transfer-encoding" not in head
    assert (b"connection: close" in head) == named
    assert got.endswith(b"data: [DONE]\n\n")


def test_wrong_lengths(plain_provider):
    plain_provider.script({"body": "12345", "content_length": "+3", "close_after": "end"},
                          {"body": "12345", "content_length": "-2"},
                          {"body": "12345", "content_length": "abc"},
                          {"body": "12345", "chunk_bytes": 2,
                           "chunk_lie": {"chunk": 1, "size": "9"}},
                          {"body": "12345", "chunk_lie": {"chunk": 0, "size": "zz"}})
    with pytest.raises(http.client.IncompleteRead):
        ask(plain_provider, chat())
    with Caller(plain_provider) as caller:
        caller.send(chat()).read_until(b"12345")
        assert b"content-length: 3\r\n" in caller.got
    wants = (b"content-length: abc\r\n", b"2\r\n12\r\n9\r\n34\r\n1\r\n5\r\n0\r\n\r\n",
             b"zz\r\n12345")
    for want in wants:
        with Caller(plain_provider) as caller:
            caller.send(chat()).read_until(want)


def test_floods_of_headers(plain_provider):
    plain_provider.script({"informational": {"status": 100, "count": 1000}},
                          {"huge_header": 200_000}, {"many_headers": 500})
    with Caller(plain_provider) as caller:
        caller.send(chat()).read_until(b"word3")
        assert caller.got.startswith(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000 + b"HTTP/1.1 200 OK")
    with Caller(plain_provider) as caller:
        caller.send(chat()).read_until(b"word3")
        assert b"x-huge: " + b"x" * 200_000 in caller.got
    with Caller(plain_provider) as caller:
        caller.send(chat()).read_until(b"word3")
        assert caller.got.count(b"\r\nx-filler-") == 500


def test_redirect(provider):
    provider.script(status=307, headers={"location": "https://elsewhere.example/v1"}, body="")
    status, headers, body = ask(provider, chat())
    assert (status, headers["location"], body) == (307, "https://elsewhere.example/v1", b"")


def test_keep_alive_that_ends_at_the_second_request(plain_provider):
    plain_provider.script({"close_after": "start", "when": {"nth": 2}, "times": 2})
    for again in range(2):
        with Caller(plain_provider) as caller:
            assert caller.send(chat()).response()[0] == 200
            caller.send(chat("a second time")).read_all()
            assert caller.got == b"" and caller.ended == "fin"
    assert [r.body_complete for r in plain_provider.requests()] == [True] * 4
    plain_provider.script(close_after="end")
    with Caller(plain_provider) as caller:
        assert b"keep-alive" in caller.send(chat()).read_all(), "and yet it is closed"


@pytest.mark.parametrize("early", ["drain", "abandon"])
def test_early_answer(plain_provider, early):
    plain_provider.script(status=413, early=early)
    with Caller(plain_provider) as caller:
        caller.sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 9\r\n"
                            b"Authorization: Bearer k\r\n\r\n{\"a\"")
        caller.read_until(b"HTTP/1.1 413 ")
        assert not plain_provider.requests()[0].body_complete
        if early == "drain":
            caller.sock.sendall(b": 12}")
            assert plain_provider.wait_request(1).body == b'{"a": 12}'
        else:
            caller.read_all()
            assert caller.ended == "reset"


@pytest.mark.parametrize("expect, first", [
    (None, b"HTTP/1.1 100 Continue\r\n\r\n"), ("refuse", b"HTTP/1.1 417 "), ("ignore", b"")])
def test_expect_continue(plain_provider, expect, first):
    plain_provider.script({"expect": expect} if expect else {})
    raw = json.dumps(chat()).encode()
    with Caller(plain_provider) as caller:
        caller.sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer k\r\n"
                            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(raw))
        assert caller.read_until(first).startswith(first)
        if expect == "ignore":
            assert caller.quiet()
        if expect != "refuse":
            caller.sock.sendall(raw)
            caller.read_until(b"word3")


def test_by_hand(plain_provider):
    plain_provider.script(steps=[
        {"send": "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"}, {"pause_ms": 60}, {"send": "abc"},
        {"hold": True}, {"send_base64": base64.b64encode(b"\xff\x00d").decode()}, {"keep": True}],
        name="mine")
    with Caller(plain_provider) as caller:
        caller.send(chat()).read_until(b"abc")
        assert caller.packets[-1][0] - caller.packets[0][0] >= 0.05
        plain_provider.release()
        assert caller.read_until(b"d").endswith(b"abc\xff\x00d")
        assert caller.send(chat()).response()[0] == 200, "the connection was kept"
    assert [r.script for r in plain_provider.requests()] == ["mine", None]


def test_replay_of_a_record(provider, tmp_path):
    binary = {"status": 429, "response_headers": {"retry-after": "2", "transfer-encoding": "x"},
              "response_body": base64.b64encode(b"\x00\xffbinary").decode(),
              "response_base64": True}
    (tmp_path / "reply.sse").write_bytes(RECORDED)
    provider.script({"record": RECORD}, {"record": binary}, {"file": str(tmp_path / "reply.sse")})
    status, headers, body = ask(provider, stream())
    assert (status, headers["x-request-id"], body) == (200, "req_1", RECORDED)
    assert headers["content-length"] is None
    status, headers, body = ask(provider, chat())
    assert (status, headers["retry-after"], body) == (429, "2", b"\x00\xffbinary")
    _, headers, body = ask(provider, stream())
    assert body == RECORDED and headers["content-type"].startswith("text/event-stream")


def test_events_by_hand(provider):
    provider.script(sse=["[DONE]", {"event": "ping", "data": {"a": 1}}, {"raw": "retry: 1\n"}])
    assert ask(provider, stream())[2] == b'data: [DONE]\n\nevent: ping\ndata: {"a":1}\n\nretry: 1\n'


def test_a_key_told_to_everybody(provider):
    provider.script(status=401, message="wrong key: %KEY%", headers={"x-echo": "%KEY%"},
                    expand=True)
    _, headers, body = ask(provider, chat())
    assert headers["x-echo"] == "sk-test-0123456789"
    assert json.loads(body)["error"]["message"] == "wrong key: sk-test-0123456789"


def test_a_reader_who_does_not_read(plain_provider):
    plain_provider.script(big_event=30_000_000)
    with Caller(plain_provider) as caller:
        caller.send(stream()).read_until(b"word1")
        sent = plain_provider.requests()[0].sent_bytes
        assert sent < 30_000_000
    over = plain_provider.wait_disconnect(1)
    assert over["hangup_at"] is not None and plain_provider.requests()[0].answered_at is None


def test_many_at_once(plain_provider):
    plain_provider.script(hold=2, times=200)
    callers = [Caller(plain_provider) for _ in range(200)]
    for caller in callers:
        caller.send(stream())
    plain_provider.wait_held(200)
    assert plain_provider.release(at_least=200) == 200
    for caller in callers:
        caller.read_until(b"[DONE]")
        caller.close()
    stats = plain_provider.stats()
    assert (stats["connections"], stats["bodies"], stats["bill"]["output"]) == (200, 200, 600)


# rates, keys that are no good, faults by chance

def test_rates_as_openai_says_them(plain_provider):
    plain_provider.limits({"requests": 2, "seconds": 3600})
    got = [ask(plain_provider, chat()) for _ in range(3)]
    assert [status for status, _, _ in got] == [200, 200, 429]
    assert [head["x-ratelimit-remaining-requests"] for _, head, _ in got] == ["1", "0", "0"]
    assert {head["x-ratelimit-limit-requests"] for _, head, _ in got} == {"2"}
    status, head, body = got[2]
    assert re.fullmatch(r"(59|60)m[\d.]*s?|60m0s", head["x-ratelimit-reset-requests"])
    assert 1700 <= int(head["retry-after"]) <= 1800 and 1_700_000 <= int(head["retry-after-ms"]) <= 1_800_000
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded"
    assert ask(plain_provider, chat(), headers=OTHER)[0] == 200, "each key has its own"
    stats = plain_provider.stats()
    assert stats["limited"] == {"sk-test-0123456789": 1} and stats["bodies"] == stats["answers"] == 4


def test_rates_as_anthropic_says_them(plain_provider):
    plain_provider.limits({"key": "sk-ant-test", "requests": 1, "tokens": 1000, "seconds": 600, "kind": "window"})
    begun = int(time.time())
    got = [ask(plain_provider, claude(), MESSAGES, CLAUDE) for _ in range(2)]
    assert [status for status, _, _ in got] == [200, 429]
    for _, head, _ in got:
        assert head["anthropic-ratelimit-requests-remaining"] == "0"
        assert head["anthropic-ratelimit-tokens-limit"] == "1000"
        at = calendar.timegm(time.strptime(head["anthropic-ratelimit-requests-reset"], "%Y-%m-%dT%H:%M:%SZ"))
        assert begun + 600 <= at <= begun + 610
        now = calendar.timegm(email.utils.parsedate(head["date"]))
        assert begun <= now <= begun + 10 and at - now >= 599, "by the reply's own clock"
    assert "retry-after-ms" not in got[1][1] and 590 <= int(got[1][1]["retry-after"]) <= 600
    assert ask(plain_provider, chat())[0] == 200, "another's key"


@pytest.mark.parametrize("kind", ["bucket", "window"])
@pytest.mark.parametrize("most, seconds", [(2, 60), (7, 1), (600, 60)])
def test_rates_are_true(kind, most, seconds):
    """Whoever waits as long as is said is let through, and not before; and nobody gets more than that."""
    dice, now, let = random.Random(7), 1000.0, []
    limits = Limits([{"requests": most, "tokens": 50 * most, "seconds": seconds, "kind": kind}])

    def ask_at(at):
        over, head = limits.ask("k", "m", tokens, "openai", at, 0)
        if over is None:
            let.append((at, tokens))
        return int(head.get("retry-after-ms", 0)) / 1000
    for _ in range(3000):
        tokens = dice.choice((1, 49, 90))
        wait = ask_at(now)
        if wait:
            assert wait <= seconds + 0.001 and (wait < 0.01 or ask_at(now + wait - 0.005))
            now += wait
            assert not ask_at(now)
        now += dice.random() * 1.5 * seconds / most
    assert limits.refused["k"] > 3
    for i, (at, _) in enumerate(let):
        inside = [(later, tokens) for later, tokens in let[i:i + 3 * most] if later < at + seconds]
        # of a window that ends and of the one that begins; what is whole, and what has grown back
        assert len(inside) <= 2 * most and sum(tokens for _, tokens in inside) <= 100 * most


def test_what_is_left_at_first():
    limits = Limits([{"requests": 60, "left": 2, "style": "anthropic"}])
    said = [limits.ask("k", "m", 1, "openai", at, 0) for at in (10, 10, 10, 10.5, 11.1)]
    assert [over for over, _ in said] == [None, None, "requests", "requests", None]
    assert [head["anthropic-ratelimit-requests-remaining"] for _, head in said] == ["1", "0", "0", "0", "0"]
    empty = Limits([{"requests": 60, "left": 0}])
    assert [empty.ask("k", "m", 1, "openai", at, 0)[0] for at in (10, 10.9, 11)] == ["requests", "requests", None]
    assert said[2][1]["retry-after"] == "1" and "retry-after-ms" not in said[2][1], "whole seconds, as its style has it"


def test_more_than_there_ever_is_has_no_wait():
    over, head = Limits([{"tokens": 50}]).ask("k", "m", 51, "openai", 0, 0)
    assert over == "tokens" and "retry-after" not in head and head["x-ratelimit-remaining-tokens"] == "50"


@pytest.mark.parametrize("rule, why", [
    ({}, "requests or tokens"), ({"requests": 0}, "1 or more"), ({"requests": 1, "per": 3}, "no per"),
    ({"requests": 1, "kind": "bag"}, "kind is one of"), ({"requests": 1, "seconds": 0}, "more than none"),
    ({"requests": 1, "left": 2}, "no more than the whole")])
def test_a_wrong_rate_is_refused(plain_provider, rule, why):
    with pytest.raises(ProviderError, match=why):
        plain_provider.limits(rule)


def test_keys_that_are_no_good(plain_provider):
    plain_provider.script(status=418, times=1)
    for state, status in (("revoked", 401), ("quota", 402), ("forbidden", 403)):
        plain_provider.key_is("sk-test-0123456789", state)
        assert ask(plain_provider, chat())[0] == status, "before any script"
    assert ask(plain_provider, chat(), headers=OTHER)[0] == 418
    plain_provider.key_is("sk-test-0123456789", "good")
    assert ask(plain_provider, chat())[0] == 200
    assert [seen.script for seen in plain_provider.requests()] == ["revoked", "quota", "forbidden", "", None]
    with pytest.raises(ProviderError, match="a key is good"):
        plain_provider.key_is("k", "lost")


@pytest.mark.parametrize("script, answered", [
    ({}, True), ({"no_done": True}, True), ({"no_finish": True}, False), ({"close_after": {"events": 2}}, False),
    ({"close_after": "start"}, False), ({"error_event": {"events": 2}}, True), ({"status": 500}, True),
    ({"status": 307, "body": ""}, True), ({"status": 503, "close_after": 9}, False), ({"gzip": True}, False),
    ({"sse": ["{}", "[DONE]"]}, True), ({"sse": ["{}"]}, False), ({"sse": ["{}"], "answered": True}, True),
    ({"error_event": {"events": 2}, "answered": False}, False),
    ({"steps": [{"send": "HTTP/1.1 200 OK\r\n\r\n"}]}, False),
    ({"framing": "length", "content_length": "+9"}, False), ({"framing": "close"}, True)])
def test_counts_what_it_has_answered(plain_provider, script, answered):
    plain_provider.script({**script, "name": "it"})
    with Caller(plain_provider) as caller:
        caller.send(stream(), headers=BEARER + (("Connection", "close"),)).read_all()
    stats = plain_provider.stats()
    assert (stats["bodies"], stats["answers"]) == (1, int(answered))
    assert plain_provider.requests()[0].answered is answered
    (body, name, said, key), = plain_provider.tally()
    assert json.loads(body)["stream"] and (name, said, key) == ("it", answered, "sk-test-0123456789")


def test_faults_by_chance_are_the_same_again(plain_provider):
    def run(seed):
        plain_provider.reset()
        plain_provider.mix(seed=seed, weights={"500": 2, "503": 1, "429-in-stream": 1}, good=3)
        for _ in range(40):
            with Caller(plain_provider) as caller:
                caller.send(stream(), headers=BEARER + (("Connection", "close"),)).read_all()
        stats = plain_provider.stats()
        names = [seen.script for seen in plain_provider.requests()]
        assert dict(collections.Counter(names)) == stats["drawn"]
        assert stats["bodies"] == stats["answers"] == 40, "these are answers, all of them"
        return names
    first = run("a")
    assert set(first) == {"good", "500", "503", "429-in-stream"}
    assert run("a") == first and run("b") != first
    plain_provider.script(status=418)
    with Caller(plain_provider) as caller:
        assert b" 418 " in caller.send(stream()).read_until(b"\r\n\r\n"), "a script comes first"
    plain_provider.mix()
    assert [ask(plain_provider, chat())[0] for _ in range(9)] == [200] * 9
    with pytest.raises(ProviderError, match="no fault of a mix: nonsense"):
        plain_provider.mix(seed=1, weights={"nonsense": 1})


def test_every_fault_by_chance_can_be_played(provider):
    """Each by itself; what it says of being answered is what the provider counts."""
    for name, script, body in [*((name, script, stream("60 words")) for name, script in SCRIPTS.items()),
                               *((name, script, chat("60 words")) for name, script in WHOLE_SCRIPTS.items())]:
        provider.reset()
        provider.mix(seed=1, weights={name: 1}, good=0)
        with Caller(provider) as caller:
            caller.send(body, headers=BEARER + (("Connection", "close"),))
            if "silence" in name or "stall" in name:
                provider.wait_request(1)
            else:
                with contextlib.suppress(ssl.SSLError):  # an end without a goodbye
                    caller.read_all()
        provider.check()
        assert provider.stats()["answers"] == int(script["answered"]), name
    for name, flaw in FLAWS.items():
        provider.reset()
        provider.mix(seed=1, weights={name: 1}, connection=100)
        if {"reset", "close"} & set(flaw):
            with pytest.raises((OSError, ssl.SSLError)):
                ask(provider, chat())
        assert provider.stats()["bodies"] == 0


def test_a_provider_that_goes_down_with_its_callers(plain_provider):
    with Caller(plain_provider) as caller:
        caller.send(chat()).response()
        plain_provider.listener("down", hangs_up=True)
        assert not caller.recv()
        with pytest.raises(ConnectionRefusedError):
            Caller(plain_provider)
    plain_provider.listener("up")
    assert ask(plain_provider, chat())[0] == 200
