"""test_route_rates.py - twenty processes and one key with so many requests a minute: who meets its limit?

None of them does: they take turns, and all that the provider gives is used. What is best is by its own count: what is
there at first is had at once, and the rest as it grows back. $LLMB_RATES is how many calls are made in all (200). The
batch that this is about, of 1,500 under 600 a minute, takes 90 s at the best, twice:

  make check-route ROUTE=rates
"""

import collections
import os

import harness
import pytest
from crowds import Crowds

KEY = "sk-test-0123456789abcdef"
PROCESSES, AT_ONCE = 20, 4
ALL_AT_ONCE = PROCESSES * AT_ONCE
COUNT = int(os.environ.get("LLMB_RATES", "200"))
RULE = {"requests": 600} if COUNT >= 1000 else {"requests": 1200, "left": 40}
PER_SECOND = RULE["requests"] / 60
AT_FIRST = RULE.get("left", RULE["requests"])
BEST_SECONDS = (COUNT - AT_FIRST) / PER_SECOND
ROUND_SECONDS = ALL_AT_ONCE / PER_SECOND  # in which all that can be under way is served once
REST_SECONDS = 1.0  # the shortest that a refusal can ask for in whole seconds
DIALECTS = {"openai": "openai-chat /v1/chat/completions", "anthropic": "anthropic /v1/messages"}
AUTH = {"openai": "bearer", "anthropic": "header:x-api-key"}


@pytest.mark.parametrize("style", DIALECTS)
def test_a_batch_under_one_limit(broker, provider, style):
    provider.limits({**RULE, "style": style})
    made = broker(harness.provider_section(provider, style, dialect=DIALECTS[style], auth=AUTH[style]))
    made.add_key(style, KEY)
    crowds = Crowds(made, [{"models": [style + "/m"], "calls": COUNT // PROCESSES, "at_once": AT_ONCE}] * PROCESSES)
    called = crowds.finish(BEST_SECONDS * 2 + 30)
    every = [one for process in called for one in process]
    assert collections.Counter(one.what for one in every) == {"ok": COUNT}, "nobody is told of a 429"

    ends = sorted(one.ended for one in every)
    took = ends[-1] - crowds.begun
    refused = provider.stats()["limited"].get(KEY, 0)
    about = f"{took:.2f} s, at the best {BEST_SECONDS:.2f}; {refused} refused"
    # of a batch that is so short that it matters, one whole second is a refusal's, from the time when nothing was known
    assert took <= 1.1 * BEST_SECONDS + (0 if COUNT >= 1000 else REST_SECONDS), about
    # before the first reply nobody knows that there is a limit; who waits for his turn then meets few
    assert refused <= ALL_AT_ONCE + COUNT / 10, about

    # A call waits until all that were before it are served, which is a round; where it was refused, for another.
    assert made.llmb("usage").code == 0
    attempts = {row["id"]: row["attempts"] for row in made.ledger()["exchange"]}
    for one in every:
        waited = one.ended - one.begun
        assert waited <= attempts[one.id] * (1.25 * ROUND_SECONDS + REST_SECONDS), (waited, attempts[one.id], about)
    # And while all of them have calls to make each process gets as many turns: but for those that are under way at
    # either end, and for those that were refused when nothing was known, and lined up again.
    begin, end = ends[AT_FIRST], min(process[-1].ended for process in called)
    turns = [sum(begin <= one.ended < end for one in process) for process in called]
    assert max(turns) - min(turns) <= 3 * AT_ONCE, (turns, about)
