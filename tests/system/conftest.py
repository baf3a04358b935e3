"""conftest.py - what does every check in the booted system get?

The files are one story, told in the order of their names: 1 installs the packages, 9 removes them. What a check needs of
the one before it is the installation, three users, and a configuration with a provider on loopback.

certs, provider   the scripted provider of tests/lib, with TLS by a CA of its own; it takes one key, which nobody mistakes
key               that key
system            the configuration that knows the provider, and a vault that has the key

A check that hangs is ended after three minutes; when one fails, the journal of the units is shown."""

import signal

import machine
import pytest
from canary import canary
from certs import Certs
from provider_client import Provider

SECONDS = 180


@pytest.fixture(scope="session")
def certs():
    return Certs(machine.HERE / "certs").make()


@pytest.fixture(scope="session")
def key():
    return canary()


@pytest.fixture(scope="session")
def _provider_process(certs, key):
    certs.folder.chmod(0o755)
    with Provider(certs, keys=[key]) as process:
        yield process


@pytest.fixture
def provider(_provider_process):
    _provider_process.reset()
    yield _provider_process
    _provider_process.check()


@pytest.fixture(scope="session")
def system(_provider_process, key):
    """Short times, so that what takes them is seen; all that a broker can do is on."""
    machine.configure(f"""[broker]
idle_exit = 2s
drain = 8s
[provider "test"]
dialect = openai-chat /v1/chat/completions
base_url = {_provider_process.base_url}
ca_file = {_provider_process.ca_file}
auth = bearer
local = yes
[model "default"]
target = test/m
""")
    done = machine.llmb("key", "add", "test", "--from-stdin", "--no-input", user="root", input=key + "\n")
    assert done.code == 0, done
    return done


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    def too_long(*_):
        raise TimeoutError(f"{item.name} takes more than {SECONDS * machine.SLOWER} s")
    former = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS * machine.SLOWER)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        if item.name == "test_the_packages_are_installed_by_apt":
            item.session.shouldstop = "nothing is there that could be checked"
        report.sections.append(("journal of llm-broker", machine.journal(40)))
