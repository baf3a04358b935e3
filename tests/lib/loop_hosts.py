"""loop_hosts.py - what does each family's model answer in a tool loop, and what was it asked?

A host writes the reply of one turn in its own language, with reasoning, text and two calls at a time,
and reads what a request of that language has of the turns before.
"""

import base64
import json


def seal(turn):
    """What must come back as it was with the reasoning of a turn."""
    return base64.b64encode(f"sealed reasoning of turn {turn}".encode()).decode()


def thought(turn):
    return f"Turn {turn} needs two tools."


def text(turn):
    return f"Turn {turn}: I look both up."


def calls(turn, ids):
    """[(id, name, arguments)]: numbers and their order must survive."""
    return [(ids[0], "look_up", {"turn": turn, "big": 9007199254740993, "words": ["ä", "\"", "\\"]}),
            (ids[1], "draw", {"b": turn, "a": {"nested": [1, 2.5, None]}})]


def dump(value):
    return json.dumps(value, ensure_ascii=False)


class Host:
    """`family` is asked at `provider`, for `model`; `is_sealed`: its reasoning must come back as it was."""

    def __init__(self, family, model, provider=None, is_sealed=False):
        self.family, self.model, self.provider, self.is_sealed = family, model, provider, is_sealed
        self.name = f"{family} ({provider})" if provider else family
        self.keeps_by_itself = provider != "openrouter" and family in (
            "openai-chat", "openai-responses", "gemini", "mistral", "ollama")

    def ids(self, turn):
        return f"call_{turn}_a", f"call_{turn}_b"

    def seals_of(self, body):
        """Which turns' seals are in a request?"""
        text = dump(body)
        return [turn for turn in range(1, 11) if seal(turn) in text]


def chat_calls(turn, ids):
    return [{"id": i, "type": "function", "function": {"name": name, "arguments": dump(args)}}
            for i, name, args in calls(turn, ids)]


def plain(content):
    """A content's text, whether it is a text or parts of one."""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or part.get("document", {}).get("data", "")) for part in content or [])


class Chat(Host):
    """Chat completions, where a host says reasoning in members of its own."""

    def message(self, turn):
        message = {"role": "assistant", "content": text(turn), "tool_calls": chat_calls(turn, self.ids(turn))}
        if self.provider == "openrouter":
            message["reasoning"] = thought(turn)
            message["reasoning_details"] = [{"type": "reasoning.text", "text": thought(turn), "signature": seal(turn),
                                             "format": "anthropic-claude-v1", "index": 0}]
        elif self.provider == "deepseek":
            message["reasoning_content"] = thought(turn)
        return message

    def reply(self, turn):
        return {"id": f"chatcmpl-{turn}", "object": "chat.completion", "created": 1795305600, "model": self.model,
                "choices": [{"index": 0, "message": self.message(turn), "finish_reason": "tool_calls"}],
                "usage": {"prompt_tokens": 10 + turn, "completion_tokens": 20, "total_tokens": 30 + turn}}

    def turns(self, body):
        """[(calls, results)] of a request: [(id, name, arguments)] and [(id or name, text)]."""
        found = []
        for m in body["messages"]:
            if m["role"] == "assistant" and m.get("tool_calls"):
                found.append(([(c.get("id"), c["function"]["name"], c["function"]["arguments"])
                               for c in m["tool_calls"]], []))
            elif m["role"] == "tool":
                found[-1][1].append((m.get("tool_call_id", m.get("tool_name")), plain(m["content"])))
        return found


class Mistral(Chat):
    def ids(self, turn):
        return f"aB3dE6{turn:02}a", f"aB3dE6{turn:02}b"

    def message(self, turn):
        return {"role": "assistant", "tool_calls": chat_calls(turn, self.ids(turn)), "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": thought(turn)}]},
            {"type": "text", "text": text(turn)}]}


class Cohere(Chat):
    def ids(self, turn):
        return f"look_up_{turn}", f"draw_{turn}"

    def reply(self, turn):
        message = {"role": "assistant", "tool_plan": thought(turn), "content": [{"type": "text", "text": text(turn)}],
                   "tool_calls": chat_calls(turn, self.ids(turn))}
        return {"id": f"c-{turn}", "finish_reason": "TOOL_CALL", "message": message,
                "usage": {"tokens": {"input_tokens": 10 + turn, "output_tokens": 20}}}


class Ollama(Chat):
    def ids(self, turn):
        return None, None

    def reply(self, turn):
        asked = [{"function": {"name": name, "arguments": args}} for _, name, args in calls(turn, self.ids(turn))]
        return {"model": self.model, "created_at": "2026-11-22T00:00:00Z", "done": True, "done_reason": "stop",
                "message": {"role": "assistant", "content": text(turn), "thinking": thought(turn), "tool_calls": asked},
                "prompt_eval_count": 10 + turn, "eval_count": 20}


class Responses(Host):
    def reply(self, turn):
        output = [{"type": "reasoning", "id": f"rs_{turn}", "encrypted_content": seal(turn),
                   "summary": [{"type": "summary_text", "text": thought(turn)}]},
                  {"type": "message", "id": f"msg_{turn}", "role": "assistant", "status": "completed", "content": [
                      {"type": "output_text", "text": text(turn), "annotations": []}]}]
        output += [{"type": "function_call", "id": f"fc_{i}", "call_id": i, "name": name, "arguments": dump(args),
                    "status": "completed"} for i, name, args in calls(turn, self.ids(turn))]
        return {"id": f"resp_{turn}", "object": "response", "created_at": 1795305600, "status": "completed",
                "error": None, "incomplete_details": None, "model": self.model, "output": output,
                "usage": {"input_tokens": 10 + turn, "output_tokens": 20, "total_tokens": 30 + turn}}

    def turns(self, body):
        found, is_open = [], False
        for item in body["input"]:
            kind = item.get("type")
            if kind == "function_call":
                if not is_open:
                    found.append(([], []))
                is_open = True
                found[-1][0].append((item["call_id"], item["name"], item["arguments"]))
            elif kind == "function_call_output":
                is_open = False
                found[-1][1].append((item["call_id"], plain(item["output"])))
        return found


class Anthropic(Host):
    def ids(self, turn):
        return f"toolu_{turn}_a", f"toolu_{turn}_b"

    def reply(self, turn):
        content = [{"type": "thinking", "thinking": thought(turn), "signature": seal(turn)},
                   {"type": "text", "text": text(turn)}]
        content += [{"type": "tool_use", "id": i, "name": name, "input": args}
                    for i, name, args in calls(turn, self.ids(turn))]
        return {"id": f"msg_{turn}", "type": "message", "role": "assistant", "model": self.model, "content": content,
                "stop_reason": "tool_use", "stop_sequence": None,
                "usage": {"input_tokens": 10 + turn, "output_tokens": 20}}

    def turns(self, body):
        found = []
        for m in body["messages"]:
            content = m["content"] if isinstance(m["content"], list) else []
            asked = [(b["id"], b["name"], b["input"]) for b in content if b["type"] == "tool_use"]
            told = [(b["tool_use_id"], plain(b.get("content"))) for b in content if b["type"] == "tool_result"]
            if asked:
                found.append((asked, []))
            if told:
                found[-1][1].extend(told)
        return found


class Bedrock(Host):
    def ids(self, turn):
        return f"tooluse_{turn}_a", f"tooluse_{turn}_b"

    def reply(self, turn):
        content = [{"reasoningContent": {"reasoningText": {"text": thought(turn), "signature": seal(turn)}}},
                   {"text": text(turn)}]
        content += [{"toolUse": {"toolUseId": i, "name": name, "input": args}}
                    for i, name, args in calls(turn, self.ids(turn))]
        return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "tool_use",
                "usage": {"inputTokens": 10 + turn, "outputTokens": 20, "totalTokens": 30 + turn},
                "metrics": {"latencyMs": 1}}

    def turns(self, body):
        found = []
        for m in body["messages"]:
            asked = [b["toolUse"] for b in m["content"] if "toolUse" in b]
            told = [b["toolResult"] for b in m["content"] if "toolResult" in b]
            if asked:
                found.append(([(c["toolUseId"], c["name"], c["input"]) for c in asked], []))
            if told:
                found[-1][1].extend((r["toolUseId"], plain(r["content"])) for r in told)
        return found


class Gemini(Host):
    """The first call of a turn is sealed."""

    def ids(self, turn):
        return f"fc-{turn}-a", f"fc-{turn}-b"

    def reply(self, turn):
        parts = [{"text": thought(turn), "thought": True}, {"text": text(turn)}]
        parts += [{"functionCall": {"id": i, "name": name, "args": args}} for i, name, args in
                  calls(turn, self.ids(turn))]
        parts[2]["thoughtSignature"] = seal(turn)
        return {"candidates": [{"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 10 + turn, "candidatesTokenCount": 12, "thoughtsTokenCount": 8,
                                  "totalTokenCount": 30 + turn},
                "modelVersion": self.model, "responseId": f"r{turn}"}

    def turns(self, body):
        found = []
        for content in body["contents"]:
            asked = [p["functionCall"] for p in content["parts"] if "functionCall" in p]
            told = [p["functionResponse"] for p in content["parts"] if "functionResponse" in p]
            if asked:
                found.append(([(c.get("id"), c["name"], c.get("args", {})) for c in asked], []))
            if told:
                found[-1][1].extend((r.get("id", r["name"]), dump(r["response"])) for r in told)
        return found

    def seals_of(self, body):
        """By the turn whose first call has it."""
        sealed = [p["thoughtSignature"] for content in body["contents"] for p in content["parts"]
                  if "functionCall" in p and "thoughtSignature" in p]
        return [turn for turn in range(1, 11) if seal(turn) in sealed]


HOSTS = (
    Chat("openai-chat", "gpt-5.4"),
    Chat("openai-chat", "anthropic/claude-sonnet-4.5", "openrouter", is_sealed=True),
    Chat("openai-chat", "deepseek-reasoner", "deepseek"),
    Responses("openai-responses", "gpt-5.4", is_sealed=True),
    Anthropic("anthropic", "claude-sonnet-4-5", is_sealed=True),
    Gemini("gemini", "gemini-3-pro-preview", is_sealed=True),
    Bedrock("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", is_sealed=True),
    Mistral("mistral", "magistral-medium-latest"),
    Cohere("cohere", "command-a-reasoning-08-2025"),
    Ollama("ollama", "qwen3"),
)
