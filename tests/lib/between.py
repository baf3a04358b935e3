"""between.py - how does a test ask the broker on another's behalf?"""

import json
import os
import pathlib
import socket
import subprocess

import harness
import msgpack
import pytest
from wire import CALL, DATA, END, FAULT, HELLO, WELCOME, WireClient, frame_bytes

GREETING = {"min": 1, "max": 1, "client": "between", "app": "between"}


def chat(model="offline/echo", **more):
    body = {"model": model, "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}
    return {"kind": "typed", "op": "chat", "body": msgpack.packb(body), **more}


class Between:
    """A program that asks for others."""

    def __init__(self, path):
        self.client = WireClient(path)
        self.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.client.send_frame(HELLO, 0, GREETING)
        assert self.client.recv_frame().type == WELCOME
        self.calls = 0

    def ask(self, fds=(), index=0, call=None, behalf=None):
        """The class of the fault, "" for none, and what came."""
        self.calls += 1
        named = {"fd": index} if behalf is None else behalf
        data = frame_bytes(CALL, self.calls, {**(call or chat()), "behalf": named})
        self.client.send_with_fds(data, list(fds)) if fds else self.client.send_raw(data)
        frames = self.client.recv_until(END, FAULT)
        last = frames[-1]
        assert last.call == self.calls
        return (last.body["class"] if last.type == FAULT else ""), frames

    def whoami(self, fds=(), **named):
        fault, frames = self.ask(fds, call={"kind": "admin", "op": "whoami", "credit": 1 << 20, "body": b"{}"}, **named)
        assert not fault, frames
        return json.loads(b"".join(frame.body["d"] for frame in frames if frame.type == DATA))

    def close(self):
        self.client.close()


@pytest.fixture
def made(broker):
    made = broker(run=False)
    made.socket = made.folder / "llm-broker" / "sock"
    made.env["LLM_BROKER_SOCKET"] = str(made.socket)
    return made.start()


@pytest.fixture
def between(made):
    one = Between(made.socket)
    yield one
    one.close()


class Program:
    """A process that sleeps, and a handle of it."""

    def __init__(self, *inside):
        self.process = subprocess.Popen([*inside, "sleep", "600"], stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        if inside:  # the one that is in the sandbox
            self.pid = harness.wait_until(self._inner, 10, "a process in the sandbox")
        self.fd = os.pidfd_open(self.pid)

    def _inner(self):
        pid = self.process.pid
        while True:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if not children:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                return pid if name == "sleep" else None
            pid = int(children[0])

    def end(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.end()
        os.close(self.fd)


@pytest.fixture
def program():
    started = []

    def start(*inside):
        started.append(Program(*inside))
        return started[-1]
    yield start
    for one in started:
        one.close()


BOX = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
