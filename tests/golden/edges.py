#!/usr/bin/python3
"""edges.py - has every edge case of the unified model its case here?

The model's rules come with 106 numbered edge cases. Each is shown by a golden case whose folder is
called eNN-WORDS, or, where it is about time, connections and callers rather than bytes, by a story
called eNN_WORDS. TAP on stdout: one line a number, with the cases that show it.
"""

import pathlib
import re
import sys

CASES = 106
TESTS = pathlib.Path(__file__).resolve().parent.parent


def found():
    """number -> names of what shows it"""
    shown = {}
    places = [*TESTS.glob("golden/*/e[0-9]*-*"), *TESTS.glob("story/e[0-9]*_*.story")]
    for path in sorted(places):
        m = re.fullmatch(r"e(\d+)[-_].+", path.name)
        if m:
            shown.setdefault(int(m[1]), []).append(str(path.relative_to(TESTS)))
    return shown


def main():
    shown, missing = found(), 0
    for number in range(1, CASES + 1):
        cases = shown.get(number, [])
        missing += not cases
        print(f"{'ok' if cases else 'not ok'} {number} - E{number}: {', '.join(cases) or 'nothing shows it'}")
    print(f"1..{CASES}")
    return missing > 0


if __name__ == "__main__":
    sys.exit(main())
