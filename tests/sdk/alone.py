#!/usr/bin/python3
"""alone.py - runs a command in a network of its own, where there is nothing but the loopback.

usage: alone.py COMMAND...

What it starts cannot reach any host, whatever it tries. Where the kernel allows no such network the command runs
as it is: the tests that need one then say so, and are skipped (`is_alone`).
"""

import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
INSIDE = "--inside"


def is_alone():
    """Is there no interface but the loopback's?"""
    lines = pathlib.Path("/proc/self/net/dev").read_text().splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines] == ["lo"]


def _raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = bytearray(struct.pack("16sH14x", b"lo", 0))
        fcntl.ioctl(sock, SIOCGIFFLAGS, request)
        name, flags = struct.unpack("16sH14x", request)
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", name, flags | IFF_UP))


def main(args):
    if args[:1] == [INSIDE]:
        _raise_loopback()
        os.execvp(args[1], args[1:])
    if not args:
        sys.exit(__doc__)
    enter = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--user", "--map-current-user", "--net"]
    try:
        may = subprocess.run([*enter, "true"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        may = False
    if may:
        os.execvp(enter[0], [*enter, sys.executable, __file__, INSIDE, *args])
    print("alone: this host gives no network of its own", flush=True)
    os.execvp(args[0], args)


if __name__ == "__main__":
    main(sys.argv[1:])
