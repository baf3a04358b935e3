"""counted.py - what does the daemon do for a call, counted rather than timed?

The daemon is build/counted's, which is release's code without the confinement, for that would end
what looks into it. counting.so, loaded before it, counts allocations and the turns of its loop.
"""

import mmap
import os
import pathlib
import struct
import tempfile

import harness

# counting.c has the same: is it on, allocations, turns, the longest of them
LAYOUT = struct.Struct("=4Q")
# becomes the program named first, in the place of the one that follows it
INSTEAD = ("/bin/sh", "-c", 'instead=$1; shift 2; exec $instead "$@"', "sh")


class Missing(Exception):
    """What has not been built; the message says how."""


def built(folder, name):
    path = pathlib.Path(os.environ.get("LLMB_COUNTED_DIR") or harness.TOP / "build/counted").absolute() / folder / name
    if not path.exists():
        raise Missing(f"there is no {path.relative_to(harness.TOP)}: `make counted`")
    return str(path)


def program():
    return built("bin", "llm-brokerd")


def library():
    return built("bench", "counting.so")


def broker(config, *before, env=None):
    """A daemon that is counted, behind a program such as valgrind."""
    return harness.Broker(config, wrap=[*INSTEAD, " ".join([*before, program()])], env=env)


class Counted:
    """A daemon with the library; counting begins when it is up."""

    def __init__(self, config):
        self.file = tempfile.NamedTemporaryFile(prefix="counting.")
        self.file.truncate(mmap.PAGESIZE)
        self.map = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)
        self.broker = broker(config, env={"COUNTING": self.file.name, "LD_PRELOAD": library()})

    def __enter__(self):
        self.broker.start()
        LAYOUT.pack_into(self.map, 0, 1, 0, 0, 0)
        return self

    def __exit__(self, *_):
        self.broker.close()
        self.map.close()
        self.file.close()

    def read(self):
        _, allocations, turns, longest_ns = LAYOUT.unpack_from(self.map)
        return {"allocations": allocations, "turns": turns, "longest_turn_us": longest_ns / 1000}
