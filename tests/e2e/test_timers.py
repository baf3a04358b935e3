"""test_timers.py - when is a provider given up, and what becomes of an answer whose caller has gone?"""

import os
import signal
import time

import harness
import pytest

KEY = "sk-test-0123456789abcdef"
PRICES = harness.section("model", "test/m", {"price_input": "0.15", "price_output": "0.60"})


@pytest.fixture
def serve(broker, provider):
    """A broker with these settings, and its provider with those."""
    def made(settings, **more):
        one = broker(harness.section("broker", "", settings) +
                     harness.provider_section(provider, model="m", **more) + PRICES)
        one.add_key("test", KEY)
        return one
    return made


def leave(made, provider):
    """A caller who is killed in the middle of his answer."""
    provider.script(hold=2)
    running = made.llmb_start("ask", "-m", "test/m", "20 words")
    provider.wait_held()
    with_him = made.sockets()
    running.signal(signal.SIGKILL)
    running.finish()
    harness.wait_until(lambda: made.sockets() < with_him, 5, made.fds)


def test_a_handshake_has_a_time_of_its_own(serve, provider):
    made = serve({"tls_timeout": "500ms", "connect_timeout": "10s"})
    provider.on_connect(stall="hello", times=0)
    begun = time.monotonic()
    done = made.llmb("ask", "-m", "test/m", "hi")
    took = time.monotonic() - begun
    assert done.code in (7, 124), done.err
    assert 0.5 <= took < 5, took
    rows = made.wait_ledger(1)["attempt"]
    assert len(rows) == 1 and not rows[0]["sent_body"]
    assert rows[0]["error"] == "timeout"
    assert 500_000 <= rows[0]["total_us"] < 4_000_000, "0.5 to 0.63 s on a host that is not busy"


def test_a_handshake_in_time_is_none_of_it(serve, provider):
    made = serve({"tls_timeout": "5s", "connect_timeout": "10s"})
    provider.on_connect(delay_ms=300)
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0


def test_silence_between_words(serve, provider):
    made = serve({"token_timeout": "500ms", "idle_timeout": "60s"})
    provider.script(silence={"events": 3})
    done = made.llmb("ask", "-m", "test/m", "20 words")
    assert done.code in (7, 124), done.err
    assert "no further word" in done.err
    assert made.wait_ledger(1)["exchange"][0]["outcome"] == "unknown"


def test_an_answer_is_read_on_for_who_has_gone(serve, provider):
    made = serve({}, on_gone="drain")
    leave(made, provider)
    assert made.ledger()["exchange"] == []
    provider.release()
    rows = made.wait_ledger(1)
    assert rows["exchange"][0]["outcome"] == "cancelled"
    assert rows["attempt"][0]["outcome"] == "ok"
    assert rows["exchange"][0]["cost_nusd"] == rows["attempt"][0]["cost_nusd"] > 0
    assert rows["attempt"][0]["output"] > 0


def test_by_itself_it_is_cancelled(serve, provider):
    made = serve({})
    leave(made, provider)
    rows = made.wait_ledger(1)
    assert rows["exchange"][0]["outcome"] == "cancelled"
    assert rows["attempt"][0]["outcome"] == "cancelled"


def test_what_is_read_on_ends_with_the_broker(serve, provider):
    made = serve({"drain": "1s"}, on_gone="drain")
    leave(made, provider)
    begun = time.monotonic()
    os.kill(made.pid, signal.SIGTERM)
    assert made.wait_exit() == 0
    assert time.monotonic() - begun >= 0.9
    rows = made.ledger()
    assert rows["exchange"][0]["outcome"] == rows["attempt"][0]["outcome"] == "cancelled"


def test_kill_9_while_it_is_read_on(serve, provider):
    made = serve({}, on_gone="drain")
    leave(made, provider)
    made.kill9()
    made.start()
    rows = made.wait_ledger(1)["exchange"]
    assert rows[0]["outcome"] == "unknown" and rows[0]["error"] == "outcome_unknown"
    assert rows[0]["cost_nusd"] > 0, "billed as it was reserved"
