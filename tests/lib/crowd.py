"""crowd.py SPEC - one process of many that call, at its own pace, and note what each call came to.

SPEC is JSON: `socket`; `models`, asked in turn; `calls` (or none: until `slices` are over), `at_once` (1) under way
at the most, `every_ms` (0) between two beginnings, `timeout_ms` for each; `op` "chat" or "whoami". It says "ready",
waits for a line with the moment (CLOCK_MONOTONIC, in seconds) at which to begin, and says in the end, as JSON, of each
call [begun, ended, "ok" or the class of its fault, model, waited, id], those that ended first before the others.

With `slices` {"seconds", "count"}: calls are made for so many pieces of time of so many seconds; with {"only": "odd"} in
each second one alone, and what is under way when it ends is cancelled.

With `beside` PID, a process whose turns matter: `waited` is how long that process and this one were kept from a
processor meanwhile, in seconds; else 0.
"""

import json
import os
import select
import sys
import time

import msgpack
from wire import CALL, CANCEL, END, FAULT, HELLO, WELCOME, WireClient


def kept_from_running(pid):
    """Seconds that the first thread of a process was ready to run, and did not."""
    with open(f"/proc/{pid}/task/{pid}/schedstat") as file:
        return int(file.read().split()[1]) / 1e9


class Crowd:
    def __init__(self, spec):
        self.spec = spec
        self.models, self.at_once = spec.get("models", [""]), spec.get("at_once", 1)
        self.every = spec.get("every_ms", 0) / 1000
        self.slices, self.beside = spec.get("slices"), spec.get("beside")
        self.number, self.open, self.done, self.next_at = 0, {}, [], 0.0
        self.client = WireClient(spec["socket"], timeout=60)
        self.client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": spec.get("app", "crowd")})
        self.client.recv_until(WELCOME)

    def _waited(self):
        return kept_from_running(os.getpid()) + kept_from_running(self.beside) if self.beside else 0.0

    def _begin(self, now):
        model = self.models[self.number % len(self.models)]
        self.number += 1
        ask = {"kind": "admin", "op": "whoami", "credit": 1 << 20, "body": b"{}"}
        if self.spec.get("op", "chat") == "chat":
            ask = {"kind": "typed", "op": "chat", "body": msgpack.packb({
                "model": model, "max_tokens": 20, "stream": self.spec.get("stream", False),
                "messages": [{"role": "user", "content": "3 words"}]})}
        if "timeout_ms" in self.spec:
            ask["timeout_ms"] = self.spec["timeout_ms"]
        self.open[self.number] = (now, model, self._waited())
        self.client.send_frame(CALL, self.number, ask)

    def _is_on(self, now):
        """Whether calls are made now."""
        if not self.slices:
            return self.number < self.spec["calls"]
        piece = int((now - self.begins) / self.slices["seconds"])
        return piece < self.slices["count"] and (not self._is_odd() or piece % 2 == 1)

    def _is_odd(self):
        return self.slices is not None and self.slices.get("only") == "odd"

    def _is_over(self, now):
        return now >= self.begins + self.slices["seconds"] * self.slices["count"] if self.slices else \
            self.number >= self.spec["calls"]

    def _hear(self):
        frame = self.client.recv_frame()
        if frame is None:
            raise SystemExit("the broker hung up")
        if frame.type in (END, FAULT):
            begun, model, waited = self.open.pop(frame.call)
            self.done.append((begun, time.monotonic(), "ok" if frame.type == END else frame.body["class"], model,
                              self._waited() - waited, (frame.body or {}).get("request_id")))

    def run(self, begins):
        self.begins = self.next_at = begins
        was_on = False
        while True:
            now = time.monotonic()
            is_on = now >= begins and self._is_on(now)
            if was_on and not is_on and self._is_odd():
                for number in self.open:
                    self.client.send_frame(CANCEL, number, {})
            was_on = is_on
            if now >= begins and self._is_over(now) and not self.open:
                return self.done
            while self._is_on(now) and now >= self.next_at and len(self.open) < self.at_once:
                self._begin(now)
                # what could not begin in time is not made up for
                self.next_at = max(self.next_at + self.every, now) if self.every else now
                now = time.monotonic()
            rest = min(0.05, self.next_at - now) if len(self.open) < self.at_once else 0.05
            if select.select([self.client], [], [], max(0.0, rest))[0]:
                self._hear()
                while self.client.buffer:
                    self._hear()


def main():
    crowd = Crowd(json.loads(sys.argv[1]))
    print("ready", flush=True)
    done = crowd.run(float(sys.stdin.readline()))
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
