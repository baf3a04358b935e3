"""test_lifecycle.py - how does the broker begin, get better, and end, whatever is under way?"""

import json
import os
import signal
import subprocess
import time

import harness
import pytest
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

KEY = "sk-test-0123456789abcdef"


def greeted(made):
    client = WireClient(made.socket, timeout=10)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test_lifecycle", "app": "test"})
    assert client.recv_frame().type == WELCOME
    return client


def admin(op, **body):
    return {"kind": "admin", "op": op, "body": json.dumps(body).encode()}


def test_a_mended_configuration_does_not_mend_the_state(broker):
    """Two things are wrong at start; one of them is put right."""
    made = broker("[broker]\nnonsense = 1\n", run=False)
    made.state_dir.write_text("a file where the folder should be")
    made.start()
    made.configure("")
    assert made.llmb("config", "reload").code in (0, 1, 2)
    made.reload()
    made.wait_log("config.loaded")
    done = made.llmb("ask", "-m", "offline/echo", "hi")
    assert done.code != 0 and "state folder" in done.err, done
    assert made.is_alive()
    status = json.loads(made.llmb("status", "--json").out)
    assert "state folder" in status["degraded"]
    made.state_dir.unlink()
