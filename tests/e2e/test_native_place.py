"""test_native_place.py - whose endpoint is meant by a path of a public API that nobody here translates?"""

import json

import harness
import pytest
from bridge import ask
from surfaces import Call

BOUNDARY = "xYz0123456789"
FORM = [("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")]
JSON = [("Content-Type", "application/json")]


def form(model, name="model"):
    return (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\x01\r\n--\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{model}\r\n--{BOUNDARY}--\r\n').encode()


def section(provider, name, dialect="openai-chat", base_path="/v1", **more):
    return harness.provider_section(provider, name, dialect=dialect, base_path=base_path, **more)


@pytest.fixture
def host(broker, providers, bridge):
    """Starts a broker of these providers, each a line of text made by a function of its host; a door, and hosts by name."""
    def start(*, more="", keys=None, **sections):
        hosts = {name: providers() for name in sections}
        for one in hosts.values():
            one.script(body="{}", times=0)
        made = broker("".join(make(hosts[name], name) for name, make in sections.items()) + more)
        for name in sections if keys is None else keys:
            made.add_key(name, f"sk-{name}-0123456789abcdef")
        return bridge(made), hosts, made
    return start


def asked(hosts):
    """Who was asked for what, in turn, by host."""
    return {name: [f"{seen.method} {seen.target}" for seen in one.requests()] for name, one in hosts.items()
            if one.requests()}


def serves(*ops, **more):
    return lambda host, name: section(host, name, ops=",".join(ops), **more)


def anthropic(host, name):
    return section(host, name, dialect="anthropic", base_path="", ops="chat,files,batches")


def gemini(host, name):
    return section(host, name, dialect="gemini", base_path="", ops="chat,files")


def test_the_only_one_that_has_it(host):
    """And an object is looked for where it was made."""
    door, hosts, _ = host(talks=serves("chat"), draws=serves("chat", "images", base_path="/deep/v1"),
                          keeps=serves("files", "batches"), other=anthropic, third=gemini)
    for method, target in (("POST", "/v1/files?purpose=x"), ("GET", "/v1/files/file-1"), ("GET", "/v1/files/file-1/content"),
                           ("DELETE", "/files/file-1"), ("POST", "/v1/batches"), ("GET", "/v1/batches/b?x=1"),
                           ("POST", "/v1/uploads/u/parts")):
        assert ask(door, method, target, b"\x00\xff" if method == "POST" else b"").status == 200, target
    for target in ("/v1/images/generations", "/v1/images/edits"):
        answer = ask(door, "POST", target, b'{"prompt":"a cat"}', JSON)
        assert answer.status == 200 and answer.header("x-llm-broker-target") == ["draws"], answer
    for target in ("/v1/messages/batches", "/v1/messages/batches/b/results"):
        assert ask(door, "GET", target).status == 200
    for target in ("/v1beta/files", "/upload/v1beta/files?uploadType=x"):
        assert ask(door, "POST", target, b"x").status == 200
    assert asked(hosts) == {
        "keeps": ["POST /v1/files?purpose=x", "GET /v1/files/file-1", "GET /v1/files/file-1/content", "DELETE /v1/files/file-1",
                  "POST /v1/batches", "GET /v1/batches/b?x=1", "POST /v1/uploads/u/parts"],
        "draws": ["POST /deep/v1/images/generations", "POST /deep/v1/images/edits"],
        "other": ["GET /v1/messages/batches", "GET /v1/messages/batches/b/results"],
        "third": ["POST /v1beta/files", "POST /upload/v1beta/files?uploadType=x"]}


def test_one_path_of_two_apis(host):
    """Who sends Anthropic's header means Anthropic's files; who sends none means OpenAI's, where there are any."""
    door, hosts, made = host(keeps=serves("files"), other=anthropic)
    for headers in ([], [("anthropic-version", "2023-06-01"), ("anthropic-beta", "files-api-2025-04-14")]):
        assert ask(door, "GET", "/v1/files/f", headers=headers).status == 200
    assert asked(hosts) == {"keeps": ["GET /v1/files/f"], "other": ["GET /v1/files/f"]}
    made.llmb("key", "rm", "keeps")
    assert ask(door, "GET", "/v1/files/f").header("x-llm-broker-target") == ["other"]


def test_more_than_one(host):
    """Then it is said who has it and how one is named, and nobody is asked."""
    door, hosts, _ = host(one=serves("files"), two=serves("files", base_path="/x/v1"), three=serves("chat"))
    answer = ask(door, "GET", "/v1/files")
    said = answer.json["error"]["message"]
    assert answer.status == 400 and answer.header("x-llm-broker-class") == ["invalid_request"], answer
    assert "/native/one/v1/files or /native/two/x/v1/files" in said and "x-llm-broker-provider" in said, said
    assert "three" not in said, said
    assert asked(hosts) == {}
    for target, headers in (("/native/one/v1/files", []), ("/native/two/x/v1/files", []),
                            ("/v1/files", [("X-LLM-Broker-Provider", "one")]),
                            ("/v1/files", [("X-LLM-Broker-Provider", "two")])):
        assert ask(door, "GET", target, headers=headers).status == 200
    assert asked(hosts) == {"one": ["GET /v1/files"] * 2, "two": ["GET /x/v1/files"] * 2}


def test_nobody(host):
    door, hosts, made = host(talks=serves("chat"), keeps=serves("files"), keys=["talks"])
    answer = ask(door, "POST", "/v1/files", b"x")
    assert answer.status == 400 and "talks" in answer.json["error"]["message"], answer
    assert "keeps" not in answer.json["error"]["message"], answer
    answer = ask(door, "POST", "/v1/messages/batches", b"{}")
    assert answer.status == 400 and answer.json["type"] == "error", answer
    answer = ask(door, "POST", "/v1beta/files", b"{}")
    assert answer.status == 400 and answer.json["error"]["status"] == "INVALID_ARGUMENT", answer
    made.llmb("key", "rm", "talks")
    answer = ask(door, "POST", "/v1/files", b"x")
    assert answer.status == 400 and "llmb key add" in answer.json["error"]["message"], answer
    assert asked(hosts) == {}


def test_who_has_said_nothing_is_asked_last(host):
    """Of a host without `ops` nobody knows what it has."""
    door, hosts, made = host(odd=section, keeps=serves("files"), chat=serves("chat"))
    assert ask(door, "GET", "/v1/files").header("x-llm-broker-target") == ["keeps"]
    made.llmb("key", "rm", "keeps")
    assert ask(door, "GET", "/v1/files").header("x-llm-broker-target") == ["odd"]
    assert asked(hosts) == {"keeps": ["GET /v1/files"], "odd": ["GET /v1/files"]}


def test_a_locked_vault_is_not_an_empty_one(host):
    door, _, made = host(keeps=serves("files"))
    made.llmb("vault", "lock")
    assert ask(door, "GET", "/v1/files").header("x-llm-broker-class") == ["locked"]


ALIASES = (harness.section("model", "pic", {"target": ["two/painter", "one/other"]}) +
           harness.section("model", "talker", {"target": "three/talk"}))


def images(host, **more):
    return host(one=serves("images", "transcribe"), two=serves("images", "transcribe"), three=serves("chat"), **more)


@pytest.mark.parametrize("model,who,name", [
    ("one/dall", "one", "dall"), ("two/a/b", "two", "a/b"), ("pic", "two", "painter"), ("nobody/x", None, None),
    ("dall", None, None), ("talker", None, None), ("three/x", None, None), ("", None, None)])
@pytest.mark.parametrize("target,headers", [("/v1/images/generations", JSON), ("/v1/audio/transcriptions", FORM)],
                         ids=["json", "form"])
def test_the_model_says_where(host, model, who, name, target, headers):
    """Its name is the provider's own then; no other byte is touched."""
    door, hosts, _ = images(host, more=ALIASES)

    def body(said):
        text = '{"prompt" : "a", "n":1e0,"model" :%s ,"x":{"model":"y"} }' % json.dumps(said)
        return form(said) if headers == FORM else text.encode()
    answer = ask(door, "POST", target, body(model), headers)
    if not who:
        assert answer.status == 400 and asked(hosts) == {}, answer
        return
    assert answer.status == 200 and answer.header("x-llm-broker-target") == [f"{who}/{name}"], answer
    assert asked(hosts) == {who: [f"POST {target}"]}
    seen = hosts[who].requests()[0]
    assert seen.body == body(name) and seen.header("content-length") == [str(len(body(name)))]


def test_a_model_that_the_catalogue_knows(host):
    """By its bare name it is asked of the first that has it, as a chat is."""
    door, hosts, _ = images(host, more=harness.section("model", "two/dall", {"price_input": "1"}))
    assert ask(door, "POST", "/v1/images/generations", b'{"model":"dall"}', JSON).status == 200
    assert hosts["two"].requests()[0].body == b'{"model":"dall"}' and not hosts["one"].requests()


def test_an_alias_goes_by_its_keys(host):
    """To its first target that has one."""
    door, hosts, _ = images(host, more=ALIASES, keys=["one", "three"])
    assert ask(door, "POST", "/v1/images/generations", b'{"model":"pic"}', JSON).status == 200
    assert hosts["one"].requests()[0].body == b'{"model":"other"}'
    answer = ask(door, "POST", "/v1/images/generations", b'{"model":"two/x"}', JSON)
    assert answer.header("x-llm-broker-class") == ["no_key"], answer


@pytest.mark.parametrize("body", [b'{"model":"two/x","model":"one/x"}', b'{"model":"two/x"', b'["two/x"]', b'{"model":7}',
                                  b'{"x":{"model":"two/x"}}', b"\xff\xfe", b'{"model":"two/x\\r\\ny: z"}',
                                  b'{"model":"two/%s"}' % (b"x" * 300), b'{"model":"two/\\u0000"}'])
def test_what_names_no_model_clearly_names_none(host, body):
    door, hosts, _ = images(host)
    assert ask(door, "POST", "/v1/images/generations", body, JSON).status == 400 and asked(hosts) == {}


def test_nor_does_a_form_that_is_not_clear(host):
    door, hosts, _ = images(host)
    end = f"--{BOUNDARY}--\r\n".encode()
    for body in (form("two/x", name="models"), form("two/x").replace(end, form("one/x")), form("two/x").replace(end, b""),
                 form("two/x").replace(b"/x", b"/\xff"), form("two/x").replace(b"/x", b"/\x00"), form("two/x\r\ny"), b""):
        assert ask(door, "POST", "/v1/audio/transcriptions", body, FORM).status == 400 and asked(hosts) == {}, body


def policy(**keys):
    return harness.section("policy", "some", {"kind": ["host", "service", "unknown"], "operation": ["use", "native", "key.*"], **keys})


def test_only_where_the_caller_may_go(host):
    """A provider that is not for him does not count, and by no name leads a way to it."""
    door, hosts, _ = images(host, more=ALIASES + policy(native="one POST /v1/images"))
    for model in ("x", "one/x"):
        answer = ask(door, "POST", "/v1/images/generations", json.dumps({"model": model}), JSON)
        assert answer.status == 200 and answer.header("x-llm-broker-target")[0].split("/")[0] == "one", answer
    for model in ("two/x",):
        answer = ask(door, "POST", "/v1/images/generations", json.dumps({"model": model}), JSON)
        assert answer.status == 403, answer
    assert ask(door, "POST", "/v1/images/generations", b'{"model":"x"}', [("X-LLM-Broker-Provider", "two")]).status == 403
    assert ask(door, "GET", "/v1/images/x").status == 403
    assert ask(door, "POST", "/v1/audio/transcriptions", form("x"), FORM).status == 403
    answer = ask(door, "POST", "/v1/images/generations", b'{"model":"pic"}', JSON)
    assert answer.status == 200 and hosts["one"].requests()[-1].body == b'{"model":"other"}', answer
    assert list(asked(hosts)) == ["one"]


def test_the_path_is_judged_where_it_leads(host):
    """A rule is about the provider's own path, and nothing climbs out of it on the way there."""
    door, hosts, _ = host(deep=serves("files", base_path="/x/v1"), more=policy(native="deep GET /x/v1/files"))
    assert ask(door, "GET", "/v1/files/f").status == 200
    for target in ("/v1/files/../models", "/v1/files/%2e%2e/models", "/v1/batches"):
        assert ask(door, "GET", target).status in (400, 403), target
    assert asked(hosts) == {"deep": ["GET /x/v1/files/f"]}


@pytest.mark.parametrize("rule,model,may", [
    ("one/dall", "one/dall", True), ("pic", "pic", True), ("two/painter", "pic", True), ("one/dall", "pic", False),
    ("pic", "two/painter", False), ("one/dall", "one/other", False)])
def test_only_with_the_models_of_the_rule(host, rule, model, may):
    door, hosts, _ = images(host, more=ALIASES + policy(native="* * /", model=rule))
    answer = ask(door, "POST", "/v1/images/generations", json.dumps({"model": model}), JSON)
    assert answer.status == (200 if may else 403), answer
    assert bool(asked(hosts)) == may


def test_by_the_socket(host):
    """A star where the provider's name is; the header says one for a path that is the API's, not the host's."""
    _, hosts, made = host(deep=serves("chat", base_path="/x/v1"), keeps=serves("files"), other=anthropic)
    for headers, seen in (([], "keeps"), ([("x-llm-broker-provider", "deep")], "deep"),
                          ([("x-llm-broker-provider", " other ")], "other")):
        call = Call(made, provider="*", method="GET", path="/v1/files/f", headers=headers).finish()
        assert call.status == 200 and call.header("x-llm-broker-target") == [seen], call
    assert asked(hosts) == {"keeps": ["GET /v1/files/f"], "deep": ["GET /x/v1/files/f"], "other": ["GET /v1/files/f"]}
    for one in hosts.values():
        for seen in one.requests():
            assert seen.header("x-llm-broker-provider") == []
    call = Call(made, provider="*", method="GET", path="/v1/files", headers=[("x-llm-broker-provider", "nobody")]).finish()
    assert (call.status, call.fault) == (404, "not_found"), call
    done = made.llmb("relay", "--native", "*", "/v1/files/f", "-X", "GET")
    assert done.code == 0 and len(hosts["keeps"].requests()) == 2, done
