"""test_cache_damaged.py - is an answer on disk that somebody has been at ever given, or ever the end of a broker?

What was kept is changed while no broker runs: bytes of it, its length, the order of its records, the vault it was of. Then
each question has its own answer, kept or asked for anew.
"""

import json
import random

import harness
import pytest
from harness import wait_until
from test_cache import Calls

KEY = "sk-test-0123456789abcdefghijklmnop"
QUESTIONS = [f"Question {n}: " + "why " * (n * 7 % 400) + f"{n}?" for n in range(40)]
BLOCK = 1024  # a record begins on one; the first is the file's own


@pytest.fixture
def provider(providers):
    return providers(needs_key=False)


def config(provider):
    return (harness.provider_section(provider, "a", auth="none") +
            harness.section("model", "a/m", {"price_input": "1", "price_output": "2"}))


def on_disk(made):
    return json.loads(made.llmb("cache", "stats", "--json").out)["disk"]


class Kept:
    """A broker whose answers are on disk, and no longer running."""

    def __init__(self, made, provider, told=""):
        """`told`: what a provider says to everything, who says the question again without it."""
        self.made, self.provider = made, provider
        made.add_key("openai", KEY)
        if told:
            provider.script(answer={"text": told}, times=len(QUESTIONS))
        assert self.ask(told) == 0
        wait_until(lambda: on_disk(made)["entries"] == len(QUESTIONS), 20, "all are on disk")
        made.stop()
        self.file = made.state_dir / "cache" / "answers"
        self.whole = self.file.read_bytes()
        assert len(self.whole) > BLOCK * len(QUESTIONS)

    def ask(self, told=""):
        """Asks everything; how many answers were kept."""
        asked = len(self.provider.requests())
        calls = Calls(self.made.socket)
        for text in QUESTIONS:
            calls.ask(text)
        calls.finish()
        calls.close()
        sources = [calls.source(n) for n in range(1, calls.n + 1)]
        assert [calls.texts[n] for n in range(1, calls.n + 1)] == [told or text for text in QUESTIONS]
        assert set(sources) <= {"", "hit"}
        assert len(self.provider.requests()) - asked == sources.count("")
        return sources.count("hit")

    def hits(self, data):
        """With these bytes in the place of what was kept."""
        self.file.write_bytes(data)
        self.made.start()
        wait_until(lambda: on_disk(self.made)["open"], 10, "it was looked through")
        hits = self.ask()
        self.made.stop()
        return hits


def flipped(data, places, lot):
    data = bytearray(data)
    for at in places:
        data[at] ^= lot.randint(1, 255)
    return bytes(data)


def test_flipped_bytes(broker, provider):
    kept, lot = Kept(broker(config(provider)), provider), random.Random(9)
    assert kept.hits(kept.whole) == len(QUESTIONS), "as it was"
    found = []
    for count in (1, 10, 40, 60, 200):
        found.append(kept.hits(flipped(kept.whole, [lot.randrange(BLOCK, len(kept.whole)) for _ in range(count)], lot)))
    assert found[0] >= len(QUESTIONS) - 1 and found[0] > found[-1] and 0 < found[2] < len(QUESTIONS), found
    assert kept.hits(flipped(kept.whole, [lot.randrange(16)], lot)) == 0, "the file's own block"
    assert kept.hits(lot.randbytes(len(kept.whole))) == 0, "noise"


def test_cut(broker, provider):
    kept, lot = Kept(broker(config(provider)), provider), random.Random(10)
    size = len(kept.whole)
    found = [kept.hits(kept.whole[:length]) for length in
             (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, lot.randrange(size), size // 2, size - BLOCK, size - 1)]
    assert found[:5] == [0] * 5 and 0 < found[6] < len(QUESTIONS), found
    assert kept.hits(kept.whole + lot.randbytes(3 * BLOCK + 7)) == len(QUESTIONS), "and what was put behind it"


def test_moved_and_doubled(broker, provider):
    """A record is one only where it was written."""
    kept, lot = Kept(broker(config(provider)), provider), random.Random(11)
    blocks = [kept.whole[at:at + BLOCK] for at in range(0, len(kept.whole), BLOCK)]
    rest = blocks[1:]
    lot.shuffle(rest)
    assert kept.hits(b"".join(blocks[:1] + rest)) < len(QUESTIONS) // 4, "in another order"
    assert kept.hits(b"".join(blocks[:1] + blocks[2:])) == 0, "all one block further up"
    assert kept.hits(b"".join(blocks + blocks[1:])) == len(QUESTIONS), "each a second time, behind them"


def test_of_another_vault(broker, provider):
    """Of a broker that was asked the same, and told another thing."""
    ours, theirs = (Kept(broker(config(provider)), provider, told) for told in ("", "Theirs."))
    assert ours.whole[:BLOCK] != theirs.whole[:BLOCK]
    assert ours.hits(theirs.whole) == 0, "their file"
    mixed = ours.whole[:BLOCK] + theirs.whole[BLOCK:]
    assert ours.hits(mixed) == 0, "their records behind the first block of ours"
    half = len(ours.whole) // 2 // BLOCK * BLOCK
    assert 0 < ours.hits(ours.whole[:half] + theirs.whole[BLOCK:]) < len(QUESTIONS), "half of ours, and all of theirs"
