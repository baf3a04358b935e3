"""profiles.py - what are the figures of a missed bar made of?

instructions  of a kind of call, of a start up to its first answer, and of a new TLS connection: by callgrind, of the loop's
              thread alone, by who wrote the code, a library or a folder of ours. What the kernel does is not in it, nor what
              the workers do. memset is counted byte by byte, and takes far less than that of the time.
threads       processor time of a call, the loop's and the workers', in programs and in the kernel: by /proc.
resident      memory of an idle daemon, by what is mapped: by /proc/PID/smaps.
held          what the heap holds for a stream, by who asked for it: by massif.
turns         the longest turn of the loop so far, behind each kind of load.

Each is a table of rows; what this machine has not got is raised as Missing.
"""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import cost
import counted
import harness
import run as bench

KINDS = ("typed", "stream", "hit")
START, HANDSHAKE = "start", "new TLS connection"
LEAST = 0.01  # of the whole: less is the rest
WIPED = "memset: cleared, and overwritten when freed"
REST = "the rest"
STREAMS = 100
TICKS = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """What this machine has not got; the message says what."""


def needs(*programs):
    for name in programs:
        if not shutil.which(name):
            raise Missing(f"there is no {name}")


def library_of(path):
    """libcurl of /usr/lib/libcurl.so.4.8.0; None: it is none."""
    found = re.match(r"((?:lib|ld-)[\w+-]+?)(?:-\d+\.\d+)?\.so(?:\.|$)", pathlib.Path(path).name)
    return found[1] if found else None


def folder_of(file):
    """brokerd/exchange of ./brokerd/exchange/flight.c; None: it is not ours."""
    found = re.search(r"(?:^|/)((?:brokerd/(?!\w+\.[ch])\w+|brokerd|protocol))/[\w./]+\.[ch]$", file)
    return found.group(1) if found else None


def shares_table(found, of, shown):
    """Columns of {whose: how much}, the largest of the first at the top; what is small everywhere is summed."""
    totals = {name: sum(column.values()) for name, column in found.items()}
    named = {whose for name, column in found.items() for whose, n in column.items() if n >= LEAST * totals[name]} - {REST}
    first = next(iter(found))
    rows = [(whose, *(shown(column.get(whose, 0), totals[name]) for name, column in found.items()))
            for whose in sorted(named, key=lambda whose: (-found[first].get(whose, 0), whose))]
    rest = {name: sum(n for whose, n in column.items() if whose not in named) for name, column in found.items()}
    rows.append((REST, *(shown(rest[name], totals[name]) for name in found)))
    rows.append((of, *(f"{totals[name]:,.0f}" for name in found)))
    return bench.table(("whose", *found), rows)


# instructions

def named(names, text):
    """callgrind names a thing once, and numbers it: "(7) name", then "(7)"."""
    number, _, name = text.partition(" ")
    if name:
        names[number] = name
    return names.get(number, text)


def where(obj, file, function):
    """Whose code it is."""
    if "memset" in function or "explicit_bzero" in function:
        return WIPED
    return library_of(obj) or folder_of(file) or "brokerd"


def shares(path):
    """{whose: instructions} of a file of callgrind's: what each function took itself."""
    found, names = collections.Counter(), {kind: {} for kind in ("ob", "fl", "fn")}
    at = {"ob": "", "fl": "", "fn": ""}
    is_call = False
    for line in pathlib.Path(path).read_text().splitlines():
        kind, _, text = line.partition("=")
        if kind in at:
            at[kind] = named(names[kind], text)
        elif kind in ("cob", "cfn", "cfi", "cfl", "fi", "fe"):
            named(names[{"cob": "ob", "cfn": "fn"}.get(kind, "fl")], text)
        elif kind == "calls":
            is_call = True  # what the one that was called took is the next line
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not is_call:
                found[where(at["ob"], at["fl"], at["fn"])] += int(line.split()[-1])
            is_call = False
    return found


@contextlib.contextmanager
def callgrind(config):
    """A daemon that is up under it: the daemon, and what gives its shares since the last time, of so many calls."""
    needs("valgrind", "callgrind_control")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(counted.broker(
            config, "valgrind", "-q", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/out")) as made:
        cost.wait_ready(made)
        yield made, lambda calls: collections.Counter(
            {whose: n / calls for whose, n in shares(cost.dump(made, folder)).items()})


def calls_and_start():
    """{kind: shares} of a start with its first call, and of each kind of call."""
    found = {}
    with bench.Program("upstream", "--chunks", cost.TOKENS, "--interval-us", 0) as up, \
            callgrind(cost.config(up.said.strip())) as (made, since):
        cost.ask(made, "typed", 1)
        start = since(1)
        for kind in KINDS:
            cost.ask(made, kind)
            since(1)
            cost.ask(made, kind)
            found[kind] = since(cost.CALLS)
    return {**found, START: start}


def handshake(provider, ports, bundle):
    """Shares of a call over a new connection, less those of one over a kept one."""
    config = "".join(provider(how, f"https://127.0.0.1:{port}/v1", ca_file=bundle) for how, port in ports.items())
    with callgrind(config) as (made, since):
        found = {}
        for how in ports:
            for _ in range(2):
                report = bench.run("load", "--socket", made.socket, "--model", f"{how}/bench-1", "--bursts", cost.CALLS, timeout=120)
                if report["calls"] != cost.CALLS:
                    raise bench.BenchError(f"{report['calls']} of {cost.CALLS} calls were answered over TLS")
                found[how] = since(cost.CALLS)
    found["fresh"].subtract(found["kept"])
    return {HANDSHAKE: +found["fresh"]}


def instructions_table(found):
    return shares_table(found, "instructions", lambda n, total: f"{100 * n / max(total, 1):.1f} %")


# processor time

def thread_times(pid):
    """{thread: (seconds in programs, in the kernel)}, to a tick."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = pathlib.Path(f"/proc/{pid}/task/{task}/stat").read_text().rpartition(")")[2].split()
            found[int(task)] = (int(fields[11]) / TICKS, int(fields[12]) / TICKS)
    return found


def threads_table(pid, load):
    """`load` keeps calls in flight and returns its report."""
    before = thread_times(pid)
    calls = load()["calls"]
    spent = {"loop": [0, 0], "workers": [0, 0]}
    for task, times in thread_times(pid).items():
        for i, seconds in enumerate(times):
            spent["loop" if task == pid else "workers"][i] += seconds - before.get(task, (0, 0))[i]
    return bench.table(("µs a call", "in programs", "in the kernel"), [
        (who, *(f"{1e6 * seconds / calls:.1f}" for seconds in both)) for who, both in spent.items()])


# memory

def smaps(text):
    """{what is mapped: (KiB that nobody else can have, KiB that others may share)} of what is resident."""
    found, name = collections.defaultdict(lambda: [0, 0]), None
    for line in text.splitlines():
        head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$", line)
        if head:
            path = head[1]
            name = (library_of(path) if path.startswith("/") else None) or (
                "llm-brokerd" if path.endswith("/llm-brokerd") else "its files" if path.startswith("/") else
                "heap" if path == "[heap]" else "stacks and other anonymous memory")
        kind, _, value = line.partition(":")
        if kind in ("Private_Clean", "Private_Dirty", "Shared_Clean", "Shared_Dirty"):
            found[name][kind.endswith("Clean")] += int(value.split()[0])
    return found


def libraries(pid):
    """How many are mapped."""
    return len(set(re.findall(r"(/\S+\.so\S*)$", pathlib.Path(f"/proc/{pid}/maps").read_text(), re.M)))


def resident_table(pid):
    found = smaps(pathlib.Path(f"/proc/{pid}/smaps").read_text())
    columns = {"its own, KiB": {name: both[0] for name, both in found.items()},
               "of files, KiB": {name: both[1] for name, both in found.items()}}
    return shares_table(dict(reversed(columns.items())), "KiB", lambda n, _: f"{n:,.0f}")


TREE = re.compile(r"^( *)n\d+: (\d+) (.*)$")
HELPERS = re.compile(r"\(\S*protocol/base/|\(\S*/?brokerd/exchange/spare\.c|^\(heap|\((?:\S*/)?(?:string|malloc|libio)/")


def asked(line):
    """Whose a line of massif's tree is; None: it asks for others."""
    if HELPERS.search(line) or "libc.so" in line:
        return None
    inside = re.search(r"\(in (\S+)\)$", line)
    at = re.search(r"\((\S+):\d+\)$", line)
    return (library_of(inside[1]) if inside else None) or (folder_of(at[1]) if at else None) or REST


def heap_shares(text):
    """{whose: bytes} of a snapshot of massif's, each block counted for the nearest caller that asks for itself."""
    found, path = collections.Counter(), []  # path: [depth, bytes not yet given to who is below, is it counted]
    for line in text.splitlines():
        said = TREE.match(line)
        if not said:
            continue
        depth, size, whose = len(said[1]), int(said[2]), asked(re.sub(r"^0x[0-9A-F]+: ", "", said[3]))
        del path[depth:]
        if any(path):
            path.append(True)
            continue
        path.append(whose is not None)
        if whose:
            found[whose] += size
    return found


def held_table(up):
    """Of a stream, with as many as STREAMS of them: a debug build's, for massif has to be told of what is given back."""
    needs("valgrind", "vgdb")
    program = harness.TOP / "build/debug/bin/llm-brokerd"
    if not program.exists():
        raise Missing("there is no build/debug/bin/llm-brokerd: `make FLAVOUR=debug`")
    wrap = [*counted.INSTEAD, f"valgrind -q --tool=massif --fullpath-after= --depth=20 --threshold=0.01 --massif-out-file=/dev/null {program}"]
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(harness.Broker(cost.config(up), wrap=wrap)) as made:
        cost.wait_ready(made)

        def snapshot():
            path = pathlib.Path(folder, "snapshot")
            subprocess.run(["vgdb", f"--pid={made.pid}", "detailed_snapshot", str(path)], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True, env=made.env)
            return heap_shares(path.read_text())

        def held(streams):
            with bench.Program("load", "--socket", made.socket, "--model", "bench/bench-1", "--stream", "--hold", "--calls", streams,
                               "--connections", streams, "--run-ms", 60000):
                return snapshot()
        few, many = held(STREAMS // 10), held(STREAMS)  # what is there once is in both
    many.subtract(few)
    column = {whose: n / (STREAMS - STREAMS // 10) for whose, n in many.items() if n > 0}
    return shares_table({"bytes": column}, "bytes of a stream", lambda n, _: f"{n:,.0f}")
