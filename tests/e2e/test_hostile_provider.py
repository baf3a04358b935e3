"""test_hostile_provider.py - what can a provider that means harm make the daemon do? Send the key elsewhere, eat
memory, hang, or take what is no answer for one?

Each fault meets each way to ask. The daemon's resident memory may not have been more than 8 MiB above what it was,
at its peak; the caller is told a fault, soon; and the next caller gets an answer."""

import base64
import gzip
import os
import pathlib
import time

import harness
import pytest
from canary import canary, hits
from surfaces import FAMILIES, dialects, native, relay

pytestmark = pytest.mark.security

MIB = 1 << 20
BOMB_BYTES = 256 * MIB


@pytest.fixture(scope="module")
def bomb():
    return base64.b64encode(gzip.compress(bytes(BOMB_BYTES), 9)).decode()


@pytest.fixture
def made(broker, provider):
    made = broker(harness.section("broker", "", {"first_byte_timeout": "5s", "idle_timeout": "5s",
                                                 "request_timeout": "20s"}) +
                  harness.provider_section(provider, model="m", dialect=dialects(), base_path="/v1"))
    made.key = canary()
    made.add_key("test", made.key)
    assert made.llmb("ask", "-m", "test/m", "hi").code == 0
    assert native(made, "test", "{}", path="/v1/chat/completions").status
    provider.reset()
    return made


def ways(made):
    """Each asks once, and says whether it got an answer, and what it was told."""
    def ask(*words):
        done = made.llmb("ask", "-m", "test/m", *words, "hi", timeout=40)
        return done.code == 0, done

    def surface(family, stream):
        call = relay(made, **FAMILIES[family].ask("test/m", "x", stream), timeout=40)
        return call.is_good and call.status < 300, call

    def own():
        call = native(made, "test", "{}", path="/v1/files", timeout=40)
        return call.is_good and call.status < 300, call
    return {"streamed": ask, "whole": lambda: ask("--no-stream"), "same": lambda: surface("chat", True),
            "other": lambda: surface("anthropic", False), "native": own}


def peak_kib(made):
    """The most that was resident since the last time this was asked."""
    fields = dict(line.split(":\t", 1) for line in pathlib.Path(
        f"/proc/{made.pid}/status").read_text().splitlines() if ":\t" in line)
    if os.geteuid() == 0:
        pathlib.Path(f"/proc/{made.pid}/clear_refs").write_text("5")
        return int(fields["VmHWM"].split()[0])
    return int(fields["VmRSS"].split()[0])


def suffers(made, provider, script, native_is_told=False, kib=8 * 1024):
    """Every way meets the fault; who asks for bytes as they are may get them (`native_is_told`)."""
    for name, ask in ways(made).items():
        provider.script(**script, times=0)
        peak_kib(made)
        before, at = made.rss_kib(), time.monotonic()
        is_good, told = ask()
        assert time.monotonic() - at < 25, (name, told)
        assert harness.is_observed() or peak_kib(made) - before < kib, (name, peak_kib(made), before)
        assert not is_good or (native_is_told and name == "native"), (name, told)
        assert not hits(repr(told).encode(), made.key)
        assert provider.requests(), name
        provider.reset()
        made.forget_rests()
    assert made.llmb("ask", "-m", "test/m", "3 words").out == "word1 word2 word3\n"
    provider.reset()


HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STEPS = {
    "no HTTP": ["\x00\xff\x01 what is this\r\n\r\n" * 50],
    "an answer without a head": ['{"choices":[{"message":{"content":"hi"}}]}'],
    "another protocol": ["SSH-2.0-OpenSSH_9.2\r\n", "220 mail ESMTP\r\n"],
    "a status of nothing": ["HTTP/1.1 \r\n\r\n"],
    "a status of four digits": ["HTTP/1.1 2000 OK\r\n\r\n"],
    "two lengths": [HEAD + "content-length: 2\r\ncontent-length: 5\r\n\r\n{}"],
    "a length below nothing": [HEAD + "content-length: -1\r\n\r\n{}"],
    "a length of twenty digits": [HEAD + "content-length: 99999999999999999999\r\n\r\n{}"],
    "a chunk below nothing": [HEAD + "transfer-encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n"],
    "a chunk that overflows": [HEAD + "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{}"],
    "a chunk without a size": [HEAD + "transfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n"],
    "a coding of a coding": [HEAD + "transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"],
    "a line without an end": [HEAD + "x: " + "y" * 300_000],
    "a NUL in a header": [HEAD + "x: a\x00b\r\ncontent-length: 50\r\n\r\n"],
    "folded lines": [HEAD + "x: a\r\n" + " b\r\n" * 100_000 + "\r\n{}"],
    "a switch of protocols": ["HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"],
}


@pytest.mark.parametrize("name", STEPS)
def test_what_is_no_answer(made, provider, name):
    steps = [{"send": text} for text in STEPS[name]] + [{"close": True}]
    suffers(made, provider, {"steps": steps})


@pytest.mark.parametrize("script", [
    {"huge_header": 400_000}, {"many_headers": 100_000}, {"many_headers": 5_000, "huge_header": 200_000},
    {"informational": {"status": 100, "count": 100_000}}, {"informational": {"status": 103, "count": 1000}}],
    ids=["a-header", "100000-headers", "both", "100-continue", "early-hints"])
def test_heads_without_end(made, provider, script):
    suffers(made, provider, script)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, gzip"])
def test_a_bomb_although_nobody_asked_for_a_coding(made, provider, bomb, coding):
    """Its bytes are nobody's words, and nobody inflates them: who wants bytes gets those that came."""
    headers = {"content-encoding": coding, "content-type": "application/json"}
    suffers(made, provider, {"body_base64": bomb, "headers": headers}, native_is_told=True)
    provider.script(body_base64=bomb, headers=headers)
    call = native(made, "test", "{}", path="/v1/files")
    assert len(call.body) == len(base64.b64decode(bomb)) < BOMB_BYTES // 100
    asked = provider.requests()[0].header("accept-encoding")
    assert asked in ([], ["identity"])


@pytest.mark.parametrize("body", ["[" * 1_000_000, '{"a":' * 200_000, '{"choices":' + "[[" * 300_000,
                                  "9" * 1_000_000, '"' + "\\u0000" * 100_000 + '"', "null", "\x00" * 100_000,
                                  "\xef\xbb\xbf" * 9, "data: " * 10_000, '{"error":' * 100_000],
                         ids=["lists", "objects", "choices", "digits", "zeros", "null", "bytes", "marks", "data",
                              "errors"])
@pytest.mark.parametrize("status", [200, 400])
def test_bodies_that_cost_much(made, provider, body, status):
    suffers(made, provider, {"body": body, "status": status}, native_is_told=status == 200)


def elsewhere(status, other, plain, provider):
    """Where a redirect could lead."""
    return [f"{other.base_url}/v1/chat/completions", f"{plain.base_url}/v1/chat/completions",
            f"//localhost:{other.port}/x", f"https://localhost:{other.port}@localhost:{provider.port}/",
            f"http://127.0.0.1:{plain.port}/", f"https://127.0.0.1:{other.port}/", "file:///etc/passwd",
            f"gopher://127.0.0.1:{plain.port}/_x", f"dict://127.0.0.1:{plain.port}/x",
            f"ftp://127.0.0.1:{plain.port}/", "https://169.254.169.254/latest/meta-data/", "/elsewhere", "?x", ""]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
def test_no_redirect_is_followed(made, provider, providers, status):
    other, plain = providers(), providers(plain=True)
    for location in elsewhere(status, other, plain, provider):
        for name, ask in ways(made).items():
            provider.script(status=status, headers={"location": location, "refresh": f"0; url={location}"},
                            body="", times=0)
            is_good, told = ask()
            assert not is_good, (name, location, told)
            assert {seen.target.partition("?")[0].count("elsewhere") for seen in provider.requests()} == {0}
            assert not hits(repr(told).encode(), made.key)
            provider.reset()
            made.forget_rests()
    for stranger in (other, plain):
        assert stranger.stats()["connections"] == 0 and stranger.requests() == []


def test_no_redirect_of_a_list_is_followed(made, provider, providers):
    """The test of a key is a request, too."""
    other = providers()
    provider.script(status=302, headers={"location": other.base_url + "/v1/models"}, body="", times=0)
    assert made.llmb("key", "test", "test").code != 0
    assert "redirect" in made.llmb("models", "--live", "test").err
    assert other.stats()["connections"] == 0
