"""mistral.py - Mistral's chat completions: what is taken, and what is asked?"""

import strict.openai_chat as openai_chat
from strict.base import Checker, check_type, data_uri

MEMBERS = ("model messages max_tokens temperature top_p n stop stream random_seed presence_penalty "
           "frequency_penalty tools tool_choice parallel_tool_calls response_format prediction prompt_mode "
           "reasoning_effort safe_prompt metadata guardrails prompt_cache_key service_tier").split()
NAME = openai_chat.NAME
PARTS = {"system": ("text", "thinking"), "user": ("text", "image_url", "document_url", "input_audio", "file"),
         "assistant": ("text", "thinking", "reference"), "tool": ("text", "image_url", "document_url")}


def _content(c, path, content, role):
    if isinstance(content, str):
        return
    for i, part in c.array(path, content):
        here = f"{path}[{i}]"
        if not c.obj(here, part, ["type"], is_open=True) or \
                not c.one_of(f"{here}.type", part["type"], PARTS[role]):
            continue
        if part["type"] == "image_url":
            url = part.get("image_url")
            url = url.get("url") if isinstance(url, dict) else url
            if c.string(here, url) and url.startswith("data:"):
                declared, data = data_uri(c, here, url)
                check_type(c, here, declared, data)
        elif part["type"] == "text":
            c.string(f"{here}.text", part.get("text"))


def check(body, path="", model=None):
    c = Checker()
    if not c.obj("body", body, ["model", "messages"], MEMBERS):
        return c.problems
    names = []
    for i, tool in c.array("tools", body.get("tools", [])):
        if c.obj(f"tools[{i}]", tool, ["type", "function"]):
            f = tool["function"]
            c.obj(f"tools[{i}].function", f, ["name", "parameters"], ["description", "strict"])
            c.string(f"tools[{i}].name", f.get("name"), NAME)
            c.schema(f"tools[{i}].parameters", f.get("parameters"))
            names.append(f.get("name"))
    c.needs(len(set(names)) == len(names), "tools", "two have one name")
    open_calls, seen_user, last = [], False, None
    for i, m in c.array("messages", body["messages"], 1):
        here = f"messages[{i}]"
        if not c.obj(here, m, ["role"], ["content", "tool_calls", "tool_call_id", "name", "prefix"]):
            continue
        role = m["role"]
        if not c.one_of(f"{here}.role", role, ("system", "user", "assistant", "tool")):
            continue
        c.needs(role != "system" or not seen_user, here, "a system message after the user's")
        seen_user = seen_user or role != "system"
        if "content" in m:
            _content(c, f"{here}.content", m["content"], role)
        if role == "tool":
            if c.needs(m.get("tool_call_id") in open_calls, here, "it answers no call"):
                open_calls.remove(m["tool_call_id"])
        else:
            c.needs(not open_calls, here, f"the calls {open_calls} are not answered")
            open_calls = []
        c.needs("name" not in m or role == "tool", here, "only tool messages have a name")
        if role == "assistant":
            c.needs(m.get("content") or m.get("tool_calls"), here, "neither content nor calls")
            for k, call in enumerate(m.get("tool_calls") or []):
                c.obj(f"{here}.tool_calls[{k}]", call, ["id", "function"], ["type", "index"])
                c.string(f"{here}.tool_calls[{k}].id", call.get("id"), r"[a-zA-Z0-9]{9}")
                c.string(f"{here}.tool_calls[{k}].arguments", call.get("function", {}).get("arguments"), r".+")
                open_calls.append(call.get("id"))
        last = m
    c.needs(not open_calls, "messages", f"the calls {open_calls} are not answered")
    if last is not None:
        c.needs(last["role"] in ("user", "tool") or last.get("prefix") is True, "messages", "the last role")
    choice = body.get("tool_choice")
    if isinstance(choice, str):
        c.one_of("tool_choice", choice, ("auto", "none", "any", "required"))
    c.needs(choice is None or names, "tool_choice", "there are no tools")
    c.members("body", body, {
        "max_tokens": lambda p, v: c.number(p, v, 0, is_int=True), "temperature": lambda p, v: c.number(p, v, 0, 1.5),
        "top_p": lambda p, v: c.number(p, v, 0, 1), "random_seed": lambda p, v: c.number(p, v, 0, is_int=True),
        "presence_penalty": lambda p, v: c.number(p, v, -2, 2), "frequency_penalty": lambda p, v: c.number(p, v, -2, 2),
        "n": lambda p, v: c.number(p, v, 1, is_int=True), "stream": c.boolean,
        "prompt_mode": lambda p, v: c.one_of(p, v, ("reasoning",)),
        "reasoning_effort": lambda p, v: c.one_of(p, v, ("none", "minimal", "low", "medium", "high", "xhigh")),
        "service_tier": lambda p, v: c.one_of(p, v, ("auto", "standard_only"))})
    f = body.get("response_format")
    if f is not None and c.obj("response_format", f, ["type"], ["json_schema"]):
        c.one_of("response_format.type", f["type"], ("text", "json_object", "json_schema"))
        if "json_schema" in f:
            c.obj("response_format.json_schema", f["json_schema"], ["name", "schema"], ["strict", "description"])
    return c.problems


def inventory(body, path=""):
    inv = openai_chat.inventory(body)
    inv.seed = body.get("random_seed")
    inv.effort = body.get("reasoning_effort") or body.get("prompt_mode")
    return inv
