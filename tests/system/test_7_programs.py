"""test_7_programs.py - can a program be built on what -dev installs, and is it answered? And a program in Python?"""

import shutil

import machine
import pytest
from machine import MEMBER, good, login

LOOPS = {"ev": ["-lev"], "glib": "glib-2.0", "uv": "libuv"}
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]


@pytest.fixture(scope="module")
def folder():
    path = machine.HERE / "built"
    path.mkdir()
    yield path
    shutil.rmtree(path)


def built(folder, name, *more):
    words = good("pkg-config", "--cflags", "--libs", "llmclient").split()
    good("gcc", *WARNINGS, machine.HERE / f"examples/{name}.c", "-o", folder / name, *words, *more, seconds=60)
    return folder / name


def test_a_program_in_c(system, provider, folder):
    provider.script(answer={"text": "one two three"})
    done = login(MEMBER, built(folder, "hello"))
    assert (done.code, done.out.strip()) == (0, "one two three"), done
    assert "libllmclient.so.1" in good("ldd", folder / "hello")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_program_in_an_event_loop(system, provider, folder, loop):
    package = LOOPS[loop]
    words = package if isinstance(package, list) else good("pkg-config", "--cflags", "--libs", package).split()
    provider.script(answer={"text": "one two three"}, times=0)
    done = login(MEMBER, built(folder, f"loop_{loop}", *words), "first", "second")
    assert done.code == 0 and "first: one" in done.out and "second: one" in done.out, done


@pytest.mark.parametrize("name, arguments", [("hello", []), ("many", ["first", "second"])])
def test_a_program_in_python(system, provider, name, arguments):
    provider.script(answer={"text": "one two three"}, times=0)
    done = login(MEMBER, "python3", machine.HERE / f"examples/{name}.py", *arguments)
    assert done.code == 0 and "three" in done.out, done
    assert machine.run("python3", "-c", "import llmclient; print(llmclient.__file__)").out.startswith("/usr/lib/python3/")
