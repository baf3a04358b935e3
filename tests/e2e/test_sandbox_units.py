"""test_sandbox_units.py - do the units of packaging/sandbox hold, for a snap's own socket and for a service of another user?

systemd reads them; their sockets are made and handed over here as they say."""

import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess

import harness
import pytest
import recipes
from programs import needs
from surfaces import FAMILIES, dialects
from test_identity import OTHER, PYTHON, as_user, closed_folder, needs_root  # noqa: F401
from test_install import install

CHAT = FAMILIES["chat"]
THIRD = 1004


def template(kind):
    """The unit of applications' sockets, for the system or for a user."""
    return (harness.TOP / "packaging/systemd" / kind / "llm-broker-app@.socket").read_text()


def settings(*texts):
    """The sections of a unit and its drop-ins: {"Socket": {"ListenStream": [...]}}. An empty one takes back what was said."""
    found, section = {}, None
    for line in (line.strip() for text in texts for line in text.splitlines()):
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and line[0] not in "#;":
            key, value = line.split("=", 1)
            section.setdefault(key, []).append(value)
            if not value:
                section[key] = []
    return found


def expanded(text, runtime, instance="notes"):
    return text.replace("%t", str(runtime)).replace("%i", instance)


def made_socket(unit, runtime, users):
    """Makes it as systemd would: (its name, the listening socket, its path)."""
    (path,) = [pathlib.Path(expanded(one, runtime)) for one in unit["ListenStream"]]
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(int(unit["DirectoryMode"][-1], 8))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    path.chmod(int(unit["SocketMode"][-1], 8))
    owner, group = (users.get(expanded((unit.get(key) or [""])[-1], runtime), -1) for key in ("SocketUser", "SocketGroup"))
    os.chown(path, owner, group)
    listening.listen()
    return expanded(unit["FileDescriptorName"][-1], runtime), listening, path


HAND_OVER = """
import os, sys
fds = [os.dup(int(fd)) for fd in sys.argv[2].split(",")]
for i, fd in enumerate(fds):
    os.dup2(fd, 40 + i)
for i in range(len(fds)):
    os.dup2(40 + i, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[1])
os.execv(sys.argv[3], sys.argv[3:])
"""


def start(made, sockets):
    """The daemon with sockets that are there already: [(name, socket)]."""
    fds = [one.fileno() for _, one in sockets]
    made.wrap = [PYTHON, "-c", HAND_OVER, ":".join(name for name, _ in sockets), ",".join(map(str, fds))]
    command = [*made.wrap, harness.program("llm-brokerd"), "--config", str(made.config_file), "--state-dir", str(made.state_dir)]
    with open(made.log_file, "ab") as log:
        made.process = subprocess.Popen(command, env=made.env, cwd=made.folder, stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log, start_new_session=True, pass_fds=fds)
    made.wait_ready()
    for _, one in sockets:
        one.close()


def config(provider):
    return '[model "default"]\ntarget = test/m\n' + harness.provider_section(provider, "test", dialect=dialects())


def main_socket(made):
    made.socket.parent.mkdir(parents=True, exist_ok=True)
    main = socket.socket(socket.AF_UNIX)
    main.bind(str(made.socket))
    main.listen()
    return "llm-broker.socket", main


# ---- systemd ----

def verified(tmp_path, kind, drop_in, *units):
    """What systemd says of the socket with its drop-in, and of units that are told beside it."""
    installed = tmp_path / "installed"
    install(installed, "/usr")
    folder = tmp_path / "units"
    folder.mkdir()
    (folder / "llm-broker-app@notes.socket").write_text(template(kind))
    (folder / "llm-broker-app@notes.socket.d").mkdir()
    (folder / "llm-broker-app@notes.socket.d/drop-in.conf").write_text(drop_in)
    (folder / "llm-broker.service").write_text("[Service]\nExecStart=/bin/true\n")
    for name, text in units:
        (folder / name).write_text(text.replace("/usr/bin/llmb", str(installed / "usr/bin/llmb")))
    runtime = tmp_path / "run"
    runtime.mkdir()
    names = ["llm-broker-app@notes.socket", *(name for name, _ in units)]
    return subprocess.run(
        ["systemd-analyze", f"--{kind}", "verify", "--man=no", "--recursive-errors=no", *(folder / name for name in names)],
        env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path), "SYSTEMD_UNIT_PATH": f"{folder}:"},
        capture_output=True, text=True, timeout=harness.CALL_SECONDS)


@needs("systemd-analyze", "make")
@pytest.mark.parametrize("kind, drop_in, unit", [
    ("user", "snap/snap.conf", None), ("system", "service/owner.conf", "service/notes.service")])
def test_systemd_understands_them(tmp_path, kind, drop_in, unit):
    units = [(pathlib.Path(unit).name, recipes.file(unit))] if unit else []
    done = verified(tmp_path, kind, recipes.file(drop_in), *units)
    assert done.returncode == 0 and not [line for line in done.stderr.splitlines() if "notes" in line], done
    (tmp_path / "wrong").mkdir()
    wrong = verified(tmp_path / "wrong", kind, recipes.file(drop_in).replace("[Socket]", "[Socket]\nSocketUsers=x"), *units)
    assert "SocketUsers" in wrong.stderr, "the drop-in is read"


# ---- a snap ----

def test_a_snap_finds_its_own_socket(broker, provider):
    """Where its XDG_RUNTIME_DIR is, with no variable of ours, and in no way another one."""
    made = broker(config(provider), run=False)
    runtime = pathlib.Path(made.env["XDG_RUNTIME_DIR"])
    made.socket = runtime / "llm-broker/sock"
    unit = settings(template("user"), recipes.file("snap/snap.conf"))["Socket"]
    name, own, path = made_socket(unit, runtime, {})
    assert path.is_relative_to(runtime / "snap.notes"), "a strict snap reaches nothing else in there"
    start(made, [main_socket(made), (name, own)])
    made.add_key("test", "sk-test-0123456789abcdef")
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(made.home), "XDG_RUNTIME_DIR": str(runtime / "snap.notes"), "SNAP": "/snap/notes/1"}

    def llmb(*args):
        return subprocess.run([harness.program("llmb"), *args], env=env, cwd="/", capture_output=True, text=True,
                              timeout=harness.CALL_SECONDS)
    done = llmb("ask", "hi")
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done
    seen = json.loads(llmb("whoami", "--json").stdout)["peer"]
    assert (seen["kind"], seen["name"], seen["socket"]) == ("app", "notes", "app")
    assert llmb("key", "list").returncode == 3
    path.unlink()
    done = llmb("ask", "hi")
    assert done.returncode == 4 and "sandbox (SNAP)" in done.stderr, done


def test_the_snap_asks_for_nothing():
    yaml = pytest.importorskip("yaml")
    snap = yaml.safe_load(recipes.file("snap/snapcraft.yaml"))
    assert snap["confinement"] == "strict" and set(snap) <= {"name", "version", "summary", "description", "base", "confinement",
                                                             "apps", "parts"}
    unit = settings(recipes.file("snap/snap.conf"))["Socket"]
    assert unit["ListenStream"] == [f"%t/snap.{snap['name']}/llm-broker/sock"]
    for app in snap["apps"].values():
        assert set(app) == {"command"}, "no plug, no variable"
    for part in snap["parts"].values():
        for name in ("source",):
            assert (recipes.FOLDER / "snap" / part[name]).resolve().is_relative_to(harness.TOP)
    assert "install-library" in snap["parts"]["libllmclient"]["override-build"]


# ---- a service of another user ----

PACKAGED = harness.TOP / "packaging/conf"


def put_rules(folder, name):
    """The packaged rules, and the recipe's in a file of that name beside them."""
    rules = recipes.file("service/50-notes.conf")
    assert "user = notes\n" in rules
    shutil.copytree(PACKAGED / "broker.conf.d", folder / "broker.conf.d")
    (folder / "broker.conf.d" / name).write_text(rules.replace("user = notes\n", f"user = {OTHER}\n"))


@pytest.mark.parametrize("name", ["50-notes.conf", "99-notes.conf"])
def test_its_rule_holds_by_the_name_of_its_file(broker, name):
    """Beside what is packaged; `--check` says it where the rule comes too late."""
    made = broker((PACKAGED / "broker.conf").read_text(), run=False)
    put_rules(made.folder, name)
    done = subprocess.run([harness.program("llm-brokerd"), "--check", "--config", str(made.config_file)],
                          env=made.env, capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    folder = made.folder / "broker.conf.d"
    (line,) = [i for i, line in enumerate((folder / "90-policy.conf").read_text().splitlines(), 1) if line == '[policy "apps"]']
    late = [f'{made.config_file}: {own} ({folder / name}:{i}) never holds: [policy "apps"] ({folder}/90-policy.conf:{line}) '
            "comes before it and fits whoever it fits"
            for i, own in enumerate((folder / name).read_text().splitlines(), 1) if own.startswith("[policy ")]
    assert done.returncode == 0 and len(late) == 2, done
    assert done.stdout.splitlines() == [*(late if name > "90" else []), f"{made.config_file}: ok"], done


@pytest.fixture
def system(broker, plain_provider, closed_folder):  # noqa: F811
    """The system's broker with the socket of the service, as its units say; `notes` is a user that there is here."""
    made = broker(config(plain_provider) + (PACKAGED / "broker.conf").read_text(), run=False)
    put_rules(made.folder, "50-notes.conf")
    made.folder.chmod(0o755)
    made.runtime = closed_folder
    made.socket = made.runtime / "llm-broker/sock"
    made.socket.parent.mkdir()
    made.socket.parent.chmod(0o755)
    unit = settings(template("system"), recipes.file("service/owner.conf"))["Socket"]
    name, own, made.own_path = made_socket(unit, made.runtime, {"notes": OTHER})
    assert name == "app-notes"
    start(made, [main_socket(made), (name, own)])
    made.socket.chmod(0o660)
    made.add_key("test", "sk-test-0123456789abcdef")
    plain_provider.script(**CHAT.script("Hello.", True)[0], times=0)
    return made


def service(made):
    """The service's own settings, as systemd would start it: (variables, command)."""
    unit = settings(recipes.file("service/notes.service"))["Service"]
    assert unit["User"] == ["notes"]
    env = dict(expanded(one, made.runtime).split("=", 1) for one in unit["Environment"])
    (command,) = unit["ExecStart"]
    assert command.startswith("/usr/bin/llmb ")
    return {"PATH": "/usr/bin:/bin", "HOME": "/", **env}, command.replace("/usr/bin/llmb", harness.program("llmb"), 1)


def run_as(uid, env, command):
    return subprocess.run([*as_user(uid), "sh", "-euc", command], env=env, cwd="/", capture_output=True, text=True,
                          timeout=harness.CALL_SECONDS)


@needs_root
def test_a_service_of_another_user_asks(system):
    env, command = service(system)
    done = run_as(OTHER, env, command)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done
    (row,) = system.wait_ledger(1, 1)["exchange"]
    assert (row["app"], row["uid"]) == ("app:notes", OTHER)
    done = run_as(OTHER, env, f"{harness.program('llmb')} whoami --json")
    assert json.loads(done.stdout)["rule"] == "notes", done
    done = run_as(OTHER, env, f"{harness.program('llmb')} key list")
    assert done.returncode == 3, done


@needs_root
@pytest.mark.security
def test_nobody_else_has_its_socket_and_it_has_no_other(system):
    env, command = service(system)
    done = run_as(THIRD, env, command)
    assert done.returncode == 4 and "Permission denied" in done.stderr, done
    done = run_as(OTHER, {**env, "LLM_BROKER_SOCKET": str(system.socket)}, command)
    assert done.returncode == 4 and "Permission denied" in done.stderr, done
    mode = stat.S_IMODE(system.own_path.stat().st_mode)
    assert (mode, system.own_path.stat().st_uid, system.own_path.stat().st_gid) == (0o660, OTHER, OTHER)
    # by the rule, if he could open it: it is for that one user
    system.own_path.chmod(0o666)
    done = run_as(THIRD, env, command)
    assert done.returncode == 3 and f"you are uid {THIRD}" in done.stderr, done


@needs_root
def test_in_a_sandbox_of_his_own_the_system_s_broker_is_still_trusted(system):
    """There root, who made the socket, is nobody."""
    env, command = service(system)
    inside = "unshare --user --map-current-user " + command
    done = run_as(OTHER, env, inside)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done


def test_the_service_has_no_network():
    unit = settings(recipes.file("service/notes.service"))["Service"]
    assert unit["PrivateNetwork"] == ["yes"] and unit["RestrictAddressFamilies"] == ["AF_UNIX"]
