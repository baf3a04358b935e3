"""test_recall.py - a caller that drops its provider's signatures: does the next turn have them?"""

import json
import pathlib

import harness
import msgpack
import pytest
from wire import WireClient

HELLO, WELCOME, CALL, END, FAULT = 1, 2, 3, 7, 8
THINKING = {"type": "thinking", "thinking": "Weather? A tool.", "signature": "c2lnbmF0dXJl"}
USE = {"type": "tool_use", "id": "toolu_01A", "name": "get_weather", "input": {"city": "Oslo"}}
ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
          "content": [THINKING, USE], "stop_reason": "tool_use", "stop_sequence": None,
          "usage": {"input_tokens": 10, "output_tokens": 20}}
TOOLS = [{"name": "get_weather", "parameters": '{"type":"object","properties":{}}'}]
QUESTION = {"role": "user", "content": "Weather in Oslo?"}
# what a caller sends back that keeps neither reasoning nor signatures
HISTORY = [QUESTION,
           {"role": "assistant", "content": [{"type": "tool_call", "id": "toolu_01A",
                                              "name": "get_weather", "arguments": '{"city":"Oslo"}'}]},
           {"role": "tool", "tool_call_id": "toolu_01A", "content": "4 degrees"}]


def configured(provider, name="claude"):
    return harness.provider_section(provider, name, dialect="anthropic /v1/messages",
                                    auth="header:x-api-key", model="claude-sonnet-4-5")


def ask(made, messages, model="claude/claude-sonnet-4-5"):
    body = msgpack.packb({"model": model, "messages": messages, "tools": TOOLS, "max_tokens": 4000,
                          "reasoning": {"budget_tokens": 2000}})
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": "test"})
        assert client.recv_frame().type == WELCOME
        client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "body": body})
        last = client.recv_until(END, FAULT)[-1]
        assert last.type == END, last.body


def sent(provider):
    return json.loads(provider.requests()[-1].body)


def first_turn(made, provider, content=(THINKING, USE)):
    provider.script(body=json.dumps(ANSWER | {"content": content}), headers=[["content-type", "application/json"]])
    ask(made, [QUESTION])


@pytest.fixture
def made(broker, provider):
    made = broker(configured(provider))
    made.add_key("claude", "sk-ant-recall-0123456789")
    return made


def test_they_are_put_back(made, provider):
    first_turn(made, provider)
    ask(made, HISTORY)
    assert sent(provider)["messages"][1]["content"] == [THINKING, USE]


def test_after_a_crash_too(made, provider):
    first_turn(made, provider)
    path = pathlib.Path(made.state_dir) / "store" / "items"
    harness.wait_until(lambda: path.exists() and path.stat().st_size > 200, 5, "the turn")
    assert b"Weather? A tool." not in path.read_bytes(), "sealed"
    made.kill9()
    made.restart()
    ask(made, HISTORY)
    assert sent(provider)["messages"][1]["content"] == [THINKING, USE]


def test_thinking_stays_before_the_text(made, provider):
    text = {"type": "text", "text": "Let me look."}
    first_turn(made, provider, [THINKING, text, USE])
    messages = json.loads(json.dumps(HISTORY))
    messages[1]["content"].insert(0, text)
    ask(made, messages)
    body = sent(provider)
    assert body["messages"][1]["content"] == [THINKING, text, USE]
    assert body["thinking"]["type"] == "enabled", "so that it may go on thinking"


def test_a_torn_file_is_written_on(made, provider):
    path = pathlib.Path(made.state_dir) / "store" / "items"
    first_turn(made, provider)
    # a pin of some 74 bytes, and the turn behind it, perhaps in a second write
    harness.wait_until(lambda: path.exists() and path.stat().st_size > 200, 5, "the turn")
    made.kill9()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-3])
    made.restart()
    first_turn(made, provider, [THINKING, USE | {"id": "toolu_02"}])
    harness.wait_until(lambda: path.stat().st_size >= 2 * len(whole) - 8, 5, "the second item")
    made.kill9()
    made.restart()
    for name in "toolu_01A", "toolu_02":
        ask(made, json.loads(json.dumps(HISTORY).replace("toolu_01A", name)))
        assert sent(provider)["messages"][1]["content"] == [THINKING, USE | {"id": name}]


def test_an_id_that_comes_again_without(made, provider):
    first_turn(made, provider)
    first_turn(made, provider, [USE])
    ask(made, HISTORY)
    assert sent(provider)["messages"][1]["content"] == [USE]


def test_a_caller_that_has_its_own_is_left_alone(made, provider):
    first_turn(made, provider)
    own = {"type": "thinking", "thinking": "Mine.", "signature": "b3du"}
    messages = json.loads(json.dumps(HISTORY))
    messages[1]["content"].insert(0, {"type": "reasoning", "text": "Mine.", "opaque": {
        "family": "anthropic", "data": json.dumps(own)}})
    ask(made, messages)
    assert sent(provider)["messages"][1]["content"] == [own, USE]


def test_another_call_gets_nothing(made, provider):
    first_turn(made, provider)
    messages = json.loads(json.dumps(HISTORY).replace("toolu_01A", "toolu_01B"))
    ask(made, messages)
    kinds = [block["type"] for block in sent(provider)["messages"][1]["content"]]
    assert kinds == ["tool_use"]
