"""test_given_back.py - what is left in the daemon's memory of a call that has ended? Nothing that was said in it.

Each carries words that nobody mistakes, which the daemon reads into memory that the next call gets. The same search finds them
while it is under way."""

import json
import secrets
import time

import harness
import msgpack
import pytest
from bridge import ask
from canary import memory_of
from programs import needs_release, needs_root
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

pytestmark = [pytest.mark.security, needs_root, needs_release]

JSON = [("Content-Type", "application/json")]


class Words:
    """One for each place."""

    def __init__(self, made):
        self.made = made
        self.known = {}

    def new(self, place):
        self.known[place] = f"left-{secrets.token_hex(16)}"
        return self.known[place]

    def found(self):
        """{place: how often}, of those that are there."""
        data = [region.data for region in memory_of(self.made.pid)]
        counts = {place: sum(one.count(word.encode()) for one in data) for place, word in self.known.items()}
        return {place: count for place, count in counts.items() if count}

    def are_gone(self):
        time.sleep(1)
        assert self.found() == {}


@pytest.fixture
def made(broker, providers):
    provider = providers(needs_key=False)
    made = broker(harness.provider_section(provider, auth="none", model="m"))
    made.provider = provider
    return made


@pytest.fixture
def client(made):
    with WireClient(made.socket, timeout=60) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "left"})
        client.recv_until(WELCOME)
        yield client


def send(client, number, text, model="test/m", **more):
    client.send_frame(CALL, number, {"kind": "typed", "op": "chat", "credit": 1 << 24, **more, "body": msgpack.packb(
        {"model": model, "temperature": 0, "messages": [{"role": "user", "content": text}]})})


def end(client):
    return client.recv_until(END, FAULT)[-1]


def test_nothing_is_left(made, client, bridge):
    words, door = Words(made), bridge(made)
    made.provider.script(hold="start", answer={"text": "ok"})
    send(client, 1, f"{words.new('prompt')} {'word ' * 600}", session=words.new("session"), tags=[words.new("tag")],
         cache="on")
    made.provider.wait_held()
    assert set(words.found()) == {"prompt", "session", "tag"}, "what is searched is found"
    made.provider.release()
    assert end(client).type == END
    words.are_gone()

    made.provider.script(answer={"text": f"{words.new('answer')} {'word ' * 600}"})
    escaped = words.new("escaped")
    body = json.dumps({"model": "test/m", "messages": [{"role": "user", "content": escaped}]})
    got = ask(door, "POST", "/v1/chat/completions", body.replace("left-", "\\u006ceft-").encode(), JSON)
    assert got.status == 200, got
    words.are_gone()
