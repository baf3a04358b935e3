#!/usr/bin/python3
"""install.py - are the SDKs there that the tests drive, at the versions that are written down?

usage: install.py FOLDER KIND...

node, tools, agents: tests/sdk/KIND/package-lock.json by npm; python, libraries: tests/sdk/KIND/requirements.txt by
pip, into an environment of its own. Each goes to a folder below FOLDER, with what it was made of beside it, and is
left as it is while that is the same. What cannot be installed is said, and its tests are skipped; the exit status is
0 all the same.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 300
NODE = 20  # what the packages need at the least
BY_NPM, BY_PIP = ("node", "tools", "agents"), ("python", "libraries")


def _pinned(kind):
    """The files that say what is wanted."""
    if kind in BY_PIP:
        return [HERE / kind / "requirements.txt"]
    return [HERE / kind / "package.json", HERE / kind / "package-lock.json"]


def _print_of(kind):
    digest = hashlib.sha256()
    for path in _pinned(kind):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def find(folder, kind):
    """Where it is installed as it is written down now; None: it is not."""
    made = pathlib.Path(folder).absolute() / kind
    mark = made / "installed"
    return made if mark.exists() and mark.read_text() == _print_of(kind) else None


def _run(*command, cwd):
    done = subprocess.run([str(arg) for arg in command], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=SECONDS)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {' / '.join(said[:3])[:400]}")
    return done.stdout


def _node(made, kind):
    version = _run("node", "--version", cwd=made).strip()
    if int(version.lstrip("v").partition(".")[0]) < NODE:
        raise RuntimeError(f"node is {version}, and {NODE} is needed")
    for path in _pinned(kind):
        shutil.copy(path, made)
    # the tools bring their programs as packages, found without a step of their own
    _run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1",
         "--fetch-timeout=60000", cwd=made)


def _python(made, kind):
    _run("/usr/bin/python3", "-m", "venv", made / "venv", cwd=made)
    _run(made / "venv/bin/pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "--retries=1",
         "-r", _pinned(kind)[0], cwd=made)


def install(folder, kind):
    """Installs it if need be; raises what went wrong."""
    if find(folder, kind):
        return
    made = pathlib.Path(folder).absolute() / kind
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    if kind in BY_PIP:
        _python(made, kind)
    else:
        _node(made, kind)
    (made / "installed").write_text(_print_of(kind))


def main(args):
    if len(args) < 2 or set(args[1:]) - {*BY_NPM, *BY_PIP}:
        sys.exit(__doc__)
    for kind in args[1:]:
        try:
            install(args[0], kind)
            print(f"sdk: {kind} is there")
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as why:
            print(f"sdk: {kind} cannot be installed, and its tests are skipped: {why}")


if __name__ == "__main__":
    main(sys.argv[1:])
