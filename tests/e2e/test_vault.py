"""test_vault.py - what opens the vault, and is nobody else let in?"""

import json
import re

import harness
import pytest
from canary import may_read_memory, memory_of
from wire import CALL, DATA, END, FAULT, HELLO, WELCOME, WireClient

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


def admin(made, op, body):
    """Asks as a program that is no llmb."""
    with WireClient(made.socket, timeout=10) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test_vault", "app": "test"})
        assert client.recv_frame().type == WELCOME
        client.send_frame(CALL, 1, {"kind": "admin", "op": op, "body": json.dumps(body).encode()})
        frames = client.recv_until(END, FAULT)
        assert frames[-1].type == END, frames
        assert [frame.type for frame in frames] == [DATA, END], frames
        return json.loads(frames[0].body["d"])


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


@pytest.mark.skipif(not may_read_memory(), reason="another process's memory is root's to read")
def test_the_broker_keeps_no_code(held):
    code = held.llmb("vault", "add", "recovery").out.strip()
    for _ in range(3):
        assert works(held)
    assert unlock(held, code).code == 0
    assert held.llmb("vault", "lock").code == 0
    parts = [code.encode()[at:at + 19] for at in (0, 10, 25)]
    assert not [part for region in memory_of(held.pid) for part in parts if part in region.data]


def test_slots_change_and_keys_stay_sealed(held):
    def body():
        data = (held.state_dir / "vault").read_bytes()
        return data[37 + data[36] * 138:-32]
    before = body()
    assert held.llmb("vault", "add", "recovery").code == 0
    assert admin(held, "vault.slot.add", {"type": "agent"})
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


def test_an_agent_s_slot_is_the_agent_s_to_add(held):
    done = held.llmb("vault", "add", "agent")
    assert done.code == 2 and "llm-broker-agent --enroll" in done.err and not done.out, done
    assert slots(held) == ["key-file"]
    assert "--enroll" in held.llmb("vault", "add", "--help").out


def test_its_state_says_all_that_opens_it_and_what_is_next(held):
    code = held.llmb("vault", "add", "recovery").out
    assert "opened by a key file, a recovery code; opens unattended" in held.llmb("vault", "status").out
    assert held.llmb("vault", "lock").err == "next: llmb vault unlock\n"
    assert held.llmb("vault", "unlock").code == 0
    assert held.llmb("vault", "remove", "key-file", "--yes").code == 0
    assert held.llmb("vault", "lock").err == "next: llmb vault unlock --recovery\n"
    assert unlock(held, code).code == 0
    assert held.llmb("vault", "passphrase", "--from-stdin", "--no-input", input="long and good\n",
                     timeout=30).code == 0
    assert "opened by a recovery code, a passphrase\n" in held.llmb("vault", "status").out
    assert held.llmb("vault", "lock").err == "next: llmb vault unlock\n"


@pytest.mark.parametrize("passphrase", [False, True])
def test_a_damaged_vault_is_opened_when_its_backup_is_back(held, passphrase):
    if passphrase:
        done = held.llmb("vault", "passphrase", "--drop-key-file", "--from-stdin", "--no-input",
                         input="long and good\n", timeout=30)
        assert done.code == 0, done
    held.stop()
    vault = held.state_dir / "vault"
    good = vault.read_bytes()
    vault.write_bytes(good[:len(good) // 2])
    held.start()
    status = held.llmb("vault", "status")
    assert status.code == 0 and "vault is damaged" in status.out and "vault.bak" in status.err, status
    done = held.llmb("vault", "unlock", "--no-input")
    assert done.code == 5 and f"cp -p '{vault}.bak' '{vault}'" in done.err, done
    (held.state_dir / "vault.bak").write_bytes(good)
    vault.write_bytes(good)
    done = held.llmb("vault", "unlock", "--from-stdin", "--no-input", input="long and good\n", timeout=30)
    assert done.code == 0 and "vault is open" in done.out, done
    assert works(held)


@pytest.fixture
def credential(tmp_path):
    """A folder as a service manager hands it over, and what is for the vault in it."""
    made = tmp_path / "llm-broker.vault-key"
    made.write_text("as long as anybody likes")
    made.chmod(0o400)
    return made


def handed(broker, provider, credential):
    return broker(harness.provider_section(provider, model="m"), env={"CREDENTIALS_DIRECTORY": str(credential.parent)})


def test_a_credential_of_the_service_manager_opens_it(broker, provider, credential):
    aside = credential.rename(credential.parent / "aside")
    made = handed(broker, provider, credential)
    made.add_key("test", "sk-one-key-of-many")
    aside.rename(credential)
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


def test_a_vault_that_is_made_where_there_is_one_opens_by_it(broker, provider, credential):
    """Nothing that opens it is ever on the disk."""
    made = handed(broker, provider, credential)
    done = made.llmb("key", "add", "test", "--from-stdin", "--no-input", input="sk-one-key-of-many")
    assert done.code == 0 and "llm-broker.vault-key opens it unattended" in done.err, done
    assert not (made.state_dir / "vault.key").exists()
    assert slots(made) == ["credential"]
    made.restart()
    assert works(made)


def test_a_new_credential_takes_the_place_of_one_that_is_lost(broker, provider, credential):
    """By the recovery code, as llm-brokerd(8) has it; what was lost opens nothing any more."""
    made = handed(broker, provider, credential)
    made.add_key("test", "sk-one-key-of-many")
    code = made.llmb("vault", "add", "recovery").out.strip()
    lost = credential.rename(credential.parent / "lost")
    credential.write_text("another one")
    credential.chmod(0o400)
    made.restart()
    done = made.llmb("ask", "-m", "test/m", "hi")
    assert done.code == 5 and "llmb vault unlock" in done.err, done
    assert unlock(made, code).code == 0
    done = made.llmb("vault", "add", "credential")
    assert done.code == 0, done
    assert slots(made) == ["credential", "recovery"]
    made.restart()
    assert works(made)
    made.stop()
    lost.rename(credential)
    made.start()
    done = made.llmb("ask", "-m", "test/m", "hi")
    assert done.code == 5 and "llmb vault unlock" in done.err, done


def test_an_agent_brings_its_key(held):
    key = admin(held, "vault.slot.add", {"type": "agent"})["code"]
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


# ---- rotation

def refuse(provider, times=1):
    provider.script(status=401, times=times, body={"error": {
        "message": "Incorrect API key provided", "type": "invalid_request_error"}})


def keys(made):
    return json.loads(made.llmb("key", "list", "--json").out)["keys"]


def rotate(made, which, key, *args):
    return made.llmb("key", "rotate", which, "--from-stdin", "--no-input", *args, input=key + "\n")


def sent(provider):
    return [seen.header("authorization")[0].removeprefix("Bearer ") for seen in provider.requests()]


def test_a_rotated_key_serves_and_the_former_one_helps_out(held, provider):
    done = rotate(held, "test", "sk-two-new-to-all", "--overlap", "1h")
    assert done.code == 0 and "is tried where it is refused, until" in done.err
    assert done.out.startswith("rotated test for ")
    again = rotate(held, "test", "sk-two-new-to-all")
    assert again.code != 0 and "that is the key it has" in again.err, again
    assert works(held)
    assert sent(provider) == ["sk-two-new-to-all"]
    refuse(provider)
    assert works(held)
    assert sent(provider)[1:] == ["sk-two-new-to-all", "sk-one-key-of-many"]
    refuse(provider, times=2)
    assert held.llmb("ask", "-m", "test/m", "hi").code == 7
    assert sent(provider)[3:] == ["sk-two-new-to-all", "sk-one-key-of-many"]
    refuse(provider)
    assert held.llmb("key", "test", "test").code == 0
    (key,) = keys(held)
    assert key["fingerprint"] != key["replaced"]["fingerprint"]
    shown = held.llmb("key", "list").out
    assert key["replaced"]["fingerprint"] in shown and "GOOD UNTIL" in shown
    held.restart()
    refuse(provider)
    assert works(held)


def test_its_time_is_over(held, provider):
    assert rotate(held, "test", "sk-two-new-to-all", "--overlap", "1s").code == 0
    held.wait_log("vault.key_over", timeout=5)
    assert "replaced" not in keys(held)[0]
    refuse(provider)
    assert held.llmb("ask", "-m", "test/m", "hi").code == 7
    assert sent(provider) == ["sk-two-new-to-all"]


def test_several_keys_of_a_provider(held, provider):
    held.add_key("test/work", "sk-of-the-office")
    held.add_key("test/home", "sk-of-the-house")
    assert [key["label"] for key in keys(held)] == ["", "work", "home"]
    assert works(held)
    assert held.llmb("key", "test", "test/work").code == 0
    assert rotate(held, "test/work", "sk-of-the-next-office").code == 0
    assert held.llmb("key", "test", "test/work").code == 0
    assert sent(provider) == ["sk-one-key-of-many", "sk-of-the-office", "sk-of-the-next-office"]
    assert held.llmb("key", "rm", "test", "--yes").code == 0
    assert works(held)
    assert sent(provider)[3:] == ["sk-of-the-next-office"]
    assert held.llmb("key", "test", "test").code == 0
    missing = rotate(held, "test/garden", "sk-of-the-garden")
    assert missing.code == 5 and "test/garden" in missing.err
