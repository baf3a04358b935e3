"""cohere.py - Cohere's chat, version 2: what is taken, and what is asked?"""

import strict.openai_chat as openai_chat
from strict.base import Checker, Inventory, canonical, check_type, data_uri

MEMBERS = ("model messages stream tools strict_tools tool_choice documents citation_options response_format "
           "max_tokens stop_sequences temperature seed p k frequency_penalty presence_penalty logprobs "
           "safety_mode thinking priority").split()
NAME = r"[a-zA-Z0-9_]+"


def check(body, path="", model=None):
    c = Checker()
    if not c.obj("body", body, ["model", "messages", "stream"], MEMBERS):
        return c.problems
    c.boolean("stream", body["stream"])
    names = []
    for i, tool in c.array("tools", body.get("tools", [])):
        if c.obj(f"tools[{i}]", tool, ["type", "function"]):
            f = tool["function"]
            c.obj(f"tools[{i}].function", f, ["name", "parameters"], ["description"])
            c.string(f"tools[{i}].name", f.get("name"), NAME)
            c.schema(f"tools[{i}].parameters", f.get("parameters"))
            names.append(f.get("name"))
    c.needs(len(set(names)) == len(names), "tools", "two have one name")
    open_calls = []
    for i, m in c.array("messages", body["messages"], 1):
        here = f"messages[{i}]"
        if not c.obj(here, m, ["role"], ["content", "tool_calls", "tool_plan", "citations", "tool_call_id"]):
            continue
        role = m["role"]
        if not c.one_of(f"{here}.role", role, ("system", "user", "assistant", "tool")):
            continue
        content = m.get("content")
        kinds = {"user": ("text", "image_url"), "system": ("text",), "assistant": ("text", "thinking"),
                 "tool": ("text", "document")}[role]
        for k, part in c.array(f"{here}.content", content, 1) if isinstance(content, list) else []:
            if c.one_of(f"{here}.content[{k}].type", part.get("type"), kinds) and part["type"] == "image_url":
                url = part["image_url"].get("url", "")
                if url.startswith("data:"):
                    declared, data = data_uri(c, here, url)
                    check_type(c, here, declared, data)
        if role == "tool":
            c.needs(content is not None, here, "a result has content")
            if c.needs(m.get("tool_call_id") in open_calls, here, "it answers no call"):
                open_calls.remove(m["tool_call_id"])
            continue
        c.needs(not open_calls, here, f"the calls {open_calls} are not answered")
        open_calls = []
        if role == "assistant":
            calls = m.get("tool_calls") or []
            c.needs(calls or content, here, "neither content nor calls")
            for k, call in enumerate(calls):
                c.obj(f"{here}.tool_calls[{k}]", call, ["id", "type", "function"])
                c.string(here, call.get("function", {}).get("arguments"), r".+")
                open_calls.append(call.get("id"))
            c.needs(not calls or not isinstance(content, str), here, "text beside calls is the plan")
        else:
            c.needs(content is not None, here, "content is missing")
    c.needs(not open_calls, "messages", f"the calls {open_calls} are not answered")
    if body["messages"]:
        c.needs(body["messages"][-1].get("role") != "assistant", "messages", "no prefill")
        c.needs(any(m.get("role") in ("user", "tool") for m in body["messages"]), "messages", "no user message")
    if "tool_choice" in body:
        c.one_of("tool_choice", body["tool_choice"], ("REQUIRED", "NONE"))
        c.needs(names, "tool_choice", "there are no tools")
    c.members("body", body, {
        "max_tokens": lambda p, v: c.number(p, v, 0, is_int=True), "temperature": lambda p, v: c.number(p, v, 0),
        "p": lambda p, v: c.number(p, v, 0.01, 0.99), "k": lambda p, v: c.number(p, v, 0, 500, is_int=True),
        "seed": lambda p, v: c.number(p, v, 0, is_int=True), "stop_sequences": lambda p, v: c.array(p, v, 1, 5),
        "frequency_penalty": lambda p, v: c.number(p, v, 0, 1), "presence_penalty": lambda p, v: c.number(p, v, 0, 1),
        "logprobs": c.boolean, "strict_tools": c.boolean})
    f = body.get("response_format")
    if f is not None and c.obj("response_format", f, ["type"], ["json_schema", "schema"]):
        c.one_of("response_format.type", f["type"], ("text", "json_object"))
    thinking = body.get("thinking")
    if thinking is not None and c.obj("thinking", thinking, ["type"], ["token_budget"]):
        c.one_of("thinking.type", thinking["type"], ("enabled", "disabled"))
    return c.problems


def inventory(body, path=""):
    inv = Inventory()
    for m in body.get("messages") or []:
        content = m.get("content")
        if m.get("role") == "tool":
            if isinstance(content, list):
                text = ""
                for part in content:
                    data = part.get("document", {}).get("data") if part.get("type") == "document" else part.get("text")
                    text += data if isinstance(data, str) else canonical(data)
                content = text
            inv.results.append(content)
            continue
        for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            if part.get("type") == "thinking":
                inv.reasoning.append(part.get("thinking"))
            elif part.get("type") == "image_url":
                inv.images += 1
            else:
                inv.say(part.get("text"))
        if m.get("tool_plan"):
            inv.reasoning.append(m["tool_plan"])
            inv.say(m["tool_plan"])
        for call in m.get("tool_calls") or []:
            inv.calls.append((call["function"]["name"],
                              openai_chat.arguments(call["function"].get("arguments"))))
    openai_chat.read_tools(inv, {"tools": body.get("tools")})
    choice = body.get("tool_choice")
    if choice == "REQUIRED":
        inv.choice = "required"
    elif choice == "NONE":
        inv.choice = "none"
    for ours, theirs in (("max_tokens",) * 2, ("temperature",) * 2, ("top_p", "p"), ("top_k", "k"), ("seed",) * 2,
                         ("presence_penalty",) * 2, ("frequency_penalty",) * 2):
        setattr(inv, ours, body.get(theirs))
    inv.stop = tuple(body.get("stop_sequences") or [])
    inv.logprobs = body.get("logprobs") or None
    f = body.get("response_format") or {}
    if f.get("type") == "json_object":
        schema = f.get("json_schema") or f.get("schema")
        inv.format = ("schema", canonical(schema)) if schema else "json"
    if (body.get("thinking") or {}).get("type") == "enabled":
        inv.effort = "thinking"
    return inv
