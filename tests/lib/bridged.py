"""bridged.py - how does a test run a bridge at a free port?"""

import os
import select
import signal
import subprocess

import harness


class Bridge:
    """One llm-broker-bridge for a broker; `addresses` are those that it says it listens at."""

    def __init__(self, made, *args, env=None):
        self.made, self.args, self.env = made, args, env
        self.addresses = []

    def __enter__(self):
        ready, theirs = os.pipe()
        self.process = subprocess.Popen(
            [harness.program("llm-broker-bridge"), "--ready-fd", str(theirs), *map(str, self.args)], pass_fds=[theirs],
            env=self.made.client_env(self.env), stderr=subprocess.PIPE, text=True, start_new_session=True)
        os.close(theirs)
        said = b""
        try:
            while True:
                if not select.select([ready], [], [], harness.START_SECONDS)[0]:
                    harness.kill_group(self.process)
                    raise harness.BrokerError("llm-broker-bridge does not listen in time")
                got = os.read(ready, 4096)
                if not got:
                    break
                said += got
        finally:
            os.close(ready)
        self.addresses = said.decode().splitlines()
        if not self.addresses:
            raise harness.BrokerError(f"llm-broker-bridge: {self.process.communicate()[1]}")
        return self

    @property
    def base(self):
        """http:// and its first TCP address."""
        return "http://" + next(one for one in self.addresses if not one.startswith("unix:"))

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            err = self.process.communicate(timeout=harness.STOP_SECONDS)[1]
        except subprocess.TimeoutExpired:
            harness.kill_group(self.process)
            raise harness.BrokerError("llm-broker-bridge did not end on SIGTERM") from None
        if self.process.returncode != 0 or any(word in err for word in harness.SANITIZER):
            raise harness.BrokerError(f"llm-broker-bridge ended with {self.process.returncode}: {err}")
