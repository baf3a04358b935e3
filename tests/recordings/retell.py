#!/usr/bin/python3
"""retell.py - does a caller read of another family's reply what the reply says?

usage: retell.py [--show N] [--to FAMILY] [FILE...]

Each recorded reply is told to a caller of each of the languages that callers speak, in one piece and
as a stream (`dialect reply FROM TO --records`). What is told must be legal (tests/strict/answers), and
must say what the record expects: so reads it the dialect of that language, and so does the checker,
which is no part of the dialects. What a language cannot say is in one table, LOSSES; all else is
compared. A reply that is an error must be one in the caller's own envelope. It is the same however the
reply, and then the answer, is cut. TAP on stdout, a line a pair, and tables; without $RECORDINGS it
says so and skips.
"""

import argparse
import collections
import concurrent.futures
import copy
import json
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests"))
import replay  # noqa: E402
from compare import compare, says_none  # noqa: E402
from strict import answers  # noqa: E402

FILES = [name for name in replay.FILES if name not in
         ("embeddings", "rerank", "count-tokens", "models", "moderations")]
FORMS = ("whole", "stream")
CUTS = ("1", "7")
ESTIMATE = 17  # tokens of the request, says tests/lib/retell.c

# ---- what a language cannot say ----


def take(want, field, *values):
    """These are as good as what the record says."""
    want.setdefault("taken", {}).setdefault(field, []).extend(values)


def without(*fields):
    """They are not said."""
    def edit(want):
        there = [field for field in fields if want.get(field)]
        for field in there:
            want[field] = [] if field == "tool_calls" else ""
        return there
    return edit


def as_text(field):
    """It is said as text, behind all other."""
    def edit(want):
        said = want.get(field) or ""
        want["text"] += said
        want[field] = ""
        return said
    return edit


def as_reasoning(want):
    plan = want.get("tool_plan") or ""
    want["reasoning_text"] = plan + want["reasoning_text"]
    want["tool_plan"] = ""
    return plan


def no_calls(want):
    calls = want["tool_calls"]
    want["tool_calls"] = []
    if want["finish_reason"] == "tool_calls":
        want["finish_reason"] = "stop"
    return calls


def own_word(want):
    """An end that only its provider knows is told as one that the language has."""
    word = want["finish_reason"]
    if word in (None, "stop", "length", "tool_calls", "content_filter"):
        return False
    take(want, "finish_reason", "stop", "tool_calls", "content_filter", "OTHER", "pause_turn")
    return True


def objects_only(want):
    """Arguments that are no object, and a custom tool's free text, are put into one."""
    calls = []
    for call in want["tool_calls"]:
        value = call["arguments"]
        if not isinstance(value, dict):
            value = {"_raw" if isinstance(value, str) else "value": value}
        calls.append({"id": call["id"], "name": call["name"], "arguments": value})
    is_other = calls != want["tool_calls"]
    want["tool_calls"] = calls
    return is_other


def none_is_zero(*fields):
    """What is not known is told as 0, for a number must be there."""
    def edit(want):
        unknown = [field for field in fields if want["usage"][field] is None]
        for field in unknown:
            take(want, "usage." + field, 0)
        return unknown
    return edit


def never_unknown(want):
    """Its counts must be there: what the broker reckons of the request, and none of the answer."""
    unknown = [field for field in ("input", "output") if want["usage"][field] is None]
    for field in unknown:
        want["usage"][field] = {"input": ESTIMATE, "output": 0}[field]
    return unknown


def none_counted(want):
    """A stream begins with what the broker reckons of the request. Readers who take a later 0 for unsaid, as
    our own do where nothing came from the cache either, keep that."""
    if want["usage"]["input"] != 0:
        return False
    take(want, "usage.input", ESTIMATE)
    return True


def both_counts(want):
    """Counts are told with their sum: both, or none."""
    usage = want["usage"]
    if (usage["input"] is None) == (usage["output"] is None):
        return False
    want["usage"] = dict.fromkeys(usage)
    return True


def no_count(*fields):
    def edit(want):
        known = [field for field in fields if want["usage"][field]]
        for field in fields:
            want["usage"][field] = None
        return known
    return edit


def one_choice(want):
    return want.pop("more_choices", None)


ALL = answers.FAMILIES
# language, what it lacks, why, and what becomes of the expected
LOSSES = [
    (ALL, "finish_reason", "words that only a provider has for an end", own_word),
    (ALL, "tool_plan", "what Cohere calls a plan is reasoning", as_reasoning),
    (("openai-completions",), "tool_calls", "it has no tools", no_calls),
    (("openai-completions",), "reasoning_text", "it has only text", without("reasoning_text")),
    (("openai-completions", "anthropic", "gemini"), "refusal", "a refusal is text", as_text("refusal")),
    (("anthropic", "gemini"), "arguments", "arguments are an object", objects_only),
    (("anthropic",), "usage", "counts that must be there", never_unknown),
    (("anthropic",), "usage.input", "0 after another count is unsaid", none_counted),
    (("anthropic", "openai-responses"), "more_choices", "it has one choice", one_choice),
    (("gemini",), "cache_write", "no count of what was written to the cache", no_count("cache_write")),
    (("openai-chat", "openai-completions", "openai-responses"), "usage", "no sum where a count is not known",
     both_counts),
    (("openai-responses",), "details", "counts that must be there",
     none_is_zero("cached_input", "cache_write", "reasoning")),
]


def expected_of(record, to):
    """The record with what `to` can say of it, and what it cannot."""
    want = copy.deepcopy(record["expected"])
    if says_none(want):
        want["usage"]["output"] = 0
    want["finish_reason_raw"] = None  # each language has its own
    lost = [name for families, name, _, edit in LOSSES if to in families and edit(want)]
    return {**record, "expected": want}, lost


# ---- what is told ----


def table_of_errors():
    """class -> what err.def says of it."""
    text = (TOP / "protocol/base/err.def").read_text(encoding="utf-8")
    rows = re.findall(r'^FAULT\((\w+), \d+, "(\w+)", \w+, \d+, (\d+), "(\w*)", "(\w*)", (\d+), "(\w+)", "(\w+)"', text,
                      re.M)
    return {word: {"openai": (int(http), code or kind), "anthropic": (int(status), anthropic),
                   "gemini": (int(http), gemini)}
            for _, word, http, kind, code, status, anthropic, gemini in rows}


ERRORS = table_of_errors()
# the words that a failed response has for all faults
IN_RESPONSE = {"server_error", "rate_limit_exceeded", "invalid_prompt"}


def form_of(form, line):
    return (form, ()) if line["status"] == 200 else ("error", (line["status"],))


def error_problems(to, line, reading, got):
    """Is the fault that the dialect reads of the reply told in the language's words?"""
    source = got["error"]
    family = to if to in ("anthropic", "gemini") else "openai"
    status, word = ERRORS[source["class"]][family]
    problems = []
    if not reading.error:
        return ["no error is told"]
    if line["status"] not in (200, status):
        problems.append(f"status {line['status']}, not {status} of {source['class']}")
    words = {word, source.get("code")}
    if to == "openai-responses" and line["status"] == 200:
        words |= IN_RESPONSE
    if reading.error["word"] not in words:
        problems.append(f"the error is {reading.error['word']!r}, not one of {words}")
    if not reading.error["message"].endswith(source["message"]):
        problems.append(f"the error says {reading.error['message']!r}, not {source['message']!r}")
    if line["status"] == 200 and reading.text != got["text"] and not got.get("refusal"):
        problems.append(f"before the error it says {reading.text[:200]!r}, not {got['text'][:200]!r}")
    return problems


def answer_problems(to, record, line, reading):
    want, _ = expected_of(record, to)
    problems, taken = [], want["expected"].get("taken", {})
    for who, said in (("read by the dialect", line["got"]), ("read by the checker", reading.got())):
        for name, got, wanted in compare(want, {**said, "finish_reason_raw": None}):
            if got in taken.get(name, []):
                continue
            problems.append(f"{who}: {name}: {str(got)[:200]!r}, not {str(wanted)[:200]!r}")
    choices = 1 + len(want["expected"].get("more_choices") or [])
    if reading.choices != choices:
        problems.append(f"{reading.choices} choices, not {choices}")
    return problems


def judge(name, to, form, record, line, source):
    form, more = form_of(form, line)
    reading = answers.read(to, form, line["body"], *more)
    problems = reading.problems
    if replay.FILES[name] == to:
        problems = answers.beyond(problems, to, record["response_body"])
    if source.get("error"):
        return problems + error_problems(to, line, reading, source)
    if form == "error":
        return [f"an error of status {line['status']}: {line['body'][:200]}"]
    return problems + answer_problems(to, record, line, reading)


def run(name, to, form, step):
    path = os.path.join(os.environ["RECORDINGS"], name + ".jsonl")
    program = os.path.join(os.environ["LLMB_BIN_DIR"], "dialect")
    options = ["--stream"] if form == "stream" else []
    out = subprocess.run([program, "reply", replay.FILES[name], to, *options, "--records", path, "--step", step],
                         check=True, stdout=subprocess.PIPE).stdout
    return {line["id"]: line for line in map(json.loads, out.splitlines())}


def sources_of(name):
    """What the dialect itself reads of each reply."""
    path = os.path.join(os.environ["RECORDINGS"], name + ".jsonl")
    program = os.path.join(os.environ["LLMB_BIN_DIR"], "dialect")
    out = subprocess.run([program, "replay", replay.FILES[name], path, "0"], check=True, stdout=subprocess.PIPE).stdout
    return {line["id"]: line["got"] for line in map(json.loads, out.splitlines())}


def run_pair(job):
    """(how many, [(record, sentence)], what was lost how often) of one file told to one language."""
    name, to, form = job
    records = replay.records_of(os.path.join(os.environ["RECORDINGS"], name + ".jsonl"))
    sources = sources_of(name)
    lines = run(name, to, form, "0")
    others = {step: run(name, to, form, step) for step in CUTS}
    bad, lost = [], collections.Counter()
    for record in records:
        line = lines[record["id"]]
        problems = judge(name, to, form, record, line, sources[record["id"]])
        problems += [f"cut at {step}: it is told otherwise" for step in CUTS if others[step][record["id"]] != line]
        if problems:
            bad.append((record["id"], problems))
        if "expected" in record:
            lost.update(expected_of(record, to)[1])
    return len(records), bad, lost


# ---- the report ----


def put_tables(results, losses):
    print("# passed/all; a line is whose reply, a column who is told, whole and streamed")
    targets = sorted({to for _, to, _ in results}, key=ALL.index)
    names = list(dict.fromkeys(name for name, _, _ in results))
    cells = {(name, to): "  ".join(results[name, to, form] for form in FORMS) for name in names for to in targets}
    widths = [max(len(to), *(len(cells[name, to]) for name in names)) for to in targets]
    print("# " + " " * 24 + "  ".join(to.ljust(w) for to, w in zip(targets, widths)))
    for name in names:
        print("# " + name.ljust(24) + "  ".join(cells[name, to].ljust(w) for to, w in zip(targets, widths)))
    print("# what was not compared as the records have it, for the language cannot say it")
    for families, name, why, _ in LOSSES:
        for to in families:
            if losses[to][name]:
                print(f"# {to:<20} {name:<15} {losses[to][name]:>5}  {why}")


def main():
    if not os.environ.get("RECORDINGS"):
        print("1..0 # SKIP no recordings: RECORDINGS=DIR names their folder")
        return 0
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--show", type=int, default=5, help="how many failures of a pair are printed")
    options.add_argument("--to", action="append", choices=ALL, help="only these languages")
    options.add_argument("files", nargs="*", choices=[[], *FILES], metavar="FILE")
    given = options.parse_args()
    jobs = [(name, to, form) for name in given.files or FILES for to in given.to or ALL for form in FORMS]
    number, failed, results = 0, 0, {}
    losses = collections.defaultdict(collections.Counter)
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for job, (total, bad, lost) in zip(jobs, pool.map(run_pair, jobs)):
            name, to, form = job
            for record, problems in bad[:given.show]:
                print(f"# {record} told to {to}, {form}: " + "\n#   ".join(p[:600] for p in problems[:4]))
            number += 1
            failed += bool(bad)
            results[job] = f"{total - len(bad)}/{total}"
            if form == "whole":
                losses[to].update(lost)
            print(f"{'not ok' if bad else 'ok'} {number} - {name} told to {to}, {form}: {total - len(bad)} of {total}",
                  flush=True)
    put_tables(results, losses)
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
