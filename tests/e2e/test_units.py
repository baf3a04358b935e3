"""test_units.py - are the units of systemd what the programs and systemd understand, and as closed as can be?"""

import pathlib
import re
import shutil
import socket
import subprocess

import bridge
import harness
import pytest
from programs import needs
from test_install import install

needs_systemd = needs("systemd-analyze", "make")
MOST = {"system": 2.0, "user": 6.5}  # of `systemd-analyze security`: what of its 10 may be left open
BRIDGE = "llm-broker-bridge"
SOCKETS = {
    "system": ["llm-broker.socket", "llm-broker-app@.socket", f"{BRIDGE}.socket"],
    "user": ["llm-broker.socket", "llm-broker-sandbox.socket", "llm-broker-app@.socket", f"{BRIDGE}.socket"],
}
SERVICES = ["llm-broker.service", f"{BRIDGE}.service"]
each_kind = pytest.mark.parametrize("kind", MOST)
each_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units")
    install(folder, "/opt/broker")
    return folder / "opt/broker"


def unit(installed, kind, name, bin_dir=None):
    """A unit as it is installed, with the programs of this build."""
    text = (installed / "lib/systemd" / kind / name).read_text()
    assert "@BINDIR@" not in text and "@SYSCONFDIR@" not in text
    return text.replace("/opt/broker/bin", str(bin_dir or harness.bin_dir()))


def values(text, key):
    return [line.split("=", 1)[1] for line in text.splitlines() if line.startswith(key + "=")]


def words(text, key):
    return [word for value in values(text, key) for word in value.split()]


def verify(folder, kind, texts):
    for name, text in texts.items():
        (folder / name).write_text(text)
    runtime = folder / "run"
    runtime.mkdir(exist_ok=True)
    return subprocess.run(["systemd-analyze", f"--{kind}", "verify", "--man=no", *(folder / name for name in texts)],
                          env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(runtime), "HOME": str(folder)}, capture_output=True,
                          text=True, timeout=harness.CALL_SECONDS)


@each_kind
def test_these_are_all(installed, kind):
    assert sorted(path.name for path in (installed / "lib/systemd" / kind).iterdir()) == sorted(SOCKETS[kind] + SERVICES)


@needs_systemd
@each_kind
def test_systemd_understands_them(installed, tmp_path, kind):
    texts = {name: unit(installed, kind, name) for name in SOCKETS[kind] + SERVICES}
    texts["llm-broker-app@root.socket"] = texts.pop("llm-broker-app@.socket")  # a user of every host
    done = verify(tmp_path, kind, texts)
    assert done.returncode == 0 and "llm-broker" not in done.stderr, done
    for name in SERVICES:
        wrong = {**texts, name: texts[name].replace("RestartSec", "RestartIn")}
        assert "RestartIn" in verify(tmp_path, kind, wrong).stderr
        gone = {**texts, name: unit(installed, kind, name, "/nonexistent")}
        assert "/nonexistent" in verify(tmp_path, kind, gone).stderr


@needs_systemd
@each_kind
@each_service
def test_how_closed_they_are(installed, tmp_path, kind, name):
    path = tmp_path / name
    path.write_text(unit(installed, kind, name))
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path], capture_output=True, text=True,
                          timeout=harness.CALL_SECONDS)
    found = re.search(r"exposure level for \S+ ([\d.]+)", done.stdout)
    assert found and float(found[1]) <= MOST[kind], done


@each_service
def test_what_a_user_s_manager_must_not_be_asked_for(installed, name):
    """It would do it in a user namespace, in which nobody can be told from anybody."""
    keys = {line.split("=", 1)[0] for line in unit(installed, "user", name).splitlines()}
    assert not {key for key in keys if key.startswith(("Protect", "Private", "ReadOnly", "ReadWrite", "Inaccessible", "Bind", "Root",
                                                       "State", "Cache", "Runtime", "Logs", "Configuration"))}


@each_kind
def test_root_has_none_but_the_system_s(installed, kind):
    """A broker of root's would take the system's configuration and its state."""
    expected = ["!root"] if kind == "user" else []
    assert all(values(unit(installed, kind, name), "ConditionUser") == expected for name in SOCKETS[kind] + SERVICES)


def test_the_vault_s_credential_is_asked_for(installed):
    """By its name alone: then it need not be there."""
    assert values(unit(installed, "system", "llm-broker.service"), "LoadCredentialEncrypted") == ["llm-broker.vault-key"]


def test_what_would_keep_callers_from_being_known(installed):
    service = unit(installed, "system", "llm-broker.service")
    assert not values(service, "PrivateUsers") and not values(service, "ProtectProc") and not values(service, "ProcSubset")
    assert not values(unit(installed, "system", f"{BRIDGE}.service"), "PrivateUsers")


@each_kind
@each_service
def test_a_service_is_its_sockets_alone(installed, kind, name):
    """An upgrade that restarts a socket would leave it dead without Requires=; what begins without a socket has none."""
    service = unit(installed, kind, name)
    socket = name.replace(".service", ".socket")
    assert words(service, "Requires") == [socket] and socket in words(service, "After")
    assert "[Install]" not in service.splitlines() and values(service, "Type") == ["notify"]
    # ended because it is idle is no failure
    assert values(service, "Restart") == ["on-failure"]
    for other in SOCKETS[kind]:
        text = unit(installed, kind, other)
        assert values(text, "Service") in ([], ["llm-broker.service"]), other
        assert ("[Install]" in text.splitlines()) == (other != "llm-broker-sandbox.socket"), other


@each_kind
def test_where_the_bridge_listens(installed, kind):
    socket = unit(installed, kind, f"{BRIDGE}.socket")
    assert values(socket, "ListenStream") == ["127.0.0.1:8411", "[::1]:8411", "%t/llm-broker/http"]


@each_kind
def test_where_the_broker_listens(installed, kind):
    """As the library and the daemon look for it: by the names of descriptors."""
    found = {name: (values(text, "ListenStream"), values(text, "FileDescriptorName"), values(text, "SocketMode"),
                    values(text, "DirectoryMode"))
             for name in SOCKETS[kind] if BRIDGE not in name for text in [unit(installed, kind, name)]}
    folder = "0755" if kind == "system" else "0700"
    wanted = {"llm-broker.socket": (["%t/llm-broker/sock"], [], ["0660" if kind == "system" else "0600"], [folder]),
              "llm-broker-app@.socket": (["%t/llm-broker/apps/%i/sock"], ["app-%i"], ["0600"], [folder])}
    if kind == "user":
        wanted["llm-broker-sandbox.socket"] = (["%t/llm-broker-sandbox/sock"], ["sandbox"], ["0600"], [folder])
    assert found == wanted
    if kind == "user":  # who finds the second one alone is taken for less than he is
        sandbox = unit(installed, kind, "llm-broker-sandbox.socket")
        assert values(sandbox, "After") == values(sandbox, "PartOf") == ["llm-broker.socket"]
        assert values(unit(installed, kind, "llm-broker.socket"), "Wants") == ["llm-broker-sandbox.socket"]
    if kind == "system":
        assert values(unit(installed, kind, "llm-broker.socket"), "SocketGroup") == ["llm-broker"]
        assert values(unit(installed, kind, "llm-broker-app@.socket"), "SocketUser") == ["%i"]


def test_users_and_folders_are_made(installed):
    for name in ("llm-broker", BRIDGE):
        users = (installed / f"lib/sysusers.d/{name}.conf").read_text()
        for who in words(unit(installed, "system", f"{name}.service"), "User") + ["llm-broker"]:
            assert re.search(rf"(?m)^[ug] {re.escape(who)} ", users), who
    assert "d /run/llm-broker 0755 root root -" in (installed / "lib/tmpfiles.d/llm-broker.conf").read_text().splitlines()


@each_kind
def test_a_drain_is_waited_for(installed, kind):
    keys = (harness.TOP / "brokerd/config/keys.c").read_text()
    drain = re.search(r'\{"broker", "drain", .* "(\d+)s",', keys)
    assert int(values(unit(installed, kind, "llm-broker.service"), "TimeoutStopSec")[0]) >= int(drain[1]) + 10


SETTINGS = ("broker.conf", "broker.conf.d/90-policy.conf")


def conf(folder, name="broker.conf"):
    return folder / "opt/broker/etc/llm-broker" / name


def test_settings_that_are_there_stay(installed, tmp_path):
    folder = installed.parent.parent
    assert f"--config {'/opt/broker/etc/llm-broker/broker.conf'} " in unit(installed, "system", "llm-broker.service")
    for name in SETTINGS:
        assert conf(folder, name).read_text() == (harness.TOP / "packaging/conf" / name).read_text()
        own = tmp_path / name.replace("/", "-")
        conf(own, name).parent.mkdir(parents=True)
        conf(own, name).write_text("[broker]\n")
        install(own, "/opt/broker")
        assert conf(own, name).read_text() == "[broker]\n"
        assert all(conf(own, other).exists() for other in SETTINGS)


def test_no_program_of_a_member_s_has_all_descriptors(installed):
    """Many have as many connections as they may before the daemon has no descriptor left for root."""
    most = int(values(unit(installed, "system", "llm-broker.service"), "LimitNOFILE")[0])
    rules = conf(installed.parent.parent, "broker.conf.d/90-policy.conf").read_text()
    held = [int(line.split(" = ")[1]) for line in rules.splitlines() if line.startswith("max_connections = ")]
    assert len(held) == len(re.findall(r"(?m)^\[policy ", rules)) == 2 and max(held) * 60 <= most


OTHER = 4242


@pytest.mark.parametrize("who, allowed, denied", [
    (("--uid", "0", "--as", "host:llmb"), "chat key.add vault.unlock usage native", ""),
    (("--uid", "0", "--as", "service:cloud-final.service"), "chat key.add config.reload", ""),
    (("--uid", "0", "--as", "container:x"), "", "key.add"),
    (("--uid", OTHER, "--as", "host:vim"), "chat embed relay models status", "native usage key.add key.list vault.unlock app.add prompt.read"),
    (("--uid", OTHER, "--as", "service:web.service"), "chat relay", "usage key.add"),
    (("--uid", OTHER, "--as", "flatpak:org.gnome.Builder"), "", "chat"),
    (("--uid", OTHER, "--as", "sandbox:x"), "", "chat"),
    (("--uid", OTHER, "--as", "unknown:x"), "", "chat whoami"),
    (("--uid", OTHER, "--as", "host:vim", "--on", "sandbox"), "", "chat"),
    (("--uid", OTHER, "--as", "app:www-data", "--on", "app"), "chat relay", "status native key.add"),
], ids=lambda value: value[3] if isinstance(value, tuple) else "")
def test_whom_the_system_s_broker_lets_in(broker, installed, who, allowed, denied):
    """By its settings as they come."""
    made = broker(run=False)
    shutil.copytree(conf(installed.parent.parent).parent, made.folder, dirs_exist_ok=True)
    made.start()
    for operations, code in ((allowed, 0), (denied, 3)):
        for operation in operations.split():
            done = made.llmb("policy", "test", *map(str, who), "--op", operation)
            assert done.code == code, (operation, done)


def test_its_command_serves_what_it_is_handed(broker, installed):
    """The sockets of the unit, but for the ports: those are free ones."""
    made = broker(run=False)
    runtime = pathlib.Path(made.env["XDG_RUNTIME_DIR"])
    made.socket = runtime / "llm-broker/sock"
    made.start()
    listen, service = (unit(installed, "user", f"{BRIDGE}.{ending}").replace("%t", str(runtime)) for ending in ("socket", "service"))
    (command,) = values(service, "ExecStart")
    http = values(listen, "ListenStream")[2]
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(http)
        local.listen()
        door = bridge.Bridge(made, handed=[tcp, local])
        assert door.command == command.split()
        door.start()
        try:
            for where in (http, ("127.0.0.1", tcp.getsockname()[1])):
                assert "offline/echo" in [one["id"] for one in bridge.ask(where, "GET", "/v1/models").json["data"]]
            door.stop()
        finally:
            door.close()
