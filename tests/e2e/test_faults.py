"""test_faults.py - what does a caller see when the provider misbehaves?"""

import time

import harness
import pytest

KEY = "sk-test-0123456789abcdef"
TIMERS = harness.section("broker", "", {"connect_timeout": "2s", "first_byte_timeout": "1s",
                                        "idle_timeout": "1s", "request_timeout": "20s"})


@pytest.fixture
def ask(broker, provider):
    made = broker(TIMERS + harness.provider_section(provider, model="m"))
    made.add_key("test", KEY)

    def run(*args):
        begun = time.monotonic()
        done = made.llmb("ask", "-m", "test/m", *args)
        return done, time.monotonic() - begun
    run.broker = made
    return run


def test_a_key_that_is_refused(ask, provider):
    provider.script(status=401, times=0)
    done, _ = ask("hi")
    assert done.code == 7
    assert "key" in done.err.lower()
    assert len(provider.requests()) == 1, "a refused key is not tried again"


def test_429_with_a_short_wait_is_waited_out(ask, provider):
    provider.script(status=429, headers={"retry-after": "1"})
    done, took = ask("4 words")
    assert done.code == 0, done.err
    assert took >= 1.0
    assert len(provider.requests()) == 2


def test_429_with_a_long_wait_is_told(ask, provider):
    provider.script(status=429, headers={"retry-after": "600"}, times=0)
    done, took = ask("hi")
    assert done.code == 6
    assert took < 5


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_a_server_error_is_tried_again(ask, provider, status):
    provider.script(status=status)
    done, _ = ask("4 words")
    assert done.code == 0, done.err
    assert len(done.out.split()) == 4


def test_a_wrong_request_is_not_tried_again(ask, provider):
    provider.script(status=400, message="no such parameter")
    done, _ = ask("hi")
    assert done.code == 7
    assert "no such parameter" in done.err
    assert len(provider.requests()) == 1


@pytest.mark.valgrind
def test_silence_before_the_head(ask, provider):
    provider.script(silence="start", times=0)
    done, took = ask("hi")
    assert done.code in (7, 124), done.err
    assert took < 8
    attempts = ask.broker.wait_ledger(1)["attempt"]
    assert attempts and all(row["outcome"] == "unknown" for row in attempts)
    assert len(attempts) == len(provider.requests())


def test_silence_in_the_middle(ask, provider):
    provider.script(silence={"events": 3})
    done, took = ask("20 words")
    assert done.code in (7, 124), done.err
    assert took < 8
    assert len(provider.requests()) == 1, "content was shown: no other answer takes its place"


@pytest.mark.valgrind
def test_a_reset_after_content(ask, provider):
    provider.script(reset_after={"events": 4})
    done, _ = ask("20 words")
    assert done.code == 7, done.err
    assert done.out.strip(), "what had come stays"
    rows = ask.broker.wait_ledger(1, 1)
    assert rows["exchange"][0]["error"] == "stream_incomplete"


@pytest.mark.parametrize("cut", [1, 17, 100, 333, -1, -20])
def test_truncation_is_never_success(ask, provider, cut):
    provider.script(close_after=cut, times=0)
    done, _ = ask("6 words")
    whole = len(done.out.split()) == 6
    assert done.code != 0 or whole, (done.out, done.err)


def test_no_done_after_a_finish_is_the_end(ask, provider):
    provider.script(no_done=True)
    done, _ = ask("6 words")
    assert done.code == 0, done.err
    assert len(done.out.split()) == 6


def test_no_finish_is_no_success(ask, provider):
    provider.script(no_finish=True, times=0)
    done, _ = ask("6 words")
    assert done.code == 7


def test_an_error_inside_the_stream_before_content_moves_on(ask, provider):
    provider.script(error_event={"events": 0, "status": 503, "message": "Overloaded"})
    done, _ = ask("6 words")
    assert done.code == 0, done.err
    assert len(done.out.split()) == 6


def test_an_error_inside_the_stream_after_content_is_told(ask, provider):
    provider.script(error_event={"events": 4, "status": 503, "message": "Overloaded"})
    done, _ = ask("20 words")
    assert done.code == 7
    assert "verload" in done.err
    assert len(provider.requests()) == 1


@pytest.mark.parametrize("how", [{"packet_bytes": 1}, {"random_cuts": {"seed": 7, "max": 9}},
                                 {"crlf": True}, {"framing": "close"}, {"framing": "http10"},
                                 {"one_packet": True},
                                 {"insert": [{"at": {"events": 1}, "text": ": keep-alive\n\n"}]},
                                 {"informational": {"status": 100, "count": 3}}])
def test_odd_but_whole(ask, provider, how):
    provider.script(**how)
    done, _ = ask("9 words")
    assert done.code == 0, done.err
    assert len(done.out.split()) == 9


def test_utf8_cut_anywhere(ask, provider):
    text = "grüße 🦊 из 東京"
    provider.script(answer={"text": text}, packet_bytes=1)
    done, _ = ask("hi")
    assert done.code == 0, done.err
    assert done.out.strip() == text


def test_a_redirect_is_not_followed(ask, provider, providers):
    other = providers()
    provider.script(status=307, headers={"location": other.base_url + "/v1/chat/completions"}, times=0)
    done, _ = ask("hi")
    assert done.code == 7
    assert "base" in done.err.lower()
    assert other.requests() == []


def test_gzip_although_nobody_asked(ask, provider):
    provider.script(gzip=True, times=0)
    done, _ = ask("hi")
    assert done.code == 7


def test_a_huge_header(ask, provider):
    provider.script(huge_header=400_000, times=0)
    before = ask.broker.rss_kib()
    done, _ = ask("hi")
    assert done.code == 7
    assert harness.is_sanitized() or ask.broker.rss_kib() - before < 8 * 1024 * harness.SLOWER


def test_a_flood_of_interim_replies(ask, provider):
    provider.script(informational={"status": 100, "count": 20000}, times=0)
    done, took = ask("hi")
    assert took < 20
    assert done.code in (0, 7)


def test_nobody_listens(ask, provider):
    provider.listener("down")
    done, took = ask("hi")
    provider.listener("up")
    assert done.code == 7
    assert took < 10
    rows = ask.broker.wait_ledger(1)
    assert all(not row["sent_body"] for row in rows["attempt"])


def test_tls_that_stalls(ask, provider):
    provider.on_connect(stall="hello", times=0)
    done, took = ask("hi")
    assert done.code in (7, 124)
    assert took < 15


@pytest.mark.parametrize("cert", ["expired", "wrong_host", "self_signed", "other_ca"])
def test_a_bad_certificate_is_refused(ask, provider, cert):
    provider.on_connect(cert=cert, times=0)
    done, _ = ask("hi")
    assert done.code == 7
    assert provider.requests() == [], "nothing was said to it"
    assert provider.stats()["connections"] == 1, "it would be no better at once"


def test_an_address_that_is_forbidden_is_tried_once(broker, provider):
    made = broker(harness.provider_section(provider, model="m", auth="none", local="no"))
    done = made.llmb("ask", "-m", "test/m", "hi")
    assert done.code == 7 and "address" in done.err, done.err
    assert len(made.wait_ledger(1)["attempt"]) == 1


def test_a_reused_connection_that_closes_gets_one_body(ask, provider):
    assert ask("2 words")[0].code == 0
    provider.script(close_after="start", when={"nth": 2})
    ask("3 words")
    bodies = [seen for seen in provider.requests() if b"3 words" in seen.body]
    attempts = [row for row in ask.broker.wait_ledger(2)["attempt"]]
    sent = [row for row in attempts if row["sent_body"]]
    assert len(bodies) == len(sent) - 1, "each body sent has its row, the first question's aside"
