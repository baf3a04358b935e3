"""test_prices.py - does who reads a bill see where it is not to be trusted?

A price that is not known is no figure in any report, and a provider whose own bill is another is named."""

import csv
import io
import json

import harness
import pytest

KEY = "sk-test-0123456789abcdef"
PRICES = {"price_input": "2", "price_output": "10"}
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
OURS = 3_000_000  # nano-dollars


@pytest.fixture
def made(broker, provider):
    one = broker(harness.provider_section(provider) + harness.section("model", "test/priced", PRICES) +
                 harness.section("model", "test/half", {"price_input": "2"}) +
                 harness.provider_section(provider, "gem", dialect="gemini", auth="none") +
                 harness.section("model", "gem/m", PRICES))
    one.add_key("test", KEY)
    return one


def ask(made, provider, model, cost=None):
    usage = USAGE if cost is None else {**USAGE, "cost": cost}
    provider.script(body={"id": "x", "object": "chat.completion", "model": model, "usage": usage, "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}]})
    done = made.llmb("ask", "--no-stream", "--json", "-m", f"test/{model}", "hi")
    assert done.code == 0, done.err
    return json.loads(done.out)


def reports(made, *args):
    """The same sums as text and notes, as JSON and as CSV."""
    text, told = made.llmb("usage", *args), made.llmb("usage", *args, "--json")
    table = made.llmb("usage", *args, "--csv")
    assert (text.code, told.code, table.code) == (0, 0, 0), text.err + told.err + table.err
    return text, json.loads(told.out), list(csv.DictReader(io.StringIO(table.out)))


def test_a_price_that_is_not_known_is_no_figure_anywhere(made, provider):
    for model in ("unheard-of", "half"):  # of the other, output has no price
        answer = ask(made, provider, model)
        assert "cost_nusd" not in answer["usage"], answer
        assert answer["usage"]["output"] == 100
    ask(made, provider, "priced")
    rows = made.wait_ledger(3, 3)
    assert [row["cost_nusd"] for row in rows["exchange"]] == [None, None, OURS]
    assert [row["cost_nusd"] for row in rows["attempt"]] == [None, None, OURS]
    text, told, table = reports(made, "--by", "model")
    costs = {row["key"]: (row["cost_nusd"], row["unpriced"]) for row in told["rows"]}
    assert costs == {"test/unheard-of": (None, 1), "test/half": (None, 1), "test/priced": (OURS, 0)}
    assert (told["total"]["cost_nusd"], told["total"]["unpriced"]) == (OURS, 2)
    assert {row["model"]: (row["cost_nusd"], row["unpriced"]) for row in table} == {
        "test/unheard-of": ("", "1"), "test/half": ("", "1"), "test/priced": (str(OURS), "0")}
    lines = {line.split()[0]: line.split()[-3:-1] for line in text.out.splitlines()}
    assert lines == {"REQUESTS": ["USD", "UNPRICED"], "test/unheard-of": ["unknown", "1"],
                     "test/half": ["unknown", "1"], "test/priced": ["0.003000000", "0"], "total": ["0.003000000", "2"]}
    # 100 USD a million tokens where none is said: of half that is for the output alone
    charged = {line.split()[0]: line.split()[-1] for line in text.out.splitlines()}
    assert charged == {"REQUESTS": "CHARGED", "test/unheard-of": "0.110000000", "test/half": "0.012000000",
                       "test/priced": "-", "total": "0.122000000"}
    assert "0.122000000 USD more" in text.err and {row["model"]: row["charged_nusd"] for row in table} == {
        "test/unheard-of": "110000000", "test/half": "12000000", "test/priced": ""}
    assert "2 requests have no known price" in text.err and "set price_input and price_output" in text.err
    only, = [json.loads(line) for line in made.llmb("usage", "--export", "jsonl", "--model", "test/half").out.splitlines()]
    assert only["cost_nusd"] is None and only["price_output"] is None and only["price_input"] == 2_000_000_000


def test_one_request_is_one_request(made, provider):
    ask(made, provider, "priced", 0.0031)
    ask(made, provider, "half")
    made.wait_ledger(2, 2)
    said = reports(made, "--by", "model")[0].err
    assert "1 request has no known price, and is not in USD" in said
    assert "providers billed 0.003100000 USD for 1 request, which at our prices cost 0.003000000; 1 differs" in said


def test_where_all_prices_are_known_no_column_asks_for_them(made, provider):
    ask(made, provider, "priced")
    made.wait_ledger(1, 1)
    text, _, _ = reports(made)
    assert text.out.splitlines()[0].split()[-1] == "USD" and text.err == ""


def test_what_costs_nothing_is_no_bill_to_compare(made):
    assert made.llmb("ask", "-m", "offline/echo", "two words").code == 0
    made.wait_ledger(1, 1)
    text, told, _ = reports(made)
    assert told["total"]["compared"] == 1 and text.err == ""


def test_a_bill_that_is_another_is_shown(made, provider):
    near, far = 0.003014, 0.0031  # USD: 0.46 % and 3.2 % of it away
    for cost in (near, far, far):
        answer = ask(made, provider, "priced", cost)
        assert answer["usage"]["cost_nusd"] == round(cost * 10**9), "what was paid"
    ask(made, provider, "unheard-of", 0.5)  # there is nothing to hold it against
    rows = made.wait_ledger(4, 4)["exchange"]
    assert [row["provider_cost_nusd"] for row in rows] == [3_014_000, 3_100_000, 3_100_000, 500_000_000]
    assert [row["cost_nusd"] for row in rows] == [OURS, OURS, OURS, None], "both are kept"
    text, told, table = reports(made, "--by", "model")
    drifted = {row["key"]: (row["compared"], row["drifted"], row["cost_nusd"]) for row in told["rows"]}
    assert drifted == {"test/priced": (3, 2, 9_214_000), "test/unheard-of": (0, 0, 500_000_000)}
    assert {row["model"]: row["drifted"] for row in table} == {"test/priced": "2", "test/unheard-of": "0"}
    lines = {line.split()[0]: line.split()[-2:] for line in text.out.splitlines()}
    assert lines["REQUESTS"] == ["USD", "DRIFTED"] and lines["test/priced"] == ["0.009214000", "2"]
    assert "providers billed 0.009214000 USD for 3 requests" in text.err
    assert "2 differ by more than 0.5 %: set the prices of their [model]" in text.err
    assert "(whose: --by model)" in made.llmb("usage").err and "whose" not in text.err
    warned = [line for line in made.log().splitlines() if "price.drift" in line]
    assert len(warned) == 1 and 'model="priced"' in warned[0], "once a day for each model"


def test_what_was_read_before_it_was_refused_is_paid_for(made, provider):
    provider.script(body={"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m", "responseId": "r1",
                          "usageMetadata": {"promptTokenCount": 14, "totalTokenCount": 14}})
    assert made.llmb("ask", "--no-stream", "-m", "gem/m", "hi").code != 0
    rows = made.wait_ledger(1, 1)
    for row in (rows["exchange"][0], rows["attempt"][0]):
        assert (row["outcome"], row["error"]) == ("failed", "content_filtered"), row
        assert (row["input"], row["output"], row["cost_nusd"]) == (14, 0, 28_000), row
    assert rows["attempt"][0]["charged_nusd"] == 28_000, "no more than that"
