"""test_resume.py - does an answer that breaks off in its midst go on with another provider, as one?

Each fault that strikes behind the first words meets a typed call and one of each public API; each of them has a first
provider of its own, so that what is learned of one says nothing of another. The second goes on.
"""

import json

import harness
import pytest
from provider_faults import FAULTS, LOST, WORDS, said
from route_calls import Typed, path_of, providers, rows_of, two_targets
from surfaces import FAMILIES, Call
from wire import END

MORE = " and on it goes"
BREAKS = {name: fault for name, fault in FAULTS.items() if fault.after}
SURFACES = ("chat", "responses", "anthropic", "gemini")
WAYS = ("typed", *SURFACES)
TIMERS = {"first_byte_timeout": "2s", "idle_timeout": "1s", "request_timeout": "60s", "head_hold": "never"}


def named(fault, way):
    return f"{fault.replace('.', '-')}-{way}"


def config(first, second):
    text = harness.section("broker", "", TIMERS)
    text += harness.provider_section(second, "second", auth="none", base_path="/second", prefill="plain")
    for fault, what in BREAKS.items():
        for way in WAYS:
            text += two_targets(first, named(fault, way), what, resume="yes")
    return text


@pytest.fixture(scope="module")
def rigs(certs):
    with providers(certs, 2) as both:
        yield both


@pytest.fixture(scope="module")
def made(rigs):
    with harness.Broker(config(*rigs)) as broker:
        yield broker


@pytest.fixture
def world(made, rigs):
    for rig in rigs:
        rig.reset()
    yield made, *rigs
    for rig in rigs:
        rig.check()


def ask(made, way, model):
    if way == "typed":
        return Typed(made, model)
    return Call(made, **FAMILIES[way].ask(model, "it", True), timeout=30)


@pytest.mark.parametrize("fault", BREAKS)
def test_it_goes_on(world, fault):
    made, first, second = world
    what = BREAKS[fault]
    for way in WAYS:
        first.script(dict(what.after, path=path_of(named(fault, way), what), times=0))
    second.script(**said(MORE), times=0)
    calls = {way: ask(made, way, "both-" + named(fault, way)) for way in WAYS}
    for call in calls.values():
        call.finish()
    shown = set()
    for way, call in calls.items():
        assert call.last.type == END, (way, call.last)
        text = call.text if way == "typed" else FAMILIES[way].text(call)
        assert text.endswith(MORE.strip()), (way, text)
        begun = text[:-len(MORE.strip())].rstrip()
        assert len(begun.split()) >= 20 and LOST.startswith(begun), (way, text)
        assert text == begun + MORE, "white space is there once"
        shown.add(begun)
        exchange, attempts = rows_of(made, call)
        assert (exchange["outcome"], exchange["provider"], exchange["warnings"] >= 1) == ("ok", "second", True)
        assert [(row["provider"], row["outcome"]) for row in attempts] == [
            (named(fault, way), "failed" if what.answers_after else "unknown"), ("second", "ok")]
        assert attempts[0]["error"] in what.told_after
        if way == "typed":
            (warning,) = call.all("warning")
            assert warning["code"] == "resumed" and "second/m goes on" in warning["message"]
            assert len(call.all("start")) == len(call.all("finish")) == 1
        elif way != "gemini":  # whose streams have no remarks
            assert call.body.count(b": resumed ") == 1, call
    got = [request.json["messages"][-1] for request in second.requests()]
    assert len(got) == len(WAYS)
    assert {message["role"] for message in got} == {"assistant"}
    assert {message["content"] for message in got} == shown, "the second has what was shown"


@pytest.fixture
def broken(world):
    """An alias whose first target breaks off, and who goes on."""
    made, first, second = world
    name = named("error-top-level", "typed")
    what = FAULTS["error-top-level"]
    first.script(dict(what.after, path=path_of(name, what), times=0))
    return made, "both-" + name, second


def test_what_is_said_again_is_shown_once(broken):
    made, model, second = broken
    second.script(**said(WORDS.strip() + MORE), times=0)
    done = made.llmb("ask", "-m", model, "say it")
    assert (done.code, done.out.strip()) == (0, WORDS.strip() + MORE), done
    assert "second/m goes on" in done.err, done


def test_it_is_explained(broken):
    made, model, second = broken
    second.script(**said(MORE), times=0)
    call = Typed(made, model).finish()
    request = call.last.body["request_id"]
    known = json.loads(made.llmb("explain", request, "--json").out)
    steps = [(s["step"], s["provider"], s.get("outcome")) for s in known["steps"]]
    assert steps == [("attempt", model[len("both-"):], "failed"), ("next", "second", None), ("attempt", "second", "ok")]
