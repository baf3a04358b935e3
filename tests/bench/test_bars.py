"""test_bars.py - are the tables of the benchmark whole, and do they judge as they say?

Not what they say of the broker: on a busy machine that means nothing."""

import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import bars  # noqa: E402
import cost  # noqa: E402
import flame  # noqa: E402
import peers  # noqa: E402
import profiles  # noqa: E402
import reasons  # noqa: E402

MOST = bars.Bar("1", "one", "what", "≤ 2 ×", bars.over("a", "broker", "beside"), 2.0)
LEAST = MOST._replace(bound=2.0, is_least=True)


def found(*ratios):
    return [{"broker": {"a": ratio * 10}, "beside": {"a": 10}} for ratio in ratios]


@pytest.mark.parametrize("bar, ratios, is_met, held", [
    (MOST, (1, 2, 3), True, 2), (MOST, (3, 3, 1), False, 1), (LEAST, (1, 2, 3), True, 2), (LEAST, (1, 1, 3), False, 1)])
def test_a_bar_is_met_by_its_median_round(bar, ratios, is_met, held):
    row = bars.judge(bar, found(*ratios), {})
    assert (row["is_met"], row["held"], row["rounds"]) == (is_met, held, 3)


def test_a_side_that_is_not_there_leaves_its_row_empty():
    row = bars.judge(MOST, [{"broker": {"a": 1}}], {"beside": "there is no beside"})
    assert row["why"] == "there is no beside"
    assert "not measured: there is no beside" in bars.table([row])
    assert bars.judge(MOST, "no TLS", {})["why"] == "no TLS"


def test_what_is_added_is_compared_without_the_direct_call():
    one = {"broker": {"p": 30}, "raw": {"p": 20}, "portkey": {"p": 520}}
    assert bars.added("p", "portkey")(one) == 10 / 500
    assert bars.figure({"ratio": 1 / 50, "unit": "×"}) == "1/50"
    assert bars.figure({"ratio": 1.5, "unit": "×"}) == "× 1.50"


def test_each_bar_has_a_reason_to_be_missed():
    assert {bar.name for bar in bars.BARS} == set(reasons.WHY)
    rows = [{"bar": "1", "is_met": False}, {"bar": "2a", "is_met": False}, {"bar": "7", "is_met": True}, {"bar": "8", "why": "no"}]
    text = "\n".join(bars.missed_section(rows))
    assert "| 1, 2a | " in text and "| 7" not in text and "| 8" not in text
    assert bars.missed_section([{"bar": "7", "is_met": True}]) == []


CALLGRIND = """events: Ir
ob=(1) /usr/lib/libcurl.so.4.8.0
fl=(1) ???
fn=(1) curl_multi_socket_action
5 10
cob=(2) /b/bin/llm-brokerd
cfi=(2) ./brokerd/loop/loop.c
cfn=(2) on_io
calls=1 5
+1 1000
ob=(2)
fl=(2)
fn=(2)
7 20
fn=(3) arena_done
fi=(3) /usr/include/bits/string_fortified.h
8 1
fl=(4) ./protocol/base/arena.c
fn=(3)
+1 2
ob=(3) /usr/lib/libc.so.6
fl=(5) memset.S
fn=(4) __memset_avx2_unaligned_erms
1 300
"""


def test_whose_the_instructions_are(tmp_path):
    file = tmp_path / "out"
    file.write_text(CALLGRIND)
    found = profiles.shares(file)
    assert found == {"libcurl": 10, "brokerd/loop": 21, "protocol": 2, profiles.WIPED: 300}, "what is called is counted where it is"
    table = profiles.instructions_table({"typed": found, "hit": {"libcurl": 1}})
    assert "| libcurl | 3.0 % | 100.0 % |" in table and "| the rest | 0.6 % | 0.0 % |" in table and "| instructions | 333 | 1 |" in table
    assert profiles.where("/x/libssl.so.3", "???", "f") == "libssl" and profiles.where("/x/llm-brokerd", "brokerd/main.c", "f") == "brokerd"
    assert [profiles.library_of(f"/x/{name}") for name in ("libp11-kit.so.0.3.0", "ld-linux-x86-64.so.2", "libc-2.31.so", "llm-brokerd")] == [
        "libp11-kit", "ld-linux-x86-64", "libc", None]


MASSIF = """heap_tree=detailed
n3: 1000 (heap allocation functions) malloc/new/new[], --alloc-fns, etc.
 n2: 600 0x23: buf_reserve (/x/protocol/base/buf.c:80)
  n1: 400 0x24: set_lines (./brokerd/transport/transport.c:9)
   n0: 400 0x25: on_ready (./brokerd/front/session.c:9)
  n0: 200 0x24: framing_feed (protocol/framing.c:7)
 n1: 300 0x4: ??? (in /usr/lib/x86_64-linux-gnu/libcurl.so.4.8.0)
  n0: 300 0x25: on_ready (./brokerd/front/session.c:9)
 n0: 100 in 23 places, all below massif's threshold (0.01%)
"""


def test_whose_the_heap_is():
    assert profiles.heap_shares(MASSIF) == {"brokerd/transport": 400, "protocol": 200, "libcurl": 300, profiles.REST: 100}


SMAPS = """55d0-55d1 r-xp 00000000 fe:00 12   /usr/sbin/llm-brokerd
Private_Clean:        8 kB
Shared_Clean:         4 kB
7f00-7f01 r-xp 00000000 fe:00 13   /usr/lib/x86_64-linux-gnu/libcurl.so.4.8.0
Shared_Clean:        40 kB
Private_Dirty:        2 kB
7f02-7f03 rw-p 00000000 00:00 0
Private_Dirty:       16 kB
"""


def test_whose_the_resident_memory_is():
    assert profiles.smaps(SMAPS) == {"llm-brokerd": [0, 12], "libcurl": [2, 40], "stacks and other anonymous memory": [16, 0]}


def test_each_missed_bar_is_shown_by_a_profile_that_there_is():
    assert set(reasons.SHOWN) | {"8", "19"} == set(reasons.WHY)
    assert {name for names in reasons.SHOWN.values() for name in names} == set(bars.PROFILES)
    assert reasons.profiles_of(["1", "7", "2a"]) == ["instructions", "threads", "handshake"]
    assert not any(character.isdigit() for why in reasons.WHY.values() for text in why for character in text.replace("TLS 1.3", "").replace("7.88", ""))


def test_the_table_has_all_bars(tmp_path):
    out, data = tmp_path / "RESULTS.md", tmp_path / "bars.json"
    done = subprocess.run([sys.executable, str(HERE / "bars.py"), "--quick", "--rounds", "1", "--peers", str(tmp_path),
                           "--out", str(out), "--json", str(data)],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    rows = json.loads(data.read_text())["rows"]
    assert [row["bar"] for row in rows] == [bar.name for bar in bars.BARS]
    lines = [line for line in out.read_text().splitlines() if "`make bench-results BARS=" in line]
    assert len(lines) == len(bars.BARS) and all(line.count(" | ") == 6 for line in lines)
    there = {row["bar"] for row in rows if "why" not in row}
    assert {"1", "4a", "4b", "5", "8", "9b", "12", "13", "14a", "15", "16", "18", "19"} <= there, rows
    bursts = next(row for row in rows if row["bar"] == "8")
    assert bursts["ratio"] >= 1, "64 calls at once take as many connections"


def test_dearer_is_more_than_by_chance():
    then = {"typed": {"instructions": 1000, "allocations": 10}}
    now = {"typed": {"instructions": 1049, "allocations": 12}, "new": {"instructions": 5}}
    assert [(kind, what, worse) for kind, what, _, _, worse in cost.compare(now, then)] == [
        ("typed", "instructions", False), ("typed", "allocations", True), ("new", "instructions", False)]


def test_stacks_are_folded_and_drawn():
    text = ("llm-brokerd 1 2.0: 1 cpu-clock:\n\t5555 inner<a>+0x1 (/bin/x)\n\t5556 outer+0x2 (/bin/x)\n\n"
            "llm-brokerd 1 2.1: 1 cpu-clock:\n\t5556 outer+0x9 (/bin/x)\n\n"
            "llm-brokerd 1 2.2: 1 cpu-clock:\n\t77 [unknown] (/usr/lib/libc.so.6)\n")
    stacks = flame.fold(text)
    assert stacks == {("outer", "inner<a>"): 1, ("outer",): 1, ("[libc.so.6]",): 1}
    root = xml.etree.ElementTree.fromstring(flame.draw(stacks, "a & b"))
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["all: 100.0 %", "[libc.so.6]: 33.3 %", "outer: 66.7 %", "inner<a>: 33.3 %"]


def test_the_line_that_says_why_is_found():
    assert peers.first_line("hello\nnpm error code E404\nmore") == "npm error code E404"
    assert peers.first_line("") == "no reason given"
