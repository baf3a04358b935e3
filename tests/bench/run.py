#!/usr/bin/python3
"""run.py - what does the broker cost, beside the same calls without it?

usage: run.py [--quick] [--json FILE] [--rounds N] [--log-level WORD] [--only PART...]

Starts a provider that takes no time and llm-brokerd, both on this machine and nowhere else, and lets
libcurl alone and clients of the broker ask it the same question in turn, round by round. Prints a
table in Markdown: of each figure the median of the rounds, of each ratio the median of the rounds'
own ratios, for the speed of a machine drifts more than what is compared on it.

Two placements. Together: all processes on one processor, so that nobody waits for another one to
wake up and a call takes the sum of the work. Apart: what is measured has a processor to itself, the
provider and the clients have another.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import resource
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import harness  # noqa: E402

CLIENTS = 1000
STREAMS = 1000
STREAM_RATE = 50  # tokens a second of each stream
IN_FLIGHT = (1, 16, 64, 256)
MAIN = 64  # in flight, for the figure that counts
LANES = {  # how a call comes to the broker, whose provider speaks openai.chat: what load is told
    "typed": [],
    "verbatim": ["--surface", "openai.chat"],
    "translated": ["--surface", "anthropic.messages"]}
LONG = 100_000  # bytes of a long prompt
PARTS = ("start", "memory", "latency", "throughput", "streams", "relay", "cache")


class BenchError(Exception):
    """A program that did not do its part; the message has what it said."""


class Plan:
    """How long and how often."""

    def __init__(self, quick, rounds):
        self.quick = quick
        self.rounds = rounds or (2 if quick else 5)
        self.side_rounds = min(self.rounds, 1 if quick else 3)
        self.starts = 3 if quick else 9
        self.warm_ms = 60 if quick else 150
        self.run_ms = 200 if quick else 700
        self.stream_warm_ms = 700 if quick else 1000
        self.stream_run_ms = 700 if quick else 2000
        self.in_flight = (1, MAIN) if quick else IN_FLIGHT

    def times(self):
        return ["--warm-ms", self.warm_ms, "--run-ms", self.run_ms]

    def stream_times(self):
        return ["--warm-ms", self.stream_warm_ms, "--run-ms", self.stream_run_ms]


def bench_program(name):
    folder = pathlib.Path(os.environ.get("LLMB_BENCH_DIR") or harness.bin_dir().parent / "bench")
    path = folder / name
    if not os.access(path, os.X_OK):
        raise BenchError(f"there is no {path}: run `make bench`")
    return str(path)


def run(name, *args, timeout=60):
    """Runs one of the benchmark's programs to its end, and returns what it reports."""
    command = [bench_program(name), *map(str, args)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(command)} did not end in {timeout} s") from None
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} ended with {done.returncode}: "
                         f"{done.stderr.decode(errors='replace').strip()}")
    return json.loads(done.stdout)


class Program:
    """One of the benchmark's programs that stays until its standard input ends. Its first line of
    output, read at once, says that it is ready."""

    def __init__(self, name, *args, timeout=60):
        self.command = [bench_program(name), *map(str, args)]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            with alarm(timeout, f"{' '.join(self.command)} said nothing in {timeout} s"):
                self.said = self.process.stdout.readline().decode()
        except BaseException:
            self.close()
            raise
        if not self.said:
            _, err = self.process.communicate()
            raise BenchError(f"{' '.join(self.command)}: {err.decode(errors='replace').strip()}")

    @property
    def pid(self):
        return self.process.pid

    def last_words(self):
        """Ends it, and returns what it says then."""
        self.process.stdin.close()
        with alarm(10, f"{' '.join(self.command)} does not end"):
            return self.process.stdout.read().decode()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Once:
    """One call, as soon as a broker listens."""

    def __init__(self, args, cpu):
        command = [bench_program("load"), *map(str, args), "--once", "--run-ms", "10000", "--pin",
                   str(cpu)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def report(self):
        out, err = self.process.communicate(timeout=20)
        if self.process.returncode != 0:
            raise BenchError(err.decode(errors="replace").strip())
        return json.loads(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@contextlib.contextmanager
def alarm(seconds, message):
    """Ends what takes longer, by an error."""
    def ring(*_):
        raise BenchError(message)
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def place(pid, cpu):
    """Moves all threads of a process to a processor."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task), {cpu})


def memory(pid):
    """Bytes: resident, of which anonymous, and its share of what is shared (None: not to be read,
    for the daemon lets nobody but root look into it)."""
    found = {"rss": 0, "anonymous": 0, "pss": None}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "RssAnon"):
            found["rss" if name == "VmRSS" else "anonymous"] = int(value.split()[0]) * 1024
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                found["pss"] = int(line.split()[1]) * 1024
    return found


class Bench:
    def __init__(self, plan, log_level, stack):
        cpus = sorted(os.sched_getaffinity(0))
        self.plan = plan
        self.one, self.other = cpus[0], cpus[-1]
        self.results = {}
        self.upstreams = {}
        for name, chunks, interval_us in (
                ("bench", 100, 1000000 // STREAM_RATE),  # streams as models write them
                ("short", 4, 2000),                      # many first tokens
                ("live", 1000000, 1000000),              # streams that do not end
                ("flood", 2000, 0)):                     # as fast as they are taken
            self.upstreams[name] = stack.enter_context(Program(
                "upstream", "--chunks", chunks, "--interval-us", interval_us, "--pin", self.other))
        self.broker = harness.Broker(self.config(log_level))
        stack.callback(self.broker.close)

    def config(self, log_level):
        text = harness.section("broker", None, {"log_level": log_level}) if log_level else ""
        for name in self.upstreams:
            text += harness.section("provider", name, {
                "dialect": "openai-chat", "base_url": self.base_url(name), "auth": "none",
                "local": "yes", "allow_plain_loopback": "yes"})
            text += harness.section("model", f"{name}/bench-1", {
                "price_input": "0.15", "price_output": "0.60"})
        return text

    def base_url(self, name):
        return f"http://127.0.0.1:{self.upstreams[name].said.strip()}/v1"

    def direct(self, *args, provider="bench", cpu=None):
        return run("direct", "--url", self.base_url(provider) + "/chat/completions",
                   "--pin", self.one if cpu is None else cpu, *args)

    def load(self, *args, provider="bench", cpu):
        return run("load", *self.load_args(provider), "--watch", self.broker.pid, "--pin", cpu,
                   *args)

    def load_args(self, provider):
        return ["--socket", self.broker.socket, "--model", f"{provider}/bench-1"]

    def arrange(self, together):
        for upstream in self.upstreams.values():
            place(upstream.pid, self.one if together else self.other)
        place(self.broker.pid, self.one)

    def pairs(self, rounds, sides):
        """Runs the sides in turn, as often as said: {side: [report of each round]}."""
        found = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                report = side()
                if report["errors"] or not report["calls"] + report["tokens"]:
                    raise BenchError(f"{name}: no answers, or errors: {report}")
                found[name].append(report)
        return found

    # what is measured

    def start(self):
        """From just before the fork to the first answer, again and again; first on an empty
        folder."""
        times = []
        for _ in range(1 + self.plan.starts):
            with Once(self.load_args("bench"), self.other) as once:
                time.sleep(0.05)  # it is up, and tries to connect
                os.sched_setaffinity(0, {self.one})
                began_ns = time.monotonic_ns()
                self.broker.start(wait=False)
                os.sched_setaffinity(0, {self.one, self.other})
                answered_ns = once.report()["answered_at_ns"]
            times.append((answered_ns - began_ns) / 1e6)
            self.broker.stop()
        self.results["start"] = {"first_ms": times[0], "again_ms": times[1:]}

    def memory(self):
        """On a fresh daemon that has answered one call."""
        self.arrange(together=False)
        run("load", *self.load_args("bench"), "--once")
        found = {"idle": memory(self.broker.pid)}
        with Program("load", *self.load_args("bench"), "--idle", "--connections", CLIENTS):
            time.sleep(0.2)
            found["clients"] = memory(self.broker.pid)
        time.sleep(0.2)
        with Program("load", *self.load_args("live"), "--stream", "--hold", "--calls", STREAMS,
                     "--connections", STREAMS, "--run-ms", 15000):
            time.sleep(0.5)
            found["streams"] = memory(self.broker.pid)
        report = self.direct("--stream", "--hold", "--calls", STREAMS, "--run-ms", 15000,
                             provider="live")
        found["libcurl_a_stream"] = (report["rss_bytes"] - report["bare_rss_bytes"]) / STREAMS
        self.results["memory"] = found

    def latency(self):
        times = self.plan.times()
        self.arrange(together=True)
        self.results["latency"] = self.pairs(self.plan.rounds, {
            "direct": lambda: self.direct("--easy", *times),
            "broker": lambda: self.load(*times, cpu=self.one),
            "socket": lambda: run("roundtrip", "--pin", self.one, *times)})

    def throughput(self):
        self.arrange(together=False)
        self.results["throughput"] = {}
        for calls in self.plan.in_flight:
            args = ["--calls", calls, *self.plan.times()]
            sides = {
                "direct": lambda args=args: self.direct(*args),
                "broker": lambda args=args, calls=calls: self.load(
                    "--connections", calls, *args, cpu=self.other)}
            if calls == MAIN:
                sides["one_client"] = lambda args=args: self.load(*args, cpu=self.other)
            rounds = self.plan.rounds if calls == MAIN else self.plan.side_rounds
            self.results["throughput"][calls] = self.pairs(rounds, sides)

    def streams(self):
        plan, found = self.plan, {}
        args = ["--stream", "--calls", 1, *plan.times()]
        self.arrange(together=True)
        found["first_token"] = self.pairs(plan.side_rounds, {
            "direct": lambda: self.direct(*args, provider="short"),
            "broker": lambda: self.load(*args, provider="short", cpu=self.one)})
        self.arrange(together=False)
        many = ["--stream", "--calls", STREAMS, *plan.stream_times()]
        found["paced"] = self.pairs(plan.side_rounds, {
            "direct": lambda: self.direct(*many),
            "broker": lambda: self.load(*many, "--connections", STREAMS, cpu=self.other)})
        few = ["--stream", "--calls", 4, *plan.times()]
        found["flood"] = self.pairs(plan.side_rounds, {
            "direct": lambda: self.direct(*few, provider="flood"),
            "broker": lambda: self.load(*few, "--connections", 4, provider="flood",
                                        cpu=self.other)})
        self.results["streams"] = found

    def relay(self):
        """A unified request beside the bodies of public APIs, the provider's own and another."""
        self.arrange(together=False)
        found = {}
        for name, args, provider in (
                ("whole", ["--calls", MAIN, "--connections", MAIN], "bench"),
                ("long", ["--calls", 4, "--connections", 4, "--prompt-bytes", LONG], "bench"),
                ("flood", ["--stream", "--calls", 4, "--connections", 4], "flood")):
            found[name] = self.pairs(self.plan.rounds, {
                lane: lambda args=args, lane=lane, provider=provider: self.load(
                    *args, *LANES[lane], *self.plan.times(), provider=provider, cpu=self.other)
                for lane in LANES})
        self.results["relay"] = found

    def cache(self):
        """What was answered before, beside the same call straight to a provider that takes no time, by libcurl
        and by hand, and a socket over which as many bytes go, where the question's hash is looked for in a table."""
        found = {}
        for name, question, args in (("short", 1100, []), ("long", LONG + 100, ["--prompt-bytes", LONG])):
            self.arrange(together=True)
            found[name] = self.pairs(self.plan.rounds, {
                "direct": lambda args=args: self.direct("--easy", *args, *self.plan.times()),
                "raw": lambda args=args: self.direct("--raw", *args, *self.plan.times()),
                "floor": lambda question=question: run(
                    "roundtrip", "--pin", self.one, "--question", question, "--answer", 1500, "--kept", 10000,
                    *self.plan.times()),
                "hit": lambda args=args: self.load("--cache", "on", *args, *self.plan.times(), cpu=self.one)})
        self.arrange(together=False)
        many = ["--calls", MAIN, "--connections", MAIN, *self.plan.times()]
        found["many"] = self.pairs(self.plan.side_rounds, {
            "direct": lambda: self.direct("--calls", MAIN, *self.plan.times()),
            "hit": lambda: self.load("--cache", "on", *many, cpu=self.other)})
        self.results["cache"] = found

    def run(self, only):
        self.results["machine"] = machine(self.one, self.other)
        if "start" in only:
            self.start()
        self.broker.start()
        for part in PARTS[1:]:
            if part in only:
                getattr(self, part)()
        if "memory" in only:
            self.results["memory"]["after"] = memory(self.broker.pid)
        self.broker.stop()


# the report

def machine(one, other):
    cpu = "an unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {"cpu": cpu, "cpus": os.cpu_count(), "used": [one, other],
            "kernel": platform.release(), "load_before": os.getloadavg()[0],
            "date": datetime.date.today().isoformat()}


def median(reports, name):
    """Of a figure over the rounds; None where it was not seen."""
    values = [r[name] for r in reports if r.get(name) is not None]
    return statistics.median(values) if values else None


def ratio(found, name, over="direct", of="broker"):
    """The median of the rounds' own ratios."""
    values = [b[name] / d[name] for b, d in zip(found[of], found[over])
              if b.get(name) and d.get(name)]
    return statistics.median(values) if values else None


def number(value, digits=1):
    return "–" if value is None else f"{value:,.{digits}f}"


def factor(value):
    return "–" if value is None else f"× {value:.2f}"


def percent(value):
    return "–" if value is None else f"{100 * value:.0f} %"


def mib(value):
    return "not readable" if value is None else f"{value / 2**20:.1f} MiB"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def ratios_table(r):
    latency, main = r["latency"], r["throughput"][MAIN]
    keep, paced = r["memory"], r["streams"]["paced"]
    added = [b["call_p50_us"] - d["call_p50_us"]
             for b, d in zip(latency["broker"], latency["direct"])]
    floor = [b["call_p50_us"] / (s["call_p50_us"] + d["call_p50_us"]) for b, d, s in
             zip(latency["broker"], latency["direct"], latency["socket"])]
    client = (keep["clients"]["rss"] - keep["idle"]["rss"]) / CLIENTS
    stream = (keep["streams"]["rss"] - keep["idle"]["rss"]) / STREAMS
    p50 = median(latency["broker"], "call_p50_us")
    return table(("what", "broker", "beside it", "ratio"), [
        ("one call of 1 KiB at a time, p50", f"{number(p50)} µs",
         f"libcurl alone: {number(median(latency['direct'], 'call_p50_us'))} µs",
         f"{factor(ratio(latency, 'call_p50_us'))}, "
         f"**{statistics.median(added):+.1f} µs**"),
        ("the same", f"{number(p50)} µs", "libcurl and a bare Unix socket's "
         f"{number(median(latency['socket'], 'call_p50_us'))} µs together",
         factor(statistics.median(floor))),
        (f"calls a second on one core, {MAIN} in flight",
         number(median(main["broker"], "calls_per_second"), 0),
         f"bare curl multi: {number(median(main['direct'], 'calls_per_second'), 0)}",
         f"**{percent(ratio(main, 'calls_per_second'))}**"),
        ("CPU time of each", f"{number(median(main['broker'], 'cpu_us_per_call'))} µs",
         f"{number(median(main['direct'], 'cpu_us_per_call'))} µs",
         factor(ratio(main, "cpu_us_per_call"))),
        ("CPU time of a streamed token", f"{number(median(paced['broker'], 'cpu_us_per_token'))} µs",
         f"{number(median(paced['direct'], 'cpu_us_per_token'))} µs",
         factor(ratio(paced, "cpu_us_per_token"))),
        ("resident, idle", mib(keep["idle"]["rss"]), "", ""),
        (f"resident, {CLIENTS:,} idle clients", mib(keep["clients"]["rss"]),
         f"{client:,.0f} B a client", factor(keep["clients"]["rss"] / keep["idle"]["rss"])),
        (f"resident, {STREAMS:,} live streams", mib(keep["streams"]["rss"]),
         f"{stream / 1024:,.1f} KiB a stream; libcurl alone "
         f"{keep['libcurl_a_stream'] / 1024:,.1f} KiB",
         factor(stream / keep["libcurl_a_stream"])),
        ("start to first answer", f"{statistics.median(r['start']['again_ms']):.1f} ms",
         f"on an empty folder: {r['start']['first_ms']:.1f} ms", ""),
    ])


def throughput_table(r):
    rows = []
    for calls, found in r["throughput"].items():
        for side, name in (("direct", "curl multi"), ("broker", f"{calls} clients" if calls > 1 else "one client"),
                           ("one_client", "one client")):
            if side in found:
                rows.append((
                    calls, name, number(median(found[side], "calls_per_second"), 0),
                    percent(ratio(found, "calls_per_second", of=side)),
                    number(median(found[side], "cpu_us_per_call")),
                    factor(ratio(found, "cpu_us_per_call", of=side)),
                    number(median(found[side], "call_p50_us"), 0),
                    number(median(found[side], "call_p99_us"), 0)))
    return table(("in flight", "who", "calls/s", "of curl's", "CPU µs", "of curl's", "p50 µs",
                  "p99 µs"), rows)


def streams_table(r):
    rows = []
    for key, name in (("first_token", "one at a time, 4 tokens, together"),
                      ("paced", f"{STREAMS:,}, {STREAM_RATE} tokens/s each, apart"),
                      ("flood", "4, as fast as they are taken, apart")):
        found = r["streams"][key]
        for side in ("direct", "broker"):
            rows.append((
                name, "libcurl" if side == "direct" else "broker",
                number(median(found[side], "first_token_p50_us"), 0),
                number(median(found[side], "token_delay_p50_us"), 0),
                number(median(found[side], "token_delay_p99_us"), 0),
                number(median(found[side], "tokens_per_second"), 0),
                number(median(found[side], "cpu_us_per_token")),
                factor(ratio(found, "cpu_us_per_token", of=side))))
    return table(("streams", "who", "first token p50 µs", "a token's way p50 µs", "p99 µs",
                  "tokens/s", "CPU µs a token", "of curl's"), rows)


def relay_table(r):
    rows = []
    for key, name, rate, cpu in (
            ("whole", f"1 KiB, {MAIN} in flight", "calls_per_second", "cpu_us_per_call"),
            ("long", f"{LONG // 1000} kB, 4 in flight", "calls_per_second", "cpu_us_per_call"),
            ("flood", "4 streams, tokens", "tokens_per_second", "cpu_us_per_token")):
        found = r["relay"][key]
        for lane in LANES:
            rows.append((
                name, lane, number(median(found[lane], rate), 0),
                factor(ratio(found, rate, over="typed", of=lane)),
                number(median(found[lane], cpu)),
                factor(ratio(found, cpu, over="typed", of=lane))))
    return table(("what", "lane", "a second", "of the typed", "CPU µs of each", "of the typed"),
                 rows)


def cache_table(r):
    found, rows = r["cache"], []
    for key, name in (("short", "1 KiB, one at a time, p50"), ("long", f"{LONG // 1000} kB, one at a time, p50")):
        for lane, words in (("direct", "libcurl alone, straight to the provider"),
                            ("raw", "the same by hand"), ("floor", "a socket, and a table asked for the hash of the question")):
            rows.append((name, f"{number(median(found[key]['hit'], 'call_p50_us'))} µs", words,
                         f"{number(median(found[key][lane], 'call_p50_us'))} µs",
                         factor(ratio(found[key], "call_p50_us", over=lane, of="hit"))))
    rows.append((f"a second on one core, {MAIN} in flight", number(median(found["many"]["hit"], "calls_per_second"), 0),
                 "libcurl alone", number(median(found["many"]["direct"], "calls_per_second"), 0),
                 factor(ratio(found["many"], "calls_per_second", of="hit"))))
    rows.append(("CPU time of each", f"{number(median(found['many']['hit'], 'cpu_us_per_call'))} µs",
                 "libcurl alone", f"{number(median(found['many']['direct'], 'cpu_us_per_call'))} µs",
                 factor(ratio(found["many"], "cpu_us_per_call", of="hit"))))
    return table(("what", "a hit", "beside", "that", "ratio"), rows)


def memory_table(r):
    rows = []
    for key, name in (("idle", "idle, after its first call"),
                      ("clients", f"{CLIENTS:,} idle clients"),
                      ("streams", f"{STREAMS:,} live streams of as many clients"),
                      ("after", "idle again, after all the calls above")):
        found = r["memory"][key]
        rows.append((name, mib(found["rss"]), mib(found["anonymous"]), mib(found["pss"])))
    return table(("memory", "resident", "anonymous", "share (PSS)"), rows)


def report(r):
    m = r["machine"]
    libcurl = r["latency"]["direct"][0]["libcurl"] if "latency" in r else "not asked"
    where = "processor {} and {}".format(*m["used"])
    if m["used"][0] == m["used"][1]:
        where = "one processor, where nothing can be apart: only what is together means much"
    text = (f"## llm-broker beside libcurl alone\n\n"
            f"{m['cpu']}, {m['cpus']} processors, Linux {m['kernel']}, libcurl "
            f"{libcurl}, {m['date']}; {where}; loopback only, no TLS. "
            f"Medians of {r['rounds']} rounds.\n")
    if m["load_before"] > 0.5:
        text += (f"\nOther work was going on (load {m['load_before']:.1f}): trust the ratios, "
                 f"then CPU times, and the rest little.\n")
    parts = [text]
    if set(PARTS) <= set(r):
        parts.append(ratios_table(r))
    for part, title, rows in (
            ("throughput", "Throughput, apart", throughput_table),
            ("streams", "Streams", streams_table),
            ("relay", "Lanes, apart: a unified request, and bodies of public APIs", relay_table),
            ("cache", "Answers that were kept, together", cache_table),
            ("memory", "Memory", memory_table)):
        if part in r:
            parts += [f"### {title}\n", rows(r)]
    return "\n".join(parts)


def leave(signum, _):
    sys.exit(128 + signum)


def main():
    parser = argparse.ArgumentParser(description="what the broker costs beside libcurl alone")
    parser.add_argument("--quick", action="store_true", help="under 20 s, and less exact")
    parser.add_argument("--json", metavar="FILE", help="all figures of all rounds, here too")
    parser.add_argument("--rounds", type=int, help="how often each pair is run")
    parser.add_argument("--log-level", metavar="WORD", help="the daemon's; its own default")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART",
                        help=f"of {', '.join(PARTS)}")
    options = parser.parse_args()
    for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(one, leave)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < 3 * STREAMS:
        sys.exit(f"bench: {hard} descriptors are not enough for {STREAMS} streams: ulimit -n")
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        try:
            bench = Bench(Plan(options.quick, options.rounds), options.log_level, stack)
            try:
                bench.run(options.only)
            except BenchError as why:
                raise BenchError(f"{why}\nthe daemon's last words:\n"
                                 f"{bench.broker.log()[-2000:]}") from None
        except (BenchError, harness.BrokerError) as why:
            sys.exit(f"bench: {why}")
    results = {"rounds": bench.plan.rounds, "took_s": time.monotonic() - began, **bench.results}
    print(report(results))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
