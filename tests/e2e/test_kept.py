"""test_kept.py - are answers of the Responses API there when their caller goes on from them, and for nobody
else, and not for longer than they should?"""

import json
import os
import pathlib

import harness
import pytest
from surfaces import FAMILIES, Call, data_of, dialects, relay

KEY = "sk-test-0123456789abcdef"
RESPONSES, CHAT = FAMILIES["responses"], FAMILIES["chat"]
SECRET = "the codeword is xylophone"
PASSPHRASE = "correct horse battery"


def configured(provider, **broker):
    return (harness.section("broker", "", broker) +
            harness.provider_section(provider, "all", dialect=dialects()) +
            harness.provider_section(provider, "chat", dialect="openai-chat /v1/chat/completions"))


@pytest.fixture
def made(broker, provider):
    made = broker(configured(provider))
    made.add_key("all", KEY)
    made.add_key("chat", KEY)
    return made


def ask(made, text, model="chat/m", stream=False, **more):
    body = {"model": model, "input": text, "stream": stream, **more}
    return relay(made, "openai.responses", json.dumps(body))


def read(made, name, method="GET", **more):
    return relay(made, "openai.responses", path=f"/v1/responses/{name}", method=method, **more)


def id_of(call):
    """What the caller knows its answer by."""
    if not call.is_stream:
        return call.json["id"]
    return data_of(call.body)[-1]["response"]["id"]


def answered(made, provider, text, said, stream=False, **more):
    """A turn at a provider of another language: the id that the broker made up for it."""
    provider.script(**CHAT.script(said, stream)[0])
    call = ask(made, text, stream=stream, **more)
    assert call.is_good and RESPONSES.text(call) == said, call
    return id_of(call)


def kept_files(made):
    folder = pathlib.Path(made.state_dir) / "store" / "responses"
    return sorted(folder.iterdir()) if folder.exists() else []


# ---- going on ----

@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_that_was_told_is_there_after_a_crash(made, provider, stream):
    """Its last event comes when it is kept: who has that may go on, whatever happens to the daemon."""
    first = answered(made, provider, SECRET, "Noted.", stream)
    made.kill9()
    made.start()  # the vault opens by its key file, with nobody there
    second = answered(made, provider, "What is it?", "It is xylophone.", previous_response_id=first)
    messages = provider.requests()[-1].json["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert SECRET in str(messages[0]["content"]) and "Noted." in str(messages[1]["content"])
    made.kill9()
    made.start()
    answered(made, provider, "And?", "So it is.", previous_response_id=second)
    assert len(provider.requests()[-1].json["messages"]) == 5
    assert read(made, second).json["previous_response_id"] == first


def test_a_stream_cut_by_a_crash_is_not_kept(made, provider):
    provider.script(**CHAT.script("one two three", True)[0], hold={"events": 3})
    call = Call(made, "openai.responses", '{"model":"chat/m","input":"x","stream":true}')
    call.until("two")
    name = call.body.split(b'"id":"resp_')[1].split(b'"')[0].decode()
    made.kill9()
    call.close()
    made.start()
    assert read(made, "resp_" + name).status == 404
    assert kept_files(made) == []


@pytest.mark.parametrize("first, second", [("all", "chat"), ("chat", "all"), ("all", "all")])
def test_a_conversation_moves_from_one_language_to_another(made, provider, first, second):
    said = {"all": RESPONSES, "chat": CHAT}
    provider.script(**said[first].script("Noted.", False)[0])
    call = ask(made, SECRET, f"{first}/m")
    assert call.json["store"] is True and call.json["previous_response_id"] is None
    provider.script(**said[second].script("It is xylophone.", False)[0])
    call = ask(made, "What is it?", f"{second}/m", previous_response_id=call.json["id"])
    assert call.is_good and RESPONSES.text(call) == "It is xylophone."
    seen = provider.requests()[-1].json
    turns = seen["input"] if second == "all" else seen["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert SECRET in str(turns[0]) and "Noted." in str(turns[1]) and "What is it?" in str(turns[2])
    assert "previous_response_id" not in seen
    if second == "all":
        assert seen["store"] is False


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_host_that_gives_all_answers_one_name(made, provider, stream):
    names = []
    for said in ("One.", "Two."):
        provider.script(**RESPONSES.script(said, stream)[0])
        call = ask(made, f"Say {said}", "all/m", stream)
        assert call.is_good and RESPONSES.text(call) == said, call
        names.append(id_of(call))
        if stream:
            assert {event["response"]["id"] for event in data_of(call.body) if "response" in event} == {names[-1]}
    assert names[0] != names[1], "each has one of ours"
    assert [RESPONSES.text(read(made, name)) for name in names] == ["One.", "Two."]
    assert [read(made, name).json["id"] for name in names] == names


def test_an_item_may_be_named_by_its_id(made, provider):
    first = answered(made, provider, SECRET, "Noted.")
    item = read(made, first).json["output"][0]["id"]
    provider.script(**CHAT.script("Yes.", False)[0])
    call = ask(made, [{"type": "item_reference", "id": item}, {"role": "user", "content": "Did you?"}])
    assert call.is_good, call
    assert "Noted." in str(provider.requests()[-1].json["messages"][0])


# ---- reading and removing ----

def test_it_is_read_and_listed_and_removed(made, provider):
    name = answered(made, provider, [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}],
                    "Three.", metadata={"a": "b"})
    call = read(made, name)
    assert call.status == 200 and call.json["id"] == name and call.json["metadata"] == {"a": "b"}
    assert RESPONSES.text(call) == "Three."
    items = read(made, name + "/input_items", query="order=asc&limit=1").json
    assert items["has_more"] and items["first_id"] == items["last_id"], items
    rest = read(made, name + "/input_items", query=f"order=asc&after={items['last_id']}").json
    assert "two" in str(rest["data"]) and not rest["has_more"]
    assert read(made, name, "DELETE").json == {"id": name, "object": "response", "deleted": True}
    assert kept_files(made) == []
    for call in (read(made, name), read(made, name, "DELETE"), read(made, name + "/input_items")):
        assert call.status == 404 and call.json["error"]["code"] == "response_not_found", call
    call = ask(made, "x", previous_response_id=name)
    assert call.status == 400 and call.json["error"]["code"] == "previous_response_not_found"
    assert call.json["error"]["param"] == "previous_response_id"
    assert len(provider.requests()) == 1


@pytest.mark.parametrize("name", ["resp_nothing", "..", "../../vault", "%2e%2e%2fvault", "resp_" + "9" * 900,
                                  "a\u00e9", "."])
def test_an_id_is_no_path(made, name):
    call = read(made, name)
    assert call.status in (400, 404, 501) and call.fault in ("not_found", "invalid_request", "unsupported")
    assert b"xylophone" not in call.body


# ---- what is on disk ----

def test_nothing_of_it_can_be_read_on_disk(made, provider):
    """Neither what was said, nor by whom, nor under which id: the vault's key is needed for all of it."""
    name = answered(made, provider, SECRET, "Noted, said the whale.", metadata={"who": "captain-ahab"})
    made.stop()
    (file,) = kept_files(made)
    assert len(file.name) == 40 and name not in file.name
    for path in pathlib.Path(made.state_dir).rglob("*"):
        if not path.is_file():
            continue
        assert path.stat().st_mode & 0o077 == 0, path
        data = path.read_bytes()
        for word in ("xylophone", "whale", "captain-ahab", name):
            assert word.encode() not in data, (word, path)
    made.start()


def test_a_file_that_was_changed_or_moved_is_none(made, provider):
    first = answered(made, provider, SECRET, "Noted.")
    (one,) = kept_files(made)
    second = answered(made, provider, "other", "Else.")
    (two,) = [path for path in kept_files(made) if path != one]
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    assert read(made, first).status == 404, "one answer in the place of another"
    one.write_bytes(data[:-1])
    assert read(made, first).status == 404, "cut"
    one.write_bytes(data[:60] + bytes([data[60] ^ 1]) + data[61:])
    assert read(made, first).status == 404, "a bit"
    one.write_bytes(b"")
    assert read(made, first).status == 404, "emptied"
    one.unlink()
    one.symlink_to(two)
    assert read(made, first).status == 404, "a link"
    one.unlink()
    one.write_bytes(data)
    assert read(made, first).status == 200
    assert read(made, second).status == 200


def test_a_locked_vault_says_so_and_an_open_one_has_them_all(made, provider):
    name = answered(made, provider, SECRET, "Noted.")
    assert made.llmb("vault", "passphrase", "--from-stdin", "--no-input", "--drop-key-file",
                     input=PASSPHRASE + "\n").code == 0
    assert made.llmb("vault", "lock").code == 0
    for call in (read(made, name), ask(made, "x", previous_response_id=name), read(made, name, "DELETE")):
        assert call.status == 503 and call.fault == "locked", call
        assert "llmb vault unlock" in call.json["error"]["message"]
    call = ask(made, "x", "offline/echo")
    assert call.is_good and call.json["store"] is False, "it is not kept, and says so"
    assert made.llmb("vault", "unlock", "--from-stdin", "--no-input", input=PASSPHRASE + "\n").code == 0
    assert read(made, name).json["id"] == name
    answered(made, provider, "y", "z", previous_response_id=name)
    assert len(provider.requests()) == 2


# ---- for how long ----

def test_who_wants_nothing_kept_is_believed(made, provider):
    provider.script(**CHAT.script("Noted.", False)[0])
    call = ask(made, SECRET, store=False)
    assert call.is_good and call.json["store"] is False
    assert read(made, call.json["id"]).status == 404 and kept_files(made) == []
    provider.script(**RESPONSES.script("Noted.", False)[0])
    call = ask(made, SECRET, "all/m", store=False)
    assert call.body == RESPONSES.whole("Noted.").encode() and kept_files(made) == []


def test_a_broker_that_keeps_nothing(broker, provider):
    made = broker(configured(provider, keep_responses="never"))
    made.add_key("chat", KEY)
    provider.script(**CHAT.script("Noted.", False)[0])
    call = ask(made, SECRET)
    assert call.is_good and call.json["store"] is False and kept_files(made) == []
    assert read(made, call.json["id"]).status == 404


def test_answers_that_are_old_go(broker, provider):
    made = broker(configured(provider, keep_responses="1h"))
    made.add_key("chat", KEY)
    old = answered(made, provider, SECRET, "Noted.")
    (file,) = kept_files(made)
    young = answered(made, provider, "x", "y", previous_response_id=old)
    os.utime(file, (1, 1))
    made.restart()
    harness.wait_until(lambda: len(kept_files(made)) == 1, 5, "one of them goes")
    assert read(made, old).status == 404 and read(made, young).status == 200
    call = ask(made, "go on", previous_response_id=young)
    assert call.status == 400 and old in call.json["error"]["message"], "what it went on from is gone"


def test_the_oldest_go_where_they_are_too_many(broker, provider):
    made = broker(configured(provider, keep_responses_mib=1))
    made.add_key("chat", KEY)
    names = []
    for i in range(5):
        names.append(answered(made, provider, "y" * 300_000, f"Answer {i}."))
        for path in kept_files(made):  # they age: the file system's clock may be coarse
            at = path.stat().st_mtime - 10
            os.utime(path, (at, at))
    made.reload()
    made.wait_log("config.loaded")
    harness.wait_until(lambda: len(kept_files(made)) == 3, 5, lambda: kept_files(made))
    assert [read(made, name).status for name in names] == [404, 404, 200, 200, 200]


def test_a_conversation_longer_than_any_body_is_refused(made, provider):
    first = answered(made, provider, "y" * (33 << 20), "Noted.")
    call = ask(made, "w" * (33 << 20), previous_response_id=first)
    assert call.status == 413 and call.json["error"]["param"] == "previous_response_id", call
    assert len(provider.requests()) == 1
