"""harness.py - how does a test run the real programs, and be sure that they are gone afterwards?

A `Broker` is one llm-brokerd in a folder of its own under /tmp, with HOME and every XDG folder in
there and nothing of the caller's environment but the sanitizers' options. Every wait has an end.
All processes carry MARK in their environment, so that also those which they start themselves, such
as a broker started by the library, are found and killed.

The programs are taken from $LLMB_BIN_DIR, or build/release/bin. $LLMB_WRAP ("valgrind -q ...") is
put before llm-brokerd; a wrapper must become the daemon, not be its parent, and multiplies all
waits.
"""

import collections
import os
import pathlib
import selectors
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import uuid

TOP = pathlib.Path(__file__).resolve().parents[2]
MARK = "LLMB_TEST_RUN"
RUN_ID = uuid.uuid4().hex
SLOWER = 20 if os.environ.get("LLMB_WRAP") else 1
START_SECONDS = 10 * SLOWER
STOP_SECONDS = 15 * SLOWER
CALL_SECONDS = 20 * SLOWER
PASSED_ON = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LLVM_PROFILE_FILE",
             "GCOV_PREFIX", "ASAN_SYMBOLIZER_PATH")
SANITIZER = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
             "WARNING: ThreadSanitizer")

Result = collections.namedtuple("Result", "code out err")


class BrokerError(AssertionError):
    """A program that did not do what it must; the message has its log."""


def bin_dir():
    return pathlib.Path(os.environ.get("LLMB_BIN_DIR") or TOP / "build/release/bin").absolute()


def is_sanitized():
    """Whether the programs are a sanitizer's build, or one that counts: slow, and their memory is its own affair."""
    return bin_dir().parent.name in ("asan", "tsan", "coverage")


def is_observed():
    """Whether they are made for being watched, by a sanitizer or by valgrind, and so not closed to it."""
    return is_sanitized() or bin_dir().parent.name == "debug" or SLOWER > 1


def program(name):
    """The path of a program of ours."""
    path = bin_dir() / name
    if not os.access(path, os.X_OK):
        raise BrokerError(f"there is no {name} in {bin_dir()}: run `make`, or set LLMB_BIN_DIR")
    return str(path)


def wrap(name):
    """The path of a program that the tests put around one of ours (tests/wrap)."""
    path = bin_dir().parent / "tests" / name
    if not os.access(path, os.X_OK):
        raise BrokerError(f"there is no {path}: run `make tests`")
    return str(path)


def wait_until(is_true, timeout, what, every=0.002):
    """Asks again and again, ever more slowly, until the answer is true, and returns it."""
    until = time.monotonic() + timeout
    while True:
        found = is_true()
        if found:
            return found
        if time.monotonic() >= until:
            raise BrokerError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(every)
        every = min(every * 1.5, 0.05)


def accepts(path):
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        try:
            sock.connect(str(path))
        except OSError:
            return False
        return True


def sandbox_socket(made):
    """The one for sandboxes of a broker whose socket's folder is `llm-broker`: it is made behind the main one."""
    path = made.folder / "llm-broker-sandbox" / "sock"
    wait_until(lambda: accepts(path), 10, f"somebody listens on {path}")
    return path


def quoted(value):
    """A value as it stands in the configuration."""
    text = str(value)
    if "\n" in text:
        raise ValueError(f"a configuration value with a line end: {text!r}")
    return text


def section(kind, name, keys):
    """A section of the configuration; `keys` are pairs, or a dict whose lists repeat the key."""
    lines = [f'[{kind} "{name}"]' if name else f"[{kind}]"]
    for key, value in keys.items() if isinstance(keys, dict) else keys:
        for one in value if isinstance(value, (list, tuple)) else [value]:
            lines.append(f"{key} = {quoted(one)}")
    return "\n".join(lines) + "\n"


def provider_section(provider, name="test", *, dialect="openai-chat /v1/chat/completions",
                     auth="bearer", base_path="", **more):
    """The section that makes `provider`, a provider_client.Provider, known to the broker."""
    keys = {"dialect": dialect, "base_url": provider.base_url + base_path, "auth": auth}
    if provider.plain:
        keys["allow_plain_loopback"] = "yes"
    else:
        keys["ca_file"] = provider.ca_file
    return section("provider", name, {**keys, "local": "yes", **more})


class Running:
    """A program under way, its output read as it comes. Its stderr goes to a file."""

    def __init__(self, args, env, cwd, stdin=None):
        self.args = args
        self._stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            args, env=env, cwd=cwd, bufsize=0, stdin=subprocess.PIPE if stdin else
            subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr, start_new_session=True)
        self.out = b""
        self.times = []  # (monotonic, bytes so far) of each piece that came

    @property
    def pid(self):
        return self.process.pid

    @property
    def err(self):
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    def _read(self, until):
        """Reads once; False at the end of the output."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0, until - time.monotonic())):
                raise BrokerError(f"{self.args[0]}: no more output in time; so far {self.out!r}; "
                                  f"{self.err}")
        data = os.read(self.process.stdout.fileno(), 65536)
        if data:
            self.out += data
            self.times.append((time.monotonic(), len(self.out)))
        return bool(data)

    def read_until(self, text, timeout=CALL_SECONDS):
        """Reads until `text` came, and returns all the output so far, as bytes."""
        text = text.encode() if isinstance(text, str) else text
        until = time.monotonic() + timeout
        while text not in self.out:
            if not self._read(until):
                raise BrokerError(f"{self.args[0]} ended without {text!r}: {self.out!r}; "
                                  f"{self.err}")
        return self.out

    def write(self, text):
        self.process.stdin.write(text.encode() if isinstance(text, str) else text)

    def signal(self, number):
        self.process.send_signal(number)

    def finish(self, timeout=CALL_SECONDS):
        """Closes its input, reads the rest and waits for the end."""
        until = time.monotonic() + timeout
        if self.process.stdin:
            self.process.stdin.close()
        while self._read(until):
            pass
        try:
            code = self.process.wait(max(0.01, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise BrokerError(f"{self.args[0]} closed its output but does not end") from None
        return Result(code, self.out.decode(errors="replace"), self.err)

    def kill(self):
        kill_group(self.process)
        self.process.stdout.close()
        self._stderr.close()


def kill_group(process):
    """Ends a process started in a session of its own, with all that is in it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def fds_of(pid):
    """The open descriptors of a process: {number: what it is}."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            pass  # closed meanwhile
    return found


def leftovers():
    """The processes of this test run that are still there, told by MARK in their environment."""
    mark = f"{MARK}={RUN_ID}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry.name}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    found.append(int(entry.name))
        except OSError:
            pass  # gone, or another user's
    return found


def kill_leftovers():
    """Ends them, and returns their command lines."""
    names = []
    for pid in leftovers():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                names.append(file.read().replace(b"\0", b" ").decode(errors="replace").strip())
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return names


class Broker:
    """One llm-brokerd with its folder, and the CLI that calls it."""

    def __init__(self, config="", *, env=None, args=(), wrap=None):
        # not pytest's folder: the path of a Unix socket must fit in 107 bytes
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="llmb-"))
        self.home = self.folder / "home"
        self.state_dir = self.folder / "state"
        self.config_file = self.folder / "broker.conf"
        self.socket = self.folder / "sock"
        self.log_file = self.folder / "stderr"
        self.wrap = shlex.split(os.environ.get("LLMB_WRAP", "")) if wrap is None else list(wrap)
        self.args = list(args)
        self.process = None
        self.running = []
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC",
                    "HOME": str(self.home), "TMPDIR": str(self.folder), MARK: RUN_ID}
        for name, place in (("CONFIG_HOME", ".config"), ("DATA_HOME", ".local/share"),
                            ("STATE_HOME", ".local/state"), ("CACHE_HOME", ".cache"),
                            ("RUNTIME_DIR", "run")):
            self.env["XDG_" + name] = str(self.home / place)
            (self.home / place).mkdir(parents=True, mode=0o700)
        self.env.update((name, os.environ[name]) for name in PASSED_ON if name in os.environ)
        self.env.update(env or {})
        self.log_file.touch()
        self.configure(config)

    def configure(self, text):
        """Writes the configuration; a running daemon takes it up at `reload`."""
        self.config_file.write_text(text)
        self.config_file.chmod(0o600)

    # the daemon

    def start(self, wait=True):
        """Starts it, and waits until it takes connections."""
        if self.process is not None:
            raise BrokerError("the broker runs already")
        command = [*self.wrap, program("llm-brokerd"), "--config", str(self.config_file),
                   "--socket", str(self.socket), "--state-dir", str(self.state_dir), *self.args]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(command, env=self.env, cwd=self.folder, stderr=log,
                                            stdout=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=START_SECONDS):
        def is_ready():
            code = self.process.poll()
            if code is not None:
                self.process = None
                raise BrokerError(f"llm-brokerd ended with {code} at start\n{self.log()}")
            return self.socket.exists() and accepts(self.socket)
        wait_until(is_ready, timeout, lambda: f"llm-brokerd listens\n{self.log()}")

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def wait_exit(self, timeout=STOP_SECONDS):
        """Waits for it to end by itself, and returns its exit status (negative: the signal)."""
        process = self.process
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise BrokerError(f"llm-brokerd did not end in {timeout} s\n{self.log()}") from None
        self.process = None
        return code

    def stop(self, timeout=STOP_SECONDS):
        """Ends it by SIGTERM, and makes sure that it ends well and that no sanitizer complained."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.wait_exit(timeout)
        if code != 0:
            raise BrokerError(f"llm-brokerd ended with {code} on SIGTERM\n{self.log()}")
        self.check_log()

    def check_log(self):
        log = self.log()
        if any(word in log for word in SANITIZER):
            raise BrokerError(f"a sanitizer complained\n{log}")

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        """Stops it in good order and starts it on the same folder."""
        self.stop()
        return self.start()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def forget_rests(self):
        """All providers are taken to be well: what one case did to them says nothing of the next."""
        done = self.llmb("config", "reload")
        assert done.code == 0, done.err

    def close(self):
        """Ends whatever is left and deletes the folder; for teardown."""
        for running in self.running:
            running.kill()
        self.running = []
        if self.process is not None:
            kill_group(self.process)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
        finally:
            self.close()

    def log(self):
        """All that the daemon wrote so far, over all its starts."""
        return self.log_file.read_text(errors="replace")

    def wait_log(self, text, timeout=CALL_SECONDS):
        wait_until(lambda: text in self.log(), timeout, lambda: f"{text!r} in\n{self.log()}")

    def rss_kib(self):
        """Its resident memory."""
        return self._status_kib("VmRSS")

    def heap_kib(self):
        """The part of it that is no file's: the journal is mapped, and its pages come and go."""
        return self._status_kib("RssAnon")

    def gives_back(self, before_kib, most_kib):
        """Once it is quiet, its heap is no more than `most_kib` over `before_kib`; of a build that is watched nothing is said."""
        if is_observed():
            return
        wait_until(lambda: self.heap_kib() - before_kib < most_kib, 5,
                   lambda: f"no more than {most_kib} KiB of heap over {before_kib}: {self.heap_kib()}")

    def _status_kib(self, name):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise BrokerError("llm-brokerd has no memory: it is a zombie")

    def fds(self):
        """Its open descriptors: {number: what it is}."""
        return fds_of(self.pid)

    def sockets(self):
        """How many of them are sockets: files come and go with the workers."""
        return sum(what.startswith("socket:") for what in self.fds().values())

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    # its ledger

    def ledger(self):
        """The rows of the ledger as they are now: {"exchange": [dict, ...], "attempt": [...]}."""
        path = self.state_dir / "ledger.db"
        if not path.exists():
            return {"exchange": [], "attempt": []}
        base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            base.row_factory = sqlite3.Row
            out = {}
            with base:
                base.execute("BEGIN")  # both tables as of one moment
                tables = {row["name"] for row in base.execute("SELECT name FROM sqlite_schema")}
                for table in ("exchange", "attempt"):
                    rows = base.execute(f"SELECT * FROM {table}") if table in tables else ()
                    out[table] = sorted(map(dict, rows), key=lambda row: row.get("at_us", 0))
            return out
        finally:
            base.close()

    def hurry_ledger(self):
        """What has ended is written now, and not up to a second later: who asks for usage is told of all that has."""
        import wire  # wants python3-msgpack, which a system that is only booted for its tests has not
        try:
            with wire.WireClient(self.socket) as client:
                client.send_frame(wire.HELLO, 0, {"min": 1, "max": 1, "app": "tests"})
                client.recv_until(wire.WELCOME)
                client.send_frame(wire.CALL, 1, {"kind": "admin", "op": "usage", "body": b"{}"})
                client.recv_until(wire.END, wire.FAULT)
        except (OSError, wire.WireError):
            pass  # then it takes as long as it takes

    def wait_ledger(self, exchanges, attempts=None, timeout=CALL_SECONDS):
        """Waits for so many rows, which a worker writes a little later; more are an error."""
        wanted = {"exchange": exchanges, "attempt": attempts}

        def is_there():
            rows = self.ledger()
            for table, count in wanted.items():
                if count is not None and len(rows[table]) > count:
                    raise BrokerError(f"{len(rows[table])} rows of {table}, not {count}: "
                                      f"{rows[table]}")
            if all(count is None or len(rows[table]) == count for table, count in wanted.items()):
                return rows
            self.hurry_ledger()
            return None
        return wait_until(is_there, timeout, lambda: f"{wanted} in {self.ledger()}")

    # its clients

    def client_env(self, env=None):
        return {**self.env, "LLM_BROKER_SOCKET": str(self.socket), **(env or {})}

    def llmb(self, *args, input=None, timeout=CALL_SECONDS, env=None):
        """Runs the CLI to its end: (code, out, err)."""
        command = [program("llmb"), *map(str, args)]
        data = input.encode() if isinstance(input, str) else input
        process = subprocess.Popen(command, env=self.client_env(env), cwd=self.folder,
                                   stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            out, err = process.communicate(data, timeout)
        except subprocess.TimeoutExpired as late:
            kill_group(process)
            raise BrokerError(f"{shlex.join(command)} did not end in {timeout} s; it said "
                              f"{late.stdout!r} {late.stderr!r}\n{self.log()}") from None
        return Result(process.returncode, out.decode(errors="replace"),
                      err.decode(errors="replace"))

    def llmb_start(self, *args, env=None, stdin=False):
        """Starts the CLI and returns a Running, to watch its output come."""
        running = Running([program("llmb"), *map(str, args)], self.client_env(env), self.folder,
                          stdin)
        self.running.append(running)
        return running

    def add_key(self, provider, key, timeout=CALL_SECONDS):
        """Puts a key into the vault, the way a script would."""
        done = self.llmb("key", "add", provider, "--from-stdin", "--no-input", input=key + "\n",
                         timeout=timeout)
        if done.code != 0:
            raise BrokerError(f"llmb key add {provider}: {done.code}: {done.err}\n{self.log()}")
        return done
