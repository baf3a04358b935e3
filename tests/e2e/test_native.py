"""test_native.py - is a provider's own endpoint reached with the provider's credential and nothing of the
caller's, and does the reply come back as it is?"""

import json

import harness
import pytest
from surfaces import FAMILIES, Call, dialects, native

KEY = "sk-test/0123456789abcdef+XYZ"
MINE = [("authorization", "Bearer sk-mine"), ("x-api-key", "sk-mine"), ("api-key", "sk-mine"),
        ("x-goog-api-key", "sk-mine"), ("cookie", "sk-mine=1"), ("host", "mine.example"),
        ("x-forwarded-for", "10.0.0.1"), ("content-length", "3"), ("transfer-encoding", "chunked"),
        ("openai-organization", "org-mine"), ("proxy-authorization", "sk-mine")]


@pytest.fixture
def made(broker, provider):
    made = broker(harness.provider_section(provider, "here", dialect=dialects(), base_path="/v1",
                                           header=["x-ours: yes", "openai-beta: ours"]) +
                  harness.section("model", "here/m", {"price_input": "1", "price_output": "2"}))
    made.add_key("here", KEY)
    return made


@pytest.mark.valgrind
@pytest.mark.parametrize("method, body", [("GET", b""), ("DELETE", b""), ("DELETE", b"{}"), ("POST", b'{"a" : 1e400}\n'),
                                          ("PUT", b"\x00\xff\xfe"), ("PATCH", b"x" * 200_000)])
def test_method_query_and_body_are_the_callers(made, provider, method, body):
    provider.script(status=201, body=' {"odd" :1.0}', headers={
        "etag": "e1", "location": "/v1/x", "x-goog-upload-url": "https://there.example/upload/v1/x?upload_id=1"})
    call = native(made, "here", body, method=method, path="/v1/files/a%2Fb", query="purpose=x&limit=2",
                  content_type="application/x-mine")
    assert call.is_good and call.status == 201 and call.body == b' {"odd" :1.0}', call
    assert call.header("etag") == ["e1"] and call.header("location") == ["/v1/x"]
    assert call.header("x-goog-upload-url") == ["https://there.example/upload/v1/x?upload_id=1"]
    seen = provider.requests()[0]
    assert (seen.method, seen.target) == (method, "/v1/files/a%2Fb?purpose=x&limit=2")
    assert seen.body == body and seen.header("content-type") == ["application/x-mine"]
    assert seen.header("authorization") == [f"Bearer {KEY}"]
    row = made.wait_ledger(1, 1)["exchange"][0]
    assert (row["surface"], row["provider"], row["outcome"], row["model"]) == ("native", "here", "ok", None)


def test_nothing_of_the_callers_credentials_goes_along(made, provider):
    provider.script(body="{}")
    call = native(made, "here", method="GET", path="/v1/models", headers=MINE + [
        ("accept", "text/csv"), ("range", "bytes=0-3"), ("idempotency-key", "once"),
        ("openai-beta", "theirs"), ("x-goog-upload-offset", "7")],
        query="key=sk-mine&a=b&access_token=sk-mine&key=sk-mine")
    assert call.is_good, call
    seen = provider.requests()[0]
    assert b"mine" not in seen.raw_head and b"10.0.0.1" not in seen.raw_head, seen.raw_head
    assert seen.target == "/v1/models?a=b"
    assert seen.header("accept") == ["text/csv"] and seen.header("range") == ["bytes=0-3"]
    assert seen.header("idempotency-key") == ["once"] and seen.header("x-goog-upload-offset") == ["7"]
    assert seen.header("x-ours") == ["yes"] and seen.header("openai-beta") == ["ours"]
    assert len(seen.header("host")) == 1 and seen.header("transfer-encoding") == []


def test_only_what_says_something_about_the_reply_comes_back(made, provider):
    provider.script(body="a,b\n", headers={
        "content-type": "text/csv", "set-cookie": "session=1", "server": "theirs", "x-internal": "1",
        "content-disposition": "attachment", "retry-after": "7", "openai-organization": "org-1"})
    call = native(made, "here", method="GET", path="/v1/usage")
    assert call.body == b"a,b\n" and call.header("content-type") == ["text/csv"]
    assert call.header("content-disposition") == ["attachment"] and call.header("retry-after") == ["7"]
    assert {name for name, _ in call.headers} == {
        "content-type", "content-disposition", "retry-after", "x-request-id", "x-llm-broker-target",
        "x-llm-broker-provider-request-id"}, call.headers


@pytest.mark.parametrize("status", [400, 401, 404, 409, 418, 429, 500, 503])
def test_errors_are_the_callers_to_read(made, provider, status):
    """Once, whatever they are: nobody here knows whether it would do the same again."""
    provider.script(status=status, body='{"error" : {"message":"theirs"}}', times=0)
    call = native(made, "here", "{}", path="/v1/batches")
    assert call.is_good and call.status == status and call.body == b'{"error" : {"message":"theirs"}}'
    assert len(provider.requests()) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(made, provider, providers, status):
    elsewhere = providers()
    provider.script(status=status, body="", headers={"location": elsewhere.base_url + "/v1/files"})
    call = native(made, "here", "{}", path="/v1/files")
    assert call.status == status and call.header("location") == [elsewhere.base_url + "/v1/files"], call
    assert elsewhere.requests() == [] and len(provider.requests()) == 1


def test_an_endpoint_that_is_known_is_listened_to(made, provider):
    for name, family in FAMILIES.items():
        for stream in (False, True):
            script, _ = family.script("one two", stream)
            said = (b"".join(event["raw"].encode() for event in script["sse"]) if stream else
                    script["body"].encode())
            provider.script(**script)
            call = native(made, "here", family.body("m", "x", stream), path=family.path_of("m", stream))
            assert call.is_good and call.body == said, (name, call)
            assert call.last.body["usage"].get("input") == 9, (name, stream, call)
            assert call.last.body["usage"].get("output") == 3
            assert provider.requests()[-1].body.decode() == family.body("m", "x", stream)
    rows = made.wait_ledger(12, 12)["exchange"]
    assert {(row["input"], row["output"]) for row in rows} == {(9, 3)}
    assert {row["cost_nusd"] for row in rows if row["target_model"] == "m"} == {9 * 1000 + 3 * 2000}


def test_a_key_that_is_echoed_is_not_passed_on(made, provider):
    for status in (200, 400):
        for packet in (1 << 20, 5):
            provider.script(status=status, body='{"said":"%KEY% and %KEY%"}', expand=True,
                            headers={"etag": "%KEY%"}, packet_bytes=packet)
            call = native(made, "here", "{}", path="/v1/files")
            stars = "*" * len(KEY)
            assert call.body.decode() == '{"said":"%s and %s"}' % (stars, stars), call
            assert KEY not in str(call.headers)


def test_a_large_download_waits_for_its_reader(made, provider):
    provider.script(body="z" * (20 << 20), headers={"content-type": "application/octet-stream"},
                    packet_bytes=65536)
    call = Call(made, provider="here", method="GET", path="/v1/files/f/content", credit=1, gives=False)
    call.frame()
    before = made.heap_kib()
    harness.wait_until(lambda: provider.requests()[0].sent_bytes > 1 << 20, 5, "some of it")
    assert provider.requests()[0].sent_bytes < 20 << 20
    assert harness.is_sanitized() or made.heap_kib() - before < 8 * 1024
    call.gives = True
    call.client.send_frame(10, 1, {"bytes": 1 << 20})
    assert len(call.finish().body) == 20 << 20 and call.is_good


def test_a_reply_that_breaks_is_no_success(made, provider):
    provider.script(body="z" * 1000, close_after=500)
    call = native(made, "here", method="GET", path="/v1/files/f/content")
    assert call.status == 200 and call.fault in ("stream_incomplete", "outcome_unknown", "connection"), call
    assert call.last.body["partial"] and len(call.body) <= 500
    assert len(provider.requests()) == 1


@pytest.mark.parametrize("name, path, status, fault", [
    ("nobody", "/v1/files", 404, "not_found"), ("offline", "/v1/files", 400, "unsupported"),
    ("here", "/", 400, "invalid_request"), ("here", None, 400, "invalid_request")])
def test_what_cannot_be_reached(made, provider, name, path, status, fault):
    call = native(made, name, path=path, method="GET")
    assert (call.status, call.fault) == (status, fault) and call.json["error"]["message"], call
    assert provider.requests() == []


PATHS = """
/v1/../../admin /v1/%2e%2e/x /v1/..%2fx /v1/..;/x /../../../etc/passwd /./x /v1/. /v1/files;x /v1/\u00e9
//EVIL/x ///EVIL/x ////EVIL //EVIL //EVIL:443 /\\EVIL /\\\\EVIL/x \\\\EVIL/x /@EVIL/ /@EVIL /x@EVIL/ /:x@EVIL/ /:99@EVIL/x
/https://EVIL/x /http://EVIL/x /https:/EVIL /%2f%2fEVIL/x /%5c%5cEVIL/x /%40EVIL/ /x%0d%0aHost:%20EVIL /x%20HTTP/1.1
/v1/files%00 /v1/files%23 /v1/files%3fkey=sk-mine https://EVIL/x //u:p@EVIL/x /.EVIL/x /[::1]/x /%
""".split()


@pytest.mark.security
@pytest.mark.parametrize("query", [None, "a=b@EVIL/x", "//EVIL/x", "@EVIL/", "\\\\@EVIL"])
def test_an_address_stays_at_its_host(made, provider, providers, query):
    """However it is written: it is refused, or it comes in there, with the key."""
    elsewhere = providers()
    evil = f"localhost:{elsewhere.port}"
    for path in PATHS:
        call = native(made, "here", path=path.replace("EVIL", evil), method="GET",
                      query=query and query.replace("EVIL", evil))
        assert call.last is not None, path
    seen = provider.requests()
    assert len(seen) > len(PATHS) // 2
    for request in seen:
        assert request.header("host") == [f"localhost:{provider.port}"], request.raw_head
        assert request.header("authorization") == [f"Bearer {KEY}"], request.raw_head
        assert request.target.startswith("/"), request.raw_head
    assert elsewhere.stats()["connections"] == 0


@pytest.mark.security
def test_an_address_without_a_path_is_none(made, provider):
    for path in ("/", "//", "///", ""):
        call = native(made, "here", path=path, method="GET", query="x@elsewhere.example/")
        assert call.fault == "invalid_request", (path, call)
    assert provider.requests() == []


@pytest.mark.security
@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title, lambda s: s + " ", lambda s: " " + s,
                                      lambda s: s + ":", lambda s: s + "\t", lambda s: s + "\0",
                                      lambda s: s.replace("-", "_"), lambda s: "\n" + s, lambda s: s + "\u212a"],
                         ids=["lower", "upper", "title", "space", "before", "colon", "tab", "nul", "underscore",
                              "line", "letter"])
def test_no_spelling_of_a_header_goes_along(made, provider, spelling):
    for name, value in MINE:
        native(made, "here", path="/v1/models", method="GET", headers=[(spelling(name), value + "-mine")])
    for seen in provider.requests():
        assert b"mine" not in seen.raw_head, seen.raw_head
        assert len(seen.header("host")) == 1 and len(seen.header("authorization")) == 1


@pytest.mark.security
@pytest.mark.parametrize("name", ["key", "KEY", "Key", "k%65y", "%6bey", "%4B%45%59", "access_token", "access%5Ftoken",
                                  "api_key", "api-key", "apikey", "ApiKey", "subscription-key", "x-goog-api-key", "key%00",
                                  "api%5fkey%00x"])
def test_no_spelling_of_a_key_in_the_query_goes_along(made, provider, name):
    for query in (f"{name}=sk-mine", f"a=b&{name}=sk-mine", f"{name}=sk-mine&a=b", f"&{name}=sk-mine&&", name,
                  f"{name}=sk-mine={name}=sk-mine"):
        assert native(made, "here", path="/v1/models", method="GET", query=query).last is not None
    for seen in provider.requests():
        assert b"mine" not in seen.raw_head and name not in seen.target, seen.raw_head
    assert len(provider.requests()) == 6


@pytest.mark.parametrize("surface", [
    {"path": "/v1/a b"}, {"path": "/v1/a\r\nx: y"}, {"path": "v1"}, {"path": "/v1/a?b"}, {"query": "a b"},
    {"query": "a\n"}, {"query": "a#b"}, {"method": "get"}, {"method": "GET /x HTTP/1.1"},
    {"headers": [["Accept", "x"]]}, {"headers": [["accept", "x\r\ny: z"]]}, {"content_type": "a\nb"},
    {"surface": "openai.chat"}])
def test_what_could_not_stand_in_a_request_is_refused(made, provider, surface):
    call = native(made, "here", b"{}", **{"path": "/v1/files", **surface})
    assert call.fault == "invalid_request", call
    assert provider.requests() == []


def test_by_the_cli(made, provider):
    provider.script({"body": '{"data": []}'}, {"status": 404, "body": '{"error": 1}'})
    done = made.llmb("relay", "--native", "here", "/v1/files", "-X", "GET", "-q", "limit=1")
    assert (done.code, done.out) == (0, '{"data": []}'), done
    done = made.llmb("relay", "-i", "--native", "here", "/v1/files", input="{}")
    assert done.code == 7 and done.out.startswith("HTTP 404\n") and done.out.endswith('{"error": 1}')
    assert [seen.method for seen in provider.requests()] == ["GET", "POST"]
    assert json.loads(made.llmb("relay", "models").out)["data"]
