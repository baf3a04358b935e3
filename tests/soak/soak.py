#!/usr/bin/python3
"""soak.py - does anything grow, stall or get lost in hours of mixed traffic with faults?

usage: soak.py [--minutes N | --requests N] [--faulty N] [--json FILE]

Starts a provider of which one answer in a hundred is spoilt, llm-brokerd and many callers, all on this machine and
nowhere else: unified calls and relayed ones, whole and in streams, cache hits, calls that meet a limit and a spent
budget, callers who cancel and who vanish, and a reload each second. The callers come in slices of some seconds; between
two of them nothing is under way, and the memory is looked at. At the end all must be as it was at the beginning, and the
ledger must have what the provider has on its bill. Prints a table in Markdown; fails where a figure misses its target.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lib"), str(HERE.parent / "bench")]
import harness  # noqa: E402
from crowd import kept_from_running  # noqa: E402
from run import Program, bench_program  # noqa: E402
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient  # noqa: E402

SLICE_S = 5
PLACES = 64         # names of the one provider: few failures put no more than some of them to rest
PRICES = (150, 600)  # nano-dollars a token, as the configuration has them: 0.15 and 0.60 a million
APPS = ("notes", "editor", "shell")
KIB = 1024
LOADS = {
    "whole": ["--calls", 32, "--connections", 8],
    "stream": ["--calls", 16, "--connections", 4, "--stream"],
    "verbatim": ["--calls", 16, "--connections", 4, "--surface", "openai.chat"],
    "translated": ["--calls", 8, "--connections", 2, "--surface", "anthropic.messages", "--stream"],
    "kept": ["--calls", 4, "--connections", 2, "--cache", "on", "--rate", 200],
    "limited": ["--calls", 8, "--connections", 2, "--rate", 40],
    "spent": ["--calls", 4, "--connections", 1, "--rate", 20],
}
MODELS = {"limited": "limited/bench-1", "spent": "spent/bench-1"}
SPOILT = ("limited", "broken")  # of which the ledger knows that they cost nothing; of the others it cannot know


def config(port):
    places = [f"p{i}" for i in range(PLACES)]
    text = harness.section("broker", None, {"log_level": "warn", "max_calls": 2048})
    for name in (*places, "limited", "spent"):
        text += harness.section("provider", name, {
            "dialect": "openai-chat", "base_url": f"http://127.0.0.1:{port}/v1", "auth": "none",
            "local": "yes", "allow_plain_loopback": "yes"})
        text += harness.section("model", f"{name}/bench-1", {"price_input": "0.15", "price_output": "0.60"})
    text += harness.section("model", "mixed", {"target": [f"{name}/bench-1" for name in places],
                                               "strategy": "busy"})
    text += harness.section("limit", "few", {"provider": "limited", "requests": "1200/minute", "concurrency": "4"})
    text += harness.section("limit", "each", {"each": "app", "soft_budget": "1000/day"})
    return text + harness.section("limit", "spent", {"provider": "spent", "budget": "0.01/day"})


class Probe(threading.Thread):
    """One caller among the others who asks who he is, again and again: how long does the loop keep him waiting? What either
    of them waited for a processor is not the loop's."""

    def __init__(self, made):
        super().__init__(daemon=True)
        self.made, self.took_ms, self.is_over, self.fault = made, [], False, None

    def run(self):
        me = threading.get_native_id()
        try:
            with contextlib.closing(WireClient(self.made.socket, timeout=60)) as client:
                client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "probe"})
                client.recv_until(WELCOME)
                while not self.is_over:
                    self.took_ms.append(self.ask(client, len(self.took_ms) + 1, me))
                    time.sleep(0.02)
        except Exception as why:  # said at the end, by the figures
            self.fault = why

    def ask(self, client, number, me):
        def waited():
            return kept_from_running(self.made.pid) + own_wait(me)
        before, began = waited(), time.monotonic()
        client.send_frame(CALL, number, {"kind": "admin", "op": "whoami", "credit": 1 << 20, "body": b"{}"})
        client.recv_until(END, FAULT)
        return max(0.0, time.monotonic() - began - (waited() - before)) * 1000


def own_wait(tid):
    with open(f"/proc/self/task/{tid}/schedstat") as file:
        return int(file.read().split()[1]) / 1e9


def switches(pid):
    """How often the loop has gone to sleep so far."""
    for line in pathlib.Path(f"/proc/{pid}/task/{pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            return int(line.split()[1])
    raise harness.BrokerError("no such line in its status")


def slope(points):
    """Bytes by request, through all points (requests, bytes)."""
    if len(points) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points)).slope


class Soak:
    def __init__(self, options, stack):
        self.options = options
        self.folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="llmb-soak-")))
        self.bill_file = self.folder / "bill"
        self.upstream = Program("upstream", "--chunks", 4, "--interval-us", 200, "--faulty", options.faulty,
                                "--bill", self.bill_file)
        stack.callback(self.upstream.close)
        self.made = harness.Broker(config(self.upstream.said.strip()))
        stack.callback(self.made.close)
        self.counts = {name: {"calls": 0, "errors": 0} for name in LOADS}
        self.churned, self.points, self.stop_reloading = {}, [], threading.Event()

    def requests(self):
        return sum(one["calls"] + one["errors"] for one in self.counts.values()) + sum(self.churned.values())

    def is_over(self):
        if self.options.requests:
            return self.requests() >= self.options.requests
        return time.monotonic() - self.began >= self.options.minutes * 60

    def reload_each_second(self):
        while not self.stop_reloading.wait(1):
            self.made.reload()

    def slice(self):
        """Callers of all kinds at once, for some seconds. They end in the middle of their calls."""
        loads = {name: subprocess.Popen(
            [bench_program("load"), "--socket", str(self.made.socket), "--model", MODELS.get(name, "mixed"),
             "--warm-ms", "1", "--run-ms", str(SLICE_S * 1000), *map(str, args)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for name, args in LOADS.items()}
        churn = subprocess.Popen(
            [sys.executable, "-B", str(HERE / "churn.py"), str(self.made.socket), str(SLICE_S), "mixed", *self.tokens],
            env={**os.environ, "PYTHONPATH": str(HERE.parent / "lib")}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        try:
            for name, load in loads.items():
                out, err = load.communicate(timeout=SLICE_S + 60)
                if not out:
                    raise harness.BrokerError(f"{name}: {err.decode()}\n{self.made.log()[-4000:]}")
                for what in ("calls", "errors"):
                    self.counts[name][what] += json.loads(out)[what]
            out, err = churn.communicate(timeout=60)
            if churn.returncode != 0:
                raise harness.BrokerError(f"churn: {err.decode()}\n{self.made.log()[-4000:]}")
            for way, count in json.loads(out).items():
                self.churned[way] = self.churned.get(way, 0) + count
        finally:
            for process in (*loads.values(), churn):
                process.kill()
                process.communicate()

    def status(self):
        return json.loads(self.made.llmb("status", "--json").out)

    def wait_quiet(self):
        harness.wait_until(lambda: self.status()["calls"] <= 1, 30, lambda: f"no call under way: {self.status()}")

    def run(self):
        self.made.start()
        self.tokens = [json.loads(self.made.llmb("token", "new", app, "--json").out)["token"] for app in APPS]
        self.began = time.monotonic()
        self.slice()  # pools, arenas and connections find their size
        self.settle()
        self.files_before = self.made.sockets(), len(self.made.fds())
        reloads, self.probe = threading.Thread(target=self.reload_each_second, daemon=True), Probe(self.made)
        reloads.start()
        self.probe.start()
        while not self.is_over():
            self.slice()
            self.wait_quiet()
            self.points.append((self.requests(), self.made.heap_kib() * KIB))
        self.probe.is_over = True
        self.probe.join()
        self.stop_reloading.set()
        reloads.join()
        self.took_s = time.monotonic() - self.began
        return self.look()

    def settle(self):
        """Nothing under way, and no idle connection to the provider: a reload drops them."""
        self.wait_quiet()
        self.made.reload()
        least = []

        def is_still():
            least.append(self.made.sockets())
            return len(least) > 5 and len(set(least[-5:])) == 1
        harness.wait_until(is_still, 20, "the number of sockets stands", every=0.2)

    def look(self):
        """All figures: {name: (figure, target, is it met)}."""
        found = {}

        def figure(name, value, target, is_met):
            found[name] = {"figure": value, "target": target, "pass": bool(is_met)}
        self.settle()
        sockets, files = self.made.sockets(), len(self.made.fds())
        figure("requests", self.requests(), self.options.requests or "-", self.requests() >= (self.options.requests or 1))
        figure("requests a second", round(self.requests() / self.took_s), "-", True)
        self.look_memory(figure)
        figure("sockets left", sockets - self.files_before[0], "0", sockets <= self.files_before[0])
        figure("descriptors left", files - self.files_before[1], "at most 2 that workers have open",
               files <= self.files_before[1] + 2)
        before = switches(self.made.pid)
        time.sleep(10)
        figure("wake-ups a second, idle", (switches(self.made.pid) - before) / 10, "at most 10",
               switches(self.made.pid) - before <= 100)
        self.stalls = [line for line in self.made.log().splitlines() if "loop.stall" in line]
        kept_ms = kept_from_running(self.made.pid) * 1000
        figure("callbacks of the loop over 50 ms", len(self.stalls), "0, but for times without a processor",
               len(self.stalls) * 50 <= kept_ms)
        took = sorted(self.probe.took_ms)
        figure("whoami under full load, 99 of 100 within, ms", round(took[len(took) * 99 // 100], 1) if took else None,
               "200", took and took[len(took) * 99 // 100] < 200 and self.probe.fault is None)
        figure("the same, longest, ms", round(took[-1], 1) if took else None, "-", True)
        self.look_limits(figure)
        self.look_cache(figure)
        audit = self.made.llmb("audit", "verify")
        figure("audit log", audit.out.strip().splitlines()[0] if audit.out else audit.err, "verifies", audit.code == 0)
        self.made.stop()
        self.upstream.close()
        self.look_ledger(figure)
        return found

    def look_memory(self, figure):
        first = self.options.requests * 0.1 if self.options.requests else self.requests() * 0.1
        points = [point for point in self.points if point[0] >= first]
        if len(points) >= 20:
            grown = slope(points) * 1000 / KIB
            figure("memory by 1,000 requests, KiB", round(grown, 3), "below 1, behind the first tenth", grown < 1)
        else:
            grown = (points[-1][1] - points[0][1]) // KIB if points else 0
            figure("memory grown, KiB", grown, "below 16384: too short for a slope", grown < 16384)
        figure("memory at the end, KiB", self.points[-1][1] // KIB, "-", True)

    def look_limits(self, figure):
        reserved, used = 0, 0
        for limit in json.loads(self.made.llmb("budget", "list", "--json").out)["limits"]:
            for counter in limit["counters"]:
                reserved += sum(budget.get("reserved_nusd", 0) for budget in counter.get("budgets", []))
                used += counter.get("concurrency", {}).get("used", 0)
        figure("set aside at the end, nano-dollars", reserved, "0", reserved == 0)
        figure("places of limits taken at the end", used, "0", used == 0)
        figure("limits and spent budgets met", self.counts["spent"]["errors"], "some", self.counts["spent"]["errors"] > 0)

    def look_cache(self, figure):
        stats = json.loads(self.made.llmb("cache", "stats", "--json").out)
        listed = json.loads(self.made.llmb("cache", "list", "--json").out)
        self.cache = {"stats": stats, "listed": listed}
        entries = listed.get("entries", listed.get("answers", []))
        kept = stats.get("entries", stats.get("memory", {}).get("entries"))
        figure("answers kept: counted, listed", f"{kept}, {len(entries)}", "the same", kept == len(entries))

    def look_ledger(self, figure):
        bill = {}
        for line in self.bill_file.read_text().splitlines():
            name, fate, given, made = line.split()
            assert name not in bill, f"two lines for {name}"
            bill[name] = fate, int(given), int(made)
        base = sqlite3.connect(f"file:{self.made.state_dir}/ledger.db?mode=ro", uri=True)
        sound = base.execute("PRAGMA integrity_check").fetchone()[0]
        exchanges, odd = base.execute(
            "SELECT count(*), sum(attempts) - (SELECT count(*) FROM attempt) FROM exchange").fetchone()
        sums = {"told": 0, "unknown": 0, "not sent": 0, "failed": 0}
        wrong, seen, tokens, cost = [], set(), [0, 0], [0, 0]
        for name, outcome, sent, given, made, paid in base.execute(
                "SELECT provider_request_id, outcome, sent_body, input, output, cost_nusd FROM attempt"):
            fate = bill.get(name)
            if name:
                if name in seen or fate is None:
                    wrong.append((name, outcome, "twice" if name in seen else "never asked"))
                seen.add(name)
            if not sent:
                sums["not sent"] += 1
            elif fate and fate[0] in ("well", "late") and given is not None and made is not None and outcome == "ok":
                sums["told"] += 1
                tokens = [tokens[0] + given + made, tokens[1] + fate[1] + fate[2]]
                cost = [cost[0] + (paid or 0), cost[1] + fate[1] * PRICES[0] + fate[2] * PRICES[1]]
                if (given, made, paid) != (fate[1], fate[2], fate[1] * PRICES[0] + fate[2] * PRICES[1]):
                    wrong.append((name, outcome, given, made, paid, fate))
            elif outcome in ("unknown", "cancelled"):
                sums["unknown"] += 1
            elif outcome == "failed" and fate and fate[0] in SPOILT:
                sums["failed"] += 1
            else:
                wrong.append((name, outcome, given, made, paid, fate))
        base.close()
        self.wrong, ours = wrong[:20], sum(sums.values()) - sums["not sent"] + len(wrong)
        figure("requests: in the ledger, on the bill", f"{ours:,}, {len(bill):,}", "the same", ours == len(bill))
        figure("of these told whole; error answers; not known",
               f"{sums['told']:,}; {sums['failed']:,}; {sums['unknown']:,}", "all on the bill",
               sums["told"] and sums["failed"] and sums["unknown"])
        figure("tokens of what was told: ledger, bill", f"{tokens[0]:,}, {tokens[1]:,}", "the same", tokens[0] == tokens[1])
        figure("cost of it, nano-dollars: ledger, bill", f"{cost[0]:,}, {cost[1]:,}", "the same", cost[0] == cost[1])
        figure("rows that contradict the bill", len(wrong), "0", not wrong)
        figure("requests of callers in the ledger", f"{exchanges:,}", "each with all its attempts", odd == 0)
        figure("ledger.db", sound, "ok", sound == "ok")


def versions():
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": f"{os.cpu_count()} x {platform.machine()}", "kernel": platform.release(),
            "llm-brokerd": subprocess.run([harness.program("llm-brokerd"), "--version"], capture_output=True, text=True,
                                          check=True).stdout.strip()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--requests", type=int, default=0, help="so many, instead of a time")
    parser.add_argument("--faulty", type=int, default=100, help="of so many answers one is spoilt")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("soak: ended before its time"))
    with contextlib.ExitStack() as stack:
        soak = Soak(options, stack)
        found = soak.run()
        about = versions()
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(
                {"about": about, "figures": found, "counts": soak.counts, "churned": soak.churned, "points": soak.points,
                 "wrong": soak.wrong, "stalls": soak.stalls, "cache": soak.cache}, indent=1) + "\n")
    print(", ".join(f"{name}: {value}" for name, value in about.items()), end="\n\n")
    print("| figure | | target | |\n| --- | --- | --- | --- |")
    for name, row in found.items():
        print(f"| {name} | {row['figure']} | {row['target']} | {'pass' if row['pass'] else 'FAIL'} |")
    missed = [name for name, row in found.items() if not row["pass"]]
    print(f"\n{len(found) - len(missed)} passed, {len(missed)} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
