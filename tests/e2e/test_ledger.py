"""test_ledger.py - whose use is counted, what it adds up to, and can all of it be had?"""

import csv
import datetime
import io
import json
import os
import pwd
import sqlite3
import subprocess
import time

import harness
import msgpack
import pytest
from wire import WireClient

KEY = "sk-test-0123456789abcdef"
HELLO, WELCOME, CALL, END, FAULT = 1, 2, 3, 7, 8


@pytest.fixture
def made(broker, provider):
    one = broker(harness.provider_section(provider, model="m") +
                 harness.section("model", "test/m", {"price_input": "0.15",
                                                     "price_output": "0.60"}))
    one.add_key("test", KEY)
    return one


def usage(made, *args):
    done = made.llmb("usage", *args, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def ask_in(made, folder, *args):
    done = subprocess.run([harness.program("llmb"), "ask", "-q", *args], cwd=folder,
                          env=made.client_env(), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30 * harness.SLOWER)
    assert done.returncode == 0, done.stderr


def ask_as(made, app, text):
    """A call of a program that gives itself any name."""
    body = msgpack.packb({"model": "offline/echo", "messages": [{"role": "user", "content": text}]})
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": app})
        assert client.recv_frame().type == WELCOME
        client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "body": body})
        assert client.recv_until(END, FAULT)[-1].type == END


def test_use_is_counted_by_where_its_caller_works(made, tmp_path):
    for name in ("notes/.git", "notes/src", "plain"):
        (tmp_path / name).mkdir(parents=True)
    for folder in ("notes", "notes/src", "plain"):
        ask_in(made, tmp_path / folder, "-m", "test/m", "3 words")
    told = usage(made, "--by", "project")
    shown = str(tmp_path / "notes")
    if len(shown) > 127:
        shown = "…" + shown[-124:]
    kinds = {row["key"]: row["requests"] for row in told["rows"]}
    looked_at = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True,
                               text=True).stdout.strip()
    if looked_at in ("ext2/ext3", "xfs", "btrfs", "tmpfs", "f2fs", "zfs", "overlayfs"):
        assert kinds == {shown: 2, "": 1}, looked_at
        assert usage(made, "--project", "*/notes")["total"]["requests"] == 2
    both = usage(made, "--by", "kind,policy")
    assert both["by"] == ["kind", "policy"]
    assert [row["keys"][0] for row in both["rows"]] == ["host"] and both["rows"][0]["keys"][1]


def test_reports_agree_with_the_rows(made):
    for _ in range(3):
        assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    assert made.llmb("ask", "-m", "offline/echo", "hi").code == 0
    rows = made.wait_ledger(4)["exchange"]
    total = usage(made)["total"]
    assert total["requests"] == 4
    assert total["cost_nusd"] == sum(row["cost_nusd"] or 0 for row in rows) > 0
    assert total["output"] == sum(row["output"] or 0 for row in rows)
    for way in ("app", "model", "provider", "key", "user", "unit", "container", "project", "policy",
                "kind", "surface", "op", "hour", "day", "month", "day,model", "user,app,op"):
        told = usage(made, "--by", way)
        assert told["total"] == total, way
        assert sum(row["requests"] for row in told["rows"]) == 4, way
        assert sum(row["cost_nusd"] or 0 for row in told["rows"]) == total["cost_nusd"], way
    assert {row["key"] for row in usage(made, "--by", "key")["rows"]} == {"test", "offline"}
    assert usage(made, "--key", "test")["total"]["requests"] == 3
    name = pwd.getpwuid(os.getuid()).pw_name
    assert usage(made, "--user", name)["total"]["requests"] == 4
    assert usage(made, "--user", "12345")["total"]["requests"] == 0
    table = made.llmb("usage", "--by", "user,model").out.splitlines()
    assert table[1].split()[0] == name and "test/m" in table[1], table
    usd = f"{total['cost_nusd'] // 10**9}.{total['cost_nusd'] % 10**9:09}"
    assert table[-1].split()[-1] == usd, table
    assert len({len(line) for line in table}) == 1, "columns are aligned"


def test_a_day_is_of_the_zone_that_is_asked_for(made):
    assert made.llmb("ask", "-m", "offline/echo", "hi").code == 0
    made.wait_ledger(1)
    # moved to 23:30 UTC of a winter's day, which is another day in Auckland
    at = datetime.datetime(2026, 1, 15, 23, 30, tzinfo=datetime.timezone.utc)
    made.stop()
    with sqlite3.connect(made.state_dir / "ledger.db") as base:
        base.execute("UPDATE exchange SET at_us = ?", (int(at.timestamp()) * 10**6,))
    base.close()
    made.start()

    def days(*args, env=None):
        done = made.llmb("usage", "--by", "day", "--json", *args, env=env)
        assert done.code == 0, done.err
        return [row["key"] for row in json.loads(done.out)["rows"]]
    assert days("--zone", "UTC") == ["2026-01-15"]
    if os.path.exists("/usr/share/zoneinfo/Pacific/Auckland"):
        assert days("--zone", "Pacific/Auckland") == ["2026-01-16"]
        assert days(env={"TZ": "Pacific/Auckland"}) == ["2026-01-16"], "the asker's own"
        assert days("--zone", "UTC", "--since", "2026-01-16") == []
        assert days("--zone", "Pacific/Auckland", "--since", "2026-01-16") == ["2026-01-16"]
    assert days(env={"TZ": "ABC-5"}) == ["2026-01-16"], "one without a name"
    hour = json.loads(made.llmb("usage", "--by", "hour", "--json", env={"TZ": "ABC-5:30"}).out)
    assert hour["rows"][0]["key"] == "2026-01-16 05:00 +0530"


def test_csv_is_safe_for_spreadsheets(made):
    names = ["=1+1", '@SUM("a",1)', "-2", "a,b", "plain"]
    for name in names:
        ask_as(made, name, "hi")
    out = made.llmb("usage", "--by", "app,op", "--csv").out
    assert "\r\n" in out
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert {row["app"] for row in rows} == {"'=1+1", '\'@SUM("a",1)', "'-2", "a,b", "plain"}
    assert all(row["op"] == "chat" and row["requests"] == "1" and row["cost_nusd"] == "0"
               for row in rows)
    total = list(csv.DictReader(io.StringIO(made.llmb("usage", "--csv").out)))
    assert [row["requests"] for row in total] == ["5"]


@pytest.mark.parametrize("op, body, param", [
    ("usage", {"app": 5}, "app"),
    ("usage", {"app": ["x"]}, "app"),
    ("usage", {"user": 1000}, "user"),
    ("usage", {"by": 5}, "by"),
    ("usage", {"since_s": "4000000000"}, "since_s"),
    ("usage", {"until_s": 1.5}, "until_s"),
    ("usage", {"clock": 5}, "clock"),
    ("usage", {"clock": {}}, "clock"),
    ("usage", {"billed": "yes"}, "billed"),
    ("usage.estimates", {"model": 5}, "model"),
    ("usage.export", {"after": 7}, "after"),
    ("usage.export", {"attempts": 1}, "attempts"),
    ("usage.export", {"kind": {}}, "kind"),
    ("usage", {name: None for name in ("app", "by", "since_s", "until_s", "clock", "billed")}, None),
    ("usage", {"app": "", "by": ""}, None),
    ("usage.export", {"app": None, "after": None, "attempts": None}, None),
])
def test_a_filter_of_the_wrong_type_is_refused(made, op, body, param):
    """Left out, it would answer what all have used."""
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": "other"})
        assert client.recv_frame().type == WELCOME
        client.send_frame(CALL, 1, {"kind": "admin", "op": op, "credit": 1 << 20,
                                    "body": json.dumps(body).encode()})
        last = client.recv_until(END, FAULT)[-1]
    if param is None:
        assert last.type == END, last.body
    else:
        assert last.type == FAULT, "it is answered"
        assert (last.body["class"], last.body["param"]) == ("invalid_argument", param), last.body


def test_all_rows_can_be_had(made):
    for _ in range(3):
        assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    made.wait_ledger(3, 3)
    made.stop()
    # and many more, so that they come in pages
    with sqlite3.connect(made.state_dir / "ledger.db") as base:
        base.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) "
            "INSERT INTO exchange(id, at_us, uid, pid, app, outcome, stream, attempts, warnings) "
            "SELECT printf('req_~%05d', i), i, 7, 7, 'many', 'ok', 0, 0, 0 FROM n")
    base.close()
    made.start()
    kept = made.ledger()
    lines = made.llmb("usage", "--export", "jsonl").out.splitlines()
    rows = [json.loads(line) for line in lines]
    assert {row["id"]: row for row in rows} == {row["id"]: row for row in kept["exchange"]}
    assert [row["id"] for row in rows] == sorted(row["id"] for row in kept["exchange"])
    said = list(csv.DictReader(io.StringIO(made.llmb("usage", "--export", "csv").out)))
    assert len(said) == len(kept["exchange"])
    assert said[0]["id"] == rows[0]["id"] and said[0]["output"] == str(rows[0]["output"])
    assert said[-1]["cost_nusd"] == "", "what is not known is empty"
    attempts = [json.loads(line) for line in
                made.llmb("usage", "--export", "jsonl", "--attempts").out.splitlines()]
    assert attempts == sorted(kept["attempt"], key=lambda row: row["exchange_id"])
    some = made.llmb("usage", "--export", "jsonl", "--app", "llmb").out.splitlines()
    assert len(some) == 3


def test_old_rows_go_and_the_rest_stays_right(broker, provider):
    priced = harness.provider_section(provider, model="m") + harness.section(
        "model", "test/m", {"price_input": "0.15", "price_output": "0.60"})
    made = broker(priced + "[ledger]\nkeep = 32d\n")
    made.add_key("test", KEY)
    for _ in range(3):
        assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    made.wait_ledger(3, 3)
    made.stop()
    now_us, day_us = int(time.time() * 10**6), 86400 * 10**6
    with sqlite3.connect(made.state_dir / "ledger.db") as base:
        for prefix, at_us in (("old", now_us - 40 * day_us), ("month", now_us - 31 * day_us)):
            base.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
                "INSERT INTO exchange(id, at_us, uid, pid, app, outcome, stream, attempts, "
                "warnings, cost_nusd) SELECT printf('req_%s%05d', ?, i), ? + i, 7, 7, ?, 'ok', 0, "
                "1, 0, 1000 FROM n", (prefix, at_us, prefix))
            base.execute(
                "INSERT INTO attempt(exchange_id, number, at_us, outcome, sent_body, cost_nusd) "
                "SELECT id, 1, at_us, 'ok', 1, 1000 FROM exchange WHERE app = ?", (prefix,))
    base.close()
    large = (made.state_dir / "ledger.db").stat().st_size
    made.start()
    made.wait_log("ledger.keep deleted=5000")
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    kept = made.wait_ledger(5004, 5004)
    assert not [row for row in kept["exchange"] if row["app"] == "old"]
    assert {row["exchange_id"] for row in kept["attempt"]} == {r["id"] for r in kept["exchange"]}
    told = usage(made, "--by", "app")
    assert {row["key"]: row["requests"] for row in told["rows"]}["month"] == 5000
    assert told["total"]["cost_nusd"] == sum(row["cost_nusd"] or 0 for row in kept["exchange"])
    assert made.llmb("audit", "verify").code == 0
    made.stop()
    assert (made.state_dir / "ledger.db").stat().st_size < large * 0.7, "its space is given back"
    with sqlite3.connect(made.state_dir / "ledger.db") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    base.close()
    made.configure(priced + "[ledger]\nkeep = 31d\n")
    check = made.llmb("config", "check", "--config", str(made.config_file))
    assert check.code != 0 and "keep is from 32d to 36500d, or never" in check.out + check.err


@pytest.mark.parametrize("args, words", [
    (("--user", "nosuchuser"), "no user is called"),
    (("--user", "ro*"), "no user is called"),
    (("--user", ""), "no user is called"),
    (("--since", "1d", "--until", "2d"), "--until is not after --since"),
    (("--prompt", "req_1", "--since", "1d"), "--prompt"),
    (("--prompt", "req_1", "--until", "1d"), "--prompt"),
    (("--prompt", "req_1", "--app", "x"), "--prompt"),
    (("--prompt", "req_1", "--op", "chat"), "--prompt"),
    (("--prompt", "req_1", "--billed"), "--billed"),
])
def test_a_selection_that_means_nothing_is_refused(made, args, words):
    done = made.llmb("usage", *args)
    assert done.code == 2 and words in done.err and done.out == "", done


def test_a_user_is_a_name_a_number_or_a_pattern_of_numbers(made):
    ask_as(made, "notes", "3 words")
    uid = str(os.getuid())
    for who in (pwd.getpwuid(os.getuid()).pw_name, uid, uid[0] + "*", "*"):
        assert usage(made, "--user", who)["total"]["requests"] == 1, who
    assert usage(made, "--user", uid + "99")["total"]["requests"] == 0


BY_MUCH = "app,model,hour"


def fill(made, n):
    """So many rows, of a month and of many programs: to sum them up takes a while."""
    base = sqlite3.connect(made.state_dir / "ledger.db", timeout=20)
    with base:
        base.execute("PRAGMA synchronous=OFF")
        base.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
            "INSERT INTO exchange(id, at_us, uid, pid, app, target_model, outcome, stream, attempts, "
            "warnings, cost_nusd) SELECT printf('req_~%08d', i), ?2 + i * (2592000000000 / ?1), 7, 7, "
            "'app' || (i % 50), 'm' || (i % 7), 'ok', 0, 0, 0, 1 FROM n",
            (n, int((time.time() - 30 * 86400) * 1e6)))
        base.execute(
            "INSERT INTO attempt(exchange_id, number, at_us, outcome, sent_body, charged_nusd) "
            "SELECT id, 1, at_us, 'ok', 1, 1 FROM exchange WHERE id > 'req_~'")
    base.close()


def rows_of(made, app):
    base = sqlite3.connect(f"file:{made.state_dir}/ledger.db?mode=ro", uri=True, timeout=20)
    try:
        return base.execute("SELECT count(*) FROM exchange WHERE app = ? AND id < 'req_~'",
                            (app,)).fetchone()[0]
    finally:
        base.close()


def asking_for_sums(made, times):
    client = WireClient(made.socket, timeout=20 * harness.SLOWER)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": "asks"})
    assert client.recv_frame().type == WELCOME
    for number in range(1, times + 1):
        client.send_frame(CALL, number, {"kind": "admin", "op": "usage",
                                         "body": json.dumps({"by": BY_MUCH}).encode()})
    return client


def test_sums_that_nobody_waits_for_hold_up_nothing(broker):
    made = broker("")
    made.stop()
    fill(made, 200000)
    made.start()
    began = time.monotonic()
    usage(made, "--by", BY_MUCH)
    one = time.monotonic() - began
    with asking_for_sums(made, 100) as client:
        for _ in range(100 - 8):  # more than so many of one user's are refused
            told = client.recv_frame()
            assert told.type == FAULT and told.body["class"] == "overloaded", told
        ask_as(made, "meanwhile", "a call is served")
        harness.wait_until(lambda: rows_of(made, "meanwhile"), harness.CALL_SECONDS,
                           "its row is written while somebody reads")
    harness.wait_until(lambda: made.llmb("usage").code == 0, harness.CALL_SECONDS,
                       "those who have gone are soon forgotten")
    with asking_for_sums(made, 8) as client:
        client.send_frame(CALL, 1000, {"kind": "admin", "op": "status", "body": b"{}"})
        assert client.recv_until(END, FAULT)[-1].type == END
    began = time.monotonic()
    made.stop()
    took = time.monotonic() - began
    assert took < 4 * one, f"it stopped after {took:.1f} s, and one sum takes {one:.1f} s"


def test_memory_does_not_grow_with_the_ledger(broker):
    """Neither what budgets begin with nor sums are sorted in memory; what is on the disk for it is gone at once."""
    made = broker("")
    assert made.llmb("usage").code == 0
    before = made.heap_kib()
    made.stop()
    files = {path.name for path in made.state_dir.iterdir()}
    fill(made, 200000)
    made.start()
    for args in (["--by", "app"], ["--billed", "--by", BY_MUCH], ["--estimates"]):
        usage(made, *args)
    assert harness.is_sanitized() or harness.SLOWER > 1 or made.heap_kib() - before < 12 * 1024
    made.stop()
    assert {path.name for path in made.state_dir.iterdir()} == files
