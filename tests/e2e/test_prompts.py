"""test_prompts.py - what is kept of prompts, where can it be read, and by whom?"""

import json
import stat

import harness
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

KEY = "sk-test-0123456789abcdef"
WORD = "Zanzibar-Quetzal"
ON = "[ledger]\nkeep_prompts = 7d\n"


def started(broker, provider, text):
    made = broker(harness.provider_section(provider, model="m") + text)
    made.add_key("test", KEY)
    return made


def rows(made):
    return [json.loads(line) for line in made.llmb("usage", "--export", "jsonl").out.splitlines()]


def call(made, *args, **more):
    """Its id, as the ledger has it."""
    before = {row["id"] for row in rows(made)}
    done = made.llmb(*args, **more)
    assert done.code == 0, done.err
    one, = [row["id"] for row in rows(made) if row["id"] not in before]
    return one


def ask(made, text, model="test/m"):
    return call(made, "ask", "--no-stream", "-m", model, text)


def shown(made, one, *args):
    return made.llmb("usage", "--prompt", one, *args)


def files_with(made, text):
    """All that the broker has written anywhere, its log too."""
    paths = [path for path in made.folder.rglob("*") if path.is_file()]
    assert made.state_dir / "ledger.db" in paths
    found = [path for path in paths if text.encode() in path.read_bytes()]
    assert text not in made.log()
    return found


def test_off_nothing_is_kept(broker, provider):
    made = started(broker, provider, "")
    one = ask(made, WORD)
    assert not (made.state_dir / "prompts").exists()
    done = shown(made, one)
    assert done.code == 1 and "keep_prompts" in done.err
    made.stop()
    assert files_with(made, WORD) == []


def test_on_it_is_found_and_sealed(broker, provider):
    made = started(broker, provider, "[broker]\nlog_level = debug\n" + ON)
    one, other = ask(made, f"{WORD} one"), ask(made, f"{WORD} other", "offline/echo")
    done = shown(made, one)
    assert done.code == 0, done.err
    assert done.out.encode() == provider.requests()[-1].body + b"\n"
    assert f"{WORD} other" in shown(made, other).out
    told = json.loads(shown(made, one, "--json").out)
    assert told["id"] == one and not told["is_cut"] and told["bytes"] == len(told["text"])
    kept = list((made.state_dir / "prompts").iterdir())
    assert len(kept) == 1 and stat.S_IMODE(kept[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(kept[0].parent.stat().st_mode) == 0o700
    assert files_with(made, WORD) == []
    read = [r for r in json.loads(made.llmb("audit", "--json").out)["records"]
            if r["what"] == "prompt.read"]
    assert [r["subject"] for r in read] == [one, other, one], "who looked is recorded"
    assert shown(made, "req_00000000000000000000000000").code == 2
    wrong = shown(made, KEY)
    assert wrong.code == 2 and "req_" in wrong.err
    assert files_with(made, KEY) == []

    made.configure(made.config_file.read_text().replace(ON, ""))
    made.reload()
    made.wait_log("config.loaded")
    assert shown(made, one).code == 1
    harness.wait_until(lambda: not (made.state_dir / "prompts").exists(), 5 * harness.SLOWER,
                       "what was kept is gone")


def test_what_public_apis_are_asked_is_found(broker, provider):
    made = started(broker, provider, ON)
    body = {"model": "test/m", "messages": [{"role": "user", "content": f"{WORD} relayed"}],
            "max_tokens": 20}
    for surface in ("openai.chat", "anthropic.messages"):
        one = call(made, "relay", surface, input=json.dumps(body))
        assert shown(made, one).out.encode() == provider.requests()[-1].body + b"\n"
        assert f"{WORD} relayed" in shown(made, one).out
    one = call(made, "embed", "-m", "test/m", f"{WORD} embedded")
    assert f"{WORD} embedded" in shown(made, one).out


def test_a_long_one_is_cut(broker, provider):
    made = started(broker, provider, ON + "keep_prompts_mib = 1\n")
    one = call(made, "ask", "--no-stream", "-m", "offline/echo", input=f"{WORD} {'ä' * 300000}")
    done = shown(made, one)
    assert done.code == 0 and WORD in done.out and "this is its beginning" in done.err
    assert 255 * 1024 < len(done.out.encode()) <= 256 * 1024 + 1
    assert json.loads(shown(made, one, "--json").out)["bytes"] > 600000


def test_a_configuration_that_is_bad_removes_none(broker, provider):
    made = started(broker, provider, ON)
    one = ask(made, WORD)
    assert WORD in shown(made, one).out
    good = made.config_file.read_text()
    made.stop()
    made.configure("nonsense = 1\n")
    made.start()
    assert shown(made, one).code == 1
    made.configure(good)
    made.reload()
    made.wait_log("config.loaded")
    assert WORD in shown(made, one).out


def test_killed_it_goes_on(broker, provider):
    made = started(broker, provider, ON)
    told = {}
    for number in range(5):
        one = ask(made, f"{WORD} {number}")
        told[one] = f"{WORD} {number}"
        assert told[one] in shown(made, one).out
        made.kill9()
        if number % 2:  # in the middle of a record
            for path in (made.state_dir / "prompts").iterdir():
                with open(path, "ab") as file:
                    file.write(b"\x40\x01\0\0\x1ereq_0")
        made.start()
    for one, text in told.items():
        assert text in shown(made, one).out
    assert len(list((made.state_dir / "prompts").iterdir())) == 1


def test_while_the_vault_is_locked_none_is_kept(broker, provider):
    made = started(broker, provider, ON)
    before = ask(made, f"{WORD} before")
    assert made.llmb("vault", "lock").code == 0
    meanwhile = ask(made, f"{WORD} meanwhile", "offline/echo")
    made.wait_log("prompts are not kept: the vault")
    done = shown(made, before)
    assert done.code == 5 and "llmb vault unlock" in done.err
    assert made.llmb("vault", "unlock").code == 0
    assert f"{WORD} before" in shown(made, before).out
    assert shown(made, meanwhile).code == 2
    assert f"{WORD} after" in shown(made, ask(made, f"{WORD} after")).out
    assert files_with(made, WORD) == []


def test_who_may_use_it_may_not_read_it(broker, provider):
    made = broker(harness.section("policy", "all", {"operation": "use"}) + ON)
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": "test"})
        assert client.recv_frame().type == WELCOME
        client.send_frame(CALL, 1, {"kind": "admin", "op": "prompt.read",
                                    "body": json.dumps({"id": "req_0"}).encode()})
        last = client.recv_until(END, FAULT)[-1]
    assert last.type == FAULT and last.body["class"] == "denied", last.body
