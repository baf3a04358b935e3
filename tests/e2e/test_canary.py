"""test_canary.py - where does a key turn up, byte for byte? In the provider's header, and nowhere else.

The key is a canary (tests/lib/canary.py). The broker has answered with it, failed with it in every error
there is, streamed, passed calls on and kept what was said, and a provider has said it back each time. Where
nothing is found, the same search finds it in a place where it must be."""

import os
import pathlib
import signal
import subprocess

import harness
import pytest
from canary import canary, described, forms, hits, is_shut, memory_of, regions_with
from programs import needs, needs_release, needs_root
from surfaces import FAMILIES, dialects, native, relay

pytestmark = pytest.mark.security

ERRORS = [400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422,
          423, 424, 425, 426, 428, 429, 431, 451, 498, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 521,
          522, 523, 524, 525, 526, 529, 599]
ECHO = "You sent %KEY%, or %KEY%"


@pytest.fixture
def key():
    return canary()


def start(broker, provider, key, **options):
    made = broker("[broker]\nlog_level = debug\n" + harness.provider_section(
        provider, model="m", dialect=dialects(), base_path="/v1"), **options)
    made.add_key("test", key)
    return made


def converse(made, provider, key):
    """Calls of every lane, each of which brings the key back; returns all that callers were told."""
    told = []

    def note(*texts):
        told.extend(text if isinstance(text, bytes) else str(text).encode() for text in texts)
    for words in (["--json"], ["--no-stream"], []):
        provider.script(answer={"text": f"you sent {key} to me"}, packet_bytes=7)
        note(*made.llmb("ask", "-m", "test/m", *words, "echo it"))
    for name in ("chat", "anthropic", "responses", "gemini"):
        family = FAMILIES[name]
        for stream in (False, True):
            script, _ = family.script(f"it was {key}", stream)
            provider.script(**script, packet_bytes=11)
            call = relay(made, **family.ask("test/m", "x", stream))
            assert call.is_good, call
            note(call.body, call.headers, call.last)
    for packet in (1 << 20, 5):
        provider.script(body='{"said":"%s"}' % ECHO, expand=True, headers={"etag": "%KEY%"}, packet_bytes=packet)
        call = native(made, "test", "{}", path="/v1/files")
        assert b"*****" in call.body, call
        note(call.body, call.headers, call.last)
    for command in (["key", "list", "--json"], ["status", "--json"], ["models"], ["usage", "--json"], ["doctor"],
                    ["key", "test", "test"], ["vault", "status"], ["config", "check"], ["doctor", "--live"]):
        note(*made.llmb(*command))
    return told


@pytest.fixture
def asked(broker, provider, key):
    """(broker, provider, key, what callers were told)"""
    made = start(broker, provider, key)
    return made, provider, key, converse(made, provider, key)


def test_the_provider_gets_it_in_its_header(asked):
    _, provider, key, _ = asked
    for seen in provider.requests():
        assert f"Bearer {key}" in seen.header("authorization")
        assert not hits(seen.body, key) and not hits(seen.target.encode(), key)


def test_no_caller_is_told(asked):
    made, _, key, told = asked
    assert len(told) > 50
    for text in told:
        assert not hits(text, key), text
    assert not hits(made.log().encode(), key)


@pytest.mark.parametrize("lane", ["typed", "same", "other", "native"])
def test_no_error_tells(broker, provider, key, lane):
    """Every status there is, with the key in its body, its headers and its request id."""
    made = start(broker, provider, key)
    ask = {"typed": lambda: made.llmb("ask", "-m", "test/m", "hi", timeout=40),
           "same": lambda: relay(made, **FAMILIES["chat"].ask("test/m", "x")),
           "other": lambda: relay(made, **FAMILIES["gemini"].ask("test/m", "x")),
           "native": lambda: native(made, "test", "{}", path="/v1/files")}[lane]
    for status in ERRORS:
        provider.script(status=status, times=0, expand=True, reason="%KEY%", packet_bytes=13, headers={
            "x-request-id": "%KEY%", "retry-after-ms": "1", "www-authenticate": "Bearer %KEY%", "%KEY%": "x"},
            body='{"error":{"message":"%s","type":"%%KEY%%","code":"%%KEY%%","param":"%%KEY%%"}}' % ECHO)
        told = str(ask()).encode()
        assert not hits(told, key), (status, told)
        assert provider.requests(), status
        provider.reset()
        made.forget_rests()
    assert "transport.key_echo" in made.log()
    assert not hits(made.log().encode(), key)


def test_no_file_has_it(asked):
    made, _, key, _ = asked
    made.stop()
    names = set()
    for path in pathlib.Path(made.folder).rglob("*"):
        if path.is_file():
            names.add(path.relative_to(made.folder).parts[0])
            assert not hits(path.read_bytes(), key), path
            assert not hits(str(path).encode(), key)
    assert {"state", "stderr"} <= names and (made.state_dir / "vault").exists()


@needs_root
def test_no_open_file_has_it(asked):
    """Those without a name among them."""
    made, _, key, _ = asked
    for number, what in made.fds().items():
        path = pathlib.Path(f"/proc/{made.pid}/fd/{number}")
        if what.startswith("/") and path.is_file():
            assert not hits(path.read_bytes(), key), what


def test_no_argument_and_no_variable_has_it(asked):
    made, provider, key, _ = asked
    provider.script(hold=2)
    running = made.llmb_start("ask", "-m", "test/m", "30 words")
    provider.wait_held()
    for pid in (made.pid, running.pid):
        for name in ("cmdline", "environ", "maps", "comm", "stat", "mountinfo"):
            try:
                text = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
            except PermissionError:
                assert pid == made.pid and name in ("environ", "maps"), "these are shut, of the daemon's"
                continue
            assert text and not hits(text, key), (pid, name)
    provider.release()
    running.finish()


# ---- memory


def processes_of(pid):
    """It, and whatever it has forked."""
    out = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split():
            out += processes_of(int(child))
    return out


@needs_root
@needs_release
def test_of_an_idle_daemon_only_shut_pages_have_it(asked):
    made, _, key, _ = asked
    found = regions_with(made.pid, key)
    assert found, "the vault is open, so it is somewhere"
    assert all(is_shut(region) for region, _ in found), described(found)
    for helper in processes_of(made.pid)[1:]:
        assert regions_with(helper, key) == [], helper


@needs_root
@needs_release
def test_of_a_daemon_at_work_one_open_page_more_has_it(asked):
    """The line that is sent, and what libcurl makes of it for as long as the request is under way."""
    made, provider, key, _ = asked
    provider.script(hold=2)
    running = made.llmb_start("ask", "-m", "test/m", "30 words")
    provider.wait_held()
    found = [(region, count) for region, count in regions_with(made.pid, key)
             if not {"lo", "dd"} <= region.flags]
    assert sum(count for _, count in found) <= 1, described(found)
    assert regions_with(running.pid, key) == []
    provider.release()
    running.finish()
    assert all(is_shut(region) for region, _ in regions_with(made.pid, key))


@needs_root
@needs_release
@pytest.mark.parametrize("how", ["lock", "signal"])
def test_of_a_locked_one_none_has_it(asked, how):
    made, _, key, _ = asked
    assert regions_with(made.pid, key)
    if how == "lock":
        assert made.llmb("vault", "lock").code == 0
    else:
        os.kill(made.pid, signal.SIGUSR1)
        made.wait_log("vault.locked")
        made.llmb("status")  # one turn of the loop later
    assert described(regions_with(made.pid, key)) == []
    assert sum(len(region.data) for region in memory_of(made.pid)) > 1 << 20
    assert made.llmb("ask", "-m", "test/m", "hi").code == 5


@needs_release
def test_a_crash_leaves_no_core(broker, provider, key):
    made = start(broker, provider, key, wrap=["prlimit", "--core=unlimited:unlimited"]
                 if os.geteuid() == 0 else None)
    pid, made.process = made.pid, None
    os.kill(pid, signal.SIGSEGV)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSEGV and not os.WCOREDUMP(status)
    assert [path for path in pathlib.Path(made.folder).rglob("core*") if path.is_file()] == []


@needs("gcore")
def test_a_core_of_a_build_that_permits_one_lacks_it(broker, provider, key, monkeypatch, tmp_path):
    """The core of the idle daemon after a hundred requests, taken by gdb's gcore."""
    where = harness.bin_dir().parent.parent / "coredump" / "bin"
    if not (where / "llm-brokerd").exists():
        pytest.skip("no build/coredump: `make coredump` makes it")
    monkeypatch.setenv("LLMB_BIN_DIR", str(where))
    made = start(broker, provider, key)
    for _ in range(100):
        assert relay(made, **FAMILIES["chat"].ask("test/m", "x")).is_good
    converse(made, provider, key)
    core = tmp_path / "core"
    subprocess.run(["gcore", "-o", str(core), str(made.pid)], check=True, capture_output=True, timeout=60)
    data = pathlib.Path(f"{core}.{made.pid}").read_bytes()
    assert len(data) > 1 << 20 and b"llm-brokerd" in data
    assert hits(data, key) == []


# ---- what a tracer sees


STRACE = ["strace", "-f", "-qq", "-s", "65536"]


@needs_root
@needs("strace")
@needs_release
def test_no_call_of_the_daemon_has_it(broker, provider, key, tmp_path):
    """From its start to its end: the vault is opened and requests are sent, behind TLS."""
    made = start(broker, provider, key)
    made.stop()
    trace = tmp_path / "trace"
    made.wrap = ["strace", "-D", "-f", "-q", "-s", "65536", "-o", str(trace)]
    made.start()
    converse(made, provider, key)
    assert any(f"Bearer {key}" in seen.header("authorization") for seen in provider.requests())
    made.stop()
    harness.wait_until(lambda: "exited with 0" in trace.read_text(errors="replace"), 10, "strace is done")
    data = trace.read_bytes()
    assert b"sendto(" in data or b"sendmsg(" in data or b"write(" in data
    assert len(data) > 1 << 16 and hits(data, key) == []


@needs("strace")
@needs_release
def test_no_call_of_a_client_has_it(broker, provider, key, tmp_path):
    made = start(broker, provider, key)
    provider.script(answer={"text": f"you sent {key} to me"}, packet_bytes=7)

    def traced(name, *args, **more):
        subprocess.run([*STRACE, "-o", tmp_path / name, harness.program("llmb"), *args], check=True, timeout=60,
                       env=made.client_env(), capture_output=True, **more)
        return (tmp_path / name).read_bytes()
    assert not hits(traced("ask", "ask", "-m", "test/m", "hi"), key)
    assert not hits(traced("list", "key", "list"), key)
    added = traced("add", "key", "add", "test/second", "--from-stdin", "--no-input", input=key.encode())
    assert hits(added, key), "who adds a key says it to the broker: a trace of that has it"


def test_no_key_log_is_written(broker, provider, key, tmp_path):
    logs = [tmp_path / "daemon", tmp_path / "caller"]
    made = start(broker, provider, key, env={"SSLKEYLOGFILE": str(logs[0])})
    assert made.llmb("ask", "-m", "test/m", "hi", env={"SSLKEYLOGFILE": str(logs[1])}).code == 0
    assert provider.requests()
    assert [log for log in logs if log.exists()] == []


def test_each_form_is_found(key):
    """The search itself."""
    for form in forms(key):
        assert hits(b"x" + form + b"y", key) == [form]
    assert not hits(b"x" * 1000, key) and len(forms(key)) >= 8
