"""compare.py - is what was got what the record expects?

For the scripts here that compare what the dialects make of a reply, field by field, with the
`expected` or `expected_error` of its record.
"""
import re

# the class of an error reply by its status, where nothing else is said
CLASSES = {
    400: {"invalid_request", "context_length_exceeded", "content_filtered", "server_error",
          "not_found", "auth"},  # Google, of a key
    401: {"auth"},
    403: {"permission", "auth"},  # AWS says so of a key that it does not know
    404: {"not_found"},
    429: {"rate_limited", "quota_exhausted"},
}


def same_sentence(got, want):
    """Equal, but for what looked like a key and was made unreadable."""
    return re.fullmatch(re.escape(got).replace(re.escape("***"), r"\S+"), want, re.S) is not None


def squeezed(text):
    return "".join(text.split())


def same_calls(got, want):
    if len(got) != len(want):
        return False
    for g, w in zip(got, want):
        if w["id"] is not None and g["id"] != w["id"]:
            return False
        if not g["id"] or g["name"] != w["name"] or g.get("type") != w.get("type"):
            return False
        if g["arguments"] != w["arguments"]:
            return False
    return True


def says_none(want):
    """Does its total say that there was no output, of which there is no figure? Gemini leaves out what is none."""
    raw = want.get("usage_raw") or {}
    return want["usage"]["output"] is None and raw.get("totalTokenCount", -1) == raw.get("promptTokenCount")


def possible(usage, also):
    """The counts, each part cut to what is left of its whole: classes are disjoint, and some hosts
    report more cached or reasoning tokens than tokens."""
    usage = dict(usage)
    for whole, parts in (("input", ("cached_input", "cache_write")), ("output", ("reasoning",))):
        left = usage[whole]
        if left is not None:
            left = max([left, *also.get("usage." + whole, [])])
        for part in parts:
            if left is not None and usage[part] is not None:
                usage[part] = min(usage[part], left)
                left -= usage[part]
    return usage


# of an operation beside chat: what is expected, out of its results
RESULTS = {
    "count": lambda r: len(r),
    "dimensions": lambda r: [len(e["vector"]) for e in r],
    "first": lambda r: [e["vector"][:4] for e in r],
    "results": lambda r: [{"index": e["index"], "score": e["score"]} for e in r],
    "input_tokens": lambda r: r[0]["input_tokens"],
    "ids": lambda r: [e["id"] for e in r],
    "flagged": lambda r: [e["flagged"] for e in r],
}


def compare_results(want, also, got):
    if got.get("error") or not got.get("results"):
        return [("error", got.get("error"), None)]
    values = {name: RESULTS[name](got["results"]) for name in want if name in RESULTS}
    values["usage"] = {name: got["usage"][name] for name in want.get("usage", {})}
    return [(name, values[name], w) for name, w in want.items()
            if name != "also_accepted" and values[name] != w and values[name] not in also.get(name, [])]


def compare(record, got):
    """The fields that differ, each with what was got and wanted."""
    want = record.get("expected")
    bad = []
    if got.get("broken"):
        bad.append(("order", got["broken"], "the promise of event.h"))
    if want is None:
        wrong = record["expected_error"]
        error = got.get("error")
        if not error:
            return bad + [("error", None, wrong)]
        if not same_sentence(error["message"], wrong["message"]):
            bad.append(("error.message", error["message"], wrong["message"]))
        if error["class"] not in CLASSES.get(wrong["status"], {error["class"]}):
            bad.append(("error.class", error["class"], wrong["status"]))
        if wrong.get("retry_after") and error["retry_after_ms"] != float(wrong["retry_after"]) * 1000:
            bad.append(("error.retry_after", error["retry_after_ms"], wrong["retry_after"]))
        return bad
    also = want.get("also_accepted", {})
    if "text" not in want:
        return bad + compare_results(want, also, got)
    is_broken = want.get("complete") is False or "stream_error" in want

    def check(name, g, w, same=lambda a, b: a == b):
        if not same(g, w) and not any(same(g, other) for other in also.get(name, [])):
            bad.append((name, g, w))

    check("text", got["text"], want["text"])
    check("reasoning_text", got["reasoning_text"], want["reasoning_text"],
          lambda a, b: squeezed(a) == squeezed(b))
    check("tool_plan", got.get("tool_plan", ""), want.get("tool_plan") or "")
    check("tool_calls", got["tool_calls"], want["tool_calls"], same_calls)
    if want.get("refusal"):
        check("refusal", got.get("refusal"), want["refusal"])
    if is_broken:
        error = got.get("error") or {}
        check("stream_error", error.get("message"),
              want.get("stream_error", {}).get("message", error.get("message")))
        check("complete", got["complete"], False)
    else:
        check("error", got.get("error"), None)
        check("complete", got["complete"], True)
        if want["finish_reason"] is None:
            # nothing was said: it is told by what came, with a warning
            check("finish_reason", got["finish_reason"],
                  "tool_calls" if want["tool_calls"] else "stop")
        else:
            check("finish_reason", got["finish_reason"], want["finish_reason"])
        check("finish_reason_raw", got["finish_reason_raw"], want["finish_reason_raw"] or None)
    if says_none(want):
        also = {"usage.output": [0], **also}
    for name, w in possible(want["usage"], also).items():
        check("usage." + name, got["usage"][name], w)
    return bad
