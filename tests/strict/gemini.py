"""gemini.py - generateContent: what is taken, and what is asked?"""

import re

from strict.base import Checker, Inventory, arguments, canonical, check_type

TOP = ("contents systemInstruction tools toolConfig safetySettings cachedContent labels serviceTier store "
       "continuationToken generationConfig modelArmorConfig").split()
CONFIG = ("temperature topP topK maxOutputTokens stopSequences candidateCount seed presencePenalty "
          "frequencyPenalty responseMimeType responseSchema responseJsonSchema responseLogprobs logprobs "
          "responseModalities speechConfig imageConfig thinkingConfig mediaResolution audioTimestamp "
          "responseFormat enableEnhancedCivicAnswers routingConfig").split()
DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode",
        "codeExecutionResult", "toolCall", "toolResponse")
SIBLINGS = ("thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata")
NAME = r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}"
# of JSON Schema: these may be refused, and what else is not known is not looked at
UNKNOWN = ("$schema examples exclusiveMinimum exclusiveMaximum patternProperties const discriminator not if "
           "then else").split()
OPENAPI = ("type format title description nullable enum items prefixItems minItems maxItems minLength "
           "maxLength pattern minimum maximum anyOf properties required propertyOrdering minProperties "
           "maxProperties default example").split()
BUILT_IN = ("googleSearch", "urlContext", "codeExecution", "googleMaps", "fileSearch", "computerUse",
            "googleSearchRetrieval", "retrieval", "enterpriseWebSearch", "mcpServers")


def _part(c, path, part, role):
    if not c.obj(path, part, [], DATA + SIBLINGS):
        return None
    kinds = [k for k in DATA if k in part]
    if not c.needs(len(kinds) == 1 or (not kinds and "thoughtSignature" in part), path, f"one of {DATA} is wanted"):
        return None
    kind = kinds[0] if kinds else "text"
    v = part.get(kind)
    if kind == "text" and kinds:
        c.needs(v or "thoughtSignature" in part, path, "an empty text")
    elif kind == "inlineData":
        c.obj(f"{path}.{kind}", v, ["mimeType", "data"], ["displayName"])
        check_type(c, path, v.get("mimeType"), c.b64(path, v.get("data")))
        c.needs(v.get("mimeType") not in ("image/jpg", "image/gif", "image/svg+xml", "image/bmp"), path,
                f"{v.get('mimeType')} is not taken")
    elif kind == "fileData":
        c.obj(f"{path}.{kind}", v, ["fileUri"], ["mimeType", "displayName"])
    elif kind == "functionCall":
        c.obj(f"{path}.{kind}", v, ["name"], ["id", "args"])
        c.needs(role == "model", path, "only the model calls")
        c.needs(isinstance(v.get("args", {}), dict), f"{path}.args", "an object is wanted")
    elif kind == "functionResponse":
        c.obj(f"{path}.{kind}", v, ["name", "response"], ["id", "parts", "scheduling", "willContinue"])
        c.needs(isinstance(v.get("response"), dict), f"{path}.response", "an object is wanted")
        c.needs(role == "user", path, "results are the user's")
    return kind


def _contents(c, contents, declared, is_new):
    last_role, open_calls = None, None
    for i, content in c.array("contents", contents, 1):
        path = f"contents[{i}]"
        if not c.obj(path, content, ["parts"], ["role"]):
            continue
        role = content.get("role", "user")
        c.one_of(f"{path}.role", role, ("user", "model"))
        c.needs(i > 0 or role == "user", path, "the first is the user's")
        c.needs(role != last_role, path, "two of one role")
        last_role = role
        kinds = [_part(c, f"{path}.parts[{k}]", p, role) for k, p in c.array(f"{path}.parts", content["parts"], 1)]
        names = [p["functionResponse"].get("name") for p in content["parts"] if "functionResponse" in p]
        if open_calls:
            c.needs(sorted(names) == sorted(open_calls), path, f"responses {names} for the calls {open_calls}")
            first = [k == "functionResponse" for k in kinds]
            c.needs(first == sorted(first, reverse=True), path, "responses come first")
        else:
            c.needs(not names, path, "a response to no call")
        calls = [p for p in content["parts"] if "functionCall" in p]
        open_calls = [p["functionCall"].get("name") for p in calls]
        if calls and is_new:
            c.needs("thoughtSignature" in calls[0], path, "the first call lacks its signature")
    c.needs(not open_calls, "contents", f"the calls {open_calls} are not answered")


def _schema(c, path, s, known=None):
    if not c.needs(isinstance(s, (dict, bool)), path, "a schema is an object") or isinstance(s, bool):
        return
    for key, v in s.items():
        c.needs(key in known if known else key not in UNKNOWN, f"{path}.{key}", "the keyword is not taken")
        if key == "properties":
            for name, each in v.items():
                _schema(c, f"{path}.{name}", each, known)
        elif key == "items" and isinstance(v, dict):
            _schema(c, f"{path}.items", v, known)
        elif key in ("anyOf", "oneOf", "prefixItems"):
            for k, each in enumerate(v):
                _schema(c, f"{path}.{key}[{k}]", each, known)
        elif key == "$defs":
            for name, each in v.items():
                _schema(c, f"{path}.$defs.{name}", each, known)
        elif key == "additionalProperties" and isinstance(v, dict):
            _schema(c, f"{path}.additionalProperties", v, known)


def _tools(c, body):
    names, has_functions = [], 0
    for i, tool in c.array("tools", body.get("tools", [])):
        if not c.obj(f"tools[{i}]", tool, [], ("functionDeclarations",) + BUILT_IN):
            continue
        has_functions += "functionDeclarations" in tool
        for k, f in c.array(f"tools[{i}].functionDeclarations", tool.get("functionDeclarations", []), 0, 512):
            path = f"tools[{i}].functionDeclarations[{k}]"
            if not c.obj(path, f, ["name"], ["description", "parameters", "parametersJsonSchema", "response",
                                             "responseJsonSchema", "behavior"]):
                continue
            c.string(f"{path}.name", f["name"], NAME)
            names.append(f["name"])
            c.needs("parameters" not in f or "parametersJsonSchema" not in f, path, "one schema is enough")
            if "parameters" in f:
                _schema(c, f"{path}.parameters", f["parameters"], OPENAPI)
            if "parametersJsonSchema" in f:
                _schema(c, f"{path}.parametersJsonSchema", f["parametersJsonSchema"])
    c.needs(has_functions <= 1, "tools", "all functions go into one element")
    c.needs(len(set(names)) == len(names), "tools", "two have one name")
    return names


def check(body, path="", model=None):
    c = Checker()
    if not c.obj("body", body, ["contents"], TOP):
        return c.problems
    model = model or (re.search(r"models/([^:/]+)", path or "") or [None, ""])[1]
    is_new = model.startswith("gemini-3")
    names = _tools(c, body)
    _contents(c, body["contents"], names, is_new)
    system = body.get("systemInstruction")
    if system is not None and c.obj("systemInstruction", system, ["parts"], ["role"]):
        for i, p in c.array("systemInstruction.parts", system["parts"], 1):
            c.obj(f"systemInstruction.parts[{i}]", p, ["text"])
    choice = (body.get("toolConfig") or {}).get("functionCallingConfig")
    if choice is not None and c.obj("toolConfig", choice, ["mode"], ["allowedFunctionNames", "streamFunctionCallArguments"]):
        c.one_of("toolConfig.mode", choice["mode"], ("AUTO", "ANY", "NONE", "VALIDATED"))
        if "allowedFunctionNames" in choice:
            c.one_of("toolConfig.mode", choice["mode"], ("ANY", "VALIDATED"))
            for name in choice["allowedFunctionNames"]:
                c.needs(name in names, "toolConfig", f"{name} is not declared")
    _config(c, body.get("generationConfig", {}), model, bool(names))
    return c.problems


def _config(c, config, model, has_tools):
    c.obj("generationConfig", config, [], CONFIG)
    c.members("generationConfig", config, {
        "temperature": lambda p, v: c.number(p, v, 0, 2), "topP": lambda p, v: c.number(p, v, 0, 1),
        "topK": lambda p, v: c.number(p, v, 0), "maxOutputTokens": lambda p, v: c.number(p, v, 1, is_int=True),
        "stopSequences": lambda p, v: c.array(p, v, 1, 5),
        "candidateCount": lambda p, v: c.number(p, v, 1, 8, is_int=True),
        "seed": lambda p, v: c.number(p, v, -2**31, 2**31 - 1, is_int=True),
        "presencePenalty": lambda p, v: c.number(p, v, -2, 2), "frequencyPenalty": lambda p, v: c.number(p, v, -2, 2),
        "logprobs": lambda p, v: c.number(p, v, 0, 20, is_int=True)})
    c.needs("responseSchema" not in config or "responseJsonSchema" not in config, "generationConfig", "one schema")
    for key, words in (("responseSchema", OPENAPI), ("responseJsonSchema", None)):
        if key in config:
            _schema(c, f"generationConfig.{key}", config[key], words)
            c.needs(config.get("responseMimeType") in ("application/json", "text/x.enum"), key, "with JSON only")
    if "responseMimeType" in config and config["responseMimeType"] == "application/json" and has_tools:
        c.needs(model.startswith("gemini-3"), "responseMimeType", f"{model} takes no JSON beside functions")
    thinking = config.get("thinkingConfig")
    if thinking is not None and c.obj("thinkingConfig", thinking, [], ["includeThoughts", "thinkingBudget", "thinkingLevel"]):
        c.needs("thinkingBudget" not in thinking or "thinkingLevel" not in thinking, "thinkingConfig", "budget or level")
        c.needs(not model.startswith(("gemini-2.0", "gemini-1")), "thinkingConfig", f"{model} does not think")
        if "thinkingLevel" in thinking:
            c.one_of("thinkingLevel", thinking["thinkingLevel"], ("MINIMAL", "LOW", "MEDIUM", "HIGH"))
        if "thinkingBudget" in thinking and model.startswith("gemini-2.5-pro"):
            c.needs(thinking["thinkingBudget"] == -1 or 128 <= thinking["thinkingBudget"] <= 32768, "thinkingBudget",
                    "128 to 32768")
        elif "thinkingBudget" in thinking and model.startswith("gemini-2.5-flash"):
            c.number("thinkingBudget", thinking["thinkingBudget"], -1, 24576, is_int=True)


# --- inventory


def _camel(name):
    return re.sub(r"_([a-z])", lambda m: m[1].upper(), name)


def _read(inv, content):
    for part in content.get("parts") or []:
        part = {_camel(k): v for k, v in part.items()}
        if part.get("text"):
            if part.get("thought"):
                inv.reasoning.append(part["text"])
            else:
                inv.say(part["text"])
        media = part.get("inlineData") or part.get("fileData")
        if media:
            kind = media.get("mimeType") or media.get("mime_type") or ""
            if kind.startswith("audio/"):
                inv.audio += 1
            elif not kind and "fileUri" in media:
                inv.untyped += 1
            elif kind.startswith("image/"):
                inv.images += 1
            else:
                inv.attach(kind, media.get("data"))
        if "functionCall" in part:
            inv.calls.append((part["functionCall"]["name"], arguments(part["functionCall"].get("args") or {})))
        if "functionResponse" in part:
            inv.results.append(canonical(part["functionResponse"].get("response")))


def inventory(body, path=""):
    inv = Inventory()
    body = {_camel(k): v for k, v in body.items()}
    _read(inv, body.get("systemInstruction") or {})
    contents = body.get("contents") or []
    for content in [contents] if isinstance(contents, dict) else contents:
        _read(inv, content)
    for tool in body.get("tools") or []:
        tool = {_camel(k): v for k, v in tool.items()}
        for f in tool.get("functionDeclarations") or []:
            f = {_camel(k): v for k, v in f.items()}
            inv.tool(f, f.get("parametersJsonSchema") or f.get("parameters"))
        inv.other_tools += sum(k != "functionDeclarations" for k in tool)
    choice = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names = choice.get("allowedFunctionNames") or choice.get("allowed_function_names")
    mode = choice.get("mode")
    if mode == "NONE":
        inv.choice = "none"
    elif mode == "ANY" and names and len(names) == 1:
        inv.choice = ("named", names[0])
    elif names:
        inv.choice = ("allowed", tuple(sorted(names)))
    elif mode == "ANY":
        inv.choice = "required"
    config = {_camel(k): v for k, v in (body.get("generationConfig") or {}).items()}
    for ours, theirs in (("max_tokens", "maxOutputTokens"), ("temperature", "temperature"), ("top_p", "topP"),
                         ("top_k", "topK"), ("seed", "seed"), ("n", "candidateCount"),
                         ("presence_penalty", "presencePenalty"), ("frequency_penalty", "frequencyPenalty")):
        setattr(inv, ours, config.get(theirs))
    inv.stop = tuple(config.get("stopSequences") or [])
    inv.logprobs = config.get("responseLogprobs") or None
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if config.get("responseMimeType") in ("application/json",):
        inv.format = ("schema", canonical(schema)) if schema else "json"
    thinking = {_camel(k): v for k, v in (config.get("thinkingConfig") or {}).items()}
    inv.effort = thinking.get("thinkingLevel") or thinking.get("thinkingBudget")
    return inv
