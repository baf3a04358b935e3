"""test_installed.py - is what `make install` puts down enough to build a program on, and does that get an answer?

Outside of this tree, by the words of pkg-config and nothing else; libev, which has no file for it, is -lev.
"""

import os
import shutil
import subprocess

import harness
import pytest
from test_install import install

# a sanitizer's library wants a sanitizer's program
pytestmark = pytest.mark.skipif(harness.is_sanitized(), reason="a build for a sanitizer")

LOOPS = {"ev": None, "glib": "glib-2.0", "uv": "libuv"}
PROGRAMS = ("hello", *(f"loop_{name}" for name in LOOPS))
COMPILERS = {"gcc": ["gcc"], "g++": ["g++", "-x", "c++"]}
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def run(*args, **more):
    done = subprocess.run(list(map(str, args)), capture_output=True, text=True, timeout=harness.CALL_SECONDS * 3,
                          **more)
    assert done.returncode == 0, (args, done.stdout, done.stderr)
    return done.stdout


def only_static(tree):
    """A tree in which the library is the static one, as -lllmclient finds it."""
    for path in (tree / "usr/lib").glob("libllmclient.so*"):
        path.unlink()


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """What is installed, with the shared library and without it."""
    made = {kind: tmp_path_factory.mktemp(kind) for kind in ("shared", "static")}
    for tree in made.values():
        install(tree, "/usr")
    only_static(made["static"])
    return made


def words_of_ours(tree, *options):
    env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(tree), "PKG_CONFIG_PATH": str(tree / "usr/lib/pkgconfig")}
    return run("pkg-config", *options, "--cflags", "--libs", "llmclient", env=env).split()


def words_of(name):
    """Those of the program's loop."""
    loop = name.partition("_")[2]
    if not loop:
        return []
    package = LOOPS[loop]
    if package is None:
        return ["-lev"]
    if subprocess.run(["pkg-config", "--exists", package], check=False).returncode != 0:
        pytest.skip(f"{package} is not here")
    return run("pkg-config", "--cflags", "--libs", package).split()


def needed(program):
    return [line for line in run("readelf", "-dW", program).splitlines() if "NEEDED" in line and "llmclient" in line]


@pytest.mark.parametrize("kind", ("shared", "static"))
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_streams_an_answer(name, compiler, kind, trees, broker, tmp_path):
    loop = words_of(name)
    tree = trees[kind]
    source = shutil.copy(harness.TOP / f"libllmclient/examples/{name}.c", tmp_path)
    ours = words_of_ours(tree, *(["--static"] if kind == "static" else []))
    run(*COMPILERS[compiler], *WARNINGS, source, "-o", tmp_path / name, *ours, *loop, cwd=tmp_path)
    assert len(needed(tmp_path / name)) == (kind == "shared")
    made = broker('[model "default"]\ntarget = offline/echo\n')
    out = run(tmp_path / name, env=made.client_env({"LD_LIBRARY_PATH": str(tree / "usr/lib")}))
    if name == "hello":
        assert "Say hello in three languages." in out
    else:
        for question in ("Count to three.", "Name three colours."):
            text = "".join(line.partition(": ")[2] for line in out.splitlines() if line.startswith(question + ": "))
            assert question in text, out


@pytest.mark.parametrize("standard", ("gnu99", "gnu2x", "gnu++11", "gnu++20"))
@pytest.mark.parametrize("loop", LOOPS)
def test_a_header_alone(loop, standard, trees, tmp_path):
    """Its first and only line is the header, in either language, old and new."""
    source = tmp_path / ("alone.cc" if "++" in standard else "alone.c")
    source.write_text(f"#include <llmclient-{loop}.h>\n")
    words = [*words_of_ours(trees["shared"]), *words_of(f"loop_{loop}")]
    run("g++" if "++" in standard else "gcc", *WARNINGS, f"-std={standard}", "-c", source, "-o", tmp_path / "alone.o",
        *[word for word in words if not word.startswith(("-l", "-L"))])
