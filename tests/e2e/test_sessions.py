"""test_sessions.py - what can one client do to the broker, and to itself, without breaking a rule?"""

import json
import time

import harness
import msgpack
from wire import CALL, CANCEL, CREDIT, DATA, END, EVENT, FAULT, HELLO, WELCOME, WireClient

MIB = 1 << 20


def greeted(made):
    client = WireClient(made.socket)
    client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "test_sessions", "app": "test"})
    assert client.recv_frame().type == WELCOME
    return client


def packed_chat(text, model="offline/echo"):
    return msgpack.packb({"model": model, "stream": True,
                          "messages": [{"role": "user", "content": text}]})


def chat(text, model="offline/echo", **more):
    return {"kind": "typed", "op": "chat", "body": packed_chat(text, model), **more}


def admin(op, **body):
    return {"kind": "admin", "op": op, "body": json.dumps(body).encode()}


def send_body(client, number, body):
    """A body in data frames, as far as the broker's credit goes."""
    credit, sent, early = 256 * 1024, 0, []
    while sent < len(body):
        piece = body[sent:sent + 60_000]
        while credit <= 0:
            frame = client.recv_frame()
            if frame.type == CREDIT:
                credit += frame.body["bytes"]
            else:
                return [frame]
        sent += len(piece)
        credit -= len(piece) + 32
        client.send_frame(DATA, number, {"d": piece, **({"last": True} if sent == len(body) else {})})
    return early


def text_of(frames, call=1):
    return "".join(f.body["d"] for f in frames
                   if f.type == EVENT and f.call == call and f.body["ev"] == "text")


def test_a_long_answer_comes_whole_to_whom_has_granted_all_of_it(broker, provider):
    """More than the broker writes at once, credit for all of it, and nothing more said by us."""
    made = broker(harness.provider_section(provider, auth="none"))
    delta = {"choices": [{"index": 0, "delta": {"content": "x" * 200_000}}]}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    provider.script(sse=[{"data": json.dumps(delta)}] * 4 + [{"data": json.dumps(last)},
                                                            {"data": "[DONE]"}])
    with greeted(made) as client:
        client.send_frame(CALL, 1, chat("hi", model="test/m", credit=64 * MIB))
        frames = client.recv_until(END, FAULT, timeout=5)
        assert frames[-1].type == END, frames[-1]
        assert len(text_of(frames)) == 800_000


def test_a_busy_call_leaves_room_for_the_others(broker, provider):
    """One call with much to say, all the credit for it, and a reader slower than its provider; one
    beside it is answered meanwhile."""
    made = broker(harness.provider_section(provider, auth="none"))
    delta = {"choices": [{"index": 0, "delta": {"content": "x" * 200_000}}]}
    provider.script(sse=[{"data": json.dumps(delta)}] * 100 + [{"data": "[DONE]"}])
    with greeted(made) as client:
        client.send_frame(CALL, 1, chat("hi", model="test/m", credit=64 * MIB))
        client.recv_until(EVENT)
        time.sleep(0.3)  # so that there is always more than the broker writes at once
        client.send_frame(CALL, 2, chat("short"))
        seen = 0
        while True:
            frame = client.recv_frame()
            if frame.call == 2 and frame.type == END:
                break
            assert not (frame.call == 1 and frame.type in (END, FAULT)), "the other came too late"
            seen += len(frame.body.get("d", ""))
            time.sleep(0.002)
        assert seen < 4 * MIB
        client.send_frame(CANCEL, 1, {})
        client.recv_until(FAULT, END)


def test_data_after_the_last_piece_of_an_administrative_call(broker):
    made = broker()
    with greeted(made) as client:
        client.send_frame(CALL, 1, {"kind": "admin", "op": "usage", "credit": 0})
        client.send_frame(DATA, 1, {"d": b"{}", "last": True})
        client.send_frame(DATA, 1, {"d": b"{}"})
        fault = client.recv_until(FAULT, END)[-1]
        assert fault.type == FAULT and fault.body["class"] == "protocol", fault
        client.send_frame(CALL, 2, admin("status"))
        assert client.recv_until(FAULT, END)[-1].type == END


def test_an_administrative_answer_that_nobody_takes_is_let_go(broker):
    """As the answer of any other call: thirty seconds without credit, and it ends."""
    made = broker()
    with greeted(made) as client:
        client.send_frame(CALL, 1, {**admin("status"), "credit": 0})
        fault = client.recv_until(FAULT, END, timeout=40)[-1]
        assert fault.type == FAULT and fault.call == 1
        assert fault.body["class"] == "slow_consumer"
        client.send_frame(CALL, 1, admin("status"))
        assert client.recv_until(FAULT, END)[-1].type == END


def test_wrong_passphrases_do_not_pile_up(broker):
    """Each costs a second of a worker, and locked memory until its turn: a few at once, no more, also
    where those who asked are gone."""
    made = broker()
    made.add_key("openai", "sk-test-0123456789abcdef")
    with greeted(made) as client:
        client.send_frame(CALL, 1, admin("vault.passphrase", new="right", keep_key_file=True))
        assert client.recv_until(END, FAULT, timeout=30)[-1].type == END
    overloaded = []
    for _ in range(2):
        with greeted(made) as client:
            for number in range(1, 41):
                client.send_frame(CALL, number, admin("vault.unlock", passphrase="wrong"))
            frames = [client.recv_frame() for _ in range(36)]
            overloaded.append(sum(f.body["class"] == "overloaded" for f in frames))
    assert overloaded[0] >= 34 and overloaded[1] >= 34, "the second finds what the first one left"
    with greeted(made) as client:
        client.send_frame(CALL, 1, admin("status"))
        assert client.recv_until(END, FAULT)[-1].type == END


def test_a_model_name_forges_no_log_line(broker):
    made = broker()
    with greeted(made) as client:
        client.send_frame(CALL, 1, chat("hi", model='offline/m outcome=denied uid=0 "x'))
        client.recv_until(END, FAULT)
    made.wait_log("exchange.end")
    line = next(line for line in made.log().splitlines() if "exchange.end" in line)
    assert r'model="m outcome=denied uid=0 \"x"' in line


def test_an_event_larger_than_a_frame_is_told(broker, provider):
    """What cannot be told ends the call: an answer without it is no whole answer."""
    made = broker(harness.provider_section(provider, auth="none"))
    tokens = [{"token": "word", "logprob": -0.5, "bytes": [119, 111, 114, 100],
               "top_logprobs": []}] * 5000
    provider.script(body={"id": "x", "object": "chat.completion", "model": "m", "choices": [{
        "index": 0, "finish_reason": "stop", "logprobs": {"content": tokens},
        "message": {"role": "assistant", "content": "word"}}]}, times=0)
    with greeted(made) as client:
        body = msgpack.packb({"model": "test/m", "logprobs": True,
                              "messages": [{"role": "user", "content": "hi"}]})
        client.send_frame(CALL, 1, {"kind": "typed", "op": "chat", "credit": 64 * MIB,
                                    "body": body})
        last = client.recv_until(END, FAULT)[-1]
        assert last.type == FAULT and last.body["class"] == "too_big", last
        assert "frame" in last.body["message"]


def test_administrative_calls_that_never_send_their_body(broker):
    made = broker()
    with greeted(made) as client:
        for number in range(1, 6):
            client.send_frame(CALL, number, {"kind": "admin", "op": "usage"})
        fault = client.recv_until(FAULT)[-1]
        assert fault.call == 5 and fault.body["class"] == "overloaded"
        client.send_frame(CANCEL, 1, {})
        assert client.recv_until(FAULT)[-1].call == 1
        client.send_frame(CALL, 5, {"kind": "admin", "op": "usage"})
        client.send_frame(DATA, 5, {"d": b"{}", "last": True})
        assert client.recv_until(FAULT, END)[-1].type == END
