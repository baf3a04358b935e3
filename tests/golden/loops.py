#!/usr/bin/python3
"""loops.py - does a tool loop hold for ten turns, whoever calls and whoever answers?

usage: loops.py [--from FAMILY] [--to HOST]

A caller of each public language that has tools asks each family for ten turns, with the developer's
tool alone: the request goes through `dialect translate`, a made-up reply with reasoning, text and two
calls at a time through `dialect reply`, streamed in every other turn. The answer goes into the history
as it came, with the results of both calls, of which one has an image, and a cache mark where the
language has them. In each turn the host must be asked a request that it takes, in which every call has
its name, its arguments and its result, in the order of the turns, and the seals of its own reasoning
as they were; images are there, and marks where the host does not keep prompts by itself, or a warning
names them. TAP on stdout: a line a pair.
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
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "lib")]
import loop_callers  # noqa: E402
import loop_hosts  # noqa: E402
import strict  # noqa: E402
from strict import answers, base  # noqa: E402

TURNS = 10
# whose answers have no place for the host's seals: those come back by the broker's store (brokerd/store),
# which knows the ids of the calls, and not here
BY_STORE = {
    ("anthropic", "gemini"): "a call has no place for a signature",
    ("openai-responses", "gemini"): "a call has no place for a signature",
}
PROGRAM = os.path.join(os.environ.get("LLMB_BIN_DIR", "build/release/bin"), "dialect")


def run(arguments, text):
    done = subprocess.run([PROGRAM, *arguments], input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    return done.stdout if done.returncode == 0 or done.stdout else f'{{"error": {json.dumps(done.stderr)}}}'


def translate(caller, host, request, is_stream):
    path, query = caller.where(is_stream)
    provider = ["--provider", host.provider] if host.provider else []
    out = run(["translate", caller.family, host.family, "--written", "--model", host.model, *provider,
               "--path", path, "--query", query], json.dumps(request))
    return json.loads(out)


def reply(caller, host, request, is_stream, turn):
    path, query = caller.where(is_stream)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        json.dump(request, body)
        body.flush()
        return run(["reply", host.family, caller.family, "--request", body.name, "--path", path, "--query", query],
                   loop_hosts.dump(host.reply(turn)))


# ---- one request, as the host has it ----


def told(warnings, *words):
    """Is there a warning that names one of these?"""
    said = " ".join(f"{w['code']} {w.get('param') or ''} {w['message']}" for w in warnings)
    return any(word in said for word in words)


def turns_problems(host, body, asked):
    """Each turn's calls and results, against what the host itself asked for."""
    turns = host.turns(body)
    if len(turns) != len(asked):
        return [f"{len(turns)} turns with calls, not {len(asked)}"]
    problems = []
    for turn, (calls, results) in enumerate(turns, 1):
        wanted = asked[turn - 1]
        if [(name, base.arguments(args)) for _, name, args in calls] != \
                [(name, base.canonical(args)) for _, name, args in wanted]:
            problems.append(f"turn {turn}: the calls are {calls}, not {wanted}")
        keys = [i if i is not None else name for i, name, _ in calls]
        if [key for key, _ in results] != keys and [key for key, _ in results] != [name for _, name, _ in calls]:
            problems.append(f"turn {turn}: results for {[key for key, _ in results]}, calls {keys}")
        if len(set(keys)) != len(keys):
            problems.append(f"turn {turn}: two calls of one id: {keys}")
        for at, (_, text) in enumerate(results):
            if loop_callers.result(turn, at) not in text:
                problems.append(f"turn {turn}: result {at} is {text[:80]!r}")
    ids = [i for calls, _ in turns for i, _, _ in calls if i is not None]
    twice = [i for i, n in collections.Counter(ids).items() if n > 1]
    return problems + ([f"ids of two turns: {twice}"] if twice else [])


def request_problems(caller, host, out, turn, asked):
    if "error" in out:
        return [f"it is refused: {out['error']}"]
    body, warnings = json.loads(out["body"]), out["warnings"]
    # the checkers of requests know the providers whose languages they are, not others that speak them
    problems = strict.module(host.family).check(body, out["path"], host.model) if not host.provider else []
    problems += turns_problems(host, body, asked)
    images = out["body"].count(loop_callers.PNG)
    if images < turn - 1 and not told(warnings, "image"):
        problems.append(f"{images} images of {turn - 1}, and no warning")
    is_marked = any(word in out["body"] for word in ("cache_control", "cachePoint", "prompt_cache"))
    if turn > 1 and caller.has_marks:
        if host.keeps_by_itself and (is_marked or told(warnings, "cache")):
            problems.append("a host that keeps prompts by itself is told to, or its caller that it is not")
        if not host.keeps_by_itself and not is_marked and not told(warnings, "cache"):
            problems.append("the cache mark is gone, and no warning")
    if host.is_sealed:
        wanted = [] if (caller.family, host.name) in BY_STORE else list(range(1, turn))
        if host.seals_of(body) != wanted:
            problems.append(f"the seals of turns {host.seals_of(body)} came back, not those of {wanted}")
    return problems


# ---- ten of them ----


def fresh(answer, turn):
    """With ids of its own: those that a dialect makes up are the same each time here, for so is their
    seed."""
    return re.sub(r'"call_(\w{6,})"', rf'"call_{turn}t\1"', answer)


def loop(pair):
    """What went wrong, and the turn: (turn, [sentences]); None: nothing did."""
    caller, host = pair[0](pair[1].model), pair[1]
    asked = []
    for turn in range(1, TURNS + 1):
        is_stream = turn % 2 == 0
        request = caller.request(is_stream)
        problems = request_problems(caller, host, translate(caller, host, request, is_stream), turn, asked)
        if problems:
            return turn, problems
        answer = reply(caller, host, request, is_stream, turn)
        reading = answers.read(caller.family, "stream" if is_stream else "whole", answer)
        problems = list(reading.problems)
        if reading.text != loop_hosts.text(turn):
            problems.append(f"the answer's text is {reading.text!r}")
        if problems:
            return turn, problems + [answer]
        if host.ids(turn)[0] is None:
            answer = fresh(answer, turn)
        calls = caller.take(answer, is_stream)
        wanted = loop_hosts.calls(turn, host.ids(turn))
        if [(name, base.canonical(args)) for _, name, args in calls] != \
                [(name, base.canonical(args)) for _, name, args in wanted]:
            return turn, [f"the answer's calls are {calls}, not {wanted}"]
        caller.answer(calls, turn)
        asked.append(wanted)
    return None


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--from", dest="callers", action="append", help="only callers of this family")
    options.add_argument("--to", dest="hosts", action="append", help="only this family or host")
    given = options.parse_args()
    pairs = [(caller, host) for caller in loop_callers.CALLERS for host in loop_hosts.HOSTS
             if caller.family in (given.callers or [caller.family])
             and {host.family, host.name} & set(given.hosts or [host.family])]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (pair, wrong) in enumerate(zip(pairs, pool.map(loop, pairs)), 1):
            failed += wrong is not None
            for sentence in (wrong or (0, ()))[1][:6]:
                print(f"# turn {wrong[0]}: {sentence[:1000]}")
            kept = BY_STORE.get((pair[0].family, pair[1].name))
            print(f"{'not ok' if wrong else 'ok'} {number} - {pair[0].family} asks {pair[1].name}: ten turns"
                  + (f", seals by the store: {kept}" if kept else ""))
    print(f"1..{len(pairs)}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
