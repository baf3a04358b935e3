#!/usr/bin/python3
"""bills.py - do the recorded replies cost what their providers' figures come to?

usage: bills.py [FILE...]

Plays the sample beside it, which was written by hand with a cost to each reply, and the recordings in the folder
$RECORDINGS. Of each reply with usage, what `dialect replay --prices` makes of it is held against the provider's own figures, as they stand in the reply: the classes add up to
the provider's total, none is negative, and the cost is, to the nano-dollar, what the rule that its
documentation gives comes to by the prices of billing.py, worked out there in fractions. The same for what a
provider says itself that it cost. TAP on stdout; what differs on stderr. Without recordings it skips these.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

from replay import FILES

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from billing import LONG, RULES, catalogue, nusd, price_of, said_cost  # noqa: E402

SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sample")

# whose total is none: fixtures that were written by hand
NO_TOTAL = ("gemini-0a36de8b9a63-0", "gemini-0d00d9b1c814-0", "gemini-8ed3d17c028d-0", "gemini-92c59752888a-0")

# where a reply names the tier that it was served at
TRAFFIC = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority"}
TIER_PLACES = {"gemini": [("usageMetadata", "serviceTier"), ("usageMetadata", "trafficType")],
               "bedrock": [("serviceTier", "type")],
               "anthropic": [("usage", "service_tier")],
               "openai-responses": [("service_tier",), ("response", "service_tier")]}
OTHER_PLACES = [("service_tier",), ("usage", "service_tier")]

INPUTS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write", "audio_input", "image_input")
OUTPUTS = ("output", "reasoning", "audio_output", "image_output")


# ---- what a body says ----

def documents(record):
    """The JSON objects of a body that is text, in order."""
    body = record["response_body"]
    if record.get("response_base64"):
        return []
    try:
        whole = json.loads(body)
        return whole if isinstance(whole, list) else [whole]
    except ValueError:
        pass
    found = []
    for line in body.splitlines():
        line = line.removeprefix("data:").strip()
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                pass
    return found


def tier_of(record, places):
    """The last word in one of those places."""
    tier = None
    for document in documents(record):
        for place in places:
            at = document
            for name in place:
                at = at.get(name) if isinstance(at, dict) else None
            tier = at if isinstance(at, str) else tier
    return TRAFFIC.get(tier, tier)


# ---- the bill ----

def problems(family, record, got):
    raw = record["expected"].get("usage_raw") or documents(record)[-1].get("usage") or {}
    billed = got.get("billed")
    if billed is None:
        return ["nothing is counted"]
    tier = tier_of(record, TIER_PLACES.get(family, OTHER_PLACES))
    if family == "embeddings":  # what is read
        total = record["expected"]["usage"]["input"]
        paid = total * price_of(tier, total > LONG)["input"]
    else:
        paid, total = RULES[family](raw, lambda tokens: price_of(tier, tokens > LONG))
    if record["id"] in NO_TOTAL:
        total = None
    bad = []
    if got["cost_nusd"] != nusd(paid):
        bad.append(f"it costs {got['cost_nusd']}, not {nusd(paid)} ({billed}, {raw})")
    if record.get("cost_nusd", nusd(paid)) != nusd(paid):
        bad.append(f"it was {record['cost_nusd']} by hand, not {nusd(paid)}")
    counted = sum(billed.get(name, 0) for name in INPUTS + OUTPUTS)
    if total is not None and counted != total:
        bad.append(f"{counted} tokens, not {total} ({billed}, {raw})")
    if any(count < 0 for count in billed.values()):
        bad.append(f"less than nothing: {billed}")
    if billed.get("provider_cost_nusd") != said_cost(raw):
        bad.append(f"{billed.get('provider_cost_nusd')} by the provider's word, not {said_cost(raw)}")
    return bad


def has_usage(record):
    expected = record.get("expected") or {}
    usage = expected.get("usage") or {}
    return usage.get("input") is not None or usage.get("output") is not None


def try_file(folder, name, prices):
    path = os.path.join(folder, name + ".jsonl")
    with open(path, encoding="utf-8") as lines:
        records = [record for record in map(json.loads, lines) if has_usage(record)]
    program = os.path.join(os.environ["LLMB_BIN_DIR"], "dialect")
    out = subprocess.run([program, "replay", FILES[name], path, "0", "--prices", prices], check=True,
                         stdout=subprocess.PIPE).stdout
    got = {line["id"]: line["got"] for line in map(json.loads, out.splitlines())}
    return len(records), {r["id"]: bad for r in records if (bad := problems(FILES[name], r, got[r["id"]]))}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--show", type=int, default=5, help="how many of each are printed")
    options.add_argument("files", nargs="*", metavar="FILE", help="the names of files of records")
    options = options.parse_args()
    names = options.files or [name for name in FILES if FILES[name] in RULES or name == "embeddings"]
    recordings = os.environ.get("RECORDINGS")
    number_of, failed = 0, 0
    with tempfile.NamedTemporaryFile("w", suffix=".prices") as prices:
        prices.write(catalogue("recorded/recorded"))
        prices.flush()
        for folder, what in ((SAMPLE, "sample"), (recordings, "recorded")) if recordings else ((SAMPLE, "sample"),):
            for name in names:
                total, bad = try_file(folder, name, prices.name)
                number_of += 1
                is_good = total > 0 and not bad
                failed += not is_good
                for record, why in list(bad.items())[:options.show]:
                    print(f"# {record}: {'; '.join(why)}", file=sys.stderr)
                print(f"{'ok' if is_good else 'not ok'} {number_of} - {what}: {name}: the bill of "
                      f"{total - len(bad)} of {total}")
    if not recordings:
        number_of += 1
        print(f"ok {number_of} - recorded # SKIP no recordings: RECORDINGS=DIR names their folder")
    print(f"1..{number_of}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
