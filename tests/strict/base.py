"""base.py - what do the checkers of all families share?

A checker walks a parsed body and adds a sentence for each thing that is not as the paper says. What
a request asks is gathered in an Inventory.
"""

import base64
import json
import re


class Duplicate(ValueError):
    """A name is twice in one object."""


def parse(text):
    """JSON whose objects have no name twice."""
    def unique(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise Duplicate(f"a name is twice among {names}")
        return dict(pairs)
    return json.loads(text, object_pairs_hook=unique, parse_constant=_no_constant)


def _no_constant(word):
    raise ValueError(f"{word} is no JSON")


class Checker:
    """Collects what is wrong, each with its path."""

    def __init__(self):
        self.problems = []

    def bad(self, path, sentence):
        self.problems.append(f"{path}: {sentence}")

    def needs(self, is_true, path, sentence):
        if not is_true:
            self.bad(path, sentence)
        return bool(is_true)

    def obj(self, path, value, required=(), optional=(), is_open=False, nullable=()):
        """Is it an object with these members, and (unless open) no other?"""
        if not self.needs(isinstance(value, dict), path, "an object is wanted"):
            return False
        for name in required:
            self.needs(name in value, path, f"{name} is missing")
        if not is_open:
            for name in value:
                self.needs(name in required or name in optional, f"{path}.{name}",
                           "there is no such member")
        for name, v in value.items():
            self.needs(v is not None or name in nullable, f"{path}.{name}", "null is sent where it should be left out")
        return True

    def array(self, path, value, at_least=0, at_most=None):
        if not self.needs(isinstance(value, list), path, "an array is wanted"):
            return []
        self.needs(len(value) >= at_least, path, f"at least {at_least} are wanted")
        self.needs(at_most is None or len(value) <= at_most, path, f"at most {at_most} are taken")
        return list(enumerate(value))

    def string(self, path, value, pattern=None, at_most=None, is_blank_ok=True):
        if not self.needs(isinstance(value, str), path, "a string is wanted"):
            return False
        ok = self.needs(pattern is None or re.fullmatch(pattern, value, re.S), path,
                        f"{value[:60]!r} does not fit {pattern}")
        ok &= self.needs(at_most is None or len(value) <= at_most, path, f"longer than {at_most}")
        return ok & self.needs(is_blank_ok or value.strip(), path, "it is blank")

    def number(self, path, value, low=None, high=None, is_int=False):
        ok = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_int:
            ok = ok and isinstance(value, int)
        if not self.needs(ok, path, "a whole number is wanted" if is_int else "a number is wanted"):
            return
        self.needs(low is None or value >= low, path, f"{value} is less than {low}")
        self.needs(high is None or value <= high, path, f"{value} is more than {high}")

    def boolean(self, path, value):
        self.needs(isinstance(value, bool), path, "true or false is wanted")

    def one_of(self, path, value, words):
        return self.needs(value in words, path, f"{str(value)[:60]!r} is none of {', '.join(map(str, words))}")

    def members(self, path, value, rows):
        """rows: name -> function(path, value), for those that are there."""
        for name, check in rows.items():
            if name in value:
                check(f"{path}.{name}", value[name])

    def b64(self, path, value):
        if not self.string(path, value):
            return b""
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:
            self.bad(path, "it is no base64")
            return b""

    def schema(self, path, value):
        """A JSON Schema of an object, as tools want it."""
        if not self.needs(isinstance(value, dict), path, "a schema is an object"):
            return
        self.needs(value.get("type") == "object", path, "its type must be object")


def data_uri(checker, path, url):
    """The type and the bytes of a data: URI."""
    m = re.fullmatch(r"data:([^;,]+);base64,(.*)", url, re.S)
    if not m:
        checker.bad(path, f"{url[:40]!r} is no data: URI in base64")
        return "", b""
    return m.group(1), checker.b64(path, m.group(2))


MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"),
         (b"%PDF", "application/pdf"))


def type_of(data):
    """What the first bytes say; None where they say nothing."""
    for magic, kind in MAGIC:
        if data.startswith(magic):
            return kind
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def check_type(checker, path, declared, data):
    kind = type_of(data)
    if kind and data:
        checker.needs(declared == kind, path, f"it says {declared} and is {kind}")


# --- what a request asks


def canonical(value):
    """Equal JSON values have equal texts; 1.0 and 1 are one number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{canonical(v)}" for k, v in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def arguments(text):
    """Tool arguments as a canonical text: an object's, or the text itself in the forms that it has to
    take where an object is due."""
    if isinstance(text, dict):
        return canonical(text)
    try:
        value = json.loads(text) if text and text.strip() else {}
    except ValueError:
        return canonical({"_raw": text})
    if value is None:
        return "{}"
    return canonical(value if isinstance(value, dict) else {"value": value})


class Inventory:
    """What is asked, whatever family says it. Absent is None."""

    SCALARS = ("max_tokens", "temperature", "top_p", "top_k", "seed", "n", "presence_penalty",
               "frequency_penalty", "parallel", "logprobs", "logit_bias", "user")

    def __init__(self):
        self.texts = []        # visible texts of all roles, in order
        self.reasoning = []    # reasoning that goes back
        self.images = 0
        self.documents = 0
        self.audio = 0
        self.untyped = 0       # media at addresses: whatever they say of themselves
        self.calls = []        # (name, canonical arguments)
        self.results = []      # texts of tool results
        self.tools = {}        # name -> canonical schema or None
        self.described = {}    # name -> description of those that have one
        self.other_tools = 0   # a provider's own
        self.choice = None     # "none", "required", ("named", name), ("allowed", names)
        self.stop = ()
        self.format = None     # "json" or ("schema", canonical)
        self.effort = None     # anything that asks for reasoning
        for name in self.SCALARS:
            setattr(self, name, None)

    def say(self, text):
        if isinstance(text, str) and text.strip():
            self.texts.append(text)

    def tool(self, named, schema=None):
        """A tool, by the object that has its name and description."""
        self.tools[named["name"]] = canonical(schema) if schema else None
        if named.get("description"):
            self.described[named["name"]] = named["description"]

    def attach(self, kind, data):
        """A document; the words of one that is plain text are words like others. `data` is base64."""
        self.documents += 1
        if kind.startswith("text/") and data:
            try:
                self.say(base64.b64decode(data).decode())
            except ValueError:
                pass


def text_schema(value):
    """A schema that is carried as text or as an object."""
    return canonical(json.loads(value) if isinstance(value, str) else value)
