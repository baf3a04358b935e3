"""test_secrets.py - where does a key turn up? In the provider's header, and nowhere else.

The key is a canary of random bytes, looked for raw, in base64 at its three offsets, in hex, quoted
for a URL and backwards."""

import base64
import os
import pathlib
import secrets
import signal
import subprocess
import urllib.parse

import harness
import pytest

CHUNK = 1 << 20


def canary():
    return "sk-canary/" + base64.urlsafe_b64encode(secrets.token_bytes(36)).decode()


def forms(key):
    """All the ways in which the key could be written down."""
    raw = key.encode()
    out = {raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(),
           urllib.parse.quote(key, safe="").encode()}
    for skip in range(3):
        whole = base64.b64encode(bytes(skip) + raw)
        first = 0 if skip == 0 else 4
        out.add(whole[first:len(whole) - 4])
    return [form for form in out if len(form) > 20]


def hits(data, key):
    return [form for form in forms(key) if form in data]


def parts_in(text, key):
    """Eight letters in a row of what is secret of a canary, plain or quoted for a URL."""
    secret = key.removeprefix("sk-")
    return [secret[i:i + 8] for i in range(len(secret) - 7)
            if secret[i:i + 8] in text or urllib.parse.quote(secret[i:i + 8], safe="") in text]


def memory_of(pid):
    """All that the process has mapped and we may read, as root would see it."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, mode = line.split()[:2]
            if not mode.startswith("r") or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vdso]")):
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            try:
                mem.seek(begin)
                yield mem.read(end - begin)
            except (OSError, ValueError, OverflowError):
                continue


def may_read_memory():
    """Root may; a sanitizer's build maps terabytes and keeps what was freed."""
    return os.geteuid() == 0 and not harness.is_sanitized()


@pytest.fixture
def asked(broker, provider):
    """A broker with a canary key that has answered, failed and streamed; a stream is open."""
    key = canary()
    made = broker("[broker]\nlog_level = debug\n" + harness.provider_section(provider, model="m"))
    made.add_key("test", key)
    provider.script(status=401, body={"error": {"message": f"Incorrect API key provided: {key}",
                                                "type": "invalid_request_error"}})
    said = [made.llmb("ask", "-m", "test/m", "3 words")]
    provider.script(answer={"text": f"you sent {key} to me"}, expand=True, packet_bytes=7)
    said.append(made.llmb("ask", "-m", "test/m", "echo it"))
    said.append(made.llmb("ask", "-m", "test/m", "--json", "3 words"))
    for command in (["key", "list", "--json"], ["status", "--json"], ["models"], ["usage", "--json"],
                    ["doctor"], ["key", "test", "test"], ["vault", "status"]):
        said.append(made.llmb(*command))
    provider.script(hold=2)
    running = made.llmb_start("ask", "-m", "test/m", "30 words")
    provider.wait_held()
    yield made, provider, key, said, running
    if running.process.poll() is None:
        provider.release()
        running.finish()


def test_the_provider_gets_the_key_in_its_header(asked):
    _, provider, key, _, _ = asked
    for seen in provider.requests():
        assert seen.header("authorization") == [f"Bearer {key}"]
        assert not hits(seen.body, key)
        assert not hits(seen.target.encode(), key)


def test_no_output_and_no_log_has_it(asked):
    made, _, key, said, _ = asked
    for done in said:
        assert not hits(done.out.encode() + done.err.encode(), key), done
    assert not hits(made.log().encode(), key)


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


def test_no_file_has_it(asked):
    made, _, key, _, _ = asked
    for path in pathlib.Path(made.folder).rglob("*"):
        if path.is_file():
            assert not hits(path.read_bytes(), key), path


def test_no_argument_and_no_variable_has_it(asked):
    made, _, key, _, running = asked
    for pid in (made.pid, running.pid):
        for name in ("cmdline", "environ", "maps"):
            assert not hits(pathlib.Path(f"/proc/{pid}/{name}").read_bytes(), key), (pid, name)


@pytest.mark.skipif(not may_read_memory(), reason="another process's memory is root's to read")
def test_no_client_memory_has_it(asked):
    _, _, key, _, running = asked
    found = sum(len(hits(part, key)) for part in memory_of(running.pid))
    assert found == 0


@pytest.mark.skipif(not may_read_memory(), reason="another process's memory is root's to read")
def test_after_locking_the_broker_has_it_no_more(asked):
    made, provider, key, _, running = asked
    provider.release()
    running.finish()
    assert made.llmb("vault", "lock").code == 0
    found = [form for part in memory_of(made.pid) for form in hits(part, key)]
    assert found == []
    assert made.llmb("ask", "-m", "test/m", "hi").code == 5


def test_the_release_build_gives_no_core(asked):
    made, _, _, _, _ = asked
    if harness.is_sanitized():
        pytest.skip("a sanitizer's build permits it")
    limits = pathlib.Path(f"/proc/{made.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    if os.geteuid() == 0:
        status = os.stat(f"/proc/{made.pid}/mem")
        assert status.st_uid == 0


def test_a_core_of_a_build_that_permits_one_lacks_it(broker, provider, monkeypatch, tmp_path):
    """The core of the idle daemon after requests, taken by gdb's gcore."""
    where = harness.bin_dir().parent.parent / "coredump" / "bin"
    if not (where / "llm-brokerd").exists():
        pytest.skip("no build/coredump: `make coredump` makes it")
    if subprocess.run(["sh", "-c", "command -v gcore"], capture_output=True).returncode:
        pytest.skip("no gcore here")
    monkeypatch.setenv("LLMB_BIN_DIR", str(where))
    key = canary()
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", key)
    for _ in range(20):
        assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    core = tmp_path / "core"
    subprocess.run(["gcore", "-o", str(core), str(made.pid)], check=True, capture_output=True,
                   timeout=60)
    data = pathlib.Path(f"{core}.{made.pid}").read_bytes()
    assert len(data) > CHUNK
    assert hits(data, key) == []


def test_poisoned_variables_have_no_effect(broker, provider, tmp_path):
    keylog = tmp_path / "keys.log"
    poison = {"SSLKEYLOGFILE": str(keylog), "https_proxy": "http://127.0.0.1:9",
              "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9",
              "CURL_HOME": str(tmp_path), "CURL_CA_BUNDLE": "/dev/null", "SSL_CERT_FILE": "/dev/null",
              "OPENSSL_CONF": "/dev/null", "RES_OPTIONS": "timeout:9", "LIBEV_FLAGS": "1",
              "HTTP_PROXY": "http://127.0.0.1:9"}
    made = broker(harness.provider_section(provider, model="m"), env=poison)
    made.add_key("test", canary())
    done = made.llmb("ask", "-m", "test/m", "3 words")
    assert done.code == 0, done.err
    assert not keylog.exists()


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
