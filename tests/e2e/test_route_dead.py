"""test_route_dead.py - do those who are silent hold up anybody who does not ask them?

A name server that never answers, a host that takes no connection and one that says nothing when TLS begins: some call
these all the time, and others a provider that is well. What is measured are ratios, of pieces of time with such calls
and without, one after the other: a machine that is busy is so in both. $LLMB_DEAD is how many seconds of both there
are (10):

  make check-route ROUTE=dead
"""

import collections
import os
import shutil
import signal
import socket
import statistics
import time

import harness
import pytest
from crowds import Crowds

SECONDS = float(os.environ.get("LLMB_DEAD", "10"))
PIECE_SECONDS = 1.0
TRIES = 3  # of a machine that others use, too
TURN_SECONDS = 0.010 * (8 if harness.is_observed() else 1)
P99_RATIO = 1.25
PLACES = max(40, round(2 * SECONDS))  # of each kind, so that no few failures put all that there is to rest
TIMERS = {"connect_timeout": "700ms", "first_byte_timeout": "1s"}
NAME_SERVER = "127.0.77.53"  # nobody's
KINDS = ("name", "hole", "tls")
INSIDE = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"']

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may put a file of his own over /etc/resolv.conf"),
    pytest.mark.skipif(any(shutil.which(name) is None for name in ("unshare", "nsenter", "mount")),
                       reason="unshare, nsenter or mount is not there"),
]


@pytest.fixture
def dead_name_server(tmp_path):
    """A file that names one that hears everything and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((NAME_SERVER, 53))
        file = tmp_path / "resolv.conf"
        file.write_text(f"nameserver {NAME_SERVER}\n")
        yield file, sock


def dead_ones(black_hole, silent):
    """The sections of them all, and their models, each kind in turn."""
    text, models = "", []
    for place in range(PLACES):
        text += harness.section("provider", f"name-{place}", {
            "dialect": "openai-chat", "base_url": f"https://name-{place}.example", "auth": "none"})
        for name, rig in (("hole", black_hole), ("tls", silent)):
            text += harness.provider_section(rig, f"{name}-{place}", auth="none", base_path=f"/{place}")
        models += [f"{kind}-{place}/m" for kind in KINDS]
    return text, models


def inside(made):
    """What stands before a program that is to be where the daemon is: to it, others are in a sandbox."""
    return ["nsenter", f"--target={made.pid}", "--mount"]


def p99(values):
    return statistics.quantiles(values, n=100)[98]


def in_pieces(called, begun):
    """Those who called, by the piece of time in which they did."""
    pieces = collections.defaultdict(list)
    for one in called:
        pieces[int((one.begun - begun) / PIECE_SECONDS)].append(one)
    return pieces


def worst(probed, begun, side):
    """The longest that the loop kept a probe waiting in the even pieces (0) or in the odd ones (1)."""
    return max(one.ended - one.begun - one.waited for piece, ones in in_pieces(probed, begun).items() for one in ones
               if piece % 2 == side)


Measured = collections.namedtuple("Measured", "turn turn_alone ratios lost")


def measure(made, models):
    """All of them at the same time: those who call who is well, a probe, and in each second piece those who call
    the dead."""
    count = 1 + 2 * round(SECONDS / 2 / PIECE_SECONDS)  # the first is for what is only begun
    slices = {"seconds": PIECE_SECONDS, "count": count}
    well = {"models": ["well/m"], "at_once": 4, "every_ms": 4, "slices": slices}
    probe = {"op": "whoami", "every_ms": 2, "beside": made.pid, "slices": slices}
    dead = {"models": models, "at_once": 30, "every_ms": 30, "timeout_ms": 5000, "slices": {**slices, "only": "odd"}}
    crowds = Crowds(made, [well, probe, dead], inside(made))
    called, probed, lost = crowds.finish(SECONDS + 40)
    assert {one.what for one in called + probed} == {"ok"}
    took = {piece: [one.ended - one.begun for one in ones] for piece, ones in in_pieces(called, crowds.begun).items()}
    return Measured(worst(probed, crowds.begun, 1), worst(probed, crowds.begun, 0),
                    [p99(took[i]) / p99(took[i + 1]) for i in range(1, count, 2)],
                    collections.Counter((one.model.partition("-")[0], one.what) for one in lost))


def names_asked(sock):
    """The first label of each name that somebody wanted to know."""
    names = set()
    sock.setblocking(False)
    while True:
        try:
            query = sock.recv(512)
        except BlockingIOError:
            return names
        names.add(query[13:13 + query[12]].decode())


def test_the_silent_hold_nobody_up(broker, providers, dead_name_server):
    file, sock = dead_name_server
    well, black_hole, silent = (providers(needs_key=False) for _ in range(3))
    silent.on_connect({"stall": "hello", "times": 0})
    black_hole.listener("blackhole")
    text, models = dead_ones(black_hole, silent)
    made = broker(harness.section("broker", "", TIMERS) + harness.provider_section(well, "well", auth="none") + text,
                  wrap=[*INSIDE, str(file)])
    tries = []
    while len(tries) < TRIES and (not tries or not is_undisturbed(tries[-1])):
        tries.append(measure(made, models))
        for kind in KINDS:  # they are under way until their time is over, or the piece's
            ends = {what: n for (name, what), n in tries[-1].lost.items() if name == kind}
            assert set(ends) <= {"timeout", "connection", "cancelled"}, ends
            assert ends.get("timeout", 0) + ends.get("connection", 0) >= SECONDS / 2 and ends.get("cancelled"), ends
    assert len([name for name in names_asked(sock) if name.startswith("name-")]) >= 2
    assert silent.stats()["connections"] >= SECONDS / 2
    assert is_undisturbed(tries[-1]), tries


def is_undisturbed(measured):
    return measured.turn <= TURN_SECONDS and statistics.median(measured.ratios) <= P99_RATIO


def test_a_turn_that_is_long_is_seen(broker, provider):
    """By the probe: of a broker that is held for 30 ms, which is no wait for a processor."""
    made = broker()
    probe = {"op": "whoami", "every_ms": 2, "beside": made.pid, "slices": {"seconds": 1.0, "count": 2}}
    crowds = Crowds(made, [probe])
    time.sleep(max(0.0, crowds.begun + 1.5 - time.monotonic()))
    os.kill(made.pid, signal.SIGSTOP)
    time.sleep(0.030)
    os.kill(made.pid, signal.SIGCONT)
    probed, = crowds.finish(30)
    assert worst(probed, crowds.begun, 1) >= 0.025
