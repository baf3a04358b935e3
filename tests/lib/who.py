"""who.py - who does the daemon take this process for?

    who.py SOCKET [TRICK]

Says hello on the socket and prints what the welcome has of it, or {"fault": CLASS}. A trick is done first:
`undumpable` hides from being looked at, `passed` connects in a process that stays, `orphaned` in one that
ends before the daemon can look (it waits for a line on stdin, and says "ready" before), `spoken` the same once it
has said hello."""

import ctypes
import json
import os
import sys

from wire import FAULT, HELLO, WELCOME, WireClient

PR_SET_DUMPABLE = 4


def say(client):
    try:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "client": "who", "app": "who.py"})
    except ConnectionError:
        pass  # it was refused before it said a word, and is told why


def hear(client):
    frame = client.recv_frame()
    if frame is None:
        return {"fault": "hung up"}
    if frame.type == FAULT:
        return {"fault": frame.body["class"], "message": frame.body["message"]}
    assert frame.type == WELCOME, frame
    return json.loads(frame.body["identity"])


def hello(client):
    say(client)
    return hear(client)


def orphaned(path, has_spoken):
    """The connection of a process that is gone, in the hands of its child."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        sys.exit(os.read(reader, 1) != b"+")
    client = WireClient(path)  # the daemon is stopped: it waits in the backlog
    if has_spoken:
        say(client)
    print(json.dumps({"ready": os.getpid()}), flush=True)
    if os.fork():
        os._exit(0)
    sys.stdin.readline()
    print(json.dumps(hear(client) if has_spoken else hello(client)), flush=True)
    os.write(writer, b"+")
    os._exit(0)


def main(path, trick=""):
    if trick == "undumpable":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if trick in ("orphaned", "spoken"):
        orphaned(path, trick == "spoken")
        return
    client = WireClient(path)
    if trick == "passed" and os.fork():
        os.wait()
        return
    print(json.dumps(hello(client)))


main(*sys.argv[1:])
