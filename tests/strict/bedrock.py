"""bedrock.py - Converse: what is taken, and what is asked?"""

import base64
import re
import urllib.parse

from strict.base import Checker, Inventory, arguments, canonical, check_type, text_schema, type_of

TOP = ("messages system inferenceConfig toolConfig guardrailConfig additionalModelRequestFields promptVariables "
       "additionalModelResponseFieldPaths requestMetadata performanceConfig serviceTier outputConfig").split()
BLOCKS = ("text image document video audio toolUse toolResult reasoningContent cachePoint guardContent "
          "citationsContent searchResult").split()
NAME = r"[a-zA-Z0-9_-]{1,64}"
DOCUMENTS = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
TYPES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


def _media(c, path, v, formats):
    if not c.obj(path, v, ["format", "source"], ["name", "context", "citations"]):
        return
    c.one_of(f"{path}.format", v["format"], formats)
    source = v["source"]
    c.needs(isinstance(source, dict) and len(source) == 1 and list(source)[0] in ("bytes", "s3Location", "text", "content"),
            f"{path}.source", "bytes, text, content or a place in S3")
    if isinstance(source, dict) and "bytes" in source:
        data = c.b64(f"{path}.source.bytes", source["bytes"])
        check_type(c, path, TYPES.get(v["format"], "application/pdf" if v["format"] == "pdf" else None), data)


def _block(c, path, block, role):
    if not c.obj(path, block, [], BLOCKS):
        return None
    if not c.needs(len(block) == 1, path, f"one of {BLOCKS} is wanted"):
        return None
    kind, v = next(iter(block.items()))
    if kind == "text":
        c.string(path, v, is_blank_ok=False)
    elif kind == "image":
        _media(c, f"{path}.image", v, tuple(TYPES))
    elif kind == "document":
        _media(c, f"{path}.document", v, DOCUMENTS)
        if c.string(f"{path}.document.name", v.get("name"), r"[A-Za-z0-9 \-()\[\]]+"):
            c.needs("  " not in v["name"], path, "two spaces in a name")
    elif kind == "toolUse":
        c.obj(f"{path}.toolUse", v, ["toolUseId", "name", "input"], ["type"])
        c.string(f"{path}.toolUseId", v.get("toolUseId"), NAME)
        c.string(f"{path}.name", v.get("name"), NAME)
        c.needs(isinstance(v.get("input"), dict), f"{path}.input", "an object is wanted")
        c.needs(role == "assistant", path, "only the assistant calls tools")
    elif kind == "toolResult":
        c.obj(f"{path}.toolResult", v, ["toolUseId", "content"], ["status", "type"])
        c.needs(role == "user", path, "results are the user's")
        for i, each in c.array(f"{path}.content", v.get("content"), 1):
            if c.obj(f"{path}.content[{i}]", each, [], ["text", "json", "image", "document", "video", "searchResult"]):
                c.needs("text" not in each or each["text"].strip(), path, "a blank text")
        if "status" in v:
            c.one_of(f"{path}.status", v["status"], ("success", "error"))
    elif kind == "reasoningContent":
        c.obj(f"{path}.reasoningContent", v, [], ["reasoningText", "redactedContent"])
        if "reasoningText" in v:
            c.obj(f"{path}.reasoningText", v["reasoningText"], ["text", "signature"])
    elif kind == "cachePoint":
        c.obj(f"{path}.cachePoint", v, ["type"], ["ttl"])
    return kind


def check(body, path="", model=None):
    c = Checker()
    if not c.obj("body", body, ["messages"], TOP):
        return c.problems
    marks, names = [], []
    for i, block in c.array("system", body.get("system", [])):
        kind = _block(c, f"system[{i}]", block, "system")
        c.one_of(f"system[{i}]", kind, ("text", "cachePoint", "guardContent"))
        marks += [kind] * (kind == "cachePoint")
    config = body.get("toolConfig")
    if config is not None and c.obj("toolConfig", config, ["tools"], ["toolChoice"]):
        for i, tool in c.array("toolConfig.tools", config["tools"], 1):
            if c.obj(f"tools[{i}]", tool, [], ["toolSpec", "cachePoint", "systemTool"]) and "toolSpec" in tool:
                spec = tool["toolSpec"]
                c.obj(f"tools[{i}]", spec, ["name", "inputSchema"], ["description", "strict"])
                c.string(f"tools[{i}].name", spec.get("name"), NAME)
                c.needs(spec.get("description", "x") != "", f"tools[{i}]", "an empty description")
                names.append(spec.get("name"))
                if c.obj(f"tools[{i}].inputSchema", spec.get("inputSchema"), ["json"]):
                    c.schema(f"tools[{i}].inputSchema.json", spec["inputSchema"]["json"])
        choice = config.get("toolChoice")
        if choice is not None and c.needs(isinstance(choice, dict) and len(choice) == 1, "toolChoice", "one of three"):
            c.one_of("toolChoice", next(iter(choice)), ("auto", "any", "tool"))
            if "tool" in choice:
                c.needs(choice["tool"].get("name") in names, "toolChoice", "there is no such tool")
    c.needs(len(set(names)) == len(names), "toolConfig", "two have one name")
    _messages(c, body, names)
    inference = body.get("inferenceConfig", {})
    c.obj("inferenceConfig", inference, [], ["maxTokens", "temperature", "topP", "stopSequences"])
    c.members("inferenceConfig", inference, {
        "maxTokens": lambda p, v: c.number(p, v, 1, is_int=True), "temperature": lambda p, v: c.number(p, v, 0, 1),
        "topP": lambda p, v: c.number(p, v, 0, 1)})
    for i, stop in c.array("stopSequences", inference.get("stopSequences", []), 0, 2500):
        c.string(f"stopSequences[{i}]", stop, r".+")
    name = urllib.parse.unquote((re.search(r"/model/([^/?]+)/converse", path or "") or [None, ""])[1])
    if path:
        c.needs(name, "path", f"{path} is none of Converse")
        c.needs(":" not in path.split("/model/")[-1].split("/converse")[0], "path", "a colon is encoded")
    return c.problems


def _messages(c, body, names):
    last_role, open_calls, documents = None, [], []
    for i, m in c.array("messages", body["messages"], 1):
        path = f"messages[{i}]"
        if not c.obj(path, m, ["role", "content"]):
            continue
        role = m["role"]
        c.one_of(f"{path}.role", role, ("user", "assistant"))
        c.needs(i > 0 or role == "user", path, "the first is the user's")
        c.needs(role != last_role, path, "two of one role")
        last_role = role
        kinds = [_block(c, f"{path}.content[{k}]", b, role) for k, b in c.array(f"{path}.content", m["content"], 1)]
        blocks = [b for b in m["content"] if isinstance(b, dict)]
        documents += [b["document"].get("name") for b in blocks if "document" in b]
        c.needs("document" not in kinds or "text" in kinds, path, "a document comes with a text")
        results = [b["toolResult"].get("toolUseId") for b in blocks if "toolResult" in b]
        c.needs(sorted(results) == sorted(open_calls), path, f"results {results} for the calls {open_calls}")
        open_calls = [b["toolUse"].get("toolUseId") for b in blocks if "toolUse" in b]
        for b in blocks:
            if "toolUse" in b:
                c.needs(b["toolUse"].get("name") in names, path, "a call of what is not in toolConfig")
        c.needs(not results or names, path, "results need toolConfig")
    c.needs(not open_calls, "messages", f"the calls {open_calls} are not answered")
    c.needs(len(set(documents)) == len(documents), "messages", "two documents have one name")


# --- inventory


def _read(inv, blocks):
    for block in blocks or []:
        if "text" in block:
            inv.say(block["text"])
        inv.images += "image" in block
        if "document" in block:
            kind = "text/" if block["document"].get("format") in ("txt", "md", "csv", "html") else ""
            inv.attach(kind, (block["document"].get("source") or {}).get("bytes"))
        if "video" in block:
            data = (block["video"].get("source") or {}).get("bytes")
            is_image = data and (type_of(base64.b64decode(data)) or "").startswith("image/")
            inv.images += bool(is_image)  # what the bytes are beats what they are called
            inv.documents += not is_image
        inv.audio += "audio" in block
        if "toolUse" in block:
            inv.calls.append((block["toolUse"]["name"], arguments(block["toolUse"].get("input"))))
        if "toolResult" in block:
            text = ""
            for each in block["toolResult"].get("content") or []:
                text += each["text"] if "text" in each else canonical(each["json"]) if "json" in each else ""
                inv.images += "image" in each
                inv.documents += "document" in each or "video" in each
            inv.results.append(text)
        if "reasoningContent" in block:
            inv.reasoning.append(block["reasoningContent"].get("reasoningText", {}).get("text", ""))


def inventory(body, path=""):
    inv = Inventory()
    _read(inv, body.get("system"))
    for m in body.get("messages") or []:
        _read(inv, m.get("content"))
    config = body.get("toolConfig") or {}
    for tool in config.get("tools") or []:
        if "toolSpec" in tool:
            inv.tool(tool["toolSpec"], tool["toolSpec"]["inputSchema"].get("json"))
        else:
            inv.other_tools += "systemTool" in tool
    choice = config.get("toolChoice") or {}
    if "any" in choice:
        inv.choice = "required"
    elif "tool" in choice:
        inv.choice = ("named", choice["tool"]["name"])
    inference = body.get("inferenceConfig") or {}
    for ours, theirs in (("max_tokens", "maxTokens"), ("temperature", "temperature"), ("top_p", "topP")):
        setattr(inv, ours, inference.get(theirs))
    inv.stop = tuple(inference.get("stopSequences") or [])
    inv.user = (body.get("requestMetadata") or {}).get("user")
    more = body.get("additionalModelRequestFields") or {}
    inv.top_k = more.get("top_k", (more.get("inferenceConfig") or {}).get("topK"))
    inv.effort = more.get("thinking") or more.get("reasoning_config") or more.get("reasoningConfig") or \
        more.get("reasoning_effort") or more.get("output_config") or (body.get("outputConfig") or {}).get("effort")
    f = (body.get("outputConfig") or {}).get("textFormat")
    if f:
        inv.format = ("schema", text_schema(f["structure"]["jsonSchema"]["schema"]))
    return inv
