"""test_process.py - what may the daemon's process still do, and does it say what the kernel does not give?"""

import json
import os
import pathlib
import subprocess

import harness
import pytest
from programs import needs, needs_release, needs_root

pytestmark = [pytest.mark.security, needs_release]

POISON = {name: "http://127.0.0.1:9" for name in (
    "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "no_proxy")}
FILES = (  # each names a file in the folder of poison, which nobody may open
    "SSLKEYLOGFILE", "CURL_CA_BUNDLE", "CURL_HOME", "CURL_SSL_BACKEND", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "CTLOG_FILE", "RANDFILE", "HOSTALIASES", "LOCPATH",
    "NLSPATH", "GCONV_PATH", "TZDIR", "SQLITE_TMPDIR", "TMPDIR", "KRB5_CONFIG", "GETCONF_DIR", "NIS_PATH")
WORDS = {"RES_OPTIONS": "timeout:30 attempts:5 ndots:15", "LOCALDOMAIN": "evil.example", "LIBEV_FLAGS": "1",
         "OPENSSL_ia32cap": "0", "LC_ALL": "xx_XX", "LANGUAGE": "xx", "TZ": ":/poison", "IFS": "x",
         "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165", "MALLOC_ARENA_MAX": "1",
         "GLIBC_TUNABLES": "glibc.malloc.check=3:glibc.rtld.nns=2", "LD_BIND_NOW": "1", "LD_DEBUG": "files"}


def status(made):
    return json.loads(made.llmb("status", "--json").out)


def findings(made):
    """What the doctor says, by name: (status, fix)."""
    checks = json.loads(made.llmb("doctor", "--json").out)["checks"]
    return {check["name"]: (check["status"], check.get("fix")) for check in checks}


def proc_status(pid, task):
    lines = pathlib.Path(f"/proc/{pid}/task/{task}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_every_thread_is_confined(broker, provider):
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", "sk-any")
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    tasks = os.listdir(f"/proc/{made.pid}/task")
    assert len(tasks) > 1
    for task in tasks:
        fields = proc_status(made.pid, task)
        assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1"), (task, fields)
    assert status(made)["confined"] is True
    assert findings(made)["process"][0] == "ok"
    assert "keys are locked in memory, confined" in made.llmb("status").out
    assert "unconfined" not in made.log()


def test_a_start_meets_few_pages(broker, provider):
    """A fifth of a start's time is pages that are met for the first time; some 1,350 as this is written, a third of them libseccomp's."""
    made = broker(harness.provider_section(provider, model="m"))
    made.wait_log("broker.ready")
    faults = int(pathlib.Path(f"/proc/{made.pid}/stat").read_text().rpartition(")")[2].split()[7])
    assert faults < 1600, "something large is read, cleared or overwritten at start"


@needs_root  # who else traces it, keeps it from starting
@needs("strace")
def test_a_kernel_without_a_filter_is_a_warning(broker, provider, tmp_path):
    made = broker(harness.provider_section(provider, model="m"),
                  wrap=["strace", "-D", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=seccomp,prctl",
                        "-e", "inject=seccomp:error=EINVAL"])
    made.add_key("test", "sk-any")
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    assert status(made)["confined"] is False
    state, fix = findings(made)["process"]
    assert state == "warn" and "CONFIG_SECCOMP_FILTER" in fix
    assert "NOT CONFINED" in made.llmb("status").out
    assert "process.unconfined" in made.log()


@needs("prlimit", "setpriv")
def test_memory_that_cannot_be_locked_is_a_warning(broker, provider):
    wrap = ["prlimit", "--memlock=0"]
    if os.geteuid() == 0:
        wrap += ["setpriv", "--bounding-set=-ipc_lock"]  # with which root has no limit
    made = broker(harness.provider_section(provider, model="m"), wrap=wrap)
    made.add_key("test", "sk-any")
    assert made.llmb("ask", "-m", "test/m", "3 words").code == 0
    assert status(made)["memory_locked"] is False
    state, fix = findings(made)["memory"]
    assert state == "warn" and "LimitMEMLOCK" in fix
    assert "SWAPPED" in made.llmb("status").out
    assert "memory.unlocked" in made.log() and "LimitMEMLOCK" in made.log()


def test_memory_that_can_be_locked_is(broker):
    made = broker()
    assert status(made)["memory_locked"] is True and findings(made)["memory"][0] == "ok"
    assert "memory.unlocked" not in made.log()


@needs("prlimit", "setpriv")
def test_a_soft_limit_is_raised(broker):
    wrap = ["prlimit", "--memlock=0:"]
    if os.geteuid() == 0:
        wrap += ["setpriv", "--bounding-set=-ipc_lock"]
    made = broker(wrap=wrap)
    assert status(made)["memory_locked"] is True


def test_no_variable_is_believed(broker, provider, tmp_path):
    poison = tmp_path / "poison"
    poison.mkdir()
    variables = {**POISON, **WORDS, **{name: str(poison / name) for name in FILES}}
    for name in FILES:
        if name != "SSLKEYLOGFILE":  # which would be made
            (poison / name).write_text("[default\nthis = is no configuration\n")
    assert len(variables) >= 30
    made = broker(harness.provider_section(provider, model="m"), env=variables)
    made.add_key("test", "sk-any")
    done = made.llmb("ask", "-m", "test/m", "3 words")
    assert done.code == 0, done.err
    assert not (poison / "SSLKEYLOGFILE").exists()
    if os.geteuid() == 0:
        assert "anon_inode:[eventpoll]" in made.fds().values()  # not select, as LIBEV_FLAGS says
        # what the loader and the allocator read, they read nothing of
        environ = pathlib.Path(f"/proc/{made.pid}/environ").read_bytes()
        for name in ("MALLOC_", "GLIBC_", "LD_"):
            assert b"\0" + name.encode() not in b"\0" + environ, name


WATCH = """set pagination off
set breakpoint pending on
break getenv
commands
silent
printf "asked for %s\\n", (char *)$rdi
continue
end
break secure_getenv
commands
silent
printf "asked for %s\\n", (char *)$rdi
continue
end
break main
run --version
"""


@needs_root
@needs("gdb")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the script reads a register of this machine")
def test_what_libraries_ask_for_before_main_is_left_behind(broker, tmp_path):
    """With another version of one, or on another machine, they may ask for more: environment.c has the list."""
    (tmp_path / "watch").write_text(WATCH)
    done = subprocess.run(["gdb", "-nx", "-batch", "-x", tmp_path / "watch", harness.program("llm-brokerd")],
                          capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]})
    asked = {line.removeprefix("asked for ") for line in done.stdout.splitlines() if line.startswith("asked for ")}
    assert asked, done
    made = broker(env={name: "1" for name in asked})
    left = pathlib.Path(f"/proc/{made.pid}/environ").read_bytes().split(b"\0")
    assert [name for name in asked if name.encode() + b"=1" in left] == []


def traced_files(trace):
    """What the program opened or asked for after it was started for the last time."""
    lines = trace.read_text(errors="replace").splitlines()
    last = max(i for i, line in enumerate(lines) if " execve(" in line and " = 0" in line)
    assert last > 0, "it was not started again"
    return lines[last + 1:]


@needs_root
@needs("strace", "cc")
def test_no_file_that_a_variable_names_is_opened(broker, provider, tmp_path):
    """Nor a library: the program that was started with one starts itself again without."""
    poison = tmp_path / "poison"
    poison.mkdir()
    (poison / "preload.c").write_text("int llmb_poison(void);\nint llmb_poison(void)\n{\n\treturn 1;\n}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", poison / "preload.so", poison / "preload.c"], check=True)
    variables = {**POISON, **WORDS, **{name: str(poison / name) for name in FILES},
                 "LD_PRELOAD": str(poison / "preload.so"), "LD_LIBRARY_PATH": str(poison)}
    del variables["LD_DEBUG"]
    trace = tmp_path / "trace"
    made = broker(harness.provider_section(provider, model="m"), wrap=[
        "strace", "-D", "-f", "-qq", "-s", "4096", "-o", str(trace), "-e", "trace=%file", "env",
        *(f"{name}={value}" for name, value in variables.items())])
    made.add_key("test", "sk-any")
    done = made.llmb("ask", "-m", "test/m", "3 words")
    assert done.code == 0, done.err
    opened = traced_files(trace)
    assert [line for line in opened if "/libcurl" in line and " = -1" not in line]
    assert [line for line in opened if str(poison) in line] == []


@needs_root
@needs("cc")
def test_no_library_that_a_variable_names_stays(broker, tmp_path):
    source, preload = tmp_path / "preload.c", tmp_path / "preload.so"
    source.write_text("int llmb_poison(void);\nint llmb_poison(void)\n{\n\treturn 1;\n}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", preload, source], check=True)
    made = broker(env={"LD_PRELOAD": str(preload)})
    assert str(preload) not in pathlib.Path(f"/proc/{made.pid}/maps").read_text()
    assert pathlib.Path(f"/proc/{made.pid}/comm").read_text() == "llm-brokerd\n"
