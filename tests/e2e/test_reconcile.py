"""test_reconcile.py - does `llmb reconcile` find what a bill and the ledger differ in, and nothing else?"""

import csv
import datetime
import io
import json
import time

import pytest

import harness
import provider_reports
from harness import program, provider_section, section
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

KEY, ADMIN = "sk-test-0123456789abcdef", "sk-admin-0123456789abcdef"
OTHER = "key_of_somebody"
PRICES = {"gpt-4o-mini": {"price_input": "150", "price_output": "600"},
          "gpt-4o": {"price_input": "2500", "price_output": "10000"}}
BILLED = {"gpt-4o-mini": {"input": "150", "output": "600"},
          "gpt-4o": {"input": "2500", "output": "10000"},
          "claude-haiku-4-5": {"input": "1000", "output": "5000"}}
EXACT = ("--tolerance", "0")
OPENAI = {"dialect": "openai-chat /v1/chat/completions", "reports": "openai"}
ANTHROPIC = {"dialect": "anthropic /v1/messages", "auth": "header:x-api-key",
             "reports": "anthropic"}


def day(ahead=0):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=ahead)
    return now.strftime("%Y-%m-%d")


def to_today():
    """The days from four before to today; no test runs over midnight."""
    now = time.time()
    if now % 86400 > 86400 - 30:
        time.sleep(86400 - now % 86400 + 0.1)
    return ("--since", day(-4), "--until", day(1))


@pytest.fixture
def billed(providers):
    return providers(prices=BILLED)


def config(provider, prices=None, **keys):
    models = "".join(section("model", f"test/{name}", row)
                     for name, row in (PRICES if prices is None else prices).items())
    return provider_section(provider, **(keys or OPENAI)) + models


def called(broker, provider, models, admin=True, **options):
    """A broker that has asked each of the models once."""
    made = broker(config(provider, **options))
    made.add_key("test", KEY)
    if admin:
        made.add_key("test/admin", ADMIN)
    provider.reports(admin=[ADMIN])
    for i, model in enumerate(models):
        done = made.llmb("ask", "-m", f"test/{model}", "--max-tokens", "20", f"question {i}, and more")
        assert done.code == 0, done.err
    made.wait_ledger(len(models), len(models))
    return made


def reconcile(made, *args, code=0, **more):
    """Its JSON."""
    done = made.llmb("reconcile", "test", "--json", *args, **more)
    assert done.code == code, (done.out, done.err)
    return json.loads(done.out)


def refused(made, *args, code=1, **more):
    """What it says on stderr."""
    done = made.llmb("reconcile", "test", *args, **more)
    assert done.code == code and done.out == "", (done.code, done.out, done.err)
    return done.err


def lines(out):
    return {(line["day"], line["model"]): line for line in out["lines"]}


def cost(provider):
    return provider.bill()["nano_usd"]


# the provider's own reports


@pytest.mark.parametrize("keys", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
def test_reports_agree(broker, billed, keys):
    models = ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]
    if keys is ANTHROPIC:
        models = ["claude-haiku-4-5"] * 3
    prices = {**PRICES, "claude-haiku-4-5": {"price_input": "1000", "price_output": "5000"}}
    made = called(broker, billed, models, prices=prices, **keys)
    out = reconcile(made, *EXACT, *to_today())
    assert out["within"] and out["total"]["difference_nusd"] == 0
    assert out["total"]["ours"]["nusd"] == cost(billed) > 0
    assert {key: line["ours"]["requests"] for key, line in lines(out).items()} == {
        (day(), model): models.count(model) for model in models}
    assert out["foreign_nusd"] == out["unknown_key_nusd"] == out["unassigned_nusd"] == 0
    [known] = out["keys"]
    assert (known["key"], known["known_by"]) == (provider_reports.key_id(KEY), "inferred")
    assert known["theirs"]["nusd"] == known["ours"]["nusd"] == cost(billed)
    asked = [r for r in billed.requests() if r.method == "GET"]
    assert {r.path for r in asked} == ({"/v1/organization/costs", "/v1/organization/usage/completions",
                                        "/v1/organization/usage/embeddings"} if keys is OPENAI else
                                       {"/v1/organizations/cost_report",
                                        "/v1/organizations/usage_report/messages"})
    assert {ADMIN} == {(r.header("x-api-key") or [r.header("authorization")[0][7:]])[0] for r in asked}
    if keys is ANTHROPIC:
        assert all(r.header("anthropic-version") for r in asked)


def test_pages(broker, billed):
    made = called(broker, billed, ["gpt-4o-mini", "gpt-4o"])
    past = time.time() - 3 * 86400
    billed.reports(admin=[ADMIN], page_days=2, rows=[
        {"at": past, "model": "gpt-4o", "key_id": OTHER, "input": 1000, "requests": 1}])
    out = reconcile(made, *EXACT, *to_today(), code=1)
    assert lines(out)[day(-3), "gpt-4o"]["theirs"]["nusd"] == 2_500_000_000
    assert lines(out)[day(), "gpt-4o"]["difference_nusd"] == 0
    asked = [r.query for r in billed.requests() if r.path == "/v1/organization/costs"]
    assert len(asked) == 3 and "page=page_2" in asked[1] and "page=page_4" in asked[2]


def test_spend_of_others(broker, billed):
    made = called(broker, billed, ["gpt-4o-mini"])
    billed.reports(admin=[ADMIN], rows=[
        {"model": "gpt-4o", "key_id": OTHER, "input": 1000, "output": 10, "requests": 2},
        {"model": "gpt-4o-mini", "key_id": OTHER, "input": 2000, "requests": 3},
        {"model": "web search", "usd": "0.25"}])
    out = reconcile(made, *to_today(), code=1)
    found = lines(out)
    assert found[day(), "gpt-4o"]["state"] == "theirs only"
    assert found[day(), "gpt-4o-mini"]["state"] == "differs"
    assert found[day(), "gpt-4o-mini"]["hint"] == "more used"
    assert found[day(), "web search"]["theirs"]["nusd"] == 250_000_000
    assert out["foreign_nusd"] == 2_600_000_000 + 250_000_000
    keys = {row["key"]: row for row in out["keys"]}
    assert keys[provider_reports.key_id(KEY)]["known_by"] == "inferred"
    assert keys[provider_reports.key_id(KEY)]["difference_nusd"] == 0
    assert keys[OTHER]["label"] is None and keys[OTHER]["known_by"] == "unknown"
    assert keys[OTHER]["theirs"]["nusd"] == 2_600_000_000 + 300_000_000
    assert keys[OTHER]["theirs"]["requests"] == 5
    assert out["unknown_key_nusd"] == 2_900_000_000 and out["unassigned_nusd"] == 250_000_000
    assert any("inferred" in note for note in out["notes"])
    shown = made.llmb("reconcile", "test", *to_today())
    assert shown.code == 1
    assert "On keys that are not known to be the broker's: 2.900000 USD." in shown.out
    assert "Of models that the broker did not call on the day: 2.850000 USD." in shown.out
    assert "does not agree with test's cost reports, within 0.5 % or 0.010000 USD." in shown.out


def test_a_key_that_leaked(broker, billed):
    made = called(broker, billed, ["gpt-4o-mini"])
    mine = provider_reports.key_id(KEY)
    billed.reports(admin=[ADMIN], rows=[{"model": "gpt-4o-mini", "key_id": mine, "input": 2000}])
    out = reconcile(made, *to_today(), code=1)
    unknown = [row for row in out["keys"] if row["key"] == mine]
    assert unknown[0]["known_by"] == "unknown"  # it used more than ours: nothing is inferred
    out = reconcile(made, *to_today(), "--key-id", f"={mine}", code=1)
    [row] = out["keys"]
    assert (row["known_by"], row["label"], row["difference_nusd"]) == ("given", "", 300_000_000)


def test_a_price_that_changed(broker, billed):
    made = called(broker, billed, ["gpt-4o-mini"])
    billed.reports(admin=[ADMIN], factor="1.1")
    [line] = reconcile(made, *to_today(), *EXACT, code=1)["lines"]
    assert line["hint"] == "price" and line["state"] == "differs"
    assert abs(line["difference_nusd"] - cost(billed) / 10) <= 1
    assert reconcile(made, *to_today(), "--tolerance", "10%,0.000001")["within"]


def test_dated_names(broker, billed):
    made = called(broker, billed, ["gpt-4o-mini", "gpt-4o"])
    billed.reports(admin=[ADMIN], names={"gpt-4o-mini": "gpt-4o-mini-2024-07-18",
                                         "gpt-4o": "Chat model 4"})
    out = reconcile(made, *to_today(), *EXACT, code=1)
    assert lines(out)[day(), "gpt-4o-mini"]["difference_nusd"] == 0
    assert lines(out)[day(), "Chat model 4"]["state"] == "theirs only"
    assert reconcile(made, *to_today(), *EXACT, "--model-alias", "Chat model 4=gpt-4o")["within"]


def test_no_price(broker, billed):
    made = called(broker, billed, ["gpt-4o-mini"], prices={})
    out = reconcile(made, *to_today(), *EXACT, code=1)
    [line] = out["lines"]
    assert (line["unpriced"], line["hint"]) == (1, "no price")
    assert any("no known price" in note for note in out["notes"])


def test_a_call_that_failed_is_not_billed(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    billed.script(status=400, body='{"error": {"message": "no"}}')
    assert made.llmb("ask", "-m", "test/gpt-4o", "no").code != 0
    made.wait_ledger(2, 2)
    shown = [json.loads(made.llmb("usage", "--by", "key", "--json", *way).out) for way in ((), ("--billed",))]
    assert [out["total"]["requests"] for out in shown] == [2, 1]
    assert {out["total"]["cost_nusd"] for out in shown} == {cost(billed)}
    [line] = reconcile(made, *to_today(), *EXACT)["lines"]
    assert line["ours"]["requests"] == line["theirs"]["requests"] == 1


def test_a_name_that_is_a_pattern(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    text = table([["d", "m", "c"], [day(), "gpt-4o", "1"]])
    done = made.llmb("reconcile", "t*", "--csv", "-", "--map", "day=d,model=m,cost=c", input=text)
    assert done.code == 2 and 'no provider is called "t*"' in done.err and done.out == ""


def test_the_audit_log_has_it(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    reconcile(made, *to_today())
    records = json.loads(made.llmb("audit", "--json").out)["records"]
    [record] = [r for r in records if r["what"] == "reconcile"]
    assert record["verdict"] == "allowed" and record["subject"] == "test/admin"
    assert ADMIN not in json.dumps(records)


def test_not_billed_yet(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    billed.reset()
    billed.reports(admin=[ADMIN])
    out = reconcile(made, *to_today(), code=1)
    assert [line["state"] for line in out["lines"]] == ["ours only"]
    assert any(day() in note and "perhaps not yet" in note for note in out["notes"])
    assert reconcile(made, "--since", "5d")["lines"] == []  # whole days, and today is none


# which key, and what becomes of it


def test_the_admin_key_makes_no_calls(broker, billed):
    made = broker(config(billed))
    added = made.add_key("test/admin", ADMIN)
    assert "next: llmb reconcile test\n" in added.err
    done = made.llmb("ask", "-m", "test/gpt-4o", "hello")
    assert done.code == 5 and "no key for test" in done.err
    status = json.loads(made.llmb("status", "--json").out)
    assert [p["has_key"] for p in status["providers"] if p["name"] == "test"] == [False]
    made.add_key("test/work", KEY)
    assert made.llmb("ask", "-m", "test/gpt-4o", "hello").code == 0
    assert [r.header("authorization") for r in billed.requests()] == [[f"Bearer {KEY}"]]


def test_no_admin_key(broker, billed):
    made = called(broker, billed, ["gpt-4o"], admin=False)
    said = refused(made, code=5)
    assert "llmb key add test/admin" in said and "Admin keys" in said
    assert not [r for r in billed.requests() if r.method == "GET"]


def test_the_wrong_key(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    made.add_key("test/small", "sk-small-0123456789abcdef")
    said = refused(made, "--key", "small", code=7)
    assert "does not show its costs to the key test/small" in said and "admin key" in said
    assert "sk-small-0123456789abcdef" not in said
    billed.script(status=403, path="/v1/organization/costs", body='{"error": {"message": "no"}}')
    said = refused(made, code=7)
    assert "does not show its costs to the key test/admin" in said


def test_asked_too_often(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    costs = "/v1/organization/costs"
    billed.script(status=429, path=costs, headers={"retry-after": "1"})
    billed.script(status=503, path=costs, headers={"retry-after": "0"})
    begun = time.monotonic()
    assert reconcile(made, *to_today(), *EXACT)["within"]
    assert time.monotonic() - begun >= 1
    assert [r.status for r in billed.requests() if r.path == costs] == [429, 503, 200]


def test_a_wait_that_is_too_long(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    billed.script(status=429, path="/v1/organization/costs", headers={"retry-after": "3600"})
    assert refused(made, code=6)


@pytest.mark.parametrize("body, words", [
    ('{"data": [', "no JSON"), ("[]", "no list"), ('{"data": [{}]}', "does not say which"),
    ('{"data": [], "has_more": true}', "not where"),
    ('{"data": [{"start_time": 0, "results": [{"amount": {"value": 1, "currency": "eur"}}]}]}', "US dollars"),
    ('{"data": [{"start_time": 0, "results": [{"amount": {"value": "x"}}]}]}', "no amount"),
])
def test_reports_that_are_none(broker, billed, body, words):
    made = called(broker, billed, ["gpt-4o"])
    billed.script(status=200, path="/v1/organization/costs", body=body,
                  headers={"content-type": "application/json"})
    assert words in refused(made, code=7)


def test_a_report_without_an_end(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    billed.script(status=200, path="/v1/organization/costs", times=0,
                  headers={"content-type": "application/json"},
                  body='{"data": [], "has_more": true, "next_page": "again"}')
    assert "where it is already" in refused(made, code=7)


def test_a_connection_that_breaks(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    billed.script(path="/v1/organization/costs", reset_after="start")
    assert reconcile(made, *to_today(), *EXACT)["within"]


def test_the_broker_ends_meanwhile(broker, billed):
    made = broker(section("broker", "", {"drain": "1s"}) + config(billed))
    made.add_key("test/admin", ADMIN)
    billed.script(path="/v1/organization/costs", silence="start")
    running = made.llmb_start("reconcile", "test", *to_today())
    harness.wait_until(lambda: [r for r in billed.requests() if r.body_complete],
                       harness.CALL_SECONDS, "the provider is asked")
    made.stop()
    assert running.finish().code not in (0, 1)


def test_who_asked_is_gone(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    billed.script(path="/v1/organization/costs", hold="start")
    running = made.llmb_start("reconcile", "test", *to_today())
    billed.wait_held()
    [report] = [r for r in billed.requests() if r.method == "GET"]
    running.kill()
    billed.wait_disconnect(report.connection)
    assert reconcile(made, *to_today(), *EXACT)["within"]


def test_who_asked_is_gone_and_no_more_is_asked(broker, billed):
    """Nobody waits for the rest; that the admin key was used is recorded all the same."""
    made = called(broker, billed, ["gpt-4o"])
    billed.script(status=429, path="/v1/organization/costs", headers={"retry-after": "5"})
    running = made.llmb_start("reconcile", "test", *to_today())
    harness.wait_until(lambda: [r for r in billed.requests() if r.status == 429],
                       harness.CALL_SECONDS, "the provider has refused once")
    again = time.monotonic() + 5
    running.kill()

    def recorded():
        records = json.loads(made.llmb("audit", "--json").out)["records"]
        return [r for r in records if r["what"] == "reconcile"]
    harness.wait_until(recorded, 2 * harness.CALL_SECONDS, "it is recorded")
    [record] = recorded()
    assert (record["verdict"], record["subject"]) == ("failed", "test/admin"), record
    time.sleep(max(0, again + 1.5 - time.monotonic()))
    assert [r.status for r in billed.requests() if r.method == "GET"] == [429]


def test_a_provider_without_reports(broker, billed):
    made = called(broker, billed, ["gpt-4o"], dialect="openai-chat /v1/chat/completions")
    said = refused(made, code=1)
    assert "no cost reports" in said and "--csv FILE" in said and "reports = openai" in said
    done = made.llmb("reconcile", "nobody")
    assert done.code == 2 and "no provider is called" in done.err


def asked(made, body):
    """What another client is answered: a fault, or nothing."""
    with WireClient(made.socket) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "other"})
        client.recv_until(WELCOME)
        client.send_frame(CALL, 1, {"kind": "admin", "op": "reconcile", "credit": 1 << 20,
                                    "body": json.dumps(body).encode()})
        last = client.recv_until(FAULT, END)[-1]
    return last.body if last.type == FAULT else None


@pytest.mark.parametrize("body, param", [
    ({"provider": 7}, "provider"),
    ({"provider": "nobody"}, "provider"),
    ({"label": 7}, "label"),
    ({"since_s": "1"}, "since_s"),
    ({"since_s": None}, "since_s"),
    ({"until_s": 1.5}, "until_s"),
])
def test_what_other_clients_say_is_looked_at(broker, billed, body, param):
    made = called(broker, billed, ["gpt-4o"])
    good = {"provider": "test", "label": None, "since_s": 0, "until_s": 86400}
    fault = asked(made, {**good, **body})
    assert (fault["class"], fault["param"]) == ("invalid_argument", param), fault
    assert not [r for r in billed.requests() if r.method == "GET"]
    assert asked(made, good) is None


# exports


def table(rows, dialect="excel"):
    out = io.StringIO()
    csv.writer(out, dialect=dialect).writerows(rows)
    return out.getvalue()


def usd(nano):
    return f"{nano / 10 ** 9:.9f}"


def test_export_of_any_shape(broker, billed):
    made = called(broker, billed, ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o"])
    per = {row["model"]: 0 for row in made.ledger()["attempt"]}
    for row in made.ledger()["attempt"]:
        per[row["model"]] += row["cost_nusd"]
    rows = [["Date", "Model", "Cost (USD)"]] + [[day(), model, usd(n)] for model, n in per.items()]
    asked = ("--csv", "-", "--map", "day=date,model=MODEL,cost=cost (usd)", *EXACT)
    for text in (table(rows), table(rows, "excel-tab"), "\ufeff" + table(rows).replace("\r\n", "\n")):
        out = reconcile(made, *asked, input=text)
        assert out["within"] and len(out["lines"]) == 2 and out["keys"] == []
        assert out["first_day"] == out["last_day"] == day()
    semicolons = table(rows).replace(".", "x").replace(",", ";").replace("x", ",")
    assert reconcile(made, *asked, input=semicolons)["within"]
    rows.append([day(), "gpt-4o", "0.5"])
    assert reconcile(made, *asked, input=table(rows), code=1)["total"]["difference_nusd"] == 500_000_000


def test_export_of_openai(broker, billed):
    made = called(broker, billed, ["gpt-4o-mini"])
    at = int(time.time()) // 86400 * 86400
    head = ["start_time", "end_time", "start_time_iso", "end_time_iso", "amount_value", "amount_currency",
            "line_item", "project_id", "organization_id", "organization_name"]

    def row(begins, amount, item):
        iso = [datetime.datetime.fromtimestamp(t, datetime.timezone.utc).isoformat()
               for t in (begins, begins + 86400)]
        return [begins, begins + 86400, *iso, amount, "usd" if amount else "", item, "", "org-1", "Home"]
    [attempt] = made.ledger()["attempt"]
    parts = [attempt["input"] * 150_000, attempt["output"] * 600_000]
    assert sum(parts) == attempt["cost_nusd"]
    rows = [head, row(at, usd(parts[0]), "gpt-4o-mini-2024-07-18, input"),
            row(at, usd(parts[1]), "gpt-4o-mini-2024-07-18, output"), row(at - 86400, "", "")]
    made.folder.joinpath("costs.csv").write_text(table(rows))
    out = reconcile(made, "--csv", "costs.csv", *EXACT)
    assert [line["model"] for line in out["lines"]] == ["gpt-4o-mini"] and out["within"]
    assert any("OpenAI" in note for note in out["notes"])
    assert any("without an amount, which were passed over: 1" in note for note in out["notes"])
    whole_days = [head, row(at, usd(sum(parts)), "")]
    out = reconcile(made, "--csv", "-", *EXACT, input=table(whole_days))
    assert out["within"] and out["lines"][0]["model"] is None


def test_export_of_anthropic(broker, billed):
    prices = {"claude-haiku-4-5": {"price_input": "1000", "price_output": "5000"}}
    made = called(broker, billed, ["claude-haiku-4-5"], prices=prices, **ANTHROPIC)
    [attempt] = made.ledger()["attempt"]
    head = ["usage_date_utc", "model", "workspace", "api_key", "usage_type", "context_window",
            "token_type", "cost_usd", "list_price_usd", "cost_type"]

    def row(kind, nano, key="laptop"):
        return [day(), "Claude Haiku 4.5", "Default", key, "message", "\u2264 200k", kind,
                usd(nano), usd(nano), "token"]
    rows = [head, row("input_no_cache", attempt["input"] * 1_000_000),
            row("output", attempt["output"] * 5_000_000)]
    out = reconcile(made, "--csv", "-", *EXACT, input=table(rows))
    assert out["within"] and [key["known_by"] for key in out["keys"]] == ["inferred"]
    rows.append(row("output", 400_000_000, "somebody-else"))
    out = reconcile(made, "--csv", "-", input=table(rows), code=1)
    assert out["unknown_key_nusd"] == 400_000_000
    assert {key["key"]: key["known_by"] for key in out["keys"]} == {
        "laptop": "inferred", "somebody-else": "unknown"}


def test_export_of_openrouter(broker, billed):
    made = called(broker, billed, ["gpt-4o", "gpt-4o"])
    head = ["generation_id", "created_at", "cost_total", "cost_web_search", "cost_cache",
            "tokens_prompt", "tokens_completion", "model_permaslug", "provider_name", "api_key_name"]
    rows = [head] + [[f"gen-{n}", f"{day()} 03:46:57.713", usd(row["cost_nusd"]), 0, 0, row["input"],
                      row["output"], "gpt-4o", "Somewhere", "laptop"]
                     for n, row in enumerate(made.ledger()["attempt"])]
    out = reconcile(made, "--csv", "-", *EXACT, input=table(rows))
    assert out["within"] and len(out["lines"]) == 1
    shown = made.llmb("reconcile", "test", "--csv", "-", "--output", "csv", "-q", input=table(rows))
    [line] = csv.DictReader(io.StringIO(shown.out))
    assert (line["day"], line["model"], line["state"]) == (day(), "gpt-4o", "ok")
    assert line["ours_usd"] == line["theirs_usd"] and float(line["difference_usd"]) == 0


def test_export_of_google(broker, billed):
    """Its names of what was used have the model's somewhere in them, and its last line is a sum."""
    names = {"gemini-2.5-flash": {"price_input": "150", "price_output": "600"},
             "gemini-2.5-flash-lite": {"price_input": "15", "price_output": "60"}}
    made = called(broker, billed, list(names), prices=names)
    head = ["Date", "Service description", "Service ID", "SKU description", "SKU ID", "Usage amount", "Usage unit",
            "List cost ($)", "Negotiated savings ($)", "Savings programs ($)", "Other savings ($)",
            "Unrounded subtotal ($)", "Subtotal ($)"]
    rows, total = [head], 0
    for row in made.ledger()["attempt"]:
        model = row["model"].replace("-", " ")
        for way, nano in (("input", row["input"] * int(names[row["model"]]["price_input"]) * 1000),
                          ("output", row["output"] * int(names[row["model"]]["price_output"]) * 1000)):
            rows.append([day(), "Gemini API", "A-1", f"Generate content {way} token count {model} short input text",
                         "B-2", "1,000", "count", "", "0.00", "0.00", "0.00", usd(nano), ""])
            total += nano
    rows.append(["Total", *[""] * 10, usd(total), ""])
    out = reconcile(made, "--csv", "-", *EXACT, "--model-alias", "*gemini 2.5 flash lite *=gemini-2.5-flash-lite",
                    "--model-alias", "*gemini 2.5 flash *=gemini-2.5-flash", input=table(rows))
    assert out["within"] and [line["model"] for line in out["lines"]] == sorted(names)
    assert out["total"]["theirs"]["nusd"] == cost_of_ours(made)
    assert any("without a day, as totals are, which were passed over: 1" in note for note in out["notes"])


def cost_of_ours(made):
    return sum(row["cost_nusd"] for row in made.ledger()["attempt"])


def test_the_zone_says_which_day(broker, billed):
    made = called(broker, billed, ["gpt-4o"])
    [attempt] = made.ledger()["attempt"]
    zone = "Pacific/Kiritimati"  # fourteen hours ahead
    there = datetime.datetime.fromtimestamp(attempt["at_us"] / 1e6, datetime.timezone(
        datetime.timedelta(hours=14))).strftime("%Y-%m-%d")
    text = table([["d", "m", "c"], [there, "gpt-4o", usd(attempt["cost_nusd"])]])
    asked = ("--csv", "-", "--map", "day=d,model=m,cost=c", *EXACT, "--zone", zone)
    assert reconcile(made, *asked, input=text)["within"]
    at = datetime.datetime.fromtimestamp(attempt["at_us"] / 1e6, datetime.timezone.utc).isoformat()
    text = table([["d", "m", "c"], [at, "gpt-4o", usd(attempt["cost_nusd"])]])
    out = reconcile(made, *asked, input=text)
    assert out["within"] and out["lines"][0]["day"] == there


def test_until_is_a_day_that_is_not_compared(broker):
    to_today()
    made = broker()
    text = table([["d", "c"], *([day(-i), "1.00"] for i in range(4))])
    for until, first, last in (("1d", -3, -2), (day(-1), -3, -2), ("2d", -3, -3), (day(0), -3, -1)):
        out = json.loads(made.llmb("reconcile", "openai", "--json", "--csv", "-", "--map",
                                   "day=d,cost=c", "--until", until, input=text).out)
        assert [line["day"] for line in out["lines"]] == [
            day(i) for i in range(first, last + 1)], (until, out)


# mistakes


@pytest.mark.parametrize("text, args, code, words", [
    ("Date,Cost\n", ("--map", "day=Date,cost=Csot"), 2, 'no column "Csot"; is "Cost" meant?; the first line has: Date, Cost'),
    ("Date,Cost\n", ("--map", "dya=Date,cost=Cost"), 2, 'is "day" meant?'),
    ("Date,Cost\n", (), 2, "it is no export that is known"),
    ("d,c\n2026-01-31,free\n", ("--map", "day=d,cost=c"), 1, 'line 2, column 12 (c): "free" is not an amount'),
    ("d,c\n2026-02-30,1\n", ("--map", "day=d,cost=c"), 1, "line 2, column 1 (d)"),
    ("d,c\n2026-01-31,\"1\n", ("--map", "day=d,cost=c"), 1, "line 2, column 12: the quotes that begin here"),
    ("", ("--map", "day=d,cost=c"), 1, "there is nothing in it"),
    ("d,c\n", ("--map", "day=d,cost=c"), 1, "no line with an amount"),
    ("d,c\n2026-01-31,1\n", ("--map", "day=d,cost=c", "--since", "2026-02-01"), 1, "no line of it is of these days"),
    ("d,c,c\n2026-01-31,1,2\n", ("--map", "day=d,cost=c"), 2, 'two columns "c"'),
    (None, ("--since", "2020-01-01"), 2, "at most 366 days"),
    ("d,c\n", ("--map", "day=d,cost=c", "--since", "1d", "--until", "1d"), 2, "not after"),
    (None, ("--since", "2199-01-01"), 2, "not over"),
    ("d,c\n", ("--map", "day=d,cost=c", "--zone", "Europe/Nowhere"), 2, "no such time zone"),
    (None, ("--zone", "Europe/Berlin"), 2, "UTC's"),
    (None, ("--map", "day=d,cost=c"), 2, "--csv FILE"),
    ("d,c\n", ("--key", "admin"), 2, "not for --csv"),
    ("d,c\n", ("--map", "day=d,cost=c", "--since", "2026-02-01", "--until", "2026-02-01"), 2, "not after"),
    ("d;c\n2026-01-31;0,5\n2026-01-31;1.234\n", ("--map", "day=d,cost=c"), 1, "thousands or decimals"),
    ("d,c\n2026-01-31,(-1.50)\n", ("--map", "day=d,cost=c"), 1, "two signs"),
    ("d,c\n", ("--map", "day=d,cost=c", "--tolerance", "much"), 2, "0.5%,0.01"),
    ("d,c\n", ("--map", "day=d,cost=c", "--output", "xml"), 2, "table, json or csv"),
    ("d,c\n", ("--map", "day=d,cost=c", "--key-id", "id"), 2, "LABEL=ID"),
    ("d,c\n", ("--map", "day=d,cost=c", "--model-alias", "gpt-4o"), 2, "THEIRS=OURS"),
])
def test_mistakes(broker, text, args, code, words):
    made = broker()
    file = () if text is None else ("--csv", "-")
    done = made.llmb("reconcile", "openai", *file, *args, input=text)
    assert done.code == code and words in done.err and done.out == "", (done.code, done.err)


def test_files_that_are_none(broker):
    made = broker(run=False)

    def said(name):
        done = made.llmb("reconcile", "openai", "--csv", name, "--map", "day=d,cost=c")
        assert done.code == 1 and done.out == ""
        return done.err
    assert "No such file" in said("nowhere.csv")
    assert "it is a directory" in said(".")
    assert "zero byte" in said(program("llmb"))
    made.folder.joinpath("wide.csv").write_bytes("d,c\n2026-01-31,1\n".encode("utf-16"))
    assert "UTF-16" in said("wide.csv")


def test_a_long_file(broker):
    """Of any length, in the memory of what it adds up to."""
    made = broker()
    row = f"{day()},some-model,0.000001,{'x' * 200}\n"
    text = "d,m,c,note\n" + row * 100_000
    done = made.llmb("reconcile", "openai", "--json", "--csv", "-", "--map", "day=d,model=m,cost=c",
                     input=text)
    out = json.loads(done.out)
    assert done.code == 1 and out["total"]["theirs"]["nusd"] == 100_000 * 1000


def test_who_may_ask(broker, billed):
    """It tells what others spent: nobody but who administers the broker."""
    made = called(broker, billed, ["gpt-4o"])
    for who, allowed in (("host", True), ("app:notes", False), ("flatpak:org.example.App", False)):
        done = made.llmb("policy", "test", "--json", "--as", who, "--op", "reconcile")
        assert json.loads(done.out)["allowed"] is allowed, (who, done.out)
