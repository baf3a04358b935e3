"""racer.py SOCKET CALLS MODEL - many calls at once, as a program without any manners makes them.

All on one connection, all asked before an answer is read. Those for which there is no room are asked again. Says
"asked" once they are sent, and then, as JSON, how many ended in which way: {"ok": 12, "budget": 88}.
"""

import collections
import json
import sys
import time

import msgpack
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient


def main():
    path, calls, model = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    body = msgpack.packb({"model": model, "max_tokens": 20, "stream": True,
                          "messages": [{"role": "user", "content": "3 words"}]})
    ends = collections.Counter()
    with WireClient(path, timeout=60) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "racer"})
        client.recv_until(WELCOME)
        number = 0

        def call():
            nonlocal number
            number += 1
            client.send_frame(CALL, number, {"kind": "typed", "op": "chat", "body": body})

        for _ in range(calls):
            call()
        print("asked", flush=True)
        while sum(ends.values()) < calls:
            frame = client.recv_frame()
            if frame is None:
                break
            if frame.type == END:
                ends["ok"] += 1
            elif frame.type == FAULT and frame.body["class"] == "overloaded":
                time.sleep(0.005)
                call()
            elif frame.type == FAULT:
                ends[frame.body["class"]] += 1
    print(json.dumps(ends), flush=True)


if __name__ == "__main__":
    main()
