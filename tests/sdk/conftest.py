"""conftest.py - what does every test with an SDK get?

world   a broker, its bridge and a scripted provider of four families, once for all tests of a process

The providers chat, responses, anthropic and gemini are one process that speaks four languages. $LLMB_SDK_DIR
says where install.py has put the SDKs; what is not there is skipped.
"""

import contextlib
import os
import pathlib
import signal
import socket
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib"), str(HERE.parent)]

import clients  # noqa: E402
import harness  # noqa: E402
import install  # noqa: E402
import replies  # noqa: E402
from provider_client import Provider  # noqa: E402

KEY = "sk-test-0123456789abcdef"
DIALECTS = {"chat": "openai-chat /v1/chat/completions", "responses": "openai-responses /v1/responses",
            "anthropic": "anthropic /v1/messages", "gemini": "gemini /v1beta/models/{model}:{method}"}
BUSY = {f"busy-{name}": dialect for name, dialect in DIALECTS.items()}  # asked where they refuse
CONFIG = """
[limit "poor"]
model = poor/*
budget = 0.000001/day
[model "poor/m"]
price_input = 1
price_output = 2
"""


def sdk_folder():
    return pathlib.Path(os.environ.get("LLMB_SDK_DIR") or harness.TOP / "build/sdk")


class World:
    """A broker behind its bridge, the provider behind it, and drivers of SDKs, each started when first asked."""

    def __init__(self, stack):
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmb-sdk-")))
        self.provider = stack.enter_context(Provider(plain=True))
        config = "".join(harness.provider_section(self.provider, name, dialect=dialect)
                         for name, dialect in [*DIALECTS.items(), *BUSY.items()])
        for name in ("nokey", "poor"):
            config += harness.provider_section(self.provider, name, dialect=DIALECTS["chat"])
        self.config = config + CONFIG
        self.broker = harness.Broker(self.config)
        stack.callback(self.broker.close)
        self.broker.start()
        for name in (*DIALECTS, *BUSY, "poor"):
            self.broker.add_key(name, KEY)
        self.bridge, self.base = start_bridge(self.broker)
        stack.callback(self.bridge.kill)
        self.drivers = {}

    def close_drivers(self):
        while self.drivers:
            self.drivers.popitem()[1].close()

    def driver(self, client):
        made = install.find(sdk_folder(), client.kind)
        if made is None:
            pytest.skip(f"{client.kind}'s SDKs are not installed: run `make check-sdk`")
        if client.program not in self.drivers or not self.drivers[client.program].is_alive():
            self.drivers[client.program] = clients.Driver(made, client.kind, client.program, self.folder)
        return self.drivers[client.program]

    def start(self, client, op, model, **order):
        driver = self.driver(client)
        driver.say({"base": self.base, "op": op, "api": client.api, "model": model, **order})
        return driver

    def do(self, client, op, model, **order):
        """Gives the client an order, and returns what came of it; an error that it has met is in `error`."""
        return self.start(client, op, model, **order).hear()

    def well(self, client, op, model, **order):
        out = self.do(client, op, model, **order)
        assert "error" not in out, (out, self.broker.log()[-3000:])
        return out

    def says(self, family, stream, *said):
        """What the provider replies to the next requests."""
        self.provider.script(*(replies.script(family, one, stream) for one in said))


def start_bridge(broker):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = harness.Running([harness.program("llm-broker-bridge"), "--listen", f"127.0.0.1:{port}", "--socket",
                               str(broker.socket)], broker.client_env(), broker.folder)

    def listens():
        assert running.process.poll() is None, running.err
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.settimeout(1)
            sock.connect(("127.0.0.1", port))
            return True
    harness.wait_until(listens, 10, "llm-broker-bridge listens")
    return running, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def _world():
    with contextlib.ExitStack() as stack:
        world = World(stack)
        stack.callback(world.close_drivers)
        yield world
        world.close_drivers()  # whatever they still wait for ends with them
        world.broker.stop()
        assert world.bridge.process.poll() is None, world.bridge.err


@pytest.fixture
def world(_world):
    _world.provider.reset()
    yield _world
    _world.provider.check()
    assert _world.broker.is_alive() and _world.bridge.process.poll() is None, _world.bridge.err


class Hangs(Exception):
    """A test that did not end in time."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    def on_alarm(*_):
        raise Hangs("no end after 60 s")
    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pytest_collection_modifyitems(items):
    """Who drives the same SDK shares a process."""
    for item in items:
        client = item.callspec.params.get("client") if hasattr(item, "callspec") else None
        item.add_marker(pytest.mark.xdist_group(client.program if client else "rest"))
