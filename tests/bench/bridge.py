#!/usr/bin/python3
"""bridge.py - what does the bridge add to a call, beside a plain reverse proxy and a gateway?

usage: bridge.py [--quick] [--rounds N] [--json FILE] [--gateway COMMAND...]

The same client (libcurl alone) asks the same provider that takes no time: straight, through nginx as a plain reverse proxy
(where it is installed), through the bridge and the broker, and through a gateway (Portkey's, where it is installed: --gateway is
how it is started, {port} being where it listens). In turn, round by round; of each figure the median of the rounds, of each
ratio the median of the rounds' own. The provider and the client have one processor, what stands between them the other.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "lib"))
import harness  # noqa: E402
import run as bench  # noqa: E402

START_SECONDS = 60
POLL_SECONDS = 0.001
NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 64m; proxy_http_version 1.1; proxy_buffering off;
  proxy_set_header Connection ""; proxy_request_buffering off; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://provider; }} }}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def children(pid):
    """It and all that it has started."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                left += map(int, pathlib.Path(f"/proc/{one}/task/{task}/children").read_text().split())
    return found


class Between:
    """A process that stands between client and provider, and how long it took to take a connection."""

    def __init__(self, stack, command, port, env=None):
        begun = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=env, start_new_session=True)
        stack.callback(self.stop)
        self.port = port
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if self.process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                raise bench.BenchError(f"{command[0]} did not start")
            time.sleep(POLL_SECONDS)
        self.start_ms = (time.monotonic() - begun) * 1000

    def stop(self):
        harness.kill_group(self.process)
        self.process.wait()

    def pids(self):
        return children(self.process.pid)


class Sides:
    def __init__(self, stack, plan, gateway):
        cpus = sorted(os.sched_getaffinity(0))
        self.plan, self.client_cpu, self.between_cpu = plan, cpus[0], cpus[-1]
        self.upstreams = {name: stack.enter_context(bench.Program(
            "upstream", "--chunks", chunks, "--interval-us", us, "--pin", self.client_cpu))
            for name, chunks, us in (("whole", 100, 0), ("streams", 20, 10000))}
        ports = {name: up.said.strip() for name, up in self.upstreams.items()}
        self.sides, self.started, self.pids = {}, {}, {}
        self.sides["straight"] = {name: (f"http://127.0.0.1:{port}/v1/chat/completions", None)
                                  for name, port in ports.items()}
        if shutil.which("nginx"):
            self.add(stack, "nginx", make_nginx, ports)
        self.add(stack, "bridge", make_bridge, ports)
        if gateway:
            self.add(stack, "gateway", gateway_maker(gateway), ports)

    def add(self, stack, side, make, ports):
        """What stands between has an instance for each provider, and is started some more times for how long that takes."""
        self.started[side], self.pids[side], self.sides[side] = [], [], {}
        for _ in range(self.plan.starts):
            with contextlib.ExitStack() as once:
                self.started[side].append(make(once, "whole", ports["whole"])[1])
        for name, upstream in ports.items():
            port, _, pids, header = make(stack, name, upstream)
            self.pids[side] += pids
            self.sides[side][name] = (f"http://127.0.0.1:{port}/v1/chat/completions", header)

    def ask(self, side, name, *args):
        url, header = self.sides[side][name]
        report = bench.run("direct", "--url", url, "--pin", self.client_cpu, *(("--header", header) if header else ()), *args)
        if report["errors"] or not report["calls"] + report.get("tokens", 0):
            raise bench.BenchError(f"{side}: no answers, or errors: {report}")
        return report

    def memory(self, side):
        return sum(bench.memory(pid)["rss"] for pid in self.pids[side] if os.path.exists(f"/proc/{pid}"))

    def settle(self):
        for pids in self.pids.values():
            for pid in pids:
                with contextlib.suppress(OSError):
                    bench.place(pid, self.between_cpu)


def make_nginx(stack, _, upstream):
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    port = free_port()
    conf = pathlib.Path(folder, "conf")
    conf.write_text(NGINX.format(folder=folder, upstream=upstream, port=port))
    one = Between(stack, ["nginx", "-c", str(conf), "-p", folder], port)
    return port, one.start_ms, one.pids(), None


def make_bridge(stack, name, upstream):
    """The bridge with a broker of its own: both have to be there, so both starts count."""
    text = harness.section("provider", name, {
        "dialect": "openai-chat", "base_url": f"http://127.0.0.1:{upstream}/v1", "auth": "none", "local": "yes",
        "allow_plain_loopback": "yes"})
    broker = harness.Broker(text + harness.section("model", "bench-1", {"target": f"{name}/bench-1"}))
    stack.callback(broker.close)
    begun = time.monotonic()
    broker.start(wait=False)
    while not harness.accepts(broker.socket):
        if not broker.is_alive() or time.monotonic() - begun > START_SECONDS:
            raise bench.BenchError("llm-brokerd did not start")
        time.sleep(POLL_SECONDS)
    broker_ms = (time.monotonic() - begun) * 1000
    port = free_port()
    one = Between(stack, [harness.program("llm-broker-bridge"), "--listen", f"127.0.0.1:{port}", "--socket",
                          broker.socket], port)
    return port, broker_ms + one.start_ms, [*one.pids(), broker.pid], None


def gateway_maker(command):
    def make(stack, _, upstream):
        port = free_port()
        one = Between(stack, [word.replace("{port}", str(port)) for word in command], port,
                      env={**os.environ, "PORT": str(port), "NODE_ENV": "production"})
        return port, one.start_ms, one.pids(), "x-portkey-config: " + json.dumps(
            {"provider": "openai", "api_key": "x", "custom_host": f"http://127.0.0.1:{upstream}/v1"})
    return make


def measure(sides, plan):
    """{figure: {side: [a value a round]}}"""
    found = {}

    def note(figure, side, value):
        found.setdefault(figure, {}).setdefault(side, []).append(value)
    for _ in range(plan.rounds):
        for side in sides.sides:
            one = sides.ask(side, "whole", "--easy", *plan.times())
            note("one at a time, p50 us", side, one["call_p50_us"])
            note("one at a time, p99 us", side, one["call_p99_us"])
        for side in sides.sides:
            many = sides.ask(side, "whole", "--calls", 64, *plan.times())
            note("64 at a time, calls a second", side, many["calls_per_second"])
            note("64 at a time, p99 us", side, many["call_p99_us"])
        for side in sides.sides:
            stream = sides.ask(side, "streams", "--calls", 16, "--stream", *plan.stream_times())
            note("first token of 16 streams, p50 us", side, stream["first_token_p50_us"])
            note("first token of 16 streams, p99 us", side, stream["first_token_p99_us"])
    for side in sides.pids:
        note("memory, MiB", side, sides.memory(side) / (1 << 20) / len(sides.upstreams))
        found.setdefault("start, ms", {})[side] = sides.started[side]
    return found


def table(found, names):
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for figure, sides in found.items():
        cells = [f"{statistics.median(sides[name]):.1f}" if name in sides else "" for name in names]
        lines.append(f"| {figure} | " + " | ".join(cells) + " |")
    added = [figure for figure in found if figure.endswith(" us")]
    for figure in added:
        cells = []
        for name in names:
            pairs = list(zip(found[figure][name], found[figure]["straight"]))
            cells.append(f"{statistics.median(a - b for a, b in pairs):.1f}")
        lines.append(f"| added: {figure} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--json")
    parser.add_argument("--gateway", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    plan = bench.Plan(options.quick, options.rounds)
    with contextlib.ExitStack() as stack:
        sides = Sides(stack, plan, options.gateway)
        sides.settle()
        found = measure(sides, plan)
        print(table(found, list(sides.sides)))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except bench.BenchError as why:
        sys.exit(f"bridge.py: {why}")
