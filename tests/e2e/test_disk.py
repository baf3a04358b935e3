"""test_disk.py - what if the disk takes nothing more?

What cannot be recorded is not sent, and its caller is told why at once; what is under way goes on to its end; and when
the disk can be written again, nobody has to do anything. The state folder is on a small file system of its own."""

import ctypes
import ctypes.util
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import time

import harness
import pytest
from wire import CALL, END, EVENT, FAULT, HELLO, WELCOME, WireClient

KEY = "sk-test-0123456789abcdef"
REFUSED_WITHIN = 0.1  # seconds
PUNCH_HOLE = 3        # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def mounted():
    """Mounts a file system on a folder, which is unmounted at the end."""
    places = []

    def mount(path, *args):
        path.mkdir(mode=0o700, exist_ok=True)
        done = run("mount", *args, str(path))
        if done.returncode != 0:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        places.append(path)
        path.chmod(0o700)
    yield mount
    for path in places:
        run("umount", "-l", str(path))


@pytest.fixture
def loop_disk(mounted, tmp_path):
    """An ext4 of its own in a file, that is read-only after an error."""
    def make(path, options="errors=remount-ro"):
        if not all(map(shutil.which, ("mkfs.ext4", "e2fsck", "losetup"))):
            pytest.skip("there is no mkfs.ext4")
        image = tmp_path / "disk"
        with open(image, "wb") as file:
            file.truncate(40 << 20)
        assert run("mkfs.ext4", "-q", "-m", "0", str(image)).returncode == 0
        mounted(path, "-o", f"loop,{options}", str(image))
        return image
    return make


def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def small_journal(state, half_bytes=64 * 1024):
    """A journal that says of itself that it is small, so that a few requests fill it."""
    page = b"llm-broker jnl\n\0" + struct.pack("<IIQ", 1, 0, half_bytes)
    page = page[:20] + struct.pack("<I", crc32c(page)) + page[24:] + bytes(8)
    path = state / "journal"
    path.write_bytes(page + bytes(4096 - len(page) + 2 * half_bytes))
    path.chmod(0o600)


def fill(folder):
    """Leaves no byte."""
    with open(folder / "filler", "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    os.sync()


def config(provider):
    return harness.provider_section(provider, model="m") + harness.section(
        "model", "test/m", {"price_input": "0.15", "price_output": "0.60"})


class Caller:
    def __init__(self, made):
        self.client = WireClient(made.socket, timeout=20 * harness.SLOWER)
        self.client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": "test"})
        assert self.client.recv_frame().type == WELCOME
        self.n = 0

    def begin(self, text="3 words", **more):
        import msgpack
        self.n += 1
        body = msgpack.packb({"model": "test/m", "stream": True,
                              "messages": [{"role": "user", "content": text}], **more})
        self.client.send_frame(CALL, self.n, {"kind": "typed", "op": "chat", "body": body})

    def ask(self, **more):
        """(the last frame, how long it took)"""
        began = time.monotonic()
        self.begin(**more)
        last = self.client.recv_until(END, FAULT)[-1]
        return last, time.monotonic() - began

    def ask_until_refused(self, seconds=20):
        until = time.monotonic() + seconds * harness.SLOWER
        while time.monotonic() < until:
            last, took = self.ask()
            if last.type == FAULT:
                return last.body, took
        raise AssertionError("it is never refused")

    def ask_until_told(self, part, seconds=5):
        """Why it is refused: the first reason may be a store that failed, and the next trial says more."""
        until = time.monotonic() + seconds * harness.SLOWER
        while part not in (said := self.ask_until_refused()[0]["message"]):
            assert time.monotonic() < until, said
            time.sleep(0.05)

    def ask_until_served(self, seconds=15):
        """How long that takes."""
        began = time.monotonic()
        while (late := time.monotonic() - began) < seconds * harness.SLOWER:
            last, _ = self.ask()
            if last.type == END:
                return late
            time.sleep(0.02)
        raise AssertionError(f"it does not recover: {last.body}")


def check_refusal(caller, *parts):
    """Everybody is refused at once, with the reason; a busy machine may keep one or two waiting."""
    times = []
    for _ in range(20):
        last, took = caller.ask()
        assert last.type == FAULT and last.body["class"] == "storage_full", last
        assert all(part in last.body["message"] for part in parts), last.body["message"]
        times.append(took)
    slowest = sorted(times)[-3]
    assert slowest < REFUSED_WITHIN * harness.SLOWER, f"{slowest * 1000:.0f} ms"


def held(made, provider, n):
    """So many streams that have begun, on one connection."""
    caller = Caller(made)
    for _ in range(n):
        provider.script(hold=2)
        caller.begin("20 words")
    provider.wait_held(n, timeout=20)
    return caller


def finish(caller, provider, n):
    provider.release()
    ends = []
    while len(ends) < n:
        frame = caller.client.recv_until(END, FAULT)[-1]
        ends.append(frame)
    assert [frame.type for frame in ends] == [END] * n, ends
    assert all(frame.body["usage"]["output"] == 20 for frame in ends)
    return {frame.body["request_id"] for frame in ends}


def test_a_full_disk(broker, plain_provider, mounted):
    made = broker(config(plain_provider), run=False)
    mounted(made.state_dir, "-t", "tmpfs", "-o", "size=4m", "none")
    small_journal(made.state_dir)
    made.start()
    made.add_key("test", KEY)
    streams = held(made, plain_provider, 3)
    fill(made.state_dir)
    caller = Caller(made)
    said, took = caller.ask_until_refused()
    assert said["class"] == "storage_full" and took < REFUSED_WITHIN * harness.SLOWER
    check_refusal(caller, "the journal is full", "disk")
    assert made.is_alive()
    told = finish(streams, plain_provider, 3)
    (made.state_dir / "filler").unlink()
    caller.ask_until_served()
    made.stop()
    made.start()
    Caller(made)
    rows = {row["id"]: row for row in made.ledger()["exchange"]}
    assert all(rows[one]["outcome"] == "ok" and rows[one]["output"] == 20 for one in told)
    assert not [row for row in rows.values() if row["outcome"] == "unknown"], "nothing was lost"
    assert sum(row["cost_nusd"] or 0 for row in rows.values()) == plain_provider.bill()["nano_usd"]


def test_what_is_kept_is_answered_from_a_full_disk(broker, plain_provider, mounted):
    """Nobody pays for it: that its row is lost is no reason to refuse it. The log says so."""
    made = broker(config(plain_provider), run=False)
    mounted(made.state_dir, "-t", "tmpfs", "-o", "size=4m", "none")
    small_journal(made.state_dir)
    made.start()
    made.add_key("test", KEY)
    caller = Caller(made)
    first, _ = caller.ask(temperature=0)
    assert first.type == END and "cache" not in first.body
    fill(made.state_dir)
    caller.ask_until_refused()
    sent = len(plain_provider.requests())
    ids = set()
    for _ in range(400):
        last, _ = caller.ask(temperature=0)
        assert last.type == END and last.body["cache"]["source"] == "hit", last
        ids.add(last.body["request_id"])
        if "ledger.exchange_lost" in made.log():
            break
    assert "ledger.exchange_lost" in made.log()
    assert caller.ask()[0].body["class"] == "storage_full", "what would be paid for is not sent"
    assert len(plain_provider.requests()) == sent and made.is_alive()
    (made.state_dir / "filler").unlink()
    caller.ask_until_served()
    last, _ = caller.ask(temperature=0)
    assert last.body["cache"]["source"] == "hit"
    made.stop()
    rows = {row["id"]: row for row in made.ledger()["exchange"]}
    assert rows[last.body["request_id"]]["cache"] == "hit"
    lost = set(re.findall(r"ledger.exchange_lost id=(req_[a-z0-9]+)", made.log()))
    assert ids - set(rows) == lost & ids, "and no other is"


def test_a_disk_that_can_only_be_read_when_it_starts(broker, plain_provider, mounted):
    made = broker(config(plain_provider), run=False)
    mounted(made.state_dir, "-t", "tmpfs", "-o", "size=40m", "none")
    made.start()
    made.add_key("test", KEY)
    assert Caller(made).ask()[0].type == END
    made.stop()
    assert run("mount", "-o", "remount,ro", str(made.state_dir)).returncode == 0
    made.start()
    caller = Caller(made)
    for _ in range(20):
        last, took = caller.ask()
        assert last.type == FAULT and took < REFUSED_WITHIN * harness.SLOWER, (last, took)
        assert last.body["class"] == "io" and "writable" in last.body["message"], last.body
    assert run("mount", "-o", "remount,rw", str(made.state_dir)).returncode == 0
    caller.ask_until_served()
    made.wait_ledger(2)
    assert [r["what"] for r in audited(made) if r["what"] == "broker.mended"], "and it is noted"


def audited(made):
    import json
    return json.loads(made.llmb("audit", "--json").out)["records"]


def device_of(made):
    with open("/proc/mounts") as mounts:
        return [line.split()[0] for line in mounts if line.split()[1] == str(made.state_dir)][-1]


def make_error(made):
    """As one of the disk's that ext4 meets: it is read-only from then on."""
    trigger = f"/sys/fs/ext4/{os.path.basename(device_of(made))}/trigger_fs_error"
    if not os.access(trigger, os.W_OK):
        pytest.skip("no error can be made here")
    with open(trigger, "w") as file:
        file.write("x")
    with pytest.raises(OSError):
        (made.state_dir / "probe").touch()


def unmount(made, seconds=10):
    """Not lazily: nothing may be open there, nor mapped."""
    until = time.monotonic() + seconds * harness.SLOWER
    while (done := run("umount", str(made.state_dir))).returncode != 0:
        assert time.monotonic() < until, (done.stderr, held_open(made))
        time.sleep(0.1)


def held_open(made):
    files = list(made.fds().values())
    with open(f"/proc/{made.pid}/maps") as maps:
        files += [line.split(None, 5)[-1].strip() for line in maps]
    return sorted({file for file in files if file.startswith(str(made.state_dir))})


def repair_and_mount(made, image):
    assert run("e2fsck", "-p", "-f", str(image)).returncode in (0, 1)
    assert run("mount", "-o", "loop,errors=remount-ro", str(image),
               str(made.state_dir)).returncode == 0


def rows_of(made):
    return {row["id"]: row for row in made.ledger()["exchange"]}


def check_ledger(made):
    with sqlite3.connect(made.state_dir / "ledger.db") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def check_all_there(made, provider, told):
    """What was told its caller is in the ledger as it was, once, and so is what it cost."""
    assert made.llmb("usage").code == 0  # which waits for what has ended
    rows = rows_of(made)
    assert all(rows[one]["outcome"] == "ok" and rows[one]["output"] == 20 for one in told)
    assert not [row for row in rows.values() if row["outcome"] == "unknown"], "nothing was lost"
    assert sum(row["cost_nusd"] or 0 for row in rows.values()) == provider.bill()["nano_usd"]
    attempts = made.ledger()["attempt"]
    assert sum(row["cost_nusd"] or 0 for row in attempts) == provider.bill()["nano_usd"]
    check_ledger(made)


def begin_and_lose(broker, provider, loop_disk, more="", options="errors=remount-ro"):
    """A broker with 30 streams under way, whose disk an error has made read-only: the streams end, and nothing is
    left open there."""
    made = broker(config(provider) + more, run=False)
    image = loop_disk(made.state_dir, options)
    made.start()
    made.add_key("test", KEY)
    caller = Caller(made)
    first, _ = caller.ask()
    assert first.type == END
    made.wait_ledger(1, 1)
    assert made.llmb("usage").code == 0  # the ledger is open for questions, too
    assert made.llmb("app", "allow", "flatpak:org.x.Y").code == 0
    streams = held(made, provider, 30)
    make_error(made)
    said, took = caller.ask_until_refused()
    assert took < REFUSED_WITHIN * harness.SLOWER
    caller.ask_until_told("Read-only file system")
    check_refusal(caller, "cannot be recorded, so it is not sent", "Read-only file system",
                  "tried again by itself")
    return made, image, caller, streams, first.body["request_id"]


@pytest.mark.parametrize("options", ["errors=remount-ro", "errors=remount-ro,nodelalloc"])
def test_a_disk_that_an_error_made_read_only(broker, plain_provider, loop_disk, options):
    """It is repaired and mounted anew under a broker that runs. Without delayed allocation the next store to the journal
    fails already, and the file cannot be mapped another time."""
    keep = harness.section("ledger", None, {"keep_prompts": "1d"})
    made, image, caller, streams, _ = begin_and_lose(
        broker, plain_provider, loop_disk, keep, options)
    told = finish(streams, plain_provider, 30)
    status = made.llmb("status")
    assert "DEGRADED" in status.out and "Read-only file system" in status.out, status
    doctor = made.llmb("doctor")
    assert "Read-only file system" in doctor.out + doctor.err, doctor
    usage = made.llmb("usage")
    assert usage.code != 0 and "Read-only file system" in usage.err, usage
    unmount(made)
    time.sleep(2.5)  # it looks for its disk meanwhile, and takes no other for it
    assert not os.listdir(made.state_dir), "nothing is written where the disk was"
    check_refusal(caller, "cannot be recorded, so it is not sent", "nothing is mounted on")
    assert made.llmb("app", "revoke", "flatpak:org.x.Y").code == 0
    repair_and_mount(made, image)
    late = caller.ask_until_served(10)
    assert late < 5 * harness.SLOWER
    assert "DEGRADED" not in made.llmb("status").out
    check_all_there(made, plain_provider, told)
    assert maps_of(made) == {"rw-s"}
    what = [record["what"] for record in audited(made)]
    assert "broker.degraded" in what and "broker.mended" in what and what.count("broker.start") == 1
    assert what.index("broker.degraded") < what.index("broker.mended")
    verified = made.llmb("audit", "verify")
    assert verified.code == 0, verified
    made.stop()
    made.start()
    Caller(made).ask_until_served()
    check_all_there(made, plain_provider, told)
    assert "cut off" in made.llmb("app", "list").out, "what was revoked meanwhile stays so"
    assert made.llmb("audit", "verify").code == 0


def test_a_disk_that_is_lost_twice(broker, plain_provider, loop_disk):
    made, image, caller, streams, _ = begin_and_lose(broker, plain_provider, loop_disk)
    told = finish(streams, plain_provider, 30)
    for _ in range(2):
        unmount(made)
        repair_and_mount(made, image)
        caller.ask_until_served(10)
        streams = held(made, plain_provider, 5)
        make_error(made)
        caller.ask_until_refused()
        told |= finish(streams, plain_provider, 5)
    unmount(made)
    repair_and_mount(made, image)
    caller.ask_until_served(10)
    made.kill9()
    made.start()
    Caller(made)
    check_all_there(made, plain_provider, told)
    assert made.llmb("audit", "verify").code == 0


def test_another_disk_in_its_place(broker, plain_provider, loop_disk, tmp_path):
    """The ledger begins anew; what was under way is in it, and budgets go on counting."""
    budget = harness.section("limit", "all", {"budget": "50/day"})
    made, _, caller, streams, first = begin_and_lose(broker, plain_provider, loop_disk, budget)
    told = finish(streams, plain_provider, 30)
    spent = spent_nusd(made)
    assert spent > 0
    unmount(made)
    other = tmp_path / "other"
    with open(other, "wb") as file:
        file.truncate(40 << 20)
    assert run("mkfs.ext4", "-q", "-m", "0", str(other)).returncode == 0
    assert run("mount", "-o", "loop", str(other), str(made.state_dir)).returncode == 0
    made.state_dir.chmod(0o700)
    caller.ask_until_served(10)
    rows = rows_of(made)
    assert all(rows[one]["outcome"] == "ok" for one in told) and first in rows
    assert not [row for row in rows.values() if row["outcome"] == "unknown"]
    assert spent_nusd(made) > spent, "what was spent is not forgotten"
    check_ledger(made)
    what = [record["what"] for record in audited(made)]
    assert "broker.mended" in what, "the audit log goes on there"
    verified = made.llmb("audit", "verify")
    assert "records are missing before audit.log:1" in verified.err, "and says what the other disk has"


def spent_nusd(made):
    """As its budget counts it."""
    import json
    limit = json.loads(made.llmb("budget", "list", "--json").out)["limits"][0]
    return max(int(one) for one in re.findall(r'"spent_nusd": ?(\d+)', json.dumps(limit)))


def test_killed_while_its_disk_is_away(broker, plain_provider, loop_disk):
    made, image, _, streams, first = begin_and_lose(broker, plain_provider, loop_disk)
    told = finish(streams, plain_provider, 30)
    unmount(made)
    made.kill9()
    repair_and_mount(made, image)
    made.start()
    Caller(made).ask_until_served()
    rows = rows_of(made)
    assert rows[first]["outcome"] == "ok"
    lost = [row for row in rows.values() if row["outcome"] == "unknown"]
    assert {row["id"] for row in lost} <= told, "what memory alone knew the end of"
    assert all(row["attempts"] == 1 for row in lost)
    attempts = [(row["exchange_id"], row["number"]) for row in made.ledger()["attempt"]]
    assert len(attempts) == len(set(attempts))
    check_ledger(made)


def punch(path, at, n):
    """A hole in a file: where its space is no longer there."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    fd = os.open(path, os.O_RDWR)
    try:
        failed = libc.fallocate(fd, PUNCH_HOLE, ctypes.c_long(at), ctypes.c_long(n))
        if failed:
            pytest.skip(os.strerror(ctypes.get_errno()))
    finally:
        os.close(fd)


def maps_of(made):
    """How its journal is mapped."""
    with open(f"/proc/{made.pid}/maps") as maps:
        return {line.split()[1] for line in maps if line.endswith("/journal\n")}


def test_a_page_of_the_journal_that_cannot_be_written(broker, plain_provider, loop_disk):
    """As on a device that is gone: the store itself fails, in the middle of a record."""
    made = broker(config(plain_provider), run=False)
    loop_disk(made.state_dir)
    made.start()
    made.add_key("test", KEY)
    caller = Caller(made)
    assert caller.ask()[0].type == END
    made.wait_ledger(1, 1)
    streams = held(made, plain_provider, 30)
    for half in range(2):
        punch(made.state_dir / "journal", 4096 + half * (11 << 20) + 32768, 4 << 20)
    fill(made.state_dir)
    said, took = caller.ask_until_refused(60)
    assert said["class"] == "storage_full" and took < REFUSED_WITHIN * harness.SLOWER
    check_refusal(caller, "cannot be recorded, so it is not sent", "journal")
    told = finish(streams, plain_provider, 30)
    assert maps_of(made) == set(), "it is in memory alone"
    (made.state_dir / "filler").unlink()
    caller.ask_until_served()
    assert maps_of(made) == {"rw-s"}, "it is in the file"
    made.kill9()  # what was in memory alone is in the file again
    made.start()
    Caller(made)
    rows = {row["id"]: row for row in made.ledger()["exchange"]}
    assert all(rows[one]["outcome"] == "ok" and rows[one]["output"] == 20 for one in told)
    assert not [row for row in rows.values() if row["outcome"] == "unknown"]
    with sqlite3.connect(made.state_dir / "ledger.db") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
