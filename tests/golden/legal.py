#!/usr/bin/python3
"""legal.py - is every answer that a caller gets in the golden cases one that its language allows?

Each said.sse and said.json of a chat must pass the checker of its family (tests/strict/answers), which
knows nothing of the dialects; and broken in any way that the language has, it must not. TAP on stdout:
a line a case.
"""

import json
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))
from strict import answers  # noqa: E402
from strict.answers import broken  # noqa: E402


def form_of(path, text):
    """The form of what is said, its text, and the status of an error."""
    m = re.fullmatch(r"(.*)\nstatus (\d+)\n", text, re.S)
    if m:
        return "error", m[1], (int(m[2]),)
    if path.suffix == ".json":
        return "whole", text.removesuffix("\n"), ()
    return ("array" if text.startswith("[") else "stream"), text, ()


def is_chat(folder):
    target = folder / "target.json"
    return not target.exists() or "op" not in json.loads(target.read_text())


def problems_of(path):
    family = path.parent.parent.name
    form, text, more = form_of(path, path.read_text(encoding="utf-8"))
    reading = answers.read(family, form, text, *more)
    problems = reading.problems
    for reply in path.parent.glob(f"from.{family}.*"):
        problems = answers.beyond(problems, family, reply.read_text(encoding="utf-8"))
    if reading.problems or reading.error or form in ("array", "error"):
        return problems
    return [f"{way}: it is taken" for way, other in getattr(broken, form + "s")(family, text)
            if not answers.read(family, form, other).problems]


def main():
    cases = [path for family in answers.FAMILIES for path in sorted((TESTS / "golden" / family).glob("*/said.*"))
             if is_chat(path.parent)]
    failed = 0
    for number, path in enumerate(cases, 1):
        problems = problems_of(path)
        failed += bool(problems)
        for problem in problems[:5]:
            print(f"# {problem}")
        print(f"{'not ok' if problems else 'ok'} {number} - {path.relative_to(TESTS)}")
    print(f"1..{len(cases)}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
