"""test_inward.py - can an address of a provider lead to this machine, or to its network?

Only where the provider is `local = yes`. It is the address connected to that is judged, so no spelling of it and
no second answer of a name server gets around."""

import re
import subprocess

import harness
import pytest
from programs import needs, needs_release, needs_root

pytestmark = pytest.mark.security

FORMS = """
127.0.0.1 127.1 127.0.1 127.255.255.254 0x7f.1 0x7f.0.0.1 0x7f000001 0X7F000001 2130706433 017700000001
0177.0.0.1 0177.1 0177.0.0.01 127.000.000.001 0 0x0 0.0.0.0 00.00.00.00
[::1] [0:0:0:0:0:0:0:1] [::] [::127.0.0.1] [::ffff:127.0.0.1] [::FFFF:7F00:1] [0:0:0:0:0:ffff:7f00:1]
[64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] [2002:7f00:0001::1]
169.254.169.254 2852039166 0xa9fea9fe 0xa9.0xfe.0xa9.0xfe 0251.0376.0251.0376 025177524776 169.254.43518
169.16689662 [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::1] [fd00:ec2::254]
169.254.0.1 100.64.0.1 100.100.100.200 100.127.255.255 10.0.0.1 10.255.255.255 167772161 012.1 0xa000001
172.16.0.1 172.31.255.255 192.168.0.1 192.168.257 3232235521 192.0.0.192 198.18.0.1 198.19.255.255
[fe80::1] [febf::1] [fec0::1] [fc00::1] [fd00::1] [fdff::1] [ff02::1] [2001:db8::1] [100::1] [::ffff:10.0.0.1]
255.255.255.255 224.0.0.1 239.255.255.255 240.0.0.1
""".split()
NAMES = "localhost LOCALHOST localhost. ip6-localhost localhost.localdomain 127.0.0.1. 0x7f.1.".split()
NOT_PUBLIC = "its address is not on the public internet"


def bounds():
    return harness.section("broker", "", {"connect_timeout": "3s", "request_timeout": "5s"})


@pytest.mark.parametrize("local", [None, "no"])
def test_no_spelling_leads_inward(broker, provider, local):
    sections = []
    for i, host in enumerate(FORMS + NAMES):
        keys = {"dialect": "openai-chat", "base_url": f"https://{host}:{provider.port}", "auth": "none",
                "ca_file": provider.ca_file}
        sections.append(harness.section("provider", f"p{i}", {**keys, **({"local": local} if local else {})}))
    made = broker(bounds() + "".join(sections))
    for i, host in enumerate(FORMS + NAMES):
        done = made.llmb("ask", "-m", f"p{i}/m", "hi")
        assert done.code == 7, (host, done)
        if host in FORMS:
            assert NOT_PUBLIC in done.err and "local = yes" in done.err, (host, done)
    assert provider.stats()["connections"] == 0
    attempts = made.wait_ledger(len(FORMS + NAMES))["attempt"]
    assert all(not row["sent_body"] for row in attempts)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost"])
def test_where_it_is_local_it_is_reached(broker, provider, host):
    """But for the certificate, which names the host as it should be written."""
    made = broker(bounds() + harness.section("provider", "p", {
        "dialect": "openai-chat", "base_url": f"https://{host}:{provider.port}", "auth": "none", "local": "yes",
        "ca_file": provider.ca_file}))
    done = made.llmb("ask", "-m", "p/m", "hi")
    assert NOT_PUBLIC not in done.err
    assert provider.stats()["connections"] > 0, done


@pytest.mark.parametrize("address", [
    "https://127.0.0.1@evil.example", "https://evil.example@127.0.0.1", "https://u:p@evil.example",
    "https://[fe80::1%25lo]", "https://[fe80::1%lo]", "https://[::1", "https://::1", "https://127.0.0.1:0",
    "https://127.0.0.1:65536", "https://127.0.0.1:x", "https://%31%32%37.0.0.1", "https://127。0。0。1",
    "https://①②⑦.0.0.1", "https://evil.example\\@127.0.0.1", "https://", "https:///x", "https:127.0.0.1",
    "//127.0.0.1", "127.0.0.1", "ftp://127.0.0.1", "file:///etc/passwd", "gopher://127.0.0.1:1/_x",
    "unix:///run/docker.sock", "https://evil.example\t", "https://evil.example/\x7f",
    "http://evil.example", "http://127.0.0.1", "http://10.0.0.1"])
def test_what_is_no_address_is_not_taken(broker, address):
    """At the latest when it is asked; plain HTTP is for this host, and only where that is said."""
    made = broker(bounds() + harness.section("provider", "p", {"dialect": "openai-chat", "base_url": address,
                                                               "auth": "none"}))
    done = made.llmb("ask", "-m", "p/m", "hi")
    assert done.code != 0 and done.err, done
    made.stop()  # by then the ledger is written
    assert not any(row["sent_body"] for row in made.ledger()["attempt"])


def test_plain_http_is_for_loopback_alone(broker, plain_provider):
    """However it is spelt, and though it was allowed."""
    hosts = [host for host in FORMS if host not in ("127.0.0.1", "127.255.255.254", "[::1]")]
    made = broker(bounds() + "".join(harness.section("provider", f"p{i}", {
        "dialect": "openai-chat", "base_url": f"http://{host}:{plain_provider.port}", "auth": "none",
        "local": "yes", "allow_plain_loopback": "yes"}) for i, host in enumerate(hosts)))
    for i, host in enumerate(hosts):
        done = made.llmb("ask", "-m", f"p{i}/m", "hi")
        assert done.code != 0, (host, done)
    assert plain_provider.stats()["connections"] == 0


# ---- names; in a network and with a file of hosts of its own


PUBLIC = "203.0.114.1"  # nobody's here: an address of the network that the test makes
INSIDE = {"loop.example": "127.0.0.1", "meta.example": "169.254.169.254", "ten.example": "10.1.2.3",
          "six.example": "::1", "mapped.example": "::ffff:127.0.0.1", "private.example": "fd00::1",
          "carrier.example": "100.64.1.1", "zero.example": "0.0.0.0"}
ALONE = ["unshare", "--net", "--mount", "sh", "-c",
         'ip link set lo up && ip address add %s/32 dev lo && ip address add fd01::9/128 dev lo && '
         'mount --bind "$0" /etc/hosts && exec "$@"' % PUBLIC]


def ask_inside(made, model):
    """Asks from where the daemon is: to it, others are in a sandbox."""
    done = subprocess.run(["nsenter", f"--target={made.pid}", "--net", "--mount", harness.program("llmb"), "ask",
                           "-m", model, "hi"], env=made.client_env(), capture_output=True, text=True, timeout=30)
    return harness.Result(done.returncode, done.stdout, done.stderr)


def write_hosts(path, table):
    path.write_text("".join(f"{address} {name}\n" for name, address in table.items()))


@needs_root
@needs_release
@needs("unshare", "nsenter", "ip", "mount")
def test_no_name_leads_inward(broker, tmp_path):
    hosts = tmp_path / "hosts"
    write_hosts(hosts, INSIDE)
    made = broker(bounds() + "".join(harness.section("provider", name.split(".")[0], {
        "dialect": "openai-chat", "base_url": f"https://{name}", "auth": "none"}) for name in INSIDE),
        wrap=[*ALONE, str(hosts)])
    for name in INSIDE:
        done = ask_inside(made, name.split(".")[0] + "/m")
        assert done.code == 7 and NOT_PUBLIC in done.err, (name, done)


@needs_root
@needs_release
@needs("unshare", "nsenter", "ip", "mount")
@pytest.mark.parametrize("then", ["127.0.0.1", "169.254.169.254"])
def test_a_second_answer_leads_no_further_inward(broker, tmp_path, then):
    """A name that was somewhere else when it was asked first: the first time there is a connection to try."""
    hosts = tmp_path / "hosts"
    write_hosts(hosts, {"flips.example": PUBLIC})
    made = broker(bounds() + harness.section("provider", "p", {
        "dialect": "openai-chat", "base_url": "https://flips.example", "auth": "none"}), wrap=[*ALONE, str(hosts)])
    done = ask_inside(made, "p/m")
    assert done.code == 7 and NOT_PUBLIC not in done.err and re.search("refused|connect", done.err), done
    write_hosts(hosts, {"flips.example": then})
    made.reload()  # which doubts what was looked up
    made.wait_log("config.loaded")
    done = ask_inside(made, "p/m")
    assert done.code == 7 and NOT_PUBLIC in done.err, done
