"""ollama.py - Ollama's own chat: what is taken, and what is asked?"""

import strict.openai_chat as openai_chat
from strict.base import Checker, Inventory, arguments, canonical, type_of

MEMBERS = "model messages stream think keep_alive format tools options truncate shift logprobs top_logprobs".split()
OPTIONS = ("temperature top_p top_k min_p typical_p num_predict num_ctx num_keep num_batch num_gpu main_gpu "
           "num_thread use_mmap stop seed presence_penalty frequency_penalty repeat_penalty repeat_last_n "
           "mirostat mirostat_tau mirostat_eta penalize_newline numa low_vram vocab_only use_mlock").split()


def check(body, path="", model=None):
    c = Checker()
    if not c.obj("body", body, ["model", "messages"], MEMBERS):
        return c.problems
    c.needs("stream" in body, "stream", "it streams unless it is told not to")
    for i, tool in c.array("tools", body.get("tools", [])):
        if c.obj(f"tools[{i}]", tool, ["type", "function"]):
            c.obj(f"tools[{i}].function", tool["function"], ["name", "parameters"], ["description", "strict"])
            c.schema(f"tools[{i}].parameters", tool["function"].get("parameters"))
    for i, m in c.array("messages", body["messages"], 1):
        here = f"messages[{i}]"
        if not c.obj(here, m, ["role", "content"], ["images", "thinking", "tool_calls", "tool_name", "tool_call_id"]):
            continue
        c.one_of(f"{here}.role", m["role"], ("system", "user", "assistant", "tool"))
        c.string(f"{here}.content", m["content"])
        for k, image in c.array(f"{here}.images", m.get("images", [])):
            kind = type_of(c.b64(f"{here}.images[{k}]", image))
            c.needs(kind in (None, "image/png", "image/jpeg", "image/webp"), here, f"{kind} is not taken")
        for k, call in enumerate(m.get("tool_calls") or []):
            c.obj(f"{here}.tool_calls[{k}]", call, ["function"], ["id", "type"])
            c.obj(f"{here}.function", call.get("function"), ["name", "arguments"], ["index", "description"])
            c.needs(isinstance(call["function"].get("arguments"), dict), here, "arguments are an object")
        c.needs(m["role"] != "tool" or m.get("tool_name"), here, "a result has its tool's name")
    options = body.get("options", {})
    c.obj("options", options, [], OPTIONS)
    c.members("options", options, {
        "num_predict": lambda p, v: c.number(p, v, -2, is_int=True), "seed": lambda p, v: c.number(p, v, is_int=True),
        "temperature": lambda p, v: c.number(p, v, 0), "top_p": lambda p, v: c.number(p, v, 0, 1),
        "top_k": lambda p, v: c.number(p, v, 0, is_int=True)})
    think = body.get("think")
    c.needs(think is None or isinstance(think, bool) or think in ("low", "medium", "high", "max"), "think", "no such word")
    c.needs("format" not in body or body["format"] == "json" or isinstance(body["format"], dict), "format", "json or a schema")
    return c.problems


def inventory(body, path=""):
    inv = Inventory()
    for m in body.get("messages") or []:
        inv.images += len(m.get("images") or [])
        if m.get("role") == "tool":
            inv.results.append(m.get("content"))
            continue
        inv.say(m.get("content"))
        if m.get("thinking"):
            inv.reasoning.append(m["thinking"])
        for call in m.get("tool_calls") or []:
            inv.calls.append((call["function"]["name"], arguments(call["function"].get("arguments"))))
    openai_chat.read_tools(inv, {"tools": body.get("tools")})
    options = body.get("options") or {}
    for ours, theirs in (("max_tokens", "num_predict"), ("temperature",) * 2, ("top_p",) * 2, ("top_k",) * 2,
                         ("seed",) * 2, ("presence_penalty",) * 2, ("frequency_penalty",) * 2):
        setattr(inv, ours, options.get(theirs))
    stop = options.get("stop")
    inv.stop = tuple([stop] if isinstance(stop, str) else stop or [])
    inv.logprobs = body.get("logprobs") or None
    if body.get("format") == "json":
        inv.format = "json"
    elif body.get("format"):
        inv.format = ("schema", canonical(body["format"]))
    inv.effort = body.get("think") or None
    return inv
