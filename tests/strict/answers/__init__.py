"""strict.answers - may a caller who speaks this family get this answer, and what is it told?

One module a family, written from the families' papers and their official clients' types, not from
the dialects. Each has `whole` (one JSON object), `stream` (an event stream), `error` (the body of a
reply that is an error) and, where the family has more ways to answer, those: they take the Reading
that collects what is wrong and what is said.
"""

import importlib

from strict.answers.reading import Reading

FAMILIES = ("openai-chat", "openai-completions", "anthropic", "gemini", "openai-responses")


def module(family):
    return importlib.import_module("strict.answers." + family.replace("-", "_"))


def read(family, form, text, *more):
    """The reading of an answer in one of the family's forms: "whole", "stream", "error", ..."""
    c = Reading()
    try:
        getattr(module(family), form)(c, text, *more)
    except (AttributeError, IndexError, KeyError, TypeError) as problem:
        c.bad(form, f"it cannot be read further: {problem!r}")
    return c


def beyond(problems, family, reply):
    """The problems without those of a reply in the same language: what its host says of its own, items and
    citations, goes on to the caller as it is."""
    carried = getattr(module(family), "carried", None)
    c = Reading()
    if not problems or not carried:
        return problems
    carried(c, reply)
    excused = {problem.partition(": ")[2] for problem in c.problems}
    return [problem for problem in problems if problem.partition(": ")[2] not in excused]
