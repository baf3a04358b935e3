"""test_sandbox.py - do the recipes of packaging/sandbox hold, for bubblewrap and for connections that are inherited?

They are run as they stand on the page, but for one more bind: what `make install` gives, at /usr/local."""

import json
import pathlib
import re
import subprocess

import harness
import pytest
import recipes
from recipes import open_folder  # noqa: F401
from surfaces import FAMILIES, dialects
from test_identity import OTHER, as_user, needs_bwrap, needs_root
from test_install import install

KEY = "sk-test-0123456789abcdef"
CHAT = FAMILIES["chat"]
SMALL = {"profile": "small", "operation": "use", "model": ["test/*", "offline/*"]}
FLATPAK = "[Application]\nname=org.example.Trusted\n\n[Instance]\ninstance-id=12345\n"


@pytest.fixture(scope="module")
def local(open_folder):  # noqa: F811
    """What is at /usr/local once it is installed."""
    install(open_folder, "/usr/local")
    return open_folder / "usr/local"


@pytest.fixture
def made(broker, provider):
    """A broker where a user has his, with the model `default`."""
    made = broker('[model "default"]\ntarget = test/m\n' + harness.section("policy", "small", SMALL) +
                  harness.provider_section(provider, "test", dialect=dialects()), run=False)
    made.socket = pathlib.Path(made.env["XDG_RUNTIME_DIR"]) / "llm-broker/sock"
    made.start()
    made.add_key("test", KEY)
    return made


def env_of(made, local):
    return {**made.env, "PATH": f"{local}/bin:/usr/local/bin:/usr/bin:/bin"}


def shown(name, local, *more, text=None):
    """A recipe as it is run here; `more` are options of bubblewrap's, behind its first bind."""
    before = recipes.recipe(name) if text is None else text
    binds = f"--ro-bind {local} /usr/local"
    if name.endswith(".py"):
        return before.replace('"/usr", "/usr", ', f'"/usr", "/usr", *"{binds}".split(), ', 1)
    after = before.replace("--ro-bind /usr /usr", f"--ro-bind /usr /usr {' '.join([binds, *more])}")
    assert after != before
    return after


def without(text, *lines):
    """The recipe without what its first line sets up, or with another last one."""
    kept = [line for line in text.splitlines(True) if not line.startswith(lines)]
    assert len(kept) < len(text.splitlines())
    return "".join(kept)


def run(made, local, script, **more):
    return subprocess.run(["sh", "-euc", script], env=env_of(made, local), capture_output=True, text=True, cwd="/",
                          timeout=harness.CALL_SECONDS, **more)


def start(made, local, script, stdin=False):
    running = harness.Running(["sh", "-euc", script], env_of(made, local), "/", stdin)
    made.running.append(running)
    return running


ASK = 'llmb ask "hello from nowhere"'


def peer(made, local, name, *more):
    """What the program of a recipe is taken for, where the recipe's `llmb app add` has been run."""
    text = shown(name, local, *more).replace(ASK, "llmb whoami --json")
    done = run(made, local, text[text.index("bwrap"):] if name != "inherited" else text)
    assert done.returncode == 0, done
    return json.loads(done.stdout)["peer"]


# ---- the page ----

def test_all_that_is_shown_is_run_somewhere():
    tests = "".join(path.read_text() for path in pathlib.Path(__file__).parent.glob("test_sandbox*.py"))
    page = recipes.file("README.md")
    assert len(recipes.recipes()) == page.count("```") / 2
    for name in recipes.recipes():
        assert f'"{name}"' in tests, f"no test runs {name}"
    files = {str(path.relative_to(recipes.FOLDER)) for path in recipes.FOLDER.rglob("*") if path.is_file()}
    assert files - {"README.md"} == set(re.findall(r"\]\(([\w/.-]+)\)", page))
    for name in files - {"README.md"}:
        assert f'"{name}"' in tests, f"no test reads {name}"
    assert "packaging/sandbox/README.md" in (harness.TOP / "README.md").read_text()


# ---- bubblewrap ----

@needs_bwrap
def test_an_answer_streams_through_a_socket_of_its_own(made, local, provider):
    provider.script(hold=2, answer={"text": "first then the rest of it"})
    running = start(made, local, shown("bubblewrap-app", local))
    running.read_until("first")
    provider.release()
    done = running.finish()
    assert done.code == 0 and done.out.endswith("first then the rest of it\n"), done
    assert provider.requests()[0].header("authorization") == [f"Bearer {KEY}"]
    (row,) = made.wait_ledger(1, 1)["exchange"]
    assert (row["app"], row["kind"]) == ("app:notes", "app")
    seen = peer(made, local, "bubblewrap-app")
    assert (seen["kind"], seen["name"], seen["socket"], seen["profile"]) == ("app", "notes", "app", "small")


@needs_bwrap
def test_its_profile_bounds_it(made, local, provider):
    text = shown("bubblewrap-app", local).replace(ASK, "llmb ask -m other/m hi")
    done = run(made, local, text)
    assert done.returncode != 0 and "may use" in done.stderr and provider.requests() == [], done
    text = shown("bubblewrap-app", local).replace(ASK, "llmb key list")
    assert run(made, local, text).returncode == 3


@needs_bwrap
def test_an_attachment_goes_through(made, local, provider, tmp_path):
    picture = tmp_path / "picture.png"
    data = b"\x89PNG\r\n\x1a\n" + bytes(3 << 20)
    picture.write_bytes(data)
    provider.script(answer={"text": "a picture"})
    text = shown("bubblewrap-app", local, f"--ro-bind {picture} /picture.png").replace(
        ASK, "llmb ask -a /picture.png 'what is it?'")
    done = run(made, local, text)
    assert done.returncode == 0 and "a picture" in done.stdout, done
    body = json.dumps(provider.requests()[0].json["messages"][-1])
    assert "data:image/png;base64,iVBORw0KGgoA" in body and len(body) > len(data) * 4 / 3


@needs_bwrap
def test_without_the_folder_nobody_answers(made, local):
    text = without(shown("bubblewrap-app", local), "      --ro-bind \"$XDG_RUNTIME_DIR")
    done = run(made, local, text)
    assert done.returncode == 4 and "/run/llm-broker/sock: No such file" in done.stderr, done


LOOP = "sh -c 'echo ready; while read -r line; do llmb ask \"$line\" || echo failed $?; done'"


@needs_bwrap
def test_a_folder_shows_the_socket_of_a_broker_that_starts_again(made, local, provider):
    """A socket that is bound itself is the one that there was."""
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    folder = '"$XDG_RUNTIME_DIR/llm-broker/apps/notes" /run/llm-broker '
    assert folder in recipes.recipe("bubblewrap-app")
    text = shown("bubblewrap-app", local).replace(ASK, LOOP)
    alone = text.replace(folder, '"$XDG_RUNTIME_DIR/llm-broker/apps/notes/sock" /run/llm-broker/sock ')
    running = [start(made, local, one, stdin=True) for one in (text, alone)]
    for one in running:
        one.read_until("ready\n")
        one.write("a\n")
        one.read_until("Hello.\n")
    made.stop()
    for one in running:
        one.write("b\n")
        one.read_until("failed 4\n")
    made.start()
    harness.wait_until(lambda: harness.accepts(made.socket.parent / "apps/notes/sock"), 10, "the app's socket is back")
    for one, want in zip(running, ("Hello.", "failed 4")):
        one.write("c\n")
        assert one.finish().out.splitlines()[-3:] == ["Hello.", "failed 4", want]


@needs_bwrap
def test_a_sandbox_may_be_there_before_the_broker(made, local, provider):
    """The folder stays when a broker ends, and who was bound to it then reaches the next one."""
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    assert made.llmb("app", "add", "notes", "--profile", "small").code == 0
    made.stop()
    text = shown("bubblewrap-app", local).replace(ASK, LOOP)
    waiting = start(made, local, text[text.index("bwrap"):], stdin=True)
    waiting.read_until("ready\n")
    made.start()
    harness.wait_until(lambda: harness.accepts(made.socket.parent / "apps/notes/sock"), 10, "the app's socket is back")
    waiting.write("a\n")
    waiting.read_until("Hello.\n")
    assert waiting.finish().code == 0


@needs_bwrap
def test_at_the_socket_for_sandboxes_it_is_asked_about(made, local, provider):
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    harness.wait_until(lambda: harness.accepts(made.socket.parents[1] / "llm-broker-sandbox/sock"), 10, "it listens")
    text = shown("bubblewrap-sandbox", local)
    done = run(made, local, text)
    assert done.returncode == 3 and "llmb app allow sandbox" in done.stderr and provider.requests() == [], done
    assert made.llmb("app", "allow", "sandbox").code == 0
    done = run(made, local, text)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done
    seen = peer(made, local, "bubblewrap-sandbox")
    assert (seen["kind"], seen["name"], seen["socket"]) == ("sandbox", "", "sandbox")


@needs_bwrap
@pytest.mark.security
def test_a_file_that_names_somebody_does_not_change_who_it_is(made, local, provider, tmp_path):
    """The socket's word holds where it has a name; elsewhere the file is a claim, and gets nothing."""
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    forged = tmp_path / "flatpak-info"
    forged.write_text(FLATPAK)
    bind = f"--ro-bind {forged} /.flatpak-info"
    assert run(made, local, shown("bubblewrap-app", local, bind)).returncode == 0
    seen = peer(made, local, "bubblewrap-app", bind)
    assert (seen["kind"], seen["name"], seen.get("claim", False)) == ("app", "notes", False)
    assert made.llmb("app", "allow", "flatpak:org.example.Trusted").code == 0
    before = len(provider.requests())
    harness.wait_until(lambda: harness.accepts(made.socket.parents[1] / "llm-broker-sandbox/sock"), 10, "it listens")
    done = run(made, local, shown("bubblewrap-sandbox", local, bind))
    assert done.returncode == 3 and len(provider.requests()) == before, done
    seen = peer(made, local, "bubblewrap-sandbox", bind)
    assert seen["kind"] == "sandbox" or (seen["kind"], seen["claim"]) == ("flatpak", True), seen


@needs_root
@needs_bwrap
@pytest.mark.security
def test_another_user_s_sandbox_cannot_reach_it(made, local, provider):
    """Nor is he served where all of the way is open to him. The broker is root's here, who has no number in there: where it
    listens is believed to be his if nobody else could have put a socket there."""
    assert made.llmb("app", "add", "notes").code == 0
    sock = made.socket.parent / "apps/notes/sock"
    script = shown("bubblewrap-app", local)
    script = script[script.index("bwrap"):]
    for path in sock.parents:
        if path.is_relative_to(made.folder) and path != sock.parent:
            path.chmod(0o755)

    def tried():
        return subprocess.run([*as_user(OTHER), "sh", "-euc", script], env=env_of(made, local), capture_output=True,
                              text=True, cwd="/", timeout=harness.CALL_SECONDS)
    done = tried()
    assert done.returncode == 4 and "Permission denied" in done.stderr, done
    sock.chmod(0o666)
    sock.parent.chmod(0o777)
    done = tried()
    assert done.returncode == 4 and "not trusted" in done.stderr, done
    sock.parent.chmod(0o755)
    done = tried()
    assert done.returncode == 3 and f"you are uid {OTHER}" in done.stderr, done
    assert provider.requests() == []


# ---- connections that are inherited ----

@needs_bwrap
def test_a_connection_of_llmb_run(made, local, provider):
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    done = run(made, local, shown("inherited", local))
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done
    seen = peer(made, local, "inherited")
    assert (seen["kind"], seen["name"], seen["socket"], seen["profile"]) == ("sandbox", "notes", "handed", "small")


@needs_bwrap
def test_a_connection_of_another_program(made, local, provider):
    provider.script(**CHAT.script("Hello.", True)[0], times=0)
    assert made.llmb("app", "add", "notes").code == 0
    done = subprocess.run(["/usr/bin/python3", "-c", shown("inherited.py", local)], env=env_of(made, local), cwd="/",
                          capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    assert (done.returncode, done.stdout) == (0, "Hello.\n"), done
    (row,) = made.wait_ledger(1, 1)["exchange"]
    assert row["app"] == "app:notes"
