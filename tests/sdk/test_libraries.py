"""test_libraries.py - do libraries and the program llm, which stand on the official SDKs, work through the bridge?"""

import subprocess

import harness
import install
import pytest
from clients import Client
from conftest import sdk_folder
from replies import Said
from test_sdk import FAMILIES, SCHEMA, TEXT, TOOLS, VECTORS

LIBRARIES = [Client(name, "libraries", program, api, surface, frozenset()) for name, program, api, surface in (
    ("langchain-openai", "drive_langchain.py", "chat", "chat"),
    ("langchain-responses", "drive_langchain.py", "responses", "responses"),
    ("langchain-anthropic", "drive_langchain.py", "anthropic", "anthropic"),
    ("pydantic-ai-chat", "drive_pydantic.py", "chat", "chat"),
    ("pydantic-ai-responses", "drive_pydantic.py", "responses", "responses"))]
SECONDS = 40

families = pytest.mark.parametrize("family", FAMILIES)
libraries = pytest.mark.parametrize("client", LIBRARIES, ids=lambda client: client.name)
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@families
@libraries
@both
def test_text(world, client, stream, family):
    world.says(family, stream, Said(TEXT))
    out = world.well(client, "ask", f"{family}/m", prompt="Say it.", system="Be brief.", stream=stream)
    assert out["text"] == TEXT
    if stream:
        assert out["pieces"] > 3, "it comes in pieces"
    else:
        assert (out["usage"]["input_tokens"], out["usage"]["output_tokens"]) == (20, 7)
    assert b"Be brief." in world.provider.requests()[0].body


@families
@libraries
@both
def test_tools(world, client, stream, family):
    if stream and client.program == "drive_pydantic.py":
        pytest.skip("its streams are for the last answer")
    calls = [("get_weather", {"city": "Oslo"}), ("get_time", {"city": "Rome"})]
    world.says(family, stream, Said("I look.", "Two at once.", calls), Said("All fine."))
    out = world.well(client, "loop", f"{family}/m", prompt="Weather?", tools=TOOLS, stream=stream)
    assert {call["name"]: call["args"] for call in out["calls"]} == dict(calls), "some call them side by side"
    assert out["text"] == "All fine."
    last = world.provider.requests()[-1].body.decode()
    assert last.count("get_weather: Oslo") == 1 and last.count("get_time: Rome") == 1


@families
@pytest.mark.parametrize("client", LIBRARIES[:3], ids=lambda client: client.name)
def test_an_object(world, client, family):
    wanted = {"city": "Oslo", "degrees": -3.5}
    said = Said(calls=[("Weather", wanted)]) if client.surface == "anthropic" else \
        Said('{"city": "Oslo", "degrees": -3.5}')
    world.says(family, False, said)
    out = world.well(client, "ask", f"{family}/m", prompt="Weather?", system="Be brief.", schema=SCHEMA)
    assert out["parsed"] == wanted


def test_vectors(world):
    world.provider.script(body={"object": "list", "model": "e", "usage": {"prompt_tokens": 2, "total_tokens": 2}, "data": [
        {"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(VECTORS)]})
    assert world.well(LIBRARIES[0], "embed", "chat/e", texts=["one", "two"])["vectors"] == VECTORS


@families
def test_llm(world, tmp_path, family):
    """Wired as its user would do it."""
    made = install.find(sdk_folder(), "libraries")
    if made is None:
        pytest.skip("the libraries are not installed: run `make check-tools`")
    env = {"LLM_BROKER_SOCKET": str(world.broker.socket), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path),
           "LANG": "C.UTF-8"}

    def run(*command):
        done = subprocess.run([str(word) for word in command], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done
        return done.stdout
    run(harness.program("llmb"), "wire", "llm", "--yes", "-m", f"{family}/m", "--bridge",
        world.base.removeprefix("http://"))
    world.says(family, True, Said("Fine."))
    assert run(made / "venv/bin/llm", "-m", f"llm-broker/{family}/m", "Say it.").strip() == "Fine."
