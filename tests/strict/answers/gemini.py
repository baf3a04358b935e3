"""gemini.py - an answer of generateContent: what may be sent, and what is said?"""

import re

from strict.answers import sse

FINISH = {"STOP": "stop", "MAX_TOKENS": "length", **dict.fromkeys(
    ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY",
     "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR"), "content_filter"), **{word: word for word in (
         "OTHER", "FINISH_REASON_UNSPECIFIED", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
         "TOO_MANY_TOOL_CALLS", "NO_IMAGE", "IMAGE_OTHER", "CONTINUATION")}}
BLOCKED = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK",
           "BLOCKED_REASON_UNSPECIFIED")
# the word of an error, and its status
ERRORS = {"INVALID_ARGUMENT": (400, 413), "FAILED_PRECONDITION": (400, 503), "OUT_OF_RANGE": (400,),
          "UNAUTHENTICATED": (401,), "PERMISSION_DENIED": (403,), "NOT_FOUND": (404,), "ABORTED": (409, 503),
          "ALREADY_EXISTS": (409,), "RESOURCE_EXHAUSTED": (402, 429), "CANCELLED": (499,), "INTERNAL": (500, 502),
          "UNKNOWN": (500,), "UNIMPLEMENTED": (501,), "UNAVAILABLE": (502, 503, 507), "DEADLINE_EXCEEDED": (504, 408)}
KINDS = ("text inlineData fileData functionCall functionResponse executableCode codeExecutionResult toolCall "
         "toolResponse").split()
SIBLINGS = "thought thoughtSignature videoMetadata mediaResolution partMetadata"
COUNTS = ("promptTokenCount candidatesTokenCount thoughtsTokenCount totalTokenCount cachedContentTokenCount "
          "toolUsePromptTokenCount")
DETAILS = "promptTokensDetails candidatesTokensDetails cacheTokensDetails toolUsePromptTokensDetails"
CANDIDATE = ("content finishReason finishMessage index safetyRatings citationMetadata groundingMetadata avgLogprobs "
             "logprobsResult tokenCount urlContextMetadata")


def _usage(c, path, u):
    if not c.shape(path, u, "", f"{COUNTS} {DETAILS} trafficType serviceTier"):
        return
    c.counts(path, u, COUNTS)
    prompt = u.get("promptTokenCount", 0) + u.get("toolUsePromptTokenCount", 0)
    answer = u.get("candidatesTokenCount", 0), u.get("thoughtsTokenCount", 0)
    if "totalTokenCount" in u:
        c.total(path, u["totalTokenCount"], (prompt, *answer), "the total is the sum")
    c.within(path, u.get("cachedContentTokenCount"), u.get("promptTokenCount"), "more cached than asked")
    for name in DETAILS.split():
        for i, part in c.array(f"{path}.{name}", u.get(name, [])):
            c.shape(f"{path}.{name}[{i}]", part, "modality", "tokenCount")
    if "totalTokenCount" in u:
        c.told.update(u)
        answer = [c.told.get(name) for name in ("candidatesTokenCount", "thoughtsTokenCount")]
        asked = prompt if c.told.keys() & {"promptTokenCount", "toolUsePromptTokenCount"} else None
        c.usage = {"input": asked, "output": sum(n or 0 for n in answer) if answer != [None, None] else None,
                   "cached_input": c.told.get("cachedContentTokenCount"), "reasoning": c.told.get("thoughtsTokenCount")}


def _media(c, path, kind, value):
    if kind == "inlineData" and c.shape(path, value, "mimeType data", "displayName"):
        c.string(f"{path}.mimeType", value["mimeType"], r"[\w.+-]+/[\w.+-]+.*")
        c.b64(f"{path}.data", value["data"])
    elif kind == "fileData":
        c.shape(path, value, "fileUri", "mimeType displayName")


def _part(c, path, part, is_first):
    if not c.shape(path, part, "", f"{' '.join(KINDS)} {SIBLINGS}"):
        return
    kinds = [kind for kind in KINDS if kind in part]
    if not c.needs(len(kinds) == 1, path, f"a part is of one kind, not {kinds}"):
        return
    kind, value = kinds[0], part[kinds[0]]
    if "thought" in part:
        c.boolean(f"{path}.thought", part["thought"])
    signature = part.get("thoughtSignature")
    if signature is not None:
        c.b64(f"{path}.thoughtSignature", signature)
        c.needs(signature, path, "a signature of no letter")
        c.slots += [signature] if is_first else []
    if kind == "text" and c.string(f"{path}.text", value) and is_first:
        if part.get("thought"):
            c.reasoning += value
        else:
            c.text += value
    elif kind == "functionCall" and c.shape(f"{path}.functionCall", value, "name", "id args"):
        c.string(f"{path}.functionCall.name", value["name"], r".+")
        c.string(f"{path}.functionCall.id", value.get("id", "x"), r".+")
        c.needs(isinstance(value.get("args", {}), dict), f"{path}.functionCall.args", "an object is wanted")
        if is_first:
            c.calls.append({"id": value.get("id"), "name": value["name"], "arguments": value.get("args", {})})
    _media(c, f"{path}.{kind}", kind, value)
    c.media += is_first and kind in ("inlineData", "fileData")


def _logprobs(c, path, value):
    if not c.shape(path, value, "", "chosenCandidates topCandidates logProbabilitySum"):
        return
    for i, token in c.array(f"{path}.chosenCandidates", value.get("chosenCandidates", [])):
        c.shape(f"{path}.chosenCandidates[{i}]", token, "token", "tokenId logProbability")
    for i, tops in c.array(f"{path}.topCandidates", value.get("topCandidates", [])):
        c.shape(f"{path}.topCandidates[{i}]", tops, "", "candidates")


def error(c, text, status):
    value = c.json("error", text)
    if c.shape("error", value, "error"):
        _error(c, "error.error", value["error"])
    if c.error:
        c.needs(value["error"]["code"] == status, "error.error.code", f"not the status, {status}")


def _error(c, path, value):
    if not c.shape(path, value, "code message status", "details"):
        return
    c.string(f"{path}.message", value["message"], is_blank_ok=False)
    if c.one_of(f"{path}.status", value["status"], ERRORS):
        c.one_of(f"{path}.code", value["code"], ERRORS[value["status"]])
    for i, detail in c.array(f"{path}.details", value.get("details", [])):
        c.obj(f"{path}.details[{i}]", detail, ["@type"], is_open=True)
    c.error = {"message": value["message"], "word": value["status"]}


class Answer:
    """What the pieces of an answer add up to."""

    def __init__(self, c):
        self.c, self.first, self.finish, self.is_blocked = c, None, {}, False
        c.told = {}

    def piece(self, path, value):
        c = self.c
        if not c.needs(not c.error, path, "it is behind the end"):
            return
        if isinstance(value, dict) and "error" in value:
            c.shape(path, value, "error")
            _error(c, f"{path}.error", value["error"])
            return
        if not c.shape(path, value, "", "candidates promptFeedback usageMetadata modelVersion responseId createTime "
                       "modelStatus"):
            return
        self.first = self.first or value
        for name in ("modelVersion", "responseId"):
            if c.needs(name in value, path, f"{name} is missing"):
                c.same(f"{path}.{name}", value[name], self.first.get(name), name)
        for i, candidate in c.array(f"{path}.candidates", value.get("candidates", [])):
            self.candidate(f"{path}.candidates[{i}]", candidate)
        if "promptFeedback" in value and c.shape(f"{path}.promptFeedback", value["promptFeedback"], "",
                                                 "blockReason blockReasonMessage safetyRatings"):
            reason = value["promptFeedback"].get("blockReason")
            if reason is not None:
                c.one_of(f"{path}.promptFeedback.blockReason", reason, BLOCKED)
                self.is_blocked = True
        if "usageMetadata" in value:
            _usage(c, f"{path}.usageMetadata", value["usageMetadata"])
        c.needs(value.get("candidates") or self.is_blocked or "usageMetadata" in value, path, "it says nothing")

    def candidate(self, path, value):
        c = self.c
        if not c.shape(path, value, "", CANDIDATE):
            return
        at = value.get("index", 0)
        c.number(f"{path}.index", at, 0, is_int=True)
        c.needs(self.finish.setdefault(at, None) is None, path, "its candidate is over")
        content = value.get("content", {})
        if c.shape(f"{path}.content", content, "", "role parts"):
            c.needs("parts" not in content or content.get("role") == "model", f"{path}.content", "the role is model")
            for k, part in c.array(f"{path}.content.parts", content.get("parts", [])):
                _part(c, f"{path}.content.parts[{k}]", part, at == 0)
        if "logprobsResult" in value:
            _logprobs(c, f"{path}.logprobsResult", value["logprobsResult"])
        if "finishReason" in value:
            c.one_of(f"{path}.finishReason", value["finishReason"], FINISH)
            self.finish[at] = value["finishReason"]

    def end(self):
        c = self.c
        c.needs(c.error or self.finish or self.is_blocked, "answer", "neither a candidate nor why there is none")
        for at, word in self.finish.items():
            c.needs(c.error or word, f"candidate {at}", "it never ends")
        c.native = self.finish.get(0)
        c.finish = FINISH.get(c.native)
        if c.finish == "stop" and c.calls:
            c.finish = "tool_calls"
        c.choices, c.is_complete = len(self.finish), not c.error
        if self.is_blocked and not self.finish and not c.error:
            c.error = {"message": "blocked", "word": "content_filtered"}


def whole(c, text):
    a = Answer(c)
    a.piece("answer", c.json("answer", text))
    a.end()


def stream(c, text):
    a = Answer(c)
    for path, _, data in sse.events(c, text, False):
        a.piece(path, c.json(path, data))
    a.end()


def array(c, text):
    """The form of a stream where no event stream is asked for: one JSON array, written as it comes."""
    a = Answer(c)
    value = c.json("answer", text)
    for i, piece in c.array("answer", value, 1):
        a.piece(f"[{i}]", piece)
    a.end()


def carried(c, text):
    """Signatures, wherever they are in a reply."""
    for signature in re.findall(r'"thoughtSignature": *"([^"]*)"', text):
        c.b64("signature", signature)
