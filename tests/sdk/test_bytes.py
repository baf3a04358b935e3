"""test_bytes.py - does a body go on byte for byte to a provider of the same language?

All but the model's name, and the members that are the broker's own: `stream_options` and `store`."""

import json

import pytest
from clients import CLIENTS
from recorder import Recorder
from replies import Said
from test_sdk import SCHEMA, TOOLS, png

# what the broker adds at the end of a body: to a stream's, and to others
ADDED = {"chat": (',"stream_options":{"include_usage":true}', ""), "responses": (',"store":false', ',"store":false'),
         "anthropic": ("", ""), "gemini": ("", "")}
CASES = {
    "text": {"system": "Be \u00e4 brief. \U0001f600"}, "tools": {"tools": TOOLS, "choice": "get_time"},
    "picture": {"image": png()}, "thoughts": {"effort": "low", "max_tokens": 5000}, "schema": {"schema": SCHEMA}}
SAID = {"tools": Said(calls=[("get_time", {"city": "Oslo"})]), "schema": Said('{"city":"Oslo","degrees":1}')}


def forwarded(client, sent, model, stream):
    """What the provider gets of a body that was sent."""
    body = sent.decode()
    if client.surface != "gemini":  # there it is in the path
        assert body.count(f'"{model}"') == 1, body
        body = body.replace(f'"{model}"', json.dumps(model.partition("/")[2]))
    added = ADDED[client.surface][0 if stream else 1]
    name = added[1:].partition(":")[0]
    return body if not added or name in body else body[:-1] + added + "}"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_bytes(world, client, stream, case):
    family = client.surface
    world.says(family, stream, SAID.get(case, Said("Fine.")))
    with Recorder(int(world.base.rpartition(":")[2])) as recorder:
        out = world.do(client, "ask", f"{family}/m", prompt="One \"two\" \u6771\u4eac.", stream=stream, base=recorder.base,
                       **CASES[case])
        assert "error" not in out, out
        (sent,) = recorder.requests()
    seen = world.provider.requests()[0]
    assert seen.body.decode() == forwarded(client, sent.body, f"{family}/m", stream)


@pytest.mark.parametrize("client", [c for c in CLIENTS if c.program != "ai.mjs"], ids=lambda client: client.name)
def test_the_same_bytes_when_results_go_back(world, client):
    """What was thought, with its signatures, and the calls come back to the provider as the SDK holds them."""
    family = client.surface
    world.says(family, False, Said("I look.", "Hm.", [("get_weather", {"city": "Oslo"})]), Said("Fine."))
    with Recorder(int(world.base.rpartition(":")[2])) as recorder:
        out = world.do(client, "loop", f"{family}/m", prompt="Weather?", base=recorder.base, tools=TOOLS, effort="low")
        assert out["text"] == "Fine.", out
        sent = recorder.requests()
    seen = world.provider.requests()
    assert len(sent) == len(seen) == 2
    for one, other in zip(sent, seen):
        assert other.body.decode() == forwarded(client, one.body, f"{family}/m", False)


@pytest.mark.parametrize("client", [c for c in CLIENTS if c.name in ("anthropic", "py-anthropic")], ids=lambda c: c.name)
def test_headers_that_say_how_a_body_is_meant(world, client):
    world.says("anthropic", False, Said("Fine."))
    with Recorder(int(world.base.rpartition(":")[2])) as recorder:
        world.do(client, "ask", "anthropic/m", prompt="x", base=recorder.base)
        (sent,) = recorder.requests()
    seen = world.provider.requests()[0]
    assert seen.header("anthropic-version") == [sent.headers["anthropic-version"]]
    assert b"x-stainless" not in seen.raw_head.lower(), "what tells of the host stays here"
