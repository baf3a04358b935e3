"""test_ends.py - does what a program no longer waits for end at the provider, and at once?"""

import time

import pytest
import replies
from clients import CLIENTS
from replies import Said

FAMILIES = ("chat", "responses", "anthropic", "gemini")
SECONDS = 0.1  # until the provider sees that nobody waits; a busy machine may need a second try
TRIES = 3

clients = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
families = pytest.mark.parametrize("family", FAMILIES)


def took(world, ask):
    """How long it was from the moment that the SDK let go to the one that the provider saw it; the best of a few."""
    best = None
    for _ in range(TRIES):
        world.provider.reset()
        out = ask()
        seen = world.provider.wait_request(1)
        world.provider.wait_disconnect(seen.connection)
        gone = world.provider.requests()[0].hangup_at
        assert gone, "the provider did not end it"
        best = min(gone - out["at"], best if best is not None else 1e9)
        if best < SECONDS:
            return out, best
    return out, best


@clients
@families
def test_a_stream_that_is_let_go(world, client, family):
    script = {**replies.script(family, Said(" ".join(map(str, range(40)))), True), "silence": {"events": 12}}

    def ask():
        world.provider.script(script)
        return world.do(client, "ask", f"{family}/m", prompt="x", stream=True, abort_after=2)
    out, seconds = took(world, ask)
    assert out["pieces"] <= 12 and seconds < SECONDS, (out, seconds)


@pytest.mark.parametrize("client", [client for client in CLIENTS if client.kind == "node"], ids=lambda c: c.name)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_request_that_is_let_go_before_its_answer(world, client, stream):
    def ask():
        world.provider.script(silence="start")
        return world.do(client, "ask", "chat/m", prompt="x", stream=stream, abort_ms=100)
    out, seconds = took(world, ask)
    assert "error" in out and seconds < SECONDS, (out, seconds)
    assert any("Abort" in name for name in out["error"]["names"]) or "abort" in out["error"]["message"].lower(), out


@clients
@pytest.mark.parametrize("family", ["chat", "anthropic"])
def test_a_time_out(world, client, family):
    """It is the SDK's own, and its exception says so."""
    def ask():
        world.provider.script(silence="start")
        began = time.monotonic()
        out = world.do(client, "ask", f"{family}/m", prompt="x", timeout_ms=300)
        assert 0.25 < time.monotonic() - began < 10
        return out
    out, seconds = took(world, ask)
    # the SDK says it when it has let go, and so may be a little late to say it
    assert "error" in out and seconds < SECONDS, (out, seconds)
    said = " ".join(out["error"]["names"]) + out["error"]["message"]
    assert "imeout" in said or "imed out" in said or "abort" in said.lower(), out["error"]
