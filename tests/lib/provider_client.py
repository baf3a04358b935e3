"""provider_client.py - how does a test drive the scripted provider?

    with Provider(certs) as provider:
        provider.script(status=429, headers={"retry-after": "1"})
        provider.script(hold=2)         # the next answer waits after two events
        ...
        provider.release()
        assert provider.wait_request(2).json["model"] == "gpt-4o-mini"

Responses are used up in order; when none is left, or none is for the request, the provider gives
its own answer. reply.py lists what a response may say.
"""

import base64
import dataclasses
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

START_SECONDS = 20
PRICES = {"*": {"input": "0.15", "output": "0.60", "cached": "0.075", "cache_write": "0.1875"}}


class ProviderError(Exception):
    """The provider refused a command, or is not there."""


class ProviderTimeout(ProviderError):
    """What was waited for did not happen."""


@dataclasses.dataclass
class Seen:
    """A request as the provider got it; times are CLOCK_MONOTONIC (`time.monotonic()`)."""
    n: int
    connection: int
    nth: int
    received_at: float
    raw_head: bytes
    method: str
    target: str
    path: str
    query: str
    version: str
    headers: list
    body: bytes
    body_complete: bool
    body_at: float
    script: str
    status: int
    sent_bytes: int
    answered_at: float
    hangup_at: float
    answered: bool
    bill: dict

    @classmethod
    def of(cls, row):
        return cls(**dict(row, raw_head=base64.b64decode(row["raw_head"]),
                          body=base64.b64decode(row["body"]),
                          headers=[tuple(pair) for pair in row["headers"]]))

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        """The values of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Provider:
    """A provider process. `plain` is HTTP without TLS; `keys` are the only ones accepted."""

    def __init__(self, certs=None, *, plain=False, prices=None, keys=(), needs_key=True,
                 cert="good", port=0):
        if not plain and certs is None:
            raise ValueError("a provider with TLS needs certificates")
        self.certs, self.plain = certs, plain
        self.ca_file = None if plain else certs.ca_file
        self.prices = PRICES if prices is None else prices
        self._args = ["--prices", json.dumps(self.prices), "--port", str(port)]
        self._args += ["--plain"] if plain else ["--certs", str(certs.folder), "--cert", cert]
        self._args += [arg for key in keys for arg in ("--key", key)]
        self._args += [] if needs_key else ["--no-key"]
        self._process = None
        self._folder = None
        self.port = None

    def start(self):
        # not a test's own folder: the path of a Unix socket must be short
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="llmb-provider-"))
        program = pathlib.Path(__file__).with_name("provider.py")
        with open(self._folder / "stderr", "wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-B", str(program), "--control", str(self._folder / "control"),
                 *self._args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")})
        line, until = b"", time.monotonic() + START_SECONDS
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [],
                                        max(0, until - time.monotonic()))
            more = os.read(self._process.stdout.fileno(), 4096) if ready else b""
            if not more:
                errors = self.errors()
                self.stop()
                raise ProviderError(f"the provider did not start: {errors}")
            line += more
        self.port = json.loads(line)["port"]
        return self

    def stop(self):
        if self._process is not None:
            self._process.stdin.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self._process.pid

    @property
    def base_url(self):
        # a CA may vouch for the name; without TLS nothing does, and the address says loopback
        return f"http://127.0.0.1:{self.port}" if self.plain else f"https://localhost:{self.port}"

    def errors(self):
        """What the process wrote to stderr: empty, unless it has a bug."""
        return (self._folder / "stderr").read_text() if self._folder else ""

    def _ask(self, op, timeout=5, **members):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout + 10)
            try:
                sock.connect(str(self._folder / "control"))
                sock.sendall(json.dumps({"op": op, "timeout": timeout, **members}).encode() + b"\n")
                with sock.makefile("rb") as file:
                    line = file.readline()
            except OSError as why:
                raise ProviderError(f"{op}: {why}; {self.errors()}") from why
        if not line:
            raise ProviderError(f"{op}: the provider hung up; {self.errors()}")
        out = json.loads(line)
        if not out.pop("ok"):
            kind = ProviderTimeout if out.get("timeout") else ProviderError
            raise kind(f"{op}: {out['error']}")
        return out

    def script(self, *responses, **response):
        """Queues responses; given by name, one more."""
        self._ask("script", responses=[*responses, *([response] if response else [])])

    def on_connect(self, *flaws, **flaw):
        """Queues what happens to the next connections: stall="accept" or "hello" (after the
        caller's first bytes), stall_after=N bytes of TLS, reset, close, say="..." (then closed),
        cert=NAME, delay_ms; an empty one is as usual. times as for scripts."""
        self._ask("on_connect", flaws=[*flaws, *([flaw] if flaw else [])])

    def listener(self, state, hangs_up=False):
        """up; down (connections are refused); blackhole (SYNs get no answer). Open ones go on, unless it hangs up
        on them as it goes down."""
        self._ask("listener", state=state, hangs_up=hangs_up)

    def limits(self, *rules):
        """Rates that hold from now on, as provider_limits.py has them; stats()["limited"] counts the refusals."""
        self._ask("limits", rules=rules)

    def key_is(self, key, state):
        """good; revoked (401), quota (402) or forbidden (403): whatever it asks."""
        self._ask("key", key=key, state=state)

    def mix(self, **options):
        """What no script is for gets a fault by chance: seed=, weights=, good=, connection= of
        provider_faults.Mix; with nothing, no more. stats()["drawn"] counts them by their names."""
        self._ask("mix", options=options)

    def tally(self):
        """Of each request that came whole: [its body, its script's name, was it answered, its key]."""
        return self._ask("tally", 30)["rows"]

    def release(self, connection=None, at_least=1, timeout=5):
        """Waits until as many are held, lets go of them all (or of one), returns how many."""
        return self._ask("release", timeout, connection=connection, at_least=at_least)["released"]

    def wait_held(self, count=1, timeout=5):
        self._ask("wait_held", timeout, count=count)

    def requests(self):
        """All requests so far, in the order in which their heads came."""
        return [Seen.of(row) for row in self._ask("requests")["requests"]]

    def wait_request(self, n=1, timeout=5, until="body"):
        """Waits for the nth request (from 1) up to its head or body, or until it is answered."""
        return Seen.of(self._ask("wait_request", timeout, n=n, until=until)["request"])

    def wait_disconnect(self, connection=1, timeout=5):
        """Waits until a connection is over; `hangup_at` and `hangup` are null if we ended it."""
        return self._ask("wait_disconnect", timeout, connection=connection)["connection"]

    def stats(self):
        return self._ask("stats")

    def bill(self):
        """What the provider charges: requests, input, output, cached, cache_write, nano_usd."""
        return self.stats()["bill"]

    def reports(self, **reports):
        """What it says of costs to who administers it: provider_reports.Reports."""
        self._ask("reports", reports=reports)

    def reset(self):
        """Forgets scripts, log and bill, and ends every connection."""
        self._ask("reset")

    def check(self):
        """Raises ProviderError for a script that could not be played and for bugs of our own."""
        faults = self.stats()["script_errors"]
        if faults or self.errors():
            raise ProviderError("; ".join(faults) + self.errors())
