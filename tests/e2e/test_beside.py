"""test_beside.py - vectors, ranks, counts, verdicts and lists of models, from end to end."""

import json

import answers
import harness
import pytest

KEY = "sk-test-0123456789abcdef"
PRICES = {"price_input": "0.02"}


def configured(provider, **more):
    return (harness.provider_section(provider, "test", base_path="/v1", dialect="openai-chat", **more) +
            harness.section("model", "test/e", PRICES))


def made(broker, provider, **more):
    out = broker(configured(provider, **more))
    out.add_key("test", KEY)
    return out


def vectors(text):
    return [[float(number) for number in line.split()] for line in text.splitlines()]


def vectors_of(*rows):
    return json.dumps({"object": "list", "model": "e", "usage": {"prompt_tokens": 1, "total_tokens": 1},
                       "data": [{"index": i, "embedding": row} for i, row in enumerate(rows)]})


@pytest.mark.valgrind
def test_vectors_of_texts(broker, provider):
    made_ = made(broker, provider)
    done = made_.llmb("embed", "-m", "test/e", "a cat", "a dog")
    assert done.code == 0, done.err
    assert vectors(done.out) == [answers.vector_of("a cat", 8), answers.vector_of("a dog", 8)]
    seen = provider.requests()[0]
    assert seen.path == "/v1/embeddings" and seen.json["input"] == ["a cat", "a dog"]
    row = made_.wait_ledger(1, 1)["exchange"][0]
    assert (row["op"], row["outcome"], row["input"], row["output"]) == ("embed", "ok", 4, None)
    assert row["cost_nusd"] == 4 * 20


@pytest.mark.parametrize("asked, path", [("embed -m test/e a b", "/v1/embeddings"), ("rerank -m test/e a b", "/v1/rerank"),
                                         ("moderate -m test/e a", "/v1/moderations"), ("key test test", "/v1/models")])
def test_a_version_in_the_path_of_chats_is_in_all(broker, provider, asked, path):
    made_ = broker(harness.provider_section(provider, "test", dialect="openai-chat /v1/chat/completions"))
    made_.add_key("test", KEY)
    made_.llmb(*asked.split())
    assert {seen.path for seen in provider.requests()} == {path}


def test_as_json_with_dimensions_and_base64(broker, provider):
    done = made(broker, provider, embedding_format="base64").llmb(
        "embed", "--json", "-m", "test/e", "--dimensions", 40, "a cat")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["type"] == "embeddings" and said["provider"] == "test" and said["model"] == "e"
    assert said["embeddings"] == [answers.vector_of("a cat", 40)]
    assert said["usage"]["input"] == 2
    assert provider.requests()[0].json["encoding_format"] == "base64"


def test_lines_of_stdin_in_batches(broker, provider):
    made_ = made(broker, provider, inputs_max="100")
    lines = [f"line {i}" for i in range(250)]
    done = made_.llmb("embed", "-m", "test/e", input="\n".join(lines) + "\n\n")
    assert done.code == 0, done.err
    assert vectors(done.out) == [answers.vector_of(line, 8) for line in lines]
    assert [len(seen.json["input"]) for seen in provider.requests()] == [100, 100, 50]
    rows = made_.wait_ledger(1, 3)
    assert rows["exchange"][0]["input"] == 500 == sum(row["input"] for row in rows["attempt"])


def test_batches_of_other_dimensions_are_refused(broker, provider):
    """What one model makes is as long for each text: rows that differ are no answer."""
    made_ = made(broker, provider, inputs_max="2")
    provider.script({"body": vectors_of([1.0, 2.0], [3.0, 4.0])}, {"body": vectors_of([5.0])})
    done = made_.llmb("embed", "-m", "test/e", "a", "b", "c")
    assert done.code == 7 and "2 dimensions, and then 1" in done.err


def test_large_vectors_wait_for_their_reader(broker, provider):
    """More bytes than the broker holds for a call: each batch waits until the one before was read."""
    made_ = made(broker, provider, inputs_max="50")
    lines = [f"line {i}" for i in range(1000)]
    done = made_.llmb("embed", "--dimensions", 4000, "-m", "test/e", input="\n".join(lines))
    assert done.code == 0, done.err
    assert done.out.count("\n") == 1000
    assert len(provider.requests()) == 20


def test_a_failure_in_the_middle_fails_all(broker, provider):
    made_ = made(broker, provider, inputs_max="1")
    provider.script({"body": {"data": [{"embedding": [1, 2]}], "usage": {"prompt_tokens": 1}}},
                    {"status": 400, "message": "the text is too long"})
    done = made_.llmb("embed", "-m", "test/e", "one", "two")
    assert done.code == 7 and "the text is too long" in done.err
    assert done.out == ""
    rows = made_.wait_ledger(1, 2)
    assert rows["exchange"][0]["outcome"] == "failed" and rows["exchange"][0]["input"] == 1


@pytest.mark.valgrind
def test_offline_embeds_without_a_key(broker):
    done = broker().llmb("embed", "--dimensions", 16, "the cat", "The cat!")
    assert done.code == 0, done.err
    first, second = vectors(done.out)
    assert first == second and len(first) == 16
    assert abs(sum(x * x for x in first) - 1) < 1e-6
    assert done.err.count("llmb key add") == 1


def test_documents_in_order(broker, provider):
    made_ = made(broker, provider)
    done = made_.llmb("rerank", "-m", "test/e", "-n", 2, "capital of France", "cheese",
                      "Paris is the capital of France", "the end of time")
    assert done.code == 0, done.err
    assert [line.split("\t")[1:] for line in done.out.splitlines()] == [
        ["2", "Paris is the capital of France"], ["3", "the end of time"]]
    said = json.loads(made_.llmb("rerank", "--json", "-m", "test/e", "cheese", input="b\ncheese\n").out)
    assert said["ranks"][0] == {"index": 1, "score": 1, "text": "cheese"}
    assert made_.wait_ledger(2, 2)["exchange"][0]["op"] == "rerank"


def test_a_count_is_asked_or_estimated(broker, provider):
    made_ = broker(configured(provider) + harness.provider_section(
        provider, "claude", dialect="anthropic", auth="header:x-api-key"))
    made_.add_key("claude", KEY)
    done = made_.llmb("count", "--json", "-m", "claude/claude-haiku-4-5", "one two three")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["estimate"] is False and said["input_tokens"] == 3 + answers.MESSAGE_TOKENS
    assert "warnings" not in said
    # nobody is asked, and no key is needed, where the wire has no word for it
    said = json.loads(made_.llmb("count", "--json", "-m", "test/e", "one two three").out)
    assert said["estimate"] is True and said["warnings"][0]["code"] == "emulated"
    assert len(provider.requests()) == 1
    rows = made_.wait_ledger(2, 2)
    assert [row["cost_nusd"] for row in rows["exchange"]] == [0, 0]


def test_verdicts(broker, provider):
    done = made(broker, provider).llmb("moderate", "-m", "test/e", "all is well", "this is unsafe")
    assert done.code == 0, done.err
    assert done.out.splitlines() == ["fine", "flagged\thate"]


def test_what_is_not_served_is_refused(broker, provider):
    done = made(broker, provider, ops="chat").llmb("embed", "-m", "test/e", "a")
    assert done.code != 0 and "does not serve the operation embed" in done.err
    assert provider.requests() == []


def test_the_default_is_the_alias_of_the_operation(broker, provider):
    made_ = broker(configured(provider) + harness.section("model", "embed", {"target": "test/e"}))
    made_.add_key("test", KEY)
    assert made_.llmb("embed", "a").code == 0
    assert provider.requests()[0].json["model"] == "e"
    done = made_.llmb("rerank", "a", "b")
    assert done.code != 0 and '[model "rerank"]' in done.err


@pytest.mark.parametrize("args, said", [
    (["embed"], "the input is empty"),
    (["rerank"], "there is no query"),
    (["rerank", "q"], "the input is empty"),
    (["embed", "--dimensions", "x", "a"], "--dimensions"),
    (["embed", "--type", "poem", "a"], "input_type"),
])
def test_mistakes_are_told(broker, args, said):
    done = broker().llmb(*args, input="")
    assert done.code in (2, 7) and said in done.err


@pytest.mark.parametrize("command", ["embed", "rerank", "count", "moderate"])
def test_help(broker, command):
    done = broker().llmb(command, "--help")
    assert done.code == 0 and f"llmb {command}" in done.out


# ---- lists of models ----

@pytest.mark.parametrize("dialect, first, second, queries", [
    ("anthropic", {"data": [{"id": "a"}, {"id": "b"}], "has_more": True, "last_id": "b"},
     {"data": [{"id": "c"}], "has_more": False, "last_id": "c"},
     ["limit=1000", "limit=1000&after_id=b"]),
    ("gemini", {"models": [{"name": "models/a"}, {"name": "models/b"}], "nextPageToken": "p=2"},
     {"models": [{"name": "models/c"}]}, ["pageSize=1000", "pageSize=1000&pageToken=p%3D2"]),
    ("cohere", {"models": [{"name": "a"}, {"name": "b"}], "next_page_token": "p2"},
     {"models": [{"name": "c"}], "next_page_token": ""},
     ["page_size=1000", "page_size=1000&page_token=p2"]),
    ("openai-chat", {"object": "list", "data": [{"id": "a"}, {"id": "b"}], "has_more": True,
                     "last_id": "b"}, {"object": "list", "data": [{"id": "c"}]}, ["", "after=b"])])
def test_a_list_in_pages_is_followed(broker, providers, dialect, first, second, queries):
    provider = providers(needs_key=False)
    made_ = broker(harness.provider_section(provider, "test", base_path="/v2", dialect=dialect,
                                            auth="bearer"))
    made_.add_key("test", KEY)
    for command in (["models", "--live", "test"], ["key", "test", "test"]):
        provider.script({"body": first}, {"body": second})
        done = made_.llmb(*command)
        assert done.code == 0, done.err
        if command[0] == "models":
            assert [line.split()[0] for line in done.out.splitlines()[1:]] == [
                "test/a", "test/b", "test/c"]
        else:
            assert "3 models" in done.err
    assert [seen.query for seen in provider.requests()] == queries * 2


def test_the_list_of_cohere_is_asked_for_in_large_pages(broker, providers):
    provider = providers(needs_key=False)
    made_ = broker(harness.section("provider", "cohere", {
        "base_url": provider.base_url + "/v2", "ca_file": provider.ca_file, "local": "yes"}))
    made_.add_key("cohere", KEY)
    provider.script(body={"models": [{"name": "command-a"}]})
    assert "cohere/command-a" in made_.llmb("models", "--live", "cohere").out
    assert [seen.target for seen in provider.requests()] == ["/v1/models?page_size=1000"]


def test_a_list_without_an_end_is_cut(broker, providers):
    provider = providers(needs_key=False)
    made_ = broker(harness.provider_section(provider, "test", dialect="gemini", auth="bearer"))
    made_.add_key("test", KEY)
    pages = [{"body": {"models": [{"name": f"models/m{i}"}], "nextPageToken": f"p{i}"}}
             for i in range(30)]
    provider.script(*pages)
    done = made_.llmb("models", "--live", "test")
    assert len(done.out.splitlines()) == 21 and "is cut here" in done.err
    assert len(provider.requests()) == 20


def test_a_list_that_fails_in_the_middle_shows_what_came(broker, providers):
    provider = providers(needs_key=False)
    made_ = broker(harness.provider_section(provider, "test", dialect="gemini", auth="bearer"))
    made_.add_key("test", KEY)
    provider.script({"body": {"models": [{"name": "models/a"}], "nextPageToken": "p2"}},
                    {"status": 403, "body": {"error": {"message": "not for you"}}})
    done = made_.llmb("models", "--live", "test")
    assert "test/a" in done.out and "not for you" in done.err
