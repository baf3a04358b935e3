"""crowds.py - how does a test have many processes call at the same time, and learn what came of it?"""

import collections
import json
import pathlib
import sys
import time

import harness

PROGRAM = pathlib.Path(__file__).with_name("crowd.py")
Called = collections.namedtuple("Called", "begun ended what model waited id")


class Crowds:
    """Processes of crowd.py: `specs` are theirs, without the socket; `inside` is what stands before each (nsenter).
    They begin together."""

    def __init__(self, made, specs, inside=()):
        self.running = []
        for spec in specs:
            args = [*inside, sys.executable, "-B", str(PROGRAM), json.dumps({**spec, "socket": str(made.socket)})]
            self.running.append(harness.Running(args, made.client_env(), made.folder, stdin=True))
        made.running.extend(self.running)
        for one in self.running:
            one.read_until("ready")
        self.begun = time.monotonic() + 0.1
        for one in self.running:
            one.write(f"{self.begun}\n")

    def finish(self, timeout):
        """What came of each call, process by process: [[Called, ...], ...]."""
        until, all_called = time.monotonic() + timeout, []
        for one in self.running:
            done = one.finish(max(0.1, until - time.monotonic()))
            assert done.code == 0, done
            all_called.append([Called(*row) for row in json.loads(done.out.splitlines()[-1])])
        return all_called
