"""driver.py - how does a driver of a Python SDK take its orders? As node/driver.mjs does."""

import asyncio
import base64
import json
import re
import sys
import time
import traceback


def described(e):
    inner = e
    response = getattr(inner, "response", None)
    headers = getattr(response, "headers", None) or {}
    status = getattr(inner, "status_code", None)
    if status is None and isinstance(getattr(inner, "code", None), int):
        status = inner.code
    code = getattr(inner, "code", None)
    return {"names": [cls.__name__ for cls in type(e).__mro__ if cls is not object],
            "message": str(getattr(inner, "message", None) or inner), "status": status,
            "code": code if isinstance(code, str) else None, "type": getattr(inner, "type", None),
            "retry_after": headers.get("retry-after"), "is_retryable": None}


class Aborted(Exception):
    """The answer was let go of where the order says."""


class Answer:
    """What an answer says, gathered; `abort_after` pieces of text it is let go of."""

    def __init__(self, order):
        self.order, self.said = order, {"text": "", "reasoning": "", "calls": [], "pieces": 0,
                                        "usage": None, "finish": None}
        self.close = None

    def piece(self, text):
        if not text:
            return
        self.said["text"] += text
        self.said["pieces"] += 1
        if self.said["pieces"] == self.order.get("abort_after"):
            self.said["at"] = time.monotonic()
            self.close()
            raise Aborted

    def call(self, id, name, args):
        args = json.loads(args or "{}") if isinstance(args, str) else args
        self.said["calls"].append({"id": id, "name": name, "args": args})


def result(name, args):
    return f"{name}: {' '.join(map(str, args.values()))}"


def without_none(value):
    return {name: v for name, v in value.items() if v is not None}


def _revived(value):
    if isinstance(value, list):
        return [_revived(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "$file" in value:
        return value["$file"], base64.b64decode(value["base64"]), value.get("type")
    return {name: _revived(one) for name, one in value.items()}


def _plain(out):
    if hasattr(out, "model_dump"):
        return out.model_dump(mode="json", by_alias=True)
    if hasattr(out, "read"):
        return {"type": out.response.headers.get("content-type"), "base64": base64.b64encode(out.read()).decode()}
    return out


def _method(client, o):
    for name in o["method"].split("."):
        client = getattr(client, re.sub("([A-Z])", r"_\1", name).lower())
    return client


def call(client, o):
    """Calls a method by its name: with `ids`, then `body` by name. What is listed or streamed comes as a list."""
    out = _method(client, o)(*o.get("ids", ()), **_revived(o.get("body", {})), **o.get("options", {}))
    is_list = hasattr(out, "__next__") or hasattr(out, "auto_paging_iter") or hasattr(out, "iter_pages") or \
        hasattr(out, "next_page") or hasattr(out, "get_next_page")
    return {"out": [_plain(one) for one in out] if is_list else _plain(out)}


async def _call_later(client, o):
    out = _method(client, o)(*o.get("ids", ()), **_revived(o.get("body", {})), **o.get("options", {}))
    out = await out if hasattr(out, "__await__") else out
    if hasattr(out, "__aiter__"):
        return {"out": [_plain(one) async for one in out]}
    return {"out": _plain(out)}


def call_later(client, o):
    """The same by a client that is asynchronous."""
    return asyncio.run(_call_later(client, o))


def serve(operations):
    for line in sys.stdin:
        order = json.loads(line)
        answer = Answer(order)
        try:
            out = operations[order["op"]](order, answer) or answer.said
        except Exception as e:
            out = dict(answer.said, error=described(e))
            out.setdefault("at", time.monotonic())
            if order.get("debug"):
                traceback.print_exc()
        print(json.dumps(out, default=str), flush=True)
