"""route_calls.py - what comes of a call whose first of two targets fails?"""

import contextlib
import json

import harness
import msgpack
from provider_client import Provider
from surfaces import FAMILIES, Call
from wire import CALL, CREDIT, END, EVENT, FAULT, HELLO, WELCOME, WireClient

PATHS = {"openai-chat": "/v1/chat/completions", "openai-responses": "/v1/responses"}


# ---- who is asked ----

@contextlib.contextmanager
def providers(certs, n):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Provider(certs, needs_key=False)) for _ in range(n)]


def path_of(name, what):
    """Where requests for that provider come, in the dialect of the fault."""
    return f"/{name}{PATHS[what.dialect]}"


def two_targets(rig, name, what, **more):
    """A provider of that name in the dialect of a fault, and an alias of it and of the second."""
    return harness.provider_section(rig, name, auth="none", base_path="/" + name, dialect=f"{what.dialect} {PATHS[what.dialect]}") + \
        harness.section("model", "both-" + name, {"target": [name + "/m", "second/m"], **more})


# ---- the calls ----

class Typed:
    """A typed chat under way on a connection of its own, and what has come of it."""

    def __init__(self, made, model, text="Say it.", stream=True, **more):
        body = msgpack.packb({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]})
        self.events, self.texts, self.calls, self.finishes, self.last = [], [], {}, [], None
        self.client = WireClient(made.socket, timeout=30)
        self.client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "faults"})
        self.client.recv_until(WELCOME)
        self.client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "body": body, **more})

    def frame(self):
        frame = self.client.recv_frame()
        assert frame is not None, "the broker hung up"
        assert self.last is None
        if frame.type in (END, FAULT):
            self.last = frame
            return
        if frame.type != EVENT:
            assert frame.type == CREDIT, frame
            return
        self.client.send_frame(CREDIT, 1, {"bytes": frame.size})
        event, name = frame.body, frame.body["ev"]
        self.events.append(event)
        if name == "text":
            self.texts.append(event["d"])
        elif name == "tool_start":
            self.calls[event.get("t", 0)] = [event["name"], ""]
        elif name == "tool_args":
            self.calls[event.get("t", 0)][1] += event["d"]
        elif name == "finish":
            self.finishes.append(event["finish"])

    def until(self, n):
        """Reads until so many pieces of text have come."""
        while len(self.texts) < n and self.last is None:
            self.frame()
        return self

    def finish(self):
        while self.last is None:
            self.frame()
        self.close()
        return self

    def close(self):
        self.client.close()

    def all(self, name):
        """Its events of that kind."""
        return [event for event in self.events if event["ev"] == name]

    @property
    def text(self):
        return "".join(self.texts)

    @property
    def ended_well(self):
        """Whether the answer is whole, by its own marks."""
        return self.last.type == END and len(self.finishes) == 1

    @property
    def fault(self):
        return self.last.body["class"] if self.last.type == FAULT else None


class Relayed:
    """The same of a caller who speaks OpenAI's chat."""

    family = FAMILIES["chat"]

    def __init__(self, made, model, text="it", stream=True, **more):
        self.call = Call(made, **self.family.ask(model, text, stream), timeout=30, **more)

    def until(self, n):
        while self.call.body.count(b'"content"') <= n and self.call.last is None:
            self.call.frame()
        return self

    def finish(self):
        self.call.finish()
        return self

    def close(self):
        self.call.close()

    @property
    def last(self):
        return self.call.last

    @property
    def chunks(self):
        """What its provider sent is passed on byte by byte, and so is a line that is no JSON."""
        return [json.loads(line[6:]) for line in self.call.body.decode().replace("\r", "").split("\n")
                if line.startswith("data: {") and line != "data: {oops"]

    @property
    def _choices(self):
        return [choice for chunk in self.chunks for choice in chunk.get("choices", ())]

    @property
    def text(self):
        if self.call.is_stream:
            return "".join(choice["delta"].get("content") or "" for choice in self._choices)
        return self.family.text(self.call) if self.call.is_good else ""

    @property
    def calls(self):
        calls = {}
        for choice in self._choices:
            for piece in choice["delta"].get("tool_calls") or ():
                call = calls.setdefault(piece["index"], ["", ""])
                call[0] += piece["function"].get("name") or ""
                call[1] += piece["function"].get("arguments") or ""
        return calls

    @property
    def ended_well(self):
        finishes = [choice["finish_reason"] for choice in self._choices if choice.get("finish_reason")]
        return self.call.is_good and self.call.status == 200 and len(finishes) == 1 and \
            not any("error" in chunk for chunk in self.chunks)

    @property
    def fault(self):
        """Its class, once it is sure that it was told in the surface's own words, too, and once."""
        fault = self.call.fault
        if fault and self.call.is_stream:
            errors = [chunk for chunk in self.chunks if "error" in chunk]
            assert errors == self.chunks[-1:], self.call
            assert b"[DONE]" not in self.call.body, "an answer that broke has no good end"
        elif fault:
            assert self.call.status >= 400 and self.family.error(self.call)[1], self.call
        return fault


# ---- what is kept of them ----

def ledger(made):
    """Its rows, and those that waited to be written."""
    assert made.llmb("usage").code == 0
    return made.ledger()


def rows_of(made, call):
    """The exchange's row and those of its attempts, once they are there."""
    def found():
        rows = ledger(made)
        mine = [row for row in rows["exchange"] if row["id"] == call.last.body["request_id"]]
        return mine and (mine[0], sorted((row for row in rows["attempt"] if row["exchange_id"] == mine[0]["id"]),
                                         key=lambda row: row["number"]))
    return harness.wait_until(found, 10, "the rows of a call")
