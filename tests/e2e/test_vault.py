"""test_vault.py - what opens the vault, and is nobody else let in?"""

import json
import re

import harness
import pytest
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

CODE = re.compile(r"^[0-9A-Z]{4}(-[0-9A-Z]{4}){8}$")


@pytest.fixture
def held(broker, provider):
    """A broker whose vault holds one key and opens by its key file."""
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", "sk-one-key-of-many")
    return made


def slots(made):
    done = made.llmb("vault", "slots", "--json")
    assert done.code == 0, done.err
    return [slot["type"] for slot in json.loads(done.out)["slots"]]


def unlock_by(key):
    return {"kind": "admin", "op": "vault.unlock", "body": json.dumps({"agent": key}).encode()}


def works(made):
    return made.llmb("ask", "-m", "test/m", "3 words").code == 0


def unlock(made, code):
    return made.llmb("vault", "unlock", "--recovery", "--from-stdin", "--no-input", input=code)


def test_a_recovery_code_opens_it(held):
    done = held.llmb("vault", "add", "recovery")
    code = done.out.strip()
    assert done.code == 0 and CODE.match(code) and "shown once" in done.err
    assert slots(held) == ["key-file", "recovery"]
    assert code not in held.log()
    for path in held.state_dir.rglob("*"):
        assert not path.is_file() or code.encode() not in path.read_bytes()
    done = held.llmb("vault", "remove", "key-file", "--yes")
    assert done.code == 0, done.err
    assert not (held.state_dir / "vault.key").exists()
    held.restart()
    locked = held.llmb("ask", "-m", "test/m", "hi")
    assert locked.code == 5 and "llmb vault unlock" in locked.err
    slip = "1" if code[0] != "1" else "2"
    mistyped = unlock(held, slip + code[1:])
    assert mistyped.code != 0 and "add up" in mistyped.err
    assert unlock(held, code.lower().replace("-", " ")).code == 0
    assert works(held)
    again = held.llmb("vault", "add", "recovery", "--json")
    assert json.loads(again.out)["code"] != code
    assert held.llmb("vault", "lock").code == 0
    out = unlock(held, code)
    assert out.code == 5 and "does not open" in out.err
    plain = held.llmb("vault", "unlock", "--no-input")
    assert plain.code == 5 and "llmb vault unlock --recovery" in plain.err
    assert unlock(held, json.loads(again.out)["code"]).code == 0


def test_slots_change_and_keys_stay_sealed(held):
    def body():
        data = (held.state_dir / "vault").read_bytes()
        return data[37 + data[36] * 138:-32]
    before = body()
    assert held.llmb("vault", "add", "recovery").code == 0
    assert held.llmb("vault", "add", "agent").code == 0
    assert held.llmb("vault", "passphrase", "--from-stdin", "--no-input", input="long and good\n",
                     timeout=30).code == 0
    assert body() == before
    assert slots(held) == ["key-file", "recovery", "agent", "passphrase"]
    for slot in ("passphrase", "recovery", "agent"):
        assert held.llmb("vault", "remove", slot, "--yes").code == 0
    assert body() == before
    last = held.llmb("vault", "remove", "key-file", "--yes")
    assert last.code != 0 and "nothing would open" in last.err
    assert slots(held) == ["key-file"]
    assert works(held)
    shown = held.llmb("vault", "slots").out
    assert "key-file" in shown and "unattended" in shown


def test_a_slot_that_is_none(held):
    done = held.llmb("vault", "add", "fingerprint")
    assert done.code != 0 and "recovery" in done.err
    done = held.llmb("vault", "add", "passphrase")
    assert done.code != 0 and "llmb vault passphrase" in done.err
    done = held.llmb("vault", "add", "credential")
    assert done.code != 0 and "LoadCredentialEncrypted" in done.err
    done = held.llmb("vault", "remove", "recovery", "--yes")
    assert done.code != 0 and "llmb vault slots" in done.err
    held.llmb("vault", "lock")
    done = held.llmb("vault", "add", "recovery")
    assert done.code == 5


def test_a_credential_of_the_service_manager_opens_it(broker, provider, tmp_path):
    credential = tmp_path / "llm-broker.vault-key"
    credential.write_text("as long as anybody likes")
    credential.chmod(0o400)
    made = broker(harness.provider_section(provider, model="m"),
                  env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    made.add_key("test", "sk-one-key-of-many")
    done = made.llmb("vault", "add", "credential")
    assert done.code == 0, done.err
    assert made.llmb("vault", "remove", "key-file", "--yes").code == 0
    made.restart()
    assert works(made)
    made.stop()
    del made.env["CREDENTIALS_DIRECTORY"]
    made.start()
    done = made.llmb("ask", "-m", "test/m", "hi")
    assert done.code == 5 and "llm-broker.vault-key" in done.err


def test_an_agent_brings_its_key(held):
    key = json.loads(held.llmb("vault", "add", "agent", "--json").out)["code"]
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert held.llmb("vault", "remove", "key-file", "--yes").code == 0
    held.restart()
    with WireClient(held.socket, timeout=10) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test_vault", "app": "test"})
        assert client.recv_frame().type == WELCOME
        client.send_frame(CALL, 1, unlock_by("0" * 64))
        assert client.recv_until(END, FAULT)[-1].type == FAULT
        client.send_frame(CALL, 2, unlock_by(key))
        assert client.recv_until(END, FAULT)[-1].type == END
    assert works(held)
