"""anthropic.py - the Messages API: what is taken, and what is asked?"""

from strict.base import Checker, Inventory, arguments, canonical, check_type

MEMBERS = ("model max_tokens messages system stop_sequences temperature top_p top_k stream tools tool_choice "
           "thinking output_config metadata service_tier speed cache_control inference_geo container "
           "diagnostics context_management mcp_servers betas").split()
IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
NAME = r"[a-zA-Z0-9_-]{1,128}"
OPAQUE = ("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
          "bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result",
          "container_upload", "mcp_tool_use", "mcp_tool_result", "compaction", "fallback")
# by the beginning of the name: sampling is refused, prefill is refused, thinking is by budget
NEW = ("claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-opus-5", "claude-fable", "claude-mythos")
NO_PREFILL = NEW + ("claude-opus-4-6", "claude-sonnet-4-6")
BUDGET = ("claude-3-7", "claude-sonnet-4-2", "claude-sonnet-4-0", "claude-opus-4-2", "claude-opus-4-0",
          "claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5")
FORMAT = NO_PREFILL + ("claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5")


class Marks:
    def __init__(self):
        self.ttls = []


def _mark(c, path, block, marks):
    mark = block.get("cache_control")
    if mark is None:
        return
    if c.obj(f"{path}.cache_control", mark, ["type"], ["ttl", "scope"]):
        c.one_of(f"{path}.cache_control.type", mark["type"], ("ephemeral",))
        c.one_of(f"{path}.cache_control.ttl", mark.get("ttl", "5m"), ("5m", "1h"))
        marks.ttls.append(mark.get("ttl", "5m"))


def _source(c, path, source, types):
    if not c.obj(path, source, ["type"], ["media_type", "data", "url", "file_id", "content"]):
        return
    kind = source["type"]
    if kind == "base64":
        data = c.b64(f"{path}.data", source.get("data"))
        if c.one_of(f"{path}.media_type", source.get("media_type"), types):
            check_type(c, path, source["media_type"], data)
    elif kind == "url":
        c.string(f"{path}.url", source.get("url"), r"https?://.+")
    elif kind == "text":
        c.needs(source.get("media_type") == "text/plain", path, "text is text/plain")
        c.string(f"{path}.data", source.get("data"))
    elif kind == "file":
        c.string(f"{path}.file_id", source.get("file_id"), r".+")
    else:
        c.one_of(f"{path}.type", kind, ("content",))


def _block(c, path, block, role, marks):
    if not c.obj(path, block, ["type"], is_open=True):
        return
    kind = block["type"]
    if kind == "text":
        c.string(f"{path}.text", block.get("text"), is_blank_ok=False)
        c.obj(path, {k: v for k, v in block.items() if v is not None}, ["type", "text"],
              ["cache_control", "citations"])
        _mark(c, path, block, marks)
    elif kind == "image":
        c.obj(path, block, ["type", "source"], ["cache_control"])
        _source(c, f"{path}.source", block.get("source"), IMAGES)
        _mark(c, path, block, marks)
    elif kind == "document":
        c.obj(path, block, ["type", "source"], ["title", "context", "citations", "cache_control"])
        _source(c, f"{path}.source", block.get("source"), ("application/pdf",))
        _mark(c, path, block, marks)
    elif kind == "tool_use":
        c.obj(path, block, ["type", "id", "name", "input"], ["cache_control", "caller"])
        c.needs(role == "assistant", path, "only the assistant calls tools")
        c.string(f"{path}.id", block.get("id"), r"[a-zA-Z0-9_-]+")
        c.string(f"{path}.name", block.get("name"), NAME)
        c.needs(isinstance(block.get("input"), dict), f"{path}.input", "an object is wanted")
        _mark(c, path, block, marks)
    elif kind == "tool_result":
        c.obj(path, block, ["type", "tool_use_id"], ["content", "is_error", "cache_control"])
        c.needs(role == "user", path, "results are in the user's turns")
        content = block.get("content", [])
        c.needs(not block.get("is_error") or content, path, "an error says something")
        if not isinstance(content, str):
            for i, each in c.array(f"{path}.content", content):
                if isinstance(each, dict) and each.get("type") == "tool_reference":
                    c.obj(f"{path}.content[{i}]", each, ["type", "tool_name"])
                    continue
                _block(c, f"{path}.content[{i}]", each, "user", marks)
        _mark(c, path, block, marks)
    elif kind == "thinking":
        c.obj(path, block, ["type", "thinking", "signature"])
        c.string(f"{path}.signature", block.get("signature"), r".+")
        c.needs("cache_control" not in block, path, "no cache mark on thinking")
    elif kind == "redacted_thinking":
        c.obj(path, block, ["type", "data"])
    else:
        c.one_of(f"{path}.type", kind, OPAQUE + ("search_result",))


def _messages(c, body, marks):
    last_role, open_calls = None, []
    for i, m in c.array("messages", body["messages"], 1):
        path = f"messages[{i}]"
        if not c.obj(path, m, ["role", "content"]):
            continue
        role = m["role"]
        if not c.one_of(f"{path}.role", role, ("user", "assistant", "system") if i else ("user",)):
            continue
        c.needs(i > 0 or role == "user", path, "the first turn is the user's")
        c.needs(role != last_role or role == "system", path, "two turns of one role")
        last_role = role
        content = m["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        kinds = []
        for k, block in c.array(f"{path}.content", blocks, 1):
            _block(c, f"{path}.content[{k}]", block, role, marks)
            kinds.append(block.get("type") if isinstance(block, dict) else None)
        if role == "user":
            others = [k for k, kind in enumerate(kinds) if kind != "tool_result"]
            results = [k for k, kind in enumerate(kinds) if kind == "tool_result"]
            c.needs(not others or not results or max(results) < min(others), path, "results come first")
            ids = [b["tool_use_id"] for b in blocks if isinstance(b, dict) and b.get("type") == "tool_result"]
            c.needs(sorted(ids) == sorted(open_calls), path, f"results {ids} for the calls {open_calls}")
            open_calls = []
        elif role == "assistant":
            c.needs(not open_calls, path, "calls before it are not answered")
            open_calls = [b.get("id") for b in blocks if isinstance(b, dict) and b.get("type") == "tool_use"]
            c.needs(len(set(open_calls)) == len(open_calls), path, "two calls have one id")
    c.needs(not open_calls, "messages", f"the calls {open_calls} are not answered")
    return last_role


def check(body, path="", model=None):
    c, marks = Checker(), Marks()
    if not c.obj("body", body, ["model", "max_tokens", "messages"], MEMBERS):
        return c.problems
    name = body["model"]
    c.number("max_tokens", body["max_tokens"], 1, is_int=True)
    names = []
    for i, tool in c.array("tools", body.get("tools", [])):
        if not c.obj(f"tools[{i}]", tool, ["name"], is_open=True):
            continue
        names.append(tool["name"])
        _mark(c, f"tools[{i}]", tool, marks)
        if tool.get("type", "custom") != "custom":
            continue
        c.obj(f"tools[{i}]", tool, ["name", "input_schema"],
              ["description", "strict", "cache_control", "type", "eager_input_streaming", "defer_loading",
               "allowed_callers", "input_examples"])
        c.string(f"tools[{i}].name", tool["name"], NAME)
        c.schema(f"tools[{i}].input_schema", tool.get("input_schema"))
    c.needs(len(set(names)) == len(names), "tools", "two have one name")
    system = body.get("system")
    if system is not None and not isinstance(system, str):
        for i, block in c.array("system", system, 1):
            _block(c, f"system[{i}]", block, "system", marks)
            c.needs(block.get("type") == "text", f"system[{i}]", "only text is taken")
    elif system is not None:
        c.string("system", system, is_blank_ok=False)
    last_role = _messages(c, body, marks)
    c.needs(len(marks.ttls) <= 4, "cache_control", "at most four marks")
    c.needs(marks.ttls == sorted(marks.ttls), "cache_control", "an hour's marks come first")
    c.members("body", body, {
        "temperature": lambda p, v: c.number(p, v, 0, 1), "top_p": lambda p, v: c.number(p, v, 0, 1),
        "top_k": lambda p, v: c.number(p, v, 0, is_int=True), "stream": c.boolean})
    for i, stop in c.array("stop_sequences", body.get("stop_sequences", [])):
        c.string(f"stop_sequences[{i}]", stop, is_blank_ok=False)
    _choice(c, body, names)
    _thinking(c, body, name, last_role)
    return c.problems


def _choice(c, body, names):
    choice = body.get("tool_choice")
    if choice is None or not c.obj("tool_choice", choice, ["type"], ["name", "disable_parallel_tool_use"]):
        return
    c.needs(names or body.get("mcp_servers"), "tool_choice", "there are no tools")
    c.one_of("tool_choice.type", choice["type"], ("auto", "any", "tool", "none"))
    if choice["type"] == "tool":
        c.needs(choice.get("name") in names, "tool_choice.name", "there is no such tool")
    c.needs(choice["type"] != "none" or "disable_parallel_tool_use" not in choice, "tool_choice", "none takes no more")


def _thinking(c, body, name, last_role):
    thinking = body.get("thinking") or {}
    is_budget = thinking.get("type") == "enabled"
    if thinking:
        c.obj("thinking", thinking, ["type"], ["budget_tokens", "display"])
        c.one_of("thinking.type", thinking["type"], ("enabled", "adaptive", "disabled"))
    if is_budget:
        c.number("thinking.budget_tokens", thinking.get("budget_tokens"), 1024, body["max_tokens"] - 1, is_int=True)
        c.needs(body.get("temperature", 1) == 1, "temperature", "it is 1 while the model thinks")
        c.needs("top_k" not in body, "top_k", "not while the model thinks")
        c.needs(body.get("top_p", 1) >= 0.95, "top_p", "at least 0.95 while the model thinks")
        c.needs(body.get("tool_choice", {}).get("type", "auto") in ("auto", "none"), "tool_choice",
                "nothing is forced while the model thinks")
        c.needs(last_role == "user", "messages", "no prefill while the model thinks")
    if name.startswith(NEW):
        c.needs(not is_budget, "thinking", f"{name} takes no budget")
        c.needs(body.get("temperature", 1) == 1 and body.get("top_p", 1) >= 0.99 and "top_k" not in body,
                "temperature", f"{name} takes no sampling parameters")
    if name.startswith(BUDGET):
        c.needs(thinking.get("type") != "adaptive", "thinking", f"{name} takes a budget")
    if name.startswith("claude-3") and not name.startswith("claude-3-7"):
        c.needs(not thinking, "thinking", f"{name} does not think")
    if name.startswith(NO_PREFILL):
        c.needs(last_role == "user", "messages", f"{name} takes no prefill")
    if name.startswith(FORMAT):
        c.needs("temperature" not in body or "top_p" not in body, "top_p", "temperature or top_p")
    config = body.get("output_config")
    if config is not None and c.obj("output_config", config, [], ["effort", "format"]):
        if "effort" in config:
            c.one_of("output_config.effort", config["effort"], ("low", "medium", "high", "xhigh", "max"))
        if "format" in config:
            c.needs(name.startswith(FORMAT) or not name.startswith("claude-3"), "output_config", f"{name} takes no format")
            c.obj("output_config.format", config["format"], ["type", "schema"])


# --- inventory


def _read(inv, blocks):
    for block in [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks or []:
        kind = block.get("type", "text")
        if kind == "text":
            inv.say(block.get("text"))
        elif kind == "image":
            inv.images += 1
        elif kind == "document":
            source = block.get("source", {})
            inv.documents += 1
            if source.get("type") == "text":
                inv.say(source.get("data"))
        elif kind == "tool_use":
            inv.calls.append((block["name"], arguments(block.get("input"))))
        elif kind == "tool_result":
            content = block.get("content")
            if isinstance(content, list):
                inv.images += sum(b.get("type") == "image" for b in content)
                inv.documents += sum(b.get("type") == "document" for b in content)
                content = "".join(b.get("text", "") for b in content)
            inv.results.append(content or "")
        elif kind == "thinking":
            inv.reasoning.append(block.get("thinking", ""))


def inventory(body, path=""):
    inv = Inventory()
    _read(inv, body.get("system"))
    for m in body.get("messages") or []:
        _read(inv, m.get("content"))
    for tool in body.get("tools") or []:
        if tool.get("type", "custom") == "custom":
            inv.tool(tool, tool.get("input_schema"))
        else:
            inv.other_tools += 1
    choice = body.get("tool_choice") or {}
    inv.choice = {"any": "required", "none": "none", "tool": ("named", choice.get("name"))}.get(choice.get("type"))
    if "disable_parallel_tool_use" in choice:
        inv.parallel = not choice["disable_parallel_tool_use"]
    for name in ("max_tokens", "temperature", "top_p", "top_k"):
        setattr(inv, name, body.get(name))
    inv.stop = tuple(body.get("stop_sequences") or [])
    inv.user = (body.get("metadata") or {}).get("user_id")
    f = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if f:
        inv.format = ("schema", canonical(f.get("schema")))
    inv.effort = (body.get("output_config") or {}).get("effort")
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        inv.effort = inv.effort or "thinking"
    return inv
