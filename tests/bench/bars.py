#!/usr/bin/python3
"""bars.py - which of its bars does the broker hold?

usage: bars.py [--quick] [--rounds N] [--only BAR...] [--peers FOLDER] [--out FILE] [--json FILE]

Each bar is a ratio that one run can check on any machine: a figure of the broker to that of something
beside it that does less (a bare socket and libcurl, the least broker of floor.c, nginx as a plain
proxy) or the same (a gateway). All sides of a bar run in turn within a round; the ratio is the median
of the rounds' own, and it is said in how many of them the bar held. What a machine has not got (no
nginx, no gateway) leaves its rows empty, with the reason. Writes Markdown and JSON.
"""

import argparse
import collections
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import platform
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import bridge  # noqa: E402
import bridged  # noqa: E402
import certs  # noqa: E402
import counted  # noqa: E402
import harness  # noqa: E402
import peers  # noqa: E402
import profiles  # noqa: E402
import reasons  # noqa: E402
import run as bench  # noqa: E402

SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
MANY = 64      # in flight, for what is counted per core
CROWD = 1000   # calls, or streams
IDLE = 10000   # clients that say nothing
BURSTS = 100
GATEWAYS = ("portkey",)  # which may fail by themselves
SETTLE_MS = 1500  # a gateway that was just started is slow
LONG_MS = 5000
SLOW = ("--warm-ms", 500, "--run-ms", 2000)  # and later it needs more time for as many calls
MIB = 1 << 20

# number, part, what, the goal, in words of the table; how the ratio is made of a round's sides; its bound
Bar = collections.namedtuple("Bar", "name group what goal of bound is_least unit", defaults=(False, "×"))


def over(figure, side, beside):
    return lambda r: r[side][figure] / r[beside][figure]


def added(figure, beside):
    """What the broker adds to the direct call, to what another adds."""
    return lambda r: ((r["broker"][figure] - r["raw"][figure]) / (r[beside][figure] - r["raw"][figure]))


def value(side, figure, by=1):
    return lambda r: r[side][figure] / by


def less(figure, side, than, by):
    return lambda r: (r[side][figure] - r[than][figure]) / by


P50, P99, CPU, TOKEN = "call_p50_us", "call_p99_us", "cpu_us_per_call", "cpu_us_per_token"
BARS = [
    Bar("1", "one", "one call at a time, p50", "≤ 1.35 × (bare socket + libcurl)",
        lambda r: r["broker"][P50] / (r["socket"][P50] + r["easy"][P50]), 1.35),
    Bar("2a", "one", "the same", "≤ 1.1 × nginx", over(P50, "broker", "nginx"), 1.1),
    Bar("2b", "one", "what it adds to a direct call", "≤ 1/45 of Portkey's", added(P50, "portkey"), 1 / 45),
    Bar("3a", "one", "one call at a time, p99", "≤ 1.2 × nginx", over(P99, "broker", "nginx"), 1.2),
    Bar("3b", "one", "the same", "≤ 1/100 of Portkey's", over(P99, "broker", "portkey"), 1 / 100),
    Bar("4a", "core", "calls per core, 64 in flight", "≥ 60 % of bare curl multi's",
        over(CPU, "multi", "broker"), 0.6, True),
    Bar("4b", "core", "CPU of a call, 64 in flight", "≤ 1.3 × the least broker's", over(CPU, "broker", "floor"), 1.3),
    Bar("4c", "core", "calls per core, 64 in flight", "≥ 35 × Portkey's", over(CPU, "portkey", "broker"), 35, True),
    Bar("5", "crowd", "CPU of a call, 1,000 in flight", "≤ 1.4 × that at 64", over(CPU, "broker", "few"), 1.4),
    Bar("6", "tls", "CPU of a call over TLS, 64 in flight", "≤ 1.25 × the least broker's",
        over(CPU, "broker", "floor"), 1.25),
    Bar("7", "fresh", "CPU of a new TLS connection, system CA bundle", "≤ 1.2 ms",
        less(CPU, "broker", "kept", 1000), 1.2, False, "ms"),
    Bar("8", "bursts", "connections opened by bursts of 64", "≤ 1.02 × 64", value("broker", "connections", MANY), 1.02),
    Bar("9a", "streams", "cores for 1,000 streams of 50 tokens a second", "≤ 1.0 × nginx",
        over(TOKEN, "broker", "nginx"), 1.0),
    Bar("9b", "streams", "CPU of a token there", "≤ 13 µs", value("broker", TOKEN), 13, False, "µs"),
    Bar("9c", "streams", "tokens that arrive there", "≥ 99 % of those direct",
        over("tokens_per_second", "broker", "easy"), 0.99, True),
    Bar("10a", "first", "time to the first token, one stream, p50", "≤ 1.25 × nginx",
        over("first_token_p50_us", "broker", "nginx"), 1.25),
    Bar("10b", "first", "the same", "≤ 1/80 of Portkey's", over("first_token_p50_us", "broker", "portkey"), 1 / 80),
    Bar("11a", "some", "a token's way, 32 streams, p50", "≤ 1.2 × nginx",
        over("token_delay_p50_us", "broker", "nginx"), 1.2),
    Bar("11b", "some", "the same, p99", "≤ 1/50 of Portkey's", over("token_delay_p99_us", "broker", "portkey"), 1 / 50),
    Bar("12", "hit", "a cache hit, one at a time, p50", "≤ 1.0 × a direct call", over(P50, "broker", "raw"), 1.0),
    Bar("13", "hits", "CPU of a hit, 64 in flight", "≤ 1.5 × the least broker's", over(CPU, "broker", "floor"), 1.5),
    Bar("14a", "idle", "resident, idle", "≤ 14 MiB", value("broker", "rss", MIB), 14, False, "MiB"),
    Bar("14b", "idle", "of that, anonymous", "≤ 4 MiB", value("broker", "anonymous", MIB), 4, False, "MiB"),
    Bar("14c", "idle", "resident, idle", "≤ 1/5 of Portkey's", over("rss", "broker", "portkey"), 1 / 5),
    Bar("15", "idle", "10,000 idle clients", "≤ 4 MiB more", less("rss", "clients", "broker", MIB), 4, False, "MiB"),
    Bar("16", "held", "a stream in flight", "≤ 26 KiB", less("rss", "streams", "broker", CROWD * 1024), 26, False, "KiB"),
    Bar("17a", "start", "start to the first answer", "≤ 1.25 × nginx", over("ms", "broker", "nginx"), 1.25),
    Bar("17b", "start", "the same", "≤ 1/25 of Portkey's", over("ms", "broker", "portkey"), 1 / 25),
    Bar("18", "turn", "longest turn of the loop, CPU time, in calls, streams and hits", "≤ 2 ms",
        value("broker", "longest_turn_us", 1000), 2, False, "ms"),
    Bar("19", "watched", "p99 of calls beside `llmb top`, `llmb tail` and who scrapes /metrics each second",
        "≤ 1.1 × that without", over(P99, "broker", "alone"), 1.1),
]


Stood = collections.namedtuple("Stood", (*peers.Made._fields, "busiest"))


class Missing(Exception):
    """What this machine has not got; the message says why."""


class Stage:
    """The programs that stand between, each with its own providers, and how they are asked."""

    def __init__(self, stack, plan, folder):
        cpus = sorted(os.sched_getaffinity(0))
        self.stack, self.plan, self.folder = stack, plan, folder
        self.one, self.other = cpus[0], cpus[-1]
        self.upstreams, self.missing, self.between, self.failed = {}, {}, {}, {}
        for name, chunks, us in (("bench", 150, 20000), ("short", 4, 2000), ("some", 100, 5000), ("live", 1000000, 1000000)):
            self.upstreams[name] = stack.enter_context(bench.Program(
                "upstream", "--chunks", chunks, "--interval-us", us, "--pin", self.other))
        self.ports = {name: up.said.strip() for name, up in self.upstreams.items()}
        self.certs = None
        self.broker = harness.Broker(self.config())
        stack.callback(self.broker.close)
        self.broker.start()

    def config(self):
        """Limits, prices and accounts are on, as they would be."""
        text = "".join(self.provider(name, f"http://127.0.0.1:{port}/v1") for name, port in self.ports.items())
        return text + harness.section("limit", "bench", {
            "each": "user", "budget": "1000000/day", "requests": "1000000/second", "concurrency": 10000})

    @staticmethod
    def provider(name, url, **more):
        keys = {"dialect": "openai-chat", "base_url": url, "auth": "none", "local": "yes", **more}
        if url.startswith("http:"):
            keys["allow_plain_loopback"] = "yes"
        return harness.section("provider", name, keys) + harness.section("model", f"{name}/bench-1", {
            "price_input": "0.15", "price_output": "0.60", "max_output": 16384})  # else a budget caps it, and nothing capped is kept

    def url(self, name, port=None):
        return f"http://127.0.0.1:{port or self.ports[name]}/v1/chat/completions"

    def start_between(self, kind, name):
        """nginx or a gateway before the provider `name`."""
        if (kind, name) not in self.between:
            if kind in self.missing:
                raise Missing(self.missing[kind])
            try:
                made = self.make(self.stack, kind, name)
                bench.run("direct", "--url", self.url(name, made.port), "--easy", *peers.heads(made), "--warm-ms", SETTLE_MS)
            except (bench.BenchError, peers.Missing) as why:
                self.missing[kind] = str(why)
                raise Missing(str(why)) from None
            pids = bridge.children(made.pids[0])  # not all were there at once
            busiest = max(pids, key=lambda pid: peers.cpu_s([pid]))
            self.between[kind, name] = Stood(*made._replace(pids=pids), busiest)
        return self.between[kind, name]

    def make(self, stack, kind, name):
        return peers.MAKERS[kind](stack, self.folder, self.ports[name])

    def arrange(self, together):
        """What stands between has the first processor; all else shares it, or has the other."""
        rest = self.one if together else self.other
        for up in self.upstreams.values():
            bench.place(up.pid, rest)
        for pid in [self.broker.pid, *(pid for made in self.between.values() for pid in made.pids)]:
            with contextlib.suppress(OSError):
                bench.place(pid, self.one)
        return rest

    # sides: each returns a report

    def load(self, cpu, *args, name="bench", broker=None):
        made = broker or self.broker
        return ask("load", "--socket", made.socket, "--model", f"{name}/bench-1", "--watch", made.pid,
                              "--pin", cpu, *args)

    def direct(self, cpu, *args, name="bench", url=None):
        return ask("direct", "--url", url or self.url(name), "--pin", cpu, *args)

    def through(self, kind, cpu, *args, name="bench"):
        made = self.start_between(kind, name)
        slow = () if kind == "nginx" else SLOW
        return ask("direct", "--url", self.url(name, made.port), *peers.heads(made), "--watch", made.busiest, "--pin", cpu,
                              *args, *slow)

    @contextlib.contextmanager
    def floor(self, url, *args):
        path = str(self.broker.folder / f"floor{time.monotonic_ns()}")
        with bench.Program("floor", "--socket", path, "--url", url, "--pin", self.one, *args) as program:
            yield lambda cpu, *more: ask(
                "load", "--socket", path, "--model", "bench-1", "--surface", "openai.chat", "--watch", program.pid,
                "--pin", cpu, *more)


def ask(*args):
    """Runs load, direct or roundtrip. On a machine so busy that nothing was answered it is given more time, once."""
    report = bench.run(*args)
    if report["calls"] + report["tokens"] + report["errors"] == 0:
        report = bench.run(*args, "--run-ms", LONG_MS)
    if report["errors"] or not report["calls"] + report["tokens"]:
        raise bench.BenchError(f"no answers, or errors: {report}")
    return report


def optional(sides, stage, kind, name="bench", **how):
    """A side that is there where its program is."""
    with contextlib.suppress(Missing):
        stage.start_between(kind, name)
        sides[kind] = lambda cpu, args: stage.through(kind, cpu, *args, name=name, **how)


def rounds(stage, count, sides, together, args):
    """[{side: report} of each round]; a side takes the processor of the rest, and arguments."""
    cpu = stage.arrange(together)
    found = []
    for _ in range(count):
        one = {}
        for name, side in list(sides.items()):
            try:
                one[name] = side(cpu, args)
            except bench.BenchError as why:
                if name not in GATEWAYS:
                    raise
                stage.failed[name] = f"{name} fails: {str(why).rpartition(': ')[2]}"
                del sides[name]
        found.append(one)
    return found


# the groups: what is run in turn

def group_one(stage, plan):
    sides = {
        "socket": lambda cpu, args: ask("roundtrip", "--pin", cpu, *args),
        "easy": lambda cpu, args: stage.direct(cpu, "--easy", *args),
        "raw": lambda cpu, args: stage.direct(cpu, "--raw", *args),
        "broker": lambda cpu, args: stage.load(cpu, "--cache", "read", *args)}
    for kind in ("nginx", "portkey"):
        with contextlib.suppress(Missing):
            stage.start_between(kind, "bench")
            how = "--raw" if kind == "nginx" else "--easy"  # a gateway answers in chunks
            sides[kind] = lambda cpu, args, kind=kind, how=how: stage.through(kind, cpu, how, *args)
    with stage.floor(stage.url("bench")) as floor:
        sides["floor"] = lambda cpu, args: floor(cpu, *args)
        return rounds(stage, plan.rounds, sides, True, plan.times())


def group_core(stage, plan):
    args = ["--calls", MANY, *plan.times()]
    with stage.floor(stage.url("bench")) as floor:
        sides = {
            "multi": lambda cpu, args: stage.direct(stage.one, *args),
            "broker": lambda cpu, args: stage.load(cpu, "--cache", "read", "--connections", MANY, *args),
            "floor": lambda cpu, args: floor(cpu, "--connections", MANY, *args)}
        optional(sides, stage, "nginx")
        optional(sides, stage, "portkey")
        return rounds(stage, plan.rounds, sides, False, args)


def group_crowd(stage, plan):
    def side(calls):
        return lambda cpu, args: stage.load(cpu, "--calls", calls, "--connections", calls, *args)
    return rounds(stage, plan.rounds, {"few": side(MANY), "broker": side(CROWD)}, False, plan.stream_times())


@contextlib.contextmanager
def tls(stage):
    """nginx as a provider with TLS, before the one that has none: its CA, and {how: port}."""
    if not shutil.which("nginx"):
        raise Missing("TLS takes an nginx before the provider, and there is none")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        made = certs.Certs(pathlib.Path(folder) / "certs").make()
        bundle = pathlib.Path(folder) / "bundle.pem"
        system = pathlib.Path(SYSTEM_CA)
        bundle.write_bytes((system.read_bytes() if system.exists() else b"") + pathlib.Path(made.ca_file).read_bytes())
        ports = {}
        for how, alive in (("kept", 75), ("fresh", 0)):
            there = peers.nginx(stack, None, stage.ports["bench"], cert=made, keepalive=alive)
            ports[how] = there.port
            for pid in there.pids:
                bench.place(pid, stage.other)
        yield str(bundle), ports


@contextlib.contextmanager
def tls_broker(stage):
    with tls(stage) as (bundle, ports):
        config = "".join(Stage.provider(how, f"https://127.0.0.1:{port}/v1", ca_file=bundle) for how, port in ports.items())
        made = harness.Broker(config)
        try:
            made.start()
            bench.place(made.pid, stage.one)
            yield made, bundle, ports
        finally:
            made.close()


def group_tls(stage, plan):
    with tls_broker(stage) as (made, bundle, ports), \
            stage.floor(f"https://127.0.0.1:{ports['kept']}/v1/chat/completions", "--ca", bundle) as floor:
        args = ["--calls", MANY, "--connections", MANY, *plan.times()]
        return rounds(stage, plan.rounds, {
            "broker": lambda cpu, args: stage.load(cpu, *args, name="kept", broker=made),
            "floor": lambda cpu, args: floor(cpu, *args)}, False, args)


def group_fresh(stage, plan):
    with tls_broker(stage) as (made, _, _):
        return rounds(stage, plan.rounds, {
            "kept": lambda cpu, args: stage.load(cpu, *args, name="kept", broker=made),
            "broker": lambda cpu, args: stage.load(cpu, *args, name="fresh", broker=made)}, False, plan.times())


def group_bursts(stage, plan):
    def side(cpu, args):
        with bench.Program("upstream", "--pin", cpu) as up:
            made = harness.Broker(Stage.provider("bench", f"http://127.0.0.1:{up.said.strip()}/v1"))
            try:
                made.start()
                report = stage.load(cpu, *args, broker=made)
            finally:
                made.close()
            report["connections"] = json.loads(up.last_words())["connections"]
            return report
    return rounds(stage, plan.rounds, {"broker": side}, False,
                  ["--calls", MANY, "--connections", MANY, "--bursts", BURSTS, "--warm-ms", 1, "--run-ms", 20000])


def group_streams(stage, plan):
    sides = {
        "easy": lambda cpu, args: stage.direct(stage.one, *args),
        "broker": lambda cpu, args: stage.load(cpu, "--connections", CROWD, *args)}
    optional(sides, stage, "nginx")
    return rounds(stage, plan.side_rounds, sides, False, ["--stream", "--calls", CROWD, *plan.stream_times()])


def group_first(stage, plan):
    sides = {"broker": lambda cpu, args: stage.load(cpu, *args, name="short")}
    optional(sides, stage, "nginx", "short")
    optional(sides, stage, "portkey", "short")
    return rounds(stage, plan.rounds, sides, False, ["--stream", *plan.times()])


def group_some(stage, plan):
    sides = {"broker": lambda cpu, args: stage.load(cpu, "--connections", 32, *args, name="some")}
    optional(sides, stage, "nginx", "some")
    optional(sides, stage, "portkey", "some")
    return rounds(stage, plan.rounds, sides, False, ["--stream", "--calls", 32, *plan.stream_times()])


def group_hit(stage, plan):
    return rounds(stage, plan.rounds, {
        "raw": lambda cpu, args: stage.direct(cpu, "--raw", *args),
        "broker": lambda cpu, args: stage.load(cpu, "--cache", "on", *args)}, True, plan.times())


def group_hits(stage, plan):
    args = ["--calls", MANY, "--connections", MANY, *plan.times()]
    with stage.floor(stage.url("bench"), "--hit") as floor:
        return rounds(stage, plan.rounds, {
            "floor": lambda cpu, args: floor(cpu, *args),
            "broker": lambda cpu, args: stage.load(cpu, "--cache", "on", *args)}, False, args)


def fresh_memory(stage, args, *more):
    """A daemon that has answered one call, and then has these clients: both memories."""
    made = harness.Broker(stage.config())
    try:
        made.start()
        asked = ["--socket", made.socket, "--model", "live/bench-1"]
        bench.run("load", "--socket", made.socket, "--model", "bench/bench-1", "--once")
        idle = bench.memory(made.pid)
        with bench.Program("load", *asked, *args):
            time.sleep(0.3)  # what they leave behind is given back
            return idle, bench.memory(made.pid)
    finally:
        made.close()


def group_idle(stage, plan):
    found = []
    for _ in range(plan.side_rounds):
        idle, clients = fresh_memory(stage, ["--idle", "--connections", IDLE])
        one = {"broker": idle, "clients": clients}
        with contextlib.suppress(Missing), contextlib.ExitStack() as stack:
            stage.start_between("portkey", "bench")
            made = stage.make(stack, "portkey", "bench")
            stage.direct(stage.other, "--easy", *peers.heads(made), "--warm-ms", SETTLE_MS, url=stage.url("bench", made.port))
            one["portkey"] = {"rss": sum(bench.memory(pid)["rss"] for pid in made.pids)}
        found.append(one)
    return found


def group_held(stage, plan):
    found = []
    for _ in range(plan.side_rounds):
        idle, streams = fresh_memory(stage, ["--stream", "--hold", "--calls", CROWD, "--connections", CROWD, "--run-ms", 15000])
        found.append({"broker": idle, "streams": streams})
    return found


def until_answered(stage, kind):
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        made = stage.make(stack, kind, "bench")
        body = json.dumps({"model": "bench-1", "messages": [{"role": "user", "content": "x"}]})
        head = dict(line.split(": ", 1) for line in made.headers)
        connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=20)
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json", **head})
        answer = connection.getresponse()
        took = time.monotonic() - began
        connection.close()
        if answer.status != 200:
            raise bench.BenchError(f"{kind} answered with status {answer.status}")
    return {"ms": took * 1000}


def group_start(stage, plan):
    def broker():
        made = harness.Broker(stage.config())
        try:
            made.start()
            made.stop()  # its folder is there, as nginx's programs are
            with bench.Once(["--socket", made.socket, "--model", "bench/bench-1"], stage.other) as once:
                time.sleep(0.05)  # it is up, and tries to connect
                began_ns = time.monotonic_ns()
                made.start(wait=False)
                return {"ms": (once.report()["answered_at_ns"] - began_ns) / 1e6}
        finally:
            made.close()
    found = []
    for _ in range(plan.rounds):
        one = {"broker": broker()}
        for kind in ("nginx", "portkey"):
            with contextlib.suppress(Missing):
                stage.start_between(kind, "bench")
                one[kind] = until_answered(stage, kind)
        found.append(one)
    return found


TURNS = {
    f"{MANY} calls": ["--calls", MANY, "--connections", MANY],
    f"{CROWD:,} calls": ["--calls", CROWD, "--connections", CROWD],
    f"{CROWD:,} streams": ["--stream", "--calls", CROWD, "--connections", CROWD],
    f"{MANY} hits": ["--calls", MANY, "--connections", MANY, "--cache", "on"]}


def group_turn(stage, plan):
    """By a library loaded before the daemon, which a daemon built for being counted allows."""
    try:
        counted.library(), counted.program()
    except counted.Missing as reason:
        raise Missing(str(reason)) from None
    found = []
    for _ in range(plan.side_rounds):
        with counted.Counted(stage.config()) as made:
            after = {}
            for name, args in TURNS.items():
                stage.load(stage.other, *args, *plan.stream_times(), broker=made.broker)
                after[name] = made.read()["longest_turn_us"]
            found.append({"broker": {**made.read(), "after": after}})
    return found


class Watchers:
    """`llmb top`, `llmb tail`, and one who scrapes the bridge's /metrics each second. They have what is left of a processor."""

    def __init__(self, made, cpu):
        self.ended, self.scrapes = threading.Event(), 0
        with contextlib.ExitStack() as stack:
            self.outs = {name: stack.enter_context(tempfile.TemporaryFile()) for name in ("top", "tail")}
            programs = [stack.enter_context(self.run(made, name, out)) for name, out in self.outs.items()]
            self.bridge = stack.enter_context(bridged.Bridge(made, "--listen", "127.0.0.1:0", "--metrics"))
            for program in (*programs, self.bridge.process):
                bench.place(program.pid, cpu)
                os.sched_setscheduler(program.pid, os.SCHED_OTHER, os.sched_param(0))
                os.setpriority(os.PRIO_PROCESS, program.pid, max(10, os.getpriority(os.PRIO_PROCESS, 0)))
            self.thread = threading.Thread(target=self.scrape)
            self.thread.start()
            stack.callback(self.thread.join)
            stack.callback(self.ended.set)
            harness.wait_until(lambda: self.scrapes and self.lines("top"), 20, "who watches sees something")
            self.stack = stack.pop_all()

    @staticmethod
    @contextlib.contextmanager
    def run(made, name, out):
        with subprocess.Popen([harness.program("llmb"), name, "--json"], env=made.client_env(), stdin=subprocess.DEVNULL,
                              stdout=out, stderr=subprocess.DEVNULL) as program:
            try:
                yield program
            finally:
                program.terminate()

    def scrape(self):
        while not self.ended.is_set():
            with urllib.request.urlopen(self.bridge.base + "/metrics", timeout=20) as answer:
                self.scrapes += b"gen_ai" in answer.read()
            self.ended.wait(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def lines(self, name):
        file = self.outs[name].fileno()
        return os.pread(file, os.fstat(file).st_size, 0).count(b"\n")

    def seen(self):
        """How often: {who: lines, or answers}."""
        harness.wait_until(lambda: self.lines("tail"), 20, "calls are seen as they end")
        return {"metrics": self.scrapes, **{name: self.lines(name) for name in self.outs}}


def group_watched(stage, plan):
    """Calls are due at half the rate that there can be, so that all that holds one up is seen."""
    cpu = stage.arrange(False)
    args = ["--calls", MANY, "--connections", MANY]
    rate = int(stage.load(cpu, *args, *plan.stream_times())["calls_per_second"] / 2)

    def beside(cpu, args):
        with Watchers(stage.broker, cpu) as watchers:
            report = stage.load(cpu, *args)
            return {**report, "seen": watchers.seen()}
    return rounds(stage, plan.rounds, {"alone": lambda cpu, args: stage.load(cpu, *args), "broker": beside}, False,
                  [*args, "--rate", rate, *plan.stream_times()])


GROUPS = {name.removeprefix("group_"): made for name, made in list(globals().items()) if name.startswith("group_")}


# the table

def judge(bar, found, missing):
    """A row: the ratio of the median round, in how many the bar held."""
    if isinstance(found, str):
        return {"bar": bar.name, "what": bar.what, "goal": bar.goal, "why": found}
    values = []
    for one in found:
        try:
            values.append(bar.of(one))
        except KeyError as side:
            return {"bar": bar.name, "what": bar.what, "goal": bar.goal, "why": missing.get(side.args[0], str(side))}
        except (TypeError, ZeroDivisionError):  # None: of no call, no token
            return {"bar": bar.name, "what": bar.what, "goal": bar.goal, "why": "too little was answered"}
    middle = statistics.median(values)

    def holds(ratio):
        return ratio >= bar.bound if bar.is_least else ratio <= bar.bound
    return {"bar": bar.name, "what": bar.what, "goal": bar.goal, "bound": bar.bound, "ratio": middle, "unit": bar.unit,
            "is_met": holds(middle), "held": sum(map(holds, values)), "rounds": len(values), "values": values}


def figure(row):
    ratio, unit = row["ratio"], row["unit"]
    if unit != "×":
        return f"{ratio:.2f} {unit}"
    return f"1/{1 / ratio:.0f}" if 0 < ratio < 0.2 else f"× {ratio:.2f}"


def command(row):
    return f"`make bench-results BARS={row['bar']}`"


def table(rows):
    lines = []
    for row in rows:
        if "why" in row:
            lines.append((row["bar"], row["what"], row["goal"], "–", f"not measured: {row['why']}", "–", command(row)))
        else:
            lines.append((row["bar"], row["what"], row["goal"], figure(row), "yes" if row["is_met"] else "**no**",
                          f"{row['held']} of {row['rounds']}", command(row)))
    return bench.table(("#", "what", "goal", "measured", "met", "in rounds", "command"), lines)


def sides_table(results):
    """What the ratios are made of: medians."""
    lines = []
    for group, found in results.items():
        if isinstance(found, str):
            continue
        for side in found[0]:
            cells = [group, side]
            for name, digits in ((P50, 1), (P99, 0), (CPU, 1), ("first_token_p50_us", 0), ("token_delay_p50_us", 0),
                                 ("token_gap_p50_us", 0), (TOKEN, 1)):
                cells.append(bench.number(bench.median([one[side] for one in found if side in one], name), digits))
            if any(cell != "–" for cell in cells[2:]):
                lines.append(cells)
    return bench.table(("group", "side", "p50 µs", "p99 µs", "CPU µs a call", "first token µs", "a token's way µs",
                        "between tokens µs", "CPU µs a token"), lines)


def words(*args):
    """A program's first line, if it says anything; None where it fails."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=True,
                              cwd=HERE, stdin=subprocess.DEVNULL)
        return done.stdout.decode(errors="replace").strip().partition("\n")[0]
    return None


def versions(folder):
    found = {name: words("pkg-config", "--modversion", package) for name, package in (
        ("libcurl", "libcurl"), ("libsodium", "libsodium"), ("OpenSSL", "libcrypto"), ("SQLite", "sqlite3"))}
    found["libc"] = " ".join(platform.libc_ver())
    found["compiler"] = words("cc", "--version")
    found.update(peers.versions(folder))
    return {name: text for name, text in found.items() if text}


def header(r):
    m = r["machine"]
    lines = [
        "# Bars", "",
        f"Written by `{r['command']}` on {r['date']}, of commit {r['commit']}; nothing here is typed. Ratios are medians of the "
        "rounds' own, for all sides of a bar run in turn within each round; a round is a ratio of one machine at one moment.", "",
        f"- machine: {m['cpu']}, {m['cpus']} processors, Linux {m['kernel']}; processors {m['used'][0]} and {m['used'][1]} "
        "were used", *[f"- {name}: {text}" for name, text in r["versions"].items()],
        f"- took {r['took_s']:.0f} s, {r['rounds']} rounds"]
    if m["load_before"] > 1:
        lines.append(f"- other work was going on (a load of {m['load_before']:.1f} before the first round): ratios can be "
                     "trusted, times little")
    return "\n".join(lines) + "\n"


def report(r):
    rows = r["rows"]
    measured = [row for row in rows if "why" not in row]
    return "\n".join([header(r), f"{sum(row['is_met'] for row in measured)} of {len(measured)} bars that were measured are met, "
                      f"{len(rows) - len(measured)} of {len(rows)} were not measured.\n", table(rows),
                      "## What they are made of\n", sides_table(r["results"]), *missed_section(rows),
                      *(text for name, text in r["profiles"].items() for text in (f"## {PROFILES[name][0]}\n", text))])


def missed(rows):
    return [row["bar"] for row in rows if not row.get("is_met", True)]


def missed_section(rows):
    return ["## Why bars are missed\n", reasons.missed_table(missed(rows))] if missed(rows) else []


# what shows why: each a title, and a function that makes the table

def profile_instructions(*_):
    return ("By callgrind, of the loop's thread, without the kernel; memset counts each byte as one, and takes less time than "
            "that. A start is one up to its first answer.\n\n" +
            profiles.instructions_table(profiles.calls_and_start()))


def profile_handshake(stage, _):
    with tls(stage) as (bundle, ports):
        return ("By callgrind, of the loop's thread: a call over a new connection, less one over a kept one.\n\n" +
                profiles.instructions_table(profiles.handshake(Stage.provider, ports, bundle)))


def profile_threads(stage, results):
    cpu = stage.arrange(False)
    return (f"{MANY} calls in flight, by the kernel's count of ticks.\n\n" + profiles.threads_table(
        stage.broker.pid, lambda: stage.load(cpu, "--cache", "read", "--calls", MANY, "--connections", MANY, "--warm-ms", 1,
                                             "--run-ms", LONG_MS)))


def profile_resident(stage, _):
    made = counted.broker(stage.config())
    try:
        made.start()
        bench.run("load", "--socket", made.socket, "--model", "bench/bench-1", "--once")
        libraries = profiles.libraries(made.pid)
        return (f"An idle daemon that has answered one call; it has {libraries} libraries mapped.\n\n" +
                profiles.resident_table(made.pid))
    finally:
        made.close()


def profile_held(stage, _):
    return ("By massif: blocks of the heap that are there for as long as a stream is, by who asked for them. What bar 16 has beyond that "
            "is pages that are not full, and the kernel's part of a page table.\n\n" + profiles.held_table(stage.ports["live"]))


def profile_turns(_, results):
    found = results["turn"]
    return bench.table(("behind", "longest turn so far, µs of processor time"), [
        (name, f"{statistics.median(one['broker']['after'][name] for one in found):,.0f}") for name in TURNS])


PROFILES = {
    "instructions": ("Whose the instructions of a call are", profile_instructions),
    "threads": ("Where the time of a call is", profile_threads),
    "handshake": ("Whose the instructions of a new TLS connection are", profile_handshake),
    "resident": ("Whose the resident memory is", profile_resident),
    "held": ("Whose the memory of a stream is", profile_held),
    "turns": ("The longest turns", profile_turns),
}


def make_profiles(stage, rows, results):
    """{name: its table, or why there is none} of what shows why bars were missed."""
    found = {}
    for name in reasons.profiles_of(missed(rows)):
        began = time.monotonic()
        try:
            found[name] = PROFILES[name][1](stage, results)
        except (Missing, profiles.Missing, counted.Missing, bench.BenchError, harness.BrokerError, OSError,
                subprocess.SubprocessError) as reason:
            found[name] = f"Not made: {peers.first_line(str(reason))[:200]}\n"
        print(f"bars: profile of {name}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


def commit():
    dirty = words("git", "status", "--porcelain", "--untracked-files=no")
    return (words("git", "rev-parse", "--short=12", "HEAD") or "unknown") + (" with changes" if dirty else "")


def measure(stage, plan, only):
    results, faults = {}, 0
    for name in dict.fromkeys(bar.group for bar in BARS if not only or bar.name in only):
        began = time.monotonic()
        try:
            results[name] = GROUPS[name](stage, plan)
        except Missing as why:
            results[name] = str(why)
        except (bench.BenchError, harness.BrokerError) as why:
            results[name] = f"a fault: {peers.first_line(str(why))[:200]}"
            faults += 1
            print(f"bars: {why}\nthe daemon's last words:\n{stage.broker.log()[-2000:]}", file=sys.stderr)
        print(f"bars: {name}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return results, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="that the table is whole, and not what it says")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[bar.name for bar in BARS], default=[], metavar="BAR")
    parser.add_argument("--peers", default="build/peers", help="where `make bench-peers` has installed gateways")
    parser.add_argument("--out", help="the table, here and not on stdout")
    parser.add_argument("--json", help="all figures of all rounds")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    began = time.monotonic()
    plan = bench.Plan(options.quick, options.rounds)
    folder = pathlib.Path(options.peers)
    cpus = sorted(os.sched_getaffinity(0))
    machine = bench.machine(cpus[0], cpus[-1])
    with contextlib.ExitStack() as stack:
        stage = Stage(stack, plan, folder)
        results, faults = measure(stage, plan, options.only)
        rows = [judge(bar, results[bar.group], {**stage.missing, **stage.failed}) for bar in BARS if bar.group in results
                and (not options.only or bar.name in options.only)]
        shown = {} if options.quick else make_profiles(stage, rows, results)
    told = " ".join(["make bench-results", f"ROUNDS={plan.rounds}"] + ([f"BARS='{' '.join(options.only)}'"] if options.only else []))
    found = {"command": told, "date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine,
             "versions": versions(folder), "rounds": plan.rounds, "took_s": time.monotonic() - began, "rows": rows,
             "results": results, "profiles": shown}
    text = report(found)
    if options.out:
        pathlib.Path(options.out).write_text(text)
    else:
        print(text)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
