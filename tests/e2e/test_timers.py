"""test_timers.py - when is a provider given up?"""

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
