#!/usr/bin/python3
"""requests.py - does a recorded request survive being read and written again?

usage: requests.py [--all] [FILE...]

Each recorded chat request in the folder $RECORDINGS is read by its family (`dialect translate`), goes
through the broker's wire, and is written for the same family at the same provider, where one of that
name is built in. The two must be equal as JSON but for the normalisations below, each of which is
counted. What else differs is printed with the member's path and fails. TAP on stdout, the counts on
stderr.
"""
import argparse
import collections
import json
import os
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
PROVIDERS = {"ollama-openai": "ollama", "azure-openai": "openai", "alibaba": "dashscope"}

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


OPENAI_CHAT = [without_nulls, without("n", 1), without("stream", False),
               without("logprobs", False), named_schema, developers, one_bound, one_user,
               usage_is_asked_for, stop_as_list, text_format, newer_calls, choice_type,
               nothing_without_tools, without("tool_choice", "auto"), empty_schemas, empty_calls,
               calls_without_text, one_text_as_string, texts_joined, earlier_reasoning,
               default_effort, short_marks]

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

def has_words(body):
    """Whether there is anything in a Gemini request's contents."""
    return any(p.get("text", "x").strip() for turn in body.get("contents", [{"parts": [{}]}])
               for p in turn.get("parts", []))


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


# in these a member's name is the caller's own
FREE = {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema",
        "labels"}


def camel_names(body):
    """members have their names in camelCase"""
    def rename(v):
        changed = False
        if isinstance(v, dict):
            for key in list(v):
                new = camel(key)
                x = v.pop(key)
                v[new] = x
                changed |= new != key
                if new not in FREE:
                    changed |= rename(x)
        elif isinstance(v, list):
            for x in v:
                changed |= rename(x)
        return changed
    return rename(body)


def declarations_of(body):
    return [d for t in body.get("tools", []) for d in t.get("functionDeclarations", [])]


def upper_words(body):
    """words of an enumeration are in capitals"""
    changed = False
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    thinking = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    for holder, name in ((config, "mode"), (thinking, "thinkingLevel")):
        if isinstance(holder.get(name), str) and holder[name] != holder[name].upper():
            holder[name] = holder[name].upper()
            changed = True
    return changed


def plain_schema(v):
    """A schema of the older form as JSON Schema says it."""
    if isinstance(v, list):
        return [plain_schema(x) for x in v]
    if not isinstance(v, dict):
        return v
    v = {camel(k): plain_schema(x) for k, x in v.items()} if "type" in v or "anyOf" in v or \
        "any_of" in v else {k: plain_schema(x) for k, x in v.items()}
    if isinstance(v.get("type"), str):
        v["type"] = v["type"].lower()
    if isinstance(v.get("type"), str) and v.pop("nullable", None):
        v["type"] = [v["type"], "null"]
    return v


def json_schemas(body):
    """parameters and responseSchema are JSON Schema"""
    changed = False
    for holder, old, new in [
            *((d, "parameters", "parametersJsonSchema") for d in declarations_of(body)),
            (body.get("generationConfig") or {}, "responseSchema", "responseJsonSchema")]:
        if old in holder:
            holder[new] = plain_schema(holder.pop(old))
            changed = True
    return changed


def empty_parameters(body):
    """a function without parameters has no schema"""
    changed = False
    for d in declarations_of(body):
        if "parametersJsonSchema" in d and not d["parametersJsonSchema"].get("properties"):
            del d["parametersJsonSchema"]
            changed = True
    return changed


def described(body):
    """a function has a description, its name where nothing else is said"""
    changed = False
    for d in declarations_of(body):
        if not d.get("description"):
            d["description"] = d["name"]
            changed = True
    return changed


def tools_in_order(body):
    """functions come before the provider's own tools, in one list"""
    tools = body.get("tools")
    if not tools:
        return False
    before = json.dumps(tools, sort_keys=True)
    declared = declarations_of(body)
    others = [{k: v} for t in tools for k, v in t.items() if k != "functionDeclarations"]
    body["tools"] = ([{"functionDeclarations": declared}] if declared else []) + others
    return json.dumps(body["tools"], sort_keys=True) != before


def text_alone(body):
    """an answer is text unless said"""
    config = body.get("generationConfig")
    if isinstance(config, dict) and config.get("responseModalities") in (["TEXT"], ["Text"]):
        del config["responseModalities"]
        return True
    return False


def system_without_role(body):
    """system text has no role"""
    return (body.get("systemInstruction") or {}).pop("role", None) is not None


def auto_mode(body):
    """calls are left to the model unless said"""
    holder = body.get("toolConfig") or {}
    if holder.get("functionCallingConfig") == {"mode": "AUTO"}:
        del holder["functionCallingConfig"]
        return True
    return False


def all_allowed(body):
    """calls that are forced may be of all functions, by name or without"""
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names = sorted(d["name"] for d in declarations_of(body))
    if config.get("mode") in ("ANY", "VALIDATED") and \
            sorted(config.get("allowedFunctionNames") or []) == names:
        del config["allowedFunctionNames"]
        return True
    return False


def plain_base64(body):
    """bytes are in the usual base64"""
    def rewrite(v):
        changed = False
        if isinstance(v, dict):
            data = v.get("data")
            if isinstance(data, str) and "mimeType" in v:
                v["data"] = data.replace("-", "+").replace("_", "/").rstrip("=")
                changed = v["data"] != data.rstrip("=")
            for x in v.values():
                changed |= rewrite(x)
        elif isinstance(v, list):
            for x in v:
                changed |= rewrite(x)
        return changed
    return rewrite(body)


def no_empty_objects(body):
    """an empty object is as good as none"""
    changed = False
    for name in ("generationConfig", "toolConfig", "systemInstruction"):
        if body.get(name) == {}:
            del body[name]
            changed = True
    return changed


def contents_merged(body):
    """turns of one role are one, results first; what is empty is left out"""
    turns, changed = [], False
    for turn in body.get("contents", []):
        parts = [p for p in turn.get("parts", []) if p.get("text", "x").strip() or len(p) > 1]
        changed |= parts != turn.get("parts")
        if not parts:
            continue
        if turns and turns[-1].get("role") == turn.get("role"):
            turns[-1]["parts"] += parts
            changed = True
        else:
            turns.append({**turn, "parts": parts})
    for turn in turns:
        before = list(turn["parts"])
        turn["parts"].sort(key=lambda p: "functionResponse" not in p)
        changed |= before != turn["parts"]
    body["contents"] = turns
    return changed


def user_by_default(body):
    """a turn is the user's unless said"""
    changed = False
    for turn in body.get("contents", []):
        changed |= "role" not in turn
        turn.setdefault("role", "user")
    return changed


def thoughts_unsaid(body):
    """thoughts are not shown unless asked for"""
    thinking = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    if thinking.get("includeThoughts") is False:
        del thinking["includeThoughts"]
        if not thinking:
            del body["generationConfig"]["thinkingConfig"]
        return True
    return False


def calls_by_order(body):
    """calls have ids where the host and the model know them"""
    changed = False
    for turn in body.get("contents", []):
        for part in turn.get("parts", []):
            for name in ("functionCall", "functionResponse"):
                if name in part:
                    changed |= part[name].pop("id", None) is not None
    return changed


GEMINI = [camel_names, without_nulls, upper_words, json_schemas, empty_parameters, described,
          tools_in_order, text_alone, system_without_role, auto_mode, all_allowed, plain_base64,
          user_by_default, contents_merged, thoughts_unsaid, calls_by_order,
          no_empty_objects]

NORMALISATIONS = {"openai-chat": OPENAI_CHAT, "anthropic": ANTHROPIC, "gemini": GEMINI}

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


# where a family has what our member of that name says; a warning's index is ours, and not theirs
ELSEWHERE = {"gemini": {"messages": ("contents", "tools"), "metadata": ("labels",)}}


def is_about(param, path, family):
    """Whether a warning about one member, or an element, tells of a difference at a path."""
    name = (param or "").split("[")[0].split(".")[0]
    if path.startswith(ELSEWHERE.get(family, {}).get(name, ("\0",))):
        return True
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
        warning = next((w for w in result["warnings"] if is_about(w.get("param"), path, family)), None)
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
    if family not in NORMALISATIONS:
        return f"nobody has written down yet what {family} may say otherwise"
    used, passed, paths = collections.Counter(), 0, collections.Counter()
    for r in records:
        result = results[r["id"]]
        if "error" in result and r["status"] == 400:
            used["refused, as the provider did"] += 1
            bad = []
        elif "error" in result and not has_words(r["request_body"]):
            used["refused, for the user said nothing"] += 1
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
