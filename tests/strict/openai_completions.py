"""openai_completions.py - the older completions: what is taken, and what is asked?"""

from strict.base import Checker, Inventory, canonical

MEMBERS = ("model prompt suffix max_tokens temperature top_p n stream stream_options logprobs echo stop "
           "presence_penalty frequency_penalty best_of logit_bias seed user").split()


def check(body, path="", model=None):
    c = Checker()
    if not c.obj("body", body, ["model", "prompt"], MEMBERS):
        return c.problems
    c.string("model", body["model"], r".+")
    if not isinstance(body["prompt"], str):
        c.array("prompt", body["prompt"], 1)
    c.members("body", body, {
        "max_tokens": lambda p, v: c.number(p, v, 0, is_int=True),
        "temperature": lambda p, v: c.number(p, v, 0, 2),
        "top_p": lambda p, v: c.number(p, v, 0, 1),
        "n": lambda p, v: c.number(p, v, 1, 128, is_int=True),
        "best_of": lambda p, v: c.number(p, v, 1, 20, is_int=True),
        "logprobs": lambda p, v: c.number(p, v, 0, 5, is_int=True),
        "seed": lambda p, v: c.number(p, v, is_int=True),
        "presence_penalty": lambda p, v: c.number(p, v, -2, 2),
        "frequency_penalty": lambda p, v: c.number(p, v, -2, 2),
        "stop": lambda p, v: c.array(p, [v] if isinstance(v, str) else v, 1, 4),
        "stream": c.boolean, "echo": c.boolean,
    })
    c.needs("stream_options" not in body or body.get("stream") is True, "stream_options", "there is no stream")
    return c.problems


def inventory(body, path=""):
    inv = Inventory()
    prompt = body.get("prompt")
    for text in [prompt] if isinstance(prompt, str) else prompt or []:
        inv.say(text)
    for name in ("max_tokens", "temperature", "top_p", "seed", "n", "presence_penalty", "frequency_penalty", "user"):
        setattr(inv, name, body.get(name))
    inv.logit_bias = canonical(body["logit_bias"]) if body.get("logit_bias") else None
    inv.logprobs = True if body.get("logprobs") is not None else None
    stop = body.get("stop")
    inv.stop = tuple([stop] if isinstance(stop, str) else stop or [])
    return inv
