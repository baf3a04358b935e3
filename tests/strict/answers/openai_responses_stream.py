"""openai_responses_stream.py - a stream of the Responses API: what may come after what?"""

from strict.answers import openai_chat
from strict.answers import openai_responses_object as api
from strict.answers import sse

LIFE = {"response.created": ("in_progress", "queued"), "response.queued": ("queued",),
        "response.in_progress": ("in_progress",)}
ENDS = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
# what comes in pieces: in which item, as which part of it, by which index, and where it is told whole
TEXTS = {
    "output_text": ("message", "output_text", "content_index", "text"),
    "refusal": ("message", "refusal", "content_index", "refusal"),
    "reasoning_text": ("reasoning", "reasoning_text", "content_index", "text"),
    "reasoning_summary_text": ("reasoning", "summary_text", "summary_index", "text"),
    "function_call_arguments": ("function_call", "arguments", None, "arguments"),
    "custom_tool_call_input": ("custom_tool_call", "input", None, "input"),
}
PARTS = {"content_part": ("content", "content_index"), "reasoning_summary_part": ("summary", "summary_index")}
EMPTY = {"message": ("content",), "reasoning": ("summary",), "function_call": ("arguments",),
         "custom_tool_call": ("input",)}


def settled(value):
    """Without what is told anew each time: reasoning is encrypted with another salt, and the parts of
    a message are closed before their probabilities are known."""
    if isinstance(value, list):
        return [settled(each) for each in value]
    if isinstance(value, dict):
        return {k: bool(v) if k == "encrypted_content" else settled(v) for k, v in value.items() if k != "logprobs"}
    return value


class Open:
    """A text that is told piece by piece."""

    def __init__(self, kind, index):
        self.kind, self.index, self.text, self.notes, self.is_told = kind, index, "", [], False


class Stream:
    """One item is open at most, and in it one part."""

    def __init__(self, c):
        self.c, self.life, self.id = c, [], None
        self.done = []     # items
        self.item = None   # the open one, as it was added
        self.parts = {}    # of the open one, whole: "content", "summary"
        self.part = None
        self.is_over = False    # its last event came
        self.has_error = False  # so did an error, which a failed response may follow

    # ---- the response ----

    def begin(self, path, e):
        c, kind = self.c, e["type"]
        c.needs((kind == "response.created") == (not self.life), path, "created is said first, and once")
        c.needs(kind not in self.life and not self.done and not self.item, path, "it is said too late")
        self.life.append(kind)
        r = e.get("response")
        if c.shape(path, e, "type sequence_number response") and api.response(c, f"{path}.response", r, LIFE[kind]):
            self.id = self.id or r["id"]
            c.same(f"{path}.response.id", r["id"], self.id, "the id")
            c.needs(r["output"] == [] and r.get("usage") is None, path, "it begins with what comes at the end")

    def end(self, path, e):
        c, word = self.c, ENDS[e["type"]]
        self.is_over, self.has_error = True, False
        c.needs("response.in_progress" in self.life, path, "it ends before it began")
        r = e.get("response")
        if not c.shape(path, e, "type sequence_number response") or \
                not api.response(c, f"{path}.response", r, (word,)):
            return
        c.same(f"{path}.response.id", r["id"], self.id, "the id")
        output = r["output"]
        for i, item in enumerate(output):
            api.item_of(c, f"{path}.response.output[{i}]", item, ("completed", "incomplete", "in_progress"))
        if word == "failed":
            c.needs(self.item or len(output) <= len(self.done), path, "an item that never came")
            output = output[:len(self.done)] or self.done
        else:
            c.needs(self.item is None, path, "an item is open")
        c.needs(settled(output) == settled(self.done), path, "its output is not what was streamed")
        api.apart(c, path, self.done)
        api.finish(c, r)

    def error(self, path, e):
        """Flat, as the clients' types have it, or in an object, as it is sent."""
        c = self.c
        c.needs(not self.has_error, path, "a second error")
        self.is_over = self.has_error = True
        if "error" in e:
            if c.shape(path, e, "type sequence_number error") and \
                    c.shape(f"{path}.error", e["error"], "type code message param", null="code param"):
                e = e["error"]
                c.one_of(f"{path}.error.type", e["type"], openai_chat.TYPES)
        elif not c.shape(path, e, "type sequence_number code message param", null="code param"):
            return
        c.string(f"{path}.message", e.get("message"), is_blank_ok=False)
        c.error = {"message": e.get("message"), "word": e.get("code") or e.get("type")}

    # ---- items ----

    def added(self, path, e):
        c = self.c
        c.needs("response.in_progress" in self.life, path, "an item before the beginning")
        if not c.shape(path, e, "type sequence_number output_index item"):
            return
        c.needs(self.item is None, path, "another item is open")
        c.needs(e["output_index"] == len(self.done), path, f"output_index {e['output_index']} of {len(self.done)}")
        # reasoning without words is whole at once
        if not api.item_of(c, f"{path}.item", e["item"], ("in_progress", "completed")):
            return
        c.needs(e["item"].get("status") != "completed" or e["item"]["type"] not in EMPTY
                or e["item"]["type"] == "reasoning", path, "it is completed when it begins")
        self.item, self.parts, self.part = e["item"], {"content": [], "summary": []}, None
        kind = self.item["type"]
        for name in EMPTY.get(kind, ()):
            c.needs(not self.item[name], path, f"{name} before its pieces")
        if kind in ("function_call", "custom_tool_call"):
            self.part = Open("arguments" if kind == "function_call" else "input", None)

    def here(self, path, e):
        """Is the event's item the open one?"""
        c = self.c
        return c.needs(self.item is not None, path, "no item is open") and \
            c.needs(e.get("output_index") == len(self.done), path, f"output_index {e.get('output_index')}") and \
            c.needs(e.get("item_id") == self.item["id"], path, f"item_id {e.get('item_id')}, not {self.item['id']}")

    def item_done(self, path, e):
        c, item = self.c, e.get("item")
        if not c.shape(path, e, "type sequence_number output_index item") or \
                not api.item_of(c, f"{path}.item", item, ("completed", "incomplete")) or \
                not c.needs(self.item is not None, path, "no item is open"):
            return
        c.needs(e["output_index"] == len(self.done), path, f"output_index {e['output_index']} of {len(self.done)}")
        for name in ("id", "type", "call_id", "name"):
            c.needs(item.get(name) == self.item.get(name), path, f"{name} is {item.get(name)!r}")
        kind = item["type"]
        if kind in ("function_call", "custom_tool_call"):
            c.needs(self.part.is_told, path, f"no done of its {self.part.kind}")
            c.needs(item[self.part.kind] == self.part.text, path, f"its {self.part.kind} are not what was streamed")
        elif kind in EMPTY:
            c.needs(self.part is None, path, "a part is open")
            for name in ("content", "summary"):
                c.needs(settled(item.get(name) or []) == settled(self.parts[name]), path,
                        f"its {name} is not what was streamed")
        api.say(c, path, item)
        self.done.append(item)
        self.item = self.part = None

    # ---- parts ----

    def part_added(self, path, e, where, index):
        c = self.c
        if not c.shape(path, e, f"type sequence_number item_id output_index {index} part") or not self.here(path, e):
            return
        c.needs(self.part is None, path, "another part is open")
        c.needs(e[index] == len(self.parts[where]), path, f"{index} {e[index]} of {len(self.parts[where])}")
        part = e["part"]
        if self.is_part(f"{path}.part", part, where):
            self.part = Open(part["type"], e[index])
            c.needs(part.get("text", part.get("refusal")) == "" and not part.get("annotations"), path,
                    "a part before its pieces")

    def is_part(self, path, part, where):
        if where == "content":
            return api.part_of(self.c, path, part)
        return self.c.shape(path, part, "type text") and \
            self.c.one_of(f"{path}.type", part["type"], ("summary_text",))

    def part_done(self, path, e, where, index):
        c = self.c
        if not c.shape(path, e, f"type sequence_number item_id output_index {index} part", "status") or \
                not self.here(path, e) or not self.is_part(f"{path}.part", e["part"], where) or \
                not c.needs(self.part is not None, path, "no part is open"):
            return
        part, now = e["part"], self.part
        c.needs(part["type"] == now.kind and e[index] == now.index, path, "it is another part")
        c.needs(now.is_told, path, "no done of its text")
        c.needs(part.get("text", part.get("refusal")) == now.text, path, "its text is not what was streamed")
        c.needs(part.get("annotations", []) == now.notes, path, "its annotations are not what was streamed")
        self.parts[where].append(part)
        self.part = None

    def place(self, path, e, kind, index):
        """Is the open text of this kind, and meant?"""
        c = self.c
        return self.here(path, e) and \
            c.needs(self.part is not None and self.part.kind == kind, path, f"no {kind} is open") and \
            c.needs(index is None or e[index] == self.part.index, path, f"another {index}")

    def delta(self, path, e, kind, index):
        c = self.c
        logs = " logprobs" if kind == "output_text" else ""
        if not c.shape(path, e, f"type sequence_number item_id output_index {index or ''} delta{logs}", "obfuscation") \
                or not self.place(path, e, kind, index):
            return
        c.needs(not self.part.is_told, path, "a piece behind the whole")
        if c.string(f"{path}.delta", e["delta"]):
            c.needs(e["delta"], path, "a piece of no letter")
            self.part.text += e["delta"]

    def text_done(self, path, e, kind, index, whole):
        c = self.c
        logs = " logprobs" if kind == "output_text" else ""
        if not c.shape(path, e, f"type sequence_number item_id output_index {index or ''} {whole}{logs}", "name") or \
                not self.place(path, e, kind, index):
            return
        c.needs(not self.part.is_told, path, "the whole a second time")
        c.needs(e[whole] == self.part.text, path, "it is not what was streamed")
        self.part.is_told = True

    def annotation(self, path, e):
        c = self.c
        if c.shape(path, e, "type sequence_number item_id output_index content_index annotation_index annotation") and \
                self.place(path, e, "output_text", "content_index"):
            c.needs(e["annotation_index"] == len(self.part.notes), path, f"annotation_index {e['annotation_index']}")
            api.annotation(c, f"{path}.annotation", e["annotation"])
            self.part.notes.append(e["annotation"])

    # ---- which is which ----

    def take(self, path, e):
        kind = e["type"]
        name, _, step = kind.removeprefix("response.").rpartition(".")
        if kind in LIFE:
            self.begin(path, e)
        elif kind in ENDS:
            self.end(path, e)
        elif kind == "error":
            self.error(path, e)
        elif name == "output_item" and step in ("added", "done"):
            (self.added if step == "added" else self.item_done)(path, e)
        elif name in PARTS and step in ("added", "done"):
            (self.part_added if step == "added" else self.part_done)(path, e, *PARTS[name])
        elif name in TEXTS and step == "delta":
            self.delta(path, e, *TEXTS[name][1:3])
        elif name in TEXTS and step == "done":
            self.text_done(path, e, *TEXTS[name][1:])
        elif kind == "response.output_text.annotation.added":
            self.annotation(path, e)
        elif any(name.startswith(hosted) for hosted in api.HOSTED):
            self.here(path, e)
            self.c.needs(self.item and name.startswith(self.item["type"]), path, "no such item is open")
        else:
            self.c.bad(path, "there is no such event")


def stream(c, text):
    s = Stream(c)
    for n, (path, e) in enumerate(sse.values(c, text)):
        if not c.needs(not s.is_over or s.has_error and e.get("type") == "response.failed", path,
                       "it is behind the end"):
            break
        c.needs(e.get("sequence_number") == n, path, f"sequence_number {e.get('sequence_number')} of {n}")
        if c.string(f"{path}.type", e.get("type")):
            s.take(path, e)
    c.needs(s.is_over, "stream", "it has no end")
    c.is_complete = c.is_complete and s.is_over and not c.error
    c.choices = 1
