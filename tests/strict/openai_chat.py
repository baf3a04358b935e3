"""openai_chat.py - Chat Completions: what is taken, and what is asked?"""

from strict.base import Checker, Inventory, arguments, canonical, check_type, data_uri

NAME = r"[a-zA-Z0-9_-]{1,64}"
MEMBERS = ("model messages max_completion_tokens max_tokens temperature top_p n stop presence_penalty "
           "frequency_penalty logit_bias logprobs top_logprobs seed response_format tools tool_choice "
           "parallel_tool_calls stream stream_options reasoning_effort verbosity modalities audio "
           "prediction service_tier store metadata user safety_identifier prompt_cache_key "
           "prompt_cache_retention prompt_cache_options moderation web_search_options functions "
           "function_call").split()
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def _part(c, path, part, role):
    if not c.obj(path, part, ["type"], is_open=True):
        return
    kind = part["type"] if isinstance(part.get("type"), str) else ""
    allowed = {"user": ("text", "image_url", "input_audio", "file"), "assistant": ("text", "refusal")}
    if not c.one_of(f"{path}.type", kind, allowed.get(role, ("text",))):
        return
    if kind in ("text", "refusal"):
        c.string(f"{path}.{kind}", part.get(kind))
    elif kind == "image_url":
        image = part.get("image_url")
        if c.obj(f"{path}.image_url", image, ["url"], ["detail"]):
            url = image.get("url", "")
            if c.string(f"{path}.image_url.url", url) and url.startswith("data:"):
                declared, data = data_uri(c, path, url)
                c.one_of(path, declared, IMAGES)
                check_type(c, path, declared, data)
            else:
                c.needs(url.startswith(("http://", "https://")), path, "an image has an http address")
            if "detail" in image:
                c.one_of(path, image["detail"], ("auto", "low", "high", "original"))
    elif kind == "input_audio":
        audio = part.get("input_audio")
        if c.obj(f"{path}.input_audio", audio, ["data", "format"]):
            c.b64(path, audio.get("data"))
            c.one_of(f"{path}.format", audio.get("format"), ("wav", "mp3"))
    else:
        file = part.get("file")
        if c.obj(f"{path}.file", file, [], ["file_id", "file_data", "filename"]):
            c.needs("file_id" in file or "file_data" in file, path, "a file has an id or data")
            if "file_data" in file:
                data_uri(c, path, file["file_data"])
                c.needs("filename" in file, path, "data of a file come with its name")


def _content(c, path, content, role):
    if isinstance(content, str):
        return
    for i, part in c.array(path, content, 1):
        _part(c, f"{path}[{i}]", part, role)


def _call(c, path, call):
    if not c.obj(path, call, ["id", "type"], ["function", "custom"]):
        return
    c.string(f"{path}.id", call.get("id"), r".+")
    if c.one_of(f"{path}.type", call.get("type"), ("function", "custom")):
        body = call.get(call["type"])
        field = "arguments" if call["type"] == "function" else "input"
        if c.obj(f"{path}.{call['type']}", body, ["name", field]):
            c.string(f"{path}.name", body.get("name"), NAME)
            c.string(f"{path}.{field}", body.get(field))


def _messages(c, messages):
    open_calls, extra = [], ("cache_control",)
    for i, m in c.array("messages", messages, 1):
        path = f"messages[{i}]"
        if not c.obj(path, m, ["role"], is_open=True, nullable=["content"]):
            continue
        role = m["role"]
        if not c.one_of(f"{path}.role", role, ("system", "developer", "user", "assistant", "tool", "function")):
            continue
        if role == "tool":
            c.obj(path, m, ["role", "content", "tool_call_id"], extra)
            if c.needs(m.get("tool_call_id") in open_calls, f"{path}.tool_call_id",
                       "it answers no call of the turn before"):
                open_calls.remove(m["tool_call_id"])
            _content(c, f"{path}.content", m.get("content"), role)
            continue
        c.needs(not open_calls, path, f"the calls {open_calls} are not answered before it")
        open_calls = []
        if role == "assistant":
            nullable = {k: v for k, v in m.items() if not (k == "content" and v is None)}
            c.obj(path, nullable, ["role"], ["content", "name", "refusal", "audio", "tool_calls", "function_call",
                                             "reasoning_content", "reasoning", "reasoning_details", *extra])
            if m.get("content") is not None:
                _content(c, f"{path}.content", m["content"], role)
            calls = m.get("tool_calls") or []
            c.needs(calls or m.get("content") is not None or m.get("refusal") or m.get("audio") or
                    m.get("function_call"), path, "it says nothing and calls nothing")
            for k, call in enumerate(calls):
                _call(c, f"{path}.tool_calls[{k}]", call)
                if isinstance(call, dict):
                    open_calls.append(call.get("id"))
            c.needs(len(set(open_calls)) == len(open_calls), path, "two calls have one id")
        else:
            c.obj(path, m, ["role", "content"], ["name", *extra])
            _content(c, f"{path}.content", m.get("content"), role)
        if "name" in m:
            c.string(f"{path}.name", m["name"], r"[^\s<|\\/>]{1,64}")
    c.needs(not open_calls, "messages", f"the calls {open_calls} are not answered")


def _tools(c, body):
    names = []
    for i, tool in c.array("tools", body["tools"], 1, 128):
        path = f"tools[{i}]"
        if not c.obj(path, tool, ["type"], is_open=True):
            continue
        if not c.one_of(f"{path}.type", tool["type"], ("function", "custom")):
            continue
        part = tool.get(tool["type"])
        wanted = ["name", "parameters"] if tool["type"] == "function" else ["name"]
        if c.obj(f"{path}.{tool['type']}", part, wanted, ["description", "strict", "format"]):
            c.string(f"{path}.name", part.get("name"), NAME)
            names.append(part.get("name"))
            if "parameters" in part:
                c.schema(f"{path}.parameters", part["parameters"])
    c.needs(len(set(names)) == len(names), "tools", "two have one name")
    return names


def _choice(c, choice, names):
    if isinstance(choice, str):
        c.one_of("tool_choice", choice, ("none", "auto", "required"))
    elif c.obj("tool_choice", choice, ["type"], is_open=True):
        if c.one_of("tool_choice.type", choice["type"], ("function", "custom", "allowed_tools")):
            if choice["type"] == "allowed_tools":
                allowed = choice.get("allowed_tools", {})
                c.obj("tool_choice.allowed_tools", allowed, ["mode", "tools"])
                c.one_of("tool_choice.mode", allowed.get("mode"), ("auto", "required"))
            else:
                c.needs(choice.get(choice["type"], {}).get("name") in names, "tool_choice", "there is no such tool")


def check(body, path="", model=None):
    c = Checker()
    if not c.obj("body", body, ["model", "messages"], MEMBERS):
        return c.problems
    c.string("model", body["model"], r".+")
    _messages(c, body["messages"])
    names = _tools(c, body) if "tools" in body else []
    if "tool_choice" in body:
        c.needs("tools" in body, "tool_choice", "there are no tools")
        _choice(c, body["tool_choice"], names)
    if "parallel_tool_calls" in body:
        c.needs("tools" in body, "parallel_tool_calls", "there are no tools")
    c.members("body", body, {
        "max_tokens": lambda p, v: c.number(p, v, 1, is_int=True),
        "max_completion_tokens": lambda p, v: c.number(p, v, 1, is_int=True),
        "temperature": lambda p, v: c.number(p, v, 0, 2),
        "top_p": lambda p, v: c.number(p, v, 0, 1),
        "n": lambda p, v: c.number(p, v, 1, 128, is_int=True),
        "presence_penalty": lambda p, v: c.number(p, v, -2, 2),
        "frequency_penalty": lambda p, v: c.number(p, v, -2, 2),
        "top_logprobs": lambda p, v: c.number(p, v, 0, 20, is_int=True),
        "seed": lambda p, v: c.number(p, v, -2**63, 2**63 - 1, is_int=True),
        "logprobs": c.boolean, "stream": c.boolean,
        "reasoning_effort": lambda p, v: c.one_of(p, v, ("none", "minimal", "low", "medium", "high", "xhigh", "max")),
        "verbosity": lambda p, v: c.one_of(p, v, ("low", "medium", "high")),
        "stop": lambda p, v: c.array(p, [v] if isinstance(v, str) else v, 1, 4),
    })
    c.needs("top_logprobs" not in body or body.get("logprobs") is True, "top_logprobs", "it needs logprobs")
    c.needs("max_tokens" not in body or "max_completion_tokens" not in body, "max_tokens", "it is said twice")
    if "stream_options" in body:
        c.needs(body.get("stream") is True, "stream_options", "there is no stream")
    for token, bias in (body.get("logit_bias") or {}).items():
        c.string("logit_bias", token, r"\d+")
        c.number("logit_bias", bias, -100, 100)
    if "metadata" in body:
        c.needs(len(body["metadata"]) <= 16, "metadata", "more than 16 pairs")
        for key, value in (body["metadata"] or {}).items():
            c.string("metadata", key, at_most=64)
            c.string("metadata", value, at_most=512)
    _format(c, body)
    return c.problems


def _format(c, body):
    f = body.get("response_format")
    if f is None or not c.obj("response_format", f, ["type"], ["json_schema"]):
        return
    if not c.one_of("response_format.type", f["type"], ("text", "json_object", "json_schema")):
        return
    if f["type"] == "json_schema":
        s = f.get("json_schema")
        if c.obj("response_format.json_schema", s, ["name"], ["schema", "strict", "description"]):
            c.string("response_format.json_schema.name", s.get("name"), NAME)
    if f["type"] == "json_object":
        words = str(body["messages"]).lower()
        c.needs("json" in words, "response_format", "no message says JSON")


# --- inventory


def message_parts(inv, content):
    for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        kind = part.get("type", "text")
        if kind in ("text", "refusal"):
            inv.say(part.get("text") or part.get("refusal"))
        elif kind == "image_url":
            inv.images += 1
        elif kind == "input_audio":
            inv.audio += 1
        elif kind in ("file", "document_url"):
            kind, _, data = ((part.get("file") or {}).get("file_data") or "").removeprefix("data:").partition(";base64,")
            inv.attach(kind, data)
        elif kind == "thinking":
            inv.reasoning += [t.get("text", "") for t in part.get("thinking") or [] if isinstance(t, dict)]


def result_text(content):
    if isinstance(content, list):
        return "".join(p.get("text", "") for p in content if isinstance(p, dict))
    return content if isinstance(content, str) else canonical(content)


def read_messages(inv, messages):
    for m in messages:
        if m.get("role") in ("tool", "function"):
            inv.results.append(result_text(m.get("content")))
            continue
        message_parts(inv, m.get("content"))
        inv.say(m.get("refusal"))
        for name in ("reasoning_content", "reasoning"):
            if isinstance(m.get(name), str) and m[name].strip():
                inv.reasoning.append(m[name])
        for call in m.get("tool_calls") or []:
            if "custom" in call:
                inv.calls.append((call["custom"]["name"], call["custom"]["input"]))
            else:
                inv.calls.append((call["function"]["name"], arguments(call["function"].get("arguments"))))
        if m.get("function_call"):
            inv.calls.append((m["function_call"]["name"], arguments(m["function_call"].get("arguments"))))


def read_tools(inv, body):
    for tool in body.get("tools") or []:
        if tool.get("type") == "custom":
            inv.tool(tool["custom"])
        elif "function" in tool:
            inv.tool(tool["function"], tool["function"].get("parameters"))
        else:
            inv.other_tools += 1
    for function in body.get("functions") or []:
        inv.tool(function, function.get("parameters"))
    choice = body.get("tool_choice")
    if choice == "any":
        choice = "required"
    if isinstance(choice, dict):
        kind = choice.get("type", "function")
        if kind == "allowed_tools":
            allowed = choice["allowed_tools"]
            inv.choice = ("allowed", tuple(sorted(t[t["type"]]["name"] for t in allowed["tools"])))
        elif kind in ("function", "custom"):
            inv.choice = ("named", choice[kind]["name"])
    elif choice in ("none", "required"):
        inv.choice = choice


def read_format(inv, f):
    if not isinstance(f, dict):
        return
    if f.get("type") == "json_object":
        inv.format = "json"
    elif f.get("type") == "json_schema":
        inv.format = ("schema", canonical((f.get("json_schema") or f).get("schema")))


def inventory(body, path=""):
    inv = Inventory()
    read_messages(inv, body.get("messages") or [])
    read_tools(inv, body)
    read_format(inv, body.get("response_format"))
    for name in ("temperature", "top_p", "top_k", "seed", "n", "presence_penalty", "frequency_penalty"):
        setattr(inv, name, body.get(name))
    inv.max_tokens = body.get("max_completion_tokens", body.get("max_tokens"))
    inv.parallel = body.get("parallel_tool_calls")
    inv.logprobs = body.get("logprobs") or None
    inv.logit_bias = canonical(body["logit_bias"]) if body.get("logit_bias") else None
    stop = body.get("stop")
    inv.stop = tuple([stop] if isinstance(stop, str) else stop or [])
    inv.user = body.get("safety_identifier", body.get("user"))
    inv.effort = body.get("reasoning_effort") or body.get("reasoning") or body.get("thinking")
    return inv
