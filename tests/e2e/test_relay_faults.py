"""test_relay_faults.py - what does the caller of a public API see when its provider fails, or it stops itself?

Each test is for the callers of one API, and asks a provider who speaks it, `same`, whose bytes pass, and one
who speaks another, `other`, who is translated."""

import time

import harness
import pytest
from surfaces import FAMILIES, Call, relay

KEY = "sk-test/0123456789abcdef+XYZ"
TEXT = "one two three four five six seven eight"
HANGUPS = ("fin", "reset")

families = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def other(family):
    return FAMILIES["anthropic" if family.dialect == "openai-chat" else "chat"]


def hosts(family):
    return {"same": family, "other": other(family)}


def speaker(provider, name, family):
    """A provider that speaks one language, its paths below a folder of its name."""
    return harness.provider_section(provider, name, base_path="/" + name,
                                    dialect=f"{family.dialect} {family.path}")


@pytest.fixture
def made(broker, provider, family):
    made = broker("[broker]\nhead_hold = never\n" + speaker(provider, "same", family) +
                  speaker(provider, "other", other(family)) +
                  harness.section("model", "both", {"target": ["same/m", "other/m"]}) +
                  harness.section("model", "back", {"target": ["other/m", "same/m"]}))
    made.add_key("same", KEY)
    made.add_key("other", KEY)
    return made


def path_at(name, speaks, stream):
    """Where requests come in at that provider."""
    return f"/{name}{speaks.path_of('m', stream)}"


# ---- the key that comes back ----

@families
def test_a_key_that_is_echoed_is_not_passed_on(made, provider, family):
    stars = "*" * len(KEY)
    for name, speaks in hosts(family).items():
        for stream, packet in ((False, 1 << 20), (False, 7), (True, 1), (True, 1 << 20)):
            script, _ = speaks.script(f"you sent %KEY% to me, %KEY%{KEY[:9]}", stream)
            script["headers"] = {**script.get("headers", {}), "x-request-id": "req-%KEY%"}
            provider.script(**script, expand=True, packet_bytes=packet)
            call = relay(made, **family.ask(f"{name}/m", "x", stream))
            assert call.is_good, call
            assert family.text(call) == f"you sent {stars} to me, {stars}{KEY[:9]}"
            assert KEY not in str(call.headers) and KEY.encode() not in call.body
        provider.script(status=400, message="who is %KEY%?", expand=True)
        call = relay(made, **family.ask(f"{name}/m", "x"))
        assert call.status == 400 and "who is *" in family.error(call)[1], call
        assert KEY not in str(call.headers) + str(call.last) and KEY.encode() not in call.body
    assert KEY not in made.log()


# ---- another takes over ----

# the last one's caller is the last who asks it at all
FIRST = [{"status": 500}, {"reset_after": "head"}, {"close_after": "start"},
         {"status": 404, "message": "no such model"}, {"status": 429, "headers": {"retry-after": "3000"}}]


@families
@pytest.mark.parametrize("alias", ["both", "back"])
def test_the_second_answers(made, provider, family, alias):
    """Nothing of the first is seen, whichever of the two is read word by word."""
    (first, lost), (second, answers) = list(hosts(family).items())[::1 if alias == "both" else -1]
    for how in FIRST:
        for stream in (False, True):
            begun = {} if "status" in how else lost.script("lost", stream)[0]
            provider.script({**begun, **how, "path": path_at(first, lost, stream), "times": 0},
                            {**answers.script(TEXT, stream)[0],
                             "path": path_at(second, answers, stream), "times": 0})
            call = relay(made, **family.ask(alias, "x", stream))
            assert call.is_good and call.status == 200, (how, call)
            assert family.text(call) == TEXT and b"lost" not in call.body, (how, call)
            assert call.header("x-llm-broker-target") == [f"{second}/m"]
            if second == "same":
                assert family.named(call.body, call) == family.script(TEXT, stream)[1]
            provider.reset()
            made.forget_rests()
    rows = made.wait_ledger(2 * len(FIRST))
    assert {(row["provider"], row["input"]) for row in rows["exchange"]} == {(second, 9)}
    assert sum(row["attempts"] for row in rows["exchange"]) == len(rows["attempt"]) >= 4 * len(FIRST) - 1


@families
@pytest.mark.parametrize("alias", ["both", "back"])
def test_what_comes_before_the_first_word_is_held_back(made, provider, family, alias):
    """The first has begun its stream, and has said nothing yet."""
    (first, lost), (second, answers) = list(hosts(family).items())[::1 if alias == "both" else -1]
    begun = {"openai-chat": 1, "openai-responses": 2, "anthropic": 3}.get(lost.dialect, 0)
    provider.script({**lost.script("lost", True)[0], "reset_after": {"events": begun},
                     "path": path_at(first, lost, True), "times": 0},
                    {**answers.script(TEXT, True)[0], "path": path_at(second, answers, True)})
    call = relay(made, **family.ask(alias, "x", True))
    assert call.is_good and family.text(call) == TEXT and b"lost" not in call.body, call


# ---- after the first words ----

def told_in_stream(family, call):
    """The words of the error that ended a stream, which is whole as its language has it."""
    kind, message = family.stream_error(call)
    assert call.status == 200 and call.last.body["partial"], call
    assert family.text(call).startswith("one"), "what had come stays"
    return kind, message


@families
def test_a_stream_that_breaks_ends_with_an_error_of_the_surface(made, provider, family):
    for name, speaks in hosts(family).items():
        for how in ("reset_after", "close_after"):
            provider.script(**speaks.script(TEXT, True)[0], **{how: {"events": 5}})
            call = relay(made, **family.ask(f"{name}/m", "x", True))
            assert call.fault == "stream_incomplete", call
            assert told_in_stream(family, call)[0] in ("server_error", "api_error", "UNAVAILABLE")
    rows = made.wait_ledger(4, 4)["exchange"]
    assert {row["error"] for row in rows} == {"stream_incomplete"}


OPENAI_ERROR = 'data: {"error":{"message":"so busy","type":"server_error","code":"overloaded"}}\n\n'
IN_STREAM = {
    "openai-chat": OPENAI_ERROR, "openai-completions": OPENAI_ERROR,
    "openai-responses": 'event: error\ndata: {"type":"error","code":"server_is_overloaded","message":'
                        '"so busy","param":null,"sequence_number":7}\n\n',
    "anthropic": 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":'
                 '"so busy"}}\n\n',
    "gemini": 'data: {"error":{"code":503,"message":"so busy","status":"UNAVAILABLE"}}\r\n\r\n',
}
LIST_ERROR = ',\r\n{"error":{"code":503,"message":"so busy","status":"UNAVAILABLE"}}]'


@families
def test_an_error_in_the_stream_is_told_in_the_surface_s_words(made, provider, family):
    for name, speaks in hosts(family).items():
        script = speaks.script(TEXT, True)[0]
        error = IN_STREAM[speaks.dialect] if speaks.is_sse else LIST_ERROR
        provider.script({**script, "sse": script["sse"][:6] + [{"raw": error}]})
        call = relay(made, **family.ask(f"{name}/m", "x", True))
        assert call.fault == "overloaded", call
        kind, message = told_in_stream(family, call)
        assert kind in ("server_error", "server_is_overloaded", "overloaded_error", "UNAVAILABLE")
        assert "so busy" in message and len(provider.requests()) == 1
        provider.reset()


@families
def test_a_whole_reply_that_breaks_is_a_failure(made, provider, family):
    for name, speaks in hosts(family).items():
        provider.script(**speaks.script(TEXT, False)[0], close_after=40)
        call = relay(made, **family.ask(f"{name}/m", "x"), at_most_once=True)
        assert call.status == 502 and not call.is_stream and call.fault, call
        assert family.error(call)[0] in ("server_error", "api_error", "UNAVAILABLE", "INTERNAL")
        assert b"one" not in call.body


# ---- errors before the head ----

@families
@pytest.mark.parametrize("status, told, named, retried", [
    (400, 400, "invalid_request", "false"), (429, 429, "rate_limited", "true"), (401, 400, "auth", "false")])
def test_errors_have_the_surface_s_envelope(made, provider, family, status, told, named, retried):
    """A key that the provider refuses is no 401: its caller has none."""
    for name in hosts(family):
        provider.script(status=status, message="so it is", headers={"retry-after": "3000"}, times=0)
        call = relay(made, **family.ask(f"{name}/m", "x", True))
        assert call.status == told and call.is_stream is False, call
        assert call.header("content-type") == ["application/json"]
        assert call.header("x-should-retry") == [retried]
        assert "so it is" in family.error(call)[1]
        assert call.fault == named and call.header("x-llm-broker-class") == [named]
        if status == 429:
            assert call.header("retry-after") == ["3000"]
            assert call.header("retry-after-ms") == ["3000000"]


@families
def test_faults_of_the_broker_s_own(made, family):
    call = relay(made, **family.ask("nobody/m", "x"))
    assert call.status == 404 and call.fault == "not_found", call
    assert family.error(call)[0] in ("invalid_request_error", "not_found_error", "NOT_FOUND")
    assert made.llmb("vault", "lock").code == 0
    call = relay(made, **family.ask("same/m", "x", True))
    assert call.status == 503 and call.fault == "locked" and "llmb vault unlock" in family.error(call)[1]
    assert call.header("x-should-retry") == ["true"]


# ---- the caller stops ----

def in_the_middle(made, provider, family, name, **more):
    """A stream whose provider has said some words, and waits."""
    provider.script(**hosts(family)[name].script(TEXT, True)[0], hold={"events": 6})
    call = Call(made, **family.ask(f"{name}/m", "x", True), **more)
    provider.wait_held()
    return call


@families
def test_who_stops_is_not_answered_further(made, provider, family):
    """By a cancel, or by hanging up: the provider is hung up on, too."""
    for name in hosts(family):
        call = in_the_middle(made, provider, family, name).until("two")
        call.cancel()
        assert call.finish().fault == "cancelled", call
        assert provider.wait_disconnect()["hangup"] in HANGUPS
        provider.reset()
        in_the_middle(made, provider, family, name).until("two").close()
        assert provider.wait_disconnect()["hangup"] in HANGUPS
        provider.reset()
    rows = made.wait_ledger(4, 4)
    assert {row["outcome"] for row in rows["exchange"] + rows["attempt"]} == {"cancelled"}


@families
def test_a_deadline_in_the_middle_is_an_error_in_the_stream(made, provider, family):
    for name in hosts(family):
        call = in_the_middle(made, provider, family, name, timeout_ms=500).finish()
        assert call.fault == "timeout", call
        assert told_in_stream(family, call)[0] in ("server_error", "timeout_error", "DEADLINE_EXCEEDED")
        assert provider.wait_disconnect()["hangup"] in HANGUPS
        provider.reset()
    assert {row["error"] for row in made.wait_ledger(2, 2)["exchange"]} == {"timeout"}


@families
def test_a_deadline_before_the_first_word_is_a_reply(made, provider, family):
    for stream in (False, True):
        provider.script(hold="start")
        begun = time.monotonic()
        call = relay(made, **family.ask("same/m", "x", stream), timeout_ms=400)
        assert call.status == 504 and call.fault == "timeout" and time.monotonic() - begun < 5, call
        assert family.error(call)[0] in ("server_error", "timeout_error", "DEADLINE_EXCEEDED")
        assert provider.wait_disconnect()["hangup"] in HANGUPS
        provider.reset()


@pytest.mark.parametrize("family", [FAMILIES["chat"]], ids=["chat"])
def test_a_deadline_is_told_as_one_each_time(made, provider, family):
    """The transfer may take as long as the call: which of the two is over first is no matter of luck."""
    for _ in range(40):
        provider.script(hold="start")
        call = relay(made, **family.ask("same/m", "x", False), timeout_ms=100)
        assert call.fault == "timeout", call
        provider.reset()
        made.forget_rests()
