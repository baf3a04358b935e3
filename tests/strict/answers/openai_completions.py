"""openai_completions.py - an answer of the older completions: what may be sent, and what is said?"""

from strict.answers import openai_chat

FINISH = ("stop", "length", "content_filter")
error = openai_chat.error


def _logprobs(c, path, value):
    """Four lists, an element a token each."""
    if value is None or not c.shape(path, value, "tokens token_logprobs", "top_logprobs text_offset",
                                    null="top_logprobs text_offset"):
        return
    lengths = {len(c.array(f"{path}.{name}", value[name])) for name in value if value[name] is not None}
    c.needs(len(lengths) < 2, path, "lists of different lengths")


def _choice(c, path, choice):
    if not c.shape(path, choice, "index text finish_reason", "logprobs", null="finish_reason logprobs"):
        return False
    _logprobs(c, f"{path}.logprobs", choice.get("logprobs"))
    if choice["finish_reason"] is not None:
        c.one_of(f"{path}.finish_reason", choice["finish_reason"], FINISH)
    return c.string(f"{path}.text", choice["text"])


def whole(c, text):
    value = c.json("answer", text)
    if not c.shape("answer", value, "id object created model choices", "usage system_fingerprint service_tier",
                   null="system_fingerprint service_tier"):
        return
    openai_chat.head(c, "answer", value, "text_completion")
    for i, choice in c.array("choices", value["choices"], 1):
        if _choice(c, f"choices[{i}]", choice):
            c.same(f"choices[{i}].index", choice["index"], i, "the index")
            c.needs(choice["finish_reason"], f"choices[{i}]", "it never ends")
            if i == 0:
                c.text = choice["text"]
                c.finish = c.native = choice["finish_reason"]
            c.choices += 1
    if "usage" in value:
        openai_chat.usage(c, "usage", value["usage"])
    c.is_complete = True


def stream(c, text):
    finishes = {}

    def take(path, chunk):
        for i, choice in c.array(f"{path}.choices", chunk["choices"], 1):
            if not _choice(c, f"{path}.choices[{i}]", choice):
                continue
            at = choice["index"]
            c.number(f"{path}.choices[{i}].index", at, 0, is_int=True)
            c.needs(finishes.get(at) is None, f"{path}.choices[{i}]", "its choice is over")
            c.needs(choice["text"] or choice["finish_reason"] or choice.get("logprobs"), path, "it says nothing")
            finishes[at] = choice["finish_reason"]
            c.text += choice["text"] if at == 0 else ""

    openai_chat.chunks(c, text, "text_completion", take)
    c.needs(c.error or finishes, "stream", "no choice")
    c.needs(c.error or all(finishes.values()), "stream", "a choice that never ends")
    c.choices = len(finishes)
    c.finish = c.native = finishes.get(0)
