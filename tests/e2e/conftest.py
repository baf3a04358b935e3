"""conftest.py - what does every end-to-end test get, and what is made sure after it?

certs      a test CA (session)
provider   a scripted provider with TLS, as good as new
plain_provider   the same without TLS
providers  a function that starts more of them, with the options of provider_client.Provider
broker     a function: broker(config) starts an llm-brokerd and returns it
bridge     a function: bridge(broker) starts an llm-broker-bridge before it, as bridge.Bridge takes it

After a test its brokers must have ended well, no script may be one that could not be played, and no
process is left. A test that hangs is ended after $LLMB_TEST_TIMEOUT seconds (60); when one fails,
the logs of its brokers are shown.
"""

import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import harness  # noqa: E402
from bridge import Bridge  # noqa: E402
from certs import Certs  # noqa: E402
from provider_client import Provider, ProviderError  # noqa: E402

LOG_SHOWN = 20_000
_brokers = []  # of the test under way
_bridges = []


def pytest_configure(config):
    # a shell starts what runs in its background deaf to ^C, and nohup to the terminal's end, and so would be all that is started
    # here: what has a handler is as always in a program that is started
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    config.addinivalue_line("markers", "valgrind: short enough to run under valgrind too")
    config.addinivalue_line("markers", "security: looks for a way in, or for a key that got out")


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("certs")).make()


def _used(process):
    process.reset()
    yield process
    process.check()
    process.reset()


@pytest.fixture(scope="session")
def _provider_process(certs):
    with Provider(certs) as process:
        yield process


@pytest.fixture(scope="session")
def _plain_process():
    with Provider(plain=True) as process:
        yield process


@pytest.fixture
def provider(_provider_process):
    yield from _used(_provider_process)


@pytest.fixture
def plain_provider(_plain_process):
    yield from _used(_plain_process)


@pytest.fixture
def providers(certs):
    started = []

    def start(**options):
        started.append(Provider(None if options.get("plain") else certs, **options).start())
        return started[-1]
    yield start
    faults = []
    for process in started:
        try:
            process.check()
        except ProviderError as why:
            faults.append(why)
        process.stop()
    if faults:
        raise faults[0]


@pytest.fixture
def broker(provider):  # after the provider: it ends before it
    del _brokers[:]

    def start(config="", run=True, **options):
        made = harness.Broker(config, **options)
        _brokers.append(made)
        return made.start() if run else made
    yield start
    faults = []
    for made in _brokers:
        try:
            if made.is_alive():
                made.stop()
            elif made.process is not None:
                code = made.wait_exit()
                faults.append(harness.BrokerError(f"llm-brokerd died ({code})\n{made.log()}"))
            made.check_log()
        except harness.BrokerError as why:
            faults.append(why)
    for made in _brokers:
        made.close()
    del _brokers[:]
    left = harness.kill_leftovers()
    if left:
        faults.append(harness.BrokerError(f"left running: {left}"))
    if faults:
        raise faults[0]


@pytest.fixture
def bridge(broker):
    del _bridges[:]

    def start(made, *args, run=True, **options):
        _bridges.append(Bridge(made, *args, **options))
        return _bridges[-1].start() if run else _bridges[-1]
    yield start
    faults = []
    for one in _bridges:
        try:
            one.stop()
        except harness.BrokerError as why:
            faults.append(why)
    for one in _bridges:
        one.close()
    del _bridges[:]
    if faults:
        raise faults[0]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for made in _brokers:
            report.sections.append(("llm-brokerd", made.log()[-LOG_SHOWN:]))
        for made in _bridges:
            report.sections.append(("llm-broker-bridge", made.log()[-LOG_SHOWN:]))


class Hangs(Exception):
    """A test that did not end in time."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    seconds = int(os.environ.get("LLMB_TEST_TIMEOUT", "60")) * harness.SLOWER

    def on_alarm(*_):
        raise Hangs(f"no end after {seconds} s")
    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
