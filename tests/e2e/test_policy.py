"""test_policy.py - may everybody do what the rules say, and nothing else?"""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import time

import harness
import pytest
from surfaces import FAMILIES, dialects, relay
from test_identity import needs_bwrap
from wire import CALL, DATA, END, FAULT, HELLO, WireClient

KEY = "sk-test-0123456789abcdef"
CHAT = FAMILIES["chat"]
MODELS = ("all/a", "all/b", "other/a", "offline/echo")
SURFACES = ("openai.chat", "anthropic.messages")
TYPED = ("chat", "complete", "embed", "rerank", "count", "moderate", "models")


def operations():
    """All operations that the broker has, as its source has them: a new one is in the table by itself."""
    text = (harness.TOP / "brokerd/policy/policy.c").read_text()
    rows = re.findall(r'\{CALL_(TYPED|RELAY|NATIVE|ADMIN),\s*"([a-z.]+)"', text)
    assert len(rows) > 30
    return [(kind.lower(), name) for kind, name in rows]


def configured(provider, *rules):
    return ("".join(harness.section("policy", name, keys) for name, keys in rules) +
            harness.provider_section(provider, "all", dialect=dialects()) +
            harness.provider_section(provider, "other", dialect="openai-chat /v1/chat/completions"))


def started(broker, provider, *rules):
    """A broker whose socket's folder has the usual name, so that there is one for sandboxes."""
    made = broker(configured(provider, *rules), run=False)
    made.socket = made.folder / "llm-broker" / "sock"
    made.env["LLM_BROKER_SOCKET"] = str(made.socket)
    made.start()
    made.add_key("all", KEY)
    made.add_key("other", KEY)
    return made


def llmb(made, *args, socket=None, **more):
    return made.llmb(*args, env={"LLM_BROKER_SOCKET": str(socket or made.socket)}, **more)


# ---- one socket, and nothing else ----

BARE = ["bwrap", "--unshare-all", "--die-with-parent", "--clearenv"]


def bare(made, folder, *args):
    """The static client where there is no file but itself and the folder of a socket: no /proc, no /home, no network,
    and not even a C library."""
    return subprocess.run(
        [*BARE, "--ro-bind", harness.wrap("static_client"), "/client", "--ro-bind", str(folder), "/broker",
         "--setenv", "LLM_BROKER_SOCKET", "/broker/sock", "--", "/client", *args],
        env=made.env, capture_output=True, text=True, timeout=harness.CALL_SECONDS)


@needs_bwrap
def test_a_bare_sandbox_streams_an_answer(broker, provider):
    made = started(broker, provider)
    app = json.loads(llmb(made, "app", "add", "bare", "--json").out)
    provider.script(**CHAT.script("Hello from nowhere.", True)[0])
    done = bare(made, pathlib.Path(app["socket"]).parent, "ask", "other/a", "hi")
    assert (done.returncode, done.stdout) == (0, "Hello from nowhere."), done
    assert provider.requests()[0].header("authorization") == [f"Bearer {KEY}"]


PROFILE = {"profile": "small", "operation": ["chat", "embed", "relay", "status"], "model": ["all/a", "offline/*"]}


@needs_bwrap
def test_a_profile_names_all_that_a_sandbox_may_do(broker, provider):
    """The whole table of operations, generated, and every model."""
    made = started(broker, provider, ("small", PROFILE))
    app = json.loads(llmb(made, "app", "add", "bare", "--profile", "small", "--json").out)
    folder = pathlib.Path(app["socket"]).parent
    provider.script(status=404, message="nothing is served here", times=0)
    for kind, name in operations():
        may = name in PROFILE["operation"] or name == "whoami"
        for each in SURFACES if kind == "relay" else ["all"] if kind == "native" else [name]:
            done = bare(made, folder, "try", kind, each, "all/a")
            assert done.stdout, done
            assert (done.stdout.strip() == "denied") == (not may), (kind, each, done)
    for model in MODELS:
        may = model in ("all/a", "offline/echo")
        for kind, name in [("typed", "chat"), ("relay", "openai.chat"), ("relay", "anthropic.messages"),
                           ("typed", "embed")]:
            done = bare(made, folder, "try", kind, name, model)
            assert (done.stdout.strip() == "denied") == (not may), (kind, name, model, done)
    assert all(request.json["model"] == "a" for request in provider.requests())


@needs_bwrap
def test_in_a_sandbox_nothing_goes_without_a_word(broker, provider):
    made = started(broker, provider)
    for kind, name in operations():
        each = "openai.chat" if kind == "relay" else "all" if kind == "native" else name
        done = bare(made, harness.sandbox_socket(made).parent, "try", kind, each, "all/a")
        want = "ok" if name == "whoami" else ("denied", "consent")
        assert done.stdout.strip() in want, (kind, name, done)
    assert provider.requests() == []


# ---- what a rule bounds ----

def test_the_first_rule_that_fits_holds(broker, provider):
    made = started(broker, provider)
    made.configure(configured(provider, ("first", {"kind": "host", "operation": ["chat", "policy.*", "config.*"],
                                                   "model": "other/*"}),
                              ("second", {"kind": "host", "operation": "*"})))
    made.reload()
    made.wait_log("config.loaded")
    assert json.loads(llmb(made, "policy", "test", "--json").out)["rule"] == "first"
    assert llmb(made, "policy", "test", "-m", "other/a").code == 0
    assert llmb(made, "policy", "test", "-m", "all/a").code == 3
    assert llmb(made, "policy", "test", "--op", "usage").code == 3
    assert llmb(made, "usage").code == 3


def test_a_rule_caps_what_is_answered(broker, provider):
    made = started(broker, provider, ("host", {"max_output": 7}))
    provider.script(**CHAT.script("x", False)[0], times=0)
    assert relay(made, "openai.chat", '{"model":"other/a","messages":[{"role":"user","content":"x"}]}').is_good
    call = relay(made, "openai.chat",
                 '{"model":"other/a","max_tokens":100,"messages":[{"role":"user","content":"x"}]}')
    assert call.is_good and "clamped_parameter" in call.header("x-llm-broker-warning")[0]
    sent = [request.json for request in provider.requests()]
    assert [body.get("max_completion_tokens", body.get("max_tokens")) for body in sent] == [7, 7]


def test_a_rule_bounds_what_is_asked(broker, provider):
    made = started(broker, provider, ("host", {"max_input": 100, "max_cost": "0.001"}))
    long = "word " * 1000
    call = relay(made, "openai.chat", json.dumps({"model": "other/a", "messages": [{"role": "user", "content": long}]}))
    assert call.status == 403 and "max_input" in call.json["error"]["message"]
    call = relay(made, "openai.chat", json.dumps({"model": "other/a", "messages": [{"role": "user", "content": "x"}]}))
    assert call.fault == "budget" and "price" in call.json["error"]["message"], call
    assert provider.requests() == []


@pytest.mark.parametrize("members", [
    {"models": ["b"]}, {"models": ["a", "b"]}, {"mod\\u0065ls": ["b"]}, {"route": {"fallback_model": "b"}},
    {"Models": ["b"]}, {"plugins": [{"id": "x", "model": "b"}]}], ids=str)
def test_a_body_reaches_no_other_model(broker, provider, members):
    """Some hosts take more models in members that nobody here knows: they go on as they are, so they are judged."""
    made = started(broker, provider, ("host", {"model": "other/a"}))
    provider.script(**CHAT.script("x", False)[0], times=0)
    more = json.dumps(members)[1:-1].replace("\\\\u", "\\u")
    body = '{"model":"other/a","messages":[{"role":"user","content":"x"}],%s}'
    call = relay(made, "openai.chat", body % more)
    assert call.status == 403 and call.fault == "denied", call
    assert provider.requests() == []
    assert relay(made, "openai.chat", body % '"models":["a"],"metadata":{"model":"b"}').is_good


def test_a_list_shows_what_may_be_asked(broker, provider):
    made = started(broker, provider, ("host", {"except_model": "all/*"}))
    provider.script(status=404, message="no list", times=0)
    call = relay(made, "models", method="GET")
    assert call.is_good and not [m for m in call.json["data"] if m["id"].startswith("all/")], call.json


def test_native_calls_go_where_a_rule_says(broker, provider):
    made = started(broker, provider, ("host", {"native": "other GET /v1/files"}))
    provider.script(body='{"data":[]}', times=0)
    for provider_name, method, path, may in [
            ("other", "GET", "/v1/files", True), ("other", "GET", "/v1/files/x", True),
            ("other", "POST", "/v1/files", False), ("other", "GET", "/v1/filesx", False),
            ("other", "GET", "/v1/models", False), ("all", "GET", "/v1/files", False)]:
        done = llmb(made, "relay", "--native", provider_name, path, "-X", method, input="{}" if method == "POST" else None)
        assert (done.code == 0) == may, (provider_name, method, path, done)
        assert may or done.code == 3, done


def test_one_caller_has_so_many_connections_and_calls(broker, provider):
    made = started(broker, provider, ("host", {"max_connections": 3, "max_calls": 1}))
    held = []
    for _ in range(3):
        held.append(WireClient(made.socket))
        held[-1].send_frame(HELLO, 0, {"min": 1, "max": 1})
        held[-1].recv_frame()
    with WireClient(made.socket) as one_more:
        frame = one_more.recv_frame()
        assert frame.type == FAULT and frame.body["class"] == "overloaded", frame
    for client in held:
        client.close()


# ---- what a person says ----

def test_a_person_lets_a_sandbox_in_and_cuts_it_off(broker, provider):
    made = started(broker, provider)
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    ask = ("ask", "--no-stream", "-m", "other/a", "hi")
    done = llmb(made, *ask, socket=harness.sandbox_socket(made))
    assert done.code == 3 and "nobody has allowed host:llmb" in done.err, done
    assert llmb(made, "app", "allow", "host:llmb", "-m", "other/*").code == 0
    assert llmb(made, *ask, socket=harness.sandbox_socket(made)).out == "Hello.\n"
    done = llmb(made, "ask", "-m", "all/a", "hi", socket=harness.sandbox_socket(made))
    assert done.code == 3 and "what was allowed" in done.err, done
    made.restart()
    assert llmb(made, *ask, socket=harness.sandbox_socket(made)).out == "Hello.\n", "it is kept"
    assert llmb(made, "app", "revoke", "host:llmb").code == 0
    made.kill9()
    made.start()
    done = llmb(made, *ask, socket=harness.sandbox_socket(made))
    assert done.code == 3 and "was cut off" in done.err
    assert llmb(made, "app", "forget", "host:llmb").code == 0, "and can be taken back by whoever did it"
    assert "nobody has allowed" in llmb(made, *ask, socket=harness.sandbox_socket(made)).err


def test_a_word_holds_for_as_long_as_is_said(broker, provider):
    made = started(broker, provider)
    assert llmb(made, "app", "allow", "host:llmb", "--for", "30d").code == 0
    assert llmb(made, "app", "allow", "sandbox", "--for", "400d").code == 0
    grants = json.loads(llmb(made, "app", "list", "--json").out)["grants"]
    assert {grant["who"]: grant["until_s"] - grant["at_s"] for grant in grants} == {
        "host:llmb": 30 * 86400, "sandbox": 400 * 86400}


def test_what_is_not_there_cannot_be_taken_away(broker, provider):
    made = started(broker, provider)
    for words in (("remove", "nothing"), ("forget", "flatpak:org.x.Y")):
        done = llmb(made, "app", *words)
        assert done.code == 1 and words[1] in done.err and not done.out, done
        done = llmb(made, "app", *words, "--json")
        assert done.code == 1 and json.loads(done.out) == {"found": False}, done
    assert llmb(made, "app", "add", "notes", "--profile", "small").code == 0
    listed = llmb(made, "app", "list").out
    assert "app:notes" in listed and "a socket of its own, profile small" in listed, listed
    assert llmb(made, "app", "remove", "notes").code == 0
    assert llmb(made, "app", "remove", "notes").code == 1
    assert llmb(made, "app", "allow", "flatpak:org.x.Y").code == 0
    assert json.loads(llmb(made, "app", "forget", "flatpak:org.x.Y", "--json").out) == {"found": True}


def test_a_word_for_a_session_ends_with_it(broker, provider):
    made = started(broker, provider)
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    ask = ("ask", "--no-stream", "-m", "other/a", "hi")
    assert llmb(made, "app", "allow", "host:llmb", "--session").code == 0
    assert llmb(made, *ask, socket=harness.sandbox_socket(made)).code == 0
    made.restart()
    assert llmb(made, *ask, socket=harness.sandbox_socket(made)).code == 3


def test_a_file_of_grants_that_is_damaged_grants_nothing(broker, provider):
    made = started(broker, provider)
    assert llmb(made, "app", "allow", "host:llmb").code == 0
    made.stop()
    grants = made.state_dir / "grants"
    grants.write_text(grants.read_text() + "nonsense\n")
    made.start()
    assert llmb(made, "ask", "-m", "other/a", "hi", socket=harness.sandbox_socket(made)).code == 3
    done = llmb(made, "app", "allow", "host:llmb")
    assert done.code != 0 and "grants:2 is no grant" in done.err, done
    assert grants.read_text().endswith("nonsense\n"), "it is left as it is"


# ---- an agent ----

def fake_notify(made, answer):
    """What stands for the desktop: it writes down what it was told to show, and presses a button."""
    folder = made.folder / "desk"
    folder.mkdir(exist_ok=True)
    program = folder / "notify-send"
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo "notify-send 0.8.1"; exit; }\n'
                       f'printf "%s\\n" "$@" >>{folder}/shown\n[ -e {folder}/slow ] && sleep 60\n'
                       f'cat {folder}/answer\n')
    program.chmod(0o755)
    (folder / "answer").write_text(answer + "\n")
    return folder


def agent(made, folder):
    process = subprocess.Popen([harness.program("llm-broker-agent")],
                               env={**made.env, "LLM_BROKER_SOCKET": str(made.socket),
                                    "PATH": f"{folder}:{made.env['PATH']}"},
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    harness.wait_until(lambda: "llm-broker-agent" in llmb(made, "app", "list").out, 5, "it is there")
    return process


@pytest.mark.parametrize("answer, may", [("yes", True), ("session", True), ("no", False), ("", False)])
def test_an_agent_asks_a_person(broker, provider, answer, may):
    made = started(broker, provider)
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    folder = fake_notify(made, answer)
    process = agent(made, folder)
    try:
        done = llmb(made, "ask", "--no-stream", "-m", "other/a", "hi", socket=harness.sandbox_socket(made))
        assert (done.code == 0) == may, done
        shown = (folder / "shown").read_text()
        assert "May host:llmb use language models with your keys?" in shown
        assert "the kernel shows where it runs" in shown
        (folder / "shown").unlink()
        again = llmb(made, "ask", "--no-stream", "-m", "other/a", "hi", socket=harness.sandbox_socket(made))
        assert (again.code == 0) == may
        assert (folder / "shown").exists() == (not answer), "who was answered is not asked again"
    finally:
        harness.kill_group(process)
    if answer == "yes":
        file = made.state_dir / "grants"
        harness.wait_until(file.exists, 10, "the grant is on disk")
        grants = json.loads(file.read_text())
        assert grants["allow"] and 29 * 86400 < grants["until_s"] - grants["at_s"] <= 30 * 86400


ODD = 'a", by you. <b>x\\074i&'  # a program's name, which may be anything


def test_a_name_cannot_go_on_with_the_question(broker, provider):
    """A notification's body is markup, in which notify-send undoes the escapes of C."""
    made = started(broker, provider)
    folder = fake_notify(made, "no")
    program = folder / ODD
    shutil.copy(harness.wrap("static_client"), program)
    process = agent(made, folder)
    try:
        subprocess.run([program, "ask", "other/a", "hi"], env={"LLM_BROKER_SOCKET": str(harness.sandbox_socket(made))},
                       capture_output=True, timeout=harness.CALL_SECONDS)
        title, body = (folder / "shown").read_text().splitlines()[-2:]
    finally:
        harness.kill_group(process)
    assert ODD.replace('"', "'") in title and title.count('"') in (0, 2), title
    markup = ODD.replace('"', "'").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\\", 2 * "\\")
    assert markup in body and body.count('"') == 4, body


def test_all_who_wait_for_one_answer_get_it(broker, provider):
    made = started(broker, provider)
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    folder = fake_notify(made, "yes")
    process = agent(made, folder)
    try:
        running = [made.llmb_start("ask", "--no-stream", "-m", "other/a", "hi",
                                 env={"LLM_BROKER_SOCKET": str(harness.sandbox_socket(made))}) for _ in range(5)]
        assert [one.finish().code for one in running] == [0] * 5
        assert (folder / "shown").read_text().count("May host:llmb") == 1
    finally:
        harness.kill_group(process)


def test_a_question_nobody_answers_ends_with_its_caller(broker, provider):
    made = started(broker, provider)
    folder = fake_notify(made, "yes")
    (folder / "slow").touch()
    process = agent(made, folder)
    try:
        done = llmb(made, "ask", "--timeout", "1s", "-m", "other/a", "hi", socket=harness.sandbox_socket(made))
        assert done.code == 124, done
        rows = made.wait_ledger(1, 0)
        assert rows["exchange"][0]["outcome"] == "failed" and rows["attempt"] == []
    finally:
        harness.kill_group(process)


def test_an_agent_in_a_sandbox_is_none(broker, provider):
    made = started(broker, provider)
    folder = fake_notify(made, "yes")
    done = subprocess.run([harness.program("llm-broker-agent")], timeout=10, capture_output=True, text=True,
                          env={**made.env, "LLM_BROKER_SOCKET": str(harness.sandbox_socket(made)),
                               "PATH": f"{folder}:{made.env['PATH']}"})
    assert done.returncode == 1 and "consent.next" in done.stderr, done


# ---- programs that are started with a way of their own ----

@needs_bwrap
def test_llmb_run_gives_a_sandbox_its_own_connection(broker, provider):
    """Nothing is bound in: the connection alone goes through."""
    made = started(broker, provider, ("small", PROFILE))
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    client = harness.wrap("static_client")
    inside = ["bwrap", "--unshare-all", "--ro-bind", client, "/client", "--", "/client"]
    done = llmb(made, "run", "--profile", "small", "--name", "tool", "--", *inside, "ask", "all/a", "hi")
    assert (done.code, done.out) == (0, "Hello."), done
    done = llmb(made, "run", "--profile", "small", "--name", "tool", "--", *inside, "try", "typed", "chat", "other/a")
    assert done.out == "denied\n", done
    seen = json.loads(llmb(made, "app", "list", "--json").out)["seen"]
    (tool,) = [one for one in seen if one["who"] == "sandbox:tool"]
    assert (tool["peer"]["socket"], tool["peer"]["confidence"], tool["rule"]) == ("handed", "listener", "small")
    assert not list(pathlib.Path(made.env["XDG_RUNTIME_DIR"]).glob("llmb-run-*"))


def test_one_program_after_the_other(broker, provider):
    made = started(broker, provider, ("small", PROFILE))
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    program = harness.program("llmb")
    done = llmb(made, "run", "--profile", "small", "--", "sh", "-c",
                f"for i in 1 2 3; do {program} ask --no-stream -m all/a hi; done")
    assert (done.code, done.out) == (0, "Hello.\n" * 3), done


def test_who_was_handed_down_hands_nothing_down(broker, provider):
    made = started(broker, provider, ("small", {"profile": "small", "operation": "*"}))
    program = harness.program("llmb")
    done = llmb(made, "run", "--profile", "small", "--", program, "run", "--profile", "small", "--", program, "whoami")
    assert done.code == 3 and "only a program in the open" in done.err, done
    done = llmb(made, "run", "--profile", "nobody", "--", program, "whoami")
    assert done.code == 3 and "no [policy] is for the profile" in done.err, done


def test_a_handed_socket_ends_with_its_maker(broker, provider):
    made = started(broker, provider, ("small", PROFILE))
    before = made.sockets()
    done = llmb(made, "run", "--profile", "small", "--", "sh", "-c", "exit 5")
    assert done.code == 5
    harness.wait_until(lambda: made.sockets() <= before, 5, "it is closed")


# ---- two applications, one vault ----

def test_two_applications_share_one_vault(broker, provider):
    """One by the library, one by the surface of an API; neither has a key, each is told apart, and cutting one off
    stops only it."""
    made = started(broker, provider)
    provider.script(**CHAT.script("Hello.", False)[0], times=0)
    socket = {name: json.loads(llmb(made, "app", "add", name, "--json").out)["socket"] for name in ("native", "http")}
    body = '{"model":"other/a","messages":[{"role":"user","content":"x"}]}'

    def native():
        return subprocess.run([harness.wrap("static_client"), "ask", "other/a", "hi"],
                              env={"LLM_BROKER_SOCKET": socket["native"]}, capture_output=True, text=True)

    def http():
        return llmb(made, "relay", "openai.chat", socket=socket["http"], input=body)
    assert native().stdout == "Hello." and json.loads(http().out)["choices"]
    made.wait_ledger(2, 2)
    usage = llmb(made, "usage", "--by", "app").out
    assert "app:native" in usage and "app:http" in usage
    assert llmb(made, "app", "revoke", "app:http").code == 0
    assert http().code == 3 and native().returncode == 0
    assert {request.header("authorization")[0] for request in provider.requests()} == {f"Bearer {KEY}"}


def test_a_doctor_who_is_not_shown_something_finds_nothing_wrong(broker, provider):
    made = started(broker, provider, ("small", {**PROFILE, "operation": "chat"}))
    app = json.loads(llmb(made, "app", "add", "notes", "--profile", "small", "--json").out)
    for path, offline in ((app["socket"], "ok"), (harness.sandbox_socket(made), "skip")):
        done = llmb(made, "doctor", "--live", "--json", socket=path)
        found = {one["name"]: one for one in json.loads(done.out)["checks"]}
        assert done.code == 0 and json.loads(done.out)["ok"], found
        assert [found[name]["status"] for name in ("status", "offline", "provider")] == ["skip", offline, "skip"], found
        assert "not allowed to see" in found["status"]["message"] and found["you"]["status"] == "ok"


# ---- sockets that a service manager hands over ----

def activated(made, names):
    """Starts the daemon with a listening socket for each name, as systemd does: {name: path}."""
    paths, held = {}, []
    for i, name in enumerate(names):
        paths[name] = made.folder / f"{i}.sock"
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].bind(str(paths[name]))
        held[-1].listen()
    fds = [one.fileno() for one in held]
    code = ("import os, sys; fds = [os.dup(int(fd)) for fd in sys.argv[2].split(',')]; n = len(fds)\n"
            "moved = [os.dup2(fd, 40 + i) for i, fd in enumerate(fds)]\n"
            "[os.dup2(fd, 3 + i) for i, fd in enumerate(moved)]\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(n), LISTEN_FDNAMES=sys.argv[1])\n"
            "os.execv(sys.argv[3], sys.argv[3:])")
    with open(made.log_file, "ab") as log:
        made.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", code, ":".join(names), ",".join(map(str, fds)), harness.program("llm-brokerd"),
             "--config", str(made.config_file), "--state-dir", str(made.state_dir)],
            env=made.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=fds)
    return paths


def test_sockets_are_known_by_their_names(broker, provider):
    made = broker(configured(provider), run=False)
    paths = activated(made, ["llm-broker.socket", "sandbox", "app-notes"])

    def seen(name):
        peer = json.loads(llmb(made, "whoami", "--json", socket=paths[name]).out)["peer"]
        return peer["socket"], peer["kind"], peer["name"]
    assert seen("llm-broker.socket") == ("main", "host", "llmb")
    assert seen("sandbox") == ("sandbox", "host", "llmb")
    assert seen("app-notes") == ("app", "app", "notes")
    assert llmb(made, "app", "revoke", "app:notes", socket=paths["llm-broker.socket"]).code == 0
    assert llmb(made, "ask", "hi", socket=paths["app-notes"]).code == 3


def test_a_name_that_is_no_application_s_is_refused(broker, provider):
    made = broker(configured(provider), run=False)
    activated(made, ["app-../x"])
    assert made.wait_exit() != 0 and "is no application's name" in made.log()


def test_one_that_cannot_be_served_leaves_the_others(broker, provider):
    made = broker(configured(provider), run=False)
    paths = activated(made, ["app-../x", "llm-broker.socket", "app-notes"])
    for name, kind in (("llm-broker.socket", "host"), ("app-notes", "app")):
        assert json.loads(llmb(made, "whoami", "--json", socket=paths[name]).out)["peer"]["kind"] == kind
    assert "is no application's name" in made.log()


def test_a_socket_that_would_go_with_the_broker_keeps_it(broker, provider):
    """Who comes by it starts none."""
    made = broker(configured(provider) + "\n[broker]\nidle_exit = 300ms\n", run=False)
    main = activated(made, ["llm-broker.socket"])["llm-broker.socket"]
    done = llmb(made, "app", "add", "notes", socket=main)
    assert done.code == 0 and "llm-broker-app@notes.socket" in done.err, done
    path = done.out.split("=")[1].strip()
    time.sleep(1)
    assert llmb(made, "whoami", socket=path).code == 0
    assert llmb(made, "app", "remove", "notes", socket=main).code == 0
    assert made.wait_exit() == 0 and "reason=idle" in made.log()


def test_a_socket_that_is_held_elsewhere_comes_again(broker, provider):
    made = broker(configured(provider) + "\n[broker]\nidle_exit = 300ms\n", run=False)
    paths = activated(made, ["llm-broker.socket", "app-notes"])
    done = llmb(made, "app", "add", "notes", socket=paths["llm-broker.socket"])
    assert done.code == 0 and str(paths["app-notes"]) in done.out and done.err == "", done
    done = llmb(made, "app", "remove", "notes", socket=paths["llm-broker.socket"])
    assert done.code == 0 and "disable llm-broker-app@notes.socket" in done.err, done
    assert made.wait_exit() == 0


# ---- what is remembered of it ----

def test_what_was_allowed_and_refused_is_in_the_audit_log(broker, provider):
    made = started(broker, provider, ("host", {"except_model": "all/*"}))
    assert llmb(made, "app", "allow", "flatpak:org.x.Y").code == 0
    assert llmb(made, "app", "revoke", "flatpak:org.x.Y").code == 0
    assert llmb(made, "app", "add", "notes").code == 0
    assert llmb(made, "ask", "-m", "all/a", "hi").code == 3
    assert llmb(made, "ask", "-m", "other/a", "hi", socket=harness.sandbox_socket(made)).code == 3
    records = [json.loads(line) for line in llmb(made, "audit", "list", "--json").out.splitlines()]
    records = records[0]["records"] if "records" in records[0] else records
    seen = {(one["what"], one.get("verdict"), one.get("subject")) for one in records}
    for want in (("app.allow", "allowed", "flatpak:org.x.Y"), ("app.revoke", "allowed", "flatpak:org.x.Y"),
                 ("app.add", "allowed", "app:notes"), ("denied.call", "denied", "all/a"),
                 ("denied.call", "denied", "chat")):
        assert want in seen, (want, sorted(map(str, seen)))
    assert llmb(made, "audit", "verify").code == 0


# ---- ways around ----

@pytest.mark.parametrize("path", [
    "/v1/files/../models", "/v1/files/%2e%2e/models", "/v1/files/.%2e/models", "/v1/files/%2E%2E%2Fmodels",
    "/v1/files/..;/models", "/v1/files/..%5cmodels", "/v1/files/%252e%252e/models", "/v1/files//x",
    "/v1/files/%25252e%25252e/x"])
def test_no_native_path_climbs(broker, provider, path):
    made = started(broker, provider, ("host", {"native": "other GET /v1/files"}))
    provider.script(body="{}", times=0)
    done = llmb(made, "relay", "--native", "other", path, "-X", "GET")
    assert done.code != 0 and provider.requests() == [], done
    assert llmb(made, "relay", "--native", "other", "/v1/files/a.b..c/d", "-X", "GET").code == 0


@pytest.mark.parametrize("path, body, may", [
    ("/v1/chat/completions", '{"model":"a"}', True), ("/v1/chat/completions", '{"model":"b"}', False),
    ("/v1/chat/completions/", '{"model":"b"}', False), ("/v1/images/generations", '{"model":"b"}', False),
    ("/v1/images/generations", '{"model":"a"}', True), ("/v1/images", '{"model":"a","models":["b"]}', False),
    ("/v1/images", '{"prompt":"x"}', False), ("/v1/images", "\ufeff" + '{"model":"a"}', False),
    ("/v1/images", "--x\r\nnot json\r\n--x--", False), ("/v1/models/b:generateContent", '{"model":"a"}', False),
    ("/v1/models/a:generateContent", '{"model":"a"}', True), ("/openai/deployments/b/chat", '{"model":"a"}', False)])
def test_native_calls_keep_to_the_models_of_a_rule(broker, provider, path, body, may):
    made = started(broker, provider, ("host", {"native": "other * /", "model": "other/a"}))
    provider.script(body="{}", times=0)
    done = llmb(made, "relay", "--native", "other", path, input=body)
    assert (done.code == 0) == may and len(provider.requests()) == may, done


def test_an_answer_that_is_kept_is_its_own_identity_s(broker, provider):
    """Neither without a word of a person's, nor by another application."""
    made = started(broker, provider)
    provider.script(**FAMILIES["responses"].script("Secret.", False)[0], times=0)
    body = '{"model":"all/a","input":"x"}'
    sockets = {name: json.loads(llmb(made, "app", "add", name, "--json").out)["socket"] for name in ("one", "two")}

    def relay_at(where, *path, input=None, method="GET"):
        return llmb(made, "relay", "openai.responses", *path, "-X", "POST" if input else method, socket=where, input=input)
    name = json.loads(relay_at(made.socket, input=body).out)["id"]
    for where in (harness.sandbox_socket(made), sockets["one"]):
        for method in ("GET", "DELETE"):
            done = relay_at(where, f"/v1/responses/{name}", method=method)
            assert done.code != 0 and "Secret." not in done.out, (where, done)
    own = json.loads(relay_at(sockets["one"], input=body).out)["id"]
    assert relay_at(sockets["two"], f"/v1/responses/{own}").code != 0
    assert "Secret." in relay_at(sockets["one"], f"/v1/responses/{own}").out
    assert "Secret." in relay_at(made.socket, f"/v1/responses/{name}").out


def test_a_call_that_was_opened_before_a_no_does_not_escape_it(broker, provider):
    made = started(broker, provider)
    socket_path = json.loads(llmb(made, "app", "add", "notes", "--json").out)["socket"]
    with WireClient(socket_path) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1})
        client.recv_frame()
        client.send_frame(CALL, 1, {"kind": "relay", "surface": {"surface": "openai.chat"}})
        assert llmb(made, "app", "revoke", "app:notes").code == 0
        client.send_frame(DATA, 1, {"d": b'{"model":"other/a","messages":[]}', "last": True})
        assert client.recv_until(END, FAULT)[-1].body["class"] == "denied"
    assert provider.requests() == []


def test_a_claimed_name_gets_nothing_that_was_granted_to_it(broker, provider):
    """A rule or a grant for a name holds for who has it, not for who says so."""
    made = started(broker, provider, ("builder", {"kind": "flatpak", "name": "org.gnome.Builder"}))
    said = json.loads(llmb(made, "policy", "test", "--as", "flatpak:org.gnome.Builder", "--json").out)
    assert said["rule"] == "builder" and said["allowed"]


@pytest.mark.parametrize("body", [
    {"who": "sandbox:x", "models": "openai/*"}, {"who": "sandbox:x", "models": ["", ""]},
    {"who": "sandbox:x", "models": ["a b"]}, {"who": "sandbox:x", "session": "yes"},
    {"who": "sandbox:x", "for_s": "1h"}, {"who": "sandbox:x", "for_s": -1}, {"who": "host"}, {"who": "app"},
    {"who": "nonsense:x"}, {"who": ""}, {"who": "unknown"}], ids=str)
def test_a_grant_that_is_not_understood_is_none(broker, provider, body):
    made = started(broker, provider)
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1})
        client.recv_frame()
        client.send_frame(CALL, 1, {"kind": "admin", "op": "app.allow", "body": json.dumps(body).encode()})
        assert client.recv_until(END, FAULT)[-1].type == FAULT
    assert not (made.state_dir / "grants").exists()


@pytest.mark.parametrize("keys, said", [
    ({"operation": "chatt"}, "operation = chatt"), ({"native": "nope GET /v1"}, "no provider is called so"),
    ({"native": "other get /v1"}, "the method get"), ({"kind": "flatpack"}, "kind is one of"),
    ({"user": "nobody-of-that-name"}, "has no user"), ({"native": "other GET v1"}, "this is PROVIDER METHODS PATH"),
    ({"max_cost": "much"}, "this is dollars")])
def test_a_rule_that_makes_no_sense_is_refused_where_it_stands(broker, provider, keys, said):
    made = started(broker, provider)
    made.configure(configured(provider, ("x", keys)))
    done = subprocess.run([harness.program("llm-brokerd"), "--check", "--config", str(made.config_file)],
                          env=made.env, capture_output=True, text=True)
    assert done.returncode == 1 and said in done.stderr, done


def test_a_rule_that_never_holds_is_named_and_no_error(broker, provider):
    """With the files and lines of both, whichever files they are in."""
    made = started(broker, provider)
    made.configure("[policy \"wide\"]\nkind = app\n" + harness.provider_section(provider, "test"))
    folder = made.folder / "broker.conf.d"
    folder.mkdir()
    (folder / "50-notes.conf").write_text("# mine\n[policy \"notes\"]\nkind = app\nname = notes\n")

    def check():
        return subprocess.run([harness.program("llm-brokerd"), "--check", "--config", str(made.config_file)],
                              env=made.env, capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    done = check()
    assert done.returncode == 0 and done.stderr == "", done
    assert done.stdout.splitlines() == [
        f'{made.config_file}: [policy "notes"] ({folder}/50-notes.conf:2) never holds: [policy "wide"] '
        f"({made.config_file}:1) comes before it and fits whoever it fits", f"{made.config_file}: ok"]
    made.configure("")
    (folder / "90-policy.conf").write_text("[policy \"wide\"]\nkind = app\n")
    done = check()
    assert (done.returncode, done.stdout) == (0, f"{made.config_file}: ok\n"), done
