"""provider_limits.py - may this key ask now, and what do the headers of the reply say of its rates?

Pure: the time is handed in. A rule is a dict:

  key       whose it is; without one, each key has it for itself
  model     for requests of this model alone
  requests  so many in `seconds` (60), and
  tokens    so many: those of the prompt and the `max_tokens` that it asks for
  left      so many of them are there at first, of each; without it, all
  kind      "bucket" (default): grows back evenly, up to the whole; "window": is whole again at once when
            the time that began with its first request is over
  style     "openai" or "anthropic": whose headers; without one, those of the language that is spoken

What is refused takes nothing. The headers are true: what they say is left is what would be let through
now, and the wait that a refusal names is the shortest after which the same request is let through.
"""

import datetime
import email.utils
import math

RULE = ("key", "model", "requests", "tokens", "left", "seconds", "kind", "style")
KINDS, STYLES = ("bucket", "window"), ("openai", "anthropic")


class BadRule(ValueError):
    """A rule that says something impossible; the message says what."""


def check(rule):
    odd = sorted(set(rule) - set(RULE))
    if odd:
        raise BadRule(f"a limit has no {', '.join(odd)}; it has {', '.join(RULE)}")
    for name, allowed in (("kind", KINDS), ("style", STYLES)):
        if rule.get(name) not in (None, *allowed):
            raise BadRule(f"{name} is one of {', '.join(allowed)}")
    sizes = [rule[name] for name in ("requests", "tokens") if rule.get(name) is not None]
    if not sizes or any(type(size) is not int or size < 1 for size in sizes):
        raise BadRule("a limit has requests or tokens, 1 or more")
    left = rule.get("left", 0)
    if type(left) is not int or not 0 <= left <= min(sizes):
        raise BadRule("what is left at first is none or more, and no more than the whole")
    if not rule.get("seconds", 60) > 0:
        raise BadRule("a limit's seconds are more than none")
    return rule


class Meter:
    """How much is left of `most` in `seconds`."""

    def __init__(self, most, seconds, kind):
        self.most, self.seconds, self.is_window = most, seconds, kind == "window"
        self.left, self.at = float(most), None  # `at`: of a window when it began, of a bucket when `left` was so

    def _turn(self, now):
        if self.at is None:
            return
        if self.is_window:
            if now - self.at >= self.seconds:
                self.left, self.at = float(self.most), None
        else:
            self.left = min(self.most, self.left + (now - self.at) * self.most / self.seconds)
            self.at = now

    def wait(self, amount, now):
        """Seconds until so much may be taken: 0 is now; None: never."""
        self._turn(now)
        if amount > self.most:
            return None
        if amount <= self.left + 1e-9:
            return 0.0
        if self.is_window:
            return self.at + self.seconds - now
        return (amount - self.left) * self.seconds / self.most

    def take(self, amount, now):
        self._turn(now)
        if self.at is None:
            self.at = now
        self.left -= amount

    def reset(self, now):
        """Seconds until it is whole."""
        self._turn(now)
        if self.at is None:
            return 0.0
        if self.is_window:
            return self.at + self.seconds - now
        return (self.most - self.left) * self.seconds / self.most


def duration(seconds):
    """As OpenAI writes one: 20ms, 1s, 6m0s."""
    ms = math.ceil(seconds * 1000)
    if ms < 1000:
        return f"{ms}ms"
    minutes, ms = divmod(ms, 60_000)
    rest = f"{ms / 1000:g}s"
    return f"{minutes}m{rest}" if minutes else rest


def moment(wall):
    """As Anthropic writes one; it knows whole seconds, and the next is the first that is true."""
    return datetime.datetime.fromtimestamp(math.ceil(wall), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Limits:
    """All rules of a provider, and their meters."""

    def __init__(self, rules=()):
        self.rules = [check(dict(rule)) for rule in rules]
        self.meters = {}  # (rule, key, what): Meter
        self.refused = {}  # key: how many

    def _of(self, key, model, tokens, now):
        """The meters that a request falls under: [(rule, what, amount, Meter)]."""
        found = []
        for n, rule in enumerate(self.rules):
            if rule.get("key", key) != key or rule.get("model", model) != model:
                continue
            for what, amount in (("requests", 1), ("tokens", tokens)):
                if rule.get(what) is None:
                    continue
                meter = self.meters.get((n, key, what))
                if meter is None:
                    meter = self.meters[n, key, what] = Meter(rule[what], rule.get("seconds", 60), rule.get("kind"))
                    if "left" in rule:
                        meter.take(rule[what] - rule["left"], now)
                found.append((rule, what, amount, meter))
        return found

    def ask(self, key, model, tokens, style, now, wall):
        """(None, headers) for one that is let through, or (what it is too much of, headers)."""
        under = self._of(key, model, tokens, now)
        waits = [(wait, what) for _, what, amount, meter in under
                 if (wait := meter.wait(amount, now)) != 0]
        if not waits:
            for _, _, amount, meter in under:
                meter.take(amount, now)
        # a moment is read by the reply's own date
        headers = {"date": email.utils.formatdate(wall, usegmt=True)} if under else {}
        for rule, what, _, meter in under:
            left = max(0, math.floor(meter.left + 1e-9))
            back = meter.reset(now)
            if (rule.get("style") or style) == "anthropic":
                name = f"anthropic-ratelimit-{what}-"
                headers.update({name + "limit": str(meter.most), name + "remaining": str(left),
                                name + "reset": moment(wall + back)})
            else:
                headers.update({f"x-ratelimit-limit-{what}": str(meter.most),
                                f"x-ratelimit-remaining-{what}": str(left),
                                f"x-ratelimit-reset-{what}": duration(back)})
        if not waits:
            return None, headers
        self.refused[key] = self.refused.get(key, 0) + 1
        known = [wait for wait, _ in waits if wait is not None]
        if len(known) == len(waits):
            longest = max(known)
            headers["retry-after"] = str(math.ceil(longest))
            if all((rule.get("style") or style) == "openai" for rule, *_ in under):
                headers["retry-after-ms"] = str(math.ceil(longest * 1000))
        return waits[0][1], headers
