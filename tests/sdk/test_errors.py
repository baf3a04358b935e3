"""test_errors.py - is every error the exception that its SDK has for it, and does it do what it should?

A program does by itself what the status says to its SDK: it waits and asks again, or gives up. The message
is what its user sees."""

import time

import harness
import pytest
import replies
from clients import CLIENTS
from conftest import start_bridge
from replies import Said

FAMILIES = ("chat", "responses", "anthropic", "gemini")
ONE_EACH = [client for client in CLIENTS if client.api in (None, "chat", "responses", "openai", "anthropic", "google")]

# status: the class of each SDK that has classes
CLASSES = {
    "openai": {400: "BadRequestError", 403: "PermissionDeniedError", 404: "NotFoundError", 429: "RateLimitError",
               503: "InternalServerError"},
    "anthropic": {400: "BadRequestError", 402: "PaymentRequiredError", 403: "PermissionDeniedError",
                  404: "NotFoundError", 429: "RateLimitError", 503: "ServiceUnavailableError",
                  529: "OverloadedError"},
    "py-genai": {400: "ClientError", 403: "ClientError", 404: "ClientError", 429: "ClientError",
                 503: "ServerError"},
    "genai": {code: "ApiError" for code in (400, 403, 404, 429, 503)},
    "ai": {code: "AI_APICallError APICallError" for code in (400, 402, 403, 404, 429, 503, 529)}}

TOO_LONG = {"chat": ("This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 "
                     "tokens.", {"code": "context_length_exceeded", "param": "messages"}),
            "responses": ("Your input exceeds the context window of this model.",
                          {"code": "context_length_exceeded", "param": "input"}),
            "anthropic": ("prompt is too long: 9001 tokens > 8192 maximum", {}),
            "gemini": ("The input token count (9001) exceeds the maximum number of tokens allowed (8192).", {})}
GOOGLES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
           429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def refusal(family, status, message=None, headers=None, **more):
    """How a provider of the family says no."""
    script = {"status": status, **({"headers": headers} if headers else {})}
    if family != "gemini":
        return {**script, **({"message": message} if message else {}), **({"error": more} if more else {})}
    return {**script, "body": {"error": {"code": status, "message": message or "No.", "status": GOOGLES.get(status, "INTERNAL")}}}


def family_of(client):
    name = client.name.removeprefix("py-")
    return "ai" if name.startswith("ai-") else client.name if "genai" in name else name.partition("-")[0]


def is_its_own(client, out, status, *words):
    """The exception that the SDK has for the status, with what is said."""
    error = out["error"]
    assert error["status"] == status, error
    wanted = CLASSES[family_of(client)][status]
    assert set(wanted.split()) & set(error["names"]), error
    for word in words:
        assert word in error["message"], error
    return error


def statuses(client, openai, anthropic=None):
    return anthropic if anthropic and client.surface == "anthropic" else openai


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
clients = pytest.mark.parametrize("client", ONE_EACH, ids=lambda client: client.name)
families = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(autouse=True)
def well(world):
    """What one refusal did to the health of a provider says nothing of the next."""
    yield
    world.broker.forget_rests()


@clients
@families
@both
def test_what_a_provider_says_of_the_request(world, client, family, stream):
    for status, script, words in (
            (400, refusal(family, 400, "There is no such tool."), ["no such tool"]),
            (400, refusal(family, 400, TOO_LONG[family][0], **TOO_LONG[family][1]), []),
            (404, refusal(family, 404, "The model `m` does not exist", **(
                {"code": "model_not_found"} if family in ("chat", "responses") else {})), [])):
        world.provider.script(script)
        error = is_its_own(client, world.do(client, "ask", f"{family}/m", prompt="x", stream=stream), status, *words)
        if script.get("message") == TOO_LONG[family][0] and client.surface in ("chat", "responses") and \
                family_of(client) == "openai":
            assert error["code"] == "context_length_exceeded", error
    assert len(world.provider.requests()) == 3, "none of it is asked again"


@clients
@families
@both
def test_a_key_that_the_provider_refuses(world, client, family, stream):
    """It is the broker's, and not the program's: an SDK that took it for its own would say the wrong thing."""
    for status in (401, 403):
        world.provider.script({**refusal(family, status), "times": 0})
        out = world.do(client, "ask", f"{family}/m", prompt="x", stream=stream)
        is_its_own(client, out, 400, *([family] if status == 401 else []))
        world.provider.reset()
        world.broker.forget_rests()


@clients
@families
@both
def test_too_many_requests(world, client, family, stream):
    """A wait that is longer than the broker would wait by itself. It remembers it, so a provider of its own is asked."""
    world.provider.script({**refusal(family, 429, "Slow down.", {"retry-after": "3000"}), "times": 0})
    error = is_its_own(client, world.do(client, "ask", f"busy-{family}/m", prompt="x", stream=stream), 429)
    if error["retry_after"] is not None:
        assert 2900 <= int(error["retry_after"]) <= 3000, error
    else:
        assert "genai" in client.name, "it shows no headers"


@pytest.mark.parametrize("client", [c for c in ONE_EACH if family_of(c) in ("openai", "anthropic")],
                         ids=lambda client: client.name)
def test_what_is_spent_is_not_asked_for_again(world, client):
    """Though the status is one at which these SDKs do that."""
    began = time.monotonic()
    out = world.do(client, "ask", "poor/m", prompt="x", retries=3)
    is_its_own(client, out, statuses(client, 429, 402))
    assert time.monotonic() - began < 0.4, "it does not wait for another try"


@clients
@families
@both
def test_no_capacity(world, client, family, stream):
    status = 529 if family == "anthropic" else 503
    world.provider.script({**refusal(family, status, "Overloaded just now.", {"retry-after": "3000"}), "times": 0})
    out = world.do(client, "ask", f"{family}/m", prompt="x", stream=stream)
    is_its_own(client, out, statuses(client, 503, 529))


@clients
@both
def test_the_brokers_own_refusals(world, client, stream):
    def ask(model):
        return world.do(client, "ask", model, prompt="x", stream=stream)
    is_its_own(client, ask("nokey/m"), 400, "llmb key add nokey")
    is_its_own(client, ask("poor/m"), statuses(client, 429, 402), "limit", "poor")
    is_its_own(client, ask("no-such-model"), 404, "no-such-model")
    assert world.provider.requests() == []


@clients
@both
def test_a_locked_vault(world, client, stream):
    assert world.broker.llmb("vault", "lock").code == 0
    try:
        is_its_own(client, world.do(client, "ask", "chat/m", prompt="x", stream=stream), 503, "llmb vault unlock")
    finally:
        assert world.broker.llmb("vault", "unlock").code == 0


@clients
@both
def test_what_a_rule_denies(world, client, stream):
    denies = harness.section("policy", "some", {"kind": "host", "name": "llm-broker-bridge", "operation": "use", "model": "anthropic/*"})
    world.broker.configure(denies + world.config)
    try:
        world.broker.forget_rests()
        is_its_own(client, world.do(client, "ask", "chat/m", prompt="x", stream=stream), 403, "chat/m")
    finally:
        world.broker.configure(world.config)


@clients
def test_no_broker_at_all(world, client):
    """The bridge is there, and what it waits for is not."""
    lonely = harness.Broker("")
    try:
        running, base = start_bridge(lonely)
        try:
            driver = world.driver(client)
            driver.say({"op": "ask", "api": client.api, "base": base, "model": "chat/m", "prompt": "x"})
            is_its_own(client, driver.hear(), 503)
        finally:
            running.kill()
    finally:
        lonely.close()


# ---- an answer that breaks off ----

@clients
@families
def test_a_stream_that_breaks_off(world, client, family):
    """It is an error to the program, and never the end of an answer."""
    script = replies.script(family, Said("one two three four five six"), True)
    world.provider.script({**script, "close_after": {"events": 4}})
    out = world.do(client, "ask", f"{family}/m", prompt="x", stream=True)
    assert "error" in out, out
    assert "one two three four five six" != out["text"]
