"""test_python_module.py - is the module llmclient what the C library's header says, and can it be had?

It is held against the header, by the compiler too; mypy reads it; a wheel and `make install-python` give what can be
imported. Where AddressSanitizer is in the library, test_python.py runs here as well, with what it needs for that.
"""

import ctypes
import importlib.metadata
import importlib.util
import inspect
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import harness
import pytest
import python_module

llmclient = python_module.load()
needs_module = pytest.mark.skipif(llmclient is None, reason="the library is one with a sanitizer")
HEADER = harness.TOP / "libllmclient/include/llmclient.h"
PACKAGE = harness.TOP / "libllmclient/python"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}


def header():
    """The header without its comments and line ends."""
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", re.sub(r"^#.*$", "", HEADER.read_text(), flags=re.M), flags=re.S))


def c_module():
    return sys.modules["llmclient._c"]


# ---- the header


def enumerators(name, prefix):
    body = re.search(r"typedef enum " + name + r" \{(.*?)\}", header())[1]
    found = re.findall(r"(\w+) = (-?\d+)", body)
    assert len(found) == len(body.split(",")), "every one has its number"
    return {word.removeprefix(prefix): int(number) for word, number in found}


@needs_module
@pytest.mark.parametrize("name, prefix, mirror", [("llm_code", "LLM_", "Code"), ("llm_event_type", "LLM_EV_", "EventType")])
def test_enumerations(name, prefix, mirror):
    assert {one.name: one.value for one in getattr(c_module(), mirror)} == enumerators(name, prefix)


@needs_module
def test_flags():
    defined = dict(re.findall(r"#define LLM_(F_\w+) (\d+)u", HEADER.read_text()))
    defined |= dict(re.findall(r"LLM_(READ|WRITE) = (\d)", header()))
    assert {name: int(value) for name, value in defined.items()} == {
        name: getattr(c_module(), name) for name in ("F_NONBLOCK", "F_NO_AUTOSTART", "READ", "WRITE")}


@needs_module
def test_every_code_has_its_exception():
    codes = set(enumerators("llm_code", "LLM_").values()) - {0, -3}  # nothing is raised for these
    assert codes == set(llmclient.errors.BY_CODE)
    assert all(getattr(llmclient, kind.__name__) is kind for kind in llmclient.errors.BY_CODE.values())


@needs_module
def test_every_event_is_told_of():
    kinds = set(enumerators("llm_event_type", "LLM_EV_").values()) - {0}
    relayed = {llmclient.EventType.RAW, llmclient.EventType.HEAD}  # of what this module does not ask for
    assert kinds - relayed == set(sys.modules["llmclient._reading"].ALL)


def ctype_of(text):
    """The ctypes type of a type in the header, as the module has it."""
    words = text.replace("const", "").split()
    kind = " ".join(words).replace(" *", "*")
    simple = {"void": None, "int": ctypes.c_int, "int64_t": ctypes.c_int64, "uint32_t": ctypes.c_uint32,
              "size_t": ctypes.c_size_t, "double": ctypes.c_double, "char*": ctypes.c_char_p, "llm_event_type": ctypes.c_int,
              "size_t*": ctypes.POINTER(ctypes.c_size_t), "float*": ctypes.POINTER(ctypes.c_float),
              "llm_options*": ctypes.POINTER(c_module().Options), "llm_event**": ctypes.POINTER(ctypes.c_void_p),
              "void*": ctypes.c_void_p}
    return simple[kind] if kind in simple else ctypes.c_void_p if re.fullmatch(r"llm_\w+\*", kind) else kind


def declarations():
    found = {}
    for returned, name, taken in re.findall(r"LLM_API ([\w *]+?)(\bllm_\w+)\(([^()]*)\)", header()):
        params = [] if taken.strip() == "void" else [re.sub(r"\w+\s*$", "", one) if "*" in one or " " in one.strip() else one
                                                     for one in taken.split(",")]
        found[name] = (ctype_of(returned), *map(ctype_of, params))
    return found


# a text, or a piece of one, with its length
AS_BYTES = {("llm_event_text", 0): ctypes.c_void_p, ("llm_event_detail", 0): ctypes.c_void_p,
            ("llm_request_attach", 4): ctypes.c_char_p, ("llm_request_input_image", 3): ctypes.c_char_p}


@needs_module
def test_prototypes():
    declared = declarations()
    assert len(declared) > 130
    for name, prototype in c_module().PROTOTYPES.items():
        wanted = [AS_BYTES.get((name, i), kind) for i, kind in enumerate(declared[name])]
        assert list(prototype) == wanted, name
    used = "".join(path.read_text() for path in (PACKAGE / "src/llmclient").glob("*.py"))
    assert [name for name in c_module().PROTOTYPES if f"lib.{name}" not in used] == []


@needs_module
def test_the_struct_is_the_compilers(tmp_path):
    options = c_module().Options
    names = [name for name, _ in options._fields_]
    in_header = re.findall(r"(\w+);", re.search(r"struct llm_options \{(.*?)\}", header())[1])
    assert names == in_header
    (tmp_path / "a.c").write_text(
        "#include <llmclient.h>\n#include <stdio.h>\nint main(void)\n{\nllm_options o = LLM_OPTIONS_INIT;\n"
        + "".join(f'printf("%zu %zu %lld\\n", offsetof(llm_options, {name}), sizeof o.{name}, (long long)o.{name});\n'
                  for name in names) +
        'printf("%zu %zu %zu\\n", sizeof o, sizeof(llm_code), sizeof(llm_event_type));\nreturn 0;\n}\n')
    subprocess.run(["cc", "-w", "-I", HEADER.parent, "-o", tmp_path / "a", tmp_path / "a.c"], check=True)
    *lines, sizes = subprocess.run([tmp_path / "a"], check=True, capture_output=True, text=True).stdout.splitlines()
    made = options()
    assert [tuple(map(int, line.split())) for line in lines] == [
        (getattr(options, name).offset, getattr(options, name).size, getattr(made, name) or 0) for name in names]
    assert tuple(map(int, sizes.split())) == (ctypes.sizeof(options), ctypes.sizeof(ctypes.c_int), ctypes.sizeof(ctypes.c_int))


@needs_module
def test_versions():
    made = re.search(r"^VERSION := (\S+)$", (harness.TOP / "Makefile").read_text(), re.M)[1]
    assert llmclient.__version__ == llmclient.library_version() == made


# ---- the module by itself


@needs_module
def test_the_clients_are_alike():
    """Each method of the one is one of the other, with the same parameters."""
    for one, other in ((llmclient.Client, llmclient.AsyncClient), (llmclient.Stream, llmclient.AsyncStream)):
        def methods(kind):
            return {name: [(p.name, p.default) for p in inspect.signature(value).parameters.values()]
                    for name, value in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
        assert methods(one) == {name.removeprefix("a") if name == "aclose" else name: params
                                for name, params in methods(other).items()}
        assert inspect.signature(one) is not None and all(inspect.getdoc(getattr(one, name)) for name in methods(one))
    named = inspect.signature(llmclient.Client.chat).parameters
    shared = [line.split(":")[0] for line in sys.modules["llmclient._requests"].SHARED.splitlines()]
    for method in ("chat", "stream", "count", "embed", "rerank", "moderate"):
        assert set(shared) <= set(inspect.signature(getattr(llmclient.Client, method)).parameters)
    assert list(named)[:3] == ["self", "messages", "model"] and named["model"].kind is inspect.Parameter.KEYWORD_ONLY


@needs_module
def test_all_that_is_public_is_there():
    assert sorted(llmclient.__all__) == llmclient.__all__ and len(set(llmclient.__all__)) == len(llmclient.__all__)
    assert all(hasattr(llmclient, name) for name in llmclient.__all__)


def python(code, **env):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=harness.CALL_SECONDS,
                          env={**CLEAN, **python_module.env(), **env})


def test_a_library_that_is_none(tmp_path):
    (tmp_path / "x.so").write_text("none")
    done = python("import llmclient", LLMCLIENT_LIBRARY=str(tmp_path / "x.so"), LD_PRELOAD="")
    assert done.returncode == 1 and "ImportError: the C library libllmclient.so.1 of llm-broker cannot be loaded" in done.stderr


def test_a_library_that_is_older(tmp_path):
    (tmp_path / "a.c").write_text("int llm_version_number(void) { return 1; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "x.so", tmp_path / "a.c"], check=True)
    done = python("import llmclient", LLMCLIENT_LIBRARY=str(tmp_path / "x.so"), LD_PRELOAD="")
    assert done.returncode == 1 and "x.so is older than this module: it has no llm_version()" in done.stderr


def test_it_is_found_by_its_name():
    if not python_module.is_loadable():
        pytest.skip("the library is one with a sanitizer")
    done = python("import llmclient; print(llmclient.library_version())", LLMCLIENT_LIBRARY="",
                  LD_LIBRARY_PATH=str(python_module.library().parent))
    assert done.returncode == 0 and done.stdout.strip() == llmclient.__version__, done.stderr


def test_types():
    if not importlib.util.find_spec("mypy"):
        pytest.skip("there is no mypy: packaging/deps.sh --ci installs it")
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, PACKAGE / "src/llmclient",
                           *sorted((harness.TOP / "libllmclient/examples").glob("*.py"))],
                          capture_output=True, text=True, env={**CLEAN, "MYPYPATH": str(PACKAGE / "src")}, timeout=250)
    assert done.returncode == 0, done.stdout


# ---- how it is had


def imported(folder, work):
    """What a Python says that finds the module there alone."""
    if not python_module.is_loadable():
        pytest.skip("the library is one with a sanitizer")
    env = {**CLEAN, **python_module.named(), "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", "import importlib.metadata, llmclient, pathlib\n"
                           "print(llmclient.__file__, importlib.metadata.version('llmclient'))\n"
                           "print(pathlib.Path(llmclient.__file__).with_name('py.typed').exists())"],
                          capture_output=True, text=True, env=env, cwd=work)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_wheel(tmp_path):
    missing = [name for name in ("pip", "setuptools", "wheel") if not importlib.util.find_spec(name)]
    if missing:
        pytest.skip(f"there is no {' '.join(missing)}: packaging/deps.sh --ci installs them")
    tree = shutil.copytree(PACKAGE, tmp_path / "tree", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-build-isolation", "--no-deps",
                    "--no-index", "-w", tmp_path, tree], check=True, capture_output=True, env=CLEAN, timeout=50)
    (wheel,) = tmp_path.glob("*.whl")
    version = re.search(r'__version__ = "(.*)"', (PACKAGE / "src/llmclient/__init__.py").read_text())[1]
    assert wheel.name == f"llmclient-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        file.extractall(tmp_path / "site")
    sources = {f"llmclient/{path.name}" for path in (PACKAGE / "src/llmclient").iterdir() if path.is_file()}
    assert {name for name in names if name.startswith("llmclient/")} == sources
    where, found, is_typed = imported(tmp_path / "site", tmp_path)
    assert where == str(tmp_path / "site/llmclient/__init__.py") and (found, is_typed) == (version, "True")


def test_make_install_python(tmp_path):
    subprocess.run(["make", "-C", harness.TOP, f"B={tmp_path}/b", "install-python", f"DESTDIR={tmp_path}/d", "PYTHONDIR=/usr/py"],
                   check=True, capture_output=True, env=CLEAN)
    site = tmp_path / "d/usr/py"
    files = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    assert {one for one in files if one.parts[0] == "llmclient"} == {
        pathlib.Path("llmclient", path.name) for path in (PACKAGE / "src/llmclient").iterdir() if path.is_file()}
    assert {oct(path.stat().st_mode & 0o777) for path in site.rglob("*") if path.is_file()} == {"0o644"}
    where, found, is_typed = imported(site, tmp_path)
    assert where == str(site / "llmclient/__init__.py") and is_typed == "True"
    assert [one.version for one in importlib.metadata.distributions(name="llmclient", path=[str(site)])] == [found]


# ---- with AddressSanitizer in the library


@pytest.mark.skipif(python_module.flavour() != "asan" or python_module.is_loadable(), reason="the library has no AddressSanitizer")
@pytest.mark.parametrize("part", range(8))
def test_all_calls_with_the_sanitizer(part):
    """In eight parts, for each has the time of one test."""
    collected = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only",
                                harness.TOP / "tests/e2e/test_python.py"], capture_output=True, text=True)
    tests = [line for line in collected.stdout.splitlines() if "::" in line]
    assert len(tests) > 60, collected
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", *tests[part::8]],
                          capture_output=True, text=True, cwd=harness.TOP, env={**os.environ, **python_module.env()})
    assert done.returncode == 0 and " skipped" not in done.stdout, done.stdout + done.stderr
    assert not any(word in done.stdout + done.stderr for word in harness.SANITIZER)
