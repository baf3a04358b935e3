"""openai_responses_object.py - is this a response object, is this an item of one, and what do they say?"""

HEAD = ("id object created_at model output error incomplete_details instructions metadata parallel_tool_calls "
        "temperature tool_choice tools top_p")
HEAD_MORE = ("status usage background completed_at conversation max_output_tokens max_tool_calls moderation "
             "previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention reasoning "
             "safety_identifier service_tier store text top_logprobs truncation user tool_usage billing "
             "frequency_penalty presence_penalty")
NULL = ("error incomplete_details instructions metadata temperature top_p " + HEAD_MORE)
HOSTED = ("web_search_call file_search_call code_interpreter_call image_generation_call computer_call mcp_call "
          "mcp_list_tools mcp_approval_request local_shell_call shell_call shell_call_output apply_patch_call "
          "apply_patch_call_output tool_search_call tool_search_output compaction program program_output "
          "additional_tools function_call_output").split()
ANNOTATIONS = {"url_citation": "start_index end_index url title", "file_citation": "file_id filename index",
               "container_file_citation": "container_id file_id filename start_index end_index",
               "file_path": "file_id index"}
PARTS = {"output_text": ("text annotations", "logprobs"), "refusal": ("refusal", ""), "reasoning_text": ("text", "")}


def _usage(c, path, u):
    if not c.shape(path, u, "input_tokens input_tokens_details output_tokens output_tokens_details total_tokens"):
        return
    c.counts(path, u, "input_tokens output_tokens total_tokens")
    c.total(path, u["total_tokens"], (u["input_tokens"], u["output_tokens"]), "the total is the sum")
    asked, told = u["input_tokens_details"], u["output_tokens_details"]
    if c.shape(f"{path}.input_tokens_details", asked, "cached_tokens", "cache_write_tokens"):
        c.counts(f"{path}.input_tokens_details", asked, "cached_tokens cache_write_tokens")
        c.within(path, asked["cached_tokens"] + asked.get("cache_write_tokens", 0), u["input_tokens"],
                 "more cached than asked")
        c.usage.update(cached_input=asked["cached_tokens"], cache_write=asked.get("cache_write_tokens"))
    if c.shape(f"{path}.output_tokens_details", told, "reasoning_tokens"):
        c.within(path, told["reasoning_tokens"], u["output_tokens"], "more reasoning than answer")
        c.usage.update(reasoning=told["reasoning_tokens"])
    c.usage.update(input=u["input_tokens"], output=u["output_tokens"])


def response(c, path, r, words):
    """The object itself, without its output. Is it one?"""
    c.shape(path, r, HEAD, HEAD_MORE, null=NULL)
    if not isinstance(r, dict) or not isinstance(r.get("output"), list):
        return False
    c.string(f"{path}.id", r.get("id"), r".+")
    c.one_of(f"{path}.object", r.get("object"), ("response",))
    c.number(f"{path}.created_at", r.get("created_at"), 1_500_000_000, 5_000_000_000)
    c.string(f"{path}.model", r.get("model"), r".+")
    status, fault, details = r.get("status"), r.get("error"), r.get("incomplete_details")
    c.one_of(f"{path}.status", status, words)
    c.boolean(f"{path}.parallel_tool_calls", r.get("parallel_tool_calls"))
    c.array(f"{path}.tools", r.get("tools"))
    c.needs((fault is not None) == (status == "failed"), path, "a failed one says why, no other does")
    if fault is not None and c.shape(f"{path}.error", fault, "code message", "param type", null="param type"):
        c.string(f"{path}.error.code", fault["code"], r"\w+")
        c.string(f"{path}.error.message", fault["message"], is_blank_ok=False)
        c.error = {"message": fault["message"], "word": fault["code"]}
    c.needs((details is not None) == (status == "incomplete"), path, "an incomplete one says why, no other does")
    if details is not None and c.shape(f"{path}.incomplete_details", details, "reason"):
        c.one_of(f"{path}.incomplete_details.reason", details["reason"], ("max_output_tokens", "content_filter"))
    if r.get("usage") is not None:
        _usage(c, f"{path}.usage", r["usage"])
    return True


def finish(c, r):
    c.native = r.get("status")
    if c.native == "incomplete":
        reason = (r.get("incomplete_details") or {}).get("reason")
        c.finish = {"max_output_tokens": "length"}.get(reason, "content_filter")
    elif c.native == "completed":
        c.finish = "tool_calls" if c.calls else "stop"
    c.is_complete = c.native in ("completed", "incomplete")


# ---- items ----


def part_of(c, path, part):
    if not c.obj(path, part, ["type"], is_open=True) or not c.one_of(f"{path}.type", part["type"], PARTS):
        return False
    needed, also = PARTS[part["type"]]
    if not c.shape(path, part, f"type {needed}", also) or not c.string(path, part[needed.split()[0]]):
        return False
    for i, note in c.array(f"{path}.annotations", part.get("annotations", [])):
        annotation(c, f"{path}.annotations[{i}]", note)
    return True


def annotation(c, path, note):
    if c.obj(path, note, ["type"], is_open=True) and c.one_of(f"{path}.type", note["type"], ANNOTATIONS):
        c.shape(path, note, f"type {ANNOTATIONS[note['type']]}")


ITEMS = {
    "message": ("id role content status", "phase", ""),
    "reasoning": ("id summary", "content encrypted_content status", "encrypted_content status content"),
    "function_call": ("id call_id name arguments", "status namespace caller", "namespace caller"),
    "custom_tool_call": ("id call_id name input", "status namespace caller", "namespace caller"),
}


def item_of(c, path, item, statuses):
    """Is it an item with its members?"""
    if not c.obj(path, item, ["type"], is_open=True, nullable=item if isinstance(item, dict) else ()):
        return False
    c.one_of(f"{path}.type", item["type"], (*ITEMS, *HOSTED))
    if item["type"] not in ITEMS:
        return c.string(f"{path}.id", item.get("id"), r".+")
    needed, also, null = ITEMS[item["type"]]
    ok = c.shape(path, item, f"type {needed}", also, null=null)
    if item.get("status") is not None:
        c.one_of(f"{path}.status", item["status"], statuses)
    for name in needed.split():
        if name in item and name not in ("content", "summary"):
            c.string(f"{path}.{name}", item[name], None if name in ("arguments", "input") else r".+")
    for i, part in c.array(f"{path}.content", item.get("content") or []):
        ok &= part_of(c, f"{path}.content[{i}]", part)
    for i, part in c.array(f"{path}.summary", item.get("summary") or []):
        ok &= c.shape(f"{path}.summary[{i}]", part, "type text") and part["type"] == "summary_text"
    return ok


def say(c, path, item):
    """A whole item, however it came."""
    kind = item["type"]
    if kind == "message":
        for part in item["content"]:
            if part["type"] == "refusal":
                c.refusal += part["refusal"]
            else:
                c.text += part["text"]
    elif kind == "reasoning":
        c.reasoning += "".join(part["text"] for part in [*item["summary"], *(item.get("content") or [])])
        c.slots += [item["encrypted_content"]] if item.get("encrypted_content") else []
    elif kind in ("function_call", "custom_tool_call"):
        c.needs(item["call_id"] not in [call["id"] for call in c.calls], path, "two calls of one id")
        custom = kind == "custom_tool_call"
        c.calls.append({"id": item["call_id"], "name": item["name"],
                        "arguments": item["input"] if custom else item["arguments"],
                        **({"type": "custom"} if custom else {})})
    c.media += kind == "image_generation_call"


def apart(c, path, items):
    ids = [item.get("id") for item in items if isinstance(item, dict)]
    c.needs(len(set(ids)) == len(ids), path, "two items of one id")
