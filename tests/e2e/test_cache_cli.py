"""test_cache_cli.py - does llmb say where an answer comes from, and what is wrong with a wish, before anything is paid?"""

import json
import re

import harness
import pytest
from provider_faults import said
from test_cache_semantic import EAST, NEAR, vector
from test_cache_semantic import config as compared
from test_cache_warm import COMMANDS, VECTORS, chat, config, lines, warm
from test_route_faults import ledger


@pytest.fixture
def provider(providers):
    return providers(needs_key=False)


@pytest.fixture
def embedder(providers):
    return providers(needs_key=False)


def rule(**more):
    return harness.section("policy", "mine", {"kind": "host", "operation": "*", **more})


def test_it_is_said_that_it_was_kept(broker, provider):
    made = broker(config(provider))
    asked = [made.llmb("ask", "-m", "a/m", "--cache=on", "--usage", *more, "x") for more in ((), (), ("--no-stream",))]
    assert "kept" not in asked[0].err, asked[0]
    assert all(re.search(r" ms · kept \d+ s ago\n$", done.err) for done in asked[1:]), asked
    assert "kept" not in made.llmb("ask", "-m", "a/m", "--cache=on", "x").err
    row = [row for row in ledger(made)["exchange"] if row["cache"]][0]
    told = made.llmb("explain", row["id"])
    assert re.search(r"a/m: its answer was kept, \d+ s ago\n", told.out), told
    there = made.llmb("explain", "-m", "a/m", "--cache", "only", "--prompt", "x")
    assert re.search(r"since \d+ s; no target", there.out), there


def test_it_is_said_that_it_is_of_other_words(broker, provider, embedder):
    made = broker(compared(provider, embedder))
    provider.script(**said("Paris."))
    embedder.script(vector(EAST), vector(NEAR))
    assert made.llmb("ask", "-m", "a/m", "What is the capital?").err == ""
    near = made.llmb("explain", "-m", "a/m", "--prompt", "Which is it?")
    assert "its answer is not kept; words near these may have one\n" in near.out, near
    guess = made.llmb("ask", "-m", "a/m", "Which is the capital?")
    assert guess.out == "Paris.\n" and guess.err == (
        "note: this is the answer to other words, which may mean the same (0.98); --cache=refresh asks these\n"), guess
    assert made.llmb("ask", "-q", "-m", "a/m", "Which is the capital?").err == ""
    shown = made.llmb("ask", "--usage", "-m", "a/m", "Which is the capital?")
    assert re.search(r" · of other words, 0\.98 · kept \d+ s ago\n$", shown.err), shown
    row = [row for row in ledger(made)["exchange"] if row["cache"] == "semantic"][0]
    told = made.llmb("explain", row["id"])
    assert re.search(r"its answer was kept, \d+ s ago: the answer to other words \(0\.98\)\n", told.out), told


def test_it_is_said_that_it_was_shared(broker, provider):
    made = broker(config(provider))
    provider.script(**said("one"), hold="start")
    first = made.llmb_start("ask", "-m", "a/m", "--cache=on", "--usage", "x")
    provider.wait_request(1)
    second = made.llmb_start("ask", "-m", "a/m", "--cache=on", "--usage", "x")
    harness.wait_until(lambda: json.loads(made.llmb("status", "--json").out)["calls"] == 2, 10, "both are there")
    provider.release()
    ends = [running.finish() for running in (first, second)]
    assert [done.err.endswith(" · shared with another call\n") for done in ends] == [False, True], ends
    assert len(provider.requests()) == 1


@pytest.mark.parametrize("sections, cause", [
    ((rule(cache="off"),), 'cache = off in [policy "mine"]'),
    ((rule(cache="read"),), 'cache = read in [policy "mine"]'),
    ((harness.section("cache", None, {"memory_mib": "0", "disk_mib": "0"}),), "memory_mib and disk_mib are 0 in [cache]")])
def test_nothing_is_paid_where_nothing_is_kept(broker, provider, sections, cause):
    made = broker(config(provider, *sections))
    provider.script(body=VECTORS, path="/v1/embeddings")
    for text in (lines(chat("x"), chat("y"), chat("z")), lines({"model": "a/e", "input": "x"}, {"model": "a/e", "input": "y"})):
        done = made.llmb("cache", "warm", input=text)
        assert done.code == 1 and done.out == "warmed 0, there before 0, missing 0, failed 1\n", done
        assert done.err == f"line 1: no answer would be kept, so nothing is asked: {cause}\n", done
    assert warm(made, lines(chat("x"), chat("y")), "--refresh", code=1) == {"failed": 1}
    looked = made.llmb("cache", "warm", "--dry-run", input=lines(chat("x"), chat("y")))
    assert looked.code == 0 and looked.out.startswith("warmed 0, there before 0, missing 2"), looked
    assert looked.err == f"note: no answer would be kept: {cause}\n", looked
    assert not provider.requests()


def test_for_an_application_whose_rule_forbids_it(broker, provider):
    """Nobody can tell before: one is asked, and no more."""
    tokens = harness.section("policy", "tokens", {"kind": "token", "model": "*", "cache": "read"})
    made = broker(config(provider, tokens))
    (made.folder / "token").write_text(made.llmb("token", "new", "notes", "-q").out)
    done = harness.subprocess.run(
        ["sh", "-c", '"$1" cache warm -j 3 --token-fd 3 3<token', "sh", harness.program("llmb")],
        input=lines(chat("x"), chat("y"), chat("z")).encode(), env=made.client_env(), cwd=made.folder,
        capture_output=True, timeout=20)
    assert done.returncode == 1 and b"failed 1" in done.stdout and b"No more is asked" in done.stderr, done
    assert len(provider.requests()) == 1


def test_one_that_is_too_long_stops_no_other(broker, provider):
    made = broker(config(provider, harness.section("cache", None, {"entry_kib": "1"})))
    provider.script(**said("long " * 1000))
    done = made.llmb("cache", "warm", input=lines(chat("x"), chat("y"), chat("z")))
    assert done.code == 1 and done.out.startswith("warmed 2, there before 0, missing 0, failed 1"), done
    assert "longer than [cache] entry_kib" in done.err and "rule" not in done.err, done


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_wrong_is_called_by_its_name(broker, provider, command):
    made = broker(config(provider))
    words, text = COMMANDS[command]
    for wrong, told in ((("--cache-namespace", "a\tb"), "--cache-namespace: 1 to 128 bytes without control characters"),
                        (("--cache-namespace", ""), "--cache-namespace: 1 to 128 bytes"),
                        (("--cache-namespace", "x" * 129), "--cache-namespace: 1 to 128 bytes"),
                        (("--cache-max-age", "soon"), "--cache-max-age soon: a duration"),
                        (("--cache-max-age=-1s",), "--cache-max-age -1s: a duration"),
                        (("--cache", "maybe"), "--cache maybe: this is none of off, read, write, on, refresh and only")):
        done = made.llmb(command, *words, *wrong, input=text)
        assert done.code == 2 and told in done.err, (wrong, done)
    assert not provider.requests()


def test_no_older_than_now(broker, provider):
    made = broker(config(provider))
    assert made.llmb("ask", "-m", "a/m", "--cache=on", "x").code == 0
    for age in ("0", "0s"):
        done = made.llmb("ask", "-m", "a/m", "--cache=on", "--cache-max-age", age, "x")
        assert done.code == 0, done
    harness.time.sleep(2.1)
    old = made.llmb("ask", "-m", "a/m", "--cache=only", "--cache-max-age=0", "x")
    assert old.code == 1 and "is kept" in old.err, old


def test_warming_refuses_what_nobody_would_find(broker, provider):
    made = broker(config(provider))
    for words, told in ((("-H", "X-Api-Key: x"), "-H x-api-key"), (("-H", "authorization: x"), "-H authorization"),
                        (("-H", "x-goog-api-key: x"), "-H x-goog-api-key"), (("--namespace", ""), "--namespace: 1 to 128 bytes"),
                        (("--namespace", "a\nb"), "--namespace: 1 to 128 bytes"), (("--max-age", "x"), "--max-age x: a duration")):
        done = made.llmb("cache", "warm", *words, input=lines(chat("x"), chat("y")))
        assert done.code == 2 and done.err.count("\n") == 1 and told in done.err, done
    assert not provider.requests()


def test_warmed_for_when_nobody_answers(broker, provider):
    made = broker(config(provider))
    assert warm(made, lines(chat("x")), "--ttl", "1s", "--stale", "1h") == {"warmed": 1}
    provider.listener("down", hangs_up=True)
    harness.time.sleep(2.1)
    body = json.dumps(chat("x"))
    assert made.llmb("relay", "openai.chat", "--cache=on", "--cache-stale=1h", input=body).code == 0
    assert made.llmb("relay", "openai.chat", "--cache=on", input=body).code != 0


@pytest.mark.parametrize("words, told", [
    (("explain", "-m", "a/m", "--prompt", ""), "prompt: a text that is not empty"),
    (("explain", "-m", "a/m", "--cache", "maybe", "--prompt", "x"), "--cache maybe: this is none of"),
    (("explain", "-m", "a/m", "--needs", "wings"), "needs: images, audio"),
    (("explain", "-m", "a/m", "--input-tokens", "0"), "input_tokens: 1 to 1000000 tokens are wanted"),
    (("cache", "list", "-n", "0"), "limit: a number from 1 to 1000 is wanted")])
def test_the_broker_names_what_is_wrong(broker, provider, words, told):
    done = broker(config(provider)).llmb(*words)
    assert done.code == 2 and told in done.err, done


def test_explain_takes_only(broker, provider):
    done = broker(config(provider)).llmb("explain", "-m", "a/m", "--cache", "only", "--prompt", "x")
    assert done.code == 0 and "its answer is not kept\n" in done.out, done


def test_explain_looks_where_the_call_would(broker, provider):
    made = broker(config(provider))
    assert made.llmb("ask", "-m", "a/m", "--cache=on", "--cache-namespace", "apart", "x").code == 0
    harness.time.sleep(2.1)
    look = ("explain", "-m", "a/m", "--cache=on", "--prompt", "x")
    for words, said_so in (((), "is not kept\n"), (("--cache-namespace", "apart"), "is kept, by a/m"),
                           (("--cache-namespace", "else"), "is not kept\n"),
                           (("--cache-namespace", "apart", "--cache-max-age", "1h"), "is kept, by a/m"),
                           (("--cache-namespace", "apart", "--cache-max-age", "0"), "is not kept\n")):
        done = made.llmb(*look, *words)
        assert "its answer " + said_so in done.out, (words, done)


def test_usage_tells_hits_from_what_providers_keep(broker, provider):
    made = broker(config(provider))
    assert made.llmb("ask", "-m", "a/m", "--cache=on", "x").code == 0
    head = made.llmb("usage").out.splitlines()[0].split()
    assert "PROMPT_READ" in head and "HITS" not in head and "CACHED" not in head
    assert made.llmb("ask", "-m", "a/m", "--cache=on", "x").code == 0
    told = made.llmb("usage", "--by", "model")
    head, *_, total = [line.split() for line in told.out.splitlines()]
    assert total[1 + head.index("HITS")] == "1" and "(HITS)" in told.err, told


def test_nothing_is_counted_as_kept_where_there_is_no_room(broker, provider):
    made = broker(config(provider, harness.section("cache", None, {"memory_mib": "0", "disk_mib": "0"})))
    assert made.llmb("ask", "-m", "a/m", "--cache=on", "x").code == 0
    assert json.loads(made.llmb("cache", "stats", "--json").out)["kept"] == 0
