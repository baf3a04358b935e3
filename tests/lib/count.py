#!/usr/bin/python3
"""count.py - how many checks were made, over all that ran, and how many failed?

usage: count.py NAME COMMAND... [-- NAME COMMAND...]...
       count.py --self-test

Runs each command, shows what it writes, and counts by the closing lines of `prove` and `pytest`;
any other command counts as one check. The last line is "N passed, N failed". Exits 1 if anything
failed, also a command that ran no check at all.
"""
import re
import subprocess
import sys
import time

PROVE_ALL = re.compile(r"^Files=(\d+), Tests=(\d+),")
PROVE_BAD = re.compile(r"^\S.*\(Wstat: .*Tests: (\d+) Failed: (\d+)\)$")
PYTEST_PART = re.compile(
    r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|reruns?)")
PYTEST_ALL = re.compile(rf"^=*\s*(?:no tests ran|{PYTEST_PART.pattern}(?:, .*)?) in [\d.]+s\b.*$")


class Count:
    def __init__(self):
        self.known, self.ran, self.failed, self.skipped = False, 0, 0, 0

    def read(self, line):
        """Takes note of a line if it is one that counts."""
        bad, proved = PROVE_BAD.match(line), PROVE_ALL.match(line)
        if bad:
            self.failed += max(int(bad.group(2)), 1)  # none failed, but the program did
        elif proved:
            self.known, self.ran = True, int(proved.group(2))
        elif PYTEST_ALL.match(line):
            parts = {word.rstrip("s"): int(n) for n, word in PYTEST_PART.findall(line)}
            self.known = True
            self.failed = parts.get("failed", 0) + parts.get("error", 0) + parts.get("xpassed", 0)
            self.ran = parts.get("passed", 0) + self.failed
            self.skipped = parts.get("skipped", 0) + parts.get("xfailed", 0)

    def end(self, status):
        """Takes the command's own word. Returns (passed, failed)."""
        if not self.known:
            return (1, 0) if status == 0 else (0, 1)
        failed = self.failed
        if failed == 0 and (status != 0 or self.ran + self.skipped == 0):
            failed = 1
        return max(self.ran - self.failed, 0), failed


def run(name, command):
    print(f"--- {name}", flush=True)
    count, began = Count(), time.monotonic()
    try:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              encoding="utf-8", errors="replace") as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                count.read(line.rstrip("\n"))
        status = process.returncode
    except OSError as error:
        print(f"{name}: cannot run {command[0]}: {error.strerror}")
        status = 127
    passed, failed = count.end(status)
    if count.known and count.ran + count.skipped == 0:
        print(f"{name}: no check was made")
    elif failed > count.failed:
        print(f"{name}: ended with status {status}")
    return f"{name}: {passed} passed, {failed} failed, {count.skipped} skipped, " \
           f"{time.monotonic() - began:.1f} s", passed, failed


CASES = (  # what a command wrote, its status, and what was passed, failed and skipped
    ("lint: 9 files, 0 faults", 0, (1, 0, 0)),
    ("lint: 9 files, 2 faults", 1, (0, 1, 0)),
    ("", 0, (1, 0, 0)),
    ("Files=4, Tests=34,  0 wallclock secs ( 0.02 usr  0.01 sys +  0.01 cusr)\nResult: PASS", 0,
     (34, 0, 0)),
    ("a (Wstat: 256 (exited 1) Tests: 9 Failed: 2)\nb  (Wstat: 256 Tests: 1 Failed: 1)\n"
     "Files=3, Tests=20,  0 wallclock secs", 1, (17, 3, 0)),
    ("a (Wstat: 139 (Signal: SEGV, dumped core) Tests: 4 Failed: 0)\nFiles=2, Tests=8,  0 wall", 1,
     (7, 1, 0)),
    ("Files=1, Tests=8,  0 wallclock secs", 1, (8, 1, 0)),
    ("Files=1, Tests=0,  0 wallclock secs\nResult: NOTESTS", 0, (0, 1, 0)),
    ("...\n3 passed in 0.03s", 0, (3, 0, 0)),
    ("== 2 failed, 3 passed, 1 skipped, 1 error in 62.10s (0:01:02) ==", 1, (3, 3, 1)),
    ("1 passed, 1 deselected, 1 warning in 0.86s", 0, (1, 0, 0)),
    ("1 skipped in 0.01s", 0, (0, 0, 1)),
    ("12 passed, 2 skipped, 1 rerun in 0.03s", 0, (12, 0, 2)),
    ("no tests ran in 0.01s", 5, (0, 1, 0)),
    ("3 passed in 0.03s", 1, (3, 1, 0)),
    ("1 failed, 2 passed in 0.1s\nError: at exit", 1, (2, 1, 0)),
    ("the server had 9 failed calls in 3.0s of work", 0, (1, 0, 0)),
)


def self_test():
    wrong = 0
    for text, status, want in CASES:
        count = Count()
        for line in text.split("\n"):
            count.read(line)
        got = (*count.end(status), count.skipped)
        if got != want:
            print(f"count.py: status {status} after {text!r} is {want}, not {got}")
            wrong += 1
    return 1 if wrong else 0


def main(args):
    if args == ["--self-test"]:
        return self_test()
    groups = [[]]
    for arg in args:
        if arg == "--":
            groups.append([])
        else:
            groups[-1].append(arg)
    if any(len(group) < 2 for group in groups):
        sys.exit(__doc__)
    results = [run(group[0], group[1:]) for group in groups]
    print("---")
    for summary, _, _ in results:
        print(summary)
    passed = sum(result[1] for result in results)
    failed = sum(result[2] for result in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
