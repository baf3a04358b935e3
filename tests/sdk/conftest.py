"""conftest.py - what does every test with an SDK get?

world   a broker, its bridge and a scripted provider of four families, once for all tests of a process. A test with
        `live_and_kept` has it twice: where each order reaches the provider, and where each is done twice, the second
        time from the broker's cache: what holds of a live answer has to hold of that one

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
from wire import CALL, END, HELLO, WELCOME, WireClient  # noqa: E402

KEY = "sk-test-0123456789abcdef"
SECONDS = 120  # of one test
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
# each case is to reach the provider, also where another one has asked the same
ANEW = """
[policy "anew"]
kind = host
operation = *
native = * * /
cache = off
"""
KEPT = ANEW.replace("off", "on")

live_and_kept = pytest.mark.parametrize("world", ["live", "kept"], indirect=True)


def sdk_folder():
    return pathlib.Path(os.environ.get("LLMB_SDK_DIR") or harness.TOP / "build/sdk")


class World:
    """A broker behind its bridge, the provider behind it, and drivers of SDKs, each started when first asked."""

    is_kept = False

    def __init__(self, stack, rule, drivers):
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmb-sdk-")))
        self.provider = stack.enter_context(Provider(plain=True))
        config = "".join(harness.provider_section(self.provider, name, dialect=dialect)
                         for name, dialect in [*DIALECTS.items(), *BUSY.items()])
        for name in ("nokey", "poor"):
            config += harness.provider_section(self.provider, name, dialect=DIALECTS["chat"])
        self.config = config + CONFIG + rule
        self.broker = harness.Broker(self.config)
        stack.callback(self.broker.close)
        self.broker.start()
        for name in (*DIALECTS, *BUSY, "poor"):
            self.broker.add_key(name, KEY)
        self.bridge, self.base = start_bridge(self.broker)
        stack.callback(self.bridge.kill)
        self.drivers = drivers
        stack.callback(self.close_drivers)

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

    def once(self, client, op, model, **order):
        """Gives the client an order, and returns what came of it; an error that it has met is in `error`."""
        return self.start(client, op, model, **order).hear()

    do = once

    def well(self, client, op, model, **order):
        out = self.do(client, op, model, **order)
        assert "error" not in out, (out, self.broker.log()[-3000:])
        return out

    def says(self, family, stream, *said):
        """What the provider replies to the next requests."""
        self.provider.script(*(replies.script(family, one, stream) for one in said))


class Kept(World):
    """The same, but of each order comes what was kept of it."""

    is_kept = True

    def forget(self):
        with WireClient(self.broker.socket) as client:
            client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "sdk"})
            client.recv_until(WELCOME)
            client.send_frame(CALL, 1, {"kind": "admin", "op": "cache.clear", "credit": 1 << 20, "body": b"{}"})
            client.recv_until(END)

    def do(self, client, op, model, **order):
        self.forget()  # what another order, or the same of another test, has left
        first = self.once(client, op, model, **order)
        assert "error" not in first, (first, self.broker.log()[-3000:])
        bodies = len(self.provider.requests())
        again = self.once(client, op, model, **order)
        seen = self.provider.requests()
        assert len(seen) == bodies > 0, ("the provider was asked again", [one.body for one in seen])
        if again.get("headers"):
            assert again["headers"]["x-llm-broker-cache"].startswith("hit; age="), again
            assert "x-llm-broker-cache" not in first["headers"], first
        return again


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


@contextlib.contextmanager
def started(make, rule, drivers):
    with contextlib.ExitStack() as stack:
        world = make(stack, rule, drivers)
        yield world
        world.close_drivers()  # whatever they still wait for ends with them
        world.broker.stop()
        assert world.bridge.process.poll() is None, world.bridge.err


@pytest.fixture(scope="session")
def _drivers():
    return {}


@pytest.fixture(scope="session")
def _live(_drivers):
    with started(World, ANEW, _drivers) as world:
        yield world


@pytest.fixture(scope="session")
def _kept(_drivers):
    with started(Kept, KEPT, _drivers) as world:
        yield world


@pytest.fixture
def world(request):
    made = request.getfixturevalue(f"_{getattr(request, 'param', 'live')}")
    made.provider.reset()
    yield made
    made.provider.check()
    assert made.broker.is_alive() and made.bridge.process.poll() is None, made.bridge.err


class Hangs(Exception):
    """A test that did not end in time."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    def on_alarm(*_):
        raise Hangs(f"no end after {SECONDS} s")
    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pytest_collection_modifyitems(items):
    """Who drives the same SDK shares a process."""
    for item in items:
        client = item.callspec.params.get("client") if hasattr(item, "callspec") else None
        item.add_marker(pytest.mark.xdist_group(client.program if client else "rest"))
