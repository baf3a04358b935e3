"""test_loops.py - does a program stream answers in its own event loop, whatever becomes of the broker?

The programs are the examples of the adapters llmclient-ev.h, llmclient-glib.h and llmclient-uv.h: their clock says
"tick" every 50 ms, as long as the loop is not held up.
"""

import os
import re
import signal
import subprocess

import harness
import pytest
from programs import needs

LOOPS = ("ev", "glib", "uv")
KEY = "sk-test-0123456789abcdef"
WORDS = [f"word{i}" for i in range(1, 9)]


def example(name):
    path = harness.bin_dir().parent / "examples" / f"loop_{name}"
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path.name} is not built: its loop's library is not here")
    return path


@pytest.fixture(params=LOOPS)
def start(request, broker, provider):
    """The broker, and a function that starts the loop's example with these questions."""
    path = example(request.param)
    made = broker(harness.provider_section(provider, model="m") + '[model "default"]\ntarget = test/m\n')
    made.add_key("test", KEY)

    def begin(*questions):
        running = harness.Running([str(path), *questions], made.client_env(), made.folder)
        made.running.append(running)
        return running
    return made, begin


def heard(out, question):
    """The text that came of a question."""
    return "".join(re.findall(rf"^{re.escape(question)}: (.*)$", out, re.M))


def wait_ticks(running, count):
    """Waits for so many more ticks: the loop goes round."""
    for _ in range(count):
        so_far, running.out = running.out, b""  # what is waited for has not come before
        running.read_until("tick\n")
        running.out = so_far + running.out


def say(text):
    return {"answer": {"text": text}}


def test_two_at_once_beside_a_clock(start, provider):
    made, begin = start
    provider.script(hold=4, times=0, **say(" ".join(WORDS)))
    running = begin("first", "second")
    provider.wait_held(2)
    wait_ticks(running, 4)
    before = running.out.decode()
    assert 0 < len(heard(before, "first")) < len(" ".join(WORDS)), before
    assert heard(before, "second") == heard(before, "first"), "both have come as far"
    provider.release(at_least=2)
    done = running.finish()
    assert done.code == 0, done
    for question in ("first", "second"):
        assert heard(done.out, question) == " ".join(WORDS)
    assert made.wait_ledger(2, 2)


def test_many_in_one_loop(start, provider):
    made, begin = start
    questions = [f"question{i}" for i in range(40)]
    done = begin(*questions).finish()
    assert done.code == 0, done
    assert all(heard(done.out, question) for question in questions)
    rows = made.wait_ledger(40, 40)
    assert {row["outcome"] for row in rows["exchange"]} == {"ok"}


def test_cancelled(start, provider):
    made, begin = start
    provider.script(hold=4, times=0, **say(" ".join(WORDS)))
    running = begin("first", "second")
    provider.wait_held(2)
    wait_ticks(running, 1)
    running.signal(signal.SIGINT)
    done = running.finish()
    assert done.code == 1, done
    assert done.err.count("cancelled") == 2, done
    for connection in (1, 2):
        provider.wait_disconnect(connection)
    rows = made.wait_ledger(2, 2)
    assert {row["outcome"] for row in rows["exchange"]} == {"cancelled"}


def test_the_broker_goes_and_comes_back(start, provider):
    made, begin = start
    provider.script(hold=4, times=1, **say(" ".join(WORDS)))
    running = begin("first")
    provider.wait_held()
    wait_ticks(running, 1)
    made.kill9()
    done = running.finish()
    assert done.code == 1 and "llmb usage" in done.err, "what was being told is not asked again"
    running = begin("second")
    wait_ticks(running, 3)
    assert "no broker" in running.err
    made.start()
    done = running.finish()
    assert done.code == 0, done
    assert heard(done.out, "second")


def test_what_had_not_begun_is_asked_again(start, provider):
    made, begin = start
    provider.script(hold="start", times=1)
    running = begin("first")
    provider.wait_held()
    made.kill9()
    wait_ticks(running, 3)
    made.start()
    done = running.finish()
    assert done.code == 0, done
    assert heard(done.out, "first")


@needs("valgrind")
@pytest.mark.skipif(harness.is_sanitized(), reason="a sanitizer looks already")
@pytest.mark.parametrize("name", LOOPS)
def test_memory(name, broker):
    """Valgrind sees nothing wrong, and nothing left behind."""
    path = example(name)
    made = broker('[model "default"]\ntarget = offline/echo\n')
    done = subprocess.run(["valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
                           "--errors-for-leak-kinds=definite", path, "first", "second"],
                          env=made.client_env(), capture_output=True, text=True, timeout=harness.CALL_SECONDS * 2)
    assert done.returncode == 0, done
    assert heard(done.stdout, "first") and heard(done.stdout, "second")
