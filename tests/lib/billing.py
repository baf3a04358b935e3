"""billing.py - what does a reply cost by its provider's own figures?

For a provider that keeps its bill, and for recorded replies: by each family's documented rule, in
fractions, from the usage object as it stands in the reply. Nothing here knows how the broker counts.
A price is USD per million tokens by class: input, output, cache_read, cache_write_5m, cache_write_1h,
reasoning, audio_input, audio_output, image_input, image_output.
"""
from fractions import Fraction

# USD per million tokens: no two alike, so that no class can pass for another
USUAL = {"input": "3.07", "output": "15.11", "cache_read": "0.313", "cache_write_5m": "3.77",
         "cache_write_1h": "6.13", "reasoning": "17.19", "audio_input": "40.03", "audio_output": "80.09",
         "image_input": "5.23", "image_output": "30.41"}
LONG = 5000  # prompts above that have another price
TIERS = {"flex": Fraction(1, 2), "priority": Fraction(7, 4)}


def price_of(tier, is_long):
    factor = TIERS.get(tier, 1) * (2 if is_long else 1)
    return {name: Fraction(usd) * factor for name, usd in USUAL.items()}


def decimal(value):
    """A fraction whose denominator has no factors but 2 and 5, as text."""
    digits = 0
    while (value * 10 ** digits).denominator != 1:
        digits += 1
    text = str(int(value * 10 ** digits)).rjust(digits + 1, "0")
    return text[:len(text) - digits] + "." + text[len(text) - digits:] if digits else text


def catalogue(model):
    """The lines of a catalogue that give a model these prices."""
    lines = []
    for tier in ("", *TIERS):
        for is_long in (False, True):
            words = [f"price_{name}={decimal(usd)}" for name, usd in price_of(tier, is_long).items()]
            case = [f"tier={tier}"] * bool(tier) + [f"above={LONG}"] * is_long
            lines.append(" ".join([model, *case, *words]))
    return "\n".join(lines) + "\n"


def half_up(value):
    return int(value + Fraction(1, 2))


def nusd(usd_per_million):
    """Nano-dollars of a sum of tokens times USD per million."""
    return half_up(usd_per_million * 1000)


def number(value):
    """A count that may be absent: 0 then."""
    return value if isinstance(value, int) else 0


# The rules, one a family: what is to be paid, in tokens times USD per million, and how many tokens that is by
# the provider's total (None: it has none). `price_for` gives the price of a prompt of so many tokens.

def openai(raw, price_for):
    """Cached and written tokens, audio and images are parts of the prompt; a token that is both cached and
    something else is cached. Reasoning is a part of the completion, or beside it where the total says so."""
    prompt = number(raw.get("prompt_tokens", raw.get("input_tokens")))
    completion = number(raw.get("completion_tokens", raw.get("output_tokens")))
    total = raw.get("total_tokens", prompt + completion)
    parts = raw.get("prompt_tokens_details") or raw.get("input_tokens_details") or {}
    written = raw.get("completion_tokens_details") or raw.get("output_tokens_details") or {}
    cached = number(next((v for v in (parts.get("cached_tokens"), raw.get("prompt_cache_hit_tokens"),
                                      raw.get("cached_tokens"), raw.get("num_cached_tokens"))
                          if v is not None), 0))
    audio, image = number(parts.get("audio_tokens")), number(parts.get("image_tokens"))
    write = number(parts.get("cache_write_tokens"))
    reasoning = written.get("reasoning_tokens", raw.get("reasoning_tokens"))
    beside = total - prompt - completion
    is_prompt_audio = audio > 0 and beside == audio
    if is_prompt_audio:  # Mistral
        prompt += audio
    elif beside > 0 and beside == reasoning:  # xAI
        completion += reasoning
    elif beside > 0 and reasoning is None:  # Google
        completion, reasoning = completion + beside, beside
    price = price_for(prompt - audio if is_prompt_audio else prompt)
    paid, left = Fraction(0), prompt
    for tokens, name in ((cached, "cache_read"), (write, "cache_write_5m"), (audio, "audio_input"),
                         (image, "image_input")):
        paid, left = paid + min(tokens, left) * price[name], left - min(tokens, left)
    paid += left * price["input"]
    left = completion
    for tokens, name in ((number(reasoning), "reasoning"), (number(written.get("audio_tokens")), "audio_output"),
                         (number(written.get("image_tokens")), "image_output")):
        paid, left = paid + min(tokens, left) * price[name], left - min(tokens, left)
    return paid + left * price["output"], total if total >= prompt + completion else None


def anthropic(raw, price_for):
    """Input, cache reads and cache writes are apart; of writes it is said how long they live. Thinking is a
    part of the output. A compaction is paid for, and in none of the sums."""
    counted = (number(raw.get("input_tokens")) + number(raw.get("cache_read_input_tokens")) +
               number(raw.get("cache_creation_input_tokens")))
    price = price_for(counted)
    calls = [raw] + [call for call in raw.get("iterations") or []
                     if call.get("type") != "message" and not call.get("model")]
    paid, total = Fraction(0), 0
    for call in calls:
        split = call.get("cache_creation") or {}
        short, long = number(split.get("ephemeral_5m_input_tokens")), number(split.get("ephemeral_1h_input_tokens"))
        written = number(call.get("cache_creation_input_tokens"))
        thinking = number((call.get("output_tokens_details") or {}).get("thinking_tokens"))
        paid += number(call.get("input_tokens")) * price["input"]
        paid += number(call.get("cache_read_input_tokens")) * price["cache_read"]
        paid += (written - long) * price["cache_write_5m"] + long * price["cache_write_1h"]
        paid += (number(call.get("output_tokens")) - thinking) * price["output"] + thinking * price["reasoning"]
        total += number(call.get("input_tokens")) + number(call.get("cache_read_input_tokens"))
        total += written + number(call.get("output_tokens"))
        assert short + long <= written
    return paid, total


def gemini(raw, price_for):
    """The prompt includes what was cached, not what a tool put in; thoughts are beside the candidates."""
    def kinds(name):
        found = {}
        for one in raw.get(name) or []:
            found[one.get("modality")] = found.get(one.get("modality"), 0) + number(one.get("tokenCount"))
        return found
    prompt = number(raw.get("promptTokenCount")) + number(raw.get("toolUsePromptTokenCount"))
    cached = number(raw.get("cachedContentTokenCount"))
    said, thought = number(raw.get("candidatesTokenCount")), number(raw.get("thoughtsTokenCount"))
    price = price_for(prompt)
    paid = cached * price["cache_read"] + thought * price["reasoning"]
    plain, spoken = prompt - cached, said
    for kind, name in (("AUDIO", "audio"), ("IMAGE", "image")):
        fresh = (kinds("promptTokensDetails").get(kind, 0) + kinds("toolUsePromptTokensDetails").get(kind, 0) -
                 kinds("cacheTokensDetails").get(kind, 0))
        made = kinds("candidatesTokensDetails").get(kind, 0)
        paid += fresh * price[name + "_input"] + made * price[name + "_output"]
        plain, spoken = plain - fresh, spoken - made
    return (paid + plain * price["input"] + spoken * price["output"],
            raw.get("totalTokenCount"))


def bedrock(raw, price_for):
    read, written = number(raw.get("cacheReadInputTokens")), number(raw.get("cacheWriteInputTokens"))
    long = sum(one["inputTokens"] for one in raw.get("cacheDetails") or [] if one.get("ttl") == "1h")
    price = price_for(raw["inputTokens"] + read + written)
    return (raw["inputTokens"] * price["input"] + read * price["cache_read"] +
            (written - long) * price["cache_write_5m"] + long * price["cache_write_1h"] +
            raw["outputTokens"] * price["output"]), raw["totalTokens"]


def cohere(raw, price_for):
    """Billed units, whatever was counted: images are in them, reasoning is a part."""
    billed, tokens = raw["billed_units"], raw["tokens"]
    image, thought = number(tokens.get("image_tokens")), number(tokens.get("reasoning_tokens"))
    price = price_for(tokens["input_tokens"])
    return ((billed["input_tokens"] - image) * price["input"] + image * price["image_input"] +
            (billed["output_tokens"] - thought) * price["output"] + thought * price["reasoning"],
            billed["input_tokens"] + billed["output_tokens"])


def ollama(raw, price_for):
    read, made = number(raw.get("prompt_eval_count")), number(raw.get("eval_count"))
    price = price_for(read)
    return read * price["input"] + made * price["output"], read + made


RULES = {"openai-chat": openai, "openai-responses": openai, "openai-completions": openai, "mistral": openai,
         "anthropic": anthropic, "gemini": gemini, "bedrock": bedrock, "cohere": cohere, "ollama": ollama}


def said_cost(raw):
    """What the provider says itself, in nano-dollars; None: nothing."""
    cost = raw.get("cost")
    if isinstance(cost, dict):
        cost = cost["total_cost"]
    if cost is not None:
        cost = Fraction(str(cost))
        upstream = (raw.get("cost_details") or {}).get("upstream_inference_cost")
        if raw.get("is_byok") and upstream is not None:
            cost += Fraction(str(upstream))
        return half_up(cost * 10 ** 9)
    ticks = raw.get("cost_in_usd_ticks")
    return half_up(Fraction(ticks, 10)) if ticks else None


def cost(family, raw, price_for):
    """What is to be paid in nano-dollars: what the provider says, else what its rule comes to."""
    told = said_cost(raw)
    return nusd(RULES[family](raw, price_for)[0]) if told is None else told
