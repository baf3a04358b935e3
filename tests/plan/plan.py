#!/usr/bin/python3
"""plan.py - what does the plan for security and reliability say of this tree?

usage: plan.py [--check] [--table FILE] [--seconds N] [--long] [ID...]

Runs what the rows of rows.py name, all of them or those of the given numbers, and writes a table of the newest result of
each into FILE: figure, target, verdict, date, commit, machine and command. Nothing in it is typed by hand; what was not run
now stands there as it did. What is a target of make is run with --long, or where its number is given. --check runs nothing: is
all that the rows name there?
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(HERE)]
import fuzzers  # noqa: E402
from rows import ROWS, Absent, Fuzz, Kept, Make, Pytest, Stories, Units  # noqa: E402

BUILD = TOP / "build"
E2E = "tests/e2e"
Result = collections.namedtuple("Result", "figure verdict command")


def run(command, seconds, env=None):
    """Its exit status (124: out of time) and all that it said."""
    try:
        done = subprocess.run(command, cwd=TOP, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace")
    return done.returncode, done.stdout.decode(errors="replace")


def shown(command, env):
    return " ".join([*(f"{name}={value}" for name, value in env.items()), *command])


def plural(count, what):
    return f"{count} {what}" + ("" if count == 1 else "s")


# each: what a row names, as a Result

def by_pytest(by, _):
    flavour = "debug" if any("test_scarce" in test for test in by.tests) else "release"
    report = BUILD / f"plan.{os.getpid()}.xml"
    tests = [f"{E2E}/{test}" for test in by.tests]
    status, said = run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1",
                        f"--junitxml={report}", *tests], 1200, {
                            **by.env, "LLMB_BIN_DIR": str(BUILD / flavour / "bin"), "PYTHONPATH": "tests/lib"})
    counts = re.search(r"((?:\d+ \w+(?:, )?)+) in [\d.]+s", said)
    figures = [found.get("value") for found in xml.parse(report).iter("property") if found.get("name") == "figure"]
    report.unlink()
    passed = int((re.search(r"(\d+) passed", said) or [0, 0])[1])
    return Result("; ".join([*figures, counts[1] if counts else said.strip().splitlines()[-1]]),
                  "pass" if status == 0 and passed else "skipped" if status in (0, 5) else "FAIL",
                  shown(["pytest", *tests], by.env))


def unit_programs(names):
    return sorted(path for name in names for path in (BUILD / "release/tests").glob(f"test_{name}")
                  if path.suffix == "")


def by_prove(programs, env, command):
    status, said = run(["prove", *map(str, programs)], 900, env)
    counts = re.search(r"Files=(\d+), Tests=(\d+)", said)
    bad = len(re.findall(r"Failed test", said))
    return Result(f"{plural(int(counts[1]), 'program')}, {int(counts[2]):,} checks, {bad} failed" if counts else said[-200:],
                  "pass" if status == 0 else "FAIL", command)


def by_units(by, _):
    return by_prove(unit_programs(by.names), by.env, shown(["prove", *(f"test_{name}" for name in by.names)], by.env))


def by_stories(by, _):
    files = [f"tests/story/{name}.story" for name in by.names]
    status, said = run([str(BUILD / "release/tests/story"), *files], 300)
    good, bad = (len(re.findall(rf"^{word} \d+", said, re.MULTILINE)) for word in ("ok", "not ok"))
    return Result(f"{len(files)} stories, {good} checks, {bad} failed", "pass" if status == 0 and good else "FAIL",
                  shown(["story", *by.names], {}))


def by_fuzz(by, seconds):
    each = fuzzers.seconds_each(by.names, seconds)
    runs = list(fuzzers.fuzz_all([(name, each) for name in by.names]))
    found = sorted(run.name for run in runs if not run.is_clean)
    return Result(f"{sum(run.inputs for run in runs):,} inputs in {plural(len(runs), 'program')}, {each} s each, "
                  f"at most {max(run.mib for run in runs)} MiB; findings: {', '.join(found) or 'none'}",
                  "FAIL" if found else "pass", f"fuzz_{{{','.join(by.names)}}} -max_total_time={each}")


def by_make(by, _):
    status, said = run(["sh", "-c", f"make {by.target}"], by.seconds)
    (BUILD / "plan.log").write_text(said)  # of the last one: whoever reads of a failure wants to know which
    figures = [" ".join(filter(None, found)) if isinstance(found, tuple) else found
               for found in re.findall(by.figure, said, re.MULTILINE)]
    words = [figure.replace(" | ", ": ", 1).replace(" | ", ", ") for figure in figures]
    return Result("; ".join(words[-8:]) or (said.strip().splitlines() or ["nothing was said"])[-1],
                  "pass" if status == 0 else "out of time" if status == 124 else "FAIL", f"make {by.target}")


def by_kept(by, _):
    """{"about": {"date", ...}, "figures": {name: {"figure", "pass"}}}"""
    path = BUILD / by.file
    if not path.exists():
        return Result("", "not run", f"make {by.target}")
    kept = json.loads(path.read_text())
    figures = {name: kept["figures"][name] for name in by.names}
    return Result("; ".join(f"{name}: {one['figure']}" for name, one in figures.items()) + f" ({kept['about']['date']})",
                  "pass" if all(one["pass"] for one in kept["figures"].values()) else "FAIL", f"make {by.target}")


def by_absence(by, _):
    return Result(by.why(), "not here", "-")


RUNNERS = {Pytest: by_pytest, Units: by_units, Stories: by_stories, Fuzz: by_fuzz, Make: by_make, Kept: by_kept,
           Absent: by_absence}


def missing(row):
    """What a row names and nobody has."""
    by = row.by
    if isinstance(by, Pytest):
        for test in by.tests:
            name, _, function = test.partition("::")
            path = TOP / E2E / name
            if not path.exists() or (function and f"def {function}(" not in path.read_text()):
                yield test
    places = {Units: ("tests/unit/test_{}.c", "names"), Fuzz: ("tests/fuzz/fuzz_{}.c", "names"),
              Stories: ("tests/story/{}.story", "names")}
    if type(by) in places:
        pattern, member = places[type(by)]
        yield from (name for name in getattr(by, member) if not list(TOP.glob(pattern.format(name))))
    if isinstance(by, (Make, Kept)):
        target = by.target.split()[0]
        if not re.search(rf"^(?:[\w -]*\s)?{target}(?:\s[\w -]*)?:", (TOP / "Makefile").read_text(), re.MULTILINE):
            yield f"make {target}"


def forgotten():
    """Fuzzers that no row names: nobody would run them."""
    named = {name for row in ROWS if isinstance(row.by, Fuzz) for name in row.by.names}
    return sorted({path.stem.removeprefix("fuzz_") for path in TOP.glob("tests/fuzz/fuzz_*.c")} - named)


def says(*command):
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False).stdout.strip()


def commit():
    changed = says("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!tests/RELIABILITY.md")
    return says("git", "rev-parse", "--short=12", "HEAD") + (", changed" if changed else "")


def machine():
    """What it is, and what the programs stand on there."""
    libraries = [f"{name} {says('pkg-config', '--modversion', name)}"
                 for name in ("libcurl", "openssl", "libsodium", "sqlite3", "libcjson")]
    system = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    memory = pathlib.Path("/proc/meminfo").read_text().split()[1]
    return "; ".join([system["PRETTY_NAME"].strip('"'), f"Linux {platform.release()}",
                      f"{os.cpu_count()} x {platform.machine()}, {int(memory) >> 20} GiB",
                      says("cc", "--version").splitlines()[0], ", ".join(libraries)])


CELLS = ("id", "what", "figure", "target", "verdict", "when", "machine", "command")


def read_table(path):
    """{id: its cells} of what write_table wrote."""
    machines, results = {}, {}
    for line in pathlib.Path(path).read_text().splitlines() if pathlib.Path(path).exists() else ():
        said = re.match(r"- ([a-z]): (.*)", line)
        if said:
            machines[said[1]] = said[2]
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == len(CELLS) and cells[CELLS.index("machine")] in machines:
            found = dict(zip(CELLS, cells))
            results[found["id"]] = {**found, "machine": machines[found["machine"]], "command": found["command"].strip("`")}
    return results


def write_table(path, results):
    machines = list(dict.fromkeys(results[row.id]["machine"] for row in ROWS if row.id in results))
    letters = {name: chr(ord("a") + i) for i, name in enumerate(machines)}
    lines = ["# What the plan asks for, and what was found", "",
             "`make reliability` runs what `tests/plan/rows.py` names and writes this file; nothing in it is typed by hand.",
             "A row has the date, the commit and the machine of its own run. \"not run\": it has not been.", ""]
    lines += [f"- {letter}: {name}" for name, letter in letters.items()]
    lines += ["", "| id | what | figure | target | | when, of which commit | on | command |", "| --- " * len(CELLS) + "|"]
    for row in ROWS:
        got = results.get(row.id)
        if not got:
            by = f"make {row.by.target}" if isinstance(row.by, (Make, Kept)) else f"make reliability PLAN={row.id}"
            got = {"figure": "", "verdict": "not run", "when": "", "machine": None, "command": by}
        cells = [row.id, row.what, got["figure"], row.target, got["verdict"], got["when"], letters.get(got["machine"], ""),
                 f"`{got['command']}`"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    verdicts = collections.Counter(results[row.id]["verdict"] if row.id in results else "not run" for row in ROWS)
    lines += ["", ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())), ""]
    pathlib.Path(path).write_text("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--long", action="store_true", help="also what is a target of make")
    parser.add_argument("--table", default=str(TOP / "tests/RELIABILITY.md"))
    parser.add_argument("--seconds", type=int, default=60, help="of each row of fuzzers")
    parser.add_argument("ids", nargs="*")
    options = parser.parse_args()
    gone = [f"{row.id}: there is no {what}" for row in ROWS for what in missing(row)]
    gone += [f"no row names the fuzzer {name}" for name in forgotten()]
    gone += [f"there is no row {one}" for one in options.ids if one not in {row.id for row in ROWS}]
    if gone:
        sys.exit("\n".join(gone))
    if options.check:
        print(f"{len(ROWS)} rows, all that they name is there")
        return 0
    here, of = machine(), commit()
    bad = 0
    for row in ROWS:
        if row.id not in options.ids and (options.ids or (isinstance(row.by, Make) and not options.long)):
            continue
        print(f"{row.id}: {row.what} ...", flush=True)
        began = time.monotonic()
        result = RUNNERS[type(row.by)](row.by, options.seconds)
        when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M") + f", {of}"
        results = read_table(options.table)  # other rows may be run beside this
        results[row.id] = {**result._asdict(), "when": when, "machine": here}
        bad += result.verdict not in ("pass", "not here", "not run", "skipped")
        print(f"  {result.verdict}, {time.monotonic() - began:.0f} s: {result.figure}", flush=True)
        write_table(options.table, results)
    print(f"{len(ROWS)} rows, {bad} bad; {options.table}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
