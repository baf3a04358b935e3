"""test_identity.py - does the daemon know who calls, and is nobody taken for the host who is not?

The matrix of SECURITY's T-92 as far as it can run here; what a container engine, a snap or a service manager would
add is in the unit tests, by its cgroup and its label."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import harness
import pytest

WHO = str(harness.TOP / "tests/lib/who.py")
PYTHON = "/usr/bin/python3"
NOBODY = 65534
OTHER = 1003

is_root = os.geteuid() == 0
needs_root = pytest.mark.skipif(not is_root, reason="other users can only be made by root")


def bwrap_works():
    if not shutil.which("bwrap"):
        return False
    return subprocess.run(["bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"],
                          stderr=subprocess.DEVNULL).returncode == 0


needs_bwrap = pytest.mark.skipif(not bwrap_works(), reason="this machine lets nobody make sandboxes")


@pytest.fixture(params=["", "old_kernel"])
def made(broker, request):
    """On this kernel, and on one that has no handle of a socket's peer (before 6.5)."""
    return broker(wrap=[harness.wrap(request.param)] if request.param else None)


def who(made, *before, trick="", socket=None, env=None):
    """What a process that begins so is taken for."""
    done = subprocess.run([*before, PYTHON, WHO, str(socket or made.socket), *([trick] if trick else [])],
                          env={**made.env, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=harness.CALL_SECONDS, cwd="/")
    assert done.stdout, done
    return json.loads(done.stdout)


def sandbox(made, *options):
    """bubblewrap with the file system as it is, but for what the options say."""
    return ["bwrap", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", *options, "--"]


def as_user(uid):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


# ---- in the open ----

def test_a_program_of_the_host(made):
    seen = who(made)
    assert (seen["kind"], seen["confidence"], seen["claim"]) == ("host", "proc", False)
    assert seen["name"].startswith("python3") and seen["uid"] == os.geteuid() and seen["socket"] == "main"
    assert seen["app"] == "who.py"


def test_one_that_hides_is_unknown(made):
    """The broker may be root, who can look at everything: then it is known all the same."""
    seen = who(made, trick="undumpable")
    if is_root:
        assert seen["kind"] == "host", seen
    else:
        assert seen["fault"] == "denied" and "does not let itself be looked at" in seen["message"], seen


@needs_root
def test_one_that_hides_from_its_own_user(broker, tmp_path):
    made = as_other(broker)
    seen = who(made, *as_user(OTHER), trick="undumpable")
    assert seen["fault"] == "denied" and "does not let itself be looked at" in seen["message"], seen
    assert who(made, *as_user(OTHER))["kind"] == "host"


def as_other(broker):
    """A broker of another user, for all that root may do and others not."""
    made = broker(run=False, wrap=as_user(OTHER))
    for path in (made.folder, *made.folder.rglob("*")):
        os.chown(path, OTHER, OTHER)
    return made.start()


@needs_root
def test_another_user_is_refused_though_the_socket_is_open(made):
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)
    seen = who(made, *as_user(NOBODY))
    assert seen["fault"] == "denied" and f"you are uid {NOBODY}" in seen["message"]


@needs_root
def test_a_rule_lets_another_user_in(broker):
    made = broker(harness.section("policy", "guest", {"user": NOBODY, "kind": "host"}))
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)
    seen = who(made, *as_user(NOBODY))
    assert (seen["kind"], seen["uid"]) == ("host", NOBODY), seen


# ---- sandboxes ----

@needs_bwrap
@pytest.mark.parametrize("options", [
    [], ["--unshare-pid"], ["--unshare-user"], ["--unshare-user", "--unshare-pid"],
    ["--unshare-all"], ["--unshare-all", "--uid", "0"], ["--unshare-all", "--proc", "/proc"]],
    ids=lambda o: "+".join(word.lstrip("-") for word in o) or "mounts")
def test_a_sandbox_is_none_of_the_host(made, options):
    seen = who(made, *sandbox(made, *options))
    assert (seen["kind"], seen["name"], seen["claim"]) == ("sandbox", "", False), seen
    assert seen["uid"] == os.geteuid(), "translated"


@needs_root
@needs_bwrap
@pytest.mark.parametrize("options", [["--unshare-user"], ["--unshare-all", "--uid", "0"]], ids=["user", "root-inside"])
def test_a_sandbox_of_an_ordinary_user(broker, options):
    made = as_other(broker)
    seen = who(made, *as_user(OTHER), *sandbox(made, *options))
    assert (seen["kind"], seen["uid"]) == ("sandbox", OTHER), seen


@needs_root
def test_root_inside_of_a_user_namespace_is_the_user_outside(broker):
    made = as_other(broker)
    seen = who(made, *as_user(OTHER), "unshare", "--user", "--map-root-user")
    assert (seen["kind"], seen["uid"]) == ("sandbox", OTHER), seen


@needs_root
def test_mounts_of_its_own_alone(made):
    assert who(made, "unshare", "--mount")["kind"] == "sandbox"


@needs_root
def test_another_root_folder(made, tmp_path):
    """Namespaces like ours, and another root: chroot."""
    root = made.folder / "root"
    root.mkdir()
    subprocess.run(["mount", "--rbind", "/", str(root)], check=True)
    try:
        assert who(made, "/usr/sbin/chroot", str(root))["kind"] == "sandbox"
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", str(root)], check=True)


FLATPAK = """[Application]
name=org.example.Fake
runtime=runtime/org.gnome.Platform/x86_64/45

[Instance]
instance-id=12345
"""


def with_claim(made, text):
    path = made.folder / "claim"
    path.write_text(text)
    return sandbox(made, "--unshare-all", "--ro-bind", str(path), "/.flatpak-info")


@pytest.fixture
def room_for_claims():
    """The file a claim is bound to: with the root mounted as it is there must be one."""
    path = pathlib.Path("/.flatpak-info")
    is_new = not path.exists()
    if is_new:
        path.touch()
    yield
    if is_new:
        path.unlink()


@needs_root
@needs_bwrap
def test_what_a_sandbox_says_of_itself_is_a_claim(made, room_for_claims):
    seen = who(made, *with_claim(made, FLATPAK))
    if seen["kind"] == "sandbox":
        pytest.skip("the root's file system is none that may be read without waiting for it")
    assert (seen["kind"], seen["name"], seen["instance"]) == ("flatpak", "org.example.Fake", "12345")
    assert seen["claim"] is True


@needs_root
@needs_bwrap
@pytest.mark.parametrize("text", ["", "[Application]\nname=../../etc\n", "name=org.example.NoSection\n",
                                  "[Application]\nname=" + "x" * 300 + "\n", "x" * 70_000],
                         ids=["empty", "path", "no-section", "long-name", "long"])
def test_a_claim_that_makes_no_sense_is_nobody(made, room_for_claims, text):
    seen = who(made, *with_claim(made, text))
    assert seen.get("kind") == "sandbox" or seen["fault"] == "denied", seen


@needs_root
@needs_bwrap
def test_a_claim_that_keeps_its_reader_waiting(made, room_for_claims):
    pipe = made.folder / "pipe"
    os.mkfifo(pipe)
    seen = who(made, *sandbox(made, "--unshare-all", "--bind", str(pipe), "/.flatpak-info"))
    assert seen.get("kind") == "sandbox" or seen["fault"] == "denied", seen
    assert who(made)["kind"] == "host", "and the daemon goes on"


LEASED = """
import fcntl, os, signal, socket, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
claim = os.open("/.flatpak-info", os.O_RDWR)
fcntl.fcntl(claim, fcntl.F_SETLEASE, fcntl.F_WRLCK)
client = socket.socket(socket.AF_UNIX)
client.connect("/broker/sock")
print("connected", flush=True)
sys.stdin.readline()
"""


@needs_bwrap
def test_a_claim_that_is_leased(made):
    """Who opens it waits until its holder lets go, which may be 45 s."""
    claim = made.folder / "claim"
    claim.write_text(FLATPAK)
    with open(claim) as text:
        inside = ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink",
                  "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--bind", str(made.folder), "/broker",
                  "--file", str(text.fileno()), "/.flatpak-info", "--", PYTHON, "-c", LEASED]
        process = subprocess.Popen(inside, env=made.env, pass_fds=[text.fileno()], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "connected\n"
    begun = time.monotonic()
    assert who(made)["kind"] == "host"
    assert time.monotonic() - begun < 5 * harness.SLOWER, "the daemon goes on"
    process.communicate("\n", timeout=harness.CALL_SECONDS)


# ---- who was there, and is gone ----

def test_a_descriptor_that_is_passed_on_is_still_its_first_owner_s(made):
    assert who(made, trick="passed")["kind"] == "host"


def stopped(made):
    os.kill(made.pid, signal.SIGSTOP)
    harness.wait_until(lambda: " T " in pathlib.Path(f"/proc/{made.pid}/stat").read_text(), 5, "it stops")


def orphan(made, trick="orphaned", before=()):
    """A process that connects while the daemon sleeps, and ends; its child has the connection."""
    stopped(made)
    process = subprocess.Popen([*before, PYTHON, WHO, str(made.socket), trick], env=made.env, cwd="/",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    gone = json.loads(process.stdout.readline())["ready"]
    harness.wait_until(lambda: not is_there(gone), 5, "it is reaped")
    return process, gone


def is_there(pid):
    return os.path.exists(f"/proc/{pid}")


def what_orphan_is(made, process):
    os.kill(made.pid, signal.SIGCONT)
    out, _ = process.communicate("\n", timeout=harness.CALL_SECONDS)
    return json.loads(out)


def test_who_is_gone_before_he_is_looked_at_is_unknown(made):
    process, _ = orphan(made)
    seen = what_orphan_is(made, process)
    assert seen["fault"] == "denied", seen


def heir_of(pid):
    """A process that has that number now; None where another was quicker again and again."""
    for _ in range(100):
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write(str(pid - 1))
        process = subprocess.Popen(["sleep", "60"])
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    return None


@needs_root
@needs_bwrap
@pytest.mark.parametrize("trick", ["orphaned", "spoken"])
@pytest.mark.parametrize("place", ["host", "users", "network"])
def test_a_pid_that_is_another_s_by_now(made, trick, place):
    """Whether it had said something before it went, or not; and from a sandbox, to which its heir does not belong."""
    before = {"host": [], "users": sandbox(made, "--unshare-user"),
              "network": sandbox(made, "--unshare-user", "--unshare-net")}[place]
    process, gone = orphan(made, trick, before)
    heir = heir_of(gone)
    try:
        seen = what_orphan_is(made, process)
        if heir is None:
            pytest.skip("others took the number")
        assert seen["fault"] == "denied", seen
    finally:
        if heir:
            heir.kill()
            heir.wait()


def test_who_becomes_another_program_is_who_connected(made):
    """The identity is pinned: what the process is now does not count."""
    code = (f"import os, socket, time\n"
            f"s = socket.socket(socket.AF_UNIX); s.connect({str(made.socket)!r}); s.set_inheritable(True)\n"
            f"time.sleep(0.5)\n"
            f"os.environ['LLM_BROKER_FD'] = str(s.fileno())\n"
            f"os.execv({harness.program('llmb')!r}, ['llmb', 'whoami', '--json'])\n")
    done = subprocess.run([PYTHON, "-c", code], env=made.env, capture_output=True, timeout=harness.CALL_SECONDS)
    seen = json.loads(done.stdout)["peer"]
    assert seen["kind"] == "host" and seen["name"].startswith("python3"), done
