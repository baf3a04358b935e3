"""test_cache_scopes.py - is what was kept for one user, one program or one provider ever given to another?"""

import json
import os
import subprocess

import harness
import pytest
from provider_faults import said
from test_cache import Calls, one
from test_identity import NOBODY, PYTHON, as_user

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user's program is wanted")
ASK = """
import sys, msgpack
from wire import CALL, CREDIT, END, EVENT, HELLO, WELCOME, WireClient
client = WireClient(sys.argv[1], timeout=20)
client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "cache"})
client.recv_until(WELCOME)
body = {"model": "a/m", "messages": [{"role": "user", "content": "Say it."}], "stream": True, "temperature": 0}
client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "credit": 1 << 20, "cache": "on", "body": msgpack.packb(body)})
frames = client.recv_until(END)
print("".join(f.body["d"] for f in frames if f.type == EVENT and f.body["ev"] == "text"),
      frames[-1].body.get("cache", {}).get("source", ""))
"""


@pytest.fixture
def provider(providers):
    return providers(needs_key=False)


def config(provider, *sections):
    return harness.provider_section(provider, "a", auth="none") + "".join(sections)


def rule(name, scope, **who):
    return harness.section("policy", name, {**who, "kind": "host", "operation": "*", "cache_scope": scope})


def asked_by(made, uid, name="one"):
    """What a program of that user is told, and where it came from; `name`: which program, as its file is called."""
    program = made.folder / name
    if not program.exists():
        program.write_bytes(open(PYTHON, "rb").read())
        program.chmod(0o755)
    done = subprocess.run([*as_user(uid), str(program), "-c", ASK, str(made.socket)], cwd="/", capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=harness.CALL_SECONDS,
                          env={**made.env, "PYTHONPATH": str(harness.TOP / "tests/lib"), "PYTHONDONTWRITEBYTECODE": "1",
                               "PYTHONHOME": "/usr"})
    assert done.returncode == 0, done
    said_, _, source = done.stdout.rstrip("\n").partition(" ")
    return said_, source


def open_to_all(made):
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)
    return made


ROOT, OTHER = (0, "one"), (NOBODY, "one")
ROOT_TOO, OTHER_TOO = (0, "two"), (NOBODY, "two")


@needs_root
@pytest.mark.parametrize("mine, theirs, shared", [
    ("host", "host", [{ROOT, ROOT_TOO, OTHER, OTHER_TOO}]),
    ("user", "user", [{ROOT, ROOT_TOO}, {OTHER, OTHER_TOO}]),
    ("app", "app", [{ROOT}, {ROOT_TOO}, {OTHER}, {OTHER_TOO}]),
    ("host", "user", [{ROOT, ROOT_TOO}, {OTHER, OTHER_TOO}]),
    ("app", "host", [{ROOT}, {ROOT_TOO}, {OTHER, OTHER_TOO}]),
    ("user", "app", [{ROOT, ROOT_TOO}, {OTHER}, {OTHER_TOO}])])
def test_two_users(broker, provider, mine, theirs, shared):
    """Two programs of each: who asks first is told by the provider, and those who share are told the same."""
    made = open_to_all(broker(config(provider, rule("mine", mine, user=os.geteuid()), rule("guest", theirs, user=NOBODY))))
    told = {}
    for n, caller in enumerate([ROOT, OTHER, ROOT_TOO, OTHER_TOO]):
        group = next(frozenset(group) for group in shared if caller in group)
        if group not in told:
            provider.script(**said(f"for-{n}"))
            assert asked_by(made, *caller) == (f"for-{n}", ""), caller
            told[group] = f"for-{n}"
        assert asked_by(made, *caller) == (told[group], "hit"), caller
    assert len(provider.requests()) == len(shared)
    for group, text in told.items():
        assert {asked_by(made, *caller) for caller in group} == {(text, "hit")}


@needs_root
def test_nobody_joins_another_users_call(broker, provider):
    """What is under way is shared as what was kept is."""
    made = open_to_all(broker(config(provider, rule("mine", "user", user=os.geteuid()), rule("guest", "user", user=NOBODY))))
    provider.script(**said("mine"), hold="start")
    calls = Calls(made.socket)
    first, joined = calls.ask(cache="on"), calls.ask(cache="on")
    provider.wait_request(1)
    provider.script(**said("theirs"))
    assert asked_by(made, NOBODY) == ("theirs", "")
    provider.release()
    calls.finish()
    calls.close()
    assert [(calls.texts[n], calls.source(n)) for n in (first, joined)] == [("mine", ""), ("mine", "joined")]
    assert len(provider.requests()) == 2


@needs_root
def test_the_list_shows_each_his_own(broker, provider):
    """Whoever runs the broker sees all with their scopes."""
    made = open_to_all(broker(config(provider, rule("mine", "user", user=os.geteuid()), rule("guest", "user", user=NOBODY))))
    for uid in (0, NOBODY):
        provider.script(**said(f"for-{uid}"))
        assert asked_by(made, uid) == (f"for-{uid}", "")
    rows = json.loads(made.llmb("cache", "list", "--json").out)["entries"]
    assert sorted(row["scope"] for row in rows) == ["user:0", f"user:{NOBODY}"]


def test_two_sections_with_one_address_share_nothing(broker, provider):
    """A section is an account, though two of them ask at the same place."""
    made = broker(harness.provider_section(provider, "a", auth="none") + harness.provider_section(provider, "b", auth="none"))
    for n, model in enumerate(("a/m", "b/m")):
        provider.script(**said(f"of {model}"))
        assert one(made, model=model) == (f"of {model}", "")
        assert len(provider.requests()) == n + 1
    for model in ("a/m", "b/m"):
        for stream in (True, False):
            assert one(made, model=model, stream=stream) == (f"of {model}", "hit")
    assert len(provider.requests()) == 2
