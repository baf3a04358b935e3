#!/usr/bin/python3
"""cost.py - did a call become dearer, where no clock is asked?

usage: cost.py [--rewrite] [--json FILE]

Of each kind of call: instructions, by callgrind; allocations, by counting.so; system calls, by strace.
All three look at the loop's thread alone, for what the workers do in batches is a matter of the clock,
while it answers so many calls of the kind, one at a time, behind as many that do not count; of three
times, the least. Compares with cost.json, where what was counted before stands
for each set of libraries, and fails where anything grew by more than the slack. Where that set was
never counted it says so, and holds nothing against anybody; --rewrite counts, and writes it down.
"""

import argparse
import contextlib
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import counted  # noqa: E402
import harness  # noqa: E402
import run as bench  # noqa: E402

KNOWN = HERE / "cost.json"
CALLS = 100
TIMES = 3
TOKENS = 50
SLACK = {"instructions": 1.05, "allocations": 1.05, "syscalls": 1.10}  # how much may be by chance
LEAST = {"instructions": 0, "allocations": 0.5, "syscalls": 0.5}      # what is less than that of a call is none
KINDS = {
    "typed": [],
    "stream": ["--stream"],
    "hit": ["--cache", "on"],
    "relayed": ["--surface", "openai.chat"],
    "translated": ["--surface", "anthropic.messages"]}
TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.M)
FUNCTION = re.compile(r"^\s*([\d,]+)\s+\(\s*([\d.]+%)\)\s+(.*)$", re.M)


class Missing(Exception):
    """Why nothing can be counted here."""


def libraries():
    """What the counts depend on beside our own code."""
    parts = [platform.machine(), "-".join(platform.libc_ver())]
    for package in ("libcurl", "libsodium", "libcjson", "sqlite3", "libcrypto"):
        done = subprocess.run(["pkg-config", "--modversion", package], stdout=subprocess.PIPE, check=False)
        parts.append(f"{package}-{done.stdout.decode().strip()}")
    done = subprocess.run(["cc", "-dumpfullversion"], stdout=subprocess.PIPE, check=False)
    return " ".join([*parts, f"cc-{done.stdout.decode().strip()}"])


def config(port):
    return harness.section("provider", "bench", {
        "dialect": "openai-chat", "base_url": f"http://127.0.0.1:{port}/v1", "auth": "none", "local": "yes",
        "allow_plain_loopback": "yes"}) + harness.section("model", "bench/bench-1", {
            "price_input": "0.15", "price_output": "0.60", "max_output": 16384}) + harness.section("limit", "bench", {
                "each": "user", "budget": "1000000/day", "requests": "1000000/second", "concurrency": 1000})


def ask(made, kind, calls=CALLS):
    report = bench.run("load", "--socket", made.socket, "--model", "bench/bench-1", "--bursts", calls, *KINDS[kind],
                       timeout=120)
    if report["calls"] != calls:
        raise bench.BenchError(f"{report['calls']} of {calls} calls were answered")


def wait_ready(made):
    made.start(wait=False)
    made.wait_ready(60)


def callgrind(port, folder):
    """{kind: instructions of a call}: a dump ends what was counted before it."""
    found = {}
    with contextlib.closing(counted.broker(
            config(port), "valgrind", "-q", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/out")) as made:
        wait_ready(made)
        for kind in KINDS:
            ask(made, kind)
            dump(made, folder)
            counts = []
            for _ in range(TIMES):
                ask(made, kind)
                counts.append(total(dump(made, folder)) / CALLS)
            found[kind] = min(counts)
    return found


def dump(made, folder):
    """The file of what the loop's thread took since the last one."""
    before = set(pathlib.Path(folder).glob("out.*-01"))
    subprocess.run(["callgrind_control", "-d", str(made.pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                   stdin=subprocess.DEVNULL, timeout=60, check=True, env=made.env)  # they meet in its TMPDIR
    new = harness.wait_until(lambda: [path for path in set(pathlib.Path(folder).glob("out.*-01")) - before
                                      if TOTAL.search(path.read_text())], 30, "callgrind writes")
    return new[0]


def total(path):
    return int(TOTAL.search(path.read_text()).group(1))


def top(path, lines=12):
    """The functions that took the most of it, for who looks for a reason. Those that never returned, as the loop's own
    callers, are shown with all that was called; they are left out."""
    done = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=60, check=False)
    found = [match.groups() for match in FUNCTION.finditer(done.stdout.decode(errors="replace"))]
    return [" ".join((count, share, name.replace(f"{harness.TOP}/", ""))) for count, share, name in found
            if share != "100.0%"][:lines]


def allocations(port):
    found = {}
    with counted.Counted(config(port)) as made:
        for kind in KINDS:
            ask(made.broker, kind)
            counts = []
            for _ in range(TIMES):
                before = made.read()["allocations"]
                ask(made.broker, kind)
                counts.append((made.read()["allocations"] - before) / CALLS)
            found[kind] = min(counts)
    return found


def syscalls(port, folder):
    found = {}
    with contextlib.closing(counted.broker(config(port))) as made:
        wait_ready(made)
        for kind in KINDS:
            ask(made, kind)
            found[kind] = min(trace(made, kind, pathlib.Path(folder) / "trace") for _ in range(TIMES)) / CALLS
    return found


def trace(made, kind, path):
    with subprocess.Popen(["strace", "-c", "-U", "calls,name", "-o", str(path), "-p", str(made.pid)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as tracer:
        if b"attached" not in tracer.stderr.readline():
            raise Missing("strace may not look into another process here")
        ask(made, kind)
        tracer.terminate()
    rows = re.findall(r"^\s*(\d+)\s+(\w+)$", path.read_text(), re.M)
    return sum(int(n) for n, name in rows if name != "total")


def count():
    for program in ("valgrind", "callgrind_control", "strace"):
        if not shutil.which(program):
            raise Missing(f"there is no {program}: packaging/deps.sh --ci")
    with bench.Program("upstream", "--chunks", TOKENS, "--interval-us", 0) as up, \
            tempfile.TemporaryDirectory() as folder:
        port = up.said.strip()
        found = {"instructions": callgrind(port, folder), "allocations": allocations(port), "syscalls": syscalls(port, folder)}
    return {kind: {what: round(found[what][kind], 2) for what in found} for kind in KINDS}


def compare(now, then):
    """[(kind, what, now, then, is it worse)]"""
    rows = []
    for kind, counts in now.items():
        for what, number in counts.items():
            before = then.get(kind, {}).get(what)
            worse = before is not None and number > before * SLACK[what] + LEAST[what]
            rows.append((kind, what, number, before, worse))
    return rows


def show(rows):
    print(bench.table(("call", "what", "of each", "before", "ratio", ""), [
        (kind, what, f"{number:,.1f}", bench.number(before), bench.factor(number / before if before else None),
         "**dearer**" if worse else "") for kind, what, number, before, worse in rows]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rewrite", action="store_true", help="what is counted now is what it may cost")
    parser.add_argument("--json", help="the counts")
    options = parser.parse_args()
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    here = libraries()
    then = known.get(here, {})
    if not then and not options.rewrite:
        print(f"cost: skipped: no thresholds for this machine, with {here}; `make cost-rewrite` writes them")
        return 0
    try:
        now = count()
    except (Missing, counted.Missing) as why:
        print(f"cost: skipped: {why}")
        return 0
    rows = compare(now, then)
    show(rows)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(now, indent=1) + "\n")
    if options.rewrite:
        known[here] = now
        KNOWN.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        return 0
    for kind, what, number, before, worse in rows:
        if worse:
            print(f"cost: a {kind} call takes {number:,.1f} {what}, {number / before:.2f} times as many as before")
    return 1 if any(row[-1] for row in rows) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (bench.BenchError, harness.BrokerError) as why:
        sys.exit(f"cost: {why}")
