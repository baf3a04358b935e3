"""test_tokens.py - is a program that shows an app token that application, as long as the token holds, and no more?"""

import json
import os
import pathlib
import re
import subprocess

import harness
import pytest
from test_behalf import BOX, Between, chat, program  # noqa: F401
from test_identity import PYTHON, needs_bwrap
from test_identity import stopped, system  # noqa: F401
from wire import CALL, END, FAULT

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def made(broker):
    made = broker(run=False)
    made.socket = made.folder / "llm-broker" / "sock"
    made.env["LLM_BROKER_SOCKET"] = str(made.socket)
    return made.start()


@pytest.fixture
def between(made):
    one = Between(made.socket)
    yield one
    one.close()


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
    inside = ("import sys\nfrom test_behalf import Between\none = Between(sys.argv[1])\n"
              "print(one.ask(behalf={'token': sys.argv[2]})[0], one.whoami(behalf={'token': sys.argv[2]})['who'])\n")
    here = str(pathlib.Path(__file__).parent)
    for path in (harness.sandbox_socket(made), made.socket):
        for allowed, want in (("revoke", "denied sandbox"), ("forget", "consent sandbox"), ("allow", " sandbox")):
            assert made.llmb("app", allowed, "sandbox").code in (0, 1)
            done = subprocess.run([*BOX, "--setenv", "PYTHONPATH", os.environ.get("PYTHONPATH", "") + ":" + here,
                                   "--", PYTHON, "-c", inside, str(path), token["token"]],
                                  capture_output=True, text=True, timeout=60)
            assert done.stdout == want + "\n", done
    rows = [row for row in made.wait_ledger(4)["exchange"] if row["outcome"] == "ok"]
    assert rows and all(row["app"] == "sandbox" for row in rows)


@pytest.mark.security
@needs_bwrap
def test_a_sandbox_makes_none(made):
    inside = ("import sys\nfrom test_behalf import Between\none = Between(sys.argv[1])\n"
              "print(one.ask(behalf={'label': 'x'}, call={'kind': 'admin', 'op': 'token.new', "
              "'body': b'{\"app\":\"x\"}'})[0])\n")
    here = str(pathlib.Path(__file__).parent)
    assert made.llmb("app", "allow", "sandbox").code == 0
    done = subprocess.run([*BOX, "--setenv", "PYTHONPATH", os.environ.get("PYTHONPATH", "") + ":" + here, "--",
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
