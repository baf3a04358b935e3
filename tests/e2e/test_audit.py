"""test_audit.py - is it recorded who was allowed, denied or failed to do what, and can nobody change it unseen?"""

import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import harness
import pytest
from test_secrets import canary, hits
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient, WireError

KEY = "sk-test-0123456789abcdef"
WORD = "a passphrase of some words"


def listed(made, *args):
    done = made.llmb("audit", "--json", "--limit", 1000, *args)
    assert done.code == 0, done
    return json.loads(done.out)["records"]


def verified(made, *args):
    done = made.llmb("audit", "verify", "--json", *args)
    return done.code, json.loads(done.out)


def greeted(made):
    client = WireClient(made.socket, timeout=10)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test_audit", "app": "Test"})
    assert client.recv_frame().type == WELCOME
    return client


def admin(op, **body):
    return {"kind": "admin", "op": op, "body": json.dumps(body).encode()}


def ask(made, op, **body):
    """One administrative operation, as no command of llmb sends it."""
    with greeted(made) as client:
        client.send_frame(CALL, 1, admin(op, **body))
        return client.recv_until(END, FAULT)[-1]


def brief(record):
    return (record["what"], record.get("verdict"), record.get("class"), record.get("subject"))


def test_every_change_is_recorded(broker):
    made = broker("[provider \"mine\"]\nbase_url = https://example.com\ndialect = openai-chat\n")
    made.add_key("openai", KEY)
    made.llmb("key", "add", "mine/work", "--from-stdin", "--no-input", input=KEY)
    made.llmb("key", "add", "nobody", "--from-stdin", "--no-input", input=KEY)
    made.llmb("key", "rm", "openai")
    made.llmb("vault", "lock")
    made.llmb("vault", "unlock")
    made.llmb("catalogue", "clear")
    ask(made, "config.reload")
    made.configure("[broker]\nnonsense = 1\n")
    ask(made, "config.reload")
    for args in (["status"], ["models"], ["key", "list"], ["usage"], ["vault", "status"], ["audit"]):
        made.llmb(*args)
    records = [r for r in listed(made) if not r["what"].startswith("audit.")]
    assert [brief(r) for r in records] == [
        ("broker.start", "allowed", None, None),
        ("config.load", "allowed", None, str(made.config_file)),
        ("key.add", "allowed", None, "openai"),
        ("key.add", "allowed", None, "mine/work"),
        ("key.add", "failed", "invalid_argument", None),
        ("key.remove", "allowed", None, "openai"),
        ("vault.lock", "allowed", None, None),
        ("vault.unlock", "allowed", None, None),
        ("catalogue.import", "allowed", None, None),
        ("config.load", "allowed", None, str(made.config_file)),
        ("config.reload", "allowed", None, None),
        ("config.load", "failed", "misconfigured", str(made.config_file)),
        ("config.reload", "allowed", None, None)]
    assert "broker.conf:2" in records[11]["detail"] and "nonsense" not in records[11]["detail"]
    assert records[2]["detail"] == "made the vault"
    who = records[2]["who"]
    assert who["uid"] == os.geteuid() and who["pid"] > 0 and who["program"] == "llmb"
    assert "who" not in records[0]
    assert [r["seq"] for r in listed(made)] == list(range(1, len(listed(made)) + 1))


def test_the_list_is_for_people_and_for_scripts(broker):
    made = broker()
    made.add_key("openai", KEY)
    made.llmb("key", "rm", "mistral")
    done = made.llmb("audit")
    assert done.code == 0 and "key.add" in done.out and "allowed" in done.out
    assert "openai" in done.out and f"(uid {os.geteuid()})" in done.out
    assert {r["what"] for r in listed(made, "--what", "key")} == {"key.add", "key.remove"}
    assert {r["what"] for r in listed(made, "--what", "key.remove")} == {"key.remove"}
    assert listed(made, "--what", "ke") == []
    assert len(listed(made, "--since", "1h")) == len(listed(made))
    assert made.llmb("audit", "list", "--limit", "1").out.count("\n") == 2
    assert made.llmb("audit", "--since", "yesterday").code == 2
    assert made.llmb("audit", "--limit", "5000").code == 2
    assert "verify" in made.llmb("audit", "--help").out
    assert "--head" in made.llmb("audit", "verify", "--help").out


def test_what_is_denied_is_recorded_once_and_counted(broker):
    made = broker()
    with greeted(made) as client:
        for number in range(1, 51):
            client.send_frame(CALL, number, admin("key.show", provider="openai"))
            assert client.recv_until(FAULT)[-1].body["class"] == "denied"
    denied = listed(made, "--what", "denied")
    assert [brief(r) for r in denied] == [("denied.call", "denied", "denied", "key.show")]
    assert denied[0]["who"]["app"] == "Test"
    made.restart()
    denied = listed(made, "--what", "denied")
    assert len(denied) == 2 and denied[1]["count"] == 49
    assert "49 times" in made.llmb("audit").out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another uid")
def test_another_user_is_refused_and_recorded(broker):
    made = broker()
    made.folder.chmod(0o711)
    made.socket.chmod(0o666)
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            "s.settimeout(5); print(b'uid 65534' in s.recv(4096))")
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           "/usr/bin/python3", "-c", code, str(made.socket)],
                          capture_output=True, text=True, timeout=20)
    assert done.stdout.strip() == "True", done
    denied = listed(made, "--what", "denied")
    assert [r["what"] for r in denied] == ["denied.peer"]
    assert denied[0]["who"]["uid"] == 65534


def test_verify_says_ok_and_knows_a_head(broker):
    made = broker()
    made.add_key("openai", KEY)
    code, said = verified(made)
    assert code == 0 and said["ok"] and said["result"] == "ok"
    assert said["keyed"] > 0 and said["unchecked"] == 0 and said["broken_off"] == 0
    assert made.llmb("audit", "verify").out.startswith(f"all {said['records']} records are")
    head = said["head"]
    made.llmb("key", "rm", "openai")
    code, again = verified(made, "--head", head)
    assert code == 0 and again["found"] == said["last"] and again["head"] != head
    code, said = verified(made, "--head", "0" * 64)
    assert code == 1 and said["result"] == "head"
    assert made.llmb("audit", "verify", "--head", "5f0c").code == 2
    made.stop()
    assert "audit.head" in made.log()
    told = made.log().split("audit.head", 1)[1].split("hash=")[1].split()[0]
    made.start()
    assert verified(made, "--head", told)[0] == 0


@pytest.fixture
def tampered(broker):
    """A stopped broker whose log has some records, and the lines of it."""
    made = broker()
    for name in ("openai", "anthropic", "mistral", "groq"):
        made.add_key(name, KEY)
    made.stop()
    path = made.state_dir / "audit.log"
    return made, path, path.read_text().splitlines(keepends=True)


def line_of(lines, text):
    return next(i for i, line in enumerate(lines) if text in line)


def test_an_edited_line_is_named(tampered):
    made, path, lines = tampered
    at = line_of(lines, '"subject":"mistral"')
    lines[at] = lines[at].replace('"subject":"mistral"', '"subject":"cohere!"')
    path.write_text("".join(lines))
    made.start()
    code, said = verified(made)
    assert code == 1 and said["result"] == "changed" and not said["ok"]
    # the broker has kept it under another name, and gone on in a new file
    assert (said["file"], said["line"]) == ("audit.log.1", at + 1)
    assert (made.state_dir / "audit.log.1").read_text() == "".join(lines)
    assert f"audit.log.1:{at + 1}" in made.llmb("audit", "verify").err
    assert any(r["what"] == "audit.damaged" for r in listed(made))


@pytest.mark.parametrize("change,result", [
    (lambda lines, at: lines.pop(at), "missing"),
    (lambda lines, at: lines.insert(at + 1, lines.pop(at)), "reordered"),
    (lambda lines, at: lines.insert(at, lines[at - 1]), "reordered"),
])
def test_lines_that_are_elsewhere_are_named(tampered, change, result):
    made, path, lines = tampered
    at = line_of(lines, '"subject":"anthropic"')
    change(lines, at)
    made.start()
    assert listed(made)  # from now on it runs, and knows better
    path.write_text("".join(lines))
    code, said = verified(made)
    assert (code, said["result"], said["line"]) == (1, result, at + 1)


def test_a_log_that_is_written_again_without_the_key_is_seen(tampered):
    """By somebody who may write the file and knows how it is made."""
    import hashlib
    made, path, lines = tampered
    at = line_of(lines, '"subject":"mistral"')
    lines[at] = lines[at].replace('"subject":"mistral"', '"subject":"cohere!"')
    head = bytes(32)
    out = []
    for line in lines:
        text, _, rest = line.partition(',"hash":"')
        head = hashlib.blake2b(head + text.encode(), digest_size=32).digest()
        out.append(f'{text},"hash":"{head.hex()}"{rest[65:]}')
    assert out[:at] == lines[:at], "the chain is what the manual says"
    path.write_text("".join(out))
    made.start()
    code, said = verified(made)
    assert (code, said["result"], said["line"]) == (1, "mac", at + 1)
    assert made.llmb("vault", "lock").code == 0
    code, said = verified(made)
    assert (code, said["result"]) == (5, "locked"), "without the key nobody can tell"


def test_a_locked_vault_leaves_macs_unchecked(broker):
    made = broker()
    made.add_key("openai", KEY)
    done = made.llmb("vault", "passphrase", "--from-stdin", "--no-input", "--drop-key-file",
                     input=WORD + "\n")
    assert done.code == 0, done
    assert verified(made)[0] == 0
    made.restart()
    code, said = verified(made)
    assert code == 5 and said["result"] == "locked" and said["unchecked"] == said["keyed"] > 0
    assert "llmb vault unlock" in made.llmb("audit", "verify").err
    made.llmb("vault", "unlock", "--from-stdin", "--no-input", input="wrong\n")
    assert verified(made)[0] == 5
    done = made.llmb("vault", "unlock", "--from-stdin", "--no-input", input=WORD + "\n")
    assert done.code == 0, done
    code, said = verified(made)
    assert code == 0 and said["unchecked"] == 0 and said["epochs"] >= 3
    unlocks = [brief(r)[1:3] for r in listed(made, "--what", "vault.unlock")]
    assert unlocks == [("failed", "wrong_passphrase"), ("allowed", None)]


def chatter(made, begun, stop):
    """Changes that are recorded, one after the other and many at once, until the broker is gone."""
    try:
        with greeted(made) as client:
            number = 0
            begun.set()
            while not stop.is_set():
                for _ in range(50):
                    number += 1
                    client.send_frame(CALL, number, admin("key.remove", provider="openai"))
                    number += 1
                    client.send_frame(CALL, number, admin("vault.lock"))
                client.recv_until(END, FAULT)
    except (OSError, WireError):
        pass


def test_killed_again_and_again_it_is_whole(broker):
    made = broker()
    made.add_key("openai", KEY)
    rounds = int(os.environ.get("LLMB_KILL_ROUNDS", "25"))
    rng = random.Random(11)
    for _ in range(rounds):
        begun, stop = threading.Event(), threading.Event()
        thread = threading.Thread(target=chatter, args=(made, begun, stop))
        thread.start()
        assert begun.wait(harness.START_SECONDS)
        time.sleep(rng.uniform(0, 0.06))
        made.kill9()
        stop.set()
        thread.join()
        made.start()
    code, said = verified(made)
    assert code == 0, said
    assert said["records"] > 10 * rounds and said["unchecked"] == 0
    assert rounds / 10 < said["broken_off"] <= rounds
    print(f"{rounds} rounds: {said}", file=sys.stderr)


def test_a_second_broker_writes_nothing(broker):
    made = broker()
    assert listed(made)
    other = broker(run=False)
    other.state_dir = made.state_dir
    other.start()
    other.llmb("vault", "lock")
    other.wait_log("audit.unwritten")
    made.llmb("vault", "lock")
    status = json.loads(other.llmb("status", "--json").out)
    assert not status["audit"]["ok"] and "another" in status["audit"]["message"]
    assert "another" in other.llmb("status").out and "another" in other.llmb("doctor").out
    assert json.loads(made.llmb("status", "--json").out)["audit"] == {"ok": True, "lost": 0}
    assert [r["what"] for r in listed(made)].count("broker.start") == 1
    assert verified(made)[0] == 0


def test_no_folder_no_log(broker):
    made = broker(run=False)
    made.state_dir.write_text("a file where the folder should be")
    made.start()
    assert made.llmb("audit").code != 0
    assert made.llmb("audit", "verify").code != 0
    assert made.is_alive()
    made.state_dir.unlink()


def test_no_key_is_in_it(broker, provider):
    """Not where it belongs, and not where a hand slipped."""
    key = canary()
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", key)
    wrong = key.replace("/", "-")
    provider.script(status=401, body={"error": {"message": f"Incorrect API key provided: {key}"}})
    made.llmb("ask", "-m", "test/m", key)
    for args, text in ((["key", "add", wrong], "x"), (["key", "add", "test/" + wrong], ""),
                       (["key", "rm", wrong], ""), (["key", "rm", "test/" + wrong], ""),
                       (["vault", "unlock", "--from-stdin", "--no-input"], key)):
        if args[1] == "add":
            args = [*args, "--from-stdin", "--no-input"]
        made.llmb(*args, input=text)
    with greeted(made) as client:
        for number, op in enumerate(("key.add", "key.remove", "vault.passphrase"), 1):
            client.send_frame(CALL, number, admin(op, provider="test", label=key, new=[key]))
            client.recv_until(END, FAULT)
    made.configure(f"[provider \"test\"]\napi_key = {key}\n")
    ask(made, "config.reload")
    shown = made.llmb("audit", "--json").out
    made.stop()
    assert shown.count("key.add") >= 3 and "config.load" in shown
    for path in pathlib.Path(made.state_dir).glob("audit*"):
        data = path.read_bytes()
        assert not hits(data, key) and wrong.encode() not in data, path
    assert not hits(shown.encode(), key) and wrong not in shown
