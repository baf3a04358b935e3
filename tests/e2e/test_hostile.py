"""test_hostile.py - is a body that somebody could read otherwise than we do, or that is made to cost much,
refused before anything is sent, in its API's own words?"""

import json
import threading

import harness
import pytest
from surfaces import FAMILIES, dialects, relay

MIB = 1 << 20
GEMINI = "/v1beta/models/all/m:"


def body(text):
    """A function: the body less its last brace, with more in the object that ends at the *."""
    before, _, after = text.partition(b"*")
    return lambda rest=b"": before + rest + after


chat = body(b'{"model":"all/m","messages":[{"role":"user","content":"x"*}]')
responses = body(b'{"model":"all/m","input":[{"role":"user","content":"x"*}]')
gemini = body(b'{"contents":[{"role":"user","parts":[{"text":"x"}]*}]')
SURFACES = {  # and count: the path that counts tokens
    "openai.chat": (None, chat),
    "openai.completions": (None, body(b'{"model":"all/m","prompt":"x","stream_options":{"x":1*}')),
    "openai.responses": (None, responses),
    "anthropic.messages": (None, body(b'{"model":"all/m","max_tokens":9,"messages":[{"role":"user",'
                                      b'"content":"x"*}]')),
    "gemini.generate": (GEMINI + "generateContent", gemini),
    "openai.embeddings": (None, body(b'{"model":"all/m","input":["x"],"x":{"y":1*}')),
    "openai.moderations": (None, body(b'{"model":"all/m","input":"x","x":{"y":1*}')),
    "rerank": (None, body(b'{"model":"all/m","query":"x","documents":["y"],"x":{"y":1*}')),
    "anthropic.messages count": ("/v1/messages/count_tokens", chat),
    "openai.responses count": ("/v1/responses/input_tokens", responses),
    "gemini.generate count": (GEMINI + "countTokens", gemini),
    "gemini.generate embed": (GEMINI + "embedContent", body(b'{"content":{"parts":[{"text":"x"}]*}')),
    "gemini.generate embed batch": (GEMINI + "batchEmbedContents", body(b'{"requests":[{"content":{"parts":[{"text":"x"}]*}}]')),
}
surfaces = pytest.mark.parametrize("name", SURFACES, ids=[name.replace(" ", "-") for name in SURFACES])


@pytest.fixture
def made(broker, provider):
    return broker(harness.provider_section(provider, "all", dialect=dialects(), auth="none"))


def send(made, name, bytes_):
    return relay(made, name.partition(" ")[0], bytes_, path=SURFACES[name][0])


def sentence(call):
    """What its envelope says; each of the three shapes is looked at."""
    body = call.json
    error = body["error"]
    if call.header("request-id"):
        assert body["type"] == "error" and error["type"] in ("invalid_request_error", "request_too_large")
    elif "status" in error:
        assert error["code"] == call.status and error["status"] == "INVALID_ARGUMENT"
    else:
        assert error["type"] == "invalid_request_error" and set(error) == {"message", "type", "param", "code"}
    return f"{error['message']} {error.get('param')}"


def refused(made, provider, name, bytes_, param=""):
    call = send(made, name, bytes_)
    what = (name, bytes_[:200], call)
    assert call.status in (400, 413) and call.fault in ("invalid_request", "too_big"), what
    assert call.header("content-type") == ["application/json"] and call.is_stream is False, what
    said = sentence(call)
    assert param in said, what
    assert param in call.last.body.get("param", "") or not param, what
    assert provider.requests() == [], what


@surfaces
def test_names_that_somebody_takes_for_another(made, provider, name):
    asks = SURFACES[name][1]
    top = next(iter(json.loads(asks() + b"}"))).encode()
    for twice in (top, b"\\u00%02x" % top[0] + top[1:], top.upper(), top + b"\\u0000",
                  top + b"\\u0000x"):
        refused(made, provider, name, asks() + b',"%s":"n"}' % twice, twice.decode())
    for twice in (b'"a":1,"a":2', b'"a":1,"\\u0061":2', b'"b":1,"B":2', b'"c":{"d":[{"e":1,"e":1}]}',
                  b'"f\\u0000":1', b'"\\u017f":1', b'"\\u212A":1'):
        refused(made, provider, name, asks(b"," + twice) + b"}")
        refused(made, provider, name, asks() + b"," + twice + b"}")
    refused(made, provider, name, asks(b',"role":1,"role":2') + b"}", "role")
    if b'"model"' in asks():
        refused(made, provider, name, asks().replace(b'"model"', b'"MODEL"') + b"}", "MODEL")
        for odd in (b"all/m\\u0000", b"all/m\\r\\nx: y", b"all/" + b"m" * 200):
            refused(made, provider, name, asks().replace(b"all/m", odd) + b"}", "model")


@surfaces
def test_what_is_no_json(made, provider, name):
    whole = SURFACES[name][1]() + b"}"
    odd = whole[:-1] + b',"x":%s}'
    for sent in (b"", b" ", b"null", b"[]", b'"x"', b"1", b"{", whole[:-1], whole + b"x", whole + whole,
                 whole + b"\n,", b"[" + whole + b"]", b"\xef\xbb\xbf" + whole, b"\xff\xfe" + whole,
                 whole.decode().encode("utf-16"), b"\0" + whole, whole + b"\0", b"//\n" + whole,
                 b")]}'\n" + whole, whole.replace(b'"', b"'"), whole[:-1] + b",}"):
        refused(made, provider, name, sent)
    for value in (b"NaN", b"Infinity", b"01", b"+1", b".5", b"1.", b"0x1", b"True", b"nul", b'"a\nb"',
                  b'"\0"', b'"\\x"', b'"\\u12"', b'"\\ud8"', b"'x'", b"x", b"[1,]", b'{"a"}', b"{1:2}",
                  b'"\x80"', b'"\xc0\x80"', b'"\xc3"', b'"\xe0\x80\x80"', b'"\xed\xa0\xbd\xed\xb8\x80"',
                  b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xf8\x88\x80\x80\x80"', b"\xc2\xa01",
                  b"[" * 513 + b"]" * 513, b"[" * 100_000, b'{"a":' * 100_000, b"[{" * 50_000):
        refused(made, provider, name, odd % value)


@pytest.mark.parametrize("name", ["chat", "anthropic", "responses", "gemini"])
def test_a_lone_surrogate_is_the_callers_own(made, provider, name):
    """No bytes of UTF-8 are one; an escape may be, as JavaScript's texts may. It goes on as it is, and is
    U+FFFD to who speaks another language."""
    family = FAMILIES[name]
    provider.script(**family.script("Hi", False)[0])
    call = relay(made, **family.ask("all/m", "\\ud83d x"))
    assert call.is_good and b"\\ud83d x" in provider.requests()[0].body, call
    other = FAMILIES["anthropic" if name == "chat" else "chat"]
    made.configure(harness.provider_section(provider, "all", auth="none",
                                            dialect=f"{other.dialect} {other.path}"))
    made.reload()
    made.wait_log("config.loaded")
    provider.script(**other.script("Hi", False)[0])
    call = relay(made, **family.ask("all/m", "\\ud83d x"))
    assert call.is_good and "\ufffd x" in str(provider.requests()[1].json), call
    assert any("rewritten_message" in warning for warning in call.header("x-llm-broker-warning"))


GIANTS = {
    "zeros": b"\0" * (64 * MIB),
    "brackets": b"[" * (64 * MIB),
    "objects": b'{"a":' * (12 * MIB),
    "one string": b'"' + b"a" * (64 * MIB - 2) + b'"',
    "backslashes": b'{"model":"' + b"\\" * (64 * MIB - 10),
    "digits": b'{"x":' + b"1" * (64 * MIB - 5),
    "spaces": b" " * (64 * MIB),
    "names": chat() + b"," + b",".join(b'"n%d":0' % i for i in range(1_200_000)) + b"}",
    "messages": b'{"model":"all/m","messages":[' + b'{"role":"user","content":""},' * 200_000 + b"0]}",
    "parts": b'{"contents":[{"parts":[' + b'{"text":"x"},' * 2_000_000 + b'0]}]}',
}


@pytest.mark.parametrize("giant", GIANTS)
@pytest.mark.parametrize("name", ["openai.chat", "anthropic.messages", "openai.responses", "gemini.generate"])
def test_giants(made, provider, name, giant):
    send(made, name, b"{}")
    before = made.heap_kib()
    refused(made, provider, name, GIANTS[giant])
    made.gives_back(before, 4 * 1024)
    assert made.llmb("ask", "-q", "-m", "offline/echo", "still here").out == "still here\n"


def test_a_fifth_column_of_giants(made, provider):
    """Many at once: what is held of them together has a ceiling, and all is given back."""
    before = made.heap_kib()
    told = []
    threads = [threading.Thread(target=lambda: told.append(relay(made, "openai.chat", GIANTS["one string"],
                                                                 timeout=50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8 and provider.requests() == []
    assert {call.fault for call in told} <= {"invalid_request", "overloaded"}, told
    assert all(call.json["error"]["message"] for call in told)
    made.gives_back(before, 8 * 1024)
