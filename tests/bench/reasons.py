"""reasons.py - why is a bar missed, what would change it, and which profile shows that?

Said here, once for all runs, and in the table only where a bar is missed. No figure is: those are in the profiles
(profiles.py), which are made anew by each run.
"""

import collections

import run as bench

CALL = ("beside libcurl's transfer a call is judged, reserved in the journal before it is sent and settled there behind it, its "
        "answer read member by member, told in frames and noted, and all that held it overwritten; workers write its rows to SQLite",
        "a transport of our own behind transport.h, or a libcurl that may send a short body with its head (7.88 would send it twice "
        "where a kept connection dies); fewer and smaller blocks for a call; rows of the ledger packed once for journal and SQLite")
TOKENS = ("each token is a document of JSON that is read, judged, packed, logged for its readers and framed, where a proxy passes "
          "bytes on; what a stream costs at its beginning and end is in it",
          "one pass over a chunk that has text alone, straight into its frame")
GATEWAY = ("as for one call beside nginx: what the gateway adds is what it is, and this is what the broker adds to it",
           CALL[1])
HIT = ("policy and limits are asked for each hit, its row is in the journal before it is told, and workers write that row to SQLite",
       "rows of hits that are alike summed before they are written")
WHY = {
    **dict.fromkeys(("1", "2a", "3a", "4a", "4b", "5", "6"), CALL),
    **dict.fromkeys(("2b", "3b", "4c", "10b", "11b"), GATEWAY),
    **dict.fromkeys(("9a", "9b", "9c", "10a", "11a"), TOKENS),
    **dict.fromkeys(("12", "13"), HIT),
    "7": ("libcrypto's handshake: a context, the certificates read and checked, keys agreed on",
          "a provider that resumes sessions, as TLS 1.3 does by itself; a later OpenSSL, whose objects are found faster"),
    "8": ("a connection that ends while a burst is under way is opened anew", "longer lives at the provider"),
    **dict.fromkeys(("14a", "14b", "14c"), (
        "pages of files that are mapped, most of them libraries that other programs share, and a configuration and catalogue that are "
        "read whole",
        "fewer libraries in the daemon; the catalogue mapped, and read where it is asked")),
    "15": ("the session, its watch and its share of who it is", "sessions that are given back while they say nothing"),
    "16": ("libcurl's handle, connection, copy of the headers and buffer to read into; what a call holds of its own: exchange, flight "
           "and attempt, what was asked, its reservation; and pages that are not full",
           "a transport of our own behind transport.h; what a request was is let go once its answer has begun"),
    **dict.fromkeys(("17a", "17b"), (
        "the loader, which binds the libraries and what they need, and state that is opened before the first answer: vault, journal, "
        "ledger, cache, audit log",
        "a libcurl without what no provider needs (LDAP, SSH, Kerberos, RTMP); SQLite begun by a worker, behind the first answer")),
    "18": ("a turn goes on for a while before the callback that ends it, for with less of it each call costs more; and callbacks meet "
           "pages for the first time",
           "memory touched before it is needed; journal pages written ahead by a worker; a shorter turn where nothing is lost by it"),
    "19": ("they share two processors with the load that is measured", "a machine with a third"),
}


def missed_table(missed):
    """One line for all bars of one reason."""
    reasons = collections.OrderedDict()
    for bar in missed:
        reasons.setdefault(WHY[bar], []).append(bar)
    return bench.table(("bars", "what stands in the way", "what would change it"),
                       [(", ".join(bars), *reason) for reason, bars in reasons.items()])


# which profile (bars.py has them by name) shows it
SHOWN = {
    **dict.fromkeys(("1", "2a", "2b", "3a", "3b", "4a", "4b", "4c", "5", "6"), ("instructions", "threads")),
    **dict.fromkeys(("7",), ("handshake",)),
    **dict.fromkeys(("9a", "9b", "9c", "10a", "10b", "11a", "11b", "12", "13", "17a", "17b"), ("instructions",)),
    **dict.fromkeys(("14a", "14b", "14c", "15"), ("resident",)),
    "16": ("held",),
    "18": ("turns",),
}


def profiles_of(missed):
    """The names of all that show why these are missed."""
    return list(dict.fromkeys(name for bar in missed for name in SHOWN.get(bar, ())))
