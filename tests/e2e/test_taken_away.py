"""test_taken_away.py - what becomes of those who came on a socket that is taken away, or becomes another's?

And who keeps a new one from being made?"""

import fcntl
import json
import os
import time

import harness
import pytest
from test_policy import CHAT, llmb, started
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient, pack

SMALL = ("small", {"profile": "small", "operation": "use", "model": "none/x"})
BODY = pack({"model": "other/a", "messages": [{"role": "user", "content": "x"}]})


def connected(path):
    client = WireClient(path)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "t", "app": "t"})
    assert client.recv_frame().type == WELCOME
    return client


def ask(client, number=1):
    client.send_frame(CALL, number, {"kind": "typed", "op": "chat", "body": BODY, "credit": 1 << 20})


def is_told(client, words):
    frame = client.recv_until(FAULT)[-1]
    assert frame.call == 0 and frame.body["class"] == "denied" and words in frame.body["message"], frame
    assert client.is_closed()
    client.close()


@pytest.fixture
def app(broker, provider):
    made = started(broker, provider, SMALL)
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    path = json.loads(llmb(made, "app", "add", "notes", "--json").out)["socket"]
    return made, path


def test_given_another_profile(app):
    made, path = app
    client, idle = connected(path), connected(path)
    ask(client)
    assert client.recv_until(END, FAULT)[-1].type == END
    with WireClient(path) as silent, connected(made.socket) as other:
        assert llmb(made, "app", "add", "notes", "--profile", "small").code == 0
        is_told(client, "another profile")
        is_told(idle, "another profile")
        assert silent.recv_frame().type == FAULT, "one that has said nothing, too"
        ask(other)
        assert other.recv_until(END, FAULT)[-1].type == END, "others stay"
    with connected(path) as again:
        ask(again)
        assert again.recv_until(END, FAULT)[-1].body["class"] == "denied"


def test_given_the_same(app):
    made, path = app
    with connected(path) as client:
        assert llmb(made, "app", "add", "notes").code == 0
        ask(client)
        assert client.recv_until(END, FAULT)[-1].type == END


def test_removed(app):
    made, path = app
    client = connected(path)
    assert llmb(made, "app", "remove", "notes").code == 0
    is_told(client, "is gone")
    path = json.loads(llmb(made, "app", "add", "notes", "--json").out)["socket"]
    with connected(path) as client:
        ask(client)
        assert client.recv_until(END, FAULT)[-1].type == END


def test_a_call_under_way_is_cancelled(broker, provider):
    made = started(broker, provider)
    provider.script(hold="start", answer={"text": "far too late"})
    path = json.loads(llmb(made, "app", "add", "notes", "--json").out)["socket"]
    client = connected(path)
    ask(client)
    harness.wait_until(lambda: provider.requests(), 5, "it is sent")
    begun = time.monotonic()
    assert llmb(made, "app", "remove", "notes").code == 0
    is_told(client, "is gone")
    made.wait_ledger(1)
    assert time.monotonic() - begun < 5 * harness.SLOWER
    provider.reset()


def test_what_llmb_run_left_behind(broker, provider):
    """The connection was for the program, and ends with `llmb run`, whoever has it then."""
    made = started(broker, provider, ("small", {"profile": "small", "operation": "use"}))
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    ready, out = made.folder / "ready", made.folder / "late"
    ask = f"{harness.program('llmb')} ask --no-stream -m other/a hi"
    done = llmb(made, "run", "--profile", "small", "--", "sh", "-c",
                f"{ask}; (while ! test -e {ready}; do sleep 0.05; done; {ask}; echo $?) >{out} 2>&1 & exit 0")
    assert (done.code, done.out) == (0, "Hello.\n"), done
    time.sleep(0.2)
    ready.touch()
    harness.wait_until(lambda: out.exists() and out.read_text().strip()[-1:].isdigit(), 10, "it has an answer")
    assert "Hello" not in out.read_text(), out.read_text()


def test_a_folder_that_somebody_holds(broker, provider):
    """The daemon does not wait for it."""
    made = started(broker, provider)
    folder = made.socket.parent / "apps" / "notes"
    folder.mkdir(parents=True)
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    begun = time.monotonic()
    done = llmb(made, "app", "add", "notes")
    assert done.code != 0 and "another program holds it" in done.err, done
    assert time.monotonic() - begun < 2 * harness.SLOWER
    assert "loop.stall" not in made.log()
    os.close(held)
    assert llmb(made, "app", "add", "notes").code == 0
