"""test_bridge_chaos.py - with very many callers who do as it comes, does each who stays get the answer to his own question?

What they do is drawn from LLMB_SEED; they break off at any byte, cut what they send anywhere, send what is damaged, and ask
properly in between. LLMB_ROUNDS says how much of it."""

import json
import os
import random
import socket
import threading
import time

import harness
from bridge import Http, HungUp
from surfaces import FAMILIES

SEED = int(os.environ.get("LLMB_SEED", "1"))
ROUNDS = int(os.environ.get("LLMB_ROUNDS", "25"))
CALLERS = 12
SECONDS = 20 * harness.SLOWER
ASKED = [family for name, family in FAMILIES.items() if name != "gemini-list"]


class Caller:
    """One of them; `wrong` is what should not have been."""

    def __init__(self, where, number):
        self.where, self.number = where, number
        self.random = random.Random(f"{SEED}/{number}")
        self.wrong, self.answered, self.asked = [], 0, 0

    def run(self):
        ways = [self.properly] * 4 + [self.behind_each_other, self.and_goes_while_sending, self.and_goes_while_reading,
                                      self.damaged, self.half_closed]
        for i in range(ROUNDS):
            way = self.random.choice(ways)
            try:
                with Http(self.random.choice(self.where), timeout=SECONDS) as http:
                    way(http)
            except (AssertionError, ValueError, KeyError, HungUp, TimeoutError, OSError) as why:
                self.wrong.append(f"seed {SEED}, caller {self.number}, round {i}, {way.__name__}: {type(why).__name__}: {why}")

    def request(self):
        """A proper one, its family, whether it is a stream, and the words that come back."""
        self.asked += 1
        family, is_stream = self.random.choice(ASKED), self.random.random() < 0.5
        words = f"q{self.number}n{self.asked} " + "w" * self.random.choice([0, 10, 1000, 130_000, 300_000])
        said = family.body("offline/echo", words, is_stream).encode()
        asked = family.ask("offline/echo", words, is_stream)
        target = asked.get("path") or family.path
        target += f"?{asked['query']}" if asked.get("query") else ""
        head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        if self.random.random() < 0.3:
            return family, is_stream, words, (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + self.chunks(said)
        return family, is_stream, words, (head + f"Content-Length: {len(said)}\r\n\r\n").encode() + said

    def chunks(self, data):
        out = []
        while data:
            n = self.random.choice([1, 7, 100, 5000, 70_000])
            out.append(b"%x\r\n%s\r\n" % (len(data[:n]), data[:n]))
            data = data[n:] if len(out) < 200 else self.rest(out, data[n:])
        return b"".join(out) + b"0\r\n\r\n"

    @staticmethod
    def rest(out, data):
        if data:
            out.append(b"%x\r\n%s\r\n" % (len(data), data))
        return b""

    def send(self, http, data):
        """Cut somewhere, a few times."""
        for _ in range(self.random.choice([0, 0, 1, 3])):
            n = self.random.randrange(len(data) + 1)
            http.send(data[:n])
            data = data[n:]
            time.sleep(self.random.choice([0, 0.001]))
        http.send(data)

    def check(self, http, family, is_stream, words):
        answer = http.read()
        assert answer.status == 200 and answer.is_whole, f"{answer.status} {bytes(answer.body[:300])!r} {answer.is_whole}"
        answer.is_stream = is_stream
        text = family.text(answer)
        # what is longer than max_tokens allows is cut off
        if not f"Say {words}".startswith(text) or len(text) < min(len(words), 3000):
            raise ValueError(f"{len(text)} bytes, {text[:60]!r}, not {len(words)} of {words[:60]!r}")
        self.answered += 1

    def properly(self, http):
        for _ in range(self.random.choice([1, 1, 3])):
            family, is_stream, words, data = self.request()
            self.send(http, data)
            self.check(http, family, is_stream, words)

    def behind_each_other(self, http):
        # not more than the sockets hold: who does not read while he sends may wait for himself
        asked = []
        while len(asked) < 4:
            one = self.request()
            if len(one[3]) < 3000:
                asked.append(one)
        self.send(http, b"".join(one[3] for one in asked))
        for family, is_stream, words, _ in asked:
            self.check(http, family, is_stream, words)

    def and_goes_while_sending(self, http):
        data = self.request()[3]
        http.send(data[:self.random.randrange(len(data))])

    def and_goes_while_reading(self, http):
        http.send(self.request()[3])
        http.sock.recv(self.random.choice([1, 100, 10_000]))

    def half_closed(self, http):
        data = self.request()[3]
        http.send(data[:self.random.randrange(len(data) + 1)])
        http.sock.shutdown(socket.SHUT_WR)
        assert http.is_closed(SECONDS)

    def damaged(self, http):
        """It gets an answer, or the connection ends; then it goes."""
        data = bytearray(self.request()[3])
        for _ in range(self.random.choice([1, 3, 20])):
            data[self.random.randrange(min(len(data), 300))] = self.random.randrange(256)
        try:
            http.send(bytes(data))
            http.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return
        assert http.is_closed(SECONDS)


def test_callers_who_do_as_it_comes(bridge, broker):
    made = broker()
    door = bridge(made)
    callers = [Caller([door, door.path], i) for i in range(CALLERS)]
    threads = [threading.Thread(target=one.run) for one in callers]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    wrong = [line for one in callers for line in one.wrong]
    assert not wrong, "\n".join(wrong[:20])
    assert sum(one.answered for one in callers) > CALLERS * ROUNDS / 3
    harness.wait_until(lambda: door.connections() == 0, 5 * harness.SLOWER, door.connections)
    assert door.is_alive() and made.is_alive()
    done = made.llmb("status", "--json")
    assert done.code == 0 and json.loads(done.out), done
