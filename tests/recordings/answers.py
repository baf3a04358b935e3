#!/usr/bin/python3
"""answers.py - do the checkers of answers take what the providers themselves answer, and nothing else?

usage: answers.py [--show N] [FILE...]

Each recorded answer of the provider whose language it is must pass its checker (tests/strict/answers)
and mean there what its record says. Then it is broken in every way that its language has
(strict.answers.broken), and each of these must be refused. TAP on stdout; without $RECORDINGS it says
so and skips.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from compare import compare  # noqa: E402
from strict import answers  # noqa: E402
from strict.answers import broken  # noqa: E402

# file of records -> family, and the provider's own host, in the address
FILES = {"openai-chat": ("openai-chat", "api.openai.com"),
         "openai-completions": ("openai-completions", "api.openai.com"),
         "anthropic-messages": ("anthropic", "api.anthropic.com"),
         "gemini": ("gemini", "generativelanguage.googleapis.com"),
         "vertex": ("gemini", "aiplatform.googleapis.com"),
         "openai-responses": ("openai-responses", "api.openai.com")}
# recorded tests whose answers are not the provider's, or no end of one
EXCEPTED = {
    **dict.fromkeys(("openai-chat-28258571efc8", "openai-chat-8f38c6f76cce", "openai-chat-b21a51821a8b",
                     "openai-chat-e00531747a4a"), "OpenRouter's, under another address"),
    **dict.fromkeys(("openai-responses-5827216e287c", "openai-responses-64994c76e8ce", "openai-responses-cebc362f9f9f"),
                    "a host that imitates it"),
    **dict.fromkeys(("openai-responses-44f86b64bb34", "openai-responses-6e1fc9263e15", "openai-responses-cc46ea97c371"),
                    "they are queued"),
    "openai-responses-41f2978a7b79": "lists of tools of several servers come at a time",
}
EACH = 40  # answers of a file and form that are broken


def form_of(record):
    if record["status"] != 200:
        return "error"
    if not record["streaming"]:
        return "whole"
    return "array" if record["response_body"].lstrip().startswith("[") else "stream"


def load(name):
    host = FILES[name][1]
    with open(os.path.join(os.environ["RECORDINGS"], name + ".jsonl"), encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            test = record["id"].rpartition("-")[0]
            if record["origin"] == "vcr" and host in record["url"] and test not in EXCEPTED:
                yield form_of(record), record


def problems_of(family, form, record):
    more = (record["status"],) if form == "error" else ()
    reading = answers.read(family, form, record["response_body"], *more)
    said = [] if form == "error" else [f"{name}: {str(got)[:80]!r}, not {str(want)[:80]!r}"
                                       for name, got, want in compare(record, reading.got())]
    return reading.problems + said


def try_file(name):
    """[(what, how many, the sentences of those that are not as they should be)]"""
    family = FILES[name][0]
    forms = collections.defaultdict(list)
    for form, record in load(name):
        forms[form].append(record)
    results = []
    for form, records in forms.items():
        bad = [(r["id"], problems_of(family, form, r)) for r in records]
        results.append((f"{name}, {form}", len(records), [f"{i}: {'; '.join(p[:3])}" for i, p in bad if p]))
        if form in ("whole", "stream"):
            n, taken = 0, []
            for record in records[:EACH]:
                for way, text in getattr(broken, form + "s")(family, record["response_body"]):
                    n += 1
                    if not answers.read(family, form, text).problems:
                        taken.append(f"{record['id']}, {way}: it is taken")
            results.append((f"{name}, {form}, broken", n, taken))
    return results


def main():
    if not os.environ.get("RECORDINGS"):
        print("1..0 # SKIP no recordings: RECORDINGS=DIR names their folder")
        return 0
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--show", type=int, default=5, help="how many of each are printed")
    options.add_argument("files", nargs="*", metavar="FILE", help="the names of files of records")
    given = options.parse_args()
    number, failed = 0, 0
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for results in pool.map(try_file, given.files or FILES):
            for what, n, bad in results:
                for sentence in bad[:given.show]:
                    print(f"# {sentence}")
                number += 1
                failed += bool(bad)
                print(f"{'not ok' if bad else 'ok'} {number} - {what}: {n - len(bad)} of {n}", flush=True)
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
