"""Is each file that `make install` gives in one package of every kind, and nothing in a package that it does not give?

The tree is installed once, from what is built already, and Debian's .install files, the RPM spec and the PKGBUILD are held
to it. None of them is built here: `make deb` does that.
"""
import fnmatch
import os
import re
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.dirname(os.environ.get("LLMB_BIN_DIR", os.path.join(TOP, "build/release/bin")))
PYTHON_DIR = "/usr/lib/python3/dist-packages"
LIB = "/usr/lib/x86_64-linux-gnu"
ZSH = "/usr/share/zsh/vendor-completions"


CONFFILES = ["etc/llm-broker/broker.conf", "etc/llm-broker/broker.conf.d/90-policy.conf"]


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


def run(*command, **more):
    done = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", timeout=60, check=False, **more)
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout


def files_of(tree):
    return sorted("/" + os.path.relpath(os.path.join(folder, name), tree)
                  for folder, _, names in os.walk(tree) for name in names)


def install(tree, *variables):
    # "all" is there: nothing is built or linked anew, whatever the variables are
    for target in ("install", "install-python"):
        run("make", "-o", "all", f"B={BUILD}", f"DESTDIR={tree}", f"PYTHONDIR={PYTHON_DIR}", "PREFIX=/usr", *variables, target)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    tree = str(tmp_path_factory.mktemp("installed"))
    install(tree, f"LIBDIR={LIB}", f"ZSHCOMPDIR={ZSH}", "SYSCONFDIR=/etc")
    return files_of(tree)


def one_owner(installed, claims):
    """claims: (package, pattern). Each pattern has to fit something, each file exactly one package."""
    owners = {path: set() for path in installed}
    idle = []
    for package, pattern in claims:
        fitting = [path for path in installed
                   if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, pattern.rstrip("/") + "/*")]
        for path in fitting:
            owners[path].add(package)
        if not fitting:
            idle.append((package, pattern))
    assert not idle, "nothing that is installed fits these"
    wrong = {path: sorted(names) for path, names in owners.items() if len(names) != 1}
    assert not wrong, "these belong to no package, or to more than one"


# --- Debian

def debian_packages():
    return re.findall(r"^Package: (\S+)$", read("packaging/debian/control"), re.M)


def debian_claims():
    for package in debian_packages():
        for line in read(f"packaging/debian/{package}.install").split("\n"):
            words = line.split()
            if len(words) == 1:
                yield package, "/" + words[0].replace("${env:UNITDIR}", "usr/lib/systemd/system")
            elif words:
                assert os.path.exists(os.path.join(TOP, words[0])), "what is not installed by make is in the sources"


def test_each_file_is_in_one_debian_package(installed):
    one_owner(installed, list(debian_claims()))


def test_each_debian_file_belongs_to_a_package_of_control():
    names = set(debian_packages())
    suffixes = ("install", "postinst", "postrm", "prerm", "preinst", "docs", "examples", "symbols", "lintian-overrides",
                "README.Debian", "NEWS", "links", "manpages")
    for name in os.listdir(os.path.join(TOP, "packaging/debian")):
        for suffix in suffixes:
            if name.endswith("." + suffix):
                assert name[:-len(suffix) - 1] in names, name


def test_the_symbols_file_says_what_the_library_exports():
    table = run("nm", "-D", "--defined-only", os.path.join(BUILD, "lib/libllmclient.so"))
    exported = {line.split()[2].replace("@@", "@") for line in table.splitlines()}
    exported = {name if "@" in name else f"{name}@{name}" for name in exported}
    lines = read("packaging/debian/libllmclient1.symbols").splitlines()
    assert lines[1] == "* Build-Depends-Package: libllmclient-dev"
    assert {line.split()[0] for line in lines if line.startswith(" ")} == exported


def test_maintainer_scripts_are_shell():
    folder = os.path.join(TOP, "packaging/debian")
    scripts = [name for name in os.listdir(folder) if name.endswith((".postinst", ".postrm", ".prerm", ".preinst"))]
    assert len(scripts) >= 2
    for name in scripts:
        run("sh", "-n", os.path.join(folder, name))
        assert "\n#DEBHELPER#\n" in read(f"packaging/debian/{name}"), name
    for name in ("built", "library", "service"):
        path = os.path.join(folder, "tests", name)
        run("sh", "-n", path)
        assert os.access(path, os.X_OK), name


IN_OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


def test_a_purge_deletes_the_state_of_the_system_alone_and_says_so(tmp_path):
    state = tmp_path / "var/lib/llm-broker"
    home = tmp_path / "home/user/.local/state/llm-broker"
    for folder in (state, home):
        folder.mkdir(parents=True)
        (folder / "vault").write_bytes(b"sealed")
    script = tmp_path / "postrm"
    script.write_text(read("packaging/debian/llm-broker.postrm").replace("#DEBHELPER#", ""), encoding="utf-8")

    def postrm(action):
        return run("sh", str(script), action, env={"PATH": os.environ["PATH"], "DPKG_ROOT": str(tmp_path)})

    for action in ("remove", "upgrade", "failed-upgrade", "disappear"):
        assert postrm(action) == ""
        assert (state / "vault").exists()
    said = postrm("purge")
    assert not state.exists() and (home / "vault").exists()
    assert f"deleting {state}" in said and "vault" in said and "~/.local/state/llm-broker" in said
    assert postrm("purge").count("\n") == 1, "a second one has nothing to delete"
    state.symlink_to(home)
    assert "stays" in postrm("purge") and (home / "vault").exists()


def test_a_purge_empties_what_is_mounted_there_and_does_not_fail(tmp_path):
    """It cannot remove a mount point; and what is mounted below it is not the broker's."""
    if subprocess.run([*IN_OWN_MOUNTS, "true"], capture_output=True, timeout=60, check=False).returncode != 0:
        pytest.skip("this user cannot mount anything, not even for himself")
    script = tmp_path / "postrm"
    script.write_text(read("packaging/debian/llm-broker.postrm").replace("#DEBHELPER#", ""), encoding="utf-8")
    state = tmp_path / "var/lib/llm-broker"
    state.mkdir(parents=True)
    steps = f"""set -e
        mount -t tmpfs none {state}
        mkdir -p {state}/prompts/a {state}/own
        touch {state}/vault {state}/prompts/a/b
        {{}}
        sh {script} purge
        find {state} -mindepth 1 -printf '%P\\n'"""
    env = {"PATH": os.environ["PATH"], "DPKG_ROOT": str(tmp_path), "LC_ALL": "C"}
    said = run(*IN_OWN_MOUNTS, "sh", "-c", steps.format(""), env=env).splitlines()
    assert f"deleting {state}" in said[0] and f"{state} itself stays" in said[1] and len(said) == 3, said
    said = run(*IN_OWN_MOUNTS, "sh", "-c", steps.format(f"mount -t tmpfs none {state}/own; touch {state}/own/file"), env=env)
    assert said.splitlines()[3:] == ["own", "own/file"] and f"{state} itself stays" in said, said


# --- RPM

RPM_PLACES = {
    "_prefix": "/usr", "_bindir": "/usr/bin", "_libdir": LIB, "_includedir": "/usr/include", "_datadir": "/usr/share",
    "_mandir": "/usr/share/man", "_sysconfdir": "/etc", "_unitdir": "/usr/lib/systemd/system",
    "_userunitdir": "/usr/lib/systemd/user", "_sysusersdir": "/usr/lib/sysusers.d", "_tmpfilesdir": "/usr/lib/tmpfiles.d",
    "python3_sitelib": PYTHON_DIR,
}


@pytest.fixture(scope="module")
def spec():
    if not shutil.which("rpmspec"):
        pytest.skip("there is no rpmspec")
    defines = [word for name, place in RPM_PLACES.items() for word in ("--define", f"{name} {place}")]
    return run("rpmspec", "-P", *defines, "packaging/rpm/llm-broker.spec")


def rpm_claims(spec):
    package = None
    for line in spec.splitlines():
        heading = re.match(r"%(\w+)(?: -n (\S+)| (\S+))?", line)
        if heading and heading.group(1) == "files":
            package = heading.group(2) or "llm-broker" + (f"-{heading.group(3)}" if heading.group(3) else "")
        elif heading and heading.group(1) == "changelog":
            package = None
        elif package and line and not line.startswith(("%license", "%doc", "%dir")):
            yield package, re.sub(r"^%\w+(\([^)]*\))? ", "", line)


def test_each_file_is_in_one_rpm(installed, spec):
    claims = [(package, path.replace("/usr/share/zsh/site-functions", ZSH)) for package, path in rpm_claims(spec)]
    assert len({package for package, _ in claims}) == 8
    one_owner(installed, claims)


def test_what_administrators_change_is_kept(installed, spec):
    """Debian has what is in /etc for theirs by itself."""
    assert [path for path in installed if path.startswith("/etc/")] == ["/" + name for name in CONFFILES]
    assert re.findall(r"^%config\(noreplace\) /(\S+)$", spec, re.M) == CONFFILES


def test_who_needs_no_daemon_brings_none_along(spec):
    """In a container the broker is outside; whoever installs these there has not asked for a socket that listens."""
    for package, theirs in (("libllmclient1", "libllmclient"), ("llmb", "llmb")):
        (fields,) = re.findall(rf"(?ms)^Package: {package}\n(.*?)^Description:", read("packaging/debian/control"))
        weak = dict(re.findall(r"(?m)^(Depends|Recommends|Suggests): (.*)$", fields))
        assert "llm-broker" in weak["Suggests"].split(", ") and "Recommends" not in weak, weak
        (fields,) = re.findall(rf"(?ms)^%package -n {theirs}\n(.*?)^%description", spec)
        assert re.search(r"(?m)^Suggests: +llm-broker$", fields) and "Recommends" not in fields, fields


def test_the_spec_gives_make_every_folder(spec):
    lines = [line for line in spec.replace("\\\n", " ").splitlines() if re.search(r"\bmake\b.* install ", line)]
    assert lines, "there is an install"
    given = dict(re.findall(r"\b([A-Z]+DIR|PREFIX)=(\S+)", lines[0]))
    folders = set(re.findall(r"^(\w+DIR|PREFIX) +\?=", read("Makefile"), re.M)) - {"PYTHONDIR"}
    assert set(given) - {"DESTDIR"} == folders
    assert not [value for value in given.values() if "%{_" in value]


# --- Arch

def sourced(*commands, **more):
    return run("bash", "-euc", "source packaging/arch/PKGBUILD; " + "; ".join(commands), **more)


def test_the_pkgbuild_says_what_a_package_needs():
    run("bash", "-n", "packaging/arch/PKGBUILD")
    assert sourced('echo "$pkgname $pkgrel"').split() == ["llm-broker", "1"]
    assert sourced('echo "${#source[@]} ${#sha256sums[@]}"').split() == ["1", "1"]
    for array in ("arch", "license", "depends", "makedepends"):
        words = sourced(f'printf "%s\\n" "${{{array}[@]}}"').split("\n")[:-1]
        assert words and all(re.fullmatch(r"[A-Za-z0-9@._+-]+", word) for word in words), array
    sourced("declare -F build check package")
    assert sourced('printf "%s\\n" "${backup[@]}"').split() == CONFFILES


def test_the_pkgbuild_installs_every_file(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    install(str(ours), "SYSCONFDIR=/etc")
    (tmp_path / f"llm-broker-{version()}").symlink_to(TOP)
    sourced(f'pkgdir="{theirs}"', f'make() {{ command make -o all "B={BUILD}" "$@" "PYTHONDIR={PYTHON_DIR}"; }}',
            f'cd "{tmp_path}"', "package")
    more = [path for path in files_of(theirs) if path not in set(files_of(ours))]
    assert set(files_of(ours)) <= set(files_of(theirs))
    assert more == ["/usr/share/doc/llm-broker/README.md", "/usr/share/doc/llm-broker/protocol.md",
                    "/usr/share/licenses/llm-broker/LICENSE"]


# --- all of them

def version():
    return re.search(r"^VERSION := (\S+)$", read("Makefile"), re.M).group(1)


def test_all_are_of_one_version():
    assert re.match(r"llm-broker \((.+)-\d+\) ", read("packaging/debian/changelog")).group(1) == version()
    assert re.search(r"^Version: +(\S+)$", read("packaging/rpm/llm-broker.spec"), re.M).group(1) == version()
    assert re.search(r"^- (.*)$", read("packaging/rpm/llm-broker.spec"), re.M)
    assert sourced('echo "$pkgver"').strip() == version()


def test_what_is_given_to_make_is_known_there():
    known = set(re.findall(r"^(\w+) +\?=", read("Makefile"), re.M)) | {"V"}
    rules = re.search(r"^variables :=(.*?)\n\w+ :=", read("packaging/debian/rules"), re.M | re.S).group(1)
    arch = re.search(r"^_variables=\((.*)\)$", read("packaging/arch/PKGBUILD"), re.M).group(1)
    for text in (rules, arch):
        given = re.findall(r"\b([A-Z]+)=", text)
        assert len(given) >= 3 and set(given) <= known


def test_outside_of_a_clone_deb_says_why(tmp_path):
    for name in ("packaging/deb.sh", "packaging/debian/changelog", "packaging/debian/control"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.join(TOP, name), tmp_path / name)
    if not all(shutil.which(tool) for tool in ("git", "dh", "dpkg-buildpackage")):
        pytest.skip("what makes packages is not there")
    done = subprocess.run(["packaging/deb.sh", "--no-lintian", version(), "build/deb"], cwd=tmp_path, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False)
    assert done.returncode == 1 and "is no clone of the repository" in done.stdout
    assert not (tmp_path / "build").exists()
