"""test_estimates.py - how far off are the broker's estimates, is that shown, and does it know of it later?"""

import csv
import io
import json

import harness
import pytest

KEY = "sk-test-0123456789abcdef"
READS = 4000  # tokens, as the provider counts what is a few here
CALLS = 20


@pytest.fixture
def made(broker, provider):
    one = broker(harness.provider_section(provider, model="m"))
    one.add_key("test", KEY)
    return one


def ask(made, provider, n=1, text="Say yes or no."):
    provider.script(answer={"text": "yes", "usage": {"input": READS, "output": 1}}, times=n)
    for _ in range(n):
        done = made.llmb("ask", "-q", "-m", "test/m", text)
        assert done.code == 0, done.err


def expected(made, n):
    """What was expected of the input of each of so many calls, the first first."""
    rows = made.wait_ledger(n, n)["attempt"]
    return [row["estimate_input"] for row in sorted(rows, key=lambda row: row["at_us"])]


def told(made, *args):
    done = made.llmb("usage", "--estimates", "--json", *args)
    assert done.code == 0, done.err
    return json.loads(done.out)["rows"]


@pytest.mark.parametrize("end", ("stop", "kill9"))
def test_what_was_learnt_is_known_after_a_restart(made, provider, end):
    ask(made, provider, CALLS)
    before = expected(made, CALLS)
    assert before[0] < READS / 100, "from the bytes it is a short prompt"
    assert before == sorted(before) and before[-1] > 3 * before[0], before
    getattr(made, end)()
    made.start()
    assert told(made)[0]["requests"] == CALLS  # asked of the ledger, behind what is learnt from it
    ask(made, provider)
    after = expected(made, CALLS + 1)[-1]
    assert after >= before[-1], (before, after)


def test_errors_are_shown(made, provider):
    assert told(made) == []
    ask(made, provider, 3)
    rows = made.wait_ledger(3, 3)["attempt"]
    errors = sorted(abs(row["estimate_input"] - READS) / READS * 100 for row in rows)
    row, = told(made)
    assert (row["model"], row["requests"]) == ("test/m", 3)
    assert row["mean_error_pct"] == pytest.approx(-sum(errors) / 3, abs=0.06), "it was too low"
    assert row["p50_error_pct"] == pytest.approx(errors[1], abs=0.06)
    assert row["p90_error_pct"] == pytest.approx(errors[2], abs=0.06)
    head, line = made.llmb("usage", "--estimates").out.splitlines()
    assert head.split()[:2] == ["MODEL", "REQUESTS"] and line.split()[:2] == ["test/m", "3"]
    assert [float(cell) for cell in line.split()[2:5]] == [row[f"{of}_error_pct"] for of in ("mean", "p50", "p90")]
    only, = csv.DictReader(io.StringIO(made.llmb("usage", "--estimates", "--csv").out))
    assert (only["model"], only["requests"]) == ("test/m", "3")
    assert float(only["p50_error_pct"]) == row["p50_error_pct"]
    assert told(made, "--app", "nobody") == []


def test_what_was_not_reported_is_no_error(made, provider):
    provider.script(body={"id": "x", "object": "chat.completion", "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}]})
    assert made.llmb("ask", "-q", "-m", "test/m", "--no-stream", "hi").code == 0
    made.wait_ledger(1, 1)
    assert told(made) == []
