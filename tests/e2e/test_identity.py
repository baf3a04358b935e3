"""test_identity.py - does the daemon know who calls, and is nobody taken for the host who is not?

The matrix of SECURITY's T-92 as far as it can run here; what a container engine, a snap or a service manager would
add is in the unit tests, by its cgroup and its label."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import harness
import pytest
from wire import CALL, END, FAULT, HELLO, WireClient, frame_bytes

WHO = str(harness.TOP / "tests/lib/who.py")
PYTHON = "/usr/bin/python3"
NOBODY = 65534
OTHER = 1003
GREETING = frame_bytes(HELLO, 0, {"min": 1, "max": 1, "client": "test", "app": "test"})

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
def test_whom_a_damaged_configuration_lets_in_is_not_known(broker):
    made = broker(harness.section("policy", "guest", {"user": NOBODY, "kind": "host"}) + "nonsense\n")
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)
    seen = who(made, *as_user(NOBODY))
    assert seen["fault"] == "misconfigured" and "configuration is damaged" in seen["message"], seen
    assert "nonsense" not in seen["message"]


@needs_root
def test_a_rule_lets_another_user_in(broker):
    made = broker(harness.section("policy", "guest", {"user": NOBODY, "kind": "host"}))
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)
    seen = who(made, *as_user(NOBODY))
    assert (seen["kind"], seen["uid"]) == ("host", NOBODY), seen


CROWD = """
import contextlib, sys
from wire import HELLO, FAULT, WELCOME, WireClient
held = []
for _ in range(int(sys.argv[2])):
    one = WireClient(sys.argv[1], timeout=60)
    with contextlib.suppress(BrokenPipeError):  # who is refused is told so before he says a word
        one.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "crowd"})
    frame = one.recv_until(WELCOME, FAULT)[-1]
    if frame.type == FAULT:
        print(len(held), frame.body["class"], frame.body["message"], flush=True)
        break
    held.append(one)
else:
    print(len(held), flush=True)
sys.stdin.read()
"""


@needs_root
def test_a_user_has_no_more_than_half_of_the_descriptors(broker):
    """Of all that his programs hold together: others find room, and he again when he lets go."""
    made = broker("".join(harness.section("policy", f"guest{uid}", {"user": uid, "kind": "host"})
                          for uid in (NOBODY, OTHER)), wrap=["prlimit", "--nofile=200:200", "--"])
    made.folder.chmod(0o755)
    made.socket.chmod(0o666)

    def crowd(uid, n):
        process = subprocess.Popen([*as_user(uid), PYTHON, "-c", CROWD, str(made.socket), str(n)], cwd="/",
                                   env={**made.env, "PYTHONPATH": str(harness.TOP / "tests/lib"),
                                        "PYTHONDONTWRITEBYTECODE": "1"},
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline().split(maxsplit=2)

    first, said = crowd(NOBODY, 60)
    second, more = crowd(NOBODY, 60)
    other, others = crowd(OTHER, 30)
    try:
        assert said == ["60"]
        assert more[:2] == ["40", "overloaded"] and more[2].startswith("100 connections of your programs"), more
        assert others == ["30"]
    finally:
        for process in (first, second, other):
            process.communicate(timeout=harness.CALL_SECONDS)
    harness.wait_until(lambda: who(made, *as_user(NOBODY)).get("uid") == NOBODY, 20, "there is room again")


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


def beside(*options):
    """bubblewrap with all that is in the root, but in a root of its own: there a file can be laid beside it."""
    inside = ["bwrap", "--unshare-all", "--dev-bind", "/dev", "/dev"]
    for entry in sorted(pathlib.Path("/").iterdir()):
        if entry.is_symlink():
            inside += ["--symlink", os.readlink(entry), str(entry)]
        elif entry.is_dir() and entry.name not in ("dev", "lost+found"):
            inside += ["--ro-bind", str(entry), str(entry)]
    return [*inside, *options, "--"]


def with_claim(made, text):
    path = made.folder / "claim"
    path.write_text(text)
    return beside("--ro-bind", str(path), "/.flatpak-info")


@needs_root
@needs_bwrap
def test_what_a_sandbox_says_of_itself_is_a_claim(made):
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
def test_a_claim_that_makes_no_sense_is_nobody(made, text):
    seen = who(made, *with_claim(made, text))
    assert seen.get("kind") == "sandbox" or seen["fault"] == "denied", seen


@needs_root
@needs_bwrap
def test_a_claim_that_keeps_its_reader_waiting(made):
    pipe = made.folder / "pipe"
    os.mkfifo(pipe)
    seen = who(made, *beside("--bind", str(pipe), "/.flatpak-info"))
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


# ---- who serves, as a caller sees it ----

LISTENER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen()
print(flush=True)
sys.stdin.readline()
"""


def status(socket, *before):
    return subprocess.run([*as_user(OTHER), *before, harness.program("llmb"), "whoami", "--json"], capture_output=True, text=True,
                          cwd="/", env={"LLM_BROKER_SOCKET": str(socket)}, timeout=harness.CALL_SECONDS)


@pytest.fixture
def closed_folder():
    """One that only root can have put where it is, which cannot be said of those in /tmp."""
    with tempfile.TemporaryDirectory(prefix="llmb-", dir="/run") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder


MAY_ASK = harness.section("policy", "guest", {"user": OTHER, "kind": "sandbox", "operation": "use"})
WITHOUT_ROOT = ["unshare", "--user", "--map-current-user"]


def is_distrusted(socket):
    done = status(socket, *WITHOUT_ROOT)
    return done.returncode == 4 and "not trusted" in done.stderr


@needs_root
def test_where_root_has_no_number_its_broker_is_trusted(broker, closed_folder):
    """Unless somebody else could have put the socket there."""
    made = broker(MAY_ASK, run=False)
    folder = closed_folder / "above/broker"
    folder.mkdir(parents=True)
    made.socket = folder / "sock"
    made.start()
    made.socket.chmod(0o666)
    done = status(made.socket, *WITHOUT_ROOT)
    assert done.returncode == 0 and json.loads(done.stdout)["peer"]["kind"] == "sandbox", done
    for each in (folder, folder.parent):
        for mode in (0o775, 0o1777):
            each.chmod(mode)
            assert is_distrusted(made.socket), (each, mode)
        each.chmod(0o755)
    os.chown(folder, OTHER, OTHER)
    assert is_distrusted(made.socket)


@needs_root
def test_nor_is_it_by_a_link(broker, closed_folder):
    """Which points there, and may point elsewhere in a moment."""
    made = broker(MAY_ASK, run=False)
    folder = closed_folder / "broker"
    folder.mkdir()
    made.socket = folder / "sock"
    made.start()
    made.socket.chmod(0o666)
    (closed_folder / "link").symlink_to(folder)
    assert status(made.socket, *WITHOUT_ROOT).returncode == 0
    assert is_distrusted(closed_folder / "link/sock")


@needs_root
def test_in_the_open_nobody_is_a_user_like_any_other(broker):
    """Who is called so has that number, and is none of those who have none."""
    folder = broker(run=False).folder
    os.chown(folder, NOBODY, NOBODY)
    folder.chmod(0o755)
    listener = subprocess.Popen([*as_user(NOBODY), PYTHON, "-c", LISTENER, str(folder / "sock")], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
    listener.stdout.readline()
    done = status(folder / "sock")
    listener.communicate(b"\n", timeout=harness.CALL_SECONDS)
    assert done.returncode == 4 and f"user {NOBODY}" in done.stderr and "not trusted" in done.stderr, done


# ---- a broker of its own user, on a kernel that has no handle of a socket's peer ----

GUEST = {"user": NOBODY, "kind": ["host", "service", "sandbox"]}


LISTENS = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen(4096)
os.dup2(os.dup(listener.fileno()), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def system(broker):
    """As the system has it, with a socket that root has made: it may not look at the descriptors of those who call, nor
    into their namespaces."""
    made = broker(harness.section("policy", "guest", GUEST), run=False)
    made.wrap = [PYTHON, "-c", LISTENS, str(made.socket), *as_user(OTHER), harness.wrap("old_kernel")]
    for path in (made.folder, *made.folder.rglob("*")):
        os.chown(path, OTHER, OTHER)
    made.folder.chmod(0o755)
    return made.start()


def seen_kinds(made):
    """Who has been here, as root is told."""
    done = made.llmb("app", "list", "--json")
    assert done.code == 0, done
    return {(one["peer"]["uid"], one["peer"]["kind"]): one for one in json.loads(done.out)["seen"]}


@needs_root
@pytest.mark.parametrize("uid", [0, NOBODY])
def test_a_later_word_shows_who_calls(system, uid):
    who(system, *as_user(uid))
    before = len(os.listdir(f"/proc/{system.pid}/fd"))
    for _ in range(50):
        seen = who(system, *as_user(uid))
        assert (seen["kind"], seen["confidence"], seen["uid"], seen["app"]) == ("host", "proc", uid, "who.py"), seen
    harness.wait_until(lambda: len(os.listdir(f"/proc/{system.pid}/fd")) <= before, 20, "nothing is left open")
    harness.wait_until(lambda: seen_kinds(system)[uid, "host"]["connections"] == (uid == 0), 20,
                       lambda: seen_kinds(system))  # the one that asks is root's
    assert (uid, "unknown") not in seen_kinds(system)


@needs_root
def test_a_program_with_the_library_is_known(system):
    for _ in range(50):
        done = subprocess.run([*as_user(NOBODY), harness.program("llmb"), "whoami", "--json"], capture_output=True,
                              cwd="/", timeout=harness.CALL_SECONDS, env=system.client_env({"HOME": "/nonexistent"}))
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["peer"]["kind"] == "host", done


@pytest.fixture
def service():
    """A group of processes that looks like a unit of the system's."""
    for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd"):
        folder = pathlib.Path(top, "system.slice", "llmb-test.service")
        if not pathlib.Path(top, "cgroup.procs").exists():
            continue
        is_new = not folder.parent.exists()
        try:
            folder.mkdir(parents=True)
        except OSError:
            continue
        yield folder
        folder.rmdir()
        if is_new:
            folder.parent.rmdir()
        return
    pytest.skip("no groups of processes can be made here")


@needs_root
def test_a_later_word_shows_a_service(system, service):
    inside = ["/bin/sh", "-c", f'echo $$ >{service}/cgroup.procs && exec "$@"', "sh", *as_user(NOBODY)]
    seen = who(system, *inside)
    assert (seen["kind"], seen["name"], seen["confidence"]) == ("service", "llmb-test.service", "cgroup"), seen


@needs_root
@needs_bwrap
@pytest.mark.parametrize("options", [[], ["--unshare-user"], ["--unshare-user", "--unshare-pid"],
                                     ["--unshare-all", "--uid", "0"]],
                         ids=lambda o: "+".join(word.lstrip("-") for word in o) or "mounts")
def test_a_later_word_of_a_sandbox_is_a_sandbox_s(system, options):
    seen = who(system, *as_user(NOBODY), *sandbox(system, *options))
    assert (seen["kind"], seen["uid"]) == ("sandbox", NOBODY), seen


@needs_root
def test_who_goes_into_a_sandbox_later_is_who_connected(system):
    assert who(system, *as_user(NOBODY), trick="boxed")["kind"] == "host"


@needs_root
@pytest.mark.parametrize("trick", ["early", "split"])
def test_what_was_asked_before_the_welcome_is_nobody_s(system, trick):
    """It may have been said before the process was looked at, by one that had its number then."""
    process, _ = early(system, trick, as_user(NOBODY))
    seen = what_orphan_is(system, process)
    assert seen["fault"] == "denied", seen
    assert trick == "split" or "wait for the welcome" in seen["message"], seen
    assert (NOBODY, "host") not in seen_kinds(system)


@needs_root
def test_who_asked_too_early_may_ask_again(system):
    stopped(system)
    with WireClient(system.socket) as client:
        for number in (1, 2):
            say = frame_bytes(CALL, number, {"kind": "admin", "op": "whoami", "credit": 1 << 20, "body": b"{}"})
            client.send_raw(GREETING * (number == 1) + say)
            os.kill(system.pid, signal.SIGCONT)
            assert client.recv_until(END, FAULT)[-1].type == (FAULT if number == 1 else END)


def early(made, trick, before=()):
    """A process that has said all before the daemon looks."""
    stopped(made)
    process = subprocess.Popen([*before, PYTHON, WHO, str(made.socket), trick], env=made.env, cwd="/",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())["ready"]


@needs_root
@pytest.mark.parametrize("uid", [0, NOBODY])
def test_a_later_word_of_another_is_nobody_s(system, uid):
    """Who connected lives on, and says nothing; his child has the connection."""
    seen = who(system, *as_user(uid), trick="passed")
    assert seen["fault"] == "denied", seen


@needs_root
@needs_bwrap
@pytest.mark.parametrize("trick", ["orphaned", "spoken", "asked"])
@pytest.mark.parametrize("place", ["host", "users", "network"])
def test_a_pid_of_another_s_does_not_help(system, trick, place):
    """Nor does it that the one whose number it was has said something before it went."""
    before = {"host": [], "users": sandbox(system, "--unshare-user"),
              "network": sandbox(system, "--unshare-user", "--unshare-net")}[place]
    process, gone = orphan(system, trick, before)
    heir = heir_of(gone)
    try:
        seen = what_orphan_is(system, process)
        if heir is None:
            pytest.skip("others took the number")
        assert seen["fault"] == "denied", seen
        assert (0, "host") not in {who for who, one in seen_kinds(system).items() if one["calls"]}
    finally:
        if heir:
            heir.kill()
            heir.wait()


@needs_root
def test_in_a_race_nobody_is_the_host_who_is_not(system):
    """Without anybody being stopped: what is said early is now before the look, now after it."""
    line = system.folder / "line"
    line.write_text("\n")
    racing, seen = [], {}
    for trick in ["passed", "orphaned", "spoken", "asked", "split", "early", ""] * 6:
        with open(line) as stdin:
            racing.append(subprocess.Popen([*as_user(NOBODY), PYTHON, WHO, str(system.socket), trick], env=system.env,
                                           cwd="/", stdin=stdin, stdout=subprocess.PIPE, text=True))
    for process in racing:
        out, _ = process.communicate(timeout=harness.CALL_SECONDS)
        for said in map(json.loads, out.splitlines()):
            if "ready" not in said:
                seen.setdefault(process.args[-1], []).append(said)
    assert all(one["kind"] == "host" for one in seen[""]), seen[""]
    for trick in ("passed", "orphaned"):
        assert all(one["fault"] == "denied" for one in seen[trick]), seen[trick]
    harness.wait_until(lambda: seen_kinds(system)[NOBODY, "host"]["connections"] == 0, 5, "all have left")
    assert all(one["connections"] == 0 for (uid, _), one in seen_kinds(system).items() if uid == NOBODY)
