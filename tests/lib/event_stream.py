"""event_stream.py - how does Amazon frame an event? (application/vnd.amazon.eventstream)"""

import json
import struct
import zlib

TYPE = "application/vnd.amazon.eventstream"


def message(kind, value):
    """One event with its headers and its two sums, as bytes."""
    heads = b"".join(bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(text)) + text
                     for name, text in ((b":event-type", kind.encode()), (b":message-type", b"event"),
                                        (b":content-type", b"application/json")))
    body = json.dumps(value).encode()
    start = struct.pack(">II", 16 + len(heads) + len(body), len(heads))
    message = start + struct.pack(">I", zlib.crc32(start)) + heads + body
    return message + struct.pack(">I", zlib.crc32(message))
