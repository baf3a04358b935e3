"""test_kept.py - is an answer that was given as a stream kept for who wants it whole, and the other way round?

Whoever asks again in the same form is in test_sdk.py and test_helpers.py, with `live_and_kept`."""

import pytest
from clients import CLIENTS
from replies import Said
from test_sdk import FAMILIES, TEXT, THOUGHT, TOOLS

# ai-anthropic asks for tools that stream in another way than for those that do not, which is another request
ASKERS = [client for client in CLIENTS if client.name != "ai-anthropic"]
CALLS = [("get_weather", {"city": "Oslo"}), ("get_time", {"city": "Rome"})]


@pytest.mark.parametrize("world", ["kept"], indirect=True)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("client", ASKERS, ids=lambda client: client.name)
@pytest.mark.parametrize("stream", [False, True], ids=["given-whole", "given-streamed"])
def test_in_the_other_form(world, client, stream, family):
    world.forget()
    world.says(family, stream, Said(TEXT, THOUGHT, CALLS))
    order = {"prompt": "Weather?", "tools": TOOLS, "effort": "low"}
    given = world.once(client, "ask", f"{family}/m", stream=stream, **order)
    again = world.once(client, "ask", f"{family}/m", stream=not stream, **order)
    assert "error" not in given and "error" not in again, (given, again)
    assert len(world.provider.requests()) == 1
    for out in (given, again):
        assert out["text"] == TEXT, out
        assert [(call["name"], call["args"]) for call in out["calls"]] == CALLS, out
    if not client.surface == family == "gemini":  # whose own bytes have no ids; what is made of them has
        assert [call["id"] for call in given["calls"]] == [call["id"] for call in again["calls"]]
    assert given["finish"] == again["finish"]
    if client.name not in ("ai-chat", "py-anthropic"):  # they have no place for it, in one form or both
        assert given["reasoning"] == again["reasoning"] == THOUGHT
    if given["usage"] and again["usage"]:
        assert given["usage"] == again["usage"]
