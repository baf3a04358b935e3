"""programs.py - is there what a test needs of this machine, or is it skipped?"""

import os
import shutil

import harness
import pytest


def needs(*names):
    """Marks a test that runs programs which deps.sh installs for CI alone."""
    missing = [name for name in names if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not here: {' '.join(missing)}")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="another process's memory is root's to read")

# a sanitizer's build maps terabytes, keeps what was freed, and is neither confined nor undumpable
needs_release = pytest.mark.skipif(harness.is_observed(), reason="a build for a sanitizer or valgrind")
