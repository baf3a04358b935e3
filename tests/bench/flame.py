#!/usr/bin/python3
"""flame.py - where does the daemon spend its time while it answers? A flame graph.

usage: flame.py [--out FILE] [--seconds N] [--kind typed|stream|hit|relayed|translated] [--callgrind]

Samples llm-brokerd by perf while load keeps 64 calls in flight, folds the stacks, and draws them as
an SVG that needs nothing else: a box is a function, as wide as its share of the samples, on top of
who called it; its name and share show when the pointer is on it. The daemon is build/counted's,
whose stacks may be read. Where perf may not sample, callgrind counts instead, and a table says of
which functions the instructions are.
"""

import argparse
import collections
import contextlib
import html
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import cost  # noqa: E402
import counted  # noqa: E402
import harness  # noqa: E402
import run as bench  # noqa: E402

WIDTH, ROW, LEAST = 1200, 17, 0.4  # pixels; a narrower box is left out
FRAME = re.compile(r"^\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$")


class Missing(Exception):
    """Why perf cannot sample here."""


def fold(text):
    """{stack from the outermost, as a tuple: samples} of what `perf script` prints."""
    stacks, stack = collections.Counter(), []
    for line in [*text.splitlines(), ""]:
        frame = FRAME.match(line)
        if frame:
            stack.append(frame.group(1) if frame.group(1) != "[unknown]" else f"[{pathlib.Path(frame.group(2)).name}]")
        elif not line.strip() and stack:
            stacks[tuple(reversed(stack))] += 1
            stack = []
    return stacks


class Box:
    def __init__(self):
        self.samples, self.above = 0, {}

    def add(self, stack, samples):
        self.samples += samples
        if stack:
            self.above.setdefault(stack[0], Box()).add(stack[1:], samples)

    def depth(self):
        return 1 + max((box.depth() for box in self.above.values()), default=0)


def draw(stacks, title):
    root = Box()
    for stack, samples in stacks.items():
        root.add(stack, samples)
    height = (root.depth() + 2) * ROW
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
             f'<text x="4" y="13">{html.escape(title)}</text>']

    def put(name, box, x, level):
        width = WIDTH * box.samples / max(root.samples, 1)
        if width < LEAST:
            return
        y = height - (level + 1) * ROW
        hue = 20 + sum(map(ord, name)) % 40
        shown = html.escape(name[:int(width / 6.7)]) if width > 20 else ""
        lines.append(f'<g><title>{html.escape(name)}: {100 * box.samples / root.samples:.1f} %</title>'
                     f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="hsl({hue},85%,65%)"/>'
                     f'<text x="{x + 2:.1f}" y="{y + 12}">{shown}</text></g>')
        for child, above in sorted(box.above.items()):
            put(child, above, x, level + 1)
            x += WIDTH * above.samples / root.samples
    put("all", root, 0.0, 0)
    return "\n".join([*lines, "</svg>\n"])


def sample(pid, seconds, folder, work):
    """What `perf script` prints of the process while `work` runs."""
    if not shutil.which("perf"):
        raise Missing("there is no perf: apt-get install linux-perf")
    data = str(pathlib.Path(folder, "perf.data"))
    with subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "--call-graph", "dwarf,16384", "-o", data,
                           "-p", str(pid), "--", "sleep", str(seconds)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as recorder:
        work()
        _, err = recorder.communicate(timeout=seconds + 30)
    if recorder.returncode != 0:
        raise Missing("perf may not sample here: " + (err.decode(errors="replace").strip().splitlines() or ["no reason given"])[0])
    done = subprocess.run(["perf", "script", "--no-inline", "-i", data], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=500, check=False)
    return done.stdout.decode(errors="replace")


def by_callgrind(port, folder, kind):
    with contextlib.closing(counted.broker(
            cost.config(port), "valgrind", "-q", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/out")) as made:
        cost.wait_ready(made)
        cost.ask(made, kind)
        cost.dump(made, folder)
        cost.ask(made, kind)
        print("\n".join(cost.top(cost.dump(made, folder), 25)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="build/flame.svg")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--kind", choices=list(cost.KINDS), default="typed", help="of call")
    parser.add_argument("--callgrind", action="store_true", help="its table, and no perf")
    options = parser.parse_args()
    with bench.Program("upstream", "--chunks", cost.TOKENS, "--interval-us", 0) as up, \
            tempfile.TemporaryDirectory() as folder:
        port = up.said.strip()
        try:
            if options.callgrind:
                raise Missing("as was asked for")
            with contextlib.closing(counted.broker(cost.config(port))) as made:
                made.start()
                text = sample(made.pid, options.seconds, folder, lambda: bench.run(
                    "load", "--socket", made.socket, "--model", "bench/bench-1", "--calls", 64, "--connections", 64,
                    "--warm-ms", 100, "--run-ms", options.seconds * 1000 - 100, *cost.KINDS[options.kind]))
        except Missing as why:
            print(f"perf: {why}; by callgrind, instructions of {cost.CALLS} {options.kind} calls:")
            by_callgrind(port, folder, options.kind)
            return
    stacks = fold(text)
    samples = sum(stacks.values())
    pathlib.Path(options.out).write_text(draw(stacks, f"llm-brokerd, {options.kind} calls, {samples} samples"))
    print(f"perf: {samples} samples, drawn in {options.out}")


if __name__ == "__main__":
    try:
        main()
    except (bench.BenchError, harness.BrokerError, counted.Missing) as why:
        sys.exit(f"perf: {why}")
