"""test_bills.py - does the ledger come to what the providers charge?

A provider that speaks every wire answers calls whose usage was drawn by lot, as each family reports it:
cached and written tokens, reasoning within the output and beside it, audio, images, costs of the provider's
own, whole and streamed; what tiers and long prompts cost is in prices.story, for of a server on this host
the catalogue says nothing. Some fail and are tried again, some fail for good, some are
cancelled. It bills each answer by that family's rule in fractions (billing.py). $LLMB_BILLS: how many calls."""

import base64
import concurrent.futures
import json
import os
import random
import re
import time

import billing
import event_stream
import harness
import pytest
from surfaces import FAMILIES, Call, relay

KEY = "sk-test-0123456789abcdef"
CALLS = int(os.environ.get("LLMB_BILLS", "5000"))
AT_ONCE = 16
BATCH = 500  # scripts that are queued at a time


# ---- usage, as each family reports it ----

def some(lot, most):
    """A count: often none, mostly small, sometimes all there may be."""
    return lot.choice((0, lot.randint(0, most), lot.randint(0, min(most, 200)), most))


def prompt_of(lot):
    return lot.choice((lot.randint(1, 300), lot.randint(1, billing.LONG), billing.LONG, billing.LONG + 1,
                       lot.randint(billing.LONG, 250_000)))


def openai_usage(lot, prompt_name="prompt", completion_name="completion"):
    prompt, completion = prompt_of(lot), lot.randint(0, 4000)
    cached = some(lot, prompt)
    written = some(lot, prompt - cached)
    audio = some(lot, prompt - cached - written)
    reasoning = some(lot, completion)
    usage = {f"{prompt_name}_tokens": prompt, f"{completion_name}_tokens": completion,
             "total_tokens": prompt + completion}
    if lot.random() < 0.9:
        usage[f"{prompt_name}_tokens_details"] = {"cached_tokens": cached, "cache_write_tokens": written,
                                                  "audio_tokens": audio}
        usage[f"{completion_name}_tokens_details"] = {
            "reasoning_tokens": reasoning, "audio_tokens": some(lot, completion - reasoning)}
    return usage


def responses_usage(lot):
    return openai_usage(lot, "input", "output")


def plain_usage(lot):
    prompt, completion = prompt_of(lot), lot.randint(0, 4000)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def deepseek_usage(lot):
    usage = plain_usage(lot)
    hit = some(lot, usage["prompt_tokens"])
    return {**usage, "prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": usage["prompt_tokens"] - hit}


def xai_usage(lot):
    """Cached tokens and those of images overlap, reasoning is beside the completion."""
    usage = plain_usage(lot)
    prompt, reasoning = usage["prompt_tokens"], lot.randint(1, 900)
    image = some(lot, prompt)
    return {**usage, "total_tokens": usage["total_tokens"] + reasoning,
            "prompt_tokens_details": {"text_tokens": prompt - image, "image_tokens": image,
                                      "cached_tokens": some(lot, prompt)},
            "completion_tokens_details": {"reasoning_tokens": reasoning}}


def google_usage(lot):
    """Reasoning is in the total alone."""
    usage = plain_usage(lot)
    return {**usage, "total_tokens": usage["total_tokens"] + lot.randint(0, 500)}


def mistral_usage(lot):
    """Audio is beside the prompt."""
    usage = plain_usage(lot)
    audio = some(lot, 900)
    return {**usage, "total_tokens": usage["total_tokens"] + audio, "prompt_audio_seconds": 3,
            "prompt_tokens_details": {"cached_tokens": some(lot, usage["prompt_tokens"]), "audio_tokens": audio}}


def priced_usage(lot):
    """With a cost of the provider's own, as OpenRouter, Perplexity and xAI say it."""
    usage = plain_usage(lot)
    return {**usage, **lot.choice((
        {"cost": lot.randint(1, 10**9) / 10**10},
        {"cost": lot.randint(0, 100) / 10**6, "is_byok": True,
         "cost_details": {"upstream_inference_cost": lot.randint(0, 10**6) / 10**8}},
        {"cost": {"request_cost": 0.005, "total_cost": 0.005 + lot.randint(0, 999) / 10**5}},
        {"cost_in_usd_ticks": lot.randint(1, 10**8)}))}


def anthropic_usage(lot):
    def one():
        short, long, other = (some(lot, 2000) for _ in range(3))
        usage = {"input_tokens": prompt_of(lot), "output_tokens": lot.randint(1, 4000),
                 "cache_read_input_tokens": some(lot, 90_000),
                 "cache_creation_input_tokens": short + long + other}
        if lot.random() < 0.8:
            usage["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
        if lot.random() < 0.4:
            usage["output_tokens_details"] = {"thinking_tokens": some(lot, usage["output_tokens"])}
        return usage
    usage = one()
    if lot.random() < 0.1:
        usage["iterations"] = [{"type": "compaction", **one()}, {"type": "message", **one()}]
    return usage


def gemini_usage(lot):
    prompt, cached = prompt_of(lot), 0
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": lot.randint(0, 4000)}
    if lot.random() < 0.5:
        usage["cachedContentTokenCount"] = cached = some(lot, prompt)
    if lot.random() < 0.5:
        usage["thoughtsTokenCount"] = some(lot, 5000)
    if lot.random() < 0.2:
        usage["toolUsePromptTokenCount"] = some(lot, 900)
    audio = some(lot, prompt - cached)
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": prompt - audio},
                                    {"modality": "AUDIO", "tokenCount": audio}]
    usage["totalTokenCount"] = sum(n for name, n in usage.items()
                                   if name.endswith("TokenCount") and not name.startswith("cached"))
    return usage


def cohere_usage(lot):
    """More is counted than billed, and images are billed beside what is counted."""
    image, output = some(lot, 300), lot.randint(1, 2000)
    billed = lot.randint(1, 900)
    return {"billed_units": {"input_tokens": billed + image, "output_tokens": output},
            "tokens": {"input_tokens": billed + lot.randint(0, 9000), "output_tokens": output + 5,
                       "image_tokens": image, "reasoning_tokens": some(lot, output)},
            "cached_tokens": some(lot, 90)}


def ollama_usage(lot):
    return {"prompt_eval_count": prompt_of(lot), "eval_count": lot.randint(0, 4000)}


def bedrock_usage(lot):
    short, long = some(lot, 2000), some(lot, 2000)
    usage = {"inputTokens": prompt_of(lot), "outputTokens": lot.randint(1, 4000),
             "cacheReadInputTokens": some(lot, 90_000), "cacheWriteInputTokens": short + long,
             "cacheDetails": [{"ttl": "5m", "inputTokens": short}, {"ttl": "1h", "inputTokens": long}]}
    return {**usage, "totalTokens": sum(n for n in usage.values() if isinstance(n, int))}


# ---- what the provider sends ----

def swapped(text, pattern, usage):
    """The figures of a reply in place of those that it came with."""
    said, n = re.subn(pattern, lambda _: json.dumps(usage), text)
    assert n >= 1, (pattern, text)
    return said


class Wire:
    """A family whose replies surfaces.py has, with other figures in them."""

    tiers = (None, "default", "flex", "priority")

    def __init__(self, family, usage, rule, pattern, tier_at=None):
        self.family, self.usage, self.rule, self.pattern, self.tier_at = family, usage, rule, pattern, tier_at

    def reply(self, usage, tier, stream):
        script = self.family.script("Hel lo", stream)[0]
        text = json.dumps(script["sse"] if stream else script["body"])
        pieces = [one["raw"] for one in script["sse"]] if stream else [script["body"]]
        pieces = [re.sub(self.pattern, lambda _: json.dumps(usage), piece) for piece in pieces]
        assert pieces != ([one["raw"] for one in script["sse"]] if stream else [script["body"]]), text
        if tier:
            pieces = [piece.replace(self.tier_at[0], self.tier_at[1] % tier) for piece in pieces]
            assert any(f'"{tier}"' in piece for piece in pieces), pieces
        return {**script, **({"sse": [{"raw": piece} for piece in pieces]} if stream else {"body": pieces[0]})}


class Anthropic(Wire):
    """In a stream the first figures are provisional, and say the tier."""

    def __init__(self):
        super().__init__(FAMILIES["anthropic"], anthropic_usage, "anthropic",
                         r'\{"input_tokens":9,"output_tokens":3\}|\{"output_tokens":3\}')

    tiers = (None, "standard", "priority")

    def reply(self, usage, tier, stream):
        usage = {**usage, **({"service_tier": tier} if tier else {})}
        script = super().reply(usage, None, stream)
        for event in script.get("sse", ()) if tier else ():
            event["raw"] = event["raw"].replace(
                '{"input_tokens":9,"output_tokens":1}',
                '{"input_tokens":9,"output_tokens":1,"service_tier":"%s"}' % tier)
        return script


class Gemini(Wire):
    tiers = (None, "standard", "flex", "priority")

    def __init__(self, name):
        super().__init__(FAMILIES[name], gemini_usage, "gemini",
                         r'\{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12\}')

    def reply(self, usage, tier, stream):
        return super().reply({**usage, **({"serviceTier": tier} if tier else {})}, None, stream)


class Cohere:
    rule, tiers = "cohere", (None,)
    usage = staticmethod(cohere_usage)

    def reply(self, usage, tier, stream):
        if not stream:
            return {"body": {"id": "c1", "finish_reason": "COMPLETE", "usage": usage,
                             "message": {"role": "assistant", "content": [{"type": "text", "text": "Hel lo"}]}}}
        events = [{"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant", "content": []}}},
                  {"type": "content-start", "index": 0,
                   "delta": {"message": {"content": {"type": "text", "text": ""}}}},
                  {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hel lo"}}}},
                  {"type": "content-end", "index": 0},
                  {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}}]
        return {"sse": [{"event": event["type"], "data": json.dumps(event)} for event in events]}


class Ollama:
    rule, tiers = "ollama", (None,)
    usage = staticmethod(ollama_usage)

    def reply(self, usage, tier, stream):
        head = {"model": "m-said", "created_at": "2026-01-01T00:00:00Z"}
        end = {**head, "message": {"role": "assistant", "content": "" if stream else "Hel lo"}, "done": True,
               "done_reason": "stop", **usage}
        if not stream:
            return {"body": end}
        lines = [{**head, "message": {"role": "assistant", "content": "Hel lo"}, "done": False}, end]
        return {"body": "".join(json.dumps(line) + "\n" for line in lines),
                "headers": {"content-type": "application/x-ndjson"}}


class Bedrock:
    rule, tiers = "bedrock", (None, "default", "flex", "priority")
    usage = staticmethod(bedrock_usage)

    def reply(self, usage, tier, stream):
        served = {"serviceTier": {"type": tier}} if tier else {}
        if not stream:
            return {"body": {"output": {"message": {"role": "assistant", "content": [{"text": "Hel lo"}]}},
                             "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}, **served}}
        data = b"".join(event_stream.message(kind, value) for kind, value in (
            ("messageStart", {"role": "assistant"}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel lo"}}),
            ("contentBlockStop", {"contentBlockIndex": 0}), ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}, **served})))
        return {"body_base64": base64.b64encode(data).decode(),
                "headers": {"content-type": event_stream.TYPE}}


OPENAI_COUNTS = r'\{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12\}'
CHAT_TIER = ('"created":1,', '"created":1,"service_tier":"%s",')


def chat(usage):
    return Wire(FAMILIES["chat"], usage, "openai-chat", OPENAI_COUNTS, CHAT_TIER)


# a provider of the configuration: its wire, whose callers speak it too, or (None) speak OpenAI's chat
HOSTS = {
    "chat": (chat(openai_usage), "chat"), "deepseek": (chat(deepseek_usage), "chat"),
    "xai": (chat(xai_usage), "chat"), "google": (chat(google_usage), "chat"),
    "priced": (chat(priced_usage), "chat"),
    "completions": (Wire(FAMILIES["completions"], plain_usage, "openai-completions", OPENAI_COUNTS, CHAT_TIER),
                    "completions"),
    "responses": (Wire(FAMILIES["responses"], responses_usage, "openai-responses",
                       r'\{"input_tokens":9,"output_tokens":3,"total_tokens":12\}',
                       ('"created_at":1,', '"created_at":1,"service_tier":"%s",')), "responses"),
    "anthropic": (Anthropic(), "anthropic"), "gemini": (Gemini("gemini"), "gemini"),
    "gemini-list": (Gemini("gemini-list"), "gemini-list"),
    "mistral": (Wire(FAMILIES["chat"], mistral_usage, "mistral", OPENAI_COUNTS), "chat"),
    "cohere": (Cohere(), "chat"), "ollama": (Ollama(), "chat"), "bedrock": (Bedrock(), "chat"),
}
HOSTS["mistral"][0].tiers = (None,)
DIALECTS = {"mistral": "mistral", "cohere": "cohere /v2/chat", "ollama": "ollama /api/chat", "bedrock": "bedrock"}


@pytest.fixture
def made(broker, provider):
    config = "[broker]\nlog_level = warn\n"
    for name, (_, asks) in HOSTS.items():
        family = FAMILIES[asks]
        config += harness.provider_section(provider, name, auth="none",
                                           dialect=DIALECTS.get(name, f"{family.dialect} {family.path}"))
        config += harness.section("model", f"{name}/m", {f"price_{of}": usd for of, usd in billing.USUAL.items()})
    return broker(config)


class Lot:
    """A call, drawn by lot: what its provider does, and what comes of it."""

    def __init__(self, n):
        lot = random.Random(n)
        self.n, self.name = n, lot.choice(list(HOSTS))
        wire, self.asks = HOSTS[self.name]
        self.stream = lot.random() < 0.5
        self.fate = lot.choices(("good", "again", "refused", "cancelled"), (88, 5, 5, 2))[0]
        usage, tier = wire.usage(lot), lot.choice(wire.tiers)
        self.text = f"lot {n} of many"
        when = {"when": {"contains": self.text + '"'}}
        good = {**wire.reply(usage, tier, self.stream), **when, "one_packet": True,
                "charge": {"family": wire.rule, "usage": usage}}
        self.scripts = {"good": [good], "refused": [{"status": 400, **when}],
                        "again": [{"status": 500, "headers": {"retry-after": "0"}, **when}, good],
                        "cancelled": [{**good, "hold": "start"}]}[self.fate]

    def run(self, made):
        ask = FAMILIES[self.asks].ask(f"{self.name}/m", self.text, self.stream)
        if self.fate != "cancelled":
            call = relay(made, **ask)
            assert call.is_good == (self.fate != "refused"), (self.name, self.fate, call)
            return call.last.body.get("request_id"), call
        call = Call(made, **ask)
        time.sleep(0.05)
        call.cancel()
        return None, call.finish()


def number_of(seen):
    return int(re.search(rb"lot (\d+) of many", seen.body)[1])


def paid(row):
    """What a row of the ledger comes to: the provider's word goes before ours."""
    return row["provider_cost_nusd"] if row["provider_cost_nusd"] is not None else row["cost_nusd"]


def test_the_ledger_is_the_sum_of_the_bills(made, provider):
    lots = [Lot(n) for n in range(CALLS)]
    charged, costs = {}, {}  # by number, and by request
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for first in range(0, CALLS, BATCH):
            batch = lots[first:first + BATCH]
            provider.script(*(script for lot in batch for script in lot.scripts))
            calls = list(pool.map(lambda lot: lot.run(made), batch))
            for lot, (request_id, call) in zip(batch, calls):
                if call.is_good:
                    costs[request_id] = lot, call.last.body["usage"]
            charged.update((number_of(seen), seen.bill["nano_usd"]) for seen in provider.requests() if seen.bill)
            provider.reset()
    rows = made.wait_ledger(CALLS, timeout=60)
    served = [row for row in rows["exchange"] if row["outcome"] == "ok"]
    assert len(served) == len(costs) == len(charged) == sum(lot.fate in ("good", "again") for lot in lots)
    wrong = [(lot, charged[lot.n], row) for row in served for lot in [costs[row["id"]][0]]
             if paid(row) != charged[lot.n]]
    assert not wrong, (len(wrong), [(lot.name, lot.stream, lot.scripts[-1]["charge"], bill, row)
                                    for lot, bill, row in wrong[:3]])
    assert sum(map(paid, served)) == sum(charged.values())
    # what was not served is not paid for
    others = [row for row in rows["exchange"] if row["outcome"] != "ok"]
    assert not any(paid(row) for row in others if row["outcome"] == "failed")
    assert len(others) == CALLS - len(served)
    # who asked was told the same
    for row in served:
        told = costs[row["id"]][1]
        assert (told["cost_nusd"], told.get("provider_cost_nusd")) == (row["cost_nusd"], row["provider_cost_nusd"])
    # attempts add up to their exchanges
    assert sum(row["cost_nusd"] or 0 for row in rows["attempt"]) == sum(row["cost_nusd"] for row in served)
    assert {"ok", "failed"} <= {row["outcome"] for row in rows["attempt"]}
    drifts = [line for line in made.log().splitlines() if "price.drift" in line]
    assert len(drifts) == 1 and 'provider="priced" model="m"' in drifts[0], drifts
