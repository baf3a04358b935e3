"""test_budget.py - is what is set by hand kept, changed as it was meant, and shown so that a person can read it?

By whom limits are kept is test_limits.py's question."""

import json
import os
import pty
import subprocess

import harness
import msgpack
import pytest
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

KEY = "sk-test-0123456789abcdef"
SCREEN = 80
PRICES = {"price_input": "0.15", "price_output": "0.60"}
OTHER = harness.section("provider", "other", {
    "dialect": "openai-chat", "base_url": "https://other.example"})


def config(provider, *more):
    return (harness.provider_section(provider, model="m") +
            harness.section("model", "test/m", PRICES) + "".join(more))


@pytest.fixture
def made(broker, provider):
    one = broker(config(provider, OTHER))
    one.add_key("test", KEY)
    return one


def ask(made, *args):
    return made.llmb("ask", "-m", "test/m", "--max-tokens", "20", *args, "3 words")


def listed(made):
    return json.loads(made.llmb("budget", "list", "--json").out)


def limits(made):
    return {limit["name"]: limit for limit in listed(made)["limits"]}


def budgets(made, name):
    """{("day", is soft): nano-dollars}"""
    return {(b["period"], b["soft"]): b["limit_nusd"] for b in limits(made)[name]["amounts"]["budgets"]}


def good(made, *args):
    done = made.llmb("budget", *args)
    assert done.code == 0, done
    return done


def shown(made, *args):
    """What a person sees, who has a screen of 80 columns."""
    out = good(made, *args).out
    assert all(len(line) <= SCREEN for line in out.splitlines()), out
    return out


# ---- what is gone since

def test_a_limit_that_names_what_is_gone_stops_nothing(made, provider):
    good(made, "set", "hard", "--usd", "5/day")
    good(made, "set", "po", "--usd", "5/day", "--provider", "other")
    made.configure(config(provider))
    said = made.llmb("config", "check")
    assert said.code == 0 and "po" in said.out and "other" in said.out, said
    assert made.llmb("config", "reload").code == 0
    made.restart()
    assert ask(made).code == 0
    assert set(limits(made)) == {"hard", "po"}
    assert 'no provider is called "other"' in shown(made, "list")
    good(made, "set", "new", "--requests", "60/minute")
    good(made, "set", "po", "--usd", "6/day")
    assert made.llmb("budget", "set", "po", "--provider", "othre").code == 2
    good(made, "remove", "po")
    assert set(limits(made)) == {"hard", "new"}
    assert "po" not in (made.state_dir / "limits").read_text()


def test_one_that_the_configuration_has_too_is_named_and_can_be_taken_away(made, provider):
    good(made, "set", "daily", "--usd", "5/day")
    good(made, "set", "other", "--usd", "5/day")
    made.configure(config(provider, harness.section("limit", "daily", {"budget": "4/day"})))
    said = made.llmb("config", "check")
    place = f"{made.state_dir}/limits:1:2: "
    assert said.code == 1 and place in said.err and "llmb budget remove daily" in said.err, said
    assert place in made.llmb("config", "reload").err
    made.restart()
    refused = ask(made)
    assert refused.code != 0 and place in refused.err, refused
    done = made.llmb("budget", "list")
    assert place in done.err and "nothing is limited" not in done.err, done
    good(made, "remove", "daily")
    assert ask(made).code == 0
    assert limits(made)["daily"]["said_at"].startswith(str(made.config_file))
    assert set(limits(made)) == {"daily", "other"}
    done = made.llmb("budget", "remove", "daily")
    assert done.code == 2 and str(made.config_file) in done.err, done


def test_a_file_that_is_no_list_of_limits_is_named(made):
    good(made, "set", "daily", "--usd", "5/day")
    file = made.state_dir / "limits"
    file.write_text(file.read_text() + "what is this\n")
    said = made.llmb("config", "check")
    assert said.code == 1 and f"{file}:3:" in said.err, said
    done = made.llmb("budget", "remove", "daily")
    assert done.code != 0 and f"{file}:3:" in done.err, done


# ---- what changes, and what stays

def test_a_budget_takes_the_place_of_that_period_alone(made):
    good(made, "set", "multi", "--usd", "1/day", "--usd", "10/month", "--soft", "5/week")
    good(made, "set", "multi", "--usd", "2/day")
    assert budgets(made, "multi") == {("day", False): 2 * 10**9, ("month", False): 10**10,
                                      ("week", True): 5 * 10**9}
    good(made, "set", "multi", "--without", "usd/month", "--soft", "1/hour")
    assert budgets(made, "multi") == {("day", False): 2 * 10**9, ("week", True): 5 * 10**9,
                                      ("hour", True): 10**9}
    good(made, "set", "multi", "--without", "soft")
    assert budgets(made, "multi") == {("day", False): 2 * 10**9}


def test_the_command_that_a_refusal_names_helps_and_harms_nothing(made):
    good(made, "set", "multi", "--usd", "0.000001/day", "--usd", "10/month", "--soft", "5/week")
    refused = ask(made)
    assert refused.code == 6, refused
    command = refused.err.strip().rpartition(". llmb ")[2].split()
    assert command[:3] == ["budget", "set", "multi"], refused
    assert made.llmb(*command).code == 0
    assert ask(made).code == 0, "so much is enough"
    assert set(budgets(made, "multi")) == {("day", False), ("month", False), ("week", True)}


def test_only_what_is_said_changes_and_there_is_a_way_back(made):
    good(made, "set", "fair", "--requests", "60/minute", "--each", "app", "--usd", "5/day")
    good(made, "set", "fair", "--each", "user")
    good(made, "set", "fair", "--zone", "UTC")
    good(made, "set", "fair", "--app", "notes", "--model", "test/m", "--rolling", "--concurrency", "3")
    now = limits(made)["fair"]
    assert now["each"] == ["user"] and now["zone"] == "UTC" and now["window"] == "rolling", now
    assert now["for"] == {"app": ["notes"], "model": ["test/m"]}, now
    assert now["amounts"]["requests"] == {"limit": 60, "per_ms": 60000}, now
    assert now["amounts"]["concurrency"] == {"limit": 3}, now
    good(made, "set", "fair", "--without", "rolling", "--without", "each", "--without", "app",
         "--without", "model", "--without", "concurrency", "--without", "requests")
    now = limits(made)["fair"]
    assert now["each"] == [] and now["for"] == {} and now["window"] == "calendar", now
    assert [*now["amounts"]] == ["budgets"] and now["zone"] == "UTC", now


@pytest.mark.parametrize("args, code, text", [
    (["fair"], 2, "how much?"),
    (["fair", "--without", "colour"], 2, "a key of [limit]"),
    (["fair", "--without", "each/day"], 2, "budget/day"),
    (["fair", "--without", "usd/year"], 2, "budget/day"),
    (["fair", "--without", "requests"], 2, "would limit nothing: say how much, with --usd"),
    (["new", "--each", "user"], 2, "would limit nothing"),
    (["new", "--concurrency", "0"], 2, "concurrency"),
    (["fair", "--usd", "5"], 2, "budget = 5: this is US dollars"),
    (["fair", "--zone", "Nowhere/City"], 2, "zone = Nowhere/City: "),
    (["fair", "--provider", "nobody"], 2, 'no provider is called "nobody"'),
    (["a b", "--usd", "5/day"], 2, "letters, digits"),
])
def test_what_cannot_be_set_changes_nothing(made, args, code, text):
    good(made, "set", "fair", "--requests", "60/minute")
    before = (made.state_dir / "limits").read_bytes()
    done = made.llmb("budget", "set", *args)
    assert done.code == code and text in done.err, done
    assert "limits:" not in done.err and "budget set:1" not in done.err, "a place that nobody has seen"
    assert (made.state_dir / "limits").read_bytes() == before


@pytest.mark.parametrize("body, param", [
    ({}, "name"),
    ({"name": "fair", "without": "requests"}, "without"),
    ({"name": "fair", "without": [7]}, "without"),
    ({"name": "fair", "keys": ["budget"]}, "keys"),
    ({"name": "fair", "keys": {"budget": 5}}, "keys"),
    ({"name": "fair", "keys": {"budget\n[limit \"x\"]\nbudget": "5/day"}}, "keys"),
])
def test_what_other_clients_say_is_looked_at(made, body, param):
    good(made, "set", "fair", "--requests", "60/minute", "--usd", "1/day")
    before = (made.state_dir / "limits").read_bytes()
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "other"})
        client.recv_until(WELCOME)
        client.send_frame(CALL, 1, {"kind": "admin", "op": "budget.set", "credit": 1 << 20,
                                    "body": json.dumps(body).encode()})
        fault = client.recv_until(FAULT, END)[-1]
    assert fault.type == FAULT and fault.body["class"] == "invalid_argument", fault
    assert fault.body["param"] == param, fault
    assert (made.state_dir / "limits").read_bytes() == before


def test_a_name_of_no_limit_is_a_mistake_of_who_asks(made):
    for command in ("list", "show", "remove"):
        done = made.llmb("budget", command, "nosuch")
        assert done.code == 2 and 'there is no limit "nosuch"' in done.err, done
    good(made, "set", "fair", "--requests", "60/minute")
    for name, is_good in ((3, False), (["fair"], False), ("nosuch", False), (None, True), ("fair", True)):
        with WireClient(made.socket) as client:
            client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "other"})
            client.recv_until(WELCOME)
            client.send_frame(CALL, 1, {"kind": "admin", "op": "budget.list", "credit": 1 << 20,
                                        "body": json.dumps({"name": name}).encode()})
            last = client.recv_until(FAULT, END)[-1]
        assert (last.type == END) is is_good, (name, last)
        if not is_good:
            assert (last.body["class"], last.body["param"]) == ("invalid_argument", "name"), last


def test_many_changes_at_once_are_all_made(made):
    names = [f"l{i}" for i in range(12)]
    running = [made.llmb_start("budget", "set", name, "--usd", "5/day", "--app", name) for name in names]
    assert [done.code for done in (one.finish() for one in running)] == [0] * len(names)
    assert set(limits(made)) == set(names)
    running = [made.llmb_start("budget", "remove", name) for name in names]
    assert [done.code for done in (one.finish() for one in running)] == [0] * len(names)
    assert limits(made) == {}


# ---- what a person sees

def test_a_limit_that_nobody_has_used_is_shown_whole(made):
    good(made, "set", "z", "--usd", "3/week", "--soft", "2.5/week", "--zone", "Asia/Tokyo", "--each", "app",
         "--rolling", "--app", "agent-*", "--app", "mail", "--output-tokens", "2000/minute",
         "--concurrency", "4")
    for out in shown(made, "show", "z"), shown(made, "list"), shown(made, "list", "z"):
        for text in ("z: app agent-* or mail; for each app; rolling, in Asia/Tokyo", "3.00 USD/week",
                     "2.50 USD/week, soft", "2000 output tokens/minute", "4 at a time"):
            assert text in out.replace("\n    ", " "), (text, out)
    assert "said in: llmb budget set" in shown(made, "show", "z")


def test_what_is_used_and_set_aside_is_shown(made, provider):
    good(made, "set", "daily", "--usd", "5/day", "--soft", "4/day", "--zone", "UTC")
    good(made, "set", "fair", "--requests", "60/hour", "--each", "app", "--each", "model", "--usd", "1/month")
    assert ask(made).code == 0
    spent = provider.bill()["nano_usd"]
    provider.script(hold=1)
    under_way = made.llmb_start("ask", "-m", "test/m", "--max-tokens", "20", "3 words")
    provider.wait_held(1)
    out = shown(made, "list")
    day = next(line for line in out.splitlines() if "5.00 USD/day" in line).split()
    assert round(float(day[2]) * 10**9) == spent and float(day[3]) > 0 and day[4][:2] == "20", out
    assert "daily: all calls; by the calendar of UTC" in out, out
    assert "for app " in out and ", model m" in out and "60 requests/hour" in out, out
    provider.release()
    assert under_way.finish().code == 0


def test_what_a_provider_has_said_is_shown(made, provider):
    provider.script(headers={"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "3",
                             "x-ratelimit-reset-requests": "60s"})
    assert ask(made).code == 0
    provider.script(status=429, headers={"retry-after": "3000"})
    assert ask(made, "--timeout", "5s").code == 6
    out = shown(made, "list")
    assert "provider test" in out and "model m: its own limits" in out and "  100 requests/" in out, out
    rest = next(line for line in out.splitlines() if "wants no call now" in line).split()
    assert rest[-3] == "in" and 2900 <= int(rest[-2]) <= 3000 and rest[-1] == "s", out
    said, = listed(made)["providers"]
    assert {"provider", "model", "requests", "rest_ms"} <= set(said), said


def on_a_screen(made, until, then, *args):
    """What stderr shows, a terminal, of an `llmb ask` that says `until` and ends after `then`."""
    screen, other_end = pty.openpty()
    process = subprocess.Popen([harness.program("llmb"), "ask", "-m", "test/m", *args, "3 words"],
                               env=made.client_env({"TERM": "xterm"}), cwd=made.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=other_end, start_new_session=True)
    os.close(other_end)
    seen, has_said = b"", False
    while True:
        try:
            seen += os.read(screen, 4096)
        except OSError:  # its other end is closed
            break
        if not has_said and until in seen:
            has_said = True
            then()
    out, _ = process.communicate(timeout=harness.CALL_SECONDS)
    os.close(screen)
    assert process.returncode == 0 and out.decode() == "word1 word2 word3\n", (out, seen)
    return seen


def test_who_waits_sees_where_it_stands_until_the_answer_begins(made, provider):
    good(made, "set", "one", "--concurrency", "1")
    for args, until in ((), b"\r\033[Kwaiting: place 1 of 1 for test/m"), (("-v",), b"queued: place 1 of 1"):
        provider.script(hold=1)
        first = made.llmb_start("ask", "-m", "test/m", "3 words")
        provider.wait_held(1)
        deaf = made.llmb_start("ask", "-m", "test/m", "--timeout", "50s", "3 words") if not args else None
        if deaf:
            harness.wait_until(lambda: listed(made)["waiting"] == 1, 10, "it waits")
            until = until.replace(b"1 of 1", b"2 of 2")
        seen = on_a_screen(made, until, provider.release, *args)
        assert first.finish().code == 0
        if deaf:
            assert seen.rpartition(b"waiting: ")[2].partition(b"\r\033[K")[1], "it is gone when that is over"
            said = deaf.finish()
            assert said.code == 0 and said.err == "", "nobody looks on, and so nothing is said"
        else:
            assert b"waiting: " not in seen, seen


def test_what_broke_off_is_in_what_was_used(made, provider):
    good(made, "set", "one", "--usd", "1/day")
    provider.script(hold=1)
    lost = made.llmb_start("ask", "-m", "test/m", "--max-tokens", "20", "3 words")
    provider.wait_held(1)
    lost.kill()
    provider.wait_disconnect(timeout=20)
    made.wait_ledger(1)
    counter, = limits(made)["one"]["counters"]
    charged = counter["budgets"][0]["spent_nusd"]
    assert charged > 0
    total = json.loads(made.llmb("usage", "--json").out)["total"]
    assert total["charged_nusd"] == charged and total["cost_nusd"] is None, total
    text = made.llmb("usage", "--by", "model")
    exact = f"{charged // 10**9}.{charged % 10**9:09d}"
    assert "CHARGED" in text.out and exact in text.out and f"{exact} USD more" in text.err, text
    head, row = (line.split(",") for line in made.llmb("usage", "--csv").out.splitlines())
    assert row[head.index("charged_nusd")] == str(charged)


def test_calls_that_wait_are_shown(made, provider):
    good(made, "set", "one", "--concurrency", "1")
    provider.script(hold=1)
    running = [made.llmb_start("ask", "-m", "test/m", "3 words") for _ in range(3)]
    provider.wait_held(1)
    harness.wait_until(lambda: listed(made)["waiting"] == 2, 10, "two wait")
    assert "2 calls wait for their turn" in shown(made, "list")
    provider.release()
    assert [one.finish().code for one in running] == [0, 0, 0]


def test_how_many_more_there_are_is_said(made):
    most, more = 1000, 5  # of each limit so many are listed
    good(made, "set", "em", "--requests", "1000000/minute", "--each", "model")
    body = {"max_tokens": 1, "stream": True, "messages": [{"role": "user", "content": "1 word"}]}
    with WireClient(made.socket, timeout=60) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "racer"})
        client.recv_until(WELCOME)
        for number in range(1, most + more + 1):
            asked = msgpack.packb({**body, "model": f"test/m{number}"})
            client.send_frame(CALL, number, {"kind": "typed", "op": "chat", "body": asked})
            if number % 15 == 0:  # all that are under way
                assert [client.recv_until(END, FAULT)[-1].type for _ in range(15)] == [END] * 15
    limit = limits(made)["em"]
    assert limit["more"] == more and len(limit["counters"]) == most
    assert f"and {more} more, who have spent no more than these" in shown(made, "list")
