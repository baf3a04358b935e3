"""openai_responses.py - the Responses API: what is taken, and what is asked?"""

from strict.base import Checker, Inventory, arguments, canonical, check_type, data_uri
from strict.openai_chat import IMAGES, NAME

MEMBERS = ("model input instructions max_output_tokens temperature top_p top_logprobs reasoning text tools "
           "tool_choice parallel_tool_calls max_tool_calls previous_response_id conversation store include "
           "stream stream_options truncation context_management background metadata service_tier "
           "safety_identifier user prompt_cache_key prompt_cache_options prompt_cache_retention moderation "
           "prompt").split()
CALLS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def _part(c, path, part, role):
    if not c.obj(path, part, ["type"], is_open=True):
        return
    kind = part["type"]
    allowed = ("output_text", "refusal") if role == "assistant" else \
        ("input_text", "input_image", "input_file", "input_audio")
    if not c.one_of(f"{path}.type", kind, allowed):
        return
    if kind in ("input_text", "output_text"):
        c.string(f"{path}.text", part.get("text"))
    elif kind == "input_image":
        url = part.get("image_url")
        c.needs((url is None) != ("file_id" not in part), path, "an image has an address or an id")
        if isinstance(url, str) and url.startswith("data:"):
            declared, data = data_uri(c, path, url)
            c.one_of(path, declared, IMAGES)
            check_type(c, path, declared, data)
        elif url is not None:
            c.string(path, url, r"https?://.+")
        if "detail" in part:
            c.one_of(path, part["detail"], ("auto", "low", "high", "original"))
    elif kind == "input_file":
        c.obj(path, part, ["type"], ["file_id", "file_url", "file_data", "filename", "detail"])
        c.needs(sum(k in part for k in ("file_id", "file_url", "file_data")) == 1, path, "one source is wanted")
        if "file_data" in part:
            data_uri(c, path, part["file_data"])


def _items(c, items):
    open_calls = []
    for i, item in c.array("input", items, 1):
        path = f"input[{i}]"
        if not c.needs(isinstance(item, dict), path, "an item is an object"):
            continue
        kind = item.get("type", "message")
        if kind == "message":
            role = item.get("role")
            c.one_of(f"{path}.role", role, ("user", "system", "developer", "assistant"))
            c.needs("content" in item, path, "content is missing")
            if not isinstance(item.get("content"), str):
                for k, part in c.array(f"{path}.content", item.get("content"), 1):
                    _part(c, f"{path}.content[{k}]", part, role)
        elif kind in CALLS:
            c.obj(path, item, ["type", "call_id", "name", "arguments" if kind == "function_call" else "input"],
                  ["id", "status", "namespace", "caller"])
            c.string(f"{path}.name", item.get("name"), NAME)
            if kind == "function_call":
                c.string(f"{path}.arguments", item.get("arguments"))
            c.needs(item.get("call_id") not in open_calls, path, "two calls have one id")
            open_calls.append(item.get("call_id"))
        elif kind in CALLS.values():
            c.obj(path, item, ["type", "call_id", "output"], ["id", "status"])
            if c.needs(item.get("call_id") in open_calls, f"{path}.call_id", "it answers no call before it"):
                open_calls.remove(item["call_id"])
            if not isinstance(item.get("output"), str):
                for k, part in c.array(f"{path}.output", item.get("output")):
                    _part(c, f"{path}.output[{k}]", part, "user")
        elif kind == "reasoning":
            c.needs(isinstance(item.get("summary"), list), path, "a reasoning item has a summary")
            c.needs(i + 1 < len(items) and items[i + 1].get("type", "message") != "reasoning" or
                    i + 1 < len(items), path, "the item that it led to is missing")
    c.needs(not open_calls, "input", f"the calls {open_calls} are not answered")


def check(body, path="", model=None):
    c = Checker()
    if not c.obj("body", body, ["model", "input"], MEMBERS):
        return c.problems
    c.string("model", body["model"], r".+")
    if not isinstance(body["input"], str):
        _items(c, body["input"])
    names = []
    for i, tool in c.array("tools", body.get("tools", [])):
        if not c.obj(f"tools[{i}]", tool, ["type"], is_open=True, nullable=("strict",)) or tool["type"] not in ("function", "custom"):
            continue
        if tool["type"] == "function":
            c.obj(f"tools[{i}]", tool, ["type", "name", "parameters", "strict"], ["description"],
                  nullable=("strict",))  # nothing was said of it
            c.schema(f"tools[{i}].parameters", tool.get("parameters"))
        c.string(f"tools[{i}].name", tool.get("name"), NAME)
        names.append(tool.get("name"))
    c.needs(len(set(names)) == len(names), "tools", "two have one name")
    choice = body.get("tool_choice")
    if choice is not None:
        c.needs(body.get("tools"), "tool_choice", "there are no tools")
        if isinstance(choice, str):
            c.one_of("tool_choice", choice, ("none", "auto", "required"))
        elif choice.get("type") in ("function", "custom"):
            c.needs(choice.get("name") in names, "tool_choice", "there is no such tool")
        elif choice.get("type") == "allowed_tools":
            c.obj("tool_choice", choice, ["type", "mode", "tools"])
    c.needs("parallel_tool_calls" not in body or body.get("tools"), "parallel_tool_calls", "there are no tools")
    c.members("body", body, {
        "max_output_tokens": lambda p, v: c.number(p, v, 16, is_int=True),
        "temperature": lambda p, v: c.number(p, v, 0, 2),
        "top_p": lambda p, v: c.number(p, v, 0, 1),
        "top_logprobs": lambda p, v: c.number(p, v, 0, 20, is_int=True),
        "stream": c.boolean, "store": c.boolean,
    })
    reasoning = body.get("reasoning")
    if reasoning is not None and c.obj("reasoning", reasoning, [], ["effort", "summary", "context", "mode",
                                                                    "generate_summary"]):
        c.members("reasoning", reasoning, {
            "effort": lambda p, v: c.one_of(p, v, EFFORTS),
            "summary": lambda p, v: c.one_of(p, v, ("auto", "concise", "detailed"))})
    text = body.get("text")
    if text is not None and c.obj("text", text, [], ["format", "verbosity"]):
        f = text.get("format")
        if f is not None and c.obj("text.format", f, ["type"], ["name", "schema", "strict", "description"]):
            if c.one_of("text.format.type", f["type"], ("text", "json_object", "json_schema")) and \
                    f["type"] == "json_schema":
                c.obj("text.format", f, ["type", "name", "schema"], ["strict", "description"])
                c.string("text.format.name", f.get("name"), NAME)
    return c.problems


def _texts(inv, content):
    for part in content if isinstance(content, list) else [{"type": "input_text", "text": content}]:
        kind = part.get("type")
        if kind in ("input_text", "output_text", "text"):
            inv.say(part.get("text"))
        elif kind == "refusal":
            inv.say(part.get("refusal"))
        elif kind == "input_image":
            inv.images += 1
        elif kind == "input_file":
            kind, _, data = (part.get("file_data") or "").removeprefix("data:").partition(";base64,")
            inv.attach(kind, data)
        elif kind == "input_audio":
            inv.audio += 1


def inventory(body, path=""):
    inv = Inventory()
    inv.say(body.get("instructions"))
    items = body.get("input")
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items or []:
        kind = item.get("type", "message")
        if kind == "message":
            _texts(inv, item.get("content"))
        elif kind == "function_call":
            inv.calls.append((item["name"], arguments(item.get("arguments"))))
        elif kind == "custom_tool_call":
            inv.calls.append((item["name"], item.get("input")))
        elif kind in CALLS.values():
            output = item.get("output")
            if isinstance(output, list):
                inv.images += sum(p.get("type") == "input_image" for p in output)
                inv.documents += sum(p.get("type") == "input_file" for p in output)
                output = "".join(p.get("text", "") for p in output)
            inv.results.append(output)
        elif kind == "reasoning":
            inv.reasoning += [s.get("text", "") for s in item.get("summary") or []]
    for tool in body.get("tools") or []:
        if tool.get("type") == "function":
            inv.tool(tool, tool.get("parameters"))
        elif tool.get("type") == "custom":
            inv.tool(tool)
        else:
            inv.other_tools += 1
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        if choice.get("type") in ("function", "custom"):
            inv.choice = ("named", choice["name"])
        elif choice.get("type") == "allowed_tools":
            inv.choice = ("allowed", tuple(sorted(t["name"] for t in choice["tools"] if "name" in t)))
    elif choice in ("none", "required"):
        inv.choice = choice
    f = (body.get("text") or {}).get("format") or {}
    if f.get("type") == "json_object":
        inv.format = "json"
    elif f.get("type") == "json_schema":
        inv.format = ("schema", canonical(f.get("schema")))
    inv.max_tokens = body.get("max_output_tokens")
    inv.temperature = body.get("temperature")
    inv.top_p = body.get("top_p")
    inv.parallel = body.get("parallel_tool_calls")
    inv.logprobs = True if "message.output_text.logprobs" in (body.get("include") or []) else None
    inv.user = body.get("safety_identifier", body.get("user"))
    inv.effort = (body.get("reasoning") or {}).get("effort")
    return inv
