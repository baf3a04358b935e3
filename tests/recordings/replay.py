#!/usr/bin/python3
"""replay.py - do recorded replies decode to what they mean?

usage: replay.py [FILE...]

Plays the recordings in the folder $RECORDINGS, one file of records a family: for each way of cutting
the bodies, what the dialects make of them (tests/golden --replay) is compared field by field with the
record's `expected`. TAP on stdout; without recordings it says so and skips.
"""
import json
import os
import subprocess
import sys

# file of records -> family
FILES = {
    "openai-chat": "openai-chat",
    "anthropic-messages": "anthropic",
    "groq": "openai-chat",
    "openai-compatible": "openai-chat",
    "bedrock-converse": "bedrock",
    "bedrock-converse-stream": "bedrock",
}
STEPS = (0, 1, 7, 61, 1021)

# the class of an error reply by its status, where nothing else is said
CLASSES = {
    400: {"invalid_request", "context_length_exceeded", "content_filtered", "server_error",
          "not_found"},
    401: {"auth"},
    403: {"permission", "auth"},  # AWS says so of a key that it does not know
    404: {"not_found"},
    429: {"rate_limited", "quota_exhausted"},
}

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
        if error["message"] != wrong["message"]:
            bad.append(("error.message", error["message"], wrong["message"]))
        if error["class"] not in CLASSES.get(wrong["status"], {error["class"]}):
            bad.append(("error.class", error["class"], wrong["status"]))
        if wrong.get("retry_after") and error["retry_after_ms"] != float(wrong["retry_after"]) * 1000:
            bad.append(("error.retry_after", error["retry_after_ms"], wrong["retry_after"]))
        return bad
    also = want.get("also_accepted", {})
    is_broken = want.get("complete") is False or "stream_error" in want

    def check(name, g, w, same=lambda a, b: a == b):
        if not same(g, w) and not any(same(g, other) for other in also.get(name, [])):
            bad.append((name, g, w))

    check("text", got["text"], want["text"])
    check("reasoning_text", got["reasoning_text"], want["reasoning_text"],
          lambda a, b: squeezed(a) == squeezed(b))
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


def replay(program, family, path, step):
    out = subprocess.run([program, "--replay", family, path, str(step)], check=True,
                         stdout=subprocess.PIPE).stdout
    return {line["id"]: line["got"] for line in map(json.loads, out.splitlines())}


def main():
    folder = os.environ.get("RECORDINGS")
    if not folder:
        print("1..0 # SKIP no recordings: RECORDINGS=DIR names their folder")
        return 0
    program = os.path.normpath(os.path.join(os.environ["LLMB_BIN_DIR"], "../tests/golden"))
    number, failed = 0, 0
    for name in sys.argv[1:] or FILES:
        path = os.path.join(folder, name + ".jsonl")
        with open(path, encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        for step in STEPS:
            got = replay(program, FILES[name], path, step)
            passed = 0
            for record in records:
                bad = compare(record, got[record["id"]])
                passed += not bad
                for field, g, w in bad:
                    print(f"# {record['id']} ({record['provider']}): {field}\n"
                          f"#   got:    {str(g)[:300]!r}\n#   wanted: {str(w)[:300]!r}")
            number += 1
            failed += passed < len(records)
            verdict = "ok" if passed == len(records) else "not ok"
            print(f"{verdict} {number} - {name}, {step or 'all'} bytes at a time: "
                  f"{passed} of {len(records)}")
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
