#!/usr/bin/python3
"""estimates.py - how far from what was reported are the estimates of the recorded prompts?

usage: estimates.py

Plays the recordings in the folder $RECORDINGS. `dialect estimate` says of each request how many tokens it is
by the rule of thumb, and by what was learnt from those of the same model before it; the provider said in its
reply how many there were. Most of them are short, made to test one thing each, and what a host puts before
tools, or finds by a search, nobody else can count: so of errors the middle and the ninth tenth are looked at,
against bounds that the next change of the rule should not pass. TAP on stdout; a table by family on stderr.
Without recordings it skips.
"""
import json
import os
import subprocess
import sys

from replay import FILES

NOT_CHATS = ("embeddings", "rerank", "count-tokens", "models", "moderations")

# what errors are within, as shares of what was reported: (the middle, the ninth tenth)
BOUNDS = {"estimate": (0.30, 1.20), "fitted": (0.25, 1.20)}


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def errors_of(name):
    """Of each request that is read and whose tokens were reported: {"estimate": [...], "fitted": [...]}."""
    path = os.path.join(os.environ["RECORDINGS"], name + ".jsonl")
    program = os.path.join(os.environ["LLMB_BIN_DIR"], "dialect")
    out = subprocess.run([program, "estimate", FILES[name], path], check=True, stdout=subprocess.PIPE).stdout
    said = {line["id"]: line for line in map(json.loads, out.splitlines())}
    found = {way: [] for way in BOUNDS}
    with open(path, encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            reported = ((record.get("expected") or {}).get("usage") or {}).get("input")
            if reported and "estimate" in said[record["id"]]:
                for way, errors in found.items():
                    errors.append(abs(said[record["id"]][way] - reported) / reported)
    return found


def main():
    if not os.environ.get("RECORDINGS"):
        print("1..0 # SKIP no recordings: RECORDINGS=DIR names their folder")
        return 0
    found = {name: errors_of(name) for name in FILES if name not in NOT_CHATS}
    found["all"] = {way: sum((of[way] for of in found.values()), []) for way in BOUNDS}
    failed = 0
    print("# family                   requests  estimate p50   p90  fitted p50   p90", file=sys.stderr)
    for name, of in found.items():
        figures = [quantile(of[way], share) for way in BOUNDS for share in (0.5, 0.9) if of[way]]
        print(f"# {name:26} {len(of['fitted']):6}" + "".join(f"{figure:9.3f}" for figure in figures), file=sys.stderr)
    for number, (way, (middle, ninth)) in enumerate(BOUNDS.items(), 1):
        got = quantile(found["all"][way], 0.5), quantile(found["all"][way], 0.9)
        is_good = got[0] <= middle and got[1] <= ninth
        failed += not is_good
        print(f"{'ok' if is_good else 'not ok'} {number} - {way}: half of {len(found['all'][way])} are within "
              f"{got[0]:.3f} ({middle}), nine of ten within {got[1]:.3f} ({ninth})")
    print(f"1..{len(BOUNDS)}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
