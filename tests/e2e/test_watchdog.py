"""test_watchdog.py - is it told who holds the loop up, and is work never taken for a spin?"""

import json
import threading
import time

import harness

KEY = "sk-test-0123456789abcdef"


def loop_of(made):
    done = made.llmb("status", "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["loop"]


def wakeups(made):
    """How often the broker has waited, of its own accord."""
    for line in open(f"/proc/{made.pid}/status", encoding="ascii"):
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    raise AssertionError("the kernel does not count")


def test_work_is_no_spin_and_rest_is_rest(broker, provider):
    made = broker(harness.provider_section(provider, model="m"))
    made.add_key("test", KEY)
    codes = []

    def ask(n):
        for k in range(5):
            codes.append(made.llmb("ask", "-m", "test/m", f"{20 + n + k} words").code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert codes == [0] * 20
    seen = loop_of(made)
    assert seen["spins"] == 0 and seen["longest_us"] > 0, seen
    assert "loop.spin" not in made.log()
    # idle after transfers: at most ten wake-ups a second
    before, begun = wakeups(made), time.monotonic()
    time.sleep(2)
    rate = (wakeups(made) - before) / (time.monotonic() - begun)
    assert rate <= 10, rate
