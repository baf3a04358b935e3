"""test_relay_bodies.py - how long may a relayed body or answer be, how slowly may it be read, and what does
the daemon hold of it meanwhile and afterwards?"""

import time

import harness
import pytest
from surfaces import FAMILIES, Call, dialects, relay
from wire import CREDIT, DATA

KEY = "sk-test-0123456789abcdef"
MIB = 1 << 20
families = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


@pytest.fixture
def made(broker, provider):
    made = broker(harness.provider_section(provider, "all", dialect=dialects(), bytes_max=str(64 * MIB)) +
                  harness.provider_section(provider, "chat", dialect="openai-chat /v1/chat/completions",
                                           auth="none"))
    made.add_key("all", KEY)
    return made


def is_measured():
    return not harness.is_sanitized() and harness.SLOWER == 1


def grown(made, before):
    """KiB of heap beyond `before`; 0 where a sanitizer keeps what was freed."""
    return made.heap_kib() - before if is_measured() else 0


# ---- requests ----

@families
def test_a_body_in_pieces(made, provider, family):
    text = "y" * (4 * MIB)
    provider.script(**family.script("Hi", False)[0])
    call = relay(made, **family.ask("all/m", text))
    assert call.is_good, call
    assert provider.requests()[0].body.decode() == family.forwarded("m", text, False)


def test_a_body_in_pieces_whose_length_nobody_said(made, provider):
    family = FAMILIES["anthropic"]
    body = family.body("all/m", "y" * MIB, False).encode()
    provider.script(**family.script("Hi", False)[0])
    call = Call(made, family.surface, None)
    for at in range(0, len(body), 10_000):
        while call.balance <= 0:
            call.frame()
        call.client.send_frame(DATA, 1, {"d": body[at:at + 10_000], "last": at + 10_000 >= len(body)})
        call.balance -= 10_100
    assert call.finish().is_good, call
    assert provider.requests()[0].body.decode() == family.forwarded("m", "y" * MIB, False)


@pytest.mark.parametrize("name, model", [("chat", "all/m"), ("responses", "all/m"), ("anthropic", "chat/m")])
def test_sixty_mebibytes_pass_and_leave_nothing(made, provider, name, model):
    """In the same language, in one whose answers are kept, and translated."""
    family = FAMILIES[name]
    host = family if model.startswith("all/") else FAMILIES["chat"]
    provider.script(**host.script("Hi", False)[0], times=2)
    relay(made, **family.ask(model, "x"))
    before = made.heap_kib()
    call = relay(made, **family.ask(model, "y" * (60 * MIB)), timeout=60)
    assert call.is_good and family.text(call) == "Hi", call
    assert len(provider.requests()[1].body) > 60 * MIB
    made.gives_back(before, 4 * 1024)
    made.wait_ledger(2, 2)
    assert made.llmb("ask", "-q", "-m", "offline/echo", "still here").out == "still here\n"


def test_more_than_a_body_may_have(made, provider):
    family = FAMILIES["chat"]
    call = Call(made, family.surface, None, body_bytes=64 * MIB + 1).finish()
    assert call.fault == "too_big", call
    call = Call(made, family.surface, None, body_bytes=3)
    call.client.send_frame(DATA, 1, {"d": b"{}  ", "last": True})
    call.finish()
    assert call.fault == "invalid_request" and call.status == 400, call
    assert call.json["error"]["type"] == "invalid_request_error"
    assert provider.requests() == []


# ---- replies ----

@families
@pytest.mark.parametrize("credit", [1, 1000, 65536])
def test_a_large_reply_through_a_small_window(made, provider, family, credit):
    script, told = family.script("z" * (5 * MIB), False)
    provider.script(**script)
    call = relay(made, **family.ask("all/m", "x"), credit=credit)
    assert call.is_good and family.named(call.body, call) == told


@families
def test_a_stream_through_a_small_window(made, provider, family):
    script, told = family.script(" ".join(["w" * 1000] * 2000), True)
    provider.script(**script, packet_bytes=65536)
    call = relay(made, **family.ask("all/m", "x", True), credit=1)
    assert call.is_good and family.named(call.body, call) == told


@families
@pytest.mark.parametrize("model", ["all/m", "chat/m"])
def test_who_does_not_read_holds_the_provider_up(made, provider, family, model):
    """Where the caller takes nothing, the provider's bytes stay in the sockets; then all of them come."""
    host = family if model == "all/m" else FAMILIES["chat"]
    text = " ".join(["w" * 1000] * 12_000)
    script, told = host.script(text, True)
    provider.script(**script, packet_bytes=65536)
    before = made.heap_kib()
    call = Call(made, **family.ask(model, "x", True), credit=1, gives=False, timeout=60)
    call.frame()
    seen, sent = -1, provider.requests()[0].sent_bytes
    while sent != seen:
        time.sleep(0.3)
        seen, sent = sent, provider.requests()[0].sent_bytes
    assert sent < len(told) - 2 * MIB, "it waits"
    assert grown(made, before) < 12 * 1024
    call.gives = True
    call.client.send_frame(CREDIT, 1, {"bytes": 1_000_000})
    call.finish()
    assert call.is_good and (model == "chat/m" or family.named(call.body, call) == told), call.last
    assert family.text(call) == text
    made.wait_ledger(1, 1)
    made.gives_back(before, 4 * 1024)


@families
@pytest.mark.parametrize("model", ["all/m", "chat/m"])
def test_a_step_longer_than_a_reader_may_be_behind(made, provider, family, model):
    """A picture in base64 is one event, whoever reads it."""
    host = family if model == "all/m" else FAMILIES["chat"]
    text = "z" * (9 * MIB)
    script, told = host.script(text, True)
    provider.script(**script, packet_bytes=65536)
    call = relay(made, **family.ask(model, "x", True))
    assert call.is_good and family.text(call) == text, call
    assert model == "chat/m" or family.named(call.body, call) == told


def test_a_reply_that_is_longer_than_any(made, provider):
    family = FAMILIES["chat"]
    provider.script(**family.script("z" * (33 * MIB), False)[0], times=0)
    before = made.heap_kib()
    call = relay(made, **family.ask("all/m", "x"))
    assert call.fault in ("server_error", "outcome_unknown") and call.status == 502, call
    assert family.error(call)[0] == "server_error"
    made.gives_back(before, 4 * 1024)


def test_many_slow_readers_at_once(made, provider):
    """Each costs what may be behind, and no more."""
    family = FAMILIES["chat"]
    text = " ".join(["w" * 1000] * 4000)
    script, told = family.script(text, True)
    provider.script(**script, packet_bytes=65536, times=0)
    before = made.heap_kib()
    calls = [Call(made, **family.ask("all/m", "x", True), credit=1, gives=False) for _ in range(16)]
    for call in calls:
        call.frame()
    time.sleep(1)
    assert grown(made, before) < 16 * 3 * 1024
    for call in calls:
        call.gives = True
        call.client.send_frame(CREDIT, 1, {"bytes": 1_000_000})
        assert call.finish().body == told
    made.gives_back(before, 4 * 1024)
