"""canary.py - where does a key turn up? Makes one that nobody mistakes, and finds it in any form.

Looked for raw, in base64 at its three offsets, in hex, quoted for a URL and backwards; `parts_in` finds
eight letters of it. Memory is read as root sees it, pages that the process has closed to itself included."""

import base64
import collections
import os
import secrets
import urllib.parse

import harness

Region = collections.namedtuple("Region", "begin end mode name flags data")
PIECE = 1 << 24


def canary():
    return "sk-canary/" + base64.urlsafe_b64encode(secrets.token_bytes(48)).decode()


def forms(key):
    """All the ways in which the key could be written down."""
    raw = key.encode()
    out = {raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(),
           urllib.parse.quote(key, safe="").encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for skip in range(3):
            whole = encode(bytes(skip) + raw)
            first = 0 if skip == 0 else 4
            out.add(whole[first:len(whole) - 4])
    return [form for form in out if len(form) > 20]


def hits(data, key):
    return [form for form in forms(key) if form in data]


def parts_in(text, key):
    """Eight letters in a row of what is secret of a canary, plain or quoted for a URL."""
    secret = key.removeprefix("sk-")
    return [secret[i:i + 8] for i in range(len(secret) - 7)
            if secret[i:i + 8] in text or urllib.parse.quote(secret[i:i + 8], safe="") in text]


def _mappings(pid):
    """[begin, end, mode, name, flags] of all that the process has mapped."""
    out = []
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            words = line.split()
            if line.startswith("VmFlags:"):
                out[-1][4] = frozenset(words[1:])
            elif not words[0].endswith(":"):
                begin, end = (int(part, 16) for part in words[0].split("-"))
                out.append([begin, end, words[1], words[5] if len(words) > 5 else "", frozenset()])
    return out


def may_read_memory():
    """Root may; a sanitizer's build maps terabytes and keeps what was freed."""
    return os.geteuid() == 0 and not harness.is_sanitized()


def memory_of(pid):
    """A Region for each mapping that the kernel lets root read."""
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for begin, end, mode, name, flags in _mappings(pid):
            if name in ("[vvar]", "[vsyscall]", "[vdso]", "[vvar_vclock]"):
                continue
            data, at = bytearray(), begin
            try:
                mem.seek(begin)
                while at < end:
                    piece = mem.read(min(PIECE, end - at))
                    if not piece:
                        break
                    data += piece
                    at += len(piece)
            except (OSError, ValueError, OverflowError):
                pass  # a guard page, or a hole
            yield Region(begin, end, mode, name, flags, bytes(data))


def regions_with(pid, key):
    """Those that have the key in any form, with how often."""
    found = []
    for region in memory_of(pid):
        count = sum(region.data.count(form) for form in forms(key))
        if count:
            found.append((region, count))
    return found


def is_shut(region):
    """Locked, left out of dumps, and closed to the process itself."""
    return {"lo", "dd"} <= region.flags and region.mode.startswith("---")


def described(found):
    return [f"{count} in {r.begin:x}-{r.end:x} {r.mode} {r.name} {' '.join(sorted(r.flags))}"
            for r, count in found]
