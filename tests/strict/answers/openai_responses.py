"""openai_responses.py - an answer of the Responses API: what may be sent, and what is said?"""

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
