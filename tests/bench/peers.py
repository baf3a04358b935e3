#!/usr/bin/python3
"""peers.py - what do other gateways cost, beside llm-broker and its bridge, on this machine?

usage: peers.py [--quick] [--rounds N] [--folder build/peers] [--no-install] [--json FILE] [--only PEER...]

Each is installed from its own public package into the folder (npm, pip, go), or by apt where it is
Debian's and the caller root; what cannot be is said with the first line of its error. They are set as
their makers say is fastest: one worker, no logs, no database. The same client (libcurl alone) asks the
same provider that takes no time through each of them in turn, round by round, over loopback alone; a
ratio is the median of the rounds' own. The bridge is asked with a broker of its own behind it.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import bridge  # noqa: E402
import run as bench  # noqa: E402

INSTALL_SECONDS = 900
FAST = ("llm-broker", "nginx", "haproxy")
SLOW = ("--warm-ms", 500, "--run-ms", 2000)  # the others need more time for as many calls
SETTLE_MS = 5000                             # and some until they are warm
# with the dependencies of its own lockfile: with newer ones every stream fails on Node 20
PORTKEY = {"private": True, "dependencies": {"@portkey-ai/gateway": "1.15.2"},
           "overrides": {"hono": "4.9.7", "@hono/node-server": "1.13.5"}}
BIFROST = "github.com/maximhq/bifrost/transports/bifrost-http@latest"

NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_max_body_size 64m; proxy_http_version 1.1; proxy_buffering off;
  proxy_set_header Connection ""; proxy_request_buffering off; keepalive_requests 1000000;
  keepalive_timeout {keepalive};
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 2048; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port}{tls}; location / {{ proxy_pass http://provider; }} }}
}}
"""
HAPROXY = """global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-no-delay
  http-reuse always
frontend in
  bind 127.0.0.1:{port}
  default_backend provider
backend provider
  server one 127.0.0.1:{upstream}
"""
LITELLM = """model_list:
  - model_name: bench-1
    litellm_params: {{model: openai/bench-1, api_base: "http://127.0.0.1:{upstream}/v1", api_key: x}}
litellm_settings: {{set_verbose: false, json_logs: false, request_timeout: 60, telemetry: false}}
"""

Made = collections.namedtuple("Made", "port headers pids start_ms")


class Missing(Exception):
    """What could not be installed; the message has the first line of why."""


def first_line(text):
    """Of an error, what says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "error" in line.lower() or "not " in line.lower()]
    return (told or lines or ["no reason given"])[0]


def execute(*command, env=None):
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=INSTALL_SECONDS, check=False, env={**os.environ, **(env or {})})
    except FileNotFoundError:
        raise Missing(f"there is no {command[0]} to install it with") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{command[0]} did not end in {INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        raise Missing(first_line(done.stdout.decode(errors="replace")))


# how each is installed

def install_portkey(folder):
    if portkey_program(folder).exists():
        return
    (folder / "npm").mkdir(parents=True, exist_ok=True)
    (folder / "npm/package.json").write_text(json.dumps(PORTKEY))
    execute("npm", "install", "--no-audit", "--no-fund", "--prefix", folder / "npm")


def install_litellm(folder):
    if litellm_program(folder).exists():
        return
    execute(sys.executable, "-m", "venv", folder / "py")
    execute(folder / "py/bin/pip", "install", "-q", "litellm[proxy]")


def install_bifrost(folder):
    if not bifrost_program(folder).exists():
        execute("go", "install", BIFROST, env={"GOBIN": str(folder / "go/bin")})


def install_apt(package, program):
    def install(_):
        if shutil.which(program):
            return
        if os.getuid() != 0:
            raise Missing(f"{program} is not installed, and this is not root: apt-get install {package}")
        execute("apt-get", "-q", "install", "-y", "--no-install-recommends", package,
                env={"DEBIAN_FRONTEND": "noninteractive"})
    return install


def portkey_program(folder):
    return folder / "npm/node_modules/@portkey-ai/gateway/build/start-server.js"


def litellm_program(folder):
    return folder / "py/bin/litellm"


def bifrost_program(folder):
    return folder / "go/bin/bifrost-http"


# how each is started before a provider

def between(stack, command, port, env=None):
    one = bridge.Between(stack, [str(word) for word in command], port, env={**os.environ, **(env or {})})
    return one.pids(), one.start_ms


def nginx(stack, _, upstream, cert=None, keepalive=75):
    if not shutil.which("nginx"):
        raise Missing("there is no nginx")
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    port = bridge.free_port()
    tls = f" ssl; ssl_certificate {cert.chain()}; ssl_certificate_key {cert.key()}" if cert else ""
    conf = pathlib.Path(folder, "conf")
    conf.write_text(NGINX.format(folder=folder, upstream=upstream, port=port, tls=tls, keepalive=keepalive))
    pids, start_ms = between(stack, ["nginx", "-c", conf, "-p", folder], port)
    return Made(port, [], pids, start_ms)


def haproxy(stack, _, upstream):
    if not shutil.which("haproxy"):
        raise Missing("there is no haproxy")
    conf = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()), "conf")
    port = bridge.free_port()
    conf.write_text(HAPROXY.format(upstream=upstream, port=port))
    pids, start_ms = between(stack, ["haproxy", "-db", "-f", conf], port)
    return Made(port, [], pids, start_ms)


def portkey(stack, folder, upstream):
    if not portkey_program(folder).exists():
        raise Missing("Portkey's gateway is not installed: `make bench-peers`")
    port = bridge.free_port()
    pids, start_ms = between(stack, ["node", portkey_program(folder).absolute(), "--headless", f"--port={port}"], port,
                             {"NODE_ENV": "production"})
    config = {"provider": "openai", "api_key": "x", "custom_host": f"http://127.0.0.1:{upstream}/v1"}
    return Made(port, ["x-portkey-config: " + json.dumps(config)], pids, start_ms)


def litellm(stack, folder, upstream):
    if not litellm_program(folder).exists():
        raise Missing("LiteLLM is not installed: `make bench-peers`")
    conf = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()), "config.yaml")
    conf.write_text(LITELLM.format(upstream=upstream))
    port = bridge.free_port()
    pids, start_ms = between(stack, [litellm_program(folder).absolute(), "--config", conf, "--host", "127.0.0.1", "--port", port,
                                     "--num_workers", 1], port,
                             {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                              "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"})
    return Made(port, [], pids, start_ms)


def bifrost(stack, folder, upstream):
    if not bifrost_program(folder).exists():
        raise Missing("Bifrost is not installed: `make bench-peers`")
    place = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (place / "config.json").write_text(json.dumps({"providers": {"openai": {
        "keys": [{"value": "x", "models": ["bench-1"], "weight": 1.0}],
        "network_config": {"base_url": f"http://127.0.0.1:{upstream}"}}}}))
    port = bridge.free_port()
    pids, start_ms = between(stack, [bifrost_program(folder).absolute(), "-app-dir", place, "-port", port], port)
    return Made(port, [], pids, start_ms)


def llm_broker(stack, _, upstream):
    port, start_ms, pids, _ = bridge.make_bridge(stack, "bench", upstream)
    return Made(port, [], pids, start_ms)


MAKERS = {"llm-broker": llm_broker, "nginx": nginx, "haproxy": haproxy, "portkey": portkey, "litellm": litellm, "bifrost": bifrost}
INSTALLERS = {"nginx": install_apt("nginx-light", "nginx"), "haproxy": install_apt("haproxy", "haproxy"),
              "portkey": install_portkey, "litellm": install_litellm, "bifrost": install_bifrost}


def versions(folder):
    """Of those that are here: {name: version}."""
    found = {}

    def ask(name, *command):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, timeout=60, check=True)
            found[name] = done.stdout.decode(errors="replace").strip().splitlines()[0]
    ask("nginx", "nginx", "-v")
    ask("haproxy", "haproxy", "-v")
    package = portkey_program(folder).parents[1] / "package.json"
    if package.exists():
        found["portkey"] = json.loads(package.read_text())["version"]
        ask("node", "node", "--version")
    if litellm_program(folder).exists():
        ask("litellm", folder / "py/bin/python", "-c", "import importlib.metadata as m; print(m.version('litellm'))")
    return found


# what is measured

FIGURES = (  # name, report's, of which load, is less better
    ("one at a time, p50 µs", "call_p50_us", "one"),
    ("one at a time, p99 µs", "call_p99_us", "one"),
    ("16 at a time, calls a second", "calls_per_second", "many"),
    ("CPU µs of each", "cpu_us_per_call", "many"),
    ("first token of a stream, p50 µs", "first_token_p50_us", "stream"),
    ("between tokens, p99 µs", "token_gap_p99_us", "stream"))


def heads(made):
    return ["--header", made.headers[0]] if made.headers else []


def cpu_s(pids):
    """The processor time of all of them: the clock of another process has its number's complement in its own."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~pid << 3) | 2)
    return total


class Peer:
    def __init__(self, stack, name, folder, ports, cpu):
        self.made = {load: MAKERS[name](stack, folder, port) for load, port in ports.items()}
        self.times = () if name in FAST else SLOW
        for made in self.made.values():
            if name not in FAST:
                bench.run("direct", "--url", self.url(made), *heads(made), "--easy", "--warm-ms", SETTLE_MS, "--run-ms", 100)
            for pid in made.pids:
                bench.place(pid, cpu)

    def ask(self, load, cpu, *args):
        made = self.made["streams" if load == "stream" else "whole"]
        args = [*args, *self.times]
        began = cpu_s(made.pids)
        report = bench.run("direct", "--url", self.url(made), "--pin", cpu, *heads(made), *args)
        if report["errors"] or not report["calls"] + report["tokens"]:
            raise bench.BenchError("no answers" if not report["errors"] else "errors")
        # of all its processes, the warm-up's share of the time taken off
        warm_s = args[len(args) - args[::-1].index("--warm-ms")] / 1000
        share = report["seconds"] / (report["seconds"] + warm_s)
        report["cpu_us_per_call"] = (cpu_s(made.pids) - began) * share * 1e6 / max(report["calls"], 1)
        return report

    @staticmethod
    def url(made):
        return f"http://127.0.0.1:{made.port}/v1/chat/completions"

    def rss(self):
        made = self.made["whole"]
        return sum(bench.memory(pid)["rss"] for pid in made.pids if os.path.exists(f"/proc/{pid}"))


def measure(peers, plan, cpu):
    loads = {"one": ["--easy", *plan.times()], "many": ["--calls", 16, *plan.times()],
             "stream": ["--stream", "--calls", 4, *plan.stream_times()]}
    found, failed = {name: [] for name in peers}, {}
    for _ in range(plan.rounds):
        for name in [name for name in peers if name not in failed]:
            try:
                found[name].append({load: peers[name].ask(load, cpu, *args) for load, args in loads.items()})
            except bench.BenchError as why:
                failed[name] = str(why)
    return {name: rounds for name, rounds in found.items() if name not in failed}, failed


def table(found, memory, starts):
    rows = []
    for what, figure, load in FIGURES:
        ours = [one[load][figure] for one in found["llm-broker"]]
        for name, reports in found.items():
            values = [one[load][figure] for one in reports]
            pairs = [theirs / mine for theirs, mine in zip(values, ours) if mine and theirs]
            rows.append((what, name, bench.number(statistics.median([v for v in values if v] or [0])),
                         bench.factor(statistics.median(pairs)) if pairs else "–"))
    for name in found:
        rows.append(("resident", name, bench.mib(memory[name]), bench.factor(memory[name] / memory["llm-broker"])))
    for name in found:
        rows.append(("start, ms", name, bench.number(starts[name]), bench.factor(starts[name] / starts["llm-broker"])))
    return bench.table(("what", "who", "figure", "of llm-broker's"), rows)


def install(folder, names):
    missing = {}
    for name in names:
        if name in INSTALLERS:
            try:
                INSTALLERS[name](folder)
            except Missing as why:
                missing[name] = str(why)
    return missing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--folder", default="build/peers")
    parser.add_argument("--no-install", action="store_true", help="only what is there")
    parser.add_argument("--only", nargs="+", choices=list(MAKERS), default=list(MAKERS), metavar="PEER")
    parser.add_argument("--json")
    options = parser.parse_args()
    folder, plan = pathlib.Path(options.folder), bench.Plan(options.quick, options.rounds)
    names = dict.fromkeys(["llm-broker", *options.only])
    missing = {} if options.no_install else install(folder, names)
    cpus = sorted(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(bench.Program(
            "upstream", "--chunks", chunks, "--interval-us", us, "--pin", cpus[0])).said.strip()
            for name, chunks, us in (("whole", 100, 0), ("streams", 20, 10000))}
        peers = {}
        for name in names:
            if name not in missing:
                try:
                    peers[name] = Peer(stack, name, folder, ports, cpus[-1])
                except (Missing, bench.BenchError) as why:
                    missing[name] = str(why)
        found, failed = measure(peers, plan, cpus[0])
        if "llm-broker" not in found:
            sys.exit(f"peers.py: {failed}")
        memory = {name: peers[name].rss() for name in found}
        starts = {name: peers[name].made["whole"].start_ms for name in found}
    print(f"## llm-broker, by its bridge, beside others\n\nMedians of {plan.rounds} rounds; processes of one have one processor, "
          "the provider and the client the other.\n")
    print(table(found, memory, starts))
    for name, version in versions(folder).items():
        print(f"- {name}: {version}")
    for name, why in {**missing, **failed}.items():
        print(f"- {name}: not measured: {why}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"found": found, "memory": memory, "start_ms": starts,
                                                          "missing": {**missing, **failed}}, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except bench.BenchError as why:
        sys.exit(f"peers.py: {why}")
