"""recorder.py - what does a program send?

A `Recorder` stands before the bridge, passes all bytes on as they are and keeps those of the requests.
"""

import contextlib
import dataclasses
import selectors
import socket
import threading

PIECE = 1 << 16


@dataclasses.dataclass
class Sent:
    method: str
    target: str
    headers: dict
    body: bytes


class Recorder:
    def __init__(self, port):
        self._to = port
        self._streams = []  # of each connection, what its caller sent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                kept = bytearray()
                self._streams.append(kept)
                threading.Thread(target=self._pass, args=(caller, kept), daemon=True).start()

    def _pass(self, caller, kept):
        with caller, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as bridge, \
                selectors.DefaultSelector() as selector:
            selector.register(caller, selectors.EVENT_READ, bridge)
            selector.register(bridge, selectors.EVENT_READ, caller)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(PIECE)
                    if key.fileobj is caller:
                        kept += data
                    if not data:
                        return
                    key.data.sendall(data)

    def requests(self):
        """All that came whole, connection by connection."""
        return [sent for stream in self._streams for sent in _requests(bytes(stream))]

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _chunks(data):
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        n = int(size, 16)
        body, data = body + data[:n], data[n + 2:]
        if n == 0:
            return body, data


def _requests(data):
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = first.split(" ")
        if headers.get("transfer-encoding") == "chunked":
            body, data = _chunks(data)
        else:
            n = int(headers.get("content-length", 0))
            body, data = data[:n], data[n:]
        yield Sent(method, target, headers, body)
