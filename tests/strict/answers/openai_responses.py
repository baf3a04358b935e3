"""openai_responses.py - an answer of the Responses API: what may be sent, and what is said?"""

import json

from strict.answers import openai_chat
from strict.answers import openai_responses_object as api
from strict.answers.openai_responses_stream import stream  # noqa: F401

error = openai_chat.error


def whole(c, text):
    r = c.json("answer", text)
    if not api.response(c, "answer", r, ("completed", "incomplete", "failed")):
        return
    for i, item in c.array("output", r["output"]):
        if api.item_of(c, f"output[{i}]", item, ("completed", "incomplete")):
            api.say(c, f"output[{i}]", item)
    api.apart(c, "output", r["output"])
    api.finish(c, r)
    c.choices = 1


def carried(c, text):
    """Items and citations, wherever they are in a reply of whatever shape."""
    def look(value):
        if isinstance(value, list):
            api.apart(c, "items", [v for v in value if isinstance(v, dict) and "type" in v and "id" in v])
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            if value["type"] in api.ANNOTATIONS:
                api.annotation(c, "annotation", value)
            elif "id" in value:
                api.item_of(c, "item", value, ("completed", "incomplete", "in_progress"))
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            look(inner)

    for line in text.split("\n") if text.lstrip()[:1] != "{" else [text]:
        line = line.removeprefix("data:").strip()
        if line.startswith("{"):
            look(json.loads(line))
