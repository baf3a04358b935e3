"""reasons.py - where are the instructions of a call, and why is a bar missed?

The first is counted by callgrind, of the loop's thread alone, by who wrote the code: a library, or a
folder of ours. What the kernel does is not in it, nor what the workers do. memset is counted byte by
byte there, and takes far less than that of the time. The second is said here, once for all runs, and
stands in the table only where a bar is missed.
"""

import collections
import contextlib
import pathlib
import re
import tempfile

import cost
import counted
import run as bench

KINDS = ("typed", "stream", "hit")
LEAST = 0.01  # of a kind's instructions: less is the rest
WIPED = "memset: cleared, and overwritten when freed"

CALL = ("beside libcurl's transfer a call is judged, reserved in the journal before it is sent and settled there behind it, its "
        "answer read member by member, told in frames and noted, and all that held it overwritten; workers write its rows to SQLite",
        "a transport of our own behind transport.h, or a libcurl that may send a short body with its head (7.88 would send it twice "
        "where a kept connection dies); fewer and smaller blocks for a call; rows of the ledger packed once for journal and SQLite")
TOKENS = ("each token is a document of JSON that is read, judged, packed, logged for its readers and framed, where a proxy passes "
          "bytes on; what a stream costs at its beginning and end is in it",
          "one pass over a chunk that has text alone, straight into its frame")
GATEWAY = ("as for one call beside nginx: what the gateway adds is what it is, and this is what the broker adds to it",
           CALL[1])
HIT = ("policy and limits are asked for each hit, its row is in the journal before it is told, and workers write that row to SQLite, "
       "which takes about as long as all the rest of it",
       "rows of hits that are alike summed before they are written")
WHY = {
    **dict.fromkeys(("1", "2a", "3a", "4a", "4b", "5", "6"), CALL),
    **dict.fromkeys(("2b", "3b", "4c", "10b", "11b"), GATEWAY),
    **dict.fromkeys(("9a", "9b", "9c", "10a", "11a"), TOKENS),
    **dict.fromkeys(("12", "13"), HIT),
    "7": ("TLS's own handshake", "sessions that are resumed over restarts"),
    "8": ("a connection that ends while a burst is under way is opened anew", "longer lives at the provider"),
    **dict.fromkeys(("14a", "14b", "14c"), (
        "pages of the libraries that are mapped (libcurl, OpenSSL, SQLite), and of a configuration and catalogue that are read whole",
        "fewer libraries in the daemon; the catalogue mapped, and read where it is asked")),
    "15": ("the session, its watch and its share of who it is", "sessions that are given back while they say nothing"),
    "16": ("libcurl's handle, connection, copy of the headers and buffer to read into, 13 KiB of them; what a call holds of its own: "
           "exchange, flight and attempt, the request as it came and as it went, its reservation; and pages that are not full",
           "a transport of our own behind transport.h; what a request was is let go once its answer has begun"),
    **dict.fromkeys(("17a", "17b"), (
        "half of it is the loader's, which binds 38 libraries; then state is opened before the first answer: vault, journal, ledger, "
        "cache, audit log",
        "a libcurl without what no provider needs (LDAP, SSH, Kerberos, RTMP); SQLite begun by a worker, behind the first answer")),
    "18": ("a turn goes on for a millisecond, and half of one more for tasks, before the callback that ends it: with less of it each "
           "call costs more; and callbacks meet pages for the first time",
           "memory touched before it is needed; journal pages written ahead by a worker; a shorter turn where nothing is lost by it"),
    "19": ("they share two processors with the load that is measured", "a machine with a third"),
}


def named(names, text):
    """callgrind names a thing once, and numbers it: "(7) name", then "(7)"."""
    number, _, name = text.partition(" ")
    if name:
        names[number] = name
    return names.get(number, text)


def where(obj, file, function):
    """Whose code it is."""
    library = re.match(r"(lib[a-z0-9]+?|ld-linux[^.]*)(?:-gnutls)?\.so|(lib\w+)", pathlib.Path(obj).name)
    ours = re.search(r"(?:^|/)((?:brokerd/(?!\w+\.[ch])\w+|brokerd|protocol))/[\w./]+\.[ch]$", file)
    if "memset" in function or "explicit_bzero" in function:
        return WIPED
    if library:
        return (library.group(1) or library.group(2)).rstrip("0123456789")
    return ours.group(1) if ours else "brokerd"


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


def profile():
    """{kind: {whose: instructions of a call}}; raises counted.Missing."""
    found = {}
    with bench.Program("upstream", "--chunks", cost.TOKENS, "--interval-us", 0) as up, tempfile.TemporaryDirectory() as folder:
        with contextlib.closing(counted.broker(
                cost.config(up.said.strip()), "valgrind", "-q", "--tool=callgrind", "--separate-threads=yes",
                f"--callgrind-out-file={folder}/out")) as made:
            cost.wait_ready(made)
            for kind in KINDS:
                cost.ask(made, kind)
                cost.dump(made, folder)
                cost.ask(made, kind)
                found[kind] = {whose: n / cost.CALLS for whose, n in shares(cost.dump(made, folder)).items()}
    return found


def profile_table(found):
    """Shares of each kind, the largest of the first kind at the top."""
    totals = {kind: sum(found[kind].values()) for kind in found}
    names = {whose for kind in found for whose, n in found[kind].items() if n >= LEAST * totals[kind]}
    first = next(iter(found))
    rows = [(whose, *(f"{100 * found[kind].get(whose, 0) / totals[kind]:.1f} %" for kind in found))
            for whose in sorted(names, key=lambda name: (-found[first].get(name, 0), name))]
    rest = {kind: sum(n for whose, n in found[kind].items() if whose not in names) for kind in found}
    rows.append(("the rest", *(f"{100 * rest[kind] / totals[kind]:.1f} %" for kind in found)))
    rows.append(("instructions", *(f"{totals[kind]:,.0f}" for kind in found)))
    return bench.table(("whose", *found), rows)


def missed_table(missed):
    """One line for all bars of one reason."""
    reasons = collections.OrderedDict()
    for bar in missed:
        reasons.setdefault(WHY[bar], []).append(bar)
    return bench.table(("bars", "what stands in the way", "what would change it"),
                       [(", ".join(bars), *reason) for reason, bars in reasons.items()])
