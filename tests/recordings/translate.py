#!/usr/bin/python3
"""translate.py - does every recorded request reach every family, and is nothing lost on the way?

usage: translate.py [--show N] [--to FAMILY] [FILE...]

Each recorded chat request is decoded and encoded for every family (`dialect translate`). What comes
out is held to the rules of that family (tests/strict, written from the families' papers), and what
it asks is compared with what the caller asked: what differs must have a warning that names it. A
request that is refused instead must name the member. TAP on stdout, a line for each pair of
families and a table; without $RECORDINGS it says so and skips.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import strict  # noqa: E402
from strict import base  # noqa: E402

# file of records -> family
FILES = {"openai-chat": "openai-chat", "openai-compatible": "openai-chat", "groq": "openai-chat",
         "openai-responses": "openai-responses", "openai-completions": "openai-completions",
         "anthropic-messages": "anthropic", "gemini": "gemini", "vertex": "gemini",
         "bedrock-converse": "bedrock", "bedrock-converse-stream": "bedrock", "mistral": "mistral",
         "cohere": "cohere", "ollama": "ollama"}
# which words of a warning's `param` (or code) tell of which difference
TELLS = {
    "texts": "messages content rewritten_message system repaired",
    "reasoning": "reasoning messages",
    "media": "messages content", "images": "messages content", "documents": "messages content", "audio": "messages content",
    "calls": "tools messages renamed arguments", "results": "messages content",
    "tools": "tools schema_rewritten renamed", "described": "tools", "other_tools": "tools",
    "choice": "tool_choice", "stop": "stop", "format": "response_format schema_rewritten",
    "effort": "reasoning output_config", "parallel": "parallel_tool_calls", "logprobs": "logprobs",
}


def body_of(record):
    body = record["request_body"]
    if body is None or not isinstance(body, dict) or record["method"] != "POST":
        return None
    return json.dumps(body, ensure_ascii=False)


def line_of(record):
    path, _, query = re.sub(r"^https?://[^/]+", "", record["url"]).partition("?")
    return json.dumps({"id": record["id"], "body": body_of(record), "path": path, "query": query})


def translate(program, source, target, lines):
    done = subprocess.run([program, "translate", source, target, "--batch", "--written"], input="\n".join(lines) + "\n",
                          text=True, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(warnings, words):
    """Does a warning speak of this?"""
    told = " ".join(f"{w['code']} {w.get('param') or ''}" for w in warnings)
    return any(word in told for word in words.split())


def _differs(name, a, b):
    """None: as it should be; else what is otherwise."""
    if name == "texts":
        everything = "\n".join(b.texts + b.reasoning + [str(r) for r in b.results])
        lost = [t for t in a.texts if squeezed(t) not in squeezed(everything)]
        return f"{len(lost)} texts are gone: {lost[0][:80]!r}" if lost else None
    if name == "reasoning":
        everything = squeezed("".join(b.reasoning + b.texts))
        lost = [t for t in a.reasoning if t and squeezed(t) not in everything]
        return f"{len(lost)} pieces of reasoning are gone" if lost else None
    if name == "calls":
        renamed = {alias(n) for n, _ in b.calls}
        lost = [c for c in a.calls if c not in b.calls and
                not (alias(c[0]) in renamed and c[1] in [x[1] for x in b.calls])]
        return f"the calls {lost[:2]} became {b.calls[:2]}" if lost else None
    if name == "results":
        everything = squeezed("".join(map(str, b.results + b.texts))).replace("\\n", "")
        lost = [r for r in a.results if r and not found(r, everything)]
        return f"{len(lost)} results are gone: {lost[0][:80]!r}" if lost else None
    if name == "tools":
        if a.choice and a.choice[0] in ("named", "allowed") or a.choice == "none":
            wanted = {k: v for k, v in a.tools.items() if k in b.tools}
        else:
            wanted = a.tools
        bad = [k for k, v in wanted.items() if k not in b.tools and alias(k) not in map(alias, b.tools)]
        bad += [k for k, v in wanted.items() if k in b.tools and v and not same_schema(v, b.tools[k])]
        return f"the tools {bad[:3]} are otherwise" if bad else None
    if name == "described":
        there = {alias(k): v for k, v in b.described.items()}
        lost = [k for k, v in a.described.items()
                if any(alias(k) == alias(t) for t in b.tools) and there.get(alias(k)) != v]
        return f"the descriptions of {lost[:3]} are otherwise" if lost else None
    if name == "choice":
        x, y = a.choice, b.choice
        if x == y or (x and x[0] in ("named", "allowed") and y in ("required", x) and
                      set(b.tools) <= {x[1], *(x[1] if isinstance(x[1], tuple) else ())}):
            return None
        if x == "none" and not b.tools or x and x[0] == "allowed" and set(b.tools) == set(x[1]):
            return None
        if not a.tools:
            return None  # without tools there is nothing to choose
        return f"{x} became {y}" if x is not None else None
    if name == "format":
        if a.format is None or a.format == b.format:
            return None
        if isinstance(a.format, tuple) and isinstance(b.format, tuple) and same_schema(a.format[1], b.format[1]):
            return None
        return f"{str(a.format)[:60]} became {str(b.format)[:60]}"
    if name == "effort":
        return None if a.effort in QUIET or b.effort else f"{str(a.effort)[:40]} is gone"
    if name == "stop":
        return None if set(a.stop) == set(b.stop) else f"{a.stop} became {b.stop}"
    if name == "media":
        x, y = media_of(a), media_of(b)
        return None if x <= y else f"{x} became {y}"
    if name in ("images", "documents", "audio"):
        x, y = getattr(a, name), getattr(b, name) + b.untyped
        return None if x <= y else f"{x} became {y}"
    if name == "other_tools":
        x, y = a.other_tools, b.other_tools
        return None if x <= y else f"{x} became {y}"
    x, y = getattr(a, name), getattr(b, name)
    if x is None or x == y or (name in ("n", "temperature", "top_p") and x == 1 and y is None):
        return None
    if name in ("presence_penalty", "frequency_penalty") and x == 0 and y is None or \
            name == "parallel" and (x is True or not a.tools) and y is None:
        return None
    return f"{str(x)[:60]} became {str(y)[:60]}"


def media_of(inventory):
    return inventory.images + inventory.documents + inventory.audio + inventory.untyped


def squeezed(text):
    return re.sub(r"\s+", "", str(text))


def alias(name):
    """What stays of a name that a family refuses: letters and digits before the hash."""
    return re.sub(r"[^A-Za-z0-9]", "", re.sub(r"_[0-9a-f]{6}$", "", name))[:40].lower()


def found(result, everything):
    """A result's text, or the JSON that it is, or what is inside of the object that it was put in;
    `everything` has no line breaks, neither as such nor as escapes."""
    if squeezed(result) in everything:
        return True
    try:
        value = json.loads(result)
    except (TypeError, ValueError):
        quoted = [json.dumps(result, ensure_ascii=is_ascii)[1:-1] for is_ascii in (False, True)]
        return any(squeezed(q.replace("\\n", "")) in everything for q in quoted)
    texts = [base.canonical(value)]
    if isinstance(value, dict) and len(value) == 1:
        inner = next(iter(value.values()))
        texts.append(inner if isinstance(inner, str) else base.canonical(inner))
    return any(squeezed(t) in everything for t in texts) or \
        all(squeezed(s) in everything for s in re.findall(r'"([^"\\]+)"', result))


# what asks for no reasoning, or for what comes unasked
QUIET = (None, 0, "none", "default", {"type": "disabled"})


def same_schema(a, b):
    x, y = (_plain(json.loads(text)) if text else {} for text in (a, b))
    if not x.get("properties") and not y.get("properties") and {x.get("type"), y.get("type")} <= {None, "object"}:
        return True  # no arguments, whatever else is said of them
    for schema in x, y:
        schema.setdefault("type", "object")
        schema.setdefault("properties", {})
    return base.canonical(x) == base.canonical(y)


def _plain(schema):
    """OpenAPI's way to say a schema as JSON Schema's: types in lower case, null one of them."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {re.sub("_(of|ordering)$", lambda m: m[1].title(), name): _plain(value) for name, value in schema.items()}
    kind = plain.get("type")
    if isinstance(kind, str):
        plain["type"] = kind.lower()
    if isinstance(plain.get("nullable"), bool) and isinstance(kind, str):
        if plain.pop("nullable"):
            plain["type"] = [kind.lower(), "null"]
    return plain


def judge(source, target, record, out):
    """The sentence that says what is wrong with what a request became; None: nothing.

    What a caller sends in its provider's own family goes out as it is: rules that the recorded
    request itself does not keep are the caller's to mend."""
    error = out.get("error")
    if error:
        named = error.get("param") or re.search(r"model|messages|tools", error.get("message") or "")
        return None if error["class"] in ("invalid_request", "too_big") and named else \
            f"refused without a member: {error}"
    try:
        body = base.parse(out["body"])
    except ValueError as problem:
        return f"no JSON: {problem}"
    checker = strict.module(target)
    problems = checker.check(body, out["path"], body.get("model"))
    if source == target and problems:
        sent = record["request_body"]
        own = checker.check(sent, record["url"], sent.get("model"))
        problems = [problem for problem in problems if problem not in own]
    if problems:
        return f"not taken: {'; '.join(problems[:3])}"
    asked = strict.module(source).inventory(record["request_body"], record["url"])
    there = checker.inventory(body, out["path"])
    names = [*TELLS, *(n for n in base.Inventory.SCALARS if n not in TELLS)]
    for name in names:
        difference = _differs(name, asked, there)
        if difference and not said(out["warnings"], TELLS.get(name, name)):
            return f"no warning: {name}: {difference}"
    return None


def run_pair(program, source, target, records):
    """(passed, refused, [(id, sentence)]) of one pair of families."""
    outs = translate(program, source, target, [line_of(r) for r in records])
    bad, refused = [], 0
    for record, out in zip(records, outs):
        refused += "error" in out
        try:
            sentence = judge(source, target, record, out)
        except Exception as problem:  # a checker that cannot read what came is a failure too
            sentence = f"the checker: {problem!r}"
        if sentence:
            bad.append((record["id"], sentence))
    return len(records) - len(bad), refused, bad


def load(folder, names):
    records = collections.defaultdict(list)
    for name in names:
        path = os.path.join(folder, name + ".jsonl")
        with open(path, encoding="utf-8") as lines:
            for record in map(json.loads, lines):
                if body_of(record):
                    records[FILES[name]].append(record)
    return records


def main():
    folder = os.environ.get("RECORDINGS")
    if not folder:
        print("1..0 # SKIP no recordings: RECORDINGS=DIR names their folder")
        return 0
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--show", type=int, default=5, help="how many failures of a pair are printed")
    options.add_argument("--to", action="append", choices=strict.FAMILIES, help="only these families")
    options.add_argument("files", nargs="*", choices=[[], *FILES], metavar="FILE")
    given = options.parse_args()
    targets = given.to or strict.FAMILIES
    program = os.path.join(os.environ["LLMB_BIN_DIR"], "dialect")
    records = load(folder, given.files or FILES)
    pairs = [(s, t) for s in records for t in targets]
    number, failed, table = 0, 0, {}
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [(s, t, pool.submit(run_pair, program, s, t, records[s])) for s, t in pairs]
        for source, target, job in jobs:
            passed, refused, bad = job.result()
            for where, sentence in bad[:given.show]:
                print(f"# {where} as {target}: {sentence[:600]}")
            number += 1
            failed += bool(bad)
            table[source, target] = f"{passed}/{len(records[source])} ({refused})"
            print(f"{'not ok' if bad else 'ok'} {number} - {source} as {target}: {passed} of "
                  f"{len(records[source])}, {refused} of them refused with their member")
    print("# passed/all (refused); a line is who asks, a column who is asked")
    widths = [max(len(t), *(len(table[s, t]) for s in records)) for t in targets]
    print("# " + " " * 20 + "  ".join(t.rjust(w) for t, w in zip(targets, widths)))
    for s in records:
        print("# " + s.ljust(20) + "  ".join(table[s, t].rjust(w) for t, w in zip(targets, widths)))
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
