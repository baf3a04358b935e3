"""test_leaks.py - does anything stay behind after many calls?

Bounded: CALLS sequential calls over one connection, and as many at once as CONCURRENT, both by
hand-made frames, so that what is measured is the daemon."""

import os
import time

import harness
import msgpack
import pytest
from wire import WireClient

HELLO, WELCOME, CALL, END, FAULT, CREDIT = 1, 2, 3, 7, 8, 10
CALLS = int(os.environ.get("LLMB_LEAK_CALLS", "10000"))
CONCURRENT = int(os.environ.get("LLMB_LEAK_CONCURRENT", "1000"))
PER_CONNECTION = 100


def chat(model, text):
    return {"kind": "typed", "op": "chat",
            "body": msgpack.packb({"model": model, "stream": True,
                                   "messages": [{"role": "user", "content": text}]})}


def greeted(made):
    client = WireClient(made.socket, timeout=60)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "leaks"})
    assert client.recv_frame().type == WELCOME
    return client


def quiet_kib(made):
    """The memory once the broker has given back what a crowd needed."""
    time.sleep(2)
    return made.heap_kib()


def slower():
    return harness.is_sanitized() or harness.SLOWER > 1


def test_sequential_calls_leave_nothing(broker, providers):
    keyless = providers(plain=True, needs_key=False)
    made = broker(harness.provider_section(keyless, auth="none", model="m"))
    count = CALLS // 20 if slower() else CALLS
    with greeted(made) as client:
        def run(n, model):
            for number in range(1, n + 1):
                client.send_frame(CALL, number, chat(model, "two words"))
                assert client.recv_until(END, FAULT)[-1].type == END
        run(max(200, count // 5), "test/m")  # pools and arenas reach their size
        run(max(200, count // 5), "offline/echo")
        sockets, files, before = made.sockets(), len(made.fds()), made.heap_kib()
        run(count // 5, "test/m")
        run(count - count // 5, "offline/echo")
        after = made.heap_kib()
        assert made.sockets() == sockets
        assert len(made.fds()) <= files + 2, "files that the workers have open just now"
    if not slower():
        assert after - before < 1024, f"{before} KiB before, {after} KiB after {count} calls"


def test_concurrent_calls_leave_nothing(broker, providers):
    keyless = providers(plain=True, needs_key=False)
    made = broker(harness.provider_section(keyless, auth="none", model="m"))
    count = CONCURRENT // 10 if slower() else CONCURRENT

    def burst():
        clients = [greeted(made) for _ in range(max(1, count // PER_CONNECTION))]
        for client in clients:
            for number in range(1, PER_CONNECTION + 1):
                client.send_frame(CALL, number, chat("test/m", "two words"))
        for client in clients:
            ended = 0
            while ended < PER_CONNECTION:
                frame = client.recv_frame()
                assert frame.type != FAULT, frame
                ended += frame.type == END
            client.close()
    idle = made.sockets()
    # The heap takes a while to find its shape; what is lost for good is lost again in each round.
    grown, before = [], 0
    while not grown or (grown[-1] >= 1024 and len(grown) < 5):
        for _ in range(4):
            burst()
        after = quiet_kib(made)
        grown.append(after - before)
        before = after
        if slower():
            break
    if not slower():
        assert grown[-1] < 1024, f"KiB by four bursts: {grown}"
    made.reload()  # drops idle connections to providers
    made.wait_log("config.loaded")
    harness.wait_until(lambda: made.sockets() == idle, 10, "sockets")


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_idle_means_idle(broker):
    """No timer spins: an idle daemon uses no processor."""
    made = broker()
    made.llmb("ask", "-m", "offline/echo", "hi")

    def ticks():
        with open(f"/proc/{made.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    time.sleep(0.5)
    before = ticks()
    time.sleep(2)
    assert ticks() - before <= 2 * harness.SLOWER
