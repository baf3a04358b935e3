"""test_cache_warm.py - are the answers there that `llmb cache warm` says are there, and do all commands take the same wishes?"""

import json
import re
import time

import harness
import pytest
from bridge import ask
from provider_faults import said
from test_route_faults import ledger

VECTORS = {"object": "list", "model": "e", "usage": {"prompt_tokens": 2, "total_tokens": 2},
           "data": [{"object": "embedding", "index": 0, "embedding": [1.0, 2.0]}]}


@pytest.fixture
def provider(providers):
    return providers(needs_key=False)


def config(provider, *sections):
    return (harness.provider_section(provider, "a", auth="none") + "".join(sections) +
            harness.section("model", "a/m", {"price_input": "1", "price_output": "2"}))


def chat(text, **more):
    return {"model": "a/m", "messages": [{"role": "user", "content": text}], **more}


def lines(*rows):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def warm(made, text, *words, code=0):
    done = made.llmb("cache", "warm", *words, "--json", input=text)
    assert done.code == code, done
    sums = json.loads(done.out)
    return {name: sums[name] for name in ("warmed", "there", "missing", "failed") if sums[name]}


FORMS = [
    ("/v1/chat/completions", chat("one"), {}),
    ("/v1/chat/completions", chat("two", temperature=0.5, stream=True), {"custom_id": "2", "method": "POST"}),
    ("/v1/messages", chat("three", max_tokens=9), {"custom_id": "3"}),
    ("/v1/responses", {"model": "a/m", "input": "four"}, {"custom_id": "4", "method": "POST"}),
    ("/v1/embeddings", {"model": "a/e", "input": "five"}, {}),
    ("/v1/completions", {"model": "a/m", "prompt": "six"}, {})]


def as_line(url, body, around):
    if not around:
        return body
    if url == "/v1/messages":
        return {**around, "params": body}
    return {**around, "url": url, "body": body}


def test_what_is_warmed_is_there(broker, provider, bridge):
    """In each form of a line, for who sends that body to that API; and it costs nothing to do it again."""
    rule = harness.section("policy", "mine", {"kind": "host", "operation": "*", "cache_scope": "user"})
    made = broker(config(provider, rule))
    text = lines("", *(as_line(*form) for form in FORMS), "  ")
    provider.script(body=VECTORS, path="/v1/embeddings")
    assert warm(made, text, "--dry-run") == {"missing": 6}
    assert not provider.requests()
    path = made.folder / "requests.jsonl"
    path.write_text(text)
    done = made.llmb("cache", "warm", path)
    assert done.code == 0 and re.fullmatch(r"warmed 6, there before 0, missing 0, failed 0 · 0\.\d+ USD\n", done.out), done
    assert len(provider.requests()) == 6
    assert warm(made, text, "--dry-run") == {"there": 6}
    assert warm(made, text) == {"there": 6}
    served = bridge(made)
    for url, body, _ in FORMS:
        head = [("content-type", "application/json"), ("accept", "application/json"), ("x-llm-broker-cache", "only")]
        answer = ask(served, "POST", url, json.dumps(body).encode(),
                     headers=head + [("anthropic-version", "2023-06-01")] * (url == "/v1/messages"))
        assert answer.status == 200 and answer.header("x-llm-broker-cache")[0].startswith("hit"), (url, answer)
    assert len(provider.requests()) == 6
    rows = ledger(made)
    assert len(rows["attempt"]) == 6 and sum(row["cost_nusd"] for row in rows["exchange"] if row["cache"]) == 0
    assert json.loads(made.llmb("cache", "warm", "--json", path).out)["failures"] == []
    assert warm(made, text, "--refresh") == {"warmed": 6}
    assert len(provider.requests()) == 12


def test_for_an_application(broker, provider, bridge):
    """Whoever shows its token has what was warmed with it."""
    made = broker(config(provider))
    served = bridge(made)
    tokens = [made.llmb("token", "new", name, "-q").out for name in ("notes", "mail")]
    (made.folder / "token").write_text(tokens[0])
    body = chat("x")
    done = harness.subprocess.run(
        ["sh", "-c", '"$1" cache warm --token-fd 3 3<token', "sh", harness.program("llmb")], input=lines(body).encode(),
        env=made.client_env(), cwd=made.folder, capture_output=True, timeout=20)
    assert done.returncode == 0 and done.stdout.startswith(b"warmed 1"), done
    assert warm(made, lines(body), "--dry-run") == {"missing": 1}
    for token, status in zip(tokens, (200, 404)):
        answer = ask(served, "POST", "/v1/chat/completions", json.dumps(body).encode(), headers=[
            ("content-type", "application/json"), ("authorization", f"Bearer {token.strip()}"),
            ("x-llm-broker-cache", "only")])
        assert answer.status == status, answer
    wrong = made.llmb("cache", "warm", "--token-fd", "99", input=lines(body))
    assert wrong.code != 0 and "99" in wrong.err, wrong


def test_what_fails_is_said_by_its_line(broker, provider):
    made = broker(config(provider))
    text = lines(chat("good"), "", "{", "[1]", {"model": "a/m"}, chat("x", model="nobody/m"),
                 {"url": "/v1/files", "body": {}}, {"url": "/v1/messages", "method": "GET", "body": {}},
                 {"model": "a/m", "messages": "no"})
    done = made.llmb("cache", "warm", input=text)
    assert done.code == 1 and done.out.startswith("warmed 1, there before 0, missing 0, failed 7"), done
    said_so = dict(line.removeprefix("line ").split(": ", 1) for line in done.err.splitlines())
    assert sorted(said_so) == ["3", "4", "5", "6", "7", "8", "9"], done.err
    assert "JSON" in said_so["4"] and "messages" in said_so["5"] and "nobody" in said_so["6"], said_so
    assert "url" in said_so["7"] and "POST" in said_so["8"], said_so
    told = json.loads(made.llmb("cache", "warm", "--json", input=text).out)
    assert sorted((row["line"], row["class"]) for row in told["failures"]) == [
        (3, "malformed"), (4, "invalid_request"), (5, "invalid_request"), (6, "not_found"), (7, "unsupported"),
        (8, "unsupported"), (9, "invalid_request")]
    assert told["there"] == 1 and told["failed"] == 7


def test_what_is_not_kept_is_no_success(broker, provider):
    made = broker(config(provider, harness.section("cache", "", {"entry_kib": "1"})))
    provider.script(**said("long " * 1000))
    done = made.llmb("cache", "warm", input=lines(chat("x"), chat("y")), env={})
    assert done.code == 1 and "a/m answered, and that is not kept" in done.err, done
    rule = harness.section("policy", "reads", {"kind": "host", "operation": "*", "cache": "read"})
    made.configure(config(provider, rule))
    assert made.llmb("config", "reload").code == 0
    assert warm(made, lines(chat("z")), code=1) == {"failed": 1}
    assert warm(made, lines(chat("z")), "--dry-run") == {"missing": 1}


@pytest.mark.parametrize("words, most", [((), 4), (("--jobs", "9"), 9)])
def test_so_many_at_once(broker, provider, words, most):
    made = broker(config(provider))
    provider.script(**said("held"), hold="start", times=0)
    path = made.folder / "requests.jsonl"
    path.write_text(lines(*(chat(f"{i}") for i in range(20))))
    running = made.llmb_start("cache", "warm", "--json", *words, path)
    for n in range(0, 20, most):
        provider.wait_request(min(n + most, 20))
        time.sleep(0.1)  # more would be there by now
        assert len(provider.requests()) == min(n + most, 20)
        provider.release()
    done = running.finish()
    assert done.code == 0 and json.loads(done.out)["warmed"] == 20, done


def test_twice_in_one_file_is_asked_once(broker, provider):
    made = broker(config(provider))
    assert warm(made, lines(*[chat("same")] * 9), "--jobs", "9") == {"warmed": 1, "there": 8}
    assert len(provider.requests()) == 1


def test_where_and_how_long(broker, provider):
    made = broker(config(provider))
    text = lines(chat("x"))
    assert warm(made, text, "--namespace", "mine", "--ttl", "90s") == {"warmed": 1}
    assert warm(made, text, "--dry-run") == {"missing": 1}
    assert warm(made, text, "--dry-run", "--namespace", "mine") == {"there": 1}
    (row,) = json.loads(made.llmb("cache", "list", "--json").out)["entries"]
    assert 80 <= row["fresh_s"] <= 90, row
    assert warm(made, text, "--batch") == {"warmed": 1}
    assert warm(made, text, "--dry-run", "--max-age", "1h") == {"there": 1}
    anthropic = lines({"params": chat("y", max_tokens=9)})
    assert warm(made, anthropic, "-H", "Anthropic-Version: 2023-01-01") == {"warmed": 1}
    assert warm(made, anthropic, "--dry-run") == {"missing": 1}


def test_words_that_are_wrong(broker, provider):
    made = broker(config(provider))
    for words, told in ((("--refresh", "--dry-run"), "--dry-run for none"), (("--jobs", "0"), "1 to 64"),
                        (("--jobs", "65"), "1 to 64"), (("-H", "none"), "no header"), (("/nowhere/x",), "/nowhere/x")):
        done = made.llmb("cache", "warm", *words, input="")
        assert done.code == 2 and told in done.err, done
    made.stop()
    gone = made.llmb("cache", "warm", input=lines(chat("x"), chat("y")))
    assert gone.code == 4 and gone.err.count("no broker") == 1 and not gone.out, gone


def test_one_is_removed(broker, provider):
    made = broker(config(provider))
    assert warm(made, lines(chat("x"), chat("y"))) == {"warmed": 2}
    latest, other = json.loads(made.llmb("cache", "list", "--json").out)["entries"]
    done = made.llmb("cache", "clear", "--id", latest["id"])
    assert done.code == 0 and done.err == "removed 1 answer\n", done
    again = made.llmb("cache", "clear", "--id", latest["id"])
    assert again.code == 1 and f"there is no answer {latest['id']}" in again.err, again
    assert made.llmb("cache", "clear", "--id", "abc").code == 2
    left = json.loads(made.llmb("cache", "list", "--json").out)["entries"]
    assert [row["id"] for row in left] == [other["id"]]
    assert sorted(warm(made, lines(chat("x"), chat("y")), "--dry-run").items()) == [("missing", 1), ("there", 1)]


# ---- the same wishes everywhere ----

COMMANDS = {
    "ask": (("-m", "a/m", "x"), None), "embed": (("-m", "a/e", "x"), None), "chat": (("-m", "a/m"), "x\n"),
    "relay": (("openai.chat",), json.dumps(chat("x"))), "moderate": (("-m", "a/m", "x"), None),
    "rerank": (("-m", "a/m", "x", "y"), None)}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_wishes_everywhere(broker, provider, command):
    made = broker(config(provider))
    words, text = COMMANDS[command]

    def asked(*more):
        done = made.llmb(command, *words, *more, input=text)
        return done.code, len(provider.requests())
    if command == "embed":
        provider.script(body=VECTORS, path="/v1/embeddings", times=0)
    if command == "rerank":
        provider.script(body={"results": [{"index": 0, "relevance_score": 0.5}]}, path="/v1/rerank", times=0)
    missing = made.llmb(command, *words, "--cache=only", input=text)
    assert missing.code == 1 and "is kept, and nobody was to be asked" in missing.err, missing
    assert asked("--cache=on") == (0, 1)
    assert asked("--cache=on") == (0, 1)
    assert asked("--cache=only", "--cache-max-age", "1h") == (0, 1)
    assert asked("--cache=off") == (0, 2)
    assert asked("--cache=on", "--cache-namespace", "apart", "--cache-ttl", "100s") == (0, 3)
    rows = json.loads(made.llmb("cache", "list", "--json").out)["entries"]
    assert len(rows) == 2 and 60 < rows[0]["fresh_s"] <= 100, rows
    wrong = made.llmb(command, *words, "--cache=maybe", input=text)
    assert wrong.code == 2 and "refresh and only" in wrong.err, wrong
