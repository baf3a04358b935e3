"""test_bridge_load.py - do very many streams at once reach their readers in time, whoever beside them does not read or goes away?

The provider's words are the moments at which they are said (ticker.py). Beside the readers who come by the bridge some ask the
provider itself, in the same run and the same process: what they wait is this machine's, and the rest is ours. The full measure is
`make bridge-load`, by LLMB_LONG=1."""

import json
import os
import pathlib
import resource
import sys
import types

import harness
import pytest

TICKER = str(pathlib.Path(harness.__file__).with_name("ticker.py"))
IS_LONG = os.environ.get("LLMB_LONG") == "1"
CLIENTS = int(os.environ.get("LLMB_CLIENTS", "500" if IS_LONG else "60"))
PIECES = int(os.environ.get("LLMB_PIECES", "40" if IS_LONG else "10"))
EVERY_MS = int(os.environ.get("LLMB_EVERY_MS", "500" if IS_LONG else "300"))
MS = 1_000_000
LATE_MS = 10 * harness.SLOWER * (5 if harness.is_sanitized() else 1)
GONE_MS = 100 * harness.SLOWER * (5 if harness.is_sanitized() else 1)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@pytest.fixture
def ticker(tmp_path):
    """A provider, as harness.provider_section wants it, and who of its callers has gone when."""
    gone = tmp_path / "gone"
    spec = json.dumps({"every_ms": EVERY_MS, "count": PIECES, "gone_file": str(gone)})
    port_file = tmp_path / "port"
    running = harness.Running([sys.executable, "-B", TICKER, "provider", str(port_file), spec], dict(os.environ), str(tmp_path))
    harness.wait_until(port_file.exists, 10, lambda: running.err)
    port = int(port_file.read_text())
    yield types.SimpleNamespace(plain=True, port=port, base_url=f"http://127.0.0.1:{port}", running=running,
                                gone=lambda: dict(map(json.loads, gone.read_text().splitlines())))
    running.kill()


def groups(ticker, door, turn):
    """A tenth never reads, a tenth vanishes; half of all comes by TCP, half by the Unix socket."""
    tenth = CLIENTS // 10
    ways = {"tcp": door.port, "unix": door.path}
    path = "/v1/chat/completions"
    out = [{"name": "direct", "where": ticker.port, "count": max(10, tenth), "does": "reads"}]
    for name, where in ways.items():
        out.append({"name": f"reads-{name}", "where": where, "count": (CLIENTS - 2 * tenth) // 2, "does": "reads"})
        out.append({"name": f"fat-{name}", "where": where, "count": tenth // 2, "does": "sleeps"})
        out.append({"name": f"goes-{name}", "where": where, "count": tenth // 2, "does": "vanishes", "after": 3})
    return [{"target": path, "model": "m" if one["name"] == "direct" else "tick/m", **one, "name": f"{one['name']}-{turn}"}
            for one in out]


def run(made, door, spec):
    """What the readers have seen, by the names of their groups, and what the bridge and the broker took meanwhile."""
    before, broker_before = door.rss_kib(), made.heap_kib()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    readers = harness.Running([sys.executable, "-B", TICKER, "readers", json.dumps(spec)], dict(os.environ), str(made.folder))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    made.running.append(readers)
    readers.read_until("ready", timeout=60)
    peak = broker_peak = 0
    while b"\n[" not in readers.out:
        peak, broker_peak = max(peak, door.rss_kib() - before), max(broker_peak, made.heap_kib() - broker_before)
        try:
            readers.read_until("\n[", timeout=0.1)
        except harness.BrokerError:
            assert readers.process.poll() is None, readers.err
    done = readers.finish(timeout=spec["seconds"] + 60)
    assert done.code == 0, done.err
    return {one["name"]: one for one in json.loads(done.out.splitlines()[-1])}, peak, broker_peak


def test_very_many_streams(bridge, broker, ticker):
    """What is late on a machine that has other things to do may be on time in the next run; what is lost is lost."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CLIENTS * 4 + 500:
        pytest.skip(f"only {hard} descriptors are allowed here")
    made = broker(harness.provider_section(ticker, "tick", auth="none"))
    door = bridge(made)
    for turn in range(3):
        spec = {"groups": groups(ticker, door, turn), "seconds": 20 + PIECES * EVERY_MS / 1000 * 3}
        told, peak, broker_peak = run(made, door, spec)
        print(f"memory: bridge {peak} KiB, broker {broker_peak} KiB for {CLIENTS} streams")
        all_are_told(told, turn)
        assert harness.is_sanitized() or (peak < CLIENTS * 200 and broker_peak < CLIENTS * 1024)
        late_ms, gone_ms = late(told, turn), gone(told, turn, ticker.gone())
        if late_ms < LATE_MS and gone_ms < GONE_MS:
            return
    raise AssertionError(f"{late_ms} ms later than the provider's own readers, gone after {gone_ms} ms, three times")


def all_are_told(told, turn):
    for name in ("direct", "reads-tcp", "reads-unix"):
        assert set(told[f"{name}-{turn}"]["pieces"]) == {PIECES}, (name, told[f"{name}-{turn}"]["pieces"])
    assert set(told[f"goes-tcp-{turn}"]["pieces"] + told[f"goes-unix-{turn}"]["pieces"]) == {3}


def late(told, turn):
    """By how much the bridge's readers are behind the provider's own, in ms, all but one in a hundred."""
    direct = told[f"direct-{turn}"]["late_ns"]
    ours = told[f"reads-tcp-{turn}"]["late_ns"] + told[f"reads-unix-{turn}"]["late_ns"]
    for share in (0.5, 0.99, 0.999):
        print(f"p{share * 100:g}: direct {percentile(direct, share) / MS:.2f} ms, by the bridge {percentile(ours, share) / MS:.2f} ms")
    return (percentile(ours, 0.99) - percentile(direct, 0.99)) / MS


def gone(told, turn, seen):
    """After how many ms the last of those who vanish has vanished for the provider."""
    took = []
    for group in ("goes-tcp", "goes-unix"):
        for name, when in told[f"{group}-{turn}"]["vanished"].items():
            assert name in seen, f"{name} is still served"
            took.append(seen[name] - when)
    print(f"gone upstream after {max(took) / MS:.1f} ms at the most, {percentile(took, 0.5) / MS:.1f} ms usually")
    return max(took) / MS
