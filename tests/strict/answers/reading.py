"""reading.py - what does an answer say, and what is wrong with how it says it?"""

import json

from strict import base


class Reading(base.Checker):
    """What is wrong, and what a caller's client would have at the end."""

    def __init__(self):
        super().__init__()
        self.text = ""
        self.reasoning = ""
        self.refusal = ""
        self.calls = []      # {"id", "name", "arguments": a text or an object, "type": "custom"?}
        self.finish = None   # in the words of the recordings
        self.native = None   # in the family's own
        self.usage = {}      # as the recordings count, what is told of it
        self.error = None    # {"message", "word"}: it failed, with the family's word for why
        self.choices = 0
        self.media = 0       # images, sounds and files
        self.slots = []      # texts that must come back as they are: signatures, encrypted reasoning
        self.is_complete = False

    def shape(self, path, value, needed="", also="", null=""):
        """Is it an object of these members, and no other? Those in `null` may be null."""
        return self.obj(path, value, needed.split(), also.split(), nullable=null.split()) and \
            all(name in value for name in needed.split())

    def json(self, path, text):
        """The value of a text that is JSON, without a name twice; None where it is none."""
        try:
            return base.parse(text)
        except ValueError as problem:
            self.bad(path, f"no JSON: {problem}")
            return None

    def same(self, path, value, first, what):
        self.needs(value == first, path, f"{what} {str(value)[:60]!r} was {str(first)[:60]!r} before")

    def counts(self, path, value, names, null=""):
        """The members of these names, where they are there, are whole numbers of 0 or more."""
        for name in names.split():
            if name in value and (value[name] is not None or name not in null.split()):
                self.number(f"{path}.{name}", value[name], 0, is_int=True)

    def total(self, path, whole, parts, sentence):
        """Numbers add up; whoever is none was told of before."""
        numbers = [n for n in (whole, *parts) if isinstance(n, int)]
        if len(numbers) == len(parts) + 1:
            self.needs(whole == sum(parts), path, f"{sentence}: {whole} is not {' + '.join(map(str, parts))}")

    def within(self, path, part, whole, sentence):
        if isinstance(part, int) and isinstance(whole, int):
            self.needs(part <= whole, path, f"{sentence}: {part} of {whole}")

    def got(self):
        """The same as `dialect decode` reports it."""
        return {
            "text": self.text, "reasoning_text": self.reasoning, "refusal": self.refusal,
            "tool_calls": [told(call) for call in self.calls],
            "finish_reason": self.finish, "finish_reason_raw": self.native,
            "usage": {name: self.usage.get(name) for name in
                      ("input", "output", "cached_input", "cache_write", "reasoning")},
            "complete": self.is_complete, "error": self.error,
        }


def told(call):
    """A call whose arguments are the JSON that they are a text of, {} for none. Not every language has
    ids of calls; what stands for one then is the client's own."""
    call = {**call, "id": call["id"] or "none"}
    text = call["arguments"]
    if call.get("type") == "custom" or isinstance(text, dict):
        return call
    try:
        return {**call, "arguments": json.loads(text) if text.strip() else {}}
    except ValueError:
        return call
