#!/usr/bin/python3
"""requests.py - does a recorded request survive being read and written again?

usage: requests.py [--all] [FILE...]

Each recorded chat request in the folder $RECORDINGS is read by its family (`dialect translate`), sent
through the broker's wire, and written for the same family at the same provider, where one of that name is built in. The two must be
equal as JSON but for the normalisations below, each of which is counted. What else differs is printed
with the member's path and fails. TAP on stdout, the counts on stderr.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import urllib.parse

# file of records -> family
FILES = {
    "openai-chat": "openai-chat",
    "openai-compatible": "openai-chat",
    "groq": "openai-chat",
    "anthropic-messages": "anthropic",
    "gemini": "gemini",
    "vertex": "gemini",
    "bedrock-converse": "bedrock",
    "bedrock-converse-stream": "bedrock",
    "mistral": "mistral",
    "cohere": "cohere",
    "ollama": "ollama",
    "openai-responses": "openai-responses",
    "openai-completions": "openai-completions",
}

# a recorded provider -> the built-in one with its habits
PROVIDERS = {"ollama-openai": "ollama", "azure-openai": "openai", "alibaba": "dashscope",
             "bedrock-mantle": "openai"}

# requests that are refused here though the provider took them, and why
REFUSED = {"gemini-43e6996bd983-0": "the user says nothing in it"}

# ---- normalisations: what may be said otherwise, both sides being brought to one form ----
# Each function changes a body in place and says whether it did.

NULLABLE = object()


def without_nulls(body):
    """null is as good as nothing"""
    def strip(v, inside_schema):
        changed = False
        if isinstance(v, dict):
            for key in [k for k, x in v.items() if x is None and not inside_schema]:
                del v[key]
                changed = True
            for key, x in v.items():
                opaque = key in ("parameters", "input_schema", "schema", "input", "arguments",
                                 "args", "json", "raw")
                changed |= strip(x, inside_schema or opaque)
        elif isinstance(v, list):
            for x in v:
                changed |= strip(x, inside_schema)
        return changed
    return strip(body, False)


def without(name, value=NULLABLE):
    def drop(body):
        if name in body and (value is NULLABLE or body[name] == value):
            del body[name]
            return True
        return False
    drop.__doc__ = f"{name}{'' if value is NULLABLE else ' ' + json.dumps(value)} goes without saying"
    return drop


def messages_of(body):
    return [m for m in body.get("messages", []) if isinstance(m, dict)]


def parts_of(message):
    content = message.get("content")
    return [p for p in content if isinstance(p, dict)] if isinstance(content, list) else []


# openai-chat

def one_text_as_string(body):
    """a content of one plain text is a string"""
    changed = False
    for m in messages_of(body):
        parts = m.get("content")
        if isinstance(parts, list) and len(parts) == 1 and set(parts[0]) == {"type", "text"}:
            m["content"] = parts[0]["text"]
            changed = True
    return changed


def texts_joined(body):
    """hosts that know lists from users only get several texts as one"""
    changed = False
    for m in messages_of(body):
        parts = m.get("content")
        if m["role"] != "user" and isinstance(parts, list) and \
                all(set(p) == {"type", "text"} for p in parts):
            between = "" if m["role"] == "assistant" else "\n"
            m["content"] = between.join(p["text"] for p in parts)
            changed = True
    return changed


def one_bound(body):
    """max_tokens has the name that the host wants"""
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
        return True
    return False


def one_user(body):
    """user is safety_identifier at OpenAI"""
    if "user" in body and "safety_identifier" not in body:
        body["safety_identifier"] = body.pop("user")
        return True
    return False


def usage_is_asked_for(body):
    """usage of a stream is always asked for, where the host can be"""
    options = body.get("stream_options")
    if not isinstance(options, dict) or "include_usage" not in options:
        return False
    del options["include_usage"]
    if not options:
        del body["stream_options"]
    return True


def stop_as_list(body):
    """stop is a list"""
    if isinstance(body.get("stop"), str):
        body["stop"] = [body["stop"]]
        return True
    return False


def text_format(body):
    """response_format text goes without saying"""
    if body.get("response_format") == {"type": "text"}:
        del body["response_format"]
        return True
    return False


def newer_calls(body):
    """functions and function_call are tools and tool_choice"""
    changed = False
    if "functions" in body:
        body["tools"] = [{"type": "function", "function": f} for f in body.pop("functions")]
        changed = True
    choice = body.pop("function_call", None)
    if choice is not None:
        body["tool_choice"] = choice if isinstance(choice, str) else \
            {"type": "function", "function": choice}
        changed = True
    return changed


def choice_type(body):
    """a chosen tool has a type"""
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and "function" in choice and "type" not in choice:
        choice["type"] = "function"
        return True
    return False


def nothing_without_tools(body):
    """what is said of tools needs tools"""
    changed = False
    if not body.get("tools"):
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            changed |= body.pop(name, None) is not None
    return changed


def empty_schemas(body):
    """a tool without parameters has an empty schema"""
    changed = False
    for tool in body.get("tools", []):
        function = tool.get("function")
        if isinstance(function, dict) and not function.get("parameters"):
            function["parameters"] = {"type": "object", "properties": {}}
            changed = True
    return changed


def calls_without_text(body):
    """an assistant that only calls has no content, or an empty one, as the host wants"""
    changed = False
    for m in messages_of(body):
        if m.get("tool_calls") and m.get("content") == "":
            del m["content"]
            changed = True
    return changed


def empty_calls(body):
    """no calls are no tool_calls"""
    changed = False
    for m in messages_of(body):
        if m.get("tool_calls") == []:
            del m["tool_calls"]
            changed = True
    return changed


def earlier_reasoning(body):
    """earlier reasoning goes back as the host's row says, or not"""
    changed = False
    for m in messages_of(body):
        for name in ("reasoning", "reasoning_content"):
            changed |= m.pop(name, None) is not None
    return changed


def default_effort(body):
    """reasoning_effort default goes without saying"""
    return without("reasoning_effort", "default")(body)


def short_marks(body):
    """a cache mark lives 5m unless said"""
    def strip(v):
        changed = False
        if isinstance(v, dict):
            mark = v.get("cache_control")
            if isinstance(mark, dict) and mark.get("ttl") == "5m":
                del mark["ttl"]
                changed = True
            for x in v.values():
                changed |= strip(x)
        elif isinstance(v, list):
            for x in v:
                changed |= strip(x)
        return changed
    return strip(body)


def named_schema(body):
    """a schema has a name"""
    schema = (body.get("response_format") or {}).get("json_schema")
    if isinstance(schema, dict) and "name" not in schema:
        schema["name"] = "response"
        return True
    return False


def developers(body):
    """a developer's message is a system message where the host knows no other"""
    changed = False
    for m in messages_of(body):
        if m.get("role") == "developer":
            m["role"] = "system"
            changed = True
    return changed


def reasoning_switched(body):
    """reasoning is switched off, and kept apart, in the host's own words"""
    is_off = body.get("reasoning_effort") == "none" and "disable_reasoning" not in body
    if is_off:
        del body["reasoning_effort"]
        body["disable_reasoning"] = True
    return without("reasoning_format", "parsed")(body) or is_off


OPENAI_CHAT = [without_nulls, without("n", 1), without("stream", False),
               without("logprobs", False), named_schema, developers, one_bound, one_user,
               usage_is_asked_for, stop_as_list, text_format, newer_calls, choice_type,
               nothing_without_tools, without("tool_choice", "auto"), empty_schemas, empty_calls,
               calls_without_text, one_text_as_string, texts_joined, earlier_reasoning,
               default_effort, reasoning_switched, short_marks]

# anthropic

def texts_as_blocks(body):
    """system and contents are lists of blocks"""
    changed = False
    if isinstance(body.get("system"), str):
        body["system"] = [{"type": "text", "text": body["system"]}]
        changed = True
    for m in messages_of(body):
        for holder in [m, *(p for p in parts_of(m) if p.get("type") == "tool_result")]:
            if isinstance(holder.get("content"), str):
                holder["content"] = [{"type": "text", "text": holder["content"]}]
                changed = True
    return changed


def no_blank_texts(body):
    """blocks without text are left out, and results without content"""
    changed = False
    for m in messages_of(body):
        for holder in [*(p for p in parts_of(m) if p.get("type") == "tool_result"), m]:
            content = holder.get("content")
            if not isinstance(content, list):
                continue
            left = [p for p in content if p.get("type") != "text" or p["text"].strip()]
            changed |= len(left) < len(content)
            holder["content"] = left
            if not left and holder is not m:
                del holder["content"]
                changed = True
    return changed


def turns_merged(body):
    """turns of one role are one, results first"""
    turns, changed = [], False
    for m in messages_of(body):
        if not m["content"]:
            changed = True
            continue
        before = list(m["content"])
        m["content"].sort(key=lambda p: p.get("type") != "tool_result")
        changed |= before != m["content"]
        if turns and turns[-1]["role"] == m["role"] != "system":
            turns[-1]["content"] += m["content"]
            changed = True
        else:
            turns.append(m)
    body["messages"] = turns
    return changed


def results_that_succeeded(body):
    """is_error false goes without saying"""
    changed = False
    for m in messages_of(body):
        for p in parts_of(m):
            if p.get("type") == "tool_result" and p.get("is_error") is False:
                del p["is_error"]
                changed = True
    return changed


def own_tools(body):
    """a caller's tool has no type, and is strict or says nothing of it"""
    changed = False
    for tool in body.get("tools", []):
        if tool.get("type") == "custom":
            del tool["type"]
            changed = True
        if tool.get("strict") is False:
            del tool["strict"]
            changed = True
    return changed


def whole_schemas(body):
    """a tool's schema says that it is an object's, and its properties"""
    changed = False
    for tool in body.get("tools", []):
        schema = tool.get("input_schema")
        if schema is not None:
            changed |= "type" not in schema or "properties" not in schema
            schema.setdefault("type", "object")
            schema.setdefault("properties", {})
    return changed


def auto_choice(body):
    """tool_choice auto goes without saying, and that several calls may come at once"""
    choice = body.get("tool_choice")
    if not isinstance(choice, dict):
        return False
    changed = choice.pop("disable_parallel_tool_use", None) is False
    if choice == {"type": "auto"}:
        del body["tool_choice"]
        changed = True
    return changed


def thinking_shown(body):
    """thinking is summarized unless said"""
    thinking = body.get("thinking")
    if isinstance(thinking, dict) and thinking.get("display") == "summarized":
        del thinking["display"]
        return True
    return False


def adaptive_effort(body):
    """adaptive thinking has a high effort unless said"""
    if body.get("thinking", {}).get("type") == "adaptive" and \
            "effort" not in body.get("output_config", {}):
        body.setdefault("output_config", {})["effort"] = "high"
        return True
    return False


def one_format(body):
    """output_format is output_config.format"""
    if "output_format" in body:
        body.setdefault("output_config", {})["format"] = body.pop("output_format")
        return True
    return False


def long_answers_streamed(body):
    """a long answer is asked for as a stream"""
    if body.get("stream") is True:
        return False
    if body.get("max_tokens", 0) > 16384:
        body["stream"] = True
        return True
    return False


ANTHROPIC = [without_nulls, without("stream", False), without("temperature", 1), texts_as_blocks, no_blank_texts,
             turns_merged, results_that_succeeded, own_tools, whole_schemas, auto_choice,
             thinking_shown, adaptive_effort, one_format, long_answers_streamed, short_marks]

# gemini

# members whose insides are the caller's own
FREE = ("args", "response", "parametersJsonSchema", "responseJsonSchema", "labels")


def parts_in(body, name):
    """The objects of that name in the parts of all contents."""
    for content in body.get("contents", []):
        for part in content.get("parts", []):
            if isinstance(part.get(name), dict):
                yield part[name]


def functions_of(body):
    return [f for t in body.get("tools", []) for f in t.get("functionDeclarations", [])]


def camel_case(body):
    """names are in camel case"""
    def camel(v):
        if isinstance(v, list):
            return [camel(x) for x in v]
        if not isinstance(v, dict):
            return v
        named = {}
        for key, x in v.items():
            name = re.sub("_(.)", lambda m: m.group(1).upper(), key) if "_" in key[1:] else key
            named[name] = x if name in (*FREE, "parameters", "responseSchema") else camel(x)
        return named
    before = json.dumps(body)
    named = camel(body)
    body.clear()
    body.update(named)
    return json.dumps(body) != before


def json_schemas(body):
    """a schema in the form of OpenAPI is one of JSON Schema"""
    words = {"any_of": "anyOf", "property_ordering": "propertyOrdering"}

    def plain(v, is_schema=True):
        if isinstance(v, list):
            return [plain(x) for x in v]
        if not isinstance(v, dict):
            return v
        out = {words.get(k, k) if is_schema else k: plain(x, k != "properties")
               for k, x in v.items()}
        if is_schema and isinstance(out.get("type"), str):
            out["type"] = out["type"].lower()
            if out.get("nullable") is True:
                del out["nullable"]
                out["type"] = [out["type"], "null"]
        return out
    changed = False
    for holder, old, new in [(body.get("generationConfig", {}), "responseSchema",
                              "responseJsonSchema"),
                             *((f, "parameters", "parametersJsonSchema")
                               for f in functions_of(body))]:
        if old in holder:
            holder[new] = plain(holder.pop(old))
            changed = True
    return changed


def described(body):
    """a function is described, by its name at the least"""
    changed = False
    for f in functions_of(body):
        if not f.get("description"):
            f["description"] = f["name"]
            changed = True
    return changed


def functions_together(body):
    """functions are declared in one place, before what the provider serves"""
    tools = body.get("tools", [])
    functions = functions_of(body)
    sorted_out = [{"functionDeclarations": functions}] if functions else []
    sorted_out += [{k: v} for t in tools for k, v in t.items() if k != "functionDeclarations"]
    if sorted_out == tools:
        return False
    body["tools"] = sorted_out
    return True


def called_declared(body):
    """a function that was called is declared, without parameters"""
    changed = False
    for t in body.get("tools", []):
        kept = [f for f in t.get("functionDeclarations", [])
                if f.get("parametersJsonSchema") != {"type": "object"}
                or f["description"] != f["name"]]
        if "functionDeclarations" in t and len(kept) < len(t["functionDeclarations"]):
            t["functionDeclarations"] = kept
            changed = True
    return changed


def roles_known(body):
    """a system instruction has no role, and what is not the model's is the user's"""
    changed = body.get("systemInstruction", {}).pop("role", None) is not None
    for content in body["contents"]:
        role = "model" if content.get("role") == "model" else "user"
        changed |= content.get("role") != role
        content["role"] = role
    return changed


def contents_merged(body):
    """contents of one role are one, results first, and blank texts are left out"""
    contents, before = [], json.dumps(body["contents"])
    for content in body["contents"]:
        parts = [p for p in content.get("parts", [])
                 if set(p) != {"text"} or p["text"].strip()]
        parts.sort(key=lambda p: "functionResponse" not in p)
        if contents and contents[-1]["role"] == content["role"]:
            contents[-1]["parts"] += parts
        elif parts:
            contents.append({**content, "parts": parts})
    body["contents"] = contents
    return json.dumps(contents) != before


def whole_calls(body):
    """a call has arguments"""
    changed = False
    for call in parts_in(body, "functionCall"):
        changed |= "args" not in call
        call.setdefault("args", {})
    return changed


def call_ids(body):
    """calls and results have ids where the host takes them"""
    changed = False
    for name in ("functionCall", "functionResponse"):
        for v in parts_in(body, name):
            changed |= v.pop("id", None) is not None
    return changed


def plain_base64(body):
    """base64 has the usual alphabet"""
    changed = False
    def walk(v):
        nonlocal changed
        if isinstance(v, dict):
            data = v.get("data")
            if "mimeType" in v and isinstance(data, str) and ("-" in data or "_" in data):
                v["data"] = data.replace("-", "+").replace("_", "/")
                changed = True
            for x in v.values():
                walk(x)
        elif isinstance(v, list):
            for x in v:
                walk(x)
    walk(body["contents"])
    return changed


def upper_words(body):
    """modes and levels are in capitals"""
    changed = False
    for holder, name in ((body.get("toolConfig", {}).get("functionCallingConfig", {}), "mode"),
                         (body.get("generationConfig", {}).get("thinkingConfig", {}),
                          "thinkingLevel")):
        if name in holder and holder[name] != holder[name].upper():
            holder[name] = holder[name].upper()
            changed = True
    return changed


def all_validated(body):
    """functions held to their schemas are named"""
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if calling.get("mode") != "VALIDATED" or "allowedFunctionNames" in calling:
        return False
    calling["allowedFunctionNames"] = [f["name"] for f in functions_of(body)]
    return True


def no_empty_objects(body):
    """what is empty goes unsaid, and so do the modes of no functions"""
    changed = False
    config = body.get("toolConfig", {})
    if not functions_of(body):
        changed |= config.pop("functionCallingConfig", None) is not None
    for name in ("generationConfig", "toolConfig"):
        if body.get(name) == {}:
            del body[name]
            changed = True
    return changed


def hidden_thoughts(body):
    """thoughts stay hidden unless said"""
    config = body.get("generationConfig", {})
    thinking = config.get("thinkingConfig", {})
    if thinking.get("includeThoughts") is not False:
        return False
    del thinking["includeThoughts"]
    if not thinking:
        del config["thinkingConfig"]
    return True


def unsigned_thoughts(body):
    """thoughts without a signature are not told again"""
    changed = False
    for content in body["contents"]:
        kept = [p for p in content["parts"] if not p.get("thought") or "thoughtSignature" in p]
        changed |= len(kept) < len(content["parts"])
        content["parts"] = kept
    return changed


GEMINI = [without_nulls, camel_case, json_schemas, described, functions_together, called_declared,
          roles_known, hidden_thoughts, unsigned_thoughts, contents_merged, whole_calls, call_ids, plain_base64,
          upper_words, all_validated, no_empty_objects, without("labels")]


# openai-responses

def items_of(body):
    return [i for i in body.get("input", []) if isinstance(i, dict)]


def is_message(item):
    return item.get("type") in (None, "message") and "role" in item


def input_as_items(body):
    """an input of one text is a message of the user's"""
    if not isinstance(body.get("input"), str):
        return False
    body["input"] = [{"role": "user", "content": body["input"]}]
    return True


def contents_as_lists(body):
    """a content of one text is a list of it, of items whose type goes without saying"""
    changed = False
    for item in filter(is_message, items_of(body)):
        changed |= item.pop("type", None) is not None
        if isinstance(item.get("content"), str):
            kind = "output_text" if item["role"] == "assistant" else "input_text"
            item["content"] = [{"type": kind, "text": item["content"]}]
            changed = True
    return changed


def without_annotations(body):
    """no annotations go without saying"""
    changed = False
    for item in filter(is_message, items_of(body)):
        for part in parts_of(item):
            if part.get("annotations") == []:
                del part["annotations"]
                changed = True
    return changed


def outputs_behind_calls(body):
    """an output comes behind its call"""
    items = body.get("input", [])
    calls = {i.get("call_id") for i in items_of(body) if i.get("type", "").endswith("_call")}
    outputs, rest = {}, []
    for item in items:
        if item.get("type", "").endswith("_call_output") and item.get("call_id") in calls:
            outputs.setdefault(item["call_id"], []).append(item)
        else:
            rest.append(item)
    body["input"] = []
    for item in rest:
        body["input"].append(item)
        if item.get("type", "").endswith("_call"):
            body["input"] += outputs.pop(item.get("call_id"), [])
    return body["input"] != items


def answers_joined(body):
    """what the assistant says at once is one item, and nothing is none"""
    items, changed = [], False
    for item in body.get("input", []):
        is_plain = item.get("role") == "assistant" and set(item) == {"role", "content"}
        if is_plain and [p.get("text") for p in parts_of(item)] == [""]:
            changed = True
        elif is_plain and items and items[-1].get("role") == "assistant":
            items[-1] = {**items[-1], "content": items[-1]["content"] + item["content"]}
            changed = True
        else:
            items.append(item)
    body["input"] = items
    return changed


def only_instructions(body):
    """the only system message, where it is the first, is the instructions"""
    roles = [i.get("role") for i in items_of(body)]
    if "instructions" in body or len(roles) < 2 or roles[0] not in ("system", "developer") or \
            set(roles[1:]) & {"system", "developer"}:
        return False
    first = body["input"].pop(0)
    body["instructions"] = "\n".join(p["text"] for p in parts_of(first))
    return True


def sealed_reasoning(body):
    """reasoning is asked for sealed where nothing is stored"""
    include = body.get("include", [])
    if "reasoning.encrypted_content" not in include:
        return False
    include.remove("reasoning.encrypted_content")
    if not include:
        del body["include"]
    return True


OPENAI_RESPONSES = [
    without_nulls,
    input_as_items,
    contents_as_lists,
    without_annotations,
    outputs_behind_calls,
    answers_joined,
    only_instructions,
    sealed_reasoning,
    without("store", False),
    without("stream", False),
    without("tools", []),
    without("include", []),
    without("tool_choice", "auto"),
]

# openai-completions

def one_prompt(body):
    """a list of one prompt is the prompt"""
    if isinstance(body.get("prompt"), list) and len(body["prompt"]) == 1:
        body["prompt"] = body["prompt"][0]
        return True
    return False


OPENAI_COMPLETIONS = [
    without_nulls,
    one_prompt,
    stop_as_list,
    usage_is_asked_for,
    without("n", 1),
    without("stream", False),
]


# mistral, cohere, ollama

def tool_types(body):
    """a tool has a type"""
    changed = False
    for tool in body.get("tools", []):
        if "type" not in tool:
            tool["type"] = "function"
            changed = True
    return changed


def call_types(body):
    """a call has a type"""
    changed = False
    for m in messages_of(body):
        for call in m.get("tool_calls", []):
            if "type" not in call:
                call["type"] = "function"
                changed = True
    return changed


def no_prefix(body):
    """prefix false goes without saying"""
    changed = False
    for m in messages_of(body):
        changed |= m.pop("prefix", None) is False
    return changed


def no_content(body):
    """a content of no parts, or of nothing but an empty text, beside calls is none"""
    changed = False
    for m in messages_of(body):
        empty = ([], "", [{"type": "text", "text": ""}])
        if m.get("tool_calls") and m.get("content") in empty:
            del m["content"]
            changed = True
    return changed


def plain_addresses(body):
    """an image's address stands without an object around it"""
    changed = False
    for m in messages_of(body):
        for p in parts_of(m):
            if isinstance(p.get("image_url"), dict) and set(p["image_url"]) == {"url"}:
                p["image_url"] = p["image_url"]["url"]
                changed = True
            if isinstance(p.get("input_audio"), dict):
                p["input_audio"] = p["input_audio"]["data"]
                changed = True
    return changed


def named_results(body):
    """a result has its tool's name"""
    changed = False
    for m in messages_of(body):
        if m.get("role") == "tool":
            changed |= m.pop("name", None) is not None
    return changed


def any_call(body):
    """a forced call is "any", with only the tools among which there is a choice"""
    choice = body.get("tool_choice")
    if not isinstance(choice, dict):
        return False
    name = choice["function"]["name"]
    body["tools"] = [t for t in body["tools"] if t["function"]["name"] == name]
    body["tool_choice"] = "any"
    return True


def nothing_cut(body):
    """what is too long is never cut in silence"""
    return without("truncate", False)(body)


MISTRAL = [without_nulls, empty_calls, without("n", 1), without("stream", False),
           without("tool_choice", "auto"), tool_types, call_types, no_prefix, no_content,
           one_text_as_string, plain_addresses, named_results, any_call, empty_schemas]
COHERE = [without_nulls, without("stream", False), without("tool_choice", "auto"), tool_types,
          call_types, no_content, one_text_as_string, empty_schemas]
OLLAMA = [without_nulls, without("options", {}), without("format", ""), nothing_cut]


# bedrock

def nothing_in_it(body):
    """an empty list or object goes without saying"""
    empty = [k for k in ("system", "inferenceConfig", "additionalModelRequestFields",
                         "requestMetadata") if k in body and not body[k]]
    for key in empty:
        del body[key]
    return bool(empty)


def auto_tool_choice(body):
    """toolChoice auto goes without saying"""
    config = body.get("toolConfig", {})
    if config.get("toolChoice") == {"auto": {}}:
        del config["toolChoice"]
        return True
    return False


def whole_tool_schemas(body):
    """a tool's inputSchema says that it is an object's, and its properties"""
    changed = False
    for tool in body.get("toolConfig", {}).get("tools", []):
        schema = tool.get("toolSpec", {}).get("inputSchema", {}).get("json")
        if schema is not None:
            changed |= "type" not in schema or "properties" not in schema
            schema.setdefault("type", "object")
            schema.setdefault("properties", {})
    return changed


def results_as_json(body):
    """a result that is a JSON object in a text is JSON, and success goes without saying"""
    changed = False
    for m in messages_of(body):
        for block in parts_of(m):
            result = block.get("toolResult", {})
            changed |= result.get("status") == "success"
            if result.get("status") == "success":
                del result["status"]
            for item in result.get("content", []):
                try:
                    value = json.loads(item.get("text", ""))
                except ValueError:
                    continue
                if isinstance(value, dict):
                    item["json"] = value
                    del item["text"]
                    changed = True
    return changed


def bedrock_turns(body):
    """blank texts are left out, turns of one role are one, results first"""
    turns = []
    for m in messages_of(body):
        blocks = [b for b in parts_of(m) if "text" not in b or b["text"].strip()]
        if turns and turns[-1]["role"] == m["role"]:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({**m, "content": blocks})
    for m in turns:
        m["content"].sort(key=lambda b: "toolResult" not in b and m["role"] == "user")
    changed = turns != body.get("messages")
    body["messages"] = turns
    return changed


def one_thinking(body):
    """reasoning_config is thinking, where it is an object"""
    fields = body.get("additionalModelRequestFields", {})
    if isinstance(fields.get("reasoning_config"), dict):
        fields["thinking"] = fields.pop("reasoning_config")
        return True
    return False


def room_for_thinking(body):
    """a budget of thinking has room in maxTokens"""
    fields = body.get("additionalModelRequestFields", {})
    config = body.setdefault("inferenceConfig", {})
    if "budget_tokens" in fields.get("thinking", {}) and "maxTokens" not in config:
        config["maxTokens"] = 64000
        return True
    return False


BEDROCK = [without_nulls, auto_tool_choice, whole_tool_schemas, results_as_json, bedrock_turns,
           one_thinking, room_for_thinking, nothing_in_it]


NORMALISATIONS = {"openai-chat": OPENAI_CHAT, "openai-responses": OPENAI_RESPONSES,
                  "openai-completions": OPENAI_COMPLETIONS, "anthropic": ANTHROPIC, "gemini": GEMINI,
                  "bedrock": BEDROCK, "mistral": MISTRAL, "cohere": COHERE, "ollama": OLLAMA}

# ---- comparing ----


def differences(want, got, path=""):
    if isinstance(want, dict) and isinstance(got, dict):
        for key in list(want) + [k for k in got if k not in want]:
            yield from differences(want.get(key, NULLABLE), got.get(key, NULLABLE),
                                   f"{path}.{key}" if path else key)
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (w, g) in enumerate(zip(want, got)):
            yield from differences(w, g, f"{path}[{i}]")
    elif want != got or isinstance(want, bool) != isinstance(got, bool):
        yield path, want, got


def shown(v):
    return "nothing" if v is NULLABLE else json.dumps(v, ensure_ascii=False)[:160]


def is_about(param, path):
    """Whether a warning about one member, or an element, tells of a difference at a path."""
    return bool(param) and (path == param or path.startswith((param + ".", param + "["))
                            or param.startswith(path + "["))


def compare(family, sent, result, used):
    """The differences that nobody announced: what a row or a rule of the target's forbids is left out
    or changed with a warning, which names the member."""
    sent, written = json.loads(json.dumps(sent)), json.loads(result["body"])
    for change in NORMALISATIONS.get(family, [without_nulls]):
        was_needed = change(sent)
        if not change(written) and was_needed:
            used[change.__doc__] += 1
    left = []
    for path, want, got in differences(sent, written):
        warning = next((w for w in result["warnings"] if is_about(w.get("param"), path)), None)
        if warning:
            used[f"with a warning: {warning['message']}"] += 1
        else:
            left.append((path, want, got))
    return left


def translate(family, records):
    """What each record's request becomes: {id: result}, or the reason why nobody can tell."""
    lines = []
    for r in records:
        url = urllib.parse.urlsplit(r["url"])
        lines.append(json.dumps({
            "id": r["id"], "body": r["request_body"], "path": url.path, "query": url.query,
            "provider": PROVIDERS.get(r["provider"], r["provider"])}))
    program = os.path.join(os.environ["LLMB_BIN_DIR"], "dialect")
    done = subprocess.run([program, "translate", family, family, "--batch", "--sent"], text=True,
                          input="".join(line + "\n" for line in lines), capture_output=True)
    if done.returncode == 2:
        return done.stderr.strip()
    if done.returncode:
        sys.exit(f"dialect translate {family}: {done.stderr}")
    return {r["id"]: r for r in map(json.loads, done.stdout.splitlines())}


def play(name, options):
    """How many requests came back whole, how many did not; None where the family cannot be read."""
    family = FILES[name]
    with open(os.path.join(os.environ["RECORDINGS"], name + ".jsonl"), encoding="utf-8") as lines:
        records = [r for r in map(json.loads, lines) if isinstance(r["request_body"], dict)]
    results = translate(family, records)
    if isinstance(results, str):
        return results
    used, passed, paths = collections.Counter(), 0, collections.Counter()
    for r in records:
        result = results[r["id"]]
        if "error" in result and r["status"] == 400:
            used["refused, as the provider did"] += 1
            bad = []
        elif "error" in result and r["id"] in REFUSED:
            used[f"refused: {REFUSED[r['id']]}"] += 1
            bad = []
        elif "error" in result:
            bad = [(result["error"].get("param", ""), NULLABLE, result["error"]["message"])]
        else:
            bad = compare(family, r["request_body"], result, used)
        passed += not bad
        for path, want, got in bad:
            paths[path] += 1
            if options.all or paths[path] <= 3:
                print(f"# {r['id']} ({r['provider']}, {r['status']}): {path}\n"
                      f"#   sent:    {shown(want)}\n#   written: {shown(got)}", file=sys.stderr)
    for how, n in sorted(used.items()):
        print(f"#   {n:>4} {how}", file=sys.stderr)
    return passed, len(records)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="print every difference")
    parser.add_argument("files", nargs="*", metavar="FILE", help="the names of files of records")
    options = parser.parse_args()
    if not os.environ.get("RECORDINGS"):
        print("1..0 # SKIP no recordings: RECORDINGS=DIR names their folder")
        return 0
    failures = 0
    names = options.files or list(FILES)
    for number, name in enumerate(names, 1):
        print(f"# {name}", file=sys.stderr)
        result = play(name, options)
        if isinstance(result, str):
            print(f"ok {number} - {name} # SKIP {result}", flush=True)
            continue
        passed, total = result
        failures += passed < total
        print(f"{'ok' if passed == total else 'not ok'} {number} - {name}: {passed} of {total} "
              "requests are the same again", flush=True)
    print(f"1..{len(names)}")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
