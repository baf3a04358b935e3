"""test_limits.py - is a limit one for all processes, and is nothing of it ever lost?

The provider keeps its own bill, by the prices that the broker is told: what it says counts."""

import json
import pathlib
import sys

import harness
import pytest

KEY = "sk-test-0123456789abcdef"
RACER = pathlib.Path(harness.__file__).with_name("racer.py")
PROCESSES = 8
CALLS = 1000 if harness.SLOWER == 1 and not harness.is_sanitized() else 200


def config(provider, *more):
    return (harness.provider_section(provider, model="m") +
            harness.section("model", "test/m", {"price_input": "0.15", "price_output": "0.60"}) +
            "".join(more))


@pytest.fixture
def made(broker, provider):
    one = broker(config(provider))
    one.add_key("test", KEY)
    return one


def usd(nano_usd):
    return f"{nano_usd // 10**9}.{nano_usd % 10**9:09d}"


def race(made, calls, model="test/m"):
    """So many calls at once, from several processes."""
    share, rest = divmod(calls, PROCESSES)
    racers = [harness.Running([sys.executable, "-B", str(RACER), str(made.socket),
                               str(share + (i < rest)), model], made.client_env(), made.folder)
              for i in range(PROCESSES)]
    made.running.extend(racers)
    return racers


def ends(racers):
    """How all of them ended."""
    total = {}
    for racer in racers:
        done = racer.finish(60)
        assert done.code == 0, done
        for name, count in json.loads(done.out.splitlines()[-1]).items():
            total[name] = total.get(name, 0) + count
    return total


def limits(made):
    return json.loads(made.llmb("budget", "list", "--json").out)["limits"]


def budget(made, name="daily"):
    """The one budget of the one counter of a limit."""
    counter, = next(limit for limit in limits(made) if limit["name"] == name)["counters"]
    return counter["budgets"][0]


def ask(made, *args):
    return made.llmb("ask", "-m", "test/m", "--max-tokens", "20", *args, "3 words")


def test_racing_calls_stay_within_a_budget(made, provider):
    assert ask(made).code == 0
    each = provider.bill()["nano_usd"]
    most = 101 * each
    assert made.llmb("budget", "set", "daily", "--usd", f"{usd(most)}/day").code == 0
    total = ends(race(made, CALLS))
    assert sum(total.values()) == CALLS and set(total) <= {"ok", "budget"}, total
    bill = provider.bill()
    assert bill["nano_usd"] <= most, (bill, total)
    # all of it but what one call needs at the most, which is set aside before it is known to be less
    assert bill["requests"] == 1 + total["ok"] and total["ok"] >= 90, total
    assert total["budget"] > 0
    now = budget(made)
    assert now["reserved_nusd"] == 0 and now["spent_nusd"] == bill["nano_usd"], (now, bill)


def test_killed_clients_leave_nothing_behind(made, provider):
    assert made.llmb("budget", "set", "daily", "--usd", "0.001/day", "--concurrency", "20").code == 0
    provider.script(hold=1, times=20)
    racers = race(made, 200)
    for racer in racers:
        racer.read_until("asked")
    provider.wait_held(20, timeout=20)
    assert budget(made)["reserved_nusd"] > 0
    for racer in racers:
        racer.kill()
    harness.wait_until(lambda: budget(made)["reserved_nusd"] == 0, 10, "all is given back")
    counter, = limits(made)[0]["counters"]
    assert counter["concurrency"]["used"] == 0, counter
    # what was under way may have been served, and counts as it was set aside
    assert provider.bill()["nano_usd"] <= budget(made)["spent_nusd"] <= 10**6
    assert made.llmb("budget", "set", "daily", "--usd", "1/day", "--concurrency", "20").code == 0
    provider.reset()
    assert ask(made).code == 0


def test_a_killed_broker_forgets_nothing(made, provider):
    assert made.llmb("budget", "set", "daily", "--usd", "0.01/day").code == 0
    assert ask(made).code == 0
    before = budget(made)["spent_nusd"]
    provider.script(hold=1, times=10)
    racers = race(made, 10)
    provider.wait_held(10, timeout=20)
    reserved = budget(made)["reserved_nusd"]
    assert reserved > 0 and before > 0
    made.kill9()
    for racer in racers:
        racer.kill()
    made.start()
    now = budget(made)
    assert now["reserved_nusd"] == 0, now
    assert now["spent_nusd"] == before + reserved, "what nobody knows counts as it was set aside"
    assert provider.bill()["nano_usd"] <= now["spent_nusd"]


def test_a_provider_that_says_wait_is_heard_by_all(made, provider):
    provider.script(status=429, headers={"retry-after": "2"})
    one = made.llmb_start("ask", "-m", "test/m", "3 words")
    provider.wait_request(1, until="answer")
    others = [made.llmb_start("ask", "-m", "test/m", "-v", "3 words") for _ in range(3)]
    assert all(done.code == 0 for done in [one.finish(), *(other.finish() for other in others)])
    seen = provider.requests()
    assert [request.status for request in seen] == [429, 200, 200, 200, 200]
    assert all(request.received_at - seen[0].answered_at >= 1.9 for request in seen[1:])


def test_what_is_set_by_hand(made):
    assert "nothing is limited" in made.llmb("budget", "list").err
    assert made.llmb("budget", "set", "daily", "--usd", "5/day", "--soft", "4/day", "--zone",
                     "UTC").code == 0
    assert made.llmb("budget", "set", "fair", "--requests", "2/hour", "--each", "app").code == 0
    assert ask(made).code == 0 and ask(made).code == 0
    shown = made.llmb("budget", "list").out
    assert "daily" in shown and "5.00 USD/day" in shown and "2 requests/hour" in shown, shown
    refused = ask(made, "--timeout", "5s")
    assert refused.code == 6 and "fair" in refused.err and "llmb budget set" in refused.err, refused
    said = made.llmb("budget", "show", "fair").out
    assert "said in: llmb budget set" in said and "daily" not in said, said

    made.restart()
    assert {limit["name"] for limit in limits(made)} == {"daily", "fair"}
    assert made.llmb("budget", "remove", "fair").code == 0
    assert ask(made, "--timeout", "5s").code == 0
    gone = made.llmb("budget", "remove", "fair")
    assert gone.code != 0 and "no limit" in gone.err, gone
    assert made.llmb("budget", "show", "fair").code != 0
    records = [json.loads(line) for line in
               made.llmb("audit", "list", "--json").out.splitlines()]
    assert "budget.set" in json.dumps(records) and "budget.remove" in json.dumps(records)


@pytest.mark.parametrize("args, code, text", [
    (["daily"], 2, "how much?"),
    (["daily", "--usd", "5"], 2, "5/day"),
    (["daily", "--usd", "much/day"], 2, "US dollars"),
    (["daily", "--requests", "0/minute"], 2, "amount"),
    (["daily", "--usd", "5/day", "--provider", "nobody"], 2, "nobody"),
    (["daily", "--usd", "5/day", "--zone", "Nowhere/City"], 2, "Nowhere/City"),
    (["two\nlines", "--usd", "5/day"], 2, "name"),
    (["x", "--usd", "5/day\n[limit \"y\"]"], 2, "text"),
])
def test_what_cannot_be_set(made, args, code, text):
    done = made.llmb("budget", "set", *args)
    assert done.code == code and text in done.err, done
    assert limits(made) == []


def test_a_limit_of_the_configuration_is_not_changed_by_hand(broker, provider):
    made = broker(config(provider, harness.section("limit", "daily", {"budget": "5/day"})))
    done = made.llmb("budget", "set", "daily", "--usd", "6/day")
    assert done.code == 2 and str(made.config_file) in done.err, done
    done = made.llmb("budget", "remove", "daily")
    assert done.code == 2 and str(made.config_file) in done.err, done
    assert budget(made)["limit_nusd"] == 5 * 10**9


def test_a_sandbox_sees_no_budgets(made):
    assert made.llmb("app", "add", "notes").code == 0
    path = json.loads(made.llmb("app", "add", "notes", "--json").out)["socket"]
    done = made.llmb("budget", "list", "--socket", path)
    assert done.code == 3, done


def test_who_may_not_list_the_limits_is_told_his_part(broker, provider):
    """The whole sentence, which says what all have spent, is for the log."""
    made = broker(config(provider, "[policy \"apps\"]\nkind = app\nallow = yes\noperation = chat\n"))
    made.add_key("test", KEY)
    assert ask(made).code == 0
    path = json.loads(made.llmb("app", "add", "notes", "--json").out)["socket"]
    assert made.llmb("budget", "set", "household", "--usd", "0.000000001/day").code == 0
    told = ask(made, "--socket", path)
    assert told.code == 6 and "a budget of this host" in told.err, told
    assert "household" not in told.err and "spent" not in told.err and "test:" not in told.err, told
    whole = ask(made)
    assert whole.code == 6 and 'limit "household"' in whole.err and "USD spent" in whole.err, whole
    noted = [line for line in made.log().splitlines() if " limit.refused " in line]
    assert len(noted) == 1 and "household" in noted[0] and "USD spent" in noted[0], noted
    assert "class=budget" in noted[0], noted
