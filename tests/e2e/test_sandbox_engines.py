"""test_sandbox_engines.py - do the recipes of packaging/sandbox hold for podman, in docker's place too, and for Flatpak?

Each runs as an ordinary user, with images and runtimes made here of what is on this machine, and no network. A mount
namespace around it has cgroups as an engine wants them, and that user in the lists of users: nothing is left of it."""

import collections
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess

import harness
import pytest
import recipes
from programs import needs, needs_release
from recipes import open_folder  # noqa: F401
from surfaces import FAMILIES, dialects
from test_identity import OTHER, as_user, needs_root
from test_install import install

CHAT = FAMILIES["chat"]
SUBORDINATE = 231072  # the first of his ids, who is 1 inside
ADD = ("app", "add", "notes")
ENGINE_SECONDS = 60 * harness.SLOWER

# the lists of users with one more, who has subordinate ids; his folder where it is on every machine; and the cgroups of
# version 2 alone
RUNTIME_DIR = f"/run/user/{OTHER}"
ROOM = f"""
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run
mkdir -p {RUNTIME_DIR}
mount --bind "$XDG_RUNTIME_DIR" {RUNTIME_DIR}
for name in passwd group subuid subgid; do mount --bind "$0/$name" "/etc/$name"; done
XDG_RUNTIME_DIR={RUNTIME_DIR}
exec "$@"
"""


def needs_podman(test):
    return needs_root(needs_release(needs("podman", "newuidmap")(test)))


def needs_flatpak(test):
    return needs_root(needs("flatpak")(test))


Engine = collections.namedtuple("Engine", "made run")


def room(folder, home):
    """What goes before a command that is to run there."""
    lists = folder / "lists"
    lists.mkdir(exist_ok=True)
    for name, line in (("passwd", f"llmb-test:x:{OTHER}:{OTHER}::{home}:/bin/sh\n"), ("group", f"llmb-test:x:{OTHER}:\n")):
        (lists / name).write_text(pathlib.Path("/etc", name).read_text() + line)
    for name in ("subuid", "subgid"):
        path = pathlib.Path("/etc", name)
        if not path.exists():
            pytest.skip(f"there is no {path} to put a user into")
        (lists / name).write_text(f"llmb-test:{SUBORDINATE}:65536\n")
    before = ["unshare", "--mount", "sh", "-euc", ROOM, str(lists)]
    done = subprocess.run([*before, "true"], env={**os.environ, "XDG_RUNTIME_DIR": str(home)}, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no mounts can be made here: {done.stderr.strip()}")
    return before


def llmb(made, *args, **more):
    """As the user whose broker it is."""
    return subprocess.run([*as_user(OTHER), harness.program("llmb"), *args], env=made.client_env(), cwd="/", text=True,
                          capture_output=True, timeout=harness.CALL_SECONDS, **more)


def broker_of(broker, provider):
    made = broker('[model "default"]\ntarget = test/m\n' +
                  harness.provider_section(provider, "test", dialect=dialects()), run=False, wrap=as_user(OTHER))
    made.socket = pathlib.Path(made.env["XDG_RUNTIME_DIR"]) / "llm-broker/sock"
    for path in (made.folder, *made.folder.rglob("*")):
        os.chown(path, OTHER, OTHER)
    made.start()
    harness.wait_until(lambda: harness.accepts(made.socket.parents[1] / "llm-broker-sandbox/sock"), 10, "it listens")
    done = llmb(made, "key", "add", "test", "--from-stdin", "--no-input", input="sk-test-0123456789abcdef\n")
    assert done.returncode == 0, done
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    return made


def libraries(*programs):
    """The files that programs need at run time, by where they look for them."""
    found = set()
    for program in programs:
        out = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
        found |= set(re.findall(r"(/\S+) \(0x", out))
    return sorted(path for path in found if "libllmclient" not in path)


def copied(paths, root):
    for path in paths:
        to = root / path.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)


# ---- containers ----

@pytest.fixture(scope="module")
def image(open_folder):  # noqa: F811
    """The root of a container: what is installed, the C library, and nothing else."""
    root = open_folder / "image"
    install(root, "/usr")
    for name in ("etc", "run/llm-broker", "tmp", "proc", "sys", "dev"):
        (root / name).mkdir(parents=True, exist_ok=True)
    copied(libraries(root / "usr/bin/llmb"), root)
    path = open_folder / "image.tar"
    subprocess.run(["tar", "-C", root, "-cf", path, "."], check=True)
    return path


def podman(broker, plain_provider, image, inside, name):
    """The engine as that user has it, who finds the image localhost/notes."""
    made = broker_of(broker, plain_provider)
    home = made.home / name
    home.mkdir()
    (home / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{home}/images"\nrunroot = "{home}/state"\n')
    # where a limit may not be raised, and there is no systemd to ask for cgroups
    (home / "containers.conf").write_text(
        '[containers]\ncgroups = "disabled"\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
    for path in (home, *home.iterdir()):
        os.chown(path, OTHER, OTHER)
    env = {**made.env, "PATH": f"{home}/bin:{harness.bin_dir()}:/usr/sbin:/usr/bin:/sbin:/bin",
           "CONTAINERS_CONF": str(home / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(home / "storage.conf")}
    before = [*room(made.folder, made.home), *inside]

    def run(script, stdin=subprocess.DEVNULL):
        return subprocess.run([*before, "sh", "-euc", script], env=env, cwd="/", stdin=stdin, capture_output=True,
                              text=True, timeout=ENGINE_SECONDS)
    # whether it runs here at all, which says nothing of us
    done = run(f"podman import -q {image} localhost/notes && podman run --rm --network=none localhost/notes llmb --version")
    if done.returncode != 0:
        end_podman(made)
        pytest.skip(f"podman runs no container here: {done.stderr.strip().splitlines()[-1:]}")
    return Engine(made, run)


def is_of_podman(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() in ("podman", "conmon", "crun")
    except OSError:
        return False


def end_podman(made):
    """Ends the process that keeps podman's user namespace, and waits for those that tidy up behind a container."""
    for path in made.home.rglob("pause.pid"):
        try:
            os.kill(int(path.read_text()), signal.SIGKILL)
        except (OSError, ValueError):
            pass
    harness.wait_until(lambda: not any(map(is_of_podman, harness.leftovers())), ENGINE_SECONDS, "podman has gone")


@pytest.fixture
def rootless(broker, plain_provider, image):
    engine = podman(broker, plain_provider, image, as_user(OTHER), "rootless")
    yield engine
    end_podman(engine.made)


@pytest.fixture
def rootful(broker, plain_provider, image):
    """As root, called docker."""
    engine = podman(broker, plain_provider, image, [], "rootful")
    shim = engine.made.home / "rootful/bin/docker"
    shim.parent.mkdir()
    shim.symlink_to(shutil.which("podman"))
    yield engine
    end_podman(engine.made)


def podman_lines():
    """What the recipe runs: root inside, and its user's own id inside."""
    setup, *runs = re.split(r"(?m)^(?=podman run)", recipes.recipe("podman"))
    assert setup.split() == ["llmb", *ADD] and len(runs) == 2 and "keep-id" in runs[1]
    return runs


def added(engine):
    """The setup of the recipe, which is run in the open."""
    assert llmb(engine.made, *ADD).returncode == 0


@needs_podman
def test_the_recipe_of_podman(rootless):
    added(rootless)
    done = rootless.run("".join(podman_lines()))
    assert done.returncode == 0 and done.stdout.endswith("Hello.\nHello.\n"), done
    rows = rootless.made.wait_ledger(2, 2)["exchange"]
    assert {(row["app"], row["uid"]) for row in rows} == {("app:notes", OTHER)}


@needs_podman
@pytest.mark.security
def test_who_else_is_in_a_container_is_kept_out(rootless, plain_provider):
    as_root, _ = podman_lines()
    added(rootless)
    other = as_root.replace("podman run", "podman run --user 1000")
    done = rootless.run(other)
    assert done.returncode == 4 and "Permission denied" in done.stderr, done
    # and where all of the way is open to him, by the broker
    sock = rootless.made.socket.parent / "apps/notes/sock"
    sock.parent.chmod(0o755)
    sock.chmod(0o666)
    done = rootless.run(other)
    assert done.returncode == 3 and f"you are uid {SUBORDINATE + 999}" in done.stderr, done
    assert plain_provider.requests() == []


@needs_podman
def test_a_container_without_the_folder(rootless):
    as_root, _ = podman_lines()
    done = rootless.run(re.sub(r'-v "[^"]*"', "", as_root))
    assert done.returncode == 4 and "No such file" in done.stderr, done


@needs_podman
def test_a_container_at_the_socket_for_sandboxes_is_asked_about(rootless):
    """It has its own cgroup where the engine makes one; here it is a sandbox like any other."""
    as_root, _ = podman_lines()
    text = as_root.replace("llm-broker/apps/notes", "llm-broker-sandbox")
    assert text != as_root
    done = rootless.run(text)
    assert done.returncode == 3 and "allow" in done.stderr, done
    assert llmb(rootless.made, "app", "allow", "sandbox").returncode == 0
    assert rootless.run(text).stdout == "Hello.\n"


@needs_podman
def test_a_container_inherits_a_connection(rootless):
    """With no volume at all."""
    added(rootless)
    with socket.socket(socket.AF_UNIX) as way_in:
        way_in.connect(str(rootless.made.socket.parent / "apps/notes/sock"))
        done = rootless.run("podman run --rm --network=none --preserve-fds=1 -e LLM_BROKER_FD=3 localhost/notes "
                            "llmb ask hi 3<&0 </dev/null", stdin=way_in)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done


@needs_podman
def test_the_recipe_of_docker(rootful):
    """By an engine of root's. Who may talk to one is told apart from root nowhere: so the user has to be named."""
    text = recipes.recipe("docker")
    added(rootful)
    # the shell that starts it is the user's own, the engine is not
    text = text.replace("$(id -u):$(id -g)", f"{OTHER}:{OTHER}")
    assert text != recipes.recipe("docker")
    done = rootful.run(text)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done
    (row,) = rootful.made.wait_ledger(1, 1)["exchange"]
    assert (row["app"], row["uid"]) == ("app:notes", OTHER)
    done = rootful.run(text.replace(f"{OTHER}:{OTHER}", "1000:1000"))
    assert done.returncode == 4 and "Permission denied" in done.stderr, done


# ---- Flatpak ----

ID = "org.example.Notes"
RUNTIME = f"org.example.Platform/{platform.machine()}/1"


@pytest.fixture(scope="module")
def built(open_folder):  # noqa: F811
    """What the module and the manifest's own build commands make, run as flatpak-builder does."""
    manifest = recipes.manifest("flatpak/org.example.Notes.yaml")
    app = open_folder / "app"
    # of what the broker needs, msgpack-c alone can be found
    search = open_folder / "pkgconfig"
    search.mkdir()
    for name in ("msgpack-c", "msgpack"):
        found = subprocess.run(["pkg-config", "--variable=pcfiledir", name], capture_output=True, text=True)
        if found.returncode == 0:
            shutil.copy(pathlib.Path(found.stdout.strip()) / f"{name}.pc", search)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(open_folder), "FLATPAK_DEST": str(app / "files"), "FLATPAK_BUILDER_N_JOBS": "2",
           "PKG_CONFIG_LIBDIR": f"{search}:{app}/files/lib/pkgconfig", "CFLAGS": "-O1", "B": str(open_folder / "build")}
    for module in manifest["modules"]:
        where = open_folder / "source" / module["name"]
        where.mkdir(parents=True)
        for source in module["sources"]:
            path = (recipes.FOLDER / "flatpak" / source["path"]).resolve()
            if source["type"] == "file":
                shutil.copy(path, where)
            else:
                where = path
        for command in module["build-commands"]:
            subprocess.run(["sh", "-euc", command], cwd=where, env=env, check=True, capture_output=True, timeout=300)
    return app


@pytest.fixture
def flatpak(broker, plain_provider, built, open_folder):  # noqa: F811
    """The application as it is installed for a user, in a runtime that has the C library alone."""
    made = broker_of(broker, plain_provider)
    runtime, app = made.folder / "runtime", made.folder / "app"
    (runtime / "files").mkdir(parents=True)
    for path in libraries(built / "files/bin/notes"):
        copied([path], runtime / ("" if path.startswith("/usr/") else "usr"))
    (runtime / "metadata").write_text(f"[Runtime]\nname=org.example.Platform\nruntime={RUNTIME}\nsdk={RUNTIME}\n")
    shutil.copytree(built, app, symlinks=True)
    (app / "metadata").write_text(f"[Application]\nname={ID}\nruntime={RUNTIME}\nsdk={RUNTIME}\n")
    before = room(made.folder, made.home)

    def run(script, inside=as_user(OTHER), at=()):
        return subprocess.run([*at, *before, *inside, "sh", "-euc", script], env=made.env, cwd="/",
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ENGINE_SECONDS)

    def install_with(*permissions):
        script = f"""
            cd {made.folder}
            flatpak build-finish app --command=notes {' '.join(permissions)}
            flatpak build-export --no-update-summary --disable-sandbox --runtime repo runtime 1
            flatpak build-export --no-update-summary --disable-sandbox repo app 1
            flatpak build-update-repo repo
            flatpak --user remote-add --no-gpg-verify here repo
            flatpak --user install -y --noninteractive here runtime/{RUNTIME} app/{ID}/{platform.machine()}/1"""
        # as root, who is asked for no parent's leave
        done = run(script, inside=[])
        assert done.returncode == 0, done
        for path in (made.home, *made.home.rglob("*")):
            os.chown(path, OTHER, OTHER, follow_symlinks=False)
        done = run(f"flatpak run --command=/app/bin/none {ID}")
        if "bwrap: execvp" not in done.stderr:
            pytest.skip(f"flatpak runs nothing here: {done.stderr.strip().splitlines()[-1:]}")
    made.install_with = install_with
    return Engine(made, run)


def permissions():
    return recipes.manifest("flatpak/org.example.Notes.yaml")["finish-args"]


@pytest.fixture
def scope():
    """The scope of processes that systemd makes for an application."""
    for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd"):
        folder = pathlib.Path(top, f"app-flatpak-{ID}-12345.scope")
        if pathlib.Path(top, "cgroup.procs").exists():
            try:
                folder.mkdir()
            except OSError:
                continue
            yield folder
            harness.wait_until(lambda: not (folder / "cgroup.procs").read_text(), 10, "all have left the scope")
            folder.rmdir()
            return
    pytest.skip("no groups of processes can be made here")


@needs_flatpak
def test_a_flatpak_with_its_manifest(flatpak, scope, plain_provider):
    flatpak.made.install_with(*permissions())
    start = recipes.recipe("flatpak").splitlines()[-1]
    inside = ["sh", "-euc", f'echo $$ >{scope}/cgroup.procs; exec "$@"', "sh"]
    done = flatpak.run(start, at=inside)
    assert done.returncode == 1 and f"llmb app allow flatpak:{ID}" in done.stderr, done
    assert llmb(flatpak.made, "app", "allow", f"flatpak:{ID}").returncode == 0
    done = flatpak.run(start, at=inside)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done
    (row,) = [row for row in flatpak.made.wait_ledger(2, None)["exchange"] if row["outcome"] == "ok"]
    assert (row["app"], row["kind"]) == (f"flatpak:{ID}", "flatpak")
    # the same outside of that scope only says that it is this one
    done = flatpak.run(start)
    assert done.returncode == 1 and len(plain_provider.requests()) == 1, done


@needs_flatpak
def test_a_flatpak_without_a_permission_for_it(flatpak):
    flatpak.made.install_with()
    setup, start = recipes.recipe("flatpak").splitlines()
    done = flatpak.run(start)
    assert done.returncode == 1 and "no broker" in done.stderr, done
    done = flatpak.run(f"{setup}\n{start}")
    assert done.returncode == 1 and "allow" in done.stderr, done


def test_the_manifest_asks_for_nothing_else():
    (only,) = permissions()
    assert only == "--filesystem=xdg-run/llm-broker-sandbox:ro"
    text = recipes.file("flatpak/org.example.Notes.yaml") + recipes.file("flatpak/libllmclient.json")
    for never in ("share=", "socket=", "device=", "talk-name", "own-name", "filesystem=host", "filesystem=home",
                  "filesystem=xdg-run:", "filesystem=xdg-run/llm-broker:", "allow=", "persist="):
        assert never not in text, never


def test_the_module_brings_what_the_library_is_built_from():
    """Each source by its hash; and nothing of them is left in the application but the libraries."""
    module = json.loads(recipes.file("flatpak/libllmclient.json"))
    assert {one["name"] for one in module["modules"]} == {"msgpack-c", "uthash"}
    for source in (source for one in module["modules"] for source in one["sources"]):
        assert source["url"].startswith("https://") and re.fullmatch("[0-9a-f]{64}", source["sha256"])
    assert module["sources"][0]["type"] == "dir"
    assert (recipes.FOLDER / "flatpak" / module["sources"][0]["path"]).resolve() == harness.TOP


def test_the_module_builds(built):
    """And the application with it, that needs nothing else at run time."""
    done = subprocess.run(["readelf", "-d", built / "files/bin/notes"], capture_output=True, text=True, check=True)
    assert "libllmclient.so.1" in done.stdout
    assert {path.name for path in (built / "files/lib").glob("*.so.1")} == {"libllmclient.so.1"}
