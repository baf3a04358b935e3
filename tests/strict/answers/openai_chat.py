"""openai_chat.py - an answer of chat completions: what may be sent, and what is said?"""

from strict.answers import sse

FINISH = ("stop", "length", "tool_calls", "content_filter", "function_call")
TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
# what OpenAI's own clients do not know, and those of other hosts that speak this language do
REASONING = "reasoning_content reasoning_details"
IMAGES = "images"
SEALS = "extra_content"  # of a call
TYPES = ("invalid_request_error", "authentication_error", "permission_error", "not_found_error", "rate_limit_error",
         "insufficient_quota", "server_error", "requests", "tokens", "timeout_error", "overloaded_error", "api_error")
PROMPT = "cached_tokens audio_tokens cache_write_tokens text_tokens image_tokens"
COMPLETION = ("reasoning_tokens audio_tokens accepted_prediction_tokens rejected_prediction_tokens text_tokens "
              "image_tokens")


def usage(c, path, u):
    if not c.shape(path, u, "prompt_tokens completion_tokens total_tokens",
                   "prompt_tokens_details completion_tokens_details"):
        return
    c.counts(path, u, "prompt_tokens completion_tokens total_tokens")
    c.total(path, u.get("total_tokens"), (u.get("prompt_tokens"), u.get("completion_tokens")), "the total is the sum")
    prompt, completion = u.get("prompt_tokens_details", {}), u.get("completion_tokens_details", {})
    if c.shape(f"{path}.prompt_tokens_details", prompt, "", PROMPT):
        c.counts(f"{path}.prompt_tokens_details", prompt, PROMPT)
        c.within(path, prompt.get("cached_tokens", 0) + prompt.get("cache_write_tokens", 0), u.get("prompt_tokens"),
                 "more cached than asked")
    if c.shape(f"{path}.completion_tokens_details", completion, "", COMPLETION):
        c.counts(f"{path}.completion_tokens_details", completion, COMPLETION)
        c.within(path, completion.get("reasoning_tokens"), u.get("completion_tokens"), "more reasoning than answer")
    c.usage = {"input": u.get("prompt_tokens"), "output": u.get("completion_tokens"),
               "cached_input": prompt.get("cached_tokens"), "cache_write": prompt.get("cache_write_tokens"),
               "reasoning": completion.get("reasoning_tokens")}


def head(c, path, value, kind):
    """What every answer, and every piece of one, begins with."""
    c.string(f"{path}.id", value.get("id"), r".+")
    c.one_of(f"{path}.object", value.get("object"), (kind,))
    c.number(f"{path}.created", value.get("created"), 1_500_000_000, 5_000_000_000, is_int=True)
    c.string(f"{path}.model", value.get("model"), r".+")
    if value.get("service_tier") is not None:
        c.one_of(f"{path}.service_tier", value["service_tier"], TIERS)


def error_object(c, path, value):
    if c.shape(path, value, "message type param code", null="param code"):
        c.string(f"{path}.message", value.get("message"), is_blank_ok=False)
        c.one_of(f"{path}.type", value.get("type"), TYPES)
        c.error = {"message": value.get("message"), "word": value.get("code") or value.get("type")}


def error(c, text, status):
    value = c.json("error", text)
    c.number("status", status, 400, 599)
    if c.shape("error", value, "error"):
        error_object(c, "error.error", value.get("error"))


def logprobs(c, path, value):
    if value is None or not c.shape(path, value, "content", "refusal", null="content refusal"):
        return
    for name in ("content", "refusal"):
        for i, token in c.array(f"{path}.{name}", value.get(name) or []):
            _token(c, f"{path}.{name}[{i}]", token)
            for k, other in c.array(f"{path}.{name}[{i}].top_logprobs", token.get("top_logprobs")):
                _token(c, f"{path}.{name}[{i}].top_logprobs[{k}]", other, "")


def _token(c, path, token, top="top_logprobs"):
    if c.shape(path, token, f"token logprob {top}", "bytes", null="bytes"):
        c.string(f"{path}.token", token.get("token"))
        c.number(f"{path}.logprob", token.get("logprob"))
        for i, byte in c.array(f"{path}.bytes", token.get("bytes") or []):
            c.number(f"{path}.bytes[{i}]", byte, 0, 255, is_int=True)


def annotations(c, path, value):
    for i, note in c.array(path, value):
        if c.shape(f"{path}[{i}]", note, "type url_citation", "index"):
            c.one_of(f"{path}[{i}].type", note["type"], ("url_citation",))
            cited = note.get("url_citation")
            if c.shape(f"{path}[{i}].url_citation", cited, "start_index end_index url title"):
                c.counts(f"{path}[{i}].url_citation", cited, "start_index end_index")


def extras(c, path, value, is_first):
    """What both a message and a delta may have besides text and calls."""
    if value.get("annotations"):
        annotations(c, f"{path}.annotations", value["annotations"])
    if value.get("reasoning_content") is not None and c.string(f"{path}.reasoning_content", value["reasoning_content"]):
        c.reasoning += value["reasoning_content"] if is_first else ""
    for i, detail in c.array(f"{path}.reasoning_details", value.get("reasoning_details", [])):
        if c.obj(f"{path}.reasoning_details[{i}]", detail, ["type"], is_open=True) and is_first:
            c.slots += [detail[name] for name in ("signature", "data") if isinstance(detail.get(name), str)]
    for i, image in c.array(f"{path}.images", value.get("images", [])):
        if c.shape(f"{path}.images[{i}]", image, "type image_url", "index"):
            c.one_of(f"{path}.images[{i}].type", image["type"], ("image_url",))
            c.shape(f"{path}.images[{i}].image_url", image.get("image_url"), "url")
        c.media += is_first


# ---- one piece ----


def _call(c, path, call, is_first):
    custom = isinstance(call, dict) and call.get("type") == "custom"
    inside, text = ("custom", "input") if custom else ("function", "arguments")
    if not c.shape(path, call, f"id type {inside}", SEALS):
        return
    c.string(f"{path}.id", call.get("id"), r".+")
    c.one_of(f"{path}.type", call.get("type"), ("function", "custom"))
    if c.shape(f"{path}.{inside}", call.get(inside), f"name {text}"):
        c.string(f"{path}.{inside}.name", call[inside].get("name"), r".+")
        if c.string(f"{path}.{inside}.{text}", call[inside].get(text)) and is_first:
            c.calls.append({"id": call.get("id"), "name": call[inside].get("name"), "arguments": call[inside][text],
                            **({"type": "custom"} if custom else {})})


def _message(c, path, m, is_first):
    if not c.shape(path, m, "role content", f"refusal annotations audio function_call tool_calls {REASONING} {IMAGES}",
                   null="content refusal"):
        return
    c.one_of(f"{path}.role", m["role"], ("assistant",))
    for name in ("content", "refusal"):
        if m.get(name) is not None and c.string(f"{path}.{name}", m[name]) and is_first:
            setattr(c, "text" if name == "content" else name, m[name])
    extras(c, path, m, is_first)
    for i, call in c.array(f"{path}.tool_calls", m["tool_calls"], 1) if "tool_calls" in m else ():
        _call(c, f"{path}.tool_calls[{i}]", call, is_first)
    if "function_call" in m and c.shape(f"{path}.function_call", m["function_call"], "name arguments") and is_first:
        c.calls.append({"id": None, **m["function_call"]})
    if "audio" in m and c.shape(f"{path}.audio", m["audio"], "id data expires_at transcript"):
        c.b64(f"{path}.audio.data", m["audio"]["data"])
        c.media += is_first
    c.needs(m["content"] is not None or m.get("refusal") or m.get("tool_calls") or m.get("function_call")
            or m.get("audio"), path, "no content, and nothing in its place")


def whole(c, text):
    value = c.json("answer", text)
    if not c.shape("answer", value, "id object created model choices",
                   "usage service_tier system_fingerprint moderation", null="service_tier system_fingerprint"):
        return
    head(c, "answer", value, "chat.completion")
    for i, choice in c.array("choices", value["choices"], 1):
        path = f"choices[{i}]"
        if not c.shape(path, choice, "index message finish_reason", "logprobs", null="logprobs"):
            continue
        c.same(f"{path}.index", choice["index"], i, "the index")
        c.one_of(f"{path}.finish_reason", choice["finish_reason"], FINISH)
        logprobs(c, f"{path}.logprobs", choice.get("logprobs"))
        _message(c, f"{path}.message", choice["message"], i == 0)
        calls = choice["message"].get("tool_calls") or choice["message"].get("function_call")
        c.needs(choice["finish_reason"] not in ("tool_calls", "function_call") or calls, path, "it ends for no call")
        c.choices += 1
    if c.needs(c.choices > 0, "choices", "none of them is one"):
        _finish(c, value["choices"][0]["finish_reason"])
    if "usage" in value:
        usage(c, "usage", value["usage"])
    c.is_complete = True


def _finish(c, word):
    c.native = word
    c.finish = "tool_calls" if word == "function_call" else word


# ---- a stream ----


class Choice:
    """One choice of a stream, as far as it has come."""

    def __init__(self, index):
        self.index, self.is_first = index, index == 0
        self.calls = []     # arguments so far
        self.finish = None
        self.n = 0
        self.has_notes = False


def _delta_call(c, path, entry, choice):
    if not c.obj(path, entry, ["index"], ["id", "type", "function", "custom", SEALS]):
        return
    at = entry["index"]
    if at == len(choice.calls):
        custom = entry.get("type") == "custom"
        inside, text = ("custom", "input") if custom else ("function", "arguments")
        if not c.shape(path, entry, f"index id type {inside}", SEALS):
            return
        c.string(f"{path}.id", entry["id"], r".+")
        c.one_of(f"{path}.type", entry["type"], ("function", "custom"))
        if c.shape(f"{path}.{inside}", entry[inside], f"name {text}"):
            c.string(f"{path}.{inside}.name", entry[inside]["name"], r".+")
            if c.string(f"{path}.{inside}.{text}", entry[inside][text]):
                choice.calls.append({"id": entry["id"], "name": entry[inside]["name"],
                                     "arguments": entry[inside][text], **({"type": "custom"} if custom else {})})
        return
    # clients take a call for whole as soon as the next one begins
    if c.needs(choice.calls and at == len(choice.calls) - 1, path, f"index {at} behind {len(choice.calls)} calls"):
        call = choice.calls[at]
        inside, text = ("custom", "input") if call.get("type") == "custom" else ("function", "arguments")
        if c.shape(path, entry, f"index {inside}", "id type") and c.shape(f"{path}.{inside}", entry[inside], text):
            c.needs(entry.get("id", call["id"]) == call["id"], path, "the call has another id")
            if c.string(f"{path}.{inside}.{text}", entry[inside][text]):
                call["arguments"] += entry[inside][text]


def _delta(c, path, d, choice):
    if not c.shape(path, d, "", f"role content refusal tool_calls function_call audio annotations {REASONING} {IMAGES}",
                   null="content refusal"):
        return
    c.needs(("role" in d) == (choice.n == 0), path, "the role is said first, and once")
    if "role" in d:
        c.one_of(f"{path}.role", d["role"], ("assistant",))
    for name in ("content", "refusal"):
        if d.get(name) is not None and c.string(f"{path}.{name}", d[name]):
            c.needs(d[name] or choice.n == 0, path, f"{name} of no letter")
            if choice.is_first:
                c.text += d[name] if name == "content" else ""
                c.refusal += d[name] if name == "refusal" else ""
    extras(c, path, d, choice.is_first)
    if "annotations" in d:
        # OpenAI's own client adds to a list by the index of its entries alone
        c.needs(not choice.has_notes or all("index" in note for note in d["annotations"]), path,
                "a second list of annotations, without an index")
        choice.has_notes = True
    for i, entry in c.array(f"{path}.tool_calls", d["tool_calls"], 1) if "tool_calls" in d else ():
        _delta_call(c, f"{path}.tool_calls[{i}]", entry, choice)
    if "function_call" in d:
        older = d["function_call"]
        if not choice.calls:
            if c.shape(f"{path}.function_call", older, "name arguments"):
                choice.calls.append({"id": None, **older})
        elif c.shape(f"{path}.function_call", older, "arguments"):
            choice.calls[-1]["arguments"] += older["arguments"]
    if "audio" in d and c.shape(f"{path}.audio", d["audio"], "", "id data expires_at transcript"):
        c.media += "data" in d["audio"] and choice.is_first


def _piece(c, path, choice, piece):
    if not c.shape(path, piece, "index delta finish_reason", "logprobs", null="finish_reason logprobs"):
        return
    if not c.needs(choice.finish is None, path, "its choice is over"):
        return
    logprobs(c, f"{path}.logprobs", piece.get("logprobs"))
    _delta(c, f"{path}.delta", piece["delta"], choice)
    choice.n += 1
    word = piece["finish_reason"]
    if word is None:
        c.needs(piece["delta"] or piece.get("logprobs"), path, "it says nothing")
        return
    c.one_of(f"{path}.finish_reason", word, FINISH)
    c.needs(piece["delta"] == {}, path, "it ends while it says something")
    c.needs(word not in ("tool_calls", "function_call") or choice.calls, path, "it ends for no call")
    choice.finish = word


def chunks(c, text, kind, take):
    """The stream of chat and of completions: take(path, chunk) has each of the chunks with choices."""
    first, last, is_done = None, None, False
    with_usage = set()
    for path, _, data in sse.events(c, text, False):
        if not c.needs(not is_done and not c.error, path, "it is behind the end"):
            return
        if data == "[DONE]":
            is_done = True
            continue
        value = c.json(path, data)
        if isinstance(value, dict) and "error" in value:
            c.shape(path, value, "error")
            error_object(c, f"{path}.error", value["error"])
            continue
        if not c.shape(path, value, "id object created model choices",
                       "usage service_tier system_fingerprint obfuscation moderation",
                       null="usage service_tier system_fingerprint"):
            continue
        head(c, path, value, kind)
        first = first or value
        for name in ("id", "created", "model"):
            c.same(f"{path}.{name}", value.get(name), first.get(name), name)
        if value["choices"]:
            c.needs(value.get("usage") is None, path, "usage beside choices")
            c.needs(last is None, path, "choices behind the usage")
            with_usage.add("usage" in value)
            take(path, value)
        elif value.get("usage") is not None:
            c.needs(last is None, path, "usage twice")
            last = value["usage"]
            usage(c, f"{path}.usage", last)
        else:
            c.needs("moderation" in value, path, "neither choices nor usage")
    c.needs(with_usage != {True, False}, "stream", "usage is null in some chunks and missing in others")
    c.needs(last is None or True in with_usage or not first, "stream", "usage at the end, and no null before")
    c.needs(is_done or c.error, "stream", "no [DONE]")
    c.is_complete = is_done


def stream(c, text):
    choices = {}

    def take(path, chunk):
        for i, piece in c.array(f"{path}.choices", chunk["choices"], 1):
            at = piece.get("index") if isinstance(piece, dict) else None
            if at not in choices:
                # OpenAI's own client puts a choice behind those that it knows, whatever its index
                c.needs(at == len(choices), f"{path}.choices[{i}].index", f"{at} is not the next choice")
                choices[at] = Choice(at)
            _piece(c, f"{path}.choices[{i}]", choices[at], piece)

    chunks(c, text, "chat.completion.chunk", take)
    c.needs(c.error or choices, "stream", "no choice")
    for choice in choices.values():
        c.needs(c.error or choice.finish, f"choice {choice.index}", "it never ends")
    c.choices = len(choices)
    if 0 in choices:
        c.calls = choices[0].calls
        _finish(c, choices[0].finish)
