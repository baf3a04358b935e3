"""loop_callers.py - how does a program that speaks a public language keep a tool loop going?

As the official clients' examples do: the answer goes into the history as it came, then come the
results of its calls. A caller writes the request of a turn, and takes the answer, whole or streamed.
"""

import base64
import json

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
TOOLS = (("look_up", "Looks words up."), ("draw", "Draws something."))
SCHEMA = {"type": "object", "properties": {"turn": {"type": "integer"}, "b": {"type": "integer"}}}
QUESTION = "Go on until I say stop."


def result(turn, at):
    return f"result {at} of turn {turn}"


def events(text):
    """The data of each event of a stream."""
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]


class Caller:
    """`take` returns the answer's calls: [(id, name, arguments as an object)]."""

    path, query = "/", ""
    has_marks = False  # marks of what is to be cached, on the results

    def __init__(self, model):
        self.model = model
        self.history = []

    def where(self, is_stream):
        return self.path, self.query


class Chat(Caller):
    family, path, has_marks = "openai-chat", "/v1/chat/completions", True

    def request(self, is_stream):
        return {"model": self.model, "reasoning_effort": "medium",
                "messages": [{"role": "user", "content": QUESTION}, *self.history],
                "tools": [{"type": "function", "function": {"name": name, "description": about, "parameters": SCHEMA}}
                          for name, about in TOOLS],
                **({"stream": True, "stream_options": {"include_usage": True}} if is_stream else {})}

    def take(self, text, is_stream):
        if is_stream:
            message = {}
            for chunk in events(text):
                for choice in chunk["choices"]:
                    _accumulate(message, choice["delta"])
            for call in message["tool_calls"]:
                del call["index"]
        else:
            message = json.loads(text)["choices"][0]["message"]
        self.history.append(message)
        return [(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
                for c in message["tool_calls"]]

    def answer(self, calls, turn):
        """Results are text in this language; what is drawn goes to a message of the user's behind them."""
        self.history += [{"role": "tool", "tool_call_id": i, "content": [{
            "type": "text", "text": result(turn, at), **({"cache_control": {"type": "ephemeral"}} if at else {})}]}
            for at, (i, _, _) in enumerate(calls)]
        self.history.append({"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]})


def _accumulate(so_far, delta):
    """As OpenAI's own client adds a delta to what came before."""
    for name, value in delta.items():
        there = so_far.get(name)
        if there is None or name in ("index", "type"):
            so_far[name] = value
        elif isinstance(value, str):
            so_far[name] = there + value
        elif isinstance(value, dict):
            _accumulate(there, value)
        elif isinstance(value, list):
            for entry in value:
                if entry["index"] < len(there):
                    _accumulate(there[entry["index"]], entry)
                else:
                    there.append(entry)


class Anthropic(Caller):
    family, path, has_marks = "anthropic", "/v1/messages", True

    def request(self, is_stream):
        return {"model": self.model, "max_tokens": 8000, "stream": is_stream,
                "messages": [{"role": "user", "content": QUESTION}, *self.history],
                "thinking": {"type": "enabled", "budget_tokens": 2000},
                "tools": [{"name": name, "description": about, "input_schema": SCHEMA} for name, about in TOOLS]}

    def take(self, text, is_stream):
        content = [] if is_stream else json.loads(text)["content"]
        for e in events(text) if is_stream else ():
            if e["type"] == "content_block_start":
                content.append(e["content_block"])
                pieces = ""
            elif e["type"] == "content_block_delta":
                block, delta = content[e["index"]], e["delta"]
                pieces += delta.get("partial_json", "")
                for name in ("text", "thinking", "signature"):
                    if name in delta:
                        block[name] += delta[name]
            elif e["type"] == "content_block_stop" and pieces:
                content[e["index"]]["input"] = json.loads(pieces)
        self.history.append({"role": "assistant", "content": content})
        return [(b["id"], b["name"], b["input"]) for b in content if b["type"] == "tool_use"]

    def answer(self, calls, turn):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
        told = [{"type": "tool_result", "tool_use_id": i, "content": [{"type": "text", "text": result(turn, at)}]}
                for at, (i, _, _) in enumerate(calls)]
        told[1]["content"].append(image)
        told[1]["cache_control"] = {"type": "ephemeral"}
        for m in self.history:  # four marks are all that the language has
            for block in m["content"]:
                block.pop("cache_control", None)
        self.history.append({"role": "user", "content": told})


class Gemini(Caller):
    family = "gemini"

    def where(self, is_stream):
        verb = "streamGenerateContent" if is_stream else "generateContent"
        return f"/v1beta/models/{self.model}:{verb}", "alt=sse" if is_stream else ""

    def request(self, is_stream):
        return {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}, *self.history],
                "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
                "tools": [{"functionDeclarations": [{"name": name, "description": about, "parametersJsonSchema": SCHEMA}
                                                    for name, about in TOOLS]}]}

    def take(self, text, is_stream):
        pieces = events(text) if is_stream else [json.loads(text)]
        parts = [part for piece in pieces for candidate in piece.get("candidates", [])
                 for part in candidate.get("content", {}).get("parts", [])]
        self.history.append({"role": "model", "parts": parts})
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        return [(c.get("id"), c["name"], c.get("args", {})) for c in calls]

    def answer(self, calls, turn):
        told = []
        for at, (i, name, _) in enumerate(calls):
            response = {"name": name, "response": {"output": result(turn, at)}, **({"id": i} if i else {})}
            told.append({"functionResponse": response})
        told[1]["functionResponse"]["parts"] = [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
        self.history.append({"role": "user", "parts": told})


class Responses(Caller):
    family, path = "openai-responses", "/v1/responses"

    def request(self, is_stream):
        return {"model": self.model, "input": [{"role": "user", "content": QUESTION}, *self.history], "store": False,
                "stream": is_stream, "include": ["reasoning.encrypted_content"],
                "reasoning": {"effort": "medium", "summary": "auto"},
                "tools": [{"type": "function", "name": name, "description": about, "parameters": SCHEMA,
                           "strict": False} for name, about in TOOLS]}

    def take(self, text, is_stream):
        response = events(text)[-1]["response"] if is_stream else json.loads(text)
        self.history += response["output"]
        return [(i["call_id"], i["name"], json.loads(i["arguments"])) for i in response["output"]
                if i["type"] == "function_call"]

    def answer(self, calls, turn):
        for at, (i, _, _) in enumerate(calls):
            output = [{"type": "input_text", "text": result(turn, at)}]
            if at:
                output.append({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"})
            self.history.append({"type": "function_call_output", "call_id": i, "output": output})


CALLERS = (Chat, Anthropic, Gemini, Responses)
