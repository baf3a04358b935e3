"""test_install.py - who may read what is installed, and what the daemon keeps?"""

import json
import os
import pathlib
import stat
import subprocess

import harness
import pytest
from surfaces import FAMILIES, dialects, relay
from test_identity import needs_bwrap

pytestmark = pytest.mark.security

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def modes(folder):
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode)
            for path in sorted(folder.rglob("*")) if not path.is_symlink()}


def install(folder, prefix):
    """The programs that were built, as they are: `-o all` builds nothing."""
    if not (harness.bin_dir().parent / "lib").exists():
        pytest.skip("these programs are no build of this folder's")
    subprocess.run(["make", "-C", harness.TOP, "-o", "all", f"B={harness.bin_dir().parent}", "install",
                    f"DESTDIR={folder}", f"PREFIX={prefix}"], check=True, capture_output=True, env=CLEAN)


def test_what_is_installed(tmp_path):
    install(tmp_path, "/usr")
    found = modes(tmp_path)
    assert {"usr/bin/llm-brokerd", "usr/bin/llmb"} <= set(found)
    for name, mode in found.items():
        is_run = (tmp_path / name).is_dir() or name.startswith("usr/bin/")
        wanted = 0o711 if name == "usr/bin/llm-brokerd" else 0o755 if is_run else 0o644
        assert mode == wanted, (name, oct(mode))
    assert {path.lstat().st_uid for path in tmp_path.rglob("*")} == {os.geteuid()}


def of_readme(begin, end):
    """The first piece of README.md from one text to another."""
    text = (harness.TOP / "README.md").read_text()
    at = text.index(begin)
    return text[at:text.index(end, at) + len(end)]


@needs_bwrap
def test_the_sandbox_of_the_readme(broker, tmp_path):
    """As it stands there, with what `make install` puts into /usr/local, which no cache of ld.so knows."""
    install(tmp_path, "/usr/local")
    made = broker('[model "default"]\ntarget = offline/echo\n', run=False)
    made.socket = pathlib.Path(made.env["XDG_RUNTIME_DIR"]) / "llm-broker/sock"
    made.start()
    assert made.llmb("app", "add", "notes").code == 0
    shown = of_readme("bwrap --unshare-all", '"hello from nowhere"')
    script = shown.replace("/usr /usr", f"/usr /usr --ro-bind {tmp_path}/usr/local /usr/local", 1)
    assert script != shown
    done = subprocess.run(["sh", "-c", script], env=made.env, capture_output=True, text=True,
                          timeout=harness.CALL_SECONDS)
    assert done.returncode == 0 and "hello from nowhere" in done.stdout, done


def test_the_rules_of_the_readme(broker):
    made = broker(of_readme('[policy "small"]', "native = anthropic GET /v1/files"))
    builder = ("policy", "test", "--as", "flatpak:org.gnome.Builder", "--on", "main", "--json")
    for op in ("chat", "native"):
        said = json.loads(made.llmb(*builder, "--op", op).out)
        assert (said["rule"], said["allowed"]) == ("builder", True), said


def test_what_is_kept(broker, provider):
    """However open the umask of who starts it is."""
    before = os.umask(0)
    try:
        made = broker("[broker]\nlog_level = debug\n" + harness.provider_section(
            provider, model="m", dialect=dialects(), base_path="/v1"))
    finally:
        os.umask(before)
    made.add_key("test", "sk-any")
    assert made.llmb("vault", "passphrase", "--from-stdin", "--no-input", input="correct horse\n").code == 0
    family = FAMILIES["responses"]
    script, _ = family.script("Hi", False)
    provider.script(**script)
    assert relay(made, **family.ask("test/m", "x")).is_good
    made.reload()
    made.wait_log("config.loaded")
    for end in (None, made.stop):  # while it runs, and what is left
        if end:
            end()
        found = modes(made.state_dir)
        assert {"vault", "journal", "ledger.db"} <= set(found), found
        assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}
        assert stat.S_IMODE(made.state_dir.stat().st_mode) == 0o700


def test_a_folder_that_others_may_write_to_is_refused(broker):
    made = broker(run=False)
    made.state_dir.mkdir()
    made.state_dir.chmod(0o777)
    made.start()
    done = made.llmb("ask", "-m", "offline/echo", "hi")
    assert done.code != 0 and "writable by it alone" in done.err
    assert list(made.state_dir.iterdir()) == []


def test_a_folder_that_others_may_read_holds_nothing_they_may(broker):
    made = broker(run=False)
    made.state_dir.mkdir()
    made.state_dir.chmod(0o755)
    made.start()
    made.add_key("openai", "sk-any")
    assert {name: oct(mode) for name, mode in modes(made.state_dir).items() if mode & 0o077} == {}


def test_a_key_file_is_its_owners(broker):
    made = broker()
    made.add_key("openai", "sk-any")
    path = next(pathlib.Path(made.state_dir).glob("*key*"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
