"""test_secrets.py - what becomes of a key between the person who adds it and the provider who gets it?

Where else it turns up, byte for byte, is test_canary.py's to say."""

import os
import pathlib
import signal
import urllib.parse

import harness
import pytest
from canary import canary, hits, parts_in

pytestmark = pytest.mark.security


@pytest.mark.parametrize("args", [
    ["ask", "-m", "test/m", "hi"], ["ask", "--json", "-m", "test/m", "hi"],
    ["embed", "-m", "test/m", "hi"], ["models", "--live", "test"], ["key", "test", "test"]])
def test_no_part_of_it_is_shown_where_a_provider_quotes_it(broker, provider, args):
    key = canary()
    made = broker("[broker]\nlog_level = debug\n" + harness.provider_section(provider, model="m"))
    made.add_key("test", key)
    for part in (key, key[3:], key[5:25], key[:11], key[-8:], urllib.parse.quote(key, safe=""),
                 key[3:].replace("/", "\\/"), key[3:].replace("/", "%2f")):
        provider.script(status=401, headers={"x-request-id": f"req-{part}"},
                        body={"error": {"message": f"Who is this: {part}?", "code": part,
                                        "param": part}})
        done = made.llmb(*args)
        shown = done.out + done.err
        assert "Who is this: " in shown and "***" in shown, shown
        assert not parts_in(shown, key), (part, shown)
    assert not parts_in(made.log(), key)
    for path in pathlib.Path(made.folder).rglob("*"):
        if path.is_file():
            assert not parts_in(path.read_bytes().decode("latin-1"), key), path


def test_in_an_answer_words_of_it_are_words(broker, provider):
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", "local-development-key")
    provider.script(answer={"text": "local development, and local-development, with "
                                    "local-development-key"})
    assert made.llmb("ask", "-m", "test/m", "hi").out.strip() == (
        "local development, and local-development, with *********************")


def test_an_error_inside_a_stream_shows_no_part_of_it(broker, provider):
    key = canary()
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", key)
    provider.script(headers={"content-type": "text/event-stream"}, packet_bytes=3, times=0,
                    body='data: {"error":{"message":"no such key: ' + key[4:-4] + '"}}\n\n')
    done = made.llmb("ask", "-m", "test/m", "hi")
    assert done.code and "no such key: ***" in done.err and not parts_in(done.err, key), done.err


@pytest.mark.parametrize("bad, word", [("", "empty"), ("two\nlines", "line"), ("tab\x01byte", "byte"),
                                       ("x" * 20000, "long")])
def test_a_key_that_cannot_be_one(broker, provider, bad, word):
    made = broker(harness.provider_section(provider))
    done = made.llmb("key", "add", "test", "--from-stdin", "--no-input", input=bad)
    assert done.code != 0
    assert done.err.strip()
    assert bad[:8] not in done.err or not bad
    listed = made.llmb("key", "list", "--json")
    assert '"keys":[]' in listed.out.replace(" ", "")


def test_a_key_as_an_argument_is_refused_and_not_repeated(broker):
    key = canary()
    done = broker().llmb("key", "add", "openai", key)
    assert done.code == 2 and "no argument" in done.err
    assert not hits(done.err.encode(), key)


def test_passphrase_lock_and_unlock(broker, provider):
    key = canary()
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", key)
    done = made.llmb("vault", "passphrase", "--from-stdin", "--no-input", "--drop-key-file",
                     input="correct horse\n", timeout=30)
    assert done.code == 0, done.err
    made.stop()
    made.start()
    locked = made.llmb("ask", "-m", "test/m", "hi")
    assert locked.code == 5 and "llmb vault unlock" in locked.err
    wrong = made.llmb("vault", "unlock", "--from-stdin", "--no-input", input="battery staple\n",
                      timeout=30)
    assert wrong.code != 0 and "passphrase" in wrong.err
    right = made.llmb("vault", "unlock", "--from-stdin", "--no-input", input="correct horse\n",
                      timeout=30)
    assert right.code == 0, right.err
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    os.kill(made.pid, signal.SIGUSR1)
    made.wait_log("vault.locked")
    assert made.llmb("ask", "-m", "test/m", "hi").code == 5


def test_a_vault_with_a_key_file_alone_is_unlocked_by_it(broker, provider):
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", canary())
    assert made.llmb("vault", "lock").code == 0
    assert made.llmb("ask", "-m", "test/m", "hi").code == 5
    done = made.llmb("vault", "unlock", "--no-input")
    assert done.code == 0, done.err
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0


def test_a_damaged_vault_is_left_alone(broker, provider):
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", canary())
    made.stop()
    vault = made.state_dir / "vault"
    data = bytearray(vault.read_bytes())
    data[len(data) // 2] ^= 0xff
    vault.write_bytes(data)
    made.start()
    done = made.llmb("ask", "-m", "test/m", "hi")
    assert done.code == 5 and str(vault) in done.err
    added = made.llmb("key", "add", "test", "--from-stdin", "--no-input", input="sk-new-key-new\n")
    assert added.code != 0
    assert vault.read_bytes() == bytes(data), "nothing was overwritten"
