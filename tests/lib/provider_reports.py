"""provider_reports.py - what does the scripted provider say was spent, to who administers it?

OpenAI's and Anthropic's reports of costs and of usage by day, made from the provider's own bill and
from what a test adds to it, as if others had spent it. provider.py asks it first; None: it is no report.
"""

import datetime
import fractions
import hashlib
import time
import urllib.parse

DAY = 86400
USAGE = ("requests", "input", "cached", "cache_write", "output")


def key_id(key):
    """By what name the provider calls a key."""
    return "key_" + hashlib.sha256(key.encode()).hexdigest()[:12]


def decimal(value):
    """A fraction as decimal text, exact to 15 places."""
    whole = int(abs(value) * 10 ** 15)
    text = f"{whole // 10 ** 15}.{whole % 10 ** 15:015d}".rstrip("0").rstrip(".")
    return "-" + text if value < 0 else text


def moment(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reports:
    """admin: the keys that may ask. rows: what others spent, a dict each: at (seconds since 1970,
    now), model, key_id, and of USAGE; usd makes up a cost that no tokens explain. factor: of all
    prices. page_days: at most so many days a page. name: {a model: what the bill calls it}."""

    def __init__(self, admin=(), rows=(), factor="1", page_days=31, names=None):
        self.admin, self.rows = list(admin), list(rows)
        self.factor, self.page_days = fractions.Fraction(factor), page_days
        self.names = names or {}

    def answer(self, request, book, prices, error):
        """(status, body) of a report, or None."""
        path = request.path
        query = urllib.parse.parse_qs(request.target.partition("?")[2])
        kinds = {"/v1/organization/costs": (self.openai, "costs"),
                 "/v1/organization/usage/completions": (self.openai, "usage"),
                 "/v1/organization/usage/embeddings": (self.openai, "none"),
                 "/v1/organizations/cost_report": (self.anthropic, "costs"),
                 "/v1/organizations/usage_report/messages": (self.anthropic, "usage")}
        if path not in kinds or request.method != "GET":
            return None
        if request.key() not in self.admin:
            return 401, error(401, "this key administers nothing", request.key())
        make, what = kinds[path]
        return 200, make(query, what, self.spent(book, prices))

    def spent(self, book, prices):
        """{(day, model, key_id): {of USAGE, and usd by class}}"""
        out = {}
        wall = time.time() - time.monotonic()

        def add(at, model, key, used):
            row = out.setdefault((int(at) // DAY * DAY, self.names.get(model, model), key),
                                 {**dict.fromkeys(USAGE, 0), "usd": {}})
            for name in USAGE:
                row[name] += used.get(name, 0)
            for name, usd in self.usd(prices, model, used).items():
                row["usd"][name] = row["usd"].get(name, 0) + usd
        for request in book.requests:
            if request.bill:
                add(request.received_at + wall, request.bill["model"], key_id(request.key()),
                    {**request.bill, "requests": 1})
        for row in self.rows:
            add(row.get("at", time.time()), row["model"], row.get("key_id"), row)
        return out

    def usd(self, prices, model, used):
        if "usd" in used:
            return {"other": fractions.Fraction(used["usd"])}
        table = prices.table.get(model, prices.table.get("*"))
        if table is None:
            return {}
        base = table.get("input", 0)
        parts = {"input": (used.get("input", 0) - used.get("cached", 0) -
                           used.get("cache_write", 0), base),
                 "cached": (used.get("cached", 0), table.get("cached", base)),
                 "cache_write": (used.get("cache_write", 0), table.get("cache_write", base)),
                 "output": (used.get("output", 0), table.get("output", 0))}
        return {name: count * price * self.factor / 1_000_000
                for name, (count, price) in parts.items() if count}

    def page(self, query, begin, end):
        """The days of a page, and the name of the next."""
        size = min(self.page_days, int(query.get("limit", ["7"])[0]))
        first = int(query["page"][0].removeprefix("page_")) if "page" in query else 0
        days = list(range(begin // DAY * DAY, end, DAY))
        more = first + size < len(days)
        return days[first:first + size], f"page_{first + size}" if more else None

    def openai(self, query, what, spent):
        days, more = self.page(query, int(query["start_time"][0]), int(query["end_time"][0]))
        names = {"input": "input", "cached": "cached input", "output": "output",
                 "cache_write": "cache write"}
        data = []
        for day in days:
            results = []
            for (at, model, key), row in sorted(spent.items(), key=str):
                if at != day or what == "none":
                    continue
                if what == "usage":
                    results.append({"object": "organization.usage.completions.result",
                                    "num_model_requests": row["requests"], "model": model,
                                    "input_tokens": row["input"], "api_key_id": key,
                                    "input_cached_tokens": row["cached"],
                                    "output_tokens": row["output"]})
                    continue
                for name, usd in row["usd"].items():
                    item = f"{model}, {names[name]}" if name in names else model
                    results.append({"object": "organization.costs.result", "line_item": item,
                                    "amount": {"value": float(usd), "currency": "usd"},
                                    "project_id": None})
            data.append({"object": "bucket", "start_time": day, "end_time": day + DAY,
                         "results": results})
        return {"object": "page", "data": data, "has_more": more is not None, "next_page": more}

    def anthropic(self, query, what, spent):
        def at(name):
            return int(datetime.datetime.fromisoformat(
                query[name][0].replace("Z", "+00:00")).timestamp())
        days, more = self.page(query, at("starting_at"), at("ending_at"))
        types = {"input": "uncached_input_tokens", "cached": "cache_read_input_tokens",
                 "cache_write": "cache_creation.ephemeral_5m_input_tokens",
                 "output": "output_tokens"}
        data = []
        for day in days:
            results = []
            for (begins, model, key), row in sorted(spent.items(), key=str):
                if begins != day:
                    continue
                if what == "usage":
                    results.append({
                        "model": model, "api_key_id": key,
                        "uncached_input_tokens": row["input"] - row["cached"] - row["cache_write"],
                        "cache_read_input_tokens": row["cached"],
                        "cache_creation": {"ephemeral_5m_input_tokens": row["cache_write"],
                                           "ephemeral_1h_input_tokens": 0},
                        "output_tokens": row["output"]})
                    continue
                for name, usd in row["usd"].items():
                    is_model = name in types
                    results.append({"amount": decimal(usd * 100), "currency": "USD",
                                    "cost_type": "tokens" if is_model else "web_search",
                                    "description": f"{model} Usage",
                                    "model": model if is_model else None,
                                    "token_type": types.get(name)})
            data.append({"starting_at": moment(day), "ending_at": moment(day + DAY),
                         "results": results})
        return {"data": data, "has_more": more is not None, "next_page": more}
