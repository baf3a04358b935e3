"""python_module.py - how do tests get this tree's module llmclient, on the library that was built?

A library with AddressSanitizer wants its runtime to be there first: a Python that is started with `env()` has it, and
load() gives None in one that was started without. One with ThreadSanitizer cannot be had in Python at all.
"""

import importlib
import os
import subprocess
import sys

import harness

SOURCE = harness.TOP / "libllmclient/python/src"


def library():
    return harness.bin_dir().parent / "lib/libllmclient.so.1"


def flavour():
    return harness.bin_dir().parent.name


def is_loadable():
    """Whether this very process may load the library."""
    return flavour() != "tsan" and (flavour() != "asan" or "libasan" in os.environ.get("LD_PRELOAD", ""))


def named():
    """Which library; programs that are installed have one that is found by its name."""
    return {"LLMCLIENT_LIBRARY": str(library())} if library().exists() else {}


def env():
    """What a Python is started with, beside what it has anyway."""
    out = {"PYTHONPATH": f"{SOURCE}:{harness.TOP / 'tests/lib'}", "PYTHONDONTWRITEBYTECODE": "1", **named()}
    if flavour() == "asan":
        out["LD_PRELOAD"] = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True,
                                           text=True).stdout.strip()
        out["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # the interpreter's own
    return out


def load():
    """The module, or None."""
    if not is_loadable():
        return None
    os.environ.update(named())
    if str(SOURCE) not in sys.path:
        sys.path.insert(0, str(SOURCE))
    return importlib.import_module("llmclient")
