"""coverage.py BUILD [--json FILE] - which lines and branches did the tests of a coverage build run?

BUILD is its folder, of whose objects gcov tells. A line or a branch that was compiled more than once, into a program and
into the library, counts once, and is run where one of them was. Prints a table by folder, and fails where a folder that
has a floor is below it, with the files that lack most.
"""

import argparse
import collections
import concurrent.futures
import datetime
import json
import os
import pathlib
import subprocess
import sys

FLOOR = 90  # of a hundred lines, where foreign bytes are read, and where money and keys are
FLOORED = ("protocol", "brokerd/dialect", "brokerd/exchange", "brokerd/limit", "brokerd/route", "brokerd/vault")
OURS = ("protocol/", "brokerd/", "libllmclient/")
SHOWN = 8  # files of a folder that is below


def told(notes):
    """What gcov says of one object: [(file, its lines)]."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", str(notes)], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [(each["file"], each["lines"]) for each in json.loads(done.stdout)["files"]] if done.stdout else []


class Lines:
    """Of one file: how often each line was run, and each branch."""

    def __init__(self):
        self.lines, self.branches = collections.Counter(), collections.Counter()

    def add(self, lines):
        # a line may be told of several times, as of a static inline function
        for line in lines:
            self.lines[line["line_number"]] += line["count"]
            for number, branch in enumerate(line["branches"]):
                self.branches[line["line_number"], number] += branch["count"]


def read(build):
    """{path: Lines} of our own sources, run or not."""
    files = collections.defaultdict(Lines)
    notes = [path for kind in ("obj", "obj-pic") for top in OURS
             for path in sorted(pathlib.Path(build, kind, top).rglob("*.gcno"))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        for found in threads.map(told, notes):
            for name, lines in found:
                path = os.path.normpath(os.path.relpath(name) if os.path.isabs(name) else name)
                if path.startswith(OURS):
                    files[path].add(lines)
    return files


def folder_of(path):
    """The folders that are told apart: two levels, and a file right in one of the first is of that."""
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


class Sum:
    def __init__(self):
        self.lines = self.run_lines = self.branches = self.run_branches = 0

    def add(self, one):
        self.lines += len(one.lines)
        self.run_lines += sum(count > 0 for count in one.lines.values())
        self.branches += len(one.branches)
        self.run_branches += sum(count > 0 for count in one.branches.values())

    def shares(self):
        return (100 * self.run_lines / self.lines if self.lines else 100.0,
                100 * self.run_branches / self.branches if self.branches else 100.0)


def sums(files, name_of):
    found = collections.defaultdict(Sum)
    for path, lines in files.items():
        found[name_of(path)].add(lines)
    return found


def floor_of(folder):
    return FLOOR if any(folder == each or folder.startswith(each + "/") for each in FLOORED) else None


def row(name, one, floor):
    lines, branches = one.shares()
    verdict = "" if floor is None else "pass" if lines >= floor else "FAIL"
    return f"| {name} | {one.lines:,} | {lines:.1f} % | {branches:.1f} % | {floor or ''} | {verdict} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    files = read(options.build)
    if not any(sum(one.lines.values()) for one in files.values()):
        sys.exit(f"coverage: nothing was run of what is in {options.build}")
    folders, single, below = sums(files, folder_of), sums(files, str), []
    print("| folder | lines | run | branches | floor | |\n| --- | --- | --- | --- | --- | --- |")
    for folder, one in sorted(folders.items()):
        print(row(folder, one, floor_of(folder)))
        if floor_of(folder) and one.shares()[0] < floor_of(folder):
            below.append(folder)
    print(row("all", sums(files, lambda _: "all")["all"], None))
    for folder in below:
        print(f"\n{folder} is below its floor; most is missing in")
        lacking = sorted((path for path in single if folder_of(path) == folder),
                         key=lambda path: single[path].run_lines - single[path].lines)
        for path in lacking[:SHOWN]:
            missing = sorted(number for number, count in files[path].lines.items() if count == 0)
            print(f"  {path}: {len(missing)} of {single[path].lines} lines: {missing[:20]}")
    if options.json:
        sums_of = {**folders, "all": sums(files, lambda _: "all")["all"]}
        pathlib.Path(options.json).write_text(json.dumps({
            "about": {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")},
            "figures": {name: {"figure": "{:.1f} % of lines, {:.1f} % of branches".format(*one.shares()),
                               "pass": name not in below} for name, one in sums_of.items()}}, indent=1) + "\n")
    floored = sum(floor_of(folder) is not None for folder in folders)
    print(f"\n{floored - len(below)} passed, {len(below)} failed")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
