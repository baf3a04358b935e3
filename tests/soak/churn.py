"""churn.py SOCKET SECONDS MODEL [TOKEN...] - callers who do not stay to the end.

Each connects, asks and then leaves as no good program does: it cancels at once, or behind the first piece; it closes
before an answer, in the middle of one, or in the middle of a frame. With tokens the calls are on behalf of those whose
they are, in turn. Says at the end, as JSON, how many of each there were.
"""

import collections
import contextlib
import json
import random
import sys
import time

import msgpack
from wire import CALL, CANCEL, END, EVENT, FAULT, HELLO, WELCOME, WireClient, frame_bytes

WAYS = ("cancel at once", "cancel behind a piece", "close at once", "close behind a piece", "half a frame")


def call(model, token, number):
    body = {"model": model, "stream": True, "max_tokens": 2000,
            "messages": [{"role": "user", "content": f"churn {number}"}]}
    behalf = {"behalf": {"token": token}} if token else {}
    return frame_bytes(CALL, 1, {"kind": "typed", "op": "chat", "body": msgpack.packb(body), **behalf})


def leave(client, way, asked):
    if way == "half a frame":
        client.send_raw(asked[:len(asked) // 2])
        return
    client.send_raw(asked)
    if way.endswith("a piece"):
        client.recv_until(EVENT, END, FAULT)
    if way.startswith("cancel"):
        client.send_frame(CANCEL, 1, {})
        client.recv_until(END, FAULT)


def main():
    path, seconds, model, *tokens = sys.argv[1:]
    chance, done, until = random.Random(1), collections.Counter(), time.monotonic() + float(seconds)
    while time.monotonic() < until:
        way = chance.choice(WAYS)
        with contextlib.closing(WireClient(path, timeout=30)) as client:
            client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "churn"})
            client.recv_until(WELCOME)
            leave(client, way, call(model, chance.choice(tokens) if tokens else None, sum(done.values())))
        done[way] += 1
    print(json.dumps(done))


if __name__ == "__main__":
    sys.path.insert(0, "")
    main()
