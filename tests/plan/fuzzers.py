#!/usr/bin/python3
"""fuzzers.py - do the fuzzers of the plan find anything in the time that each of its rows has?

usage: fuzzers.py [--seconds N] [--seed N]

The time of a row is shared by its programs, of which none has less than ten seconds. A fuzzer uses one
processor: as many run at once as there are. With a seed a program begins with what is kept in
tests/fuzz/corpus alone and tries the same inputs in the same order each time, a slower machine fewer of
them: so CI fails by what a change broke, and not by luck. Without one it goes on from what
build/fuzz/corpus has gathered. A finding stays in build/fuzz.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from rows import ROWS, Fuzz

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build/fuzz"
LEAST_S = 10
OWN = {"broker"}  # whose inputs are like no golden file
Run = collections.namedtuple("Run", "name is_clean inputs mib said")


def seconds_each(names, seconds):
    """Of a row that has so many seconds on one processor."""
    return max(seconds // len(names), min(seconds, LEAST_S))


def number(pattern, said):
    found = re.search(pattern, said)
    return int(found[1]) if found else 0


def fuzz(name, seconds, seed=None):
    """One program; what it begins with is the corpus that is kept and the golden files."""
    begin = [TOP / "tests/fuzz/corpus" / name, *([] if name in OWN else [TOP / "tests/golden"])]
    kept = [str(place) for place in begin if place.exists()]
    with tempfile.TemporaryDirectory() as nowhere:
        corpus = pathlib.Path(nowhere)
        if seed is None:
            corpus = BUILD / "corpus" / name
            corpus.mkdir(parents=True, exist_ok=True)
        command = [str(BUILD / "fuzz" / f"fuzz_{name}"), "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
                   f"-max_total_time={seconds}", f"-artifact_prefix={BUILD}/{name}-",
                   *([f"-seed={seed}"] if seed is not None else []), str(corpus), *kept]
        try:
            done = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=seconds * 2 + 120, check=False)
            status, said = done.returncode, done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            status, said = 124, (late.stdout or b"").decode(errors="replace") + "\nit did not come to its end\n"
    inputs = number(r"number_of_executed_units:\s*(\d+)", said)
    return Run(name, status == 0 and inputs > 0, inputs, number(r"peak_rss_mb:\s*(\d+)", said), said)


def fuzz_all(jobs, seed=None):
    """[(name, seconds)] side by side: each Run as it ends."""
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        running = [pool.submit(fuzz, name, seconds, seed) for name, seconds in jobs]
        for one in concurrent.futures.as_completed(running):
            yield one.result()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=60, help="of each row of the plan")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    jobs = [(name, seconds_each(row.by.names, options.seconds)) for row in ROWS if isinstance(row.by, Fuzz)
            for name in row.by.names]
    bad = 0
    for run in fuzz_all(sorted(jobs, key=lambda job: -job[1]), options.seed):
        print(f"fuzz-smoke: {run.name}: {run.inputs:,} inputs, at most {run.mib} MiB: "
              f"{'nothing found' if run.is_clean else 'FOUND'}", flush=True)
        if not run.is_clean:
            bad += 1
            print("\n".join(run.said.splitlines()[-60:]), flush=True)
    print(f"fuzz-smoke: {len(jobs)} programs, {bad or 'nothing'} found")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
