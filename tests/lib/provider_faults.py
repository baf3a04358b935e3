"""provider_faults.py - every way in which a provider fails or is odd, as scripts of reply.py.

Pure data. Two tables: FAULTS are those that a caller must not notice as long as nothing of the answer has
come, and ODD those of a whole answer. `Mix` draws from them for provider.py: by a seed and by a number, so
that a run can be had again.

A fault says what of it the provider counts as answered. It has answered where its caller has all that there
is: a whole error, also inside a stream, or a whole answer. Else its caller cannot know whether the request
was served and is to be paid for.
"""

import dataclasses
import json
import random

LOST = " ".join(f"lost{i}" for i in range(1, 61))  # what the one that fails says
TOKENS = 20  # so many have come where something happens after content
SEEN = {"events": TOKENS + 1}  # the first event of a stream of ours carries no token
ROLE = {"events": 1}
CHAT, RESPONSES = "openai-chat", "openai-responses"


@dataclasses.dataclass
class Fault:
    """`script` is what happens before content, `after` after TOKENS of it; None: nothing.

    `flaw` and `listener` are what happens to a connection (provider_client.Provider) before there is any
    request. `told` are the classes that a caller may be told, where nobody else takes over. `once`: it is not
    drawn for one request of many, for all others would suffer by it, or it takes too long."""
    script: dict = None
    after: dict = None
    told: tuple = ()
    answers: bool = False  # the provider has answered, as it sees it, by `script`
    told_after: tuple = ("stream_incomplete",)
    answers_after: bool = False
    flaw: dict = None
    listener: str = None
    dialect: str = CHAT
    once: bool = False

    @property
    def is_connect(self):
        return self.flaw is not None or self.listener is not None


@dataclasses.dataclass
class Odd:
    """An answer that is whole. `calls` are its tool calls, (name, arguments)."""
    script: dict
    text: str = LOST
    calls: tuple = ()
    dialect: str = CHAT
    once: bool = False
    is_connect, flaw, listener = False, None, None


def said(text=LOST, **more):
    return {"answer": {"text": text}, **more}


def chunk(delta, finish=None, **more):
    """An event of chat completions by hand."""
    return json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-said", "choices": [
        {"index": 0, "delta": delta, "finish_reason": finish}], **more})


def usage(**counts):
    return json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-said", "choices": [],
                       "usage": counts})


def words(count=TOKENS):
    return [chunk({"content": piece}) for piece in (f"lost{i} " for i in range(1, count + 1))]


START = chunk({"role": "assistant", "content": ""})
TOP_LEVEL = json.dumps({"error": {"code": 502, "message": "Provider returned error",
                                  "metadata": {"provider_name": "Beneath"}}})
NO_JSON = {"raw": "data: {oops\n\n"}


def response_event(name, **members):
    return {"event": name, "data": json.dumps({"type": name, **members})}


def response(status, **more):
    return {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m-said",
            "output": [], **more}


R_START = [response_event("response.created", response=response("in_progress"), sequence_number=0)]
R_FAILED = response_event("response.failed", sequence_number=9, response=response(
    "failed", error={"code": "server_error", "message": "The model failed to answer"}))
R_WORDS = [response_event("response.output_item.added", output_index=0, item={
    "type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}),
    response_event("response.content_part.added", output_index=0, item_id="msg_1", content_index=0, part={
        "type": "output_text", "text": "", "annotations": []}),
    *(response_event("response.output_text.delta", output_index=0, item_id="msg_1", content_index=0,
                     delta=f"lost{i} ") for i in range(1, TOKENS + 1))]


def r_call():
    """A call whose arguments come whole, at its end, and in no piece."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look_up", "status": "completed",
            "arguments": '{"a":1}'}
    return [*R_START,
            response_event("response.output_item.added", output_index=0, item=dict(
                call, arguments="", status="in_progress")),
            response_event("response.function_call_arguments.done", output_index=0, item_id="fc_1",
                           arguments='{"a":1}'),
            response_event("response.output_item.done", output_index=0, item=call),
            response_event("response.completed", response=response(
                "completed", output=[call], usage={"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}))]


def events(*list_of):
    return {"sse": list(list_of)}


def refused(status, told, once=False, **more):
    return Fault({"status": status, **more}, told=(told,), answers=True, once=once)


UNKNOWN = ("outcome_unknown", "timeout", "stream_incomplete", "server_error", "connection")

FAULTS = {
    # nobody has heard the request
    "connect-refused": Fault(listener="down", told=("connection",), once=True),
    "connect-swallowed": Fault(listener="blackhole", told=("connection", "timeout"), once=True),
    "connect-reset": Fault(flaw={"reset": True}, told=("connection",)),
    "connect-closed": Fault(flaw={"close": True}, told=("connection",)),
    "accept-silence": Fault(flaw={"stall": "accept"}, told=("connection", "timeout")),
    "tls-stall": Fault(flaw={"stall": "hello"}, told=("connection", "timeout")),
    "tls-stall-late": Fault(flaw={"stall_after": 100}, told=("connection", "timeout"), once=True),
    # heard, and nothing said
    "silence": Fault({"silence": "start"}, said(silence=SEEN), UNKNOWN, told_after=("timeout", "stream_incomplete")),
    "head-silence": Fault(said(silence="head"), None, UNKNOWN),
    "start-silence": Fault(said(silence=ROLE), None, UNKNOWN),
    # refused with a status
    "429-after": refused(429, "rate_limited", True, headers={"retry-after": "3000"}),
    "429-after-ms": refused(429, "rate_limited", True, headers={"retry-after-ms": "3000000"}),
    "429-soon": refused(429, "rate_limited", headers={"retry-after-ms": "30"}),
    "429-bare": refused(429, "rate_limited"),
    "401": refused(401, "auth", True),
    "402": refused(402, "quota_exhausted", True),
    "403": refused(403, "permission", True),
    "404": refused(404, "not_found", True, error={"code": "model_not_found"}),
    "500": refused(500, "server_error"),
    "502": refused(502, "server_error"),
    "503": refused(503, "overloaded"),
    "504": refused(504, "timeout"),
    "529": refused(529, "overloaded"),
    "redirect": Fault({"status": 307, "headers": {"location": "https://elsewhere.test/v1/chat/completions"},
                       "body": ""}, told=("invalid_request",), answers=True, once=True),
    # said inside of a good status's stream
    "429-in-stream": Fault(said(error_event={"events": 1, "status": 429}),
                           said(error_event={**SEEN, "status": 429}), ("rate_limited",), True, ("rate_limited",), True),
    "error-in-stream": Fault(said(error_event={"events": 1, "status": 500}),
                             said(error_event={**SEEN, "status": 503}), ("server_error",), True,
                             ("overloaded", "server_error"), True),
    "error-top-level": Fault(events(START, TOP_LEVEL), events(START, *words(), TOP_LEVEL), ("server_error",), True,
                             ("server_error",), True),
    "error-finish": Fault(events(START, chunk({}, "error"), "[DONE]"),
                          events(START, *words(), chunk({}, "error"), "[DONE]"), UNKNOWN,
                          told_after=("server_error",)),
    "response-failed": Fault(events(*R_START, R_FAILED), events(*R_START, *R_WORDS, R_FAILED),
                             ("server_error",), True, ("server_error",), True, dialect=RESPONSES),
    # no whole answer
    "cut": Fault(said(close_after=ROLE), said(close_after={"events": 41}), UNKNOWN),
    "cut-head": Fault(said(close_after="start"), None, UNKNOWN),
    "cut-tls": Fault(said(close_after=ROLE, close_notify=False), said(close_after=SEEN, close_notify=False), UNKNOWN),
    "reset": Fault(said(reset_after=ROLE), said(reset_after={"events": 41}, pause={"at": SEEN, "ms": 200}), UNKNOWN),
    "reset-head": Fault(said(reset_after="start"), None, UNKNOWN),
    "no-finish": Fault(events(START), said(no_finish=True), UNKNOWN),
    "no-answer": Fault(events(), None, UNKNOWN),
    "bad-lines": Fault(events(START, NO_JSON, NO_JSON, NO_JSON), events(START, *words(), NO_JSON, NO_JSON, NO_JSON),
                       UNKNOWN, told_after=("stream_incomplete", "server_error")),
    "gzip": Fault(said(gzip=True), None, UNKNOWN),
    "no-http": Fault({"steps": [{"send": "SSH-2.0-OpenSSH_9.2\r\n"}]}, None, UNKNOWN),
}

CALLS = (("look_up", '{"a":1}'), ("draw", '{"b":2}'))


def tool(slot, id=None, name=None, arguments=None):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    head = {"id": id, "type": "function"} if id else {}
    return {"index": slot, **head, "function": function}


def interleaved(first="call_1", second="call_2"):
    """Two calls whose pieces come by turns."""
    return events(START, chunk({"tool_calls": [tool(0, first, "look_up", "")]}),
                  chunk({"tool_calls": [tool(1, second, "draw", "")]}),
                  chunk({"tool_calls": [tool(0, arguments='{"a"')]}),
                  chunk({"tool_calls": [tool(1, arguments='{"b"')]}),
                  chunk({"tool_calls": [tool(1, arguments=":2}"), tool(0, arguments=":1}")]}),
                  chunk({}, "tool_calls"), usage(prompt_tokens=9, completion_tokens=3, total_tokens=12), "[DONE]")


def counted(*where, start=None):
    """Words, and usage where it is said: at the start, in each piece, at the end."""
    head = START if start is None else chunk({"role": "assistant", "content": ""}, usage=start)
    return events(head, *words(), chunk({}, "stop"), *where, "[DONE]")


WORDS = "".join(f"lost{i} " for i in range(1, TOKENS + 1))
UTF8 = "grüße 🦊 из 東京 \u0301e"
BIG = 10 << 20

ODD = {
    "bad-line-once": Odd(said(insert=[{"at": {"events": 5}, "text": "data: {oops\n\n"}])),
    "done-missing": Odd(said(no_done=True)),
    "usage-in-pieces": Odd(counted(start={"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}), WORDS),
    "usage-at-start": Odd(counted(start={"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}), WORDS),
    "usage-missing": Odd(counted(), WORDS),
    "usage-zero": Odd(counted(usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)), WORDS),
    "usage-contradicts": Odd(counted(usage(prompt_tokens=9, completion_tokens=20, total_tokens=3), start={
        "prompt_tokens": 500, "completion_tokens": 1, "total_tokens": 501}), WORDS),
    "arguments-on-done": Odd(events(*r_call()), "", CALLS[:1], RESPONSES),
    "no-calls": Odd(events(START, *(chunk({"content": f"lost{i} ", "tool_calls": []})
                                    for i in range(1, TOKENS + 1)), chunk({"tool_calls": []}, "stop"), "[DONE]"),
                    WORDS),
    "calls-by-turns": Odd(interleaved(), "", CALLS),
    "same-ids": Odd(interleaved("call_1", "call_1"), "", CALLS),
    "byte-by-byte": Odd(said(packet_bytes=1, answer={"text": LOST[:60]}), LOST[:60], once=True),
    "event-of-10-mb": Odd(said(big_event=BIG), LOST.replace("lost1", "lost1" + "x" * BIG, 1), once=True),
    "http-1.0": Odd(said(framing="http10")),
    "ended-by-close": Odd(said(framing="close")),
    "slow": Odd(said(delay_ms=200, answer={"text": "a b c d e"}), "a b c d e", once=True),
    "unknown-events": Odd(said(insert=[
        {"at": {"events": 4}, "text": 'event: response.new_thing\ndata: {"type":"response.new_thing","x":[1]}\n\n'},
        {"at": {"events": 2}, "text": 'data: {"object":"chat.completion.ping"}\n\n: ping\n\nretry: 9\nid: 4\n\n'}])),
    "utf8-cut": Odd(said(packet_bytes=1, answer={"text": UTF8}), UTF8, once=True),
    "random-packets": Odd(said(random_cuts={"seed": 7, "max": 90})),
    "crlf": Odd(said(crlf=True)),
    "clock-past": Odd(said(headers={"date": "Thu, 01 Jan 1970 00:00:00 GMT", "x-ratelimit-limit-requests": "1000",
                                    "x-ratelimit-remaining-requests": "999", "x-ratelimit-reset-requests": "-5s"})),
    "clock-future": Odd(said(headers={"date": "Fri, 31 Dec 9999 23:59:59 GMT", "x-ratelimit-limit-requests": "1000",
                                      "x-ratelimit-remaining-requests": "999",
                                      "x-ratelimit-reset-requests": "99999999999h"})),
}

# what can become of an answer in one piece, besides a status, a silence and the end of the connection
WHOLE = {"cut-body": {"close_after": 40}, "reset-body": {"reset_after": -1}, "stall-body": {"silence": 40},
         "no-json": {"body": '{"id":"c1","object":"chat.completion","choices":[{oops'},
         # all of it came, whatever its length was said to be
         "length-lie": {"content_length": "+9", "framing": "length", "close_after": "end", "answered": True},
         "gzip": {"gzip": True}}
_WHERE = ("close_after", "reset_after", "silence")


def _is_for_both(script):
    return set(script) <= {"status", "headers", "error", "answered", "framing", "steps", *_WHERE} and not any(
        isinstance(script.get(member), dict) for member in _WHERE)


def _drawn():
    """What can be drawn for a request of a stream: {name: script}; and for a connection: {name: flaw}."""
    scripts, flaws = {}, {}
    for name, fault in FAULTS.items():
        if fault.once or fault.dialect != CHAT:
            continue
        if fault.flaw:
            flaws[name] = fault.flaw
            continue
        for kind, script, answers in (("", fault.script, fault.answers), ("-after", fault.after, fault.answers_after)):
            if script is not None:
                scripts[name + kind] = dict(script, answered=answers)
    for name, odd in ODD.items():
        if not odd.once and odd.dialect == CHAT:
            scripts[name] = dict(odd.script, answered=True)
    for script in scripts.values():
        script.pop("answer", None)  # the words are those that were asked for
    return scripts, flaws


SCRIPTS, FLAWS = _drawn()
WHOLE_SCRIPTS = {**{name: script for name, script in SCRIPTS.items() if _is_for_both(script)},
                 **{name: {"answered": False, **script} for name, script in WHOLE.items()}}


class Mix:
    """What happens to the nth request and to the nth connection, by chance, but always the same."""

    def __init__(self, seed, weights=None, good=30, connection=2):
        """`weights` of faults by their names (1 for each; where any are given, 0 for all others); `good`
        that of an answer without fault; `connection` what share of new connections, in 100, fail."""
        self.seed, self.good, self.connection = seed, good, connection
        known = dict.fromkeys([*SCRIPTS, *WHOLE_SCRIPTS, *FLAWS], 1)
        weights = known if weights is None else weights
        odd = sorted(set(weights) - set(known))
        if odd:
            raise ValueError(f"no fault of a mix: {', '.join(odd)}; there are {', '.join(known)}")
        self.scripts = {name: weight for name, weight in weights.items() if name in SCRIPTS}
        self.whole_scripts = {name: weight for name, weight in weights.items() if name in WHOLE_SCRIPTS}
        self.flaws = {name: weight for name, weight in weights.items() if name in FLAWS}
        self.drawn = {}  # name: how often

    def _draw(self, kind, number, weights):
        name = random.Random(f"{self.seed}:{kind}:{number}").choices(list(weights), list(weights.values()))[0]
        self.drawn[name] = self.drawn.get(name, 0) + 1
        return name

    def request(self, number, is_stream):
        """(name, script) of the nth request, from 1; the script is {} where nothing is wrong."""
        name = self._draw("request", number, {"good": self.good, **(self.scripts if is_stream else self.whole_scripts)})
        return name, (SCRIPTS if is_stream else WHOLE_SCRIPTS).get(name, {})

    def connect(self, number):
        """The flaw of the nth connection."""
        if not self.flaws or not self.connection:
            return {}
        if random.Random(f"{self.seed}:whether:{number}").random() * 100 >= self.connection:
            return {}
        return FLAWS[self._draw("connection", number, self.flaws)]
