"""test_cache_items.py - do answers that are kept go together with the items that providers want back?"""

import json
import pathlib

import harness
import msgpack
from harness import wait_until
from test_recall import ANSWER, HISTORY, QUESTION, THINKING, TOOLS, USE, configured, sent
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

REPLY = ANSWER | {"content": [{"type": "text", "text": "Four."}], "stop_reason": "end_turn"}


def ask(path, messages, model="claude/claude-sonnet-4-5", **terms):
    """Where its answer came from: "" a provider."""
    body = msgpack.packb({"model": model, "messages": messages, "tools": TOOLS, "max_tokens": 4000,
                          "reasoning": {"budget_tokens": 2000}})
    with WireClient(path) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": "test"})
        assert client.recv_until(WELCOME)[-1].type == WELCOME
        client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "body": body, "cache": "on", **terms})
        last = client.recv_until(END, FAULT)[-1]
        assert last.type == END, last.body
        return last.body.get("cache", {}).get("source", "")


def replies(provider, answer):
    provider.script(body=json.dumps(answer), headers=[["content-type", "application/json"]])


def test_what_is_put_back_is_in_the_key(broker, provider):
    """Two apps share what is kept. Of the same words the one has items that go out with them, and the other has none."""
    made = broker(configured(provider) + harness.section("policy", "apps", {"kind": "app", "model": "*", "cache_scope": "user"}))
    made.add_key("claude", "sk-ant-recall-0123456789")
    notes, mail = (json.loads(made.llmb("app", "add", name, "--json").out)["socket"] for name in ("notes", "mail"))
    for answer in (REPLY, ANSWER, REPLY):
        replies(provider, answer)
    assert ask(mail, HISTORY) == ""
    assert sent(provider)["messages"][1]["content"] == [USE]
    assert ask(notes, [QUESTION]) == ""
    assert ask(notes, HISTORY) == ""
    assert sent(provider)["messages"][1]["content"] == [THINKING, USE]
    assert [ask(path, HISTORY) for path in (notes, mail)] == ["hit"] * 2
    # who is told what the other was told has its items too, and asks the same from then on
    assert ask(mail, [QUESTION]) == "hit"
    assert ask(mail, HISTORY) == "hit"
    assert len(provider.requests()) == 3


def test_what_the_store_lost_comes_back_with_a_hit(broker, provider):
    made = broker(configured(provider))
    made.add_key("claude", "sk-ant-recall-0123456789")
    replies(provider, ANSWER)
    assert ask(made.socket, [QUESTION]) == ""
    made.stop()
    for path in (pathlib.Path(made.state_dir) / "store").glob("items*"):
        path.unlink()
    made.start()
    wait_until(lambda: json.loads(made.llmb("cache", "stats", "--json").out)["disk"]["entries"] == 1, 10, "it is found")
    replies(provider, REPLY)
    assert ask(made.socket, HISTORY, cache="off") == ""
    assert sent(provider)["messages"][1]["content"] == [USE], "they are gone"
    assert ask(made.socket, [QUESTION]) == "hit"
    replies(provider, REPLY)
    assert ask(made.socket, HISTORY, cache="off") == ""
    assert sent(provider)["messages"][1]["content"] == [THINKING, USE]
    size = (pathlib.Path(made.state_dir) / "store" / "items").stat().st_size
    for _ in range(3):
        assert ask(made.socket, [QUESTION]) == "hit"
    made.stop()
    assert (pathlib.Path(made.state_dir) / "store" / "items").stat().st_size <= max(size, 1024)


def test_many_targets_take_no_more_memory(broker, provider):
    """A turn of thirty calls with heavy signatures goes to a hundred targets of the maker's: it is looked up for all of
    them, with what is put back, in memory that is not the call's."""
    calls = [USE | {"id": f"toolu_{k}"} for k in range(30)]
    heavy = [part for call in calls for part in (THINKING | {"signature": "c2ln" * 10240}, call)]
    models = "".join(f"target = claude/m{i}\n" for i in range(100))
    made = broker(configured(provider) + '\n[model "many"]\n' + models)
    made.add_key("claude", "sk-ant-recall-0123456789")
    replies(provider, ANSWER | {"content": heavy})
    assert ask(made.socket, [QUESTION], credit=1 << 24) == ""
    history = [QUESTION, {"role": "assistant", "content": [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": '{"city":"Oslo"}'} for call in calls]}]
    history += [{"role": "tool", "tool_call_id": call["id"], "content": "4 degrees"} for call in calls]
    replies(provider, REPLY)
    assert ask(made.socket, history, model="many") == ""
    assert sent(provider)["messages"][1]["content"] == heavy
    assert ask(made.socket, history, model="many") == "hit"


def test_an_id_that_two_answers_have(broker, provider):
    """The items of an id are its latest answer's, also when that one is told again."""
    made = broker(configured(provider))
    made.add_key("claude", "sk-ant-recall-0123456789")
    other = THINKING | {"signature": "b3RoZXI="}
    conversation = ([QUESTION], HISTORY, HISTORY + HISTORY[1:])
    for second in ([other, USE], [USE]):
        before = len(provider.requests())
        for answer in (ANSWER, ANSWER | {"content": second}, REPLY):
            replies(provider, answer)
        assert [ask(made.socket, messages, cache="refresh") for messages in conversation] == [""] * 3
        for _ in range(2):
            assert [ask(made.socket, messages) for messages in conversation] == ["hit"] * 3
        assert len(provider.requests()) == before + 3
