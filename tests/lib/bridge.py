"""bridge.py - how does a test run llm-broker-bridge, and speak HTTP to it byte by byte?

A `Bridge` is one process before a harness.Broker, at free ports. An `Http` is one connection to it that sends what it
is told to and takes the answers apart; `ask` is one request on a connection of its own.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
import types

import harness

SECONDS = 20 * harness.SLOWER


def has_v6():
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
        return True
    except OSError:
        return False


class Bridge:
    """llm-broker-bridge for the broker `made`; `addresses` are those of --listen. With `handed`, open sockets that a
    service manager would hand over, and `before`, what stands before its command."""

    def __init__(self, made, addresses=None, args=(), *, socket_path=None, handed=(), before=(), env=None):
        self.made = made
        self.path = str(made.folder / "http")
        if addresses is None and not handed:
            addresses = ["127.0.0.1:0", f"unix:{self.path}", *(["[::1]:0"] if has_v6() else [])]
        wrap = shlex.split(os.environ.get("LLMB_WRAP", ""))
        self.command = [*before, *wrap, harness.program("llm-broker-bridge"), "--socket", str(socket_path or made.socket),
                        *(part for one in addresses or () for part in ("--listen", one)), *args]
        self.expected = len(addresses or ()) or len(handed)
        self.log_file = tempfile.NamedTemporaryFile(prefix="llmb-bridge-", suffix=".log")
        self.env = {**made.env, **(env or {})}
        self.handed = handed
        self.process = None

    def start(self, wait=True):
        command = self.command
        if self.handed:
            code = ("import os, sys; n = len(sys.argv[1].split(','))\n"
                    "[os.dup2(int(fd), 100 + i) for i, fd in enumerate(sys.argv[1].split(','))]\n"
                    "[os.dup2(100 + i, 3 + i) for i in range(n)]\n"
                    "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(n))\n"
                    "os.execv(sys.argv[2], sys.argv[2:])")
            fds = [one.fileno() for one in self.handed]
            command = ["/usr/bin/python3", "-c", code, ",".join(map(str, fds)), *command]
            self.process = self._popen(command, pass_fds=fds)
        else:
            self.process = self._popen(command)
        if wait:
            self.wait_ready()
        return self

    def _popen(self, command, **more):
        with open(self.log_file.name, "ab") as log:
            return subprocess.Popen(command, env=self.env, cwd=self.made.folder, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, start_new_session=True, **more)

    def log(self):
        with open(self.log_file.name, errors="replace") as file:
            return file.read()

    def where(self):
        """The addresses that it says it listens at."""
        return re.findall(r"listening at (.*)", self.log())

    def wait_ready(self):
        def is_ready():
            code = self.process.poll()
            if code is not None:
                raise harness.BrokerError(f"llm-broker-bridge ended with {code}\n{self.log()}")
            return len(self.where()) >= self.expected
        harness.wait_until(is_ready, harness.START_SECONDS, lambda: f"it listens\n{self.log()}")

    @property
    def port(self):
        return next(int(one.rpartition(":")[2]) for one in self.where() if one.startswith("127."))

    @property
    def v6_port(self):
        return next(int(one.rpartition(":")[2]) for one in self.where() if one.startswith("["))

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def rss_kib(self):
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def connections(self):
        """How many of its callers' connections are there, for the kernel."""
        ports, count = [f":{int(one.rpartition(':')[2]):04X}" for one in self.where() if one[0] in "1["], 0
        for name in ("tcp", "tcp6"):
            with open(f"/proc/net/{name}") as file:
                rows = [line.split() for line in file.readlines()[1:]]
            # not those that only the kernel still knows (TIME_WAIT and before it), nor the listener
            count += sum(row[1][-5:] in ports and row[3] not in ("0A", "06", "04", "05", "07") for row in rows)
        with open("/proc/net/unix") as file:
            rows = [line.split() for line in file]
        # 03: connected; 00010000: listens
        return count + sum(row[-1] == self.path and row[3] != "00010000" for row in rows)

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, timeout=harness.STOP_SECONDS):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise harness.BrokerError(f"llm-broker-bridge does not end in {timeout} s\n{self.log()}") from None

    def stop(self):
        """Ends it by SIGTERM, and makes sure that it ends well."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait_exit()
        if code != 0:
            raise harness.BrokerError(f"llm-broker-bridge ended with {code}\n{self.log()}")
        self.check_log()

    def check_log(self):
        if any(word in self.log() for word in harness.SANITIZER):
            raise harness.BrokerError(f"a sanitizer complained\n{self.log()}")

    def close(self):
        if self.process is not None:
            harness.kill_group(self.process)
        self.log_file.close()


class Answer:
    """A response: status, headers, body; `is_whole`: it came to the end that it announced."""

    def __init__(self, status, headers, version):
        self.status, self.headers, self.version = status, headers, version
        self.body, self.is_whole = bytearray(), False
        self.is_stream = "event-stream" in (self.header("content-type") or [""])[0]

    def header(self, name):
        return [value for key, value in self.headers if key == name]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def last(self):
        """As surfaces.Call has it, for what depends on the request's id."""
        return types.SimpleNamespace(body={"request_id": self.header("x-request-id")[0]})

    def __repr__(self):
        return f"{self.status} {self.headers} {bytes(self.body[:1500])!r} whole: {self.is_whole}"


class HungUp(Exception):
    """The connection ended before an answer began."""


class Http:
    """One connection. `where` is a Bridge (TCP), ("127.0.0.1", port), ("::1", port) or the path of a socket."""

    def __init__(self, where, timeout=SECONDS, rcvbuf=None):
        where = ("127.0.0.1", where.port) if isinstance(where, Bridge) else where
        if isinstance(where, str):
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            self.sock = socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.timeout = timeout
        self.sock.connect(where)
        if not isinstance(where, str):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.answer = None
        self.chunk_left = self.left = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def request(self, method, target, body=b"", headers=(), version="1.1", host="127.0.0.1", length=True):
        body = body.encode() if isinstance(body, str) else body
        head = [f"{method} {target} HTTP/{version}", *([f"Host: {host}"] if host is not None else []),
                *(f"{name}: {value}" for name, value in headers)]
        if length and (body or method in ("POST", "PUT", "PATCH")):
            head.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(head) + "\r\n\r\n")
        if body:
            self.send(body)
        return self

    def chunks(self, pieces, extension=""):
        for piece in pieces:
            self.send(f"{len(piece):x}{extension}\r\n".encode() + piece + b"\r\n")
        self.send(b"0\r\n\r\n")

    def _more(self):
        data = self.sock.recv(1 << 16)
        self.buffer += data
        return bool(data)

    def _line(self):
        while b"\r\n" not in self.buffer:
            if not self._more():
                raise HungUp(self.buffer)
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def head(self, method="GET"):
        """Reads the head of the next answer; 100 Continue is one."""
        words = self._line().decode("latin-1").split(" ", 2)
        headers = []
        while line := self._line().decode("latin-1"):
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
        self.answer = answer = Answer(int(words[1]), headers, words[0])
        self.is_chunked = answer.header("transfer-encoding") == ["chunked"]
        self.left = int(answer.header("content-length")[0]) if answer.header("content-length") else None
        self.chunk_left = 0
        if method == "HEAD" or answer.status in (100, 204, 304):
            answer.is_whole = True
        return answer

    def _piece(self):
        """Reads on; False: the body is over."""
        answer = self.answer
        if answer.is_whole:
            return False
        if self.is_chunked:
            if self.chunk_left == 0:
                try:
                    self.chunk_left = int(self._line(), 16)
                except HungUp:
                    return False
                if self.chunk_left == 0:
                    self._line()
                    answer.is_whole = True
                    return False
            if not self.buffer and not self._more():
                return False
            piece = self.buffer[:self.chunk_left]
            self.buffer = self.buffer[len(piece):]
            answer.body += piece
            self.chunk_left -= len(piece)
            if self.chunk_left == 0:
                try:
                    self._line()
                except HungUp:
                    return False
            return True
        if self.left is not None:
            if len(answer.body) == self.left:
                answer.is_whole = True
                return False
            if not self.buffer and not self._more():
                return False
            want = self.left - len(answer.body)
            answer.body += self.buffer[:want]
            self.buffer = self.buffer[want:]
            return True
        if not self.buffer and not self._more():
            answer.is_whole = True
            return False
        answer.body += self.buffer
        self.buffer = b""
        return True

    def until(self, text):
        """Reads until this is in the body."""
        text = text.encode() if isinstance(text, str) else text
        while text not in self.answer.body:
            assert self._piece(), f"it ended without {text!r}: {self.answer}"
        return self.answer

    def finish(self):
        try:
            while self._piece():
                pass
        except ConnectionResetError:
            pass  # then it is not whole
        return self.answer

    def read(self, method="GET"):
        """The next answer, all of it."""
        self.head(method)
        return self.finish()

    def is_closed(self, timeout=None):
        """Waits until the other end hangs up, dropping what comes before."""
        self.sock.settimeout(timeout or self.timeout)
        until = time.monotonic() + (timeout or self.timeout)
        try:
            while self.sock.recv(1 << 16):
                if time.monotonic() > until:
                    return False
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


def ask(where, method, target, body=b"", headers=(), **more):
    """One request on a connection of its own, and its answer."""
    with Http(where) as http:
        return http.request(method, target, body, headers, **more).read(method)
