"""test_cut_anywhere.py - is an answer that ends at any byte told for what it is?

A stream of a few words is ended by FIN and by RST behind each of its bytes: whoever gets no whole answer is told so, and
what the ledger has is no success. $LLMB_CUTS=1 tries each byte, else one in so many."""

import json
import os

import harness
import msgpack
import pytest
from wire import CALL, END, EVENT, FAULT, HELLO, WELCOME, WireClient

STEP = int(os.environ.get("LLMB_CUTS", "0")) or (17 if harness.SLOWER == 1 and not harness.is_sanitized() else 211)


def chunk(delta, finish=None, **more):
    return "data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": delta, "finish_reason": finish}], **more}) + "\n\n"


WORDS = ("One ", "two, ", "thr\u00e9e.")
BODY = "".join([chunk({"role": "assistant", "content": ""}), *(chunk({"content": word}) for word in WORDS),
                chunk({}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}),
                "data: [DONE]\n\n"])
RECORD = {"status": 200, "response_headers": {"content-type": "text/event-stream"}, "streaming": True,
          "response_body": BODY}


@pytest.fixture
def made(broker, providers):
    keyless = providers(plain=True, needs_key=False)
    made = broker(harness.provider_section(keyless, auth="none", model="m"))
    made.provider = keyless
    return made


class Caller:
    def __init__(self, made):
        self.client = WireClient(made.socket, timeout=20 * harness.SLOWER)
        self.client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "cut"})
        self.client.recv_until(WELCOME)
        self.number = 0

    def begin(self, call):
        self.number += 1
        self.client.send_frame(CALL, self.number, call)
        return self.client.recv_until(END, FAULT)

    def forget(self):
        """What rests after a failure rests no more."""
        assert self.begin({"kind": "admin", "op": "config.reload", "credit": 1 << 20, "body": b"{}"})[-1].type == END

    def ask(self):
        """The text that came, and the last frame."""
        *frames, last = self.begin({"kind": "typed", "op": "chat", "at_most_once": True, "body": msgpack.packb({
            "model": "test/m", "stream": True, "messages": [{"role": "user", "content": "3 words"}]})})
        events = [frame.body for frame in frames if frame.type == EVENT]
        return "".join(event["d"] for event in events if event["ev"] == "text"), last


@pytest.mark.parametrize("end", ["close_after", "reset_after"])
def test_at_every_byte(made, end, record_property):
    caller, told, whole = Caller(made), {}, "".join(WORDS)
    places = [*range(0, len(BODY.encode()), STEP), -1]
    try:
        for at in places:
            made.provider.script(record=RECORD, **{end: at})
            text, last = caller.ask()
            assert whole.startswith(text) and (last.type == FAULT or text == whole), (at, text, last)
            told[last.body["request_id"]] = last.type == END
            caller.forget()
    finally:
        caller.client.close()
    assert len(made.provider.requests()) == len(places), "none was sent again"
    rows = made.wait_ledger(len(places), len(places))
    assert {row["id"]: row["outcome"] == "ok" for row in rows["exchange"]} == told
    assert {row["outcome"] for row in rows["attempt"]} <= {"ok", "unknown"}
    assert not told[min(told)], "an answer of which nothing came is none"
    record_property("figure", f"{len(places)} cuts by {end.partition('_')[0]}, {sum(told.values())} behind the last word, "
                              "no other a success")
