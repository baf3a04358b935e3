"""test_metrics.py - does a monitor read at the bridge what the ledger has, and does nobody else?"""

import json
import re
import urllib.error
import urllib.request

import bridged
import harness
import pytest

KEY = "sk-test-0123456789abcdef"
PRICES = harness.section("model", "test/m", {"price_input": "0.15", "price_output": "0.60"})

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?)")


def parse(text):
    """The format, strictly: {(name, labels as sorted pairs): number}, and {name: type}."""
    assert text.endswith("\n")
    types, values, now = {}, {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            now = line.split(" ", 3)[2]
            assert NAME.fullmatch(now) and now not in types, "a family is in one piece"
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == now and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
            continue
        found = LINE.fullmatch(line)
        assert found, line
        name, inside, number = found.groups()
        suffix = name[len(now):]
        assert name.startswith(now) and suffix in (("_bucket", "_sum", "_count") if types[now] == "histogram" else ("",)), line
        labels, at = [], 0
        while inside and at < len(inside):
            label = LABEL.match(inside, at)
            assert label, line
            labels.append((label[1], label[2]))
            at = label.end()
        assert len(dict(labels)) == len(labels)
        key = (name, tuple(sorted(labels)))
        assert key not in values, line
        values[key] = float(number)
    for (name, labels), value in values.items():
        if name.endswith("_bucket") and dict(labels)["le"] == "+Inf":
            rest = tuple(pair for pair in labels if pair[0] != "le")
            assert values[name[:-7] + "_count", rest] == value and (name[:-7] + "_sum", rest) in values
            steps = sorted((float(dict(k[1])["le"]), v) for k, v in values.items()
                           if k[0] == name and tuple(p for p in k[1] if p[0] != "le") == rest)
            assert [v for _, v in steps] == sorted(v for _, v in steps), "buckets are cumulative"
    return types, values


def total(values, name, **labels):
    return sum(v for (n, of), v in values.items() if n == name and labels.items() <= dict(of).items())


def get(base, path="/metrics", **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, headers=headers), timeout=20) as reply:
            return reply.status, reply.headers["content-type"], reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers["content-type"], refused.read().decode()


@pytest.fixture
def served(broker, provider):
    made = broker(harness.provider_section(provider, model="m") + PRICES)
    made.add_key("test", KEY)
    return made


def test_they_are_the_ledgers(served, provider):
    for k in range(3):
        assert served.llmb("ask", "-m", "test/m", f"{5 + k} words").code == 0
    assert served.llmb("ask", "-m", "nobody/knows-this-text", "1 word").code != 0
    provider.script(status=400, body={"error": {"message": "no"}}, times=1)
    assert served.llmb("ask", "-m", "test/m", "8 words").code != 0
    rows = served.wait_ledger(5)["exchange"]
    with bridged.Bridge(served, "--listen", "127.0.0.1:0", "--metrics") as bridge:
        status, content_type, text = get(bridge.base)
        head = urllib.request.Request(bridge.base + "/metrics", method="HEAD")
        with urllib.request.urlopen(head, timeout=20) as reply:
            assert reply.status == 200 and reply.read() == b""
        refused = urllib.request.Request(bridge.base + "/metrics", method="POST", data=b"x")
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(refused, timeout=20)
        assert error.value.code == 405
        page = get(bridge.base, Origin="https://page.test")
        assert page[0] == 403, "a web page is nobody's monitor"
    assert status == 200 and content_type == "text/plain; version=0.0.4; charset=utf-8"
    types, values = parse(text)
    good = [row for row in rows if row["outcome"] == "ok"]
    assert len(good) == 3 and len(rows) == 5
    assert types["gen_ai_client_operation_duration_seconds"] == "histogram"
    duration = "gen_ai_client_operation_duration_seconds"
    assert total(values, duration + "_count") == len(rows)
    assert total(values, duration + "_count", gen_ai_response_model="m", gen_ai_operation_name="chat",
                 gen_ai_provider_name="test") == 4
    took = sum(row["total_us"] for row in rows)
    assert total(values, duration + "_sum") == pytest.approx(took / 1e6)
    for row in rows:
        if row["outcome"] != "ok":
            assert total(values, duration + "_count", error_type=row["error"]) >= 1
    tokens = "gen_ai_client_token_usage"
    for kind, member in (("input", "input"), ("output", "output")):
        assert total(values, tokens + "_sum", gen_ai_token_type=kind) == sum(row[member] or 0 for row in rows), kind
    assert total(values, "llm_broker_calls_total", outcome="ok") == 3
    assert total(values, "llm_broker_calls_total") == 5
    cost = sum(row["cost_nusd"] or 0 for row in rows)
    assert cost > 0 and total(values, "llm_broker_cost_usd_total") == pytest.approx(cost / 1e9, abs=1e-12)
    assert values["llm_broker_loop_spins_total", ()] == 0 and values["llm_broker_calls_open", ()] == 0
    assert values["llm_broker_calls_waiting", ()] == 0
    assert values["llm_broker_uptime_seconds", ()] > 0 and total(values, "llm_broker_build_info") == 1
    # nobody's words, and nobody's key
    for secret in ("words", "nobody/", "knows-this", KEY):
        assert secret not in text, secret


def test_it_is_there_where_it_was_wished_for(served):
    with bridged.Bridge(served, "--listen", "127.0.0.1:0") as bridge:
        assert get(bridge.base)[0] == 404


def test_who_may_read_it_is_the_policys_to_say(served):
    token = json.loads(served.llmb("token", "new", "monitor", "--json").out)["token"]
    with bridged.Bridge(served, "--listen", "127.0.0.1:0", "--metrics", "--require-token") as bridge:
        assert get(bridge.base)[0] == 401
        status, _, said = get(bridge.base, Authorization=f"Bearer {token}")
        assert status == 403 and "metrics" in said, said
        served.configure(served.config_file.read_text() + harness.section(
            "policy", "monitor", {"kind": "token", "name": "monitor", "operation": "metrics"}) +
            harness.section("policy", "mine", {"kind": "host", "operation": "*"}))
        assert served.llmb("config", "reload").code == 0
        status, _, text = get(bridge.base, Authorization=f"Bearer {token}")
        assert status == 200, text
        parse(text)
        body = json.dumps({"model": "test/m", "messages": [{"role": "user", "content": "hi"}]}).encode()
        asked = urllib.request.Request(bridge.base + "/v1/chat/completions", data=body, headers={
            "Authorization": f"Bearer {token}", "content-type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(asked, timeout=20)
        assert error.value.code == 403, "who may look may not ask"


def test_a_broker_that_is_gone(served):
    with bridged.Bridge(served, "--listen", "127.0.0.1:0", "--metrics") as bridge:
        assert get(bridge.base)[0] == 200
        served.stop()
        status, content_type, _ = get(bridge.base)
        assert status >= 500 and content_type == "application/json"
