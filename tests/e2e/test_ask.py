"""test_ask.py - does one answer come, from end to end, and is it paid for once?"""

import json
import re
import sqlite3

import harness
import pytest

KEY = "sk-test-0123456789abcdef"
PRICES = {"price_input": "0.15", "price_output": "0.60"}


def configured(provider, **more):
    return (harness.provider_section(provider, "test", model="gpt-test", **more) +
            harness.section("model", "test/gpt-test", PRICES))


def asked(broker, provider, *args, **more):
    made = broker(configured(provider, **more))
    made.add_key("test", KEY)
    return made, made.llmb("ask", "-m", "test/gpt-test", *args)


@pytest.mark.valgrind
def test_offline_answers_without_a_key(broker):
    made = broker()
    done = made.llmb("ask", "hello there")
    assert done.code == 0, done.err
    assert "hello there" in done.out
    assert done.err.count("llmb key add") == 1, "one hint line, and only one"


def test_offline_by_name_gives_no_hint(broker):
    done = broker().llmb("ask", "-m", "offline/echo", "hello there")
    assert done.code == 0, done.err
    assert "llmb key add" not in done.err


@pytest.mark.valgrind
def test_the_first_token_comes_while_the_provider_holds_the_rest(broker, provider):
    provider.script(hold=2, answer={"text": "first then the rest of it"})
    made = broker(configured(provider))
    made.add_key("test", KEY)
    running = made.llmb_start("ask", "-m", "test/gpt-test", "say it")
    provider.wait_held()
    first = running.read_until(b"first")
    assert b"rest" not in first
    provider.release()
    assert running.finish().code == 0

    rows = made.wait_ledger(1, 1)
    exchange, attempt = rows["exchange"][0], rows["attempt"][0]
    bill = provider.bill()
    assert exchange["outcome"] == attempt["outcome"] == "ok"
    assert (exchange["input"], exchange["output"]) == (bill["input"], bill["output"])
    assert exchange["cost_nusd"] == bill["input"] * 150 + bill["output"] * 600
    assert attempt["cost_nusd"] == exchange["cost_nusd"]
    assert exchange["provider"] == "test" and exchange["target_model"] == "gpt-test"
    assert len(provider.requests()) == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", ["openai-chat /v1/chat/completions", "anthropic /v1/messages"])
def test_both_dialects_streamed_and_whole(broker, provider, dialect, stream):
    auth = "header:x-api-key" if dialect.startswith("anthropic") else "bearer"
    made, done = asked(broker, provider, *([] if stream else ["--no-stream"]), "12 words",
                       dialect=dialect, auth=auth)
    assert done.code == 0, done.err
    assert len(done.out.split()) == 12
    seen = provider.requests()[0]
    assert bool(seen.json.get("stream")) is stream
    bill = provider.bill()
    row = made.wait_ledger(1, 1)["exchange"][0]
    assert (row["input"], row["output"]) == (bill["input"], bill["output"])


def test_json_lines_of_a_stream(broker, provider):
    _, done = asked(broker, provider, "--json", "3 words")
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    assert events, "one JSON object a line"


def test_a_picture_and_a_system_text_reach_the_provider(broker, provider, tmp_path):
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    _, done = asked(broker, provider, "-s", "be brief", "-a", str(picture), "what is it")
    assert done.code == 0, done.err
    messages = provider.requests()[0].json["messages"]
    assert messages[0]["role"] == "system" and "be brief" in json.dumps(messages[0])
    assert "data:image/png;base64," in json.dumps(messages[-1])


def test_a_long_prompt_from_stdin_comes_in_data_frames(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    provider.script(answer={"text": "read"})
    text = "word " * 400_000  # 2 MB: far over what fits into a call frame
    done = made.llmb("ask", "-m", "test/gpt-test", input=text)
    assert done.code == 0, done.err
    assert len(provider.requests()[0].body) > len(text) - 16


@pytest.mark.valgrind
def test_ctrl_c_cancels_upstream(broker, provider):
    provider.script(hold=1)
    made = broker(configured(provider))
    made.add_key("test", KEY)
    running = made.llmb_start("ask", "-m", "test/gpt-test", "20 words")
    provider.wait_held()
    running.signal(2)
    assert running.finish().code == 130
    gone = provider.wait_disconnect(1)
    assert gone["hangup_at"] is not None
    rows = made.wait_ledger(1, 1)
    assert rows["exchange"][0]["outcome"] == "cancelled"


def test_a_client_that_dies_cancels_upstream(broker, provider):
    provider.script(hold=1)
    made = broker(configured(provider))
    made.add_key("test", KEY)
    running = made.llmb_start("ask", "-m", "test/gpt-test", "20 words")
    provider.wait_held()
    running.signal(9)
    assert provider.wait_disconnect(1)["hangup_at"] is not None
    assert made.wait_ledger(1, 1)["exchange"][0]["outcome"] == "cancelled"


def test_an_unknown_provider_says_what_to_do(broker):
    done = broker().llmb("ask", "-m", "nowhere/x", "hi")
    assert done.code != 0
    assert "llmb models" in done.err


def test_no_key_says_what_to_run(broker):
    done = broker().llmb("ask", "-m", "openai/gpt-4o-mini", "hi")
    assert done.code == 5
    assert "llmb key add" in done.err


def test_an_alias_falls_over_to_its_second_target(broker, providers):
    first, second = providers(), providers()
    first.script(status=503, times=0)
    made = broker(harness.provider_section(first, "one") +
                  harness.provider_section(second, "two") +
                  harness.section("model", "default", {"target": ["one/a", "two/b"]}))
    made.add_key("one", KEY)
    made.add_key("two", KEY)
    done = made.llmb("ask", "4 words")
    assert done.code == 0, done.err
    assert len(done.out.split()) == 4
    row = made.wait_ledger(1)["exchange"][0]
    assert row["provider"] == "two" and row["attempts"] == len(made.ledger()["attempt"])


def test_usage_counts_what_was_asked(broker, provider):
    made, _ = asked(broker, provider, "5 words")
    made.llmb("ask", "-m", "offline/echo", "hello")
    done = made.llmb("usage", "--by", "model", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    keys = {row["key"]: row for row in report["rows"]}
    bill = provider.bill()
    mine = keys["test/gpt-test"] if "test/gpt-test" in keys else keys["gpt-test"]
    assert mine["requests"] == 1 and mine["output"] == bill["output"]
    assert report["total"]["requests"] == 2


def test_models_lists_what_can_be_asked(broker, provider):
    made = broker(configured(provider))
    made.add_key("test", KEY)
    done = made.llmb("models")
    assert done.code == 0, done.err
    assert "offline/echo" in done.out and "test/gpt-test" in done.out


def test_key_test_asks_the_provider(broker, providers):
    strict = providers(keys=(KEY,))
    made = broker(harness.provider_section(strict, base_path="", dialect="openai-chat /v1/chat/completions"))
    made.add_key("test", "sk-wrong-wrong-wrong-wrong")
    bad = made.llmb("key", "test", "test")
    assert bad.code != 0
    assert "sk-wrong" not in bad.out + bad.err


def test_status_and_doctor(broker):
    made = broker()
    status = made.llmb("status", "--json")
    assert status.code == 0, status.err
    assert json.loads(status.out)["vault"]["state"] == "absent"
    doctor = made.llmb("doctor")
    assert doctor.code in (0, 1) and re.search(r"\bok\b", doctor.out)


def test_the_ledger_is_open_to_people(broker):
    made = broker()
    made.llmb("ask", "-m", "offline/echo", "hello")
    made.wait_ledger(1, 1)
    made.stop()
    with sqlite3.connect(made.state_dir / "ledger.db") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
