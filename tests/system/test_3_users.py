"""test_3_users.py - whom does the system's broker serve, whom a user's own, and both side by side?"""

import os
import pathlib

import machine
from machine import MEMBER, OUTSIDER, SECOND, SOCKET, ask, good, login, show, systemctl

FIRST = {"LLM_BROKER_SOCKET": SOCKET}


def own_socket(user):
    return f"/run/user/{good('id', '-u', user).strip()}/llm-broker/sock"


def test_who_is_not_in_the_group_is_refused(system):
    done = ask("hi", user=OUTSIDER, env=FIRST)
    assert done.code in (3, 4) and "ermission denied" in done.err, done
    assert ask("hi", user=SECOND, env=FIRST).code == 0


def test_a_member_may_ask_and_administer_nothing(system):
    for words in (("key", "add", "openai", "--from-stdin", "--no-input"), ("vault", "lock"), ("key", "list")):
        done = machine.llmb(*words, env=FIRST, input="sk-nothing\n")
        assert done.code == 3, done


def test_nobody_is_let_in_by_a_folder_of_his_own(system):
    """Who may not open the socket may neither replace it nor anything on the way."""
    for command in (("rm", "-f", SOCKET), ("touch", "/run/llm-broker/x"), ("mv", "/run/llm-broker", "/run/elsewhere")):
        assert login(MEMBER, *command).code != 0


def test_a_user_s_own_instance(system):
    for user in (SECOND, OUTSIDER):
        systemctl("enable", "--now", "llm-broker.socket", user=user)
        assert show("llm-broker.service", "ActiveState", user) == "inactive"
        done = ask("mine", user=user, env={"LLM_BROKER_SOCKET": own_socket(user)})
        assert done.code == 0 and "mine" in done.out, done
        pid = machine.main_pid(user)
        assert os.stat(f"/proc/{pid}").st_uid == int(good("id", "-u", user))
        assert (pathlib.Path(own_socket(user)).stat().st_mode & 0o777) == 0o600
        # it is the one that is found first, without a word
        assert machine.llmb("status", "--json", user=user).json["pid"] == pid


def test_it_serves_only_that_user(system):
    for user in (MEMBER, SECOND):
        done = ask("yours", user=user, env={"LLM_BROKER_SOCKET": own_socket(OUTSIDER)})
        assert done.code in (3, 4) and "ermission denied" in done.err, done


def test_both_side_by_side(system):
    done = {"theirs": ask("one", user=SECOND, env=FIRST), "own": ask("two", user=SECOND)}
    assert {name: each.code for name, each in done.items()} == {"theirs": 0, "own": 0}, done
    pids = {user: machine.main_pid(user) for user in (None, SECOND, OUTSIDER)}
    assert 0 not in pids.values() and len(set(pids.values())) == 3, pids
    assert machine.llmb("usage", "--json", user=SECOND).json["total"]["requests"] == 2, "each has a ledger of its own"


def configure_own(user, text):
    folder = pathlib.Path(f"/home/{user}/.config/llm-broker")
    done = login(user, "sh", "-c", f"umask 077; mkdir -p {folder}; cat >{folder}/broker.conf", input=text)
    assert done.code == 0, done
    systemctl("stop", "llm-broker.service", user=user)


def test_a_user_s_own_ends_when_idle_and_comes_back(system):
    configure_own(SECOND, "[broker]\nidle_exit = 1s\n")
    assert ask("hi", user=SECOND).code == 0
    machine.wait_idle(SECOND)
    assert show("llm-broker.service", "Result", SECOND) == "success"
    configure_own(SECOND, "[broker]\nidle_exit = 5m\n")
    assert ask("hi", user=SECOND).code == 0
