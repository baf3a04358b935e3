"""wire.py - how does a test speak to the daemon without the library?

A raw client of the daemon's socket, for hostile tests: it sends any bytes, and checks no more of an
answer than it needs to cut it into frames. A frame is a u32 length, big-endian, and one msgpack
array [type, call, body].
"""

import collections
import select
import socket
import struct
import time

import msgpack  # Debian: python3-msgpack

HELLO, WELCOME, CALL, DATA, HEAD, EVENT, END, FAULT, CANCEL, CREDIT, GOAWAY = range(1, 12)
TYPES = ("hello", "welcome", "call", "data", "head", "event", "end", "fault", "cancel", "credit",
         "goaway")
FRAME_MAX = 1 << 20  # more than the daemon may ever send: a control frame is 256 KiB at most


class Frame(collections.namedtuple("Frame", "type call body")):
    """A frame; `size` is its length as its prefix has it, which is what it costs."""

    size = 0

    @property
    def name(self):
        return TYPES[self.type - 1] if 1 <= self.type <= len(TYPES) else f"type {self.type}"



class WireError(Exception):
    """The daemon sent what is no frame, or nothing in time."""


def pack(value):
    return msgpack.packb(value, use_bin_type=True, unicode_errors="surrogateescape")


def frame_bytes(kind, call, body):
    """A whole frame, for tests that damage one before it is sent."""
    payload = pack([kind, call, body])
    return struct.pack(">I", len(payload)) + payload


class WireClient:
    """One connection to the daemon's socket at `path`."""

    def __init__(self, path, timeout=5):
        self.buffer = b""
        self.timeout = timeout
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(str(path))
        except OSError:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        """Sends bytes as they are. BrokenPipeError or ConnectionError if the daemon hung up."""
        self.sock.sendall(data)

    def send_frame(self, kind, call, body):
        self.send_raw(frame_bytes(kind, call, body))

    def send_with_fds(self, data, fds):
        """Sends bytes with descriptors beside them (SCM_RIGHTS)."""
        socket.send_fds(self.sock, [data], fds)

    def send_until_blocked(self, data, seconds=1.0):
        """Sends the same bytes again and again until the daemon has taken none for `seconds`.
        Returns how many it took: what a client that never reads can make it hold."""
        self.sock.setblocking(False)
        sent, view = 0, memoryview(data)
        at = 0
        try:
            while select.select([], [self.sock], [], seconds)[1]:
                count = self.sock.send(view[at:])
                sent, at = sent + count, (at + count) % len(data)
        finally:
            self.sock.settimeout(self.timeout)
        return sent

    def recv_raw(self, timeout=None):
        """Whatever bytes come next; b"" when the daemon hung up."""
        if self.buffer:
            out, self.buffer = self.buffer, b""
            return out
        return self._read(time.monotonic() + (self.timeout if timeout is None else timeout))

    def _read(self, until):
        self.sock.settimeout(max(0.001, until - time.monotonic()))
        try:
            return self.sock.recv(65536)
        except TimeoutError:
            raise WireError("the daemon sent nothing in time") from None
        except ConnectionResetError:
            return b""
        finally:
            self.sock.settimeout(self.timeout)

    def recv_frame(self, timeout=None):
        """The next frame; None when the daemon hung up between two frames."""
        until = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            if len(self.buffer) >= 4:
                size, = struct.unpack_from(">I", self.buffer)
                if size > FRAME_MAX:
                    raise WireError(f"a frame of {size} bytes from the daemon")
                if len(self.buffer) >= 4 + size:
                    payload = self.buffer[4:4 + size]
                    self.buffer = self.buffer[4 + size:]
                    return self._frame(payload)
            data = self._read(until)
            if not data:
                if self.buffer:
                    raise WireError(f"the daemon hung up inside a frame: {self.buffer[:32]!r}")
                return None
            self.buffer += data

    @staticmethod
    def _frame(payload):
        try:
            value = msgpack.unpackb(payload, raw=False, strict_map_key=False,
                                    unicode_errors="surrogateescape")
        except (ValueError, msgpack.UnpackException) as why:
            raise WireError(f"no msgpack from the daemon: {why}: {payload[:32]!r}") from None
        if not isinstance(value, list) or len(value) != 3 or type(value[0]) is not int:
            raise WireError(f"no [type, call, body] from the daemon: {value!r}")
        frame = Frame(*value)
        frame.size = len(payload)
        return frame

    def recv_until(self, *kinds, timeout=None):
        """All frames up to the first of one of these types, that one last."""
        until = time.monotonic() + (self.timeout if timeout is None else timeout)
        frames = []
        while True:
            frame = self.recv_frame(max(0.001, until - time.monotonic()))
            if frame is None:
                raise WireError(f"the daemon hung up after {[f.name for f in frames]}")
            frames.append(frame)
            if frame.type in kinds:
                return frames

    def is_closed(self, timeout=None):
        """Whether the daemon hangs up in time; what it still sends is thrown away."""
        until = time.monotonic() + (self.timeout if timeout is None else timeout)
        self.buffer = b""
        try:
            while self._read(until):
                pass
        except WireError:
            return False
        return True

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def fileno(self):
        return self.sock.fileno()
