"""test_wire.py - what does the broker say to a client that breaks the rules?

Each is told which rule it broke, or closed where there is nobody to tell; memory stays where it is
and other clients notice nothing."""

import json
import os
import struct
import time

import harness
import msgpack
import pytest
from wire import WireClient, WireError

HELLO, WELCOME, CALL, DATA, HEAD, EVENT, END, FAULT, CANCEL, CREDIT, GOAWAY = range(1, 12)
GOOD_HELLO = {"min": 1, "max": 1, "client": "test_wire", "app": "test"}


@pytest.fixture
def made(broker):
    return broker()


def greeted(made):
    client = WireClient(made.socket)
    client.send_frame(HELLO, 0, GOOD_HELLO)
    assert client.recv_frame().type == WELCOME
    return client


def chat(text, model="offline/echo", **more):
    body = msgpack.packb({"model": model, "stream": True,
                          "messages": [{"role": "user", "content": text}]})
    return {"kind": "typed", "op": "chat", "body": body, **more}


def is_serving(made):
    with greeted(made) as client:
        client.send_frame(CALL, 1, chat("hello"))
        return client.recv_until(END, FAULT)[-1].type == END


def refused(made, data, *, after_hello=True):
    """The fault that these bytes are answered with; the connection is closed after it."""
    client = greeted(made) if after_hello else WireClient(made.socket)
    with client:
        client.send_raw(data)
        fault = client.recv_until(FAULT)[-1]
        assert fault.call == 0
        assert fault.body["message"], "a sentence"
        assert client.is_closed()
    assert is_serving(made)
    return fault.body


def has_grown(made, before, kib):
    """Whether it holds so much more; what a sanitizer or valgrind keeps is not looked at. One such frame
    makes the heap grow by some 3 MiB, once."""
    return not harness.is_sanitized() and harness.SLOWER == 1 and made.rss_kib() - before >= kib


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


@pytest.mark.valgrind
def test_a_call_is_answered(made):
    with greeted(made) as client:
        client.send_frame(CALL, 7, chat("one two three"))
        frames = client.recv_until(END)
        assert {f.call for f in frames} == {7}
        assert "one two three" in "".join(f.body["d"] for f in frames
                                          if f.type == EVENT and f.body["ev"] == "text")


def test_a_length_over_the_ceiling(made):
    assert refused(made, struct.pack(">I", 0xffffffff))["class"] == "too_big"


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\x93\x01\x00",
                                     b"\x93\x03\x01\xd9\xff", b"hello", b"\x01", b"\xff" * 100,
                                     b"\x91" * 31, msgpack.packb([3]), msgpack.packb({"a": 1}),
                                     msgpack.packb(["call", 1, {}]),
                                     b"\x93\x03\x01\x82\xa1a\x01\xa1a\x02",
                                     b"\x93\x03\x01\x81\xa1\xff\x01"])
def test_what_is_no_frame(made, payload):
    assert refused(made, frame(payload))["class"] in ("malformed", "protocol", "too_big")


def test_a_million_nested_arrays(made):
    before = made.rss_kib()
    payload = b"\x91" * 250_000
    for _ in range(4):
        refused(made, frame(payload))
    assert not has_grown(made, before, 8192)


def test_a_million_small_values(made):
    before = made.rss_kib()
    payload = b"\x93\x03\x01\xdc\xff\xff" + b"\xc0" * 65535
    refused(made, frame(payload))
    assert not has_grown(made, before, 8192)


@pytest.mark.parametrize("kind", [0, 2, 4, 5, 6, 7, 8, 11, 12, 99, 255])
def test_frames_that_a_client_does_not_send(made, kind):
    with greeted(made) as client:
        client.send_frame(kind, 1, {})
        assert client.recv_until(FAULT)[-1].body["class"] in ("protocol", "malformed",
                                                              "invalid_request")
        assert client.is_closed()


def test_a_call_before_the_hello(made):
    with WireClient(made.socket) as client:
        client.send_frame(CALL, 1, chat("hi"))
        assert client.recv_until(FAULT)[-1].body["class"] == "protocol"
        assert client.is_closed()


def test_a_second_hello(made):
    with greeted(made) as client:
        client.send_frame(HELLO, 0, GOOD_HELLO)
        assert client.recv_until(FAULT)[-1].body["class"] == "protocol"


def test_a_hello_of_another_version(made):
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, {**GOOD_HELLO, "min": 77, "max": 99})
        fault = client.recv_until(FAULT)[-1].body
        assert fault["class"] == "version" and "77" in fault["message"]
        assert client.is_closed()


def test_no_hello_at_all(made):
    with WireClient(made.socket) as client:
        begun = time.monotonic()
        assert client.recv_until(FAULT, timeout=15)[-1].body["class"] == "timeout"
        assert client.is_closed()
        assert time.monotonic() - begun < 10


def test_a_token_that_nobody_knows(made):
    with greeted(made) as client:
        client.send_frame(CALL, 1, chat("hi", behalf={"token": "tok"}))
        fault = client.recv_until(FAULT)[-1]
        assert fault.call == 1 and fault.body["class"] == "denied", fault.body
        client.send_frame(CALL, 2, chat("still open"))
        assert client.recv_until(END, FAULT)[-1].type == END


@pytest.mark.parametrize("body", [
    {"messages": []}, {"messages": [{"role": "king", "content": "x"}]},
    {"messages": [{"role": "user", "content": [{"type": "smell"}]}]},
    {"messages": "hi"}, {"model": 7, "messages": []}, {},
    {"messages": [{"role": "user", "content": "x"}], "tools": [{"name": "f", "parameters": "{"}]},
])
def test_a_wrong_request_names_the_member(made, body):
    with greeted(made) as client:
        client.send_frame(CALL, 1, {**chat("x"),
                                    "body": msgpack.packb({"model": "offline/echo", **body})})
        fault = client.recv_until(FAULT)[-1]
        assert fault.call == 1 and fault.body["class"] == "invalid_request"
        assert fault.body["param"]


def test_many_calls_share_a_connection(made):
    with greeted(made) as client:
        for number in range(1, 101):
            client.send_frame(CALL, number, chat(f"number {number}"))
        ended = set()
        while len(ended) < 100:
            got = client.recv_frame()
            assert got.type != FAULT, got
            if got.type == END:
                ended.add(got.call)
        assert ended == set(range(1, 101))


def test_a_number_that_is_open_already(broker, provider):
    made = broker(harness.provider_section(provider, auth="none"))
    provider.script(hold="start", times=0)
    with greeted(made) as client:
        call = chat("hi", model="test/m")
        client.send_frame(CALL, 1, call)
        client.send_frame(CALL, 1, call)
        assert client.recv_until(FAULT)[-1].body["class"] == "protocol"


def test_no_credit_no_events(made):
    with greeted(made) as client:
        client.send_frame(CALL, 1, chat("one two three four", credit=0))
        with pytest.raises(WireError):
            client.recv_frame(timeout=0.3)
        client.send_frame(CREDIT, 1, {"bytes": 100_000})
        assert client.recv_until(END)[-1].call == 1


def test_a_client_that_never_reads_is_bounded(broker, provider):
    """A provider that would send for ever is paused, and memory stays where it is."""
    made = broker(harness.provider_section(provider, auth="none"))
    provider.script(sse=[{"data": json.dumps({"choices": [{"index": 0, "delta": {"content": "x" * 100_000}}]})}] * 100)
    before = made.rss_kib()
    with greeted(made) as client:
        client.send_frame(CALL, 1, chat("hi", model="test/m"))
        provider.wait_request(1)
        time.sleep(0.5)
        assert is_serving(made)
        assert not has_grown(made, before, 64 * 1024)


def test_descriptors_beside_the_bytes_are_not_kept(made):
    with greeted(made) as client:
        client.send_frame(CALL, 1, chat("hi"))
        client.recv_until(END)
        before = made.sockets()
        payload = msgpack.packb([CANCEL, 9, {}])
        for _ in range(50):
            with open(os.devnull, "rb") as null:
                client.send_with_fds(frame(payload), [null.fileno()] * 8)
        client.send_frame(CALL, 2, chat("hi"))
        client.recv_until(END)
        assert made.sockets() == before


def test_a_hundred_clients_that_vanish(made):
    before = made.sockets()
    for i in range(100):
        client = greeted(made)
        client.send_frame(CALL, 1, chat("word " * 50))
        if i % 2:
            client.recv_frame()
        client.close()
    assert is_serving(made)
    harness.wait_until(lambda: made.sockets() == before, 5, "the sockets of the vanished")
