"""test_wishes.py - does what else a caller can wish for come to the provider, in that provider's own words?

Not by the words of a test but by each SDK's own method; what a family has no word for is refused by name, or
left out with a warning."""

import base64
import json
import re

import pytest
from clients import CLIENTS
from replies import Said
from test_sdk import FAMILIES, TOOLS, is_lawful, png

BY_NAME = {client.name: client for client in CLIENTS}
PDF = base64.b64encode(b"%PDF-1.4 not much of one").decode()
WAV = base64.b64encode(b"RIFF....WAVEfmt ").decode()
REFUSED = "refused"

# ---- the wishes: members of a request, and what the provider gets of them ----

CHAT_TOOLS = {"tools": [{"type": "function", "function": tool} for tool in TOOLS]}
RESPONSES_TOOLS = {"tools": [{"type": "function", "strict": False, **tool} for tool in TOOLS]}
ANTHROPIC_TOOLS = {"tools": [{"name": tool["name"], "description": tool["description"],
                              "input_schema": tool["parameters"]} for tool in TOOLS]}
GEMINI_TOOLS = {"tools": [{"functionDeclarations": [
    {"name": tool["name"], "description": tool["description"], "parametersJsonSchema": tool["parameters"]}
    for tool in TOOLS]}]}


def gemini_mode(mode, *names):
    return {"toolConfig": {"functionCallingConfig": {
        "mode": mode, **({"allowedFunctionNames": list(names)} if names else {})}}}


def asked(*content):
    return [{"role": "user", "content": list(content)}]


TEXT = {"type": "text", "text": "What is it?"}
ALL_NAMES = {"chat": {"tool_choice": "none"}, "responses": {"tool_choice": "none"},
             "anthropic": {"tool_choice": {"type": "none"}}, "gemini": gemini_mode("NONE")}
MUST_CALL = {"chat": {"tool_choice": "required"}, "responses": {"tool_choice": "required"},
             "anthropic": {"tool_choice": {"type": "any"}}, "gemini": gemini_mode("ANY")}
ONE_AT_A_TIME = {
    "chat": {"tool_choice": "required", "parallel_tool_calls": False},
    "responses": {"tool_choice": "required", "parallel_tool_calls": False},
    "anthropic": {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}}, "gemini": gemini_mode("ANY")}
A_PICTURE_THERE = {
    "chat": {"messages": asked({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}})},
    "responses": {"input": asked({"type": "input_image", "image_url": "https://example.com/a.png"})},
    "anthropic": {"messages": asked({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})},
    "gemini": {"contents": [{"parts": [{"fileData": {"mimeType": "image/png",
                                                     "fileUri": "https://example.com/a.png"}}]}]}}
AS_JSON = {"chat": {"response_format": {"type": "json_object"}},
           "responses": {"text": {"format": {"type": "json_object"}}}, "anthropic": {"system": [{"type": "text"}]},
           "gemini": {"generationConfig": {"responseMimeType": "application/json"}}}
LOGPROBS = {"chat": {}, "responses": {"include": ["message.output_text.logprobs"], "top_logprobs": 2}, "anthropic": {},
            "gemini": {"generationConfig": {"responseLogprobs": True, "logprobs": 2}}}
ITS_INPUT = {"properties": {"input": {"type": "string"}}, "required": ["input"]}
FREE_FORM = {"chat": {"tools": [{"type": "function", "function": {"name": "code", "parameters": ITS_INPUT}}]},
             "responses": {"tools": [{"type": "custom", "name": "code"}]},
             "anthropic": {"tools": [{"name": "code", "input_schema": ITS_INPUT}]},
             "gemini": {"tools": [{"functionDeclarations": [{"name": "code", "parametersJsonSchema": ITS_INPUT}]}]}}
NO_THOUGHTS = {"chat": {"reasoning_effort": "none"}, "responses": {"reasoning": {"effort": "none"}}, "anthropic": {},
               "gemini": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}}
SAMPLED = {"chat": {"seed": 7, "temperature": 0.5, "top_p": 0.9, "presence_penalty": 0.1, "frequency_penalty": 0.2},
           "responses": {"temperature": 0.5, "top_p": 0.9}, "anthropic": {"temperature": 0.5, "top_p": 0.9},
           "gemini": {"generationConfig": {"seed": 7, "temperature": 0.5, "topP": 0.9, "presencePenalty": 0.1,
                                           "frequencyPenalty": 0.2}}}

CHAT = {
    "sampling": ({"seed": 7, "temperature": 0.5, "top_p": 0.9, "presence_penalty": 0.1, "frequency_penalty": 0.2,
                  "user": "u1"}, SAMPLED),
    "logprobs": ({"logprobs": True, "top_logprobs": 2}, {**LOGPROBS, "chat": {"logprobs": True, "top_logprobs": 2}}),
    "several": ({"n": 2}, {"chat": {"n": 2}, "responses": REFUSED, "anthropic": REFUSED,
                           "gemini": {"generationConfig": {"candidateCount": 2}}}),
    "json": ({"response_format": {"type": "json_object"}}, AS_JSON),
    "no tool": ({**CHAT_TOOLS, "tool_choice": "none"}, ALL_NAMES),
    "one at a time": ({**CHAT_TOOLS, "tool_choice": "required", "parallel_tool_calls": False}, ONE_AT_A_TIME),
    "some tools": ({**CHAT_TOOLS, "tool_choice": {"type": "allowed_tools", "allowed_tools": {
        "mode": "required", "tools": [{"type": "function", "function": {"name": "get_time"}}]}}},
        {**MUST_CALL, "chat": {"tool_choice": {"type": "allowed_tools"}}, "gemini": gemini_mode("ANY", "get_time")}),
    "free form": ({"tools": [{"type": "custom", "custom": {"name": "code", "description": "It runs."}}]},
                  {**FREE_FORM, "chat": {"tools": [{"type": "custom"}]}}),
    "functions": ({"functions": [TOOLS[1]], "function_call": {"name": "get_time"}}, {
        "chat": {"functions": [{"name": "get_time"}], "function_call": {"name": "get_time"}},
        "responses": {"tools": [{"type": "function", "name": "get_time"}], "tool_choice": {"name": "get_time"}},
        "anthropic": {"tools": [{"name": "get_time"}], "tool_choice": {"type": "tool", "name": "get_time"}},
        "gemini": gemini_mode("ANY", "get_time")}),
    "picture": ({"messages": asked({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}})},
                A_PICTURE_THERE),
    "file": ({"messages": asked({"type": "file", "file": {
        "filename": "a.pdf", "file_data": "data:application/pdf;base64," + PDF}}, TEXT)}, {
            "chat": {"messages": asked({"type": "file"}, TEXT)}, "responses": REFUSED,
            "anthropic": {"messages": asked({"type": "document", "source": {
                "type": "base64", "media_type": "application/pdf", "data": PDF}}, TEXT)},
            "gemini": {"contents": [{"parts": [{"inlineData": {"mimeType": "application/pdf", "data": PDF}}, {}]}]}}),
    "sound": ({"messages": asked({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}, TEXT)}, {
        "chat": {"messages": asked({"type": "input_audio"}, TEXT)},
        "responses": {"input": asked({"type": "input_audio"}, {"type": "input_text"})}, "anthropic": REFUSED,
        "gemini": {"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav", "data": WAV}}, {}]}]}}),
    "no thoughts": ({"reasoning_effort": "none"}, NO_THOUGHTS),
}
RESPONSES = {
    "sampling": ({"temperature": 0.5, "top_p": 0.9, "metadata": {"a": "b"}, "truncation": "auto"}, {
        **SAMPLED, "chat": {"temperature": 0.5, "top_p": 0.9}, "gemini": {
            "generationConfig": {"temperature": 0.5, "topP": 0.9}}}),
    "logprobs": ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, LOGPROBS),
    "json": ({"text": {"format": {"type": "json_object"}, "verbosity": "low"}}, AS_JSON),
    "no tool": ({**RESPONSES_TOOLS, "tool_choice": "none"}, ALL_NAMES),
    "one at a time": ({**RESPONSES_TOOLS, "tool_choice": "required", "parallel_tool_calls": False}, ONE_AT_A_TIME),
    "some tools": ({**RESPONSES_TOOLS, "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [
        {"type": "function", "name": "get_time"}]}},
        {**MUST_CALL, "responses": {"tool_choice": {"type": "allowed_tools"}}, "gemini": gemini_mode("ANY", "get_time")}),
    "free form": ({"tools": [{"type": "custom", "name": "code", "description": "It runs."}]}, FREE_FORM),
    "picture": ({"input": asked({"type": "input_image", "detail": "auto", "image_url": "https://example.com/a.png"})},
                A_PICTURE_THERE),
    "background": ({"background": True}, dict.fromkeys(FAMILIES, REFUSED)),
    "conversation": ({"conversation": "conv_1"}, dict.fromkeys(FAMILIES, REFUSED)),
    "picture of a tool": ({**RESPONSES_TOOLS, "input": [
        {"role": "user", "content": "Time?"},
        {"type": "function_call", "call_id": "c1", "name": "get_time", "arguments": "{\"city\":\"Oslo\"}"},
        {"type": "function_call_output", "call_id": "c1", "output": [
            {"type": "input_text", "text": "see"},
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64," + png()}]}]}, {
        "chat": {"messages": [{}, {"tool_calls": [{"id": "c1"}]}, {"role": "tool", "tool_call_id": "c1"},
                              {"role": "user", "content": [{"type": "image_url"}]}]},
        "responses": {"input": [{}, {}, {"output": [{}, {"type": "input_image"}]}]},
        "anthropic": {"messages": [{}, {}, {"content": [{"type": "tool_result", "content": [
            {"text": "see"}, {"type": "image"}]}]}]},
        "gemini": {"contents": [{}, {}, {"role": "user"}]}}),
}
ANTHROPIC = {
    "sampling": ({"temperature": 0.5, "top_p": 0.9, "top_k": 5, "metadata": {"user_id": "u1"}}, {
        "chat": {"temperature": 0.5, "top_p": 0.9}, "responses": {"temperature": 0.5, "user": "u1"},
        "anthropic": {"top_k": 5}, "gemini": {"generationConfig": {"topK": 5, "topP": 0.9}}}),
    "no tool": ({**ANTHROPIC_TOOLS, "tool_choice": {"type": "none"}}, ALL_NAMES),
    "one at a time": ({**ANTHROPIC_TOOLS, "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
                      ONE_AT_A_TIME),
    "text": ({"messages": asked({"type": "document", "title": "a.txt", "citations": {"enabled": True}, "source": {
        "type": "text", "media_type": "text/plain", "data": "words of a file"}}, TEXT)}, {
        "chat": {"messages": asked({"type": "text", "text": "<file name=\"a.txt\">\nwords of a file\n</file>"}, TEXT)},
        "responses": {"input": asked({"type": "input_text"}, {"type": "input_text"})},
        "anthropic": {"messages": asked({"type": "document", "citations": {"enabled": True}}, TEXT)},
        "gemini": {"contents": [{"parts": [{"inlineData": {"mimeType": "text/plain"}}, {}]}]}}),
    "file": ({"messages": asked({"type": "document", "source": {
        "type": "base64", "media_type": "application/pdf", "data": PDF}}, TEXT)}, {
        "chat": REFUSED, "responses": REFUSED, "anthropic": {"messages": asked({"type": "document"}, TEXT)},
        "gemini": {"contents": [{"parts": [{"inlineData": {"mimeType": "application/pdf", "data": PDF}}, {}]}]}}),
    "picture": ({"messages": asked({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})},
                A_PICTURE_THERE),
    "picture of a tool": ({**ANTHROPIC_TOOLS, "messages": [
        {"role": "user", "content": "Time?"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                                          {"type": "tool_use", "id": "t1", "name": "get_time", "input": {"city": "x"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [
            {"type": "text", "text": "see"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png()}}]}]}]}, {
        "chat": {"messages": [{}, {"tool_calls": [{"id": "t1"}]}, {"role": "tool", "tool_call_id": "t1"},
                              {"role": "user", "content": [{"type": "image_url"}]}]},
        "responses": {"input": [{}, {"call_id": "t1"}, {"output": [{"text": "Error:"}, {}, {"type": "input_image"}]}]},
        "anthropic": {"messages": [{}, {"content": [{"signature": "c2ln"}, {}]}, {}]},
        "gemini": {"contents": [{}, {}, {"role": "user"}]}}),
    "beginning": ({"messages": [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": "Once"}]}, {
        "chat": {"messages": [{}, {"role": "assistant", "content": "Once"}]},
        "responses": {"input": [{}, {"role": "assistant"}]}, "anthropic": {"messages": [{}, {"content": "Once"}]},
        "gemini": {"contents": [{}, {"role": "model", "parts": [{"text": "Once"}]}]}}),
    "effort": ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, {
        "chat": {"reasoning_effort": "high"}, "responses": {"reasoning": {"effort": "high"}},
        "anthropic": {"output_config": {"effort": "high"}},
        "gemini": {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}}),
    "no thoughts": ({"thinking": {"type": "disabled"}}, NO_THOUGHTS),
    "hidden thoughts": ({"messages": [
        {"role": "user", "content": "x"}, {"role": "assistant", "content": [
            {"type": "redacted_thinking", "data": "aGlkZGVu"}, {"type": "text", "text": "A"}]},
        {"role": "user", "content": "y"}]}, {
        "chat": {"messages": [{}, {"content": "A"}, {}]}, "responses": {"input": [{}, {"content": [{"text": "A"}]}, {}]},
        "anthropic": {"messages": [{}, {"content": [{"data": "aGlkZGVu"}, {}]}, {}]},
        "gemini": {"contents": [{}, {"parts": [{"text": "A"}]}, {}]}}),
}
GEMINI = {
    "sampling": ({"config": {"temperature": 0.5, "topP": 0.9, "topK": 5, "seed": 7, "presencePenalty": 0.1,
                             "frequencyPenalty": 0.2, "safetySettings": [{
                                 "category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}]}},
                 {**SAMPLED, "anthropic": {"temperature": 0.5, "top_p": 0.9, "top_k": 5}}),
    "logprobs": ({"config": {"responseLogprobs": True, "logprobs": 2}}, LOGPROBS),
    "json": ({"config": {"responseMimeType": "application/json"}}, AS_JSON),
    "old schema": ({"config": {"responseMimeType": "application/json", "responseSchema": {
        "type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}, "required": ["a"]}}}, {
        "chat": {"response_format": {"json_schema": {"schema": {"properties": {"a": {"type": ["string", "null"]}}}}}},
        "responses": {"text": {"format": {"schema": {"properties": {"a": {"type": ["string", "null"]}}}}}},
        "anthropic": {}, "gemini": {"generationConfig": {"responseSchema": {"type": "OBJECT"}}}}),
    "no tool": ({"config": {**GEMINI_TOOLS, **gemini_mode("NONE")}}, ALL_NAMES),
    "a tool": ({"config": {**GEMINI_TOOLS, **gemini_mode("ANY")}}, MUST_CALL),
    "level": ({"config": {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}}}, {
        "chat": {"reasoning_effort": "low"}, "responses": {"reasoning": {"effort": "low"}},
        "anthropic": {"thinking": {"type": "enabled"}}, "gemini": {"generationConfig": {"thinkingConfig": {}}}}),
    "no thoughts": ({"config": {"thinkingConfig": {"thinkingBudget": 0}}}, NO_THOUGHTS),
    "picture": ({"contents": [{"role": "user", "parts": [{"fileData": {
        "mimeType": "image/png", "fileUri": "https://example.com/a.png"}}]}]}, A_PICTURE_THERE),
    "kept prompt": ({"config": {"cachedContent": "cachedContents/1"}}, {
        "chat": REFUSED, "responses": REFUSED, "anthropic": REFUSED, "gemini": {"cachedContent": "cachedContents/1"}}),
    "results by name": ({"config": GEMINI_TOOLS, "contents": [
        {"role": "user", "parts": [{"text": "Time?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "get_time", "args": {"city": "x"}}},
                                    {"functionCall": {"name": "get_time", "args": {"city": "y"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "get_time", "response": {"output": "1"}}},
                                   {"functionResponse": {"name": "get_time", "response": {"error": "2"}}}]}]}, {
        "chat": {"messages": [{}, {"tool_calls": [{}, {}]}, {"content": "1"}, {"role": "tool"}]},
        "responses": {"input": [{}, {}, {}, {"output": "1"}, {}]},
        "anthropic": {"messages": [{}, {"content": [{}, {}]}, {"content": [{}, {"is_error": True}]}]},
        "gemini": {"contents": [{}, {}, {"parts": [{}, {}]}]}}),
}
SURFACES = {
    "chat": ("openai-chat", "chat.completions.create", CHAT, {"messages": [{"role": "user", "content": "Hello."}]}),
    "responses": ("openai-responses", "responses.create", RESPONSES, {"input": "Hello."}),
    "anthropic": ("anthropic", "messages.create", ANTHROPIC, {
        "max_tokens": 5000, "messages": [{"role": "user", "content": "Hello."}]}),
    "gemini": ("genai", "models.generateContent", GEMINI, {"contents": "Hello."})}
# Anthropic's Python library has no word for temperatures any more
WISHES = [(surface, name, how) for surface, (_, _, wishes, _) in SURFACES.items() for name in wishes
          for how in ("node", "python", "async") if (surface, name) != ("anthropic", "sampling") or how == "node"]


def lacks(wanted, found, where="body"):
    """What of `wanted` is not in `found`; "": all is there. An object may have more members, and a list not more.
    Google takes names in two spellings."""
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return f"{where} is no object"
        found = {re.sub("_(.)", lambda m: m[1].upper(), name): value for name, value in found.items()} | found
        return next((lack for name, value in wanted.items() if (
            lack := lacks(value, found.get(name), f"{where}.{name}"))), "")
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return f"{where} has not {len(wanted)}"
        return next((lack for i, value in enumerate(wanted) if (lack := lacks(value, found[i], f"{where}[{i}]"))), "")
    return "" if wanted == found else f"{where} is {found!r}"


def driver_of(name, how):
    return BY_NAME[name if how == "node" else "py-" + name], "call_later" if how == "async" else "call"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("surface, name, how", WISHES, ids=["-".join(wish).replace(" ", "_") for wish in WISHES])
def test_a_wish(world, surface, name, how, family):
    client, method, wishes, usual = SURFACES[surface]
    members, wanted = wishes[name]
    client, op = driver_of(client, how)
    world.says(family, False, Said("Fine."))
    out = world.do(client, op, None, method=method, body={"model": f"{family}/m", **usual, **members})
    if wanted[family] == REFUSED:
        assert out["error"]["status"] == 400 and world.provider.requests() == [], out
        return
    assert "error" not in out, out
    assert "Fine." in json.dumps(out["out"])
    body = world.provider.requests()[0].json
    assert not lacks(wanted[family], body), (lacks(wanted[family], body), body)
    is_lawful(world, client, family)
