"""recipes.py - what does packaging/sandbox say, word for word?"""

import json
import pathlib
import re
import tempfile

import harness
import pytest

FOLDER = harness.TOP / "packaging/sandbox"


def recipes():
    """All pieces of the page that can be run: {name: text}."""
    text = (FOLDER / "README.md").read_text()
    return dict(re.findall(r"(?ms)^```\w+ (\S+)\n(.*?)^```$", text))


def recipe(name):
    return recipes()[name]


def file(name):
    return (FOLDER / name).read_text()


@pytest.fixture(scope="module")
def open_folder():
    """A folder into which every user of the machine sees."""
    with tempfile.TemporaryDirectory(prefix="llmb-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder


def manifest(name):
    """One of YAML, with the modules in the place of their files' names."""
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load(file(name))
    folder = (FOLDER / name).parent
    found["modules"] = [json.loads((folder / one).read_text()) if isinstance(one, str) else one for one in found["modules"]]
    return found
