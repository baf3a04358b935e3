"""test_wire_safe.py - does `llmb wire` keep what is the user's, whatever stands in the file and whatever happens meanwhile?"""

import os
import re
import stat
import struct
import subprocess

import harness
import pytest
from programs import needs
from test_identity import needs_bwrap
from test_run import Terminal
from test_wire_tools import BASE, FILES, MODEL, OWN, PORT, made, own, paths, records, whole, wire, write  # noqa: F401

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give files to others")
OTHER = 65534


def codex(made):
    return paths(made, "codex")[0]


def is_left_alone(made, tool, *says, code=1):
    before = whole(made)
    done = wire(made, tool, "-y", *MODEL, code=code)
    assert all(one in done.err for one in says), done
    assert whole(made) == before and records(made) == []


# ---- links, and folders of others ----

@needs_root
@pytest.mark.parametrize("name", [".codex/config.toml", ".codex"])
def test_another_user_s_link_is_not_followed(made, name):
    """As root in a folder where others may write it could lead anywhere."""
    target = made.home / "target" / "config.toml"
    write(target, OWN["codex"])
    link = made.home / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target if link.suffix else target.parent)
    os.lchown(link, OTHER, OTHER)
    is_left_alone(made, "codex", str(link), f"link of user {OTHER}")
    os.lchown(link, os.geteuid(), -1)
    wire(made, "codex", "-y")
    assert link.is_symlink() and BASE in target.read_text()
    os.lchown(link, OTHER, OTHER)
    wire(made, "codex", "--undo", "-y", code=1)
    os.lchown(link, os.geteuid(), -1)
    wire(made, "codex", "--undo", "-y")
    assert target.read_text() == OWN["codex"] and link.is_symlink()


@needs_root
@pytest.mark.parametrize("mode, owner", [(0o777, 0), (0o775, 0), (0o755, OTHER)])
def test_root_writes_in_no_folder_of_others(made, mode, owner):
    own(made, "codex")
    folder = codex(made).parent
    os.chown(folder, owner, OTHER)
    folder.chmod(mode)
    is_left_alone(made, "codex", str(folder), "root")
    folder.chmod(0o755)
    os.chown(folder, 0, 0)
    wire(made, "codex", "-y")


@needs_root
def test_root_is_not_led_by_the_folder_of_a_record(made):
    """What is in there says which file is written."""
    own(made, "codex")
    wire(made, "codex", "-y")
    folder = made.home / ".local/state/llmb/wire"
    os.chown(folder, OTHER, -1)
    done = wire(made, "codex", "--undo", "-y", code=1)
    assert str(folder) in done.err and BASE in codex(made).read_text(), done


def test_links_that_go_in_a_circle(made):
    codex(made).parent.mkdir()
    codex(made).symlink_to("config.toml")
    is_left_alone(made, "codex", str(codex(made)))


def test_a_file_with_another_name_stays_one_file(made):
    """A hard link: what would be written anew would be one of them alone."""
    own(made, "codex")
    os.link(codex(made), made.home / "dotfiles.toml")
    is_left_alone(made, "codex", "another name")


# ---- who may read it ----

ACL_USER = struct.pack("<IHHIHHIHHIHHIHHI", 2, 1, 6, 0xffffffff, 2, 6, OTHER, 4, 0, 0xffffffff, 0x10, 6, 0xffffffff,
                       0x20, 0, 0xffffffff)


def test_a_list_of_who_may_read_it_stays(made):
    """What shows as the group's bits is then the most that anybody of the list may; the group itself may nothing."""
    own(made, "codex")
    try:
        os.setxattr(codex(made), "system.posix_acl_access", ACL_USER)
        os.setxattr(codex(made), "user.mine", b"x")
    except OSError:
        pytest.skip("this file system has no such lists")
    for args in ((), ("--undo",)):
        wire(made, "codex", "-y", *args)
        assert os.getxattr(codex(made), "system.posix_acl_access") == ACL_USER
        assert os.getxattr(codex(made), "user.mine") == b"x"


@pytest.mark.parametrize("umask", [0, 0o777])
def test_a_file_for_its_owner_alone_stays_that(made, umask):
    write(codex(made), OWN["codex"], 0o600)
    before = os.umask(umask)
    try:
        wire(made, "codex", "-y")
        wire(made, "claude", "-y")
    finally:
        os.umask(before)
    made_here = [codex(made), paths(made, "claude")[0], *(made.home / ".local/state/llmb/wire").iterdir()]
    assert {oct(stat.S_IMODE(one.stat().st_mode)) for one in made_here} == {"0o600"}
    folders = [paths(made, "claude")[0].parent, made.home / ".local/state/llmb", made.home / ".local/state/llmb/wire"]
    assert {oct(stat.S_IMODE(one.stat().st_mode)) for one in folders} == {"0o700"}


def test_a_file_that_is_closed_while_somebody_thinks_stays_closed(made):
    own(made, "codex")
    terminal = Terminal(made, harness.program("llmb"), "wire", "codex", "--bridge", PORT)
    terminal.read_until("[y/N]")
    codex(made).chmod(0o600)
    terminal.type("y\n")
    status, out = terminal.finish()
    assert status == 1 and "changed meanwhile" in out and codex(made).read_text() == OWN["codex"], out
    assert stat.S_IMODE(codex(made).stat().st_mode) == 0o600 and records(made) == []


def test_a_file_that_nobody_may_write_is_left_alone(made):
    own(made, "codex")
    codex(made).chmod(0o444)
    is_left_alone(made, "codex", "read-only")
    codex(made).chmod(0o644)
    wire(made, "codex", "-y")
    codex(made).chmod(0o444)
    done = wire(made, "codex", "--undo", "-y", code=1)
    assert "read-only" in done.err and "codex-0.json" in records(made), done


# ---- what stands in it ----

@pytest.mark.parametrize("tool", FILES)
@pytest.mark.parametrize("text", [b"a\0b", "a: b # \xe4\n".encode("latin-1"), "a = 1\n".encode("utf-16"), bytes(range(256))],
                         ids=["nul", "latin1", "utf16", "binary"])
def test_what_is_no_text_is_left_alone(made, tool, text):
    write(paths(made, tool)[-1], text)
    is_left_alone(made, tool, "cannot be changed safely")


def test_what_is_too_long_or_too_deep_is_left_alone(made):
    write(codex(made), "# x\n" * (1 << 20) + "#")
    is_left_alone(made, "codex", "longer than")
    write(paths(made, "claude")[0], '{"a":' * 600 + "1" + "}" * 600)
    is_left_alone(made, "claude", "cannot be changed safely")
    write(paths(made, "claude")[0], '{"a":' * 500 + "1" + "}" * 500)
    wire(made, "claude", "-y")


@pytest.mark.parametrize("tool, lines", [("codex", '# {n}\na{n} = "{n}"\n'), ("claude", '"a{n}": [\n{n}\n],\n')])
def test_a_long_file(made, tool, lines):
    """Three megabytes, there and back in a moment."""
    text = "".join(lines.replace("{n}", str(n)) for n in range(100_000))
    write(paths(made, tool)[0], "{" + text.rstrip(",\n") + "}" if tool == "claude" else text)
    before = whole(made)
    wire(made, tool, "-y")
    wire(made, tool, "--undo", "-y")
    assert whole(made) == before


TAKEN = ['[model_providers]\nllm-broker = {}\n', '[model_providers]\nllm-broker.name = "x"\n', '[model_providers]\n"llm-broker" . x = 1\n',
         'model_providers.llm-broker.name = "x"\n', '"model_providers" . "llm-broker" = {}\n', '[[model_providers]]\nx = 1\n',
         "[ model_providers . 'llm-broker' ]\n", 'model_providers = {}\n', '[[model_providers.llm-broker]]\n']
FREE = ['model_providers.azure.name = "x"\n', '[model_providers]\nazure = {}\n', '[model_providers.azure]\n"model_provider" = 1\n',
        '[model_providers.llm-broker-2]\nx = 1\n', '[profiles.x]\nmodel_provider = "azure"\n', 'model_provider="a"\r\n\r\n[x]\r\n',
        '"model_provider" = "a"\n', "'model' = 'a'\n", 'x = """\n[model_providers.llm-broker]\n"""\n', '[a.model_providers.llm-broker]\n']


@pytest.mark.parametrize("text", TAKEN + FREE)
def test_what_it_makes_of_toml_is_toml(made, text):
    tomllib = pytest.importorskip("tomllib")
    was = tomllib.loads(text)
    write(codex(made), text)
    if text in TAKEN:
        is_left_alone(made, "codex", "cannot be changed safely")
        return
    wire(made, "codex", "-y", *MODEL)
    got = tomllib.loads(codex(made).read_bytes().decode())
    assert got.pop("model_provider") == "llm-broker" and got.pop("model") == "local/a"
    assert got["model_providers"].pop("llm-broker")["base_url"] == f"{BASE}/v1"
    kept = {name: value for name, value in was.items() if name not in ("model_provider", "model")}
    assert {name: value for name, value in got.items() if value} == {name: value for name, value in kept.items() if value}


@pytest.mark.parametrize("tool, text", [("aider", "model: x\n"), ("continue", "models:\n- name: x\n"), ("llm", "- model_id: x\n"),
                                        ("codex", 'model = "x"\n'), ("claude", '{"env": {}}\n'), ("gemini", '{"ui": {}}\n')])
def test_a_mark_of_the_byte_order_stays_in_front(made, tool, text):
    path = paths(made, tool)[0]
    write(path, b"\xef\xbb\xbf" + text.encode())
    before = path.read_bytes()
    wire(made, tool, "-y", *MODEL)
    got = path.read_bytes()
    assert got.startswith(b"\xef\xbb\xbf") and got.count(b"\xef\xbb\xbf") == 1 and b"\nmodel: x" not in got[3:], got
    assert b"\xef\xbb\xbfmodel: x" not in got
    wire(made, tool, "--undo", "-y")
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ['x: "a\nmodel: b"\n', "x: 'a\nmodel: b'\n", "x: [\nmodel: b\n]\n", "x: {a: 1,\nmodel: 2}\n"])
def test_a_key_inside_of_what_began_above_is_no_key(made, text):
    write(paths(made, "aider")[0], text)
    is_left_alone(made, "aider", "cannot be changed safely")


@pytest.mark.parametrize("text", ["x: it's\nmodel: b\n", 'x: a "b\nmodel: b\n', "x: \"a # b\"\nmodel: 'b''c'\n", "x: [a] # [\nmodel: b\n",
                                  'x: "a\\"b"\nmodel: b\n'])
def test_and_what_only_looks_so_is_one(made, text):
    yaml = pytest.importorskip("yaml")
    write(paths(made, "aider")[0], text)
    wire(made, "aider", "-y", *MODEL)
    assert yaml.safe_load(paths(made, "aider")[0].read_text())["model"] == "openai/local/a"
    wire(made, "aider", "--undo", "-y")
    assert paths(made, "aider")[0].read_text() == text


# ---- what others write meanwhile, and since ----

def test_many_at_once(made):
    """One of them is first; none takes away what another has recorded."""
    own(made, "codex")
    before = whole(made)
    all_of_them = [made.llmb_start("wire", "codex", "-y", "-q", "--bridge", f"127.0.0.1:{port}") for port in range(10, 26)]
    done = [one.finish() for one in all_of_them]
    assert any(one.code == 0 for one in done), done
    assert [one.err for one in done if one.code != 0 and "meanwhile" not in one.err] == []
    assert re.search(r'base_url = "http://127.0.0.1:\d\d/v1"', codex(made).read_text())
    assert len(records(made)) == 3
    wire(made, "codex", "--undo", "-y")
    assert whole(made) == before and records(made) == []


def test_there_and_back_at_once(made):
    own(made, "codex")
    before = whole(made)
    running = [made.llmb_start("wire", "codex", "-y", "-q", "--bridge", PORT, *(["--undo"] if n % 2 else [])) for n in range(16)]
    done = [one.finish() for one in running]
    assert [one.err for one in done if one.code != 0 and "meanwhile" not in one.err and "has written nothing" not in one.err] == []
    if records(made):
        wire(made, "codex", "--undo", "-y")
    assert whole(made) == before


@pytest.mark.parametrize("tool", ["codex", "aider", "llm", "continue"])
def test_a_mark_that_is_gone_takes_nothing_else_with_it(made, tool):
    """Where our lines end is not known then: also by force nothing of the user's is taken for ours."""
    own(made, tool)
    wire(made, tool, "-y", *MODEL)
    path = paths(made, tool)[0]
    path.write_text(re.sub(r"(?m)^ *# <<< llm-broker\n", "", path.read_text(), count=1) + "# mine, since\n")
    before = whole(made)
    for args in ((), ("--force",)):
        done = wire(made, tool, "--undo", "-y", *args, code=1)
        assert "cannot be taken apart" in done.err and f"{tool}-0.before" in done.err, done
        assert whole(made) == before


@pytest.mark.parametrize("tool", ["codex", "aider", "gemini"])
def test_lines_that_somebody_took_out_are_out(made, tool):
    """By hand; or --undo did, and was cut short before it said so."""
    own(made, tool)
    wire(made, tool, "-y", *MODEL)
    path = paths(made, tool)[-1]
    text = re.sub(r"(?ms)^# >>> .*?^# <<< llm-broker\n", "", path.read_text())
    path.write_text(re.sub(r"(?m)^# llm-broker has put aside: ", "", text) + "# mine\n")
    wire(made, tool, "--undo", "-y")
    assert path.read_text().endswith("# mine\n") and "llm-broker" not in path.read_text() and records(made) == []


def test_lines_of_ours_without_their_marks_are_told_of(made):
    """A tool that writes its file anew without the comments: it still leads to the bridge."""
    own(made, "codex")
    wire(made, "codex", "-y")
    codex(made).write_text("\n".join(line for line in codex(made).read_text().splitlines() if not line.startswith("#")) + "\n")
    done = wire(made, "codex", "--undo", "-y", code=1)
    assert "--force" in done.err and BASE in codex(made).read_text() and "codex-0.json" in records(made), done


def test_what_stood_there_comes_back_as_it_was(made):
    """Comments, spaces and all, also into a file that has been changed since."""
    mine = '{\n  "provider": {\n    "llm-broker": { "npm" : "x", // mine\n      /* and */ "options": {}, },\n  },\n}\n'
    path = paths(made, "opencode")[0]
    write(path, mine)
    wire(made, "opencode", "-y", "-m", "a")
    path.write_text(path.read_text().rstrip()[:-1] + '  "added": 1\n}\n')
    wire(made, "opencode", "--undo", "-y")
    assert path.read_text() == mine.rstrip()[:-1] + '  "added": 1\n}\n'


def test_two_tools_in_one_file(made):
    """Each takes out its own, in any order."""
    there = {"CLAUDE_CONFIG_DIR": str(made.home / ".gemini")}
    path = paths(made, "gemini")[0]
    for order in (("claude", "gemini"), ("gemini", "claude")):
        own(made, "gemini")
        before = path.read_text()
        wire(made, "claude", "-y", *MODEL, env=there)
        wire(made, "gemini", "-y", *MODEL, env=there)
        for tool in order:
            wire(made, tool, "--undo", "-y", env=there)
        assert path.read_text() == before and records(made) == [], order


# ---- what is in the way ----

def test_a_home_that_is_not_there_is_not_made(made):
    home = made.folder / "nobody"
    for args in (("codex", "-y"), ("codex", "--undo", "-y")):
        done = made.llmb("wire", *args, env={"HOME": str(home)})
        assert done.code == 1 and str(home) in done.err and "is not there" in done.err and not home.exists(), done
    done = made.llmb("wire", "codex", "-y", env={"HOME": ""})
    assert done.code == 1 and "HOME is not set" in done.err, done


@needs_bwrap
@pytest.mark.parametrize("full", [".codex", ".local/state/llmb/wire"])
def test_a_full_disk(made, full):
    """Whole pages of it: what is there, and nothing of ours half."""
    text = OWN["codex"] + "\n# " + "x" * 6000 + "\n"
    write(codex(made), text, 0o640)
    (made.home / ".local/state/llmb/wire").mkdir(parents=True, mode=0o700)
    folder = made.home / full
    put = f"[ ! -e /tmp/kept ] || cp -p /tmp/kept '{folder}/config.toml'; \"$@\"; code=$?; ls -A '{folder}'; cat '{codex(made)}'; exit $code"
    kept = ["--ro-bind", codex(made), "/tmp/kept"] if full == ".codex" else []
    done = subprocess.run(["bwrap", "--dev-bind", "/", "/", "--tmpfs", "/tmp", "--bind", made.folder, made.folder, *kept,
                           "--ro-bind", harness.bin_dir().parent, harness.bin_dir().parent,  # where they were built below /tmp
                           "--size", "12288" if full == ".codex" else "4096", "--tmpfs", folder, "sh", "-c", put, "sh",
                           harness.program("llmb"), "wire", "codex", "-y", "-q", "--bridge", PORT],
                          env=made.client_env(), capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    assert done.returncode == 1 and "No space left" in done.stderr, done
    listed = "config.toml\n" if full == ".codex" else ""
    assert done.stdout.endswith(listed + text), done
    assert records(made) == []


def test_a_folder_that_could_not_be_made_leaves_no_other(made):
    """The second one of three is a file's name already, as it turns out."""
    (made.home / ".config").mkdir()
    (made.home / ".config/io.datasette.llm").write_text("")
    is_left_alone(made, "llm", "io.datasette.llm")


def test_a_record_that_nobody_understands_is_named(made):
    own(made, "codex")
    wire(made, "codex", "-y")
    record = made.home / ".local/state/llmb/wire/codex-0.json"
    record.write_text("{")
    for args in ((), ("--undo",)):
        assert str(record) in wire(made, "codex", "-y", *args, code=1).err
    assert BASE in codex(made).read_text()


def test_a_path_that_no_record_can_have(made):
    folder = os.fsencode(made.folder) + b"/\xff"
    os.mkdir(folder)
    done = subprocess.run([harness.program("llmb"), "wire", "codex", "-y"], env={**made.client_env(), "CODEX_HOME": os.fsdecode(folder)},
                          capture_output=True, timeout=harness.CALL_SECONDS)
    assert done.returncode == 1 and b"UTF-8" in done.stderr and os.listdir(folder) == [], done


@needs("strace")
def test_it_reaches_the_disk_in_this_order(made):
    """The record before the file; of each the bytes before its name, and the name before what follows."""
    own(made, "codex")
    log, env = made.folder / "trace", made.client_env()
    env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # which cannot be looked for in what is traced
    subprocess.run(["strace", "-f", "-y", "-e", "trace=fsync,rename,renameat,renameat2,linkat", "-o", log, harness.program("llmb"), "wire",
                    "codex", "-y", "-q", "--bridge", PORT], env=env, check=True, timeout=harness.CALL_SECONDS)
    steps = []
    for line in log.read_text().splitlines():
        if "fsync(" in line:
            name = re.search(r"fsync\(\d+<(.*?)>", line)[1]
            steps.append("folder" if os.path.isdir(name) else "bytes")
        elif "rename" in line:
            steps.append(re.findall(r'"(.*?)"', line)[-1].rsplit("/")[-1])
    assert steps == [step for name in ("codex-0.before", "codex-0.after", "codex-0.json", "config.toml")
                     for step in ("bytes", name, "folder")], steps
