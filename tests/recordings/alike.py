#!/usr/bin/python3
"""alike.py - do replies that say the same in another way mean the same?

usage: alike.py [--way WAY] [FILE...]

Each recorded reply is written anew: members in another order, unknown ones among them, null where a
member may be missing, other white space and escapes, other line ends, comments and fields of event
streams that say nothing. What the dialects make of it (replay.py) must stay as it was. And a stream
that is cut short must be an error, never an answer. TAP on stdout; without recordings it says so and
skips.
"""
import argparse
import base64
import json
import multiprocessing
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import replay  # noqa: E402

# members whose inside is the model's or the caller's own, and is carried as it is
CARRIED = {"input", "args", "arguments", "parameters", "schema", "properties", "data", "response", "output"}
UNKNOWN = {"x_of_a_later_version": {"a": [1, None, "text"], "type": "text"}}
NULLS = ("refusal", "tool_calls", "logprobs", "annotations", "audio", "function_call", "reasoning_content",
         "reasoning", "citations")


def rewritten(value, how, name=None):
    """The same value, its objects made anew by how(members, the name of the object)."""
    if isinstance(value, list):
        return [rewritten(each, how, name) for each in value]
    if not isinstance(value, dict):
        return value
    members = {k: v if k in CARRIED and isinstance(v, dict) else rewritten(v, how, k) for k, v in value.items()}
    return members if name in CARRIED else how(members, name)


def shuffled(members, _):
    return dict(random.Random(repr(sorted(members))).sample(list(members.items()), len(members)))


def extended(members, _):
    return {**members, **UNKNOWN}


def with_nulls(members, name):
    missing = {k: None for k in NULLS if k not in members} if name in ("message", "delta") else {}
    return {**members, **missing}


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# name -> what becomes of a JSON document: an object or array in, its text out
DOCUMENTS = {
    "order": lambda v: compact(rewritten(v, shuffled)),
    "unknown members": lambda v: compact(rewritten(v, extended)),
    "nulls": lambda v: compact(rewritten(v, with_nulls)),
    "escapes": lambda v: json.dumps(v, ensure_ascii=True),
    "white space": lambda v: json.dumps(v, ensure_ascii=False, indent=1),
}
# name -> what becomes of a line of an event stream
LINES = {
    "no space": lambda line: re.sub(r"^(\w+): ", r"\1:", line),
    "comments": lambda line: f": keep-alive\nid: 7\nretry: 100\nnothing: x\n{line}" if line else line,
}
# name -> what becomes of a whole event stream, whose lines end in \n
STREAMS = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "byte order mark": lambda text: "\ufeff" + text,
    "blank lines": lambda text: text.replace("\n\n", "\n\n\n"),
}
WAYS = (*DOCUMENTS, *LINES, *STREAMS)


def document(text, way):
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return DOCUMENTS[way](value) if isinstance(value, (dict, list)) else text


def stream(text, way):
    lines = re.split(r"\r\n|\n|\r", text)
    if way in DOCUMENTS:
        said = [re.match(r"data: ?(.*)", line) for line in lines]
        # an event's data in several lines are several fields
        lines = ["data: " + document(m[1], way).replace("\n", "\ndata: ") if m else line
                 for m, line in zip(said, lines)]
    elif way in LINES:
        lines = [LINES[way](line) for line in lines]
    text = "\n".join(lines)
    return STREAMS[way](text) if way in STREAMS else text


def lines_of_json(text, way):
    if way in DOCUMENTS and way != "white space":
        return "\n".join(document(line, way) for line in text.split("\n"))
    return text.replace("\n", "\r\n") if way == "CRLF" else text


def body(record, way):
    text = record["response_body"]
    if record.get("response_base64") or not isinstance(text, str):
        return text
    kind = (record.get("response_headers") or {}).get("content-type", "")
    if "event-stream" in kind or re.match(r"\s*(event|data|id|:)", text):
        return stream(text, way)
    if "ndjson" in kind or record["family"] == "ollama" and record["streaming"]:
        return lines_of_json(text, way)
    if way == "byte order mark":
        return "\ufeff" + text
    if way == "blank lines":
        return f"\n\n {text}\n "
    return document(text, way) if way in DOCUMENTS else text


def play(job):
    """(way, file, how many, the records that mean something else)."""
    folder, way, name = job
    with tempfile.TemporaryDirectory() as scratch:
        with open(os.path.join(folder, name + ".jsonl"), encoding="utf-8") as given, \
                open(os.path.join(scratch, name + ".jsonl"), "w", encoding="utf-8") as made:
            for record in map(json.loads, given):
                record["response_body"] = body(record, way)
                made.write(compact(record) + "\n")
        os.environ["RECORDINGS"] = scratch
        bad, total = replay.replay(name, "0")
    return way, name, total, sorted(bad)


def shortened(record):
    """The record with six tenths of its body."""
    text = record["response_body"]
    if record.get("response_base64"):
        whole = base64.b64decode(text)
        return {**record, "response_body": base64.b64encode(whole[:len(whole) * 6 // 10]).decode()}
    whole = text.encode()
    return {**record, "response_body": whole[:len(whole) * 6 // 10].decode(errors="ignore")}


def cut_short(folder, name):
    """How many streams were cut, and those that were taken for whole."""
    with open(os.path.join(folder, name + ".jsonl"), encoding="utf-8") as given:
        records = [r for r in map(json.loads, given)
                   if r["streaming"] and r["status"] == 200 and "expected_error" not in r]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as made:
        made.writelines(compact(shortened(record)) + "\n" for record in records)
        made.flush()
        program = os.path.join(os.environ["LLMB_BIN_DIR"], "dialect")
        out = subprocess.run([program, "replay", replay.FILES[name], made.name, "0"], check=True,
                             stdout=subprocess.PIPE).stdout
    return len(records), [line["id"] for line in map(json.loads, out.splitlines()) if "error" not in line["got"]]


def main():
    folder = os.environ.get("RECORDINGS")
    if not folder:
        print("1..0 # SKIP no recordings: RECORDINGS=DIR names their folder")
        return 0
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--way", action="append", choices=WAYS, help="only this one")
    options.add_argument("files", nargs="*", metavar="FILE", help="the names of files of records")
    given = options.parse_args()
    jobs = [(folder, way, name) for way in given.way or WAYS for name in given.files or replay.FILES]
    failed = {}
    totals = {}
    with multiprocessing.Pool(2) as pool:
        for way, name, total, bad in pool.imap(play, jobs):
            totals[way] = totals.get(way, 0) + total
            failed.setdefault(way, []).extend(f"{name}: {record}" for record in bad)
    for number, (way, bad) in enumerate(failed.items(), 1):
        for record in bad[:5]:
            print(f"# {record}")
        print(f"{'not ok' if bad else 'ok'} {number} - {way}: {totals[way] - len(bad)} of {totals[way]}")
    answers, n_cut = [], 0
    for name in given.files or replay.FILES:
        total, whole = cut_short(folder, name)
        n_cut += total
        answers += whole
    for record in answers[:5]:
        print(f"# {record}")
    number = len(failed) + 1
    print(f"{'not ok' if answers else 'ok'} {number} - cut short: {n_cut - len(answers)} of {n_cut} are errors")
    print(f"1..{number}")
    return bool(answers) or any(failed.values())


if __name__ == "__main__":
    sys.exit(main())
