#!/usr/bin/python3
"""forward.py - does a recorded request reach a provider of its own family byte for byte?

usage: forward.py [--show N] [FILE...]

Each recorded chat request in the folder $RECORDINGS whose family is also a public API is written in
several ways (compact, spread out, with escapes, with members nobody knows) and handed on to the same
family (`dialect translate X X`). What comes out must be the same text but for the members that are the
broker's: model, and what is in OWNED. TAP on stdout, a line for each family and way of writing;
without $RECORDINGS it says so and skips.
"""
import argparse
import json
import os
import re
import subprocess
import sys

# file of records -> family
FILES = {"openai-chat": "openai-chat", "openai-compatible": "openai-chat", "groq": "openai-chat",
         "openai-responses": "openai-responses", "openai-completions": "openai-completions",
         "anthropic-messages": "anthropic", "gemini": "gemini", "vertex": "gemini"}

# what the broker may add at the end, or change: each is undone in the text before it is compared
OWNED = {
    "openai-chat": [r',"stream_options":\{"include_usage":true\}(?=\}$)'],
    "openai-completions": [r',"stream_options":\{"include_usage":true\}(?=\}$)'],
    "openai-responses": [r',"store":false(?=\}$)'],
    "anthropic": [],
    "gemini": [],
}
USAGE = re.compile(r'("stream_options"\s*:\s*)\{[^{}]*\}')


def escaped(text):
    """Every third letter of every string, names of members too, as an escape."""
    def one(match):
        pieces = re.findall(r"\\u[0-9a-fA-F]{4}|\\.|.", match.group(0)[1:-1], re.S)
        return '"' + "".join(f"\\u{ord(c):04X}" if i % 3 == 2 and c.isascii() and c.isalpha() else c
                             for i, c in enumerate(pieces)) + '"'
    return re.sub(r'"(?:[^"\\]|\\.)*"', one, text, flags=re.S)


def planted(body):
    """Members that nobody knows, first, in the midst and last, and numbers no double holds."""
    items = list(body.items())
    middle = len(items) // 2
    items[middle:middle] = [("x_unknown", {"deep": [1.0, 1e400, 9007199254740993, -0.0, {"k": None}]})]
    return dict([("x_first", "\u00e9\u20ac")] + items + [("x_last", [])])


WAYS = {
    "compact": lambda b: json.dumps(b, ensure_ascii=False, separators=(",", ":")),
    "spread": lambda b: json.dumps(b, ensure_ascii=False, indent=2),
    "ascii": lambda b: json.dumps(b, ensure_ascii=True),
    "escaped": lambda b: escaped(json.dumps(b, ensure_ascii=False)),
    "planted": lambda b: json.dumps(planted(b), ensure_ascii=False).replace("Infinity", "1e400"),
}


def records_of(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if isinstance(record["request_body"], dict) and record["method"] == "POST":
                yield record


def undone(text, family):
    for pattern in OWNED[family]:
        text = re.sub(pattern, "", text)
    return text


def is_same(family, sent, got):
    if got == sent:
        return True
    if undone(got, family) == sent:
        return True
    # an object that was there: the counts are asked for in it
    return USAGE.sub(r"\1{}", got) == USAGE.sub(r"\1{}", sent) and '"include_usage"' in got


def try_all(program, family, name, records, way):
    lines = []
    for record in records:
        path, _, query = re.sub(r"^https?://[^/]+", "", record["url"]).partition("?")
        lines.append(json.dumps({"id": record["id"], "body": WAYS[way](record["request_body"]),
                                 "path": path, "query": query}))
    done = subprocess.run([program, "translate", family, family, "--batch"], input="\n".join(lines) + "\n",
                          text=True, stdout=subprocess.PIPE, check=True)
    same, refused, bad = 0, 0, []
    for line, said in zip(lines, done.stdout.splitlines()):
        sent, got = json.loads(line), json.loads(said)
        if "error" in got:
            refused += 1
            if not got["error"].get("param"):
                bad.append((sent["id"], "refused without a member", got["error"]))
        elif is_same(family, sent["body"], got["body"]):
            same += 1
        else:
            bad.append((sent["id"], sent["body"][:300], got["body"][:300]))
    return same, refused, bad


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--show", type=int, default=3)
    args.add_argument("files", nargs="*")
    options = args.parse_args()
    folder = os.environ.get("RECORDINGS")
    if not folder:
        print("1..0 # SKIP no recordings: RECORDINGS is not set")
        return 0
    program = os.path.join(os.environ.get("LLMB_BIN_DIR", "build/release/bin"), "dialect")
    failed = n = 0
    for name in options.files or FILES:
        records = list(records_of(os.path.join(folder, name + ".jsonl")))
        for way in WAYS:
            same, refused, bad = try_all(program, FILES[name], name, records, way)
            n += 1
            failed += bool(bad)
            print(f"{'not ' if bad else ''}ok {n} - {name}, {way}: {same} the same, {refused} refused")
            for what in bad[:options.show]:
                print("#", *what, sep="\n#   ", file=sys.stderr)
    print(f"1..{n}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
