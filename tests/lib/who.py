"""who.py - who does the daemon take this process for?

    who.py SOCKET [TRICK]

Says hello on the socket, waits for the welcome, asks who it is and prints that, or {"fault": CLASS}. A trick is done
first: `undumpable` hides from being looked at, `boxed` goes into namespaces of its own after the welcome, `passed`
connects in a process that stays. `early` asks at once, waits for a line on stdin, for which it says "ready", and
only then hears; `split` the same, but its child says the last bytes of it. `orphaned` connects in a process that ends
before the daemon can look (it waits for a line too), `spoken` the same once it has said hello, `asked` once it has
asked as well."""

import ctypes
import json
import os
import sys

from wire import CALL, DATA, END, FAULT, HELLO, WELCOME, WireClient, frame_bytes

PR_SET_DUMPABLE = 4
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000

GREETING = frame_bytes(HELLO, 0, {"min": 1, "max": 1, "client": "who", "app": "who.py"})
QUESTION = frame_bytes(CALL, 1, {"kind": "admin", "op": "whoami", "credit": 1 << 20, "body": b"{}"})


def say(client, what):
    try:
        client.send_raw(what)
    except ConnectionError:
        pass  # it was refused before it said a word, and is told why


class Refused(Exception):
    pass


def hear(client, last):
    """All frames up to one of that type."""
    frames = []
    while not frames or frames[-1].type != last:
        frame = client.recv_frame()
        if frame is None:
            raise Refused({"fault": "hung up"})
        if frame.type == FAULT:
            raise Refused({"fault": frame.body["class"], "message": frame.body["message"]})
        frames.append(frame)
    return frames


def answer(client):
    text = b"".join(frame.body["d"] for frame in hear(client, END) if frame.type == DATA)
    return json.loads(text)["peer"]


def ask(client, has_said=b"", before=lambda: None):
    """What it is taken for by the time that it asks, having said so much of it already."""
    try:
        say(client, GREETING[len(has_said):])
        hear(client, WELCOME)
        before()
        say(client, (GREETING + QUESTION)[max(len(has_said), len(GREETING)):])
        return answer(client)
    except Refused as why:
        return why.args[0]


def tell(what):
    print(json.dumps(what), flush=True)


def orphaned(path, words):
    """The connection of a process that is gone, in the hands of its child."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        sys.exit(os.read(reader, 1) != b"+")
    client = WireClient(path)  # the daemon is stopped: it waits in the backlog
    say(client, words)
    tell({"ready": os.getpid()})
    if os.fork():
        os._exit(0)
    sys.stdin.readline()
    tell(ask(client, words))
    os.write(writer, b"+")
    os._exit(0)


def early(path, words):
    """It has said that much before it is heard; the rest says a child."""
    client = WireClient(path)
    say(client, words)
    tell({"ready": os.getpid()})
    sys.stdin.readline()
    if words == GREETING + QUESTION or not os.fork():
        tell(ask(client, words))
    else:
        os.wait()


def box():
    if ctypes.CDLL(None).unshare(CLONE_NEWNS | CLONE_NEWUSER) != 0:
        raise OSError("it cannot go into namespaces")


def main(path, trick=""):
    heard = {"orphaned": b"", "spoken": GREETING, "asked": GREETING + QUESTION, "early": GREETING + QUESTION,
             "split": GREETING + QUESTION[:-1]}
    if trick == "undumpable":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if trick in ("early", "split"):
        early(path, heard[trick])
        return
    if trick in heard:
        orphaned(path, heard[trick])
        return
    client = WireClient(path)
    if trick == "passed" and os.fork():
        os.wait()
        return
    tell(ask(client, before=box if trick == "boxed" else lambda: None))


main(*sys.argv[1:])
