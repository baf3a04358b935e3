"""test_6_callers.py - does a sandbox with a socket of its own, or a service of another user, get the profile that is its own?"""

import pathlib

import machine
from machine import SECOND, found, good, llmb, login, show, systemctl

PROFILES = """
[policy "small"]
profile = small
operation = chat
operation = whoami
model = offline/echo
max_output = 3

[policy "reports"]
profile = reports
user = *
operation = chat
operation = whoami
model = test/m
"""
SERVICE = """[Service]
User=reports
ExecStart=/bin/sh -c 'llmb whoami --json; llmb ask -m test/m hi; echo "test/m $$?"; llmb ask -m offline/echo hi; echo "offline/echo $$?"'
Environment=LLM_BROKER_SOCKET=/run/llm-broker/apps/reports/sock
Type=oneshot
RemainAfterExit=yes
StandardOutput=file:/run/reports.out
"""


def sandbox(folder, *command):
    """bubblewrap with no network, no home and no socket but one."""
    return ["bwrap", "--unshare-all", "--new-session", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib",
            "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--proc", "/proc", "--dev", "/dev",
            "--ro-bind", folder, "/broker", "--setenv", "LLM_BROKER_SOCKET", "/broker/sock", *command]


def test_a_sandbox_with_a_socket_of_its_own(system):
    uid = good("id", "-u", SECOND).strip()
    conf = pathlib.Path(f"/home/{SECOND}/.config/llm-broker/broker.conf")
    conf.write_text("[broker]\nidle_exit = 5m\n" + PROFILES.replace("user = *\n", ""))
    assert login(SECOND, "mkdir", "-p", "-m", "700", f"/run/user/{uid}/llm-broker/apps/notes").code == 0
    systemctl("enable", "llm-broker-app@notes.socket", user=SECOND)
    systemctl("restart", "llm-broker.service", user=SECOND)
    done = llmb("app", "add", "notes", "--profile", "small", user=SECOND)
    assert done.code == 0, done
    folder = f"/run/user/{uid}/llm-broker/apps/notes"
    done = login(SECOND, *sandbox(folder, "llmb", "whoami", "--json"))
    assert done.code == 0, done
    seen = done.json
    assert (seen["who"], seen["rule"], seen["peer"]["confidence"]) == ("app:notes", "small", "listener"), seen
    done = login(SECOND, *sandbox(folder, "llmb", "ask", "-m", "offline/echo", "one two three four five"))
    assert done.code == 0 and "one" in done.out and "five" not in done.out, done
    done = login(SECOND, *sandbox(folder, "llmb", "ask", "-m", "openai/gpt-4o", "hi"))
    assert done.code == 3, done
    assert login(SECOND, "llmb", "whoami", "--json").json["who"] == "host:llmb"


def test_it_starts_the_broker_and_keeps_its_profile(system):
    systemctl("stop", "llm-broker.service", user=SECOND)
    uid = good("id", "-u", SECOND).strip()
    done = login(SECOND, *sandbox(f"/run/user/{uid}/llm-broker/apps/notes", "llmb", "whoami", "--json"))
    assert done.code == 0 and done.json["rule"] == "small", done
    assert show("llm-broker.service", "ActiveState", SECOND) == "active"


def test_a_service_of_another_user(system, provider):
    good("useradd", "--system", "reports")
    with machine.changed(lambda text: text + PROFILES):
        systemctl("enable", "llm-broker-app@reports.socket")
        systemctl("restart", "llm-broker.service")
        done = llmb("app", "add", "reports", "--profile", "reports", user="root")
        assert done.code == 0, done
        pathlib.Path("/etc/systemd/system/reports.service").write_text(SERVICE)
        systemctl("daemon-reload")
        systemctl("start", "reports.service")
        out = pathlib.Path("/run/reports.out").read_text()
        assert found(r'"who":"([^"]+)"', out) == "app:reports" and found(r'"rule":"([^"]+)"', out) == "reports", out
        assert "test/m 0" in out and "offline/echo 3" in out, out
    # without a socket of its own it is in no group that may
    done = machine.run("runuser", "-u", "reports", "--", "llmb", "ask", "--socket", machine.SOCKET, "hi")
    assert done.code in (3, 4), done
    assert machine.ask("hi").code == 0
