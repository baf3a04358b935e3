#!/usr/bin/python3
"""manual.py - which parts of the manual pages are written from the programs' own tables?

`manual.py --rewrite` writes them anew. llm-broker.conf(5) is made whole; of llmb(1) what stands between two comments.
"""

import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGES = TOP / "packaging/man"
BEGIN = "; Written by `make manual` from the tables of options, up to the next such line.\n"
END = "; Here they end.\n"
MADE = ("llmb.1.scd", "llm-broker.conf.5.scd")


def written(name):
    """What the tables say of a page."""
    bin_dir = pathlib.Path(os.environ.get("LLMB_BIN_DIR") or TOP / "build/release/bin").absolute()
    done = subprocess.run([bin_dir.parent / "completions/write", "man", name], capture_output=True, text=True, timeout=60,
                          check=True)
    return done.stdout


def renewed(name):
    """A page as it has to be."""
    if name == "llm-broker.conf.5.scd":
        return written("llm-broker.conf")
    before, rest = (PAGES / name).read_text().split(BEGIN)
    return before + BEGIN + "\n" + written("llmb") + END + rest.split(END)[1]


if __name__ == "__main__":
    if sys.argv[1:] != ["--rewrite"]:
        sys.exit(__doc__)
    for page in MADE:
        (PAGES / page).write_text(renewed(page))
