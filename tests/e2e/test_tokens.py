"""test_tokens.py - is a program that shows an app token that application, as long as the token holds, and no more?"""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess

import harness
import msgpack
import pytest
from between import BOX, Between, between, chat, made, program  # noqa: F401
from test_identity import PYTHON, needs_bwrap
from test_identity import stopped, system  # noqa: F401
from wire import CALL, END, FAULT

KEY = "sk-test-0123456789abcdef"


def new(made, *args):
    return json.loads(made.llmb("token", "new", *args, "--json").out)


def listed(made):
    return json.loads(made.llmb("token", "list", "--json").out)["tokens"]


def shown(between, text, **more):
    fault, frames = between.ask(behalf={"token": text}, **more)
    return fault or "ok", frames


# ---- with the CLI ----

def test_a_token_is_told_once(made):
    done = made.llmb("token", "new", "notes")
    assert done.code == 0
    text = done.out.strip()
    assert re.fullmatch(r"llmb_[0-9a-f]{64}", text)
    assert "token:notes" in done.err and "llmb token revoke tok_" in done.err and text not in done.err
    one, = listed(made)
    assert one["app"] == "notes" and one["who"] == "token:notes" and not one["session"] and "token" not in one
    for name in ("tokens", "journal"):
        assert text.encode() not in (made.state_dir / name).read_bytes() if (made.state_dir / name).exists() else True
    assert oct((made.state_dir / "tokens").stat().st_mode & 0o777) == "0o600"
    assert text not in made.log()
    table = made.llmb("token", "list").out
    assert one["id"] in table and "notes" in table and text not in table
    assert text not in made.llmb("audit", "list", "--json").out
    assert one["id"] in made.llmb("audit", "list", "--json").out


def test_what_is_no_token_is_said(made):
    assert made.llmb("token", "new", "a/b").code != 0
    assert made.llmb("token", "new", "notes", "--expires", "never").code == 2
    assert made.llmb("token", "new").code == 2
    done = made.llmb("token", "revoke", "tok_0")
    assert done.code == 1 and "llmb token list" in done.err
    assert json.loads(made.llmb("token", "revoke", "tok_0", "--json").out)["found"] is False
    assert listed(made) == []


# ---- with the broker itself ----

def test_an_application_has_its_own_account(made, between):
    token = new(made, "notes")
    assert shown(between, token["token"])[0] == "ok"
    row = made.wait_ledger(1)["exchange"][0]
    assert row["app"] == "token:notes" and row["kind"] == "token" and row["policy"] == "token"
    assert row["via"].startswith("host:python")
    usage = json.loads(made.llmb("usage", "--by", "app", "--json").out)
    assert [line["keys"][0] for line in usage["rows"]] == ["token:notes"]
    who = between.whoami(behalf={"token": token["token"]})
    assert who["who"] == "token:notes" and who["peer"]["instance"] == token["id"] and who["rule"] == "token"
    assert who["operations"] == ["chat", "models", "complete", "embed", "rerank", "count", "moderate", "relay",
                                 "native", "whoami"]
    assert listed(made)[0]["used_s"] >= token["at_s"]
    seen = {one["who"] for one in json.loads(made.llmb("app", "list", "--json").out)["seen"]}
    assert "token:notes" in seen
    assert made.llmb("app", "revoke", "token:notes").code == 0
    assert shown(between, token["token"])[0] == "denied"
    assert made.llmb("app", "allow", "token:notes").code == 0
    assert shown(between, token["token"])[0] == "ok"


def test_revoked_is_revoked_at_once(made, between):
    token, other = new(made, "notes"), new(made, "notes")
    assert shown(between, token["token"])[0] == "ok"
    assert made.llmb("token", "revoke", token["id"]).code == 0
    fault, frames = shown(between, token["token"])  # on the connection that has used it
    assert fault == "denied" and "llmb token new" in frames[-1].body["message"]
    assert shown(between, other["token"])[0] == "ok"
    made.restart()
    one = Between(made.socket)
    assert shown(one, token["token"])[0] == "denied"
    assert shown(one, other["token"])[0] == "ok"
    one.close()
    assert [each["id"] for each in listed(made)] == [other["id"]]


def test_what_is_under_way_by_a_revoked_one_ends(broker, provider):
    """In the middle of an answer, before it and waiting for its turn; others' calls go on."""
    made = broker(harness.section("limit", "two", {"app": "token:*", "concurrency": 3}) + harness.provider_section(provider))
    made.add_key("test", KEY)
    taken, kept = new(made, "notes"), new(made, "notes")
    provider.script(hold=2)
    provider.script(silence="start")
    provider.script(hold=2)
    one = Between(made.socket)
    body = msgpack.packb({"model": "test/a", "stream": True,
                          "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})

    def ask(text):
        one.calls += 1
        one.client.send_frame(CALL, one.calls, {**chat(timeout_ms=60000), "body": body, "behalf": {"token": text}})
        return one.calls
    begun, silent, others = ask(taken["token"]), ask(taken["token"]), None
    provider.wait_request(2)
    others = ask(kept["token"])
    provider.wait_request(3)
    waiting = ask(taken["token"])
    assert made.llmb("token", "revoke", taken["id"]).code == 0
    ends = {}
    while len(ends) < 3:
        frame = one.client.recv_frame()
        if frame.type in (END, FAULT):
            ends[frame.call] = frame.body
    assert set(ends) == {begun, silent, waiting} and all(each["class"] == "denied" for each in ends.values()), ends
    assert all(taken["id"] in each["message"] and "llmb token new" in each["message"] for each in ends.values()), ends
    harness.wait_until(lambda: sum(request.hangup_at is not None for request in provider.requests()) == 2, 10,
                       "the provider to be let go of")
    provider.release()
    assert one.client.recv_until(END, FAULT)[-1].type == END
    outcomes = sorted(row["outcome"] for row in made.wait_ledger(4)["exchange"])
    assert outcomes == ["failed", "ok", "unknown", "unknown"], "what the provider had may have been served"
    one.close()


def test_what_is_under_way_ends_with_the_tokens_connection(broker, provider):
    made = broker(harness.provider_section(provider))
    made.add_key("test", KEY)
    provider.script(silence="start")
    maker, one = Between(made.socket), Between(made.socket)
    _, frames = maker.ask(behalf={"label": "run"}, call={"kind": "admin", "op": "token.new", "credit": 1 << 20,
                                                        "body": b'{"app":"once","session":true}'})
    token = json.loads(b"".join(frame.body["d"] for frame in frames if frame.name == "data"))
    one.client.send_frame(CALL, 1, {**chat("test/a"), "behalf": {"token": token["token"]}})
    provider.wait_request(1)
    maker.close()
    frame = one.client.recv_until(END, FAULT)[-1]
    assert frame.type == FAULT and frame.body["class"] == "denied" and token["id"] in frame.body["message"], frame
    one.close()


def test_a_token_has_its_day(made, between):
    token = new(made, "notes", "--expires", "1s")
    harness.wait_until(lambda: shown(between, token["token"])[0] == "denied", 10, "it to expire")
    fault, frames = shown(between, token["token"])
    assert "expired" in frames[-1].body["message"] and "llmb token new notes" in frames[-1].body["message"]
    assert listed(made)[0]["expired"] and "expired" in made.llmb("token", "list").out


def test_one_of_a_connection_goes_with_it(made, between):
    maker = Between(made.socket)
    fault, frames = maker.ask(behalf={"label": "run"}, call={"kind": "admin", "op": "token.new", "credit": 1 << 20,
                                                            "body": b'{"app":"once","session":true}'})
    assert not fault, frames
    token = json.loads(b"".join(frame.body["d"] for frame in frames if frame.name == "data"))
    assert token["session"] and shown(between, token["token"])[0] == "ok"
    assert not (made.state_dir / "tokens").exists()
    maker.close()
    harness.wait_until(lambda: shown(between, token["token"])[0] == "denied", 10, "it to go")
    assert listed(made) == []


def test_a_token_administers_nothing(made, between):
    token = new(made, "notes")
    for op in ("key.list", "status", "token.new", "token.list", "app.allow", "vault.lock"):
        fault, frames = shown(between, token["token"], call={"kind": "admin", "op": op, "body": b"{}"})
        assert fault == "denied", (op, frames)


def test_a_token_names_its_models(broker, provider):
    made = broker(harness.provider_section(provider) +
                  harness.section("policy", "notes", {"kind": "token", "name": "notes", "max_output": 7}))
    made.add_key("test", KEY)
    provider.script(times=0)
    one = Between(made.socket)
    token = new(made, "notes", "--models", "test/a", "-m", "small*")
    assert shown(one, token["token"], call=chat("test/a"))[0] == "ok"
    fault, frames = shown(one, token["token"], call=chat("test/b"))
    assert fault == "denied" and "llmb token new" in frames[-1].body["message"]
    assert shown(one, token["token"], call=chat("offline/echo"))[0] == "denied"
    assert [request.json["model"] for request in provider.requests()] == ["a"]
    body = provider.requests()[0].json
    assert body.get("max_completion_tokens", body.get("max_tokens")) == 7
    one.close()


def test_a_limit_is_a_tokens_own(broker, provider):
    made = broker(harness.provider_section(provider) +
                  harness.section("limit", "notes", {"app": "token:notes", "requests": "1/hour"}))
    made.add_key("test", KEY)
    provider.script(times=0)
    one = Between(made.socket)
    notes, other = new(made, "notes"), new(made, "other")
    call = {**chat("test/a"), "timeout_ms": 2000}
    assert shown(one, notes["token"], call=call)[0] == "ok"
    assert shown(one, notes["token"], call=call)[0] == "rate_limited"
    assert shown(one, other["token"], call=call)[0] == "ok"
    one.close()


@pytest.mark.security
@needs_bwrap
def test_a_sandbox_gains_nothing_by_a_token(made, program):  # noqa: F811
    """It stays the sandbox that it is: asked about, on its own account."""
    token = new(made, "notes")
    inside = ("import sys\nfrom between import Between\none = Between(sys.argv[1])\n"
              "print(one.ask(behalf={'token': sys.argv[2]})[0], one.whoami(behalf={'token': sys.argv[2]})['who'])\n")
    here = str(pathlib.Path(__file__).parent)
    for path in (harness.sandbox_socket(made), made.socket):
        for allowed, want in (("revoke", "denied sandbox"), ("forget", "consent sandbox"), ("allow", " sandbox")):
            assert made.llmb("app", allowed, "sandbox").code in (0, 1)
            done = subprocess.run([*BOX, "--setenv", "PYTHONPATH", os.path.dirname(os.path.abspath(harness.__file__)) + ":" + here,
                                   "--", PYTHON, "-c", inside, str(path), token["token"]],
                                  capture_output=True, text=True, timeout=60)
            assert done.stdout == want + "\n", done
    rows = [row for row in made.wait_ledger(4)["exchange"] if row["outcome"] == "ok"]
    assert rows and all(row["app"] == "sandbox" for row in rows)


@pytest.mark.security
@needs_bwrap
def test_a_sandbox_makes_none(made):
    inside = ("import sys\nfrom between import Between\none = Between(sys.argv[1])\n"
              "print(one.ask(behalf={'label': 'x'}, call={'kind': 'admin', 'op': 'token.new', "
              "'body': b'{\"app\":\"x\"}'})[0])\n")
    here = str(pathlib.Path(__file__).parent)
    assert made.llmb("app", "allow", "sandbox").code == 0
    done = subprocess.run([*BOX, "--setenv", "PYTHONPATH", os.path.dirname(os.path.abspath(harness.__file__)) + ":" + here, "--",
                           PYTHON, "-c", inside, str(made.socket)], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "denied", done


# ---- what is on the disk ----

def test_a_damaged_file_costs_the_tokens_alone(made):
    token = new(made, "notes")
    made.stop()
    path = made.state_dir / "tokens"
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"notes"', b'"other"'))
    made.start()
    made.wait_log("tokens.unusable")
    one = Between(made.socket)
    fault, frames = shown(one, token["token"])
    assert fault == "denied" and f"{path}:1" in frames[-1].body["message"]
    assert made.llmb("ask", "-m", "offline/echo", "hi").code == 0
    done = made.llmb("token", "new", "more")
    assert done.code != 0 and str(path) in done.err
    assert str(path) in made.llmb("token", "list").err
    one.close()
    made.stop()
    path.write_bytes(good)
    made.start()
    one = Between(made.socket)
    assert shown(one, token["token"])[0] == "ok"
    one.close()


# ---- through the bridge ----

class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Bridge:
    """The bridge of a broker: on a port and on a socket."""

    def __init__(self, made, *options, wrap=()):
        self.path = made.folder / "http"
        args = [*wrap, harness.program("llm-broker-bridge"), "--listen", "127.0.0.1:0", "--listen", f"unix:{self.path}",
                "--socket", str(made.socket), *options]
        # a port of 0 is the kernel's to choose, and said nowhere: it is taken from what is listened at
        self.running = harness.Running(args, made.client_env(), made.folder)
        harness.wait_until(lambda: harness.accepts(self.path), 20, lambda: self.running.err)
        self.port = self._port()

    def _port(self):
        inodes = set(harness.fds_of(self.running.pid).values())
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                return int(words[1].split(":")[1], 16)
        raise AssertionError("it listens at no port")

    def post(self, path="/v1/chat/completions", headers=None, body=None, unix=False, model="test/a"):
        """Its status and its JSON."""
        text = json.dumps(body or BODIES[envelope(path)](model)).encode()
        head = {"host": "127.0.0.1", "content-type": "application/json", "content-length": len(text), **(headers or {})}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
        with socket.socket(socket.AF_UNIX) if unix else socket.socket() as sock:
            sock.settimeout(30)
            sock.connect(str(self.path) if unix else ("127.0.0.1", self.port))
            # in one piece: who is refused by the head alone is not listened to any further
            sock.sendall("\r\n".join([*lines, "", ""]).encode() + text)
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            return answer.status, json.loads(answer.read())

    def close(self):
        self.running.kill()


def envelope(path):
    return "gemini" if "v1beta" in path else "anthropic" if "messages" in path else "openai"


HI = [{"role": "user", "content": "hi"}]
BODIES = {"openai": lambda model: {"model": model, "messages": HI},
          "anthropic": lambda model: {"model": model, "messages": HI, "max_tokens": 20},
          "gemini": lambda model: {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}}
SURFACES = ("/v1/chat/completions", "/v1/messages", "/v1beta/models/test%2Fa:generateContent")
PLACES = {"bearer": lambda text: ("", {"authorization": f"Bearer {text}"}),
          "x-api-key": lambda text: ("", {"x-api-key": text}),
          "x-goog-api-key": lambda text: ("", {"x-goog-api-key": text}),
          "query": lambda text: (f"?alt=json&key={text}", {}),
          "escaped query": lambda text: (f"?%6bey={text.replace('_', '%5F')}&alt=json", {})}


@pytest.fixture
def served(broker, provider):
    made = broker(harness.provider_section(provider))
    made.add_key("test", KEY)
    provider.script(times=0)
    return made


@pytest.fixture
def bridge():
    started = []

    def start(made, *options, **more):
        started.append(Bridge(made, *options, **more))
        return started[-1]
    yield start
    for one in started:
        one.close()


@pytest.mark.parametrize("place", PLACES)
def test_a_token_is_found_where_programs_have_their_key(served, bridge, provider, place):
    token = new(served, "notes")
    one = bridge(served)
    for n, path in enumerate(SURFACES):
        query, headers = PLACES[place](token["token"])
        status, answer = one.post(path + query, headers)
        assert status == 200, (path, answer)
        rows = served.wait_ledger(2 * n + 1)["exchange"]
        assert rows[-1]["app"] == "token:notes" and rows[-1]["via"].startswith("host:llm-broker-bri"), rows[-1]
        query, headers = PLACES[place]("sk-whatever-0123456789")
        assert one.post(path + query, headers)[0] == 200
        row = served.wait_ledger(2 * n + 2)["exchange"][-1]
        assert row["app"] == "llm-broker-bridge" and row["kind"] == "host" and not row["via"]
    for request in provider.requests():
        whole = request.path + str(request.headers)
        assert token["token"] not in whole and "sk-whatever" not in whole and "ey=" not in request.path and "%5F" not in whole


def text_of(path, answer):
    error = answer["error"]
    if envelope(path) == "anthropic":
        assert answer["type"] == "error" and error["type"] == "permission_error"
    elif envelope(path) == "gemini":
        assert error["status"] == "PERMISSION_DENIED" and error["code"] in (401, 403)
    else:
        assert error["type"] == "invalid_request_error" and error["code"] == "denied"
    return error["message"]


def test_what_is_no_token_is_refused_in_the_surfaces_words(served, bridge):
    one = bridge(served)
    token = new(served, "notes", "--models", "test/b")
    for path in SURFACES:
        unknown = "llmb_" + "0" * 64
        for text, wanted in ((unknown, 403), (token["token"], 403), ("llmb_x", 401)):
            status, answer = one.post(path, {"x-api-key": text})
            assert status == wanted and "llmb token new" in text_of(path, answer), (path, answer)
        assert one.post(path)[0] == 200
    one.close()
    strict = bridge(served, "--require-token")
    for path in SURFACES:
        for headers in ({}, {"authorization": "Bearer sk-dummy"}):
            for unix in (False, True):
                status, answer = strict.post(path, headers, unix=unix)
                assert status == 401 and "llmb token new" in text_of(path, answer)
    good = new(served, "notes")
    assert strict.post(headers={"authorization": f"Bearer {good['token']}"})[0] == 200
    assert strict.post(headers={"authorization": f"Bearer {good['token']}"}, unix=True)[0] == 200


def test_a_revoked_one_is_refused_on_an_open_connection(served, bridge):
    token = new(served, "notes")
    one = bridge(served)
    conn = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)
    codes = []
    for revoked in (False, True):
        if revoked:
            assert served.llmb("token", "revoke", token["id"]).code == 0
        conn.request("POST", "/v1/chat/completions", json.dumps(BODIES["openai"]("test/a")),
                     {"content-type": "application/json", "authorization": f"Bearer {token['token']}"})
        answer = conn.getresponse()
        answer.read()
        codes.append(answer.status)
    conn.close()
    assert codes == [200, 403]


def test_a_stream_by_a_revoked_one_breaks_off_and_says_why(broker, bridge, provider):
    made = broker(harness.provider_section(provider))
    made.add_key("test", KEY)
    one = bridge(made)
    for path in SURFACES:
        token = new(made, "notes")
        provider.script(hold=3)
        conn = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)
        is_gemini = envelope(path) == "gemini"
        target = path.replace(":generateContent", ":streamGenerateContent?alt=sse") if is_gemini else path
        said = BODIES[envelope(path)]("test/a")
        conn.request("POST", target, json.dumps(said if is_gemini else {**said, "stream": True}),
                     {"content-type": "application/json", "x-api-key": token["token"]})
        answer = conn.getresponse()
        assert answer.status == 200 and b"data:" in answer.readline() + answer.readline()
        assert made.llmb("token", "revoke", token["id"]).code == 0
        assert f"app token {token['id']} was taken back" in answer.read().decode()
        conn.close()


@pytest.mark.parametrize("kernel", ["", "old_kernel"])
def test_on_the_socket_the_broker_sees_who_asks(served, bridge, kernel):
    one = bridge(served, wrap=[harness.wrap(kernel)] if kernel else ())
    token = new(served, "notes")
    assert one.post(unix=True)[0] == 200
    row = served.wait_ledger(1)["exchange"][0]
    assert row["app"].startswith("python") and row["pid"] == os.getpid()
    assert row["via"].startswith("host:llm-broker-bri")
    assert one.post(unix=True, headers={"x-api-key": token["token"]})[0] == 200
    row = served.wait_ledger(2)["exchange"][1]
    assert row["app"] == "token:notes" and row["pid"] == os.getpid()


@pytest.mark.security
@needs_bwrap
def test_a_sandbox_behind_the_bridge_is_a_sandbox(served, bridge):
    """Its requests are asked about as they would be on the broker's own socket, whatever token it shows."""
    one = bridge(served)
    token = new(served, "notes")
    inside = ("import sys, json\nfrom test_tokens import UnixHTTP, BODIES\nc = UnixHTTP(sys.argv[1])\n"
              "for h in ({}, {'x-api-key': sys.argv[2]}):\n"
              "    c.request('POST', '/v1/chat/completions', json.dumps(BODIES['openai']('test/a')),"
              " {'content-type': 'application/json', **h})\n"
              "    a = c.getresponse()\n    print(a.status, a.getheader('x-llm-broker-class'))\n    a.read()\n")
    here = str(pathlib.Path(__file__).parent)

    def ask():
        done = subprocess.run([*BOX, "--setenv", "PYTHONPATH", os.path.dirname(os.path.abspath(harness.__file__)) + ":" + here, "--",
                               PYTHON, "-c", inside, str(one.path), token["token"]],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        return [line.split()[0] for line in done.stdout.splitlines()]
    assert ask() == ["403", "403"]
    assert served.llmb("app", "allow", "sandbox").code == 0
    assert ask() == ["200", "200"]
    rows = [row for row in served.wait_ledger(4)["exchange"] if row["outcome"] == "ok"]
    assert [row["app"] for row in rows] == ["sandbox", "sandbox"]
    assert served.llmb("app", "revoke", "sandbox").code == 0
    assert ask() == ["403", "403"]
    assert one.post(unix=True)[0] == 200
