"""ticker.py - a provider whose words are the time at which they are said, and readers who compare it with theirs.

    ticker.py provider PORT_FILE SPEC       ticker.py readers SPEC

Both are one process with one thread and epoll; times are CLOCK_MONOTONIC in nanoseconds, which all processes share.

The provider answers each POST with an event stream of chat completions, whose pieces are a moment each, and begins each at
another point of the beat, so that what is measured is not a queue that it made itself. SPEC: `every_ms` between two pieces, `count`
of them, `gone_file`, where it writes a line [name, when] for each caller who hangs up. The request's text is its name; one
that begins with "fat" has pieces of 128 KiB.

The readers' SPEC: `groups`, each with `where` (a port or the path of a socket), `target`, `model`, `count`, `name` and `does`: "reads"
all of it, "sleeps" (never reads) or "vanishes" after as many pieces as `after`. They say "ready" when all streams have begun (or
were asked for), and at the end, as JSON, for each group {"name", "late_ns": [...], "pieces": [...of each], "vanished": {name: when}}.
"""

import json
import os
import select
import socket
import sys
import time

FAT = "x" * (128 << 10)


def now():
    return time.monotonic_ns()


class Caller:
    def __init__(self, sock):
        self.sock, self.data, self.name, self.left, self.next_at, self.out = sock, b"", None, 0, 0, b""


class Provider:
    def __init__(self, spec):
        self.every, self.count = spec["every_ms"] * 1_000_000, spec["count"]
        self.gone = open(spec["gone_file"], "w", buffering=1)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.listener, select.EPOLLIN)
        self.callers, self.begun = {}, 0
        self.due = []  # callers, the next first: all have the same beat, so it stays sorted

    def run(self):
        while True:
            wait = 1.0
            if self.due:
                wait = max(0.0, (self.due[0].next_at - now()) / 1e9)
            for fd, events in self.epoll.poll(wait):
                if fd == self.listener.fileno():
                    self.accept()
                elif fd in self.callers:
                    self.hear(self.callers[fd], events)
            self.speak()

    def accept(self):
        try:
            while True:
                sock, _ = self.listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.callers[sock.fileno()] = Caller(sock)
                self.epoll.register(sock, select.EPOLLIN | select.EPOLLRDHUP)
        except BlockingIOError:
            pass

    def end(self, caller):
        if caller.left:
            self.gone.write(json.dumps([caller.name, now()]) + "\n")
        del self.callers[caller.sock.fileno()]
        self.due = [one for one in self.due if one is not caller]
        self.epoll.unregister(caller.sock)
        caller.sock.close()

    def hear(self, caller, events):
        try:
            data = caller.sock.recv(65536)
        except BlockingIOError:
            data = None
        except OSError:
            data = b""
        if data == b"":
            self.end(caller)
            return
        if data:
            caller.data += data
            self.begin(caller)
        if events & select.EPOLLOUT:
            self.flush(caller)

    def begin(self, caller):
        head, mark, rest = caller.data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
        if not mark or len(rest) < length:
            return
        caller.data = rest[length:]
        caller.name = json.loads(rest[:length])["messages"][0]["content"]
        caller.left, self.begun = self.count, self.begun + 1
        self.put(caller, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        # the next one's beats stand between those of the others
        slot = (self.begun * 0.6180339887) % 1.0
        caller.next_at = now() + int((1 + slot) * self.every)
        self.insert(caller)

    def insert(self, caller):
        at = len(self.due)
        while at > 0 and self.due[at - 1].next_at > caller.next_at:
            at -= 1
        self.due.insert(at, caller)

    def speak(self):
        while self.due and self.due[0].next_at <= now():
            caller = self.due.pop(0)
            caller.left -= 1
            more = FAT if caller.name.startswith("fat") else ""
            if caller.out and more:
                caller.left += 1  # it does not take what was said before
            else:
                self.piece(caller, f"{now()} {more}")
            if caller.left == 0:
                self.put(caller, self.chunk(self.words("", '"stop"') + b"data: [DONE]\n\n") + b"0\r\n\r\n")
                continue
            caller.next_at += self.every
            self.insert(caller)

    @staticmethod
    def words(text, finish="null"):
        return (b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{'
                b'"content":"%s"},"finish_reason":%s}]}\n\n' % (text.encode(), finish.encode()))

    @staticmethod
    def chunk(data):
        return b"%x\r\n%s\r\n" % (len(data), data)

    def piece(self, caller, text):
        self.put(caller, self.chunk(self.words(text)))

    def put(self, caller, data):
        caller.out += data
        self.flush(caller)

    def flush(self, caller):
        try:
            while caller.out:
                caller.out = caller.out[caller.sock.send(caller.out):]
        except BlockingIOError:
            pass
        except OSError:
            return  # hear has it
        want = select.EPOLLIN | select.EPOLLRDHUP | (select.EPOLLOUT if caller.out else 0)
        self.epoll.modify(caller.sock, want)


class Reader:
    def __init__(self, group, number):
        where = group["where"]
        self.group, self.name = group, f"{group['name']}-{number}"
        self.sock = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
        self.sock.connect(where if isinstance(where, str) else ("127.0.0.1", where))
        body = json.dumps({"model": group["model"], "stream": True, "messages": [{"role": "user", "content": self.name}]}).encode()
        self.sock.sendall(b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n"
                          b"Content-Length: %d\r\n\r\n" % (group["target"].encode(), len(body)) + body)
        self.sock.setblocking(False)
        self.rest, self.late, self.pieces, self.is_whole = b"", [], 0, False

    def read(self):
        """False: it is over."""
        try:
            data = self.sock.recv(262144)
        except BlockingIOError:
            return True
        at = now()
        data = self.rest + data
        lines = data.split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            mark = line.find(b'"content":"')
            if mark >= 0 and line[mark + 11:mark + 12].isdigit():
                said = int(line[mark + 11:].split(b" ", 1)[0])
                self.late.append(at - said)
                self.pieces += 1
            self.is_whole = self.is_whole or line.startswith(b"data: [DONE]")
        return not self.is_whole


def read_all(spec):
    epoll, by_fd, vanished, sleeping = select.epoll(), {}, {}, []
    readers = [Reader(group, i) for group in spec["groups"] for i in range(group["count"])]
    for one in readers:
        if one.group["does"] == "sleeps":
            sleeping.append(one)
            continue
        by_fd[one.sock.fileno()] = one
        epoll.register(one.sock, select.EPOLLIN)
    print("ready", flush=True)
    until = time.monotonic() + spec["seconds"]
    while by_fd and time.monotonic() < until:
        for fd, _ in epoll.poll(0.5):
            one = by_fd[fd]
            goes_on = one.read()
            if one.group["does"] == "vanishes" and one.pieces >= one.group["after"]:
                vanished[one.name] = now()
                goes_on = False
            if not goes_on:
                epoll.unregister(fd)
                del by_fd[fd]
                if not one.is_whole:
                    one.sock.close()
    out = []
    for group in spec["groups"]:
        mine = [one for one in readers if one.group is group]
        out.append({"name": group["name"], "late_ns": [late for one in mine for late in one.late],
                    "pieces": [one.pieces for one in mine],
                    "vanished": {name: when for name, when in vanished.items() if name.startswith(group["name"])}})
    print(json.dumps(out), flush=True)


def main():
    if sys.argv[1] == "readers":
        read_all(json.loads(sys.argv[2]))
        return
    provider = Provider(json.loads(sys.argv[3]))
    with open(sys.argv[2] + ".new", "w") as file:
        file.write(str(provider.listener.getsockname()[1]))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    provider.run()


if __name__ == "__main__":
    main()
