"""test_prompt_cache.py - do providers keep prompts as far as they can, and is what that saves told?"""

import json

import harness
import pytest
from surfaces import FAMILIES, relay
from test_cache import Calls
from test_route_faults import ledger

LONG = "abc " * 1200
KEYS = ("one", "two", "three")
ANTHROPIC = FAMILIES["anthropic"]
CHAT = FAMILIES["chat"]


@pytest.fixture
def provider(providers):
    return providers(needs_key=False)


def rule(**keys):
    return harness.section("policy", "mine", {"kind": "host", "operation": "*", "model": "*", **keys})


def whole(**usage):
    """An answer of Anthropic's."""
    return {"body": json.dumps({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "so"}],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 3, **usage}})}


def typed(made, *texts, model="a/claude", **more):
    """A conversation: a system text, then the user and the assistant in turns."""
    calls = Calls(made.socket)
    roles = ["system", *["user", "assistant"] * len(texts)]
    number = calls.ask(model=model, stream=False, temperature=None, more={
        "messages": [{"role": role, "content": text} for role, text in zip(roles, texts)], **more})
    calls.finish()
    calls.close()
    assert calls.source(number) == ""


def key_of(request):
    return request.header("authorization")[0]


def weighed(provider, *sections, **more):
    """A provider with three keys that chance chooses between."""
    return harness.provider_section(provider, "a", dialect="anthropic /v1/messages",
                                    key_label=[f"{name} weight=1" for name in KEYS], **more) + "".join(sections)


def marks_of(body):
    """Where marks stand in a body for Anthropic, and for how long."""
    found = [("tool", tool["name"], tool["cache_control"]) for tool in body.get("tools", []) if "cache_control" in tool]
    found += [("system", n, part["cache_control"]) for n, part in enumerate(body.get("system", []))
              if "cache_control" in part]
    for n, message in enumerate(body["messages"]):
        found += [(message["role"], n, part["cache_control"]) for part in message["content"]
                  if isinstance(part, dict) and "cache_control" in part]
    return [(what, where, mark.get("ttl", "5m")) for what, where, mark in found]


@pytest.mark.parametrize("how, ttl", [("auto", "5m"), ("auto-1h", "1h"), ("asked", None), ("off", None), (None, None)])
def test_marks_by_policy(broker, provider, how, ttl):
    made = broker(harness.provider_section(provider, "a", auth="none", dialect="anthropic /v1/messages") +
                  rule(**({"prompt_cache": how} if how else {})))
    provider.script(**whole(), times=3)
    typed(made, LONG, "q")
    typed(made, LONG, "q", "a", "r", "b", "s", tools=[{"name": "f", "description": LONG}])
    typed(made, "short", "q")
    bodies = [json.loads(request.body) for request in provider.requests()]
    want = [[("system", 0, ttl), ("user", 0, ttl)],
            [("tool", "f", ttl), ("system", 0, ttl), ("user", 2, ttl), ("user", 4, ttl)], []]
    assert [marks_of(body) for body in bodies] == (want if ttl else [[], [], []])


@pytest.mark.parametrize("how", ["auto", "asked", "off"])
def test_marks_of_the_callers(broker, provider, how):
    """They go out as they came, or not at all; and what goes byte by byte is nobody's to change."""
    made = broker(harness.provider_section(provider, "a", auth="none", dialect="anthropic /v1/messages") +
                  rule(prompt_cache=how))
    provider.script(**whole(), times=2)
    typed(made, LONG, "q", messages=[
        {"role": "system", "content": LONG}, {"role": "user", "content": [{"type": "text", "text": "q", "cache": "1h"}]}])
    body = json.dumps({"model": "a/claude", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "q"}]}]})
    assert relay(made, ANTHROPIC.surface, body).status == 200
    first, second = [json.loads(request.body) for request in provider.requests()]
    assert marks_of(first) == ([] if how == "off" else [("user", 0, "1h")])
    assert marks_of(second) == [("user", 0, "5m")]
    assert second["messages"] == json.loads(body)["messages"]


def test_marks_for_what_is_translated(broker, provider):
    """A caller of another API gets them as well: its body is written anew for the target."""
    made = broker(harness.provider_section(provider, "a", auth="none", dialect="anthropic /v1/messages") +
                  rule(prompt_cache="auto"))
    provider.script(**whole())
    asked = {"model": "a/claude", "messages": [{"role": "system", "content": LONG}, {"role": "user", "content": "q"}]}
    call = relay(made, CHAT.surface, json.dumps(asked))
    assert call.status == 200, bytes(call.body)
    assert marks_of(json.loads(provider.requests()[0].body)) == [("system", 0, "5m"), ("user", 0, "5m")]


@pytest.mark.parametrize("name", ["chat", "responses"])
def test_marks_in_other_words(broker, provider, name):
    """What OpenAI calls a breakpoint is a mark for Anthropic, and no warning."""
    made = broker(harness.provider_section(provider, "a", auth="none", dialect="anthropic /v1/messages"))
    provider.script(**whole())
    part = {"text": "q", "prompt_cache_breakpoint": {"mode": "explicit"}}
    asked = {"messages": [{"role": "user", "content": [{"type": "text", **part}]}]} if name == "chat" else {
        "input": [{"role": "user", "content": [{"type": "input_text", **part}]}], "store": False}
    call = relay(made, FAMILIES[name].surface, json.dumps({"model": "a/claude", "prompt_cache_key": "k", **asked}))
    assert call.status == 200, bytes(call.body)
    assert marks_of(json.loads(provider.requests()[0].body)) == [("user", 0, "5m")]
    assert not [value for key, value in call.headers if "warning" in key], call.headers


def test_marks_where_prompts_are_kept_anyway(broker, provider):
    """What Claude Code marks goes to a host that keeps prompts by itself without a mark, and without a word of it."""
    made = broker(harness.provider_section(provider, "a", auth="none"))
    provider.script(answer={"text": "so"})
    body = {"model": "a/m", "max_tokens": 9, "system": [
        {"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}}]}]}
    call = relay(made, ANTHROPIC.surface, json.dumps(body))
    assert call.status == 200, bytes(call.body)
    assert b"cache" not in provider.requests()[0].body
    assert not [name for name, _ in call.headers if "warning" in name], call.headers


def with_keys(made):
    for name in KEYS:
        made.add_key(f"a/{name}", f"sk-{name}-0123456789abcdefghijklmnop")
    return made


@pytest.mark.parametrize("usage, sections, is_held", [
    ({"cache_creation_input_tokens": 2000}, (), True),
    ({"cache_read_input_tokens": 2000}, (), True),
    ({"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}, (), False),
    ({"cache_creation_input_tokens": 2000}, ("off",), False)])
def test_it_goes_where_it_is_held(broker, providers, usage, sections, is_held):
    """Conversations are spread over the keys, and each stays where its beginning is."""
    provider = providers(keys=[f"sk-{name}-0123456789abcdefghijklmnop" for name in KEYS])
    made = with_keys(broker(weighed(provider, *(rule(prompt_cache=word) for word in sections))))
    provider.script(**whole(**usage), times=64)
    for n in range(16):
        for answers in range(4):
            texts = [f"conversation {n}", *["so", "and?"] * answers]
            if n % 2 == 0:
                typed(made, "s", *texts)
                continue
            asked = {"model": "a/claude", "max_tokens": 9, "system": "s", "messages": [
                {"role": role, "content": text} for role, text in zip(["user", "assistant"] * 4, texts)]}
            assert relay(made, ANTHROPIC.surface, json.dumps(asked)).status == 200
    asked = [key_of(request) for request in provider.requests()]
    chosen = [set(asked[at:at + 4]) for at in range(0, 64, 4)]
    # by chance all of 16 have one key in (1/27)**16, and all of 16 begin at one in 3**-15
    assert all(len(keys) == 1 for keys in chosen) == is_held, chosen
    assert len(set.union(*chosen)) > 1


def test_it_is_told_why(broker, providers):
    provider = providers(keys=[f"sk-{name}-0123456789abcdefghijklmnop" for name in KEYS])
    made = with_keys(broker(weighed(provider)))
    provider.script(**whole(cache_creation_input_tokens=2000), times=2)
    for _ in range(2):
        assert made.llmb("ask", "-m", "a/claude", "--session", "mine", "q").code == 0
    rows = ledger(made)["attempt"]
    assert len({row["key_label"] for row in rows}) == 1, rows
    ids = [row["exchange_id"] for row in sorted(rows, key=lambda row: row["at_us"])]
    said = [[step["why"] for step in json.loads(made.llmb("explain", one, "--json").out)["steps"] if step["step"] == "next"]
            for one in ids]
    assert said == [[], ["it holds the beginning of the prompt"]]
    explained = made.llmb("explain", "-m", "a/claude", "--session", "mine", "--json")
    targets = json.loads(explained.out)["targets"]
    assert [target.get("holds_prompt") for target in targets] == [True, None, None], targets
    assert targets[0]["key"] == rows[0]["key_label"]
    shown = made.llmb("explain", "-m", "a/claude", "--session", "mine").out
    assert f"a/claude with the key {targets[0]['key']}: holds the beginning of the session's prompt" in shown, shown
    other = json.loads(made.llmb("explain", "-m", "a/claude", "--session", "yours", "--json").out)["targets"]
    assert not any(target.get("holds_prompt") for target in other), other


def test_what_it_saved(broker, provider):
    """Read for a tenth of the price, written for a quarter more: by row, in all, as JSON, CSV and in words."""
    made = broker(harness.provider_section(provider, "a", auth="none", dialect="anthropic /v1/messages") + harness.section(
        "model", "a/claude", {"price_input": 3, "price_output": 15, "price_cache_read": "0.30",
                              "price_cache_write_5m": "3.75"}))
    provider.script(**whole(cache_creation_input_tokens=2000, cache_read_input_tokens=0))
    typed(made, "s", "q")
    first = made.llmb("usage")
    assert "PROMPT_SAVED" in first.out.splitlines()[0] and first.out.splitlines()[-1].split()[-1] == "-0.001500000", first.out
    assert "wrote 2000; that has cost 0.001500000 USD more so far (PROMPT_SAVED)" in first.err, first.err
    provider.script(**whole(cache_creation_input_tokens=0, cache_read_input_tokens=2000))
    typed(made, "s", "q", "so", "and?")
    used = json.loads(made.llmb("usage", "--by", "model", "--json").out)
    assert [(row["key"], row["cache_read"], row["cache_write"], row["prompt_saved_nusd"])
            for row in (*used["rows"], {**used["total"], "key": ""})] == [
        ("a/claude", 2000, 2000, 3900000), ("", 2000, 2000, 3900000)]
    told = made.llmb("usage", "--by", "day")
    assert told.out.splitlines()[-1].split()[-1] == "0.003900000", told.out
    assert "read 2000 tokens in caches of their own (PROMPT_READ), and wrote 2000; that saved 0.003900000 USD (PROMPT_SAVED)" in told.err
    head, row = (line.split(",") for line in made.llmb("usage", "--csv").out.splitlines())
    assert dict(zip(head, row))["prompt_saved_nusd"] == "3900000"
    assert "note" not in made.llmb("usage", "--quiet").err


def test_what_saved_nothing(broker, provider):
    made = broker(harness.provider_section(provider, "a", auth="none"))
    provider.script(answer={"text": "so"})
    typed(made, "s", "q", model="a/m")
    told = made.llmb("usage")
    assert "PROMPT_SAVED" not in told.out and "caches of their own" not in told.err, (told.out, told.err)
