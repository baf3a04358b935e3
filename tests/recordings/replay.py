#!/usr/bin/python3
"""replay.py - do recorded replies decode to what they mean?

usage: replay.py [--cuts WAY] [FILE...]

Plays the recordings in the folder $RECORDINGS, one file of records a family: for each way of cutting
the bodies, what the dialects make of them (`dialect replay`) is compared field by field with the
record's `expected`. WAY is a number of bytes, 0 for none, or "special": inside of every character,
line end and escape. TAP on stdout; what differs, and a table by family, on stderr. Without recordings
it says so and skips.
"""
import argparse
import functools
import json
import multiprocessing
import os
import subprocess
import sys

from compare import compare

# file of records -> family
FILES = {
    "openai-chat": "openai-chat",
    "anthropic-messages": "anthropic",
    "groq": "openai-chat",
    "openai-compatible": "openai-chat",
    "openai-responses": "openai-responses",
    "openai-completions": "openai-completions",
    "bedrock-converse": "bedrock",
    "bedrock-converse-stream": "bedrock",
    "gemini": "gemini",
    "vertex": "gemini",
    "mistral": "mistral",
    "cohere": "cohere",
    "ollama": "ollama",
    "embeddings": "embeddings",
    "rerank": "rerank",
    "count-tokens": "count-tokens",
    "models": "models",
    "moderations": "moderations",
}
CUTS = ("0", "1", "7", "61", "1021", "special")

# wires that no family here speaks: the models' own bodies on Bedrock, and the older ones of two
OTHERS = ("bedrock-invoke", "bedrock-invoke-stream", "cohere-v1", "ollama-generate")

# fixtures that contradict themselves, and how
EXCEPTED = {
    "openai-responses-5bc64cc606be-0": "deltas were cut out of the middle of its text",
    "openai-responses-c5730f3c1dad-0": "deltas were cut out of the middle of its text",
}


@functools.lru_cache(maxsize=1)
def records_of(path):
    with open(path, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return [r for r in records if r["origin"] == "vcr" or r["id"] not in EXCEPTED]


def replay(name, cuts):
    """The records that differ, each with its fields: {id: [(field, got, wanted)]}; and how many there are."""
    path = os.path.join(os.environ["RECORDINGS"], name + ".jsonl")
    records = records_of(path)
    program = os.path.join(os.environ["LLMB_BIN_DIR"], "dialect")
    out = subprocess.run([program, "replay", FILES[name], path, cuts], check=True,
                         stdout=subprocess.PIPE).stdout
    got = {line["id"]: line["got"] for line in map(json.loads, out.splitlines())}
    bad = {f"{r['id']} ({r['provider']})": compare(r, got[r["id"]]) for r in records}
    return {record: fields for record, fields in bad.items() if fields}, len(records)


def play(name_and_ways):
    name, ways = name_and_ways
    return name, [(cuts, *replay(name, cuts)) for cuts in ways]


def table(rows):
    """Passed and failed by family; a record has passed if it did in every way of cutting it."""
    families = {}
    for name, total, failed in rows:
        counts = families.setdefault(FILES[name], [0, 0])
        counts[0] += total - failed
        counts[1] += failed
    families["all"] = [sum(c[0] for c in families.values()), sum(c[1] for c in families.values())]
    print(f"# {'family':<20} {'passed':>6} {'failed':>6}", file=sys.stderr)
    for family, (passed, failed) in families.items():
        print(f"# {family:<20} {passed:>6} {failed:>6}", file=sys.stderr)
    print(f"# left out: {', '.join(EXCEPTED)} (fixtures that contradict themselves), and the files "
          f"{', '.join(OTHERS)} (wires of no family here)", file=sys.stderr)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cuts", action="append", metavar="WAY", help="a number, or special")
    options.add_argument("files", nargs="*", metavar="FILE", help="the names of files of records")
    options = options.parse_args()
    if not os.environ.get("RECORDINGS"):
        print("1..0 # SKIP no recordings: RECORDINGS=DIR names their folder")
        return 0
    number, failures, rows = 0, 0, []
    jobs = [(name, options.cuts or CUTS) for name in options.files or FILES]
    with multiprocessing.Pool(2) as pool:
        for name, ways in pool.imap(play, jobs):
            told = set()
            for cuts, bad, total in ways:
                for record, fields in bad.items():
                    if record in told:
                        continue
                    told.add(record)
                    for field, g, w in fields:
                        print(f"# {record}, cut: {cuts}: {field}\n#   got:    {str(g)[:300]!r}\n"
                              f"#   wanted: {str(w)[:300]!r}", file=sys.stderr)
                number += 1
                failures += bool(bad)
                print(f"{'not ok' if bad else 'ok'} {number} - {name}, cut: {cuts}: "
                      f"{total - len(bad)} of {total}", flush=True)
            rows.append((name, ways[0][2], len(told)))
    table(rows)
    print(f"1..{number}")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
