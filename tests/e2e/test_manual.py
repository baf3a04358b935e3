"""test_manual.py - does a manual page say what its program takes, and nothing else?"""

import re
import subprocess

import harness
import manual
import pytest
from programs import needs
from test_install import CLEAN

PAGES = sorted(manual.PAGES.glob("*.scd"))
NAMES = {page.name.removesuffix(".scd") for page in PAGES}
OF_PROGRAMS = [page for page in PAGES if page.name.split(".")[-2] in ("1", "8")]
COMMON = {"--json", "--quiet", "--verbose", "--no-input", "--socket", "--help"}  # of every command of llmb
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
COLUMNS = 80

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
made = pytest.mark.parametrize("name", manual.MADE)


def said(*command):
    done = subprocess.run([harness.program(command[0]), *command[1:], "--help"], capture_output=True, text=True,
                          timeout=harness.CALL_SECONDS)
    assert done.returncode == 0, done
    return done.stdout


def commands():
    """Of llmb, each as its words: those with subcommands are not among them."""
    for name in re.findall(r"(?m)^  ([a-z]+) +\S", said("llmb")):
        found = re.findall(rf"(?m)^  llmb {name} ([a-z]+)", said("llmb", name).split("\n\n", 1)[1])
        text = said("llmb", name)
        yield from [(name, one) for one in dict.fromkeys(found)] if "usage: " not in text and name != "daemon" else [(name,)]


def options(program, *words):
    """Of a command, with all of its subcommands."""
    text = said(program, *words)
    if program == "llmb" and "usage: " not in text:
        names = re.findall(rf"(?m)^  llmb {' '.join(words)} ([a-z]+)", text)
        assert names, text
        return set().union(*(options(program, *words, name) for name in names))
    return set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z][a-z-]*)", text)) - (COMMON if program == "llmb" else {"--help"})


def in_page(text):
    """In what begins a line: the synopsis, and what is explained."""
    return set(OPTION.findall("\n".join(re.findall(r"(?m)^\*.*$", text))))


@pytest.mark.parametrize("page", [page for page in OF_PROGRAMS if page.name != "llmb.1.scd"], ids=lambda page: page.name)
def test_its_options_are_those_of_the_program(page):
    name = page.name.split(".")[0]
    wanted = options(*(["llmb", name.removeprefix("llmb-")] if name.startswith("llmb-") else [name]))
    found = in_page(page.read_text())
    assert wanted and wanted <= found, wanted - found
    assert found <= wanted | COMMON, found - wanted


def test_llmb_has_all_commands_with_their_options():
    text = (manual.PAGES / "llmb.1.scd").read_text()
    sections = dict(re.findall(r"(?ms)^## llmb ([a-z ]+?)\n(.*?)(?=^## |^; )", text))
    names = [" ".join(words) for words in commands()]
    assert names == list(sections) and len(names) > 40
    for name, section in sections.items():
        assert in_page(section) == (set() if name == "daemon" else options("llmb", *name.split())), name
    general = text.split("# OPTIONS OF EVERY COMMAND")[1].split("# COMMANDS")[0]
    assert in_page(general) == COMMON | {"--version"}


@made
def test_what_is_made_of_tables_is_as_they_are(name):
    assert (manual.PAGES / name).read_text() == manual.renewed(name), "`make manual` writes it anew"


def test_the_library_has_every_function():
    """As the header declares it."""
    def plain(text):
        return " ".join(re.sub(r"/\*.*?\*/|\bLLM_(?:API|CHECK)\b|\\", "", text, flags=re.S).split()).replace(" )", ")").replace(" ,", ",")
    header = (harness.TOP / "libllmclient/include/llmclient.h").read_text()
    wanted = [plain(text) for text in re.findall(r"(?s)\bLLM_API (?!_)([a-z].*?);", header)]
    lines = re.findall(r"(?m)^\*([a-z].*\))\*$", (manual.PAGES / "llmclient.3.scd").read_text())
    found = [plain(line) for line in lines if not line.startswith("cc*")]
    assert len(wanted) > 140 and sorted(wanted) == sorted(found), set(wanted) ^ set(found)


def test_the_library_has_every_code():
    header = (harness.TOP / "libllmclient/include/llmclient.h").read_text()
    text = (manual.PAGES / "llmclient.3.scd").read_text().replace("\\", "")
    names = set(re.findall(r"\bLLM_(?:E|EV|F)_[A-Z_]+", header)) - {"LLM_EV_NONE"}
    assert len(names) > 30 and not {name for name in names if f"*{name}*" not in text}


def test_the_protocol_is_that_of_the_specification():
    text = (manual.PAGES / "llm-broker-protocol.7.scd").read_text()
    readme = (harness.TOP / "protocol/README.md").read_text()
    types = re.findall(r"(?m)^\| (\d+) \| ([a-z]+) \| (client|broker|both) \|", readme.split("### 1.1")[0])
    assert types == re.findall(r"(?m)^ +(\d+)  ([a-z]+) +(client|broker|both)  ", text) and len(types) == 11
    numbers = set(re.findall(r"\| (\d+) \| LIMIT_", readme)) - {"5000000", "64", "201326592"}
    assert len(numbers) > 8 and numbers <= set(re.findall(r"(?m)^ *(\d+)  ", text))


def test_its_exit_statuses_are_those_of_the_program():
    text = (manual.PAGES / "llmb.1.scd").read_text().split("# EXIT STATUS")[1].split("# EXAMPLES")[0]
    told = re.search(r"Exit status: (.*?)\.\n", said("llmb"), re.S)[1]
    assert re.findall(r"(?m)^\*(\d+)\*$", text) == re.findall(r"(?:^|, |,\n)(\d+) ", told)


@needs("scdoc")
@pages
def test_it_can_be_made(page):
    done = subprocess.run(["scdoc"], stdin=page.open(), capture_output=True, text=True, timeout=harness.CALL_SECONDS)
    assert done.returncode == 0 and not done.stderr, done
    name, section = page.name.removesuffix(".scd").rsplit(".", 1)
    assert page.read_text().startswith(f"{name}({section})\n")


@needs("scdoc", "man", "groff")
@pages
def test_it_can_be_read(page, tmp_path):
    """Nothing to warn of, and no line that a terminal would break."""
    made_page = tmp_path / page.name.removesuffix(".scd")
    with page.open() as source, made_page.open("w") as to:
        subprocess.run(["scdoc"], stdin=source, stdout=to, check=True, timeout=harness.CALL_SECONDS)
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", made_page], capture_output=True, text=True,
                          timeout=harness.CALL_SECONDS, env={"PATH": "/usr/bin:/bin", "MANWIDTH": str(COLUMNS), "LANG": "C.UTF-8"})
    assert done.returncode == 0 and not done.stderr and "NAME" in done.stdout, done.stderr
    assert not [line for line in done.stdout.splitlines() if len(line) > COLUMNS]


@pages
def test_the_pages_it_names_are_there(page):
    named = [f"{name}.{section}" for name, section in re.findall(r"\*([\w.-]+)\*\((\d)\)", page.read_text())]
    assert named and set(named) <= NAMES, set(named) - NAMES
    assert page.name.removesuffix(".scd") not in named, "itself"


@pages
def test_it_has_what_one_looks_for(page):
    heads = re.findall(r"(?m)^# (.*)$", page.read_text())
    assert heads[0] == "NAME" and heads[-1] == "SEE ALSO" and len(set(heads)) == len(heads)
    section = page.name.split(".")[-2]
    assert {"DESCRIPTION", "EXAMPLES"} <= set(heads)
    assert section not in "18" or {"SYNOPSIS", "EXIT STATUS"} <= set(heads)


def test_pages_that_are_left_out_are_told_of(tmp_path):
    """As where there is no scdoc: no page is to be made."""
    if not (harness.bin_dir().parent / "lib").exists():
        pytest.skip("these programs are no build of this folder's")
    done = subprocess.run(["make", "-C", harness.TOP, "-o", "all", f"B={harness.bin_dir().parent}", "install", f"DESTDIR={tmp_path}",
                           "PREFIX=/usr", "man_src="], capture_output=True, text=True, env=CLEAN, timeout=harness.CALL_SECONDS)
    assert done.returncode == 0 and "no scdoc: the manual pages are left out" in done.stdout, done
    assert not (tmp_path / "usr/share/man").exists()
