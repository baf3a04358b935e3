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
import re
import subprocess
import sys

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

# the class of an error reply by its status, where nothing else is said
CLASSES = {
    400: {"invalid_request", "context_length_exceeded", "content_filtered", "server_error",
          "not_found", "auth"},  # Google, of a key
    401: {"auth"},
    403: {"permission", "auth"},  # AWS says so of a key that it does not know
    404: {"not_found"},
    429: {"rate_limited", "quota_exhausted"},
}

def same_sentence(got, want):
    """Equal, but for what looked like a key and was made unreadable."""
    return re.fullmatch(re.escape(got).replace(re.escape("***"), r"\S+"), want, re.S) is not None


def squeezed(text):
    return "".join(text.split())


def same_calls(got, want):
    if len(got) != len(want):
        return False
    for g, w in zip(got, want):
        if w["id"] is not None and g["id"] != w["id"]:
            return False
        if not g["id"] or g["name"] != w["name"] or g.get("type") != w.get("type"):
            return False
        if g["arguments"] != w["arguments"]:
            return False
    return True


def possible(usage, also):
    """The counts, each part cut to what is left of its whole: classes are disjoint, and some hosts
    report more cached or reasoning tokens than tokens."""
    usage = dict(usage)
    for whole, parts in (("input", ("cached_input", "cache_write")), ("output", ("reasoning",))):
        left = usage[whole]
        if left is not None:
            left = max([left, *also.get("usage." + whole, [])])
        for part in parts:
            if left is not None and usage[part] is not None:
                usage[part] = min(usage[part], left)
                left -= usage[part]
    return usage


# of an operation beside chat: what is expected, out of its results
RESULTS = {
    "count": lambda r: len(r),
    "dimensions": lambda r: [len(e["vector"]) for e in r],
    "first": lambda r: [e["vector"][:4] for e in r],
    "results": lambda r: [{"index": e["index"], "score": e["score"]} for e in r],
    "input_tokens": lambda r: r[0]["input_tokens"],
    "ids": lambda r: [e["id"] for e in r],
    "flagged": lambda r: [e["flagged"] for e in r],
}


def compare_results(want, also, got):
    if got.get("error") or not got.get("results"):
        return [("error", got.get("error"), None)]
    values = {name: RESULTS[name](got["results"]) for name in want if name in RESULTS}
    values["usage"] = {name: got["usage"][name] for name in want.get("usage", {})}
    return [(name, values[name], w) for name, w in want.items()
            if name != "also_accepted" and values[name] != w and values[name] not in also.get(name, [])]


def compare(record, got):
    """The fields that differ, each with what was got and wanted."""
    want = record.get("expected")
    bad = []
    if got.get("broken"):
        bad.append(("order", got["broken"], "the promise of event.h"))
    if want is None:
        wrong = record["expected_error"]
        error = got.get("error")
        if not error:
            return bad + [("error", None, wrong)]
        if not same_sentence(error["message"], wrong["message"]):
            bad.append(("error.message", error["message"], wrong["message"]))
        if error["class"] not in CLASSES.get(wrong["status"], {error["class"]}):
            bad.append(("error.class", error["class"], wrong["status"]))
        if wrong.get("retry_after") and error["retry_after_ms"] != float(wrong["retry_after"]) * 1000:
            bad.append(("error.retry_after", error["retry_after_ms"], wrong["retry_after"]))
        return bad
    also = want.get("also_accepted", {})
    if "text" not in want:
        return bad + compare_results(want, also, got)
    is_broken = want.get("complete") is False or "stream_error" in want

    def check(name, g, w, same=lambda a, b: a == b):
        if not same(g, w) and not any(same(g, other) for other in also.get(name, [])):
            bad.append((name, g, w))

    check("text", got["text"], want["text"])
    check("reasoning_text", got["reasoning_text"], want["reasoning_text"],
          lambda a, b: squeezed(a) == squeezed(b))
    check("tool_plan", got.get("tool_plan", ""), want.get("tool_plan") or "")
    check("tool_calls", got["tool_calls"], want["tool_calls"], same_calls)
    if want.get("refusal"):
        check("refusal", got.get("refusal"), want["refusal"])
    if is_broken:
        error = got.get("error") or {}
        check("stream_error", error.get("message"),
              want.get("stream_error", {}).get("message", error.get("message")))
        check("complete", got["complete"], False)
    else:
        check("error", got.get("error"), None)
        check("complete", got["complete"], True)
        if want["finish_reason"] is None:
            # nothing was said: it is told by what came, with a warning
            check("finish_reason", got["finish_reason"],
                  "tool_calls" if want["tool_calls"] else "stop")
        else:
            check("finish_reason", got["finish_reason"], want["finish_reason"])
        check("finish_reason_raw", got["finish_reason_raw"], want["finish_reason_raw"] or None)
    for name, w in possible(want["usage"], also).items():
        check("usage." + name, got["usage"][name], w)
    return bad


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
