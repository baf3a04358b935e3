#!/usr/bin/python3
"""boot.py - do the packages do in a booted Debian what they are for?

usage: boot.py [--suite SUITE] [--qemu] [--tree DIR] PACKAGES [TEST...]

  PACKAGES      the folder of the .deb files, and of the .dsc: for another SUITE than this host's they are built anew in the tree
  --suite SUITE bookworm (this host's, if nothing is said), trixie, ...
  --qemu        boot it with the suite's own kernel in qemu without KVM, not in a container
  --tree DIR    copy this tree, and don't make one: for whoever works on the checks
  TEST          what pytest takes: files of tests/system, -k WORDS

Makes a tree by mmdebstrap from the sources that this host's apt has, puts the packages, the next version of them and the
tests into it, and boots it with no network but loopback; a service in there runs the tests, and its exit status is this
program's. What it made is gone afterwards, also when it is ended by a signal. Needs root.
"""

import argparse
import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
INSIDE = "srv/llm-broker"  # where in the tree
MINUTE = 60
TREE_SECONDS, BUILD_SECONDS = 8 * MINUTE, 15 * MINUTE
GIB = {"nspawn": 3, "qemu": 6}
RUN_SECONDS = {"nspawn": 6 * MINUTE, "qemu": 25 * MINUTE}
# what a system has, and what the tests run in it; the packages' own dependencies come beside
SYSTEM = """systemd systemd-sysv dbus dbus-user-session libpam-systemd procps iproute2 python3 python3-pytest
	bubblewrap openssl ca-certificates gcc libc6-dev pkgconf libev-dev libglib2.0-dev libuv1-dev""".split()
KERNEL = ["linux-image-cloud-amd64"]
# as on a machine no system call is filtered but by the units
NSPAWN = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_SECCOMP": "0"}
UNIT = f"""[Unit]
After=multi-user.target dbus.socket systemd-logind.service
SuccessAction={{action}}
FailureAction={{action}}
[Service]
Type=oneshot
Environment=LLMB_SLOWER={{slower}} PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/{INSIDE}/lib
WorkingDirectory=/{INSIDE}/tests
ExecStart=/usr/bin/python3 -m pytest -v -s --color=no --tb=short -p no:cacheprovider {{tests}}
ExecStopPost=/bin/sh -c 'echo "status $$EXIT_STATUS"'
TimeoutStartSec={{seconds}}
StandardOutput={{output}}
StandardError=inherit
"""


class Failed(Exception):
    """A step that did not do what it must."""


@contextlib.contextmanager
def step(name):
    print(f"system: {name} ...", flush=True)
    began = time.monotonic()
    yield
    print(f"system: {name}: {time.monotonic() - began:.1f} s", flush=True)


# ---- processes, and what is left of them


def is_over(pid):
    return pid.isdigit() and not pathlib.Path("/proc", pid).exists()


def remove_groups(folder):
    for path in [*sorted(folder.glob("**/"), reverse=True), folder]:
        with contextlib.suppress(OSError):
            path.rmdir()


class Groups:
    """cgroups of this run alone: two containers in one would end each other's services."""

    def __init__(self):
        self.folders = []
        mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            kind = {"": "cgroup2", "name=systemd": "cgroup"}.get(controllers)
            for words in mounts:
                dash = words.index("-")
                if words[dash + 1] == kind and (kind == "cgroup2" or "name=systemd" in words[dash + 3].split(",")):
                    self.folders.append(pathlib.Path(words[4] + path, f"llm-broker-{os.getpid()}"))
                    break

    def make(self):
        for folder in self.folders:
            folder.mkdir(exist_ok=True)

    def sweep(self):
        """Those of runs that could not end by themselves: they are empty."""
        for folder in self.folders:
            for other in folder.parent.glob("llm-broker-*"):
                if is_over(other.name.split("-")[2]):
                    remove_groups(other)

    def enter(self):
        for folder in self.folders:
            (folder / "cgroup.procs").write_text("0")

    def end(self, seconds=10):
        """Removes them once all has ended that was in there."""
        until = time.monotonic() + seconds
        for folder in self.folders:
            while folder.exists() and time.monotonic() < until:
                remove_groups(folder)
                time.sleep(0.05)
            if folder.exists():
                print(f"boot.py: {folder} cannot be removed")


GROUPS = Groups()


def sweep():
    """What a run has left that could not end by itself."""
    GROUPS.sweep()
    for path in pathlib.Path(tempfile.gettempdir()).glob("llmb-system-*"):
        if is_over(path.name.split("-")[2]):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def in_memory(folder, gib):
    """Where there is enough of it: it is faster, and what is in there is gone with this process, however that ends."""
    available = re.search(r"^MemAvailable:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)
    has_room = available and int(available[1]) >> 20 >= 2 * gib
    if has_room and ctypes.CDLL(None).unshare(0x20000) == 0:  # CLONE_NEWNS
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0700,size={gib}g", "tmpfs", folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", folder], check=False)
    else:
        yield


def prepare_child():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    GROUPS.enter()


def start(command, **more):
    """In namespaces that end with this process, however it ends: no process and no mount is left behind."""
    GROUPS.make()
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return subprocess.Popen([*alone, *map(str, command)], stdin=subprocess.DEVNULL, preexec_fn=prepare_child, **more)


def run(command, seconds, **more):
    """Runs it to its end. Its output is shown if it fails, and returned."""
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} takes more than {seconds} s") from None
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if process.returncode != 0:
        print("\n".join(out.splitlines()[-60:]), flush=True)
        raise Failed(f"{command[0]} ended with {process.returncode}")
    return out


# ---- packages


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", package, name], check=True, capture_output=True, text=True).stdout.strip()


def needed_by(packages):
    """The names of what they depend on: of alternatives the first, and none of themselves."""
    own = {field(package, "Package") for package in packages}
    names = set()
    for package in packages:
        for kind in ("Pre-Depends", "Depends"):
            for one in filter(None, field(package, kind).split(",")):
                names.add(re.split(r"[\s(:|]", one.strip())[0])
    return sorted(names - own)


def next_of(version):
    """0.1.0-1 -> 0.1.1-1: of the same length, for it takes the place of the other in the programs."""
    upstream, dash, revision = version.partition("-")
    head, last = upstream.rsplit(".", 1)
    return f"{head}.{(int(last) + 1) % 10}{dash}{revision}"


def make_next(package, folder):
    """The same package, one version later, programs included."""
    version = field(package, "Version")
    after = next_of(version)
    was, now = (each.partition("-")[0] for each in (version, after))
    tree = folder / "next"
    run(["dpkg-deb", "-R", package, tree], MINUTE)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(version, after))
    exact = re.compile(rb"(?<![\d.])" + re.escape(was.encode()) + rb"(?![\d.])")
    for path in [*tree.glob("usr/bin/*"), *tree.glob("usr/lib/**/*.so.*")]:
        if not path.is_symlink() and path.is_file():
            path.write_bytes(exact.sub(now.encode(), path.read_bytes()))
    run(["dpkg-deb", "-b", tree, folder], MINUTE)
    shutil.rmtree(tree)


# ---- the tree


def sources_of(suite):
    """What this host's apt has of Debian, for that suite: files of either form, and lines."""
    found = []
    for path in (pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))):
        text = path.read_text() if path.suffix in (".list", ".sources") and path.is_file() else ""
        if re.search(rf"(?m)^[^#]*\b{host_suite()}\b", text) and "debian" in text:
            found.append((path.suffix, text.replace(host_suite(), suite)))
    if not found:
        raise Failed(f"no source of this host's apt is one of {host_suite()}")
    return found


def make_tree(tree, suite, packages, work, source=None):
    """With what the source package is built by, if there is one."""
    files = []
    for i, (suffix, text) in enumerate(sources_of(suite)):
        files.append(work / f"{i}{suffix}")
        files[-1].write_text(text)
    hooks = [] if source is None else [
        f"copy-in {source} /tmp", f'chroot "$1" apt-get -q --yes --no-install-recommends build-dep /tmp/{source.name}', f'rm "$1/tmp/{source.name}"']
    run(["mmdebstrap", "--quiet", "--variant=minbase",
         "--include=" + ",".join(packages), "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
         *(f"--customize-hook={hook}" for hook in hooks), suite, tree, *files], TREE_SECONDS)


def nspawn(tree, *options):
    return ["systemd-nspawn", "--quiet", "-D", tree, f"--machine=llm-broker-{os.getpid()}", "--register=no", "--keep-unit",
            "--private-network", *options]


def build(tree, source):
    """The packages of that suite, made in its own tree of the source package, without a network."""
    folder = tree / INSIDE / "source"
    folder.mkdir(parents=True)
    for path in source.parent.glob("llm-broker_*"):
        if path.suffix in (".dsc", ".gz", ".xz"):
            shutil.copy(path, folder)
    run(nspawn(tree, "--pipe", "sh", "-ec", f"cd /{INSIDE}/source; dpkg-source -x {source.name} built; cd built; dpkg-buildpackage -us -uc -b"),
        BUILD_SECONDS, env=NSPAWN)
    return packages_in(folder)


def packages_in(folder):
    return sorted(path for path in folder.glob("*.deb") if "-dbgsym_" not in path.name)


def host_suite():
    text = pathlib.Path("/etc/os-release").read_text()
    return re.search(r"^VERSION_CODENAME=(\w+)", text, re.M)[1]


def furnish(tree, packages, tests, *, qemu):
    """Puts in what is tested, the tests, and the service that runs them."""
    inside = tree / INSIDE
    (inside / "next").mkdir(parents=True)
    (inside / "now").mkdir()
    for package in packages:
        shutil.copy(package, inside / "now")
        make_next(package, inside / "next")
    shutil.copytree(TOP / "tests/lib", inside / "lib", ignore=shutil.ignore_patterns("*.[ch]", "__pycache__"))
    shutil.copytree(TOP / "libllmclient/examples", inside / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOP / "tests/system", inside / "tests", ignore=shutil.ignore_patterns("boot.py", "__pycache__"))
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (tree / "etc/hostname").write_text("llm-broker\n")
    seconds = RUN_SECONDS["qemu" if qemu else "nspawn"]
    unit = UNIT.format(action="poweroff-force" if qemu else "exit", slower=8 if qemu else 1, tests=" ".join(tests),
                       seconds=seconds - MINUTE, output="file:/dev/ttyS1" if qemu else f"file:/{INSIDE}/out.log")
    system = tree / "etc/systemd/system"
    (system / "llm-broker-check.service").write_text(unit)
    wants = system / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "llm-broker-check.service").symlink_to("../llm-broker-check.service")


# ---- booting


def follow(process, log, seconds):
    """Shows what comes into the file until the process ends, and returns all of it."""
    until, shown = time.monotonic() + seconds, b""
    while True:
        is_over = process.poll() is not None
        data = log.read_bytes() if log.exists() else b""
        whole = data[:len(data) if is_over else data.rfind(b"\n") + 1]
        sys.stdout.write(whole[len(shown):].decode(errors="replace").replace("\r", ""))
        sys.stdout.flush()
        shown = whole
        if is_over:
            return shown.decode(errors="replace").replace("\r", "")
        if time.monotonic() > until:
            raise Failed(f"it takes more than {seconds} s")
        time.sleep(0.2)


def boot(command, log, console, seconds, **more):
    with open(console, "wb") as said:
        process = start(command, stdout=said, stderr=said, **more)
        try:
            out = follow(process, log, seconds)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return process.returncode, out


def boot_nspawn(tree, work):
    command = nspawn(tree, "--boot", "--console=pipe", "systemd.show_status=0")
    return boot(command, tree / INSIDE / "out.log", work / "console", RUN_SECONDS["nspawn"], env=NSPAWN)


def boot_qemu(tree, work):
    image = work / "image"
    with step("the image"):
        size = sum(path.lstat().st_blocks for path in tree.rglob("*") if not path.is_symlink()) * 512
        kernel, initrd = (shutil.copy(next((tree / "boot").glob(name)), work) for name in ("vmlinuz-*", "initrd.img-*"))
        run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, f"{size // 1024 + (1 << 20)}k"], 5 * MINUTE)
    log = work / "out.log"
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048", "-nographic",
               "-nodefaults", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
               "-append", "root=/dev/vda rw console=ttyS0 systemd.show_status=0 quiet",
               "-drive", f"file={image},format=raw,if=virtio,cache=unsafe", "-device", "virtio-rng-pci",
               "-serial", f"file:{work / 'serial'}", "-serial", f"file:{log}"]
    code, out = boot(command, log, work / "console", RUN_SECONDS["qemu"])
    said = re.findall(r"^status (\w+)$", out, re.M)
    # a machine has no exit status but that of its power
    return code or (int(said[-1]) if said and said[-1].isdigit() else 1), out


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    parser.add_argument("--suite", default=host_suite())
    parser.add_argument("--qemu", action="store_true")
    parser.add_argument("--tree", type=pathlib.Path)
    parser.add_argument("packages", type=pathlib.Path)
    parser.add_argument("tests", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    missing = [name for name in ("mmdebstrap", "systemd-nspawn", "dpkg-deb", *(["qemu-system-x86_64", "mke2fs"] if args.qemu else []))
               if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        sys.exit(f"boot.py: needs root, and packaging/deps.sh --system; not here: {' '.join(missing) or 'root'}")
    packages, source = packages_in(args.packages), next(args.packages.glob("*.dsc"), None)
    if not packages or not source and args.suite != host_suite():
        sys.exit(f"boot.py: there is no package in {args.packages}")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sweep()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"llmb-system-{os.getpid()}-") as folder, \
            in_memory(folder, GIB["qemu" if args.qemu else "nspawn"]):
        work = pathlib.Path(folder)
        tree = work / "tree"
        try:
            with step(f"a tree of {args.suite}"):
                if args.tree:
                    run(["cp", "-a", "--reflink=auto", args.tree, tree], TREE_SECONDS)
                elif args.suite == host_suite():
                    make_tree(tree, args.suite, SYSTEM + needed_by(packages) + (KERNEL if args.qemu else []), work)
                else:
                    make_tree(tree, args.suite, SYSTEM + (KERNEL if args.qemu else []), work, source)
            if args.suite != host_suite():
                with step("its own packages"):
                    packages = build(tree, source)
            with step("packages and tests"):
                furnish(tree, packages, args.tests, qemu=args.qemu)
            with step("boot, and the tests"):
                code, out = (boot_qemu if args.qemu else boot_nspawn)(tree, work)
            if code != 0 and "passed" not in out:
                print((work / ("serial" if args.qemu else "console")).read_text(errors="replace")[-8000:])
        except Failed as why:
            print(f"boot.py: {why}")
            code = 1
        finally:
            GROUPS.end()
            # nspawn leaves it where /run is on a disk
            with contextlib.suppress(OSError):
                os.rmdir(f"/run/systemd/nspawn/propagate/llm-broker-{os.getpid()}")
    print(f"system: {args.suite}, {'qemu' if args.qemu else 'nspawn'}: {time.monotonic() - began:.1f} s in all, status {code}")
    return code


if __name__ == "__main__":
    sys.exit(main())
