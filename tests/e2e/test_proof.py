"""test_proof.py - how does a request prove itself where a key in a header is not enough?

Signatures for AWS are computed again here from what the provider got; Google's assertions are checked
by openssl. Token endpoints are scripted providers. What gets a token is a canary, and so is the token:
each is looked for where it must not be."""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import pathlib
import secrets
import subprocess
import time
import urllib.parse

import harness
import pytest
from canary import canary, described, hits, is_shut, memory_of, parts_in, regions_with
from programs import needs_release, needs_root

ACCESS_KEY = "AKIDEXAMPLE12345"
CHAT = "openai-chat /v1/chat/completions"


# ---- AWS ----

def sigv4(request, secret_key, scope, names):
    """The signature of a request as it came, by AWS's description of it."""
    day, region, service, _ = scope.split("/")
    path = "/".join(urllib.parse.quote(part, safe="-_.~") for part in request.path.split("/"))
    query = "&".join(sorted(request.query.split("&"))) if request.query else ""
    lines = [f"{name}:{','.join(request.header(name))}\n" for name in names]
    canonical = "\n".join([request.method, path, query, "".join(lines), ";".join(names),
                           hashlib.sha256(request.body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", request.header("x-amz-date")[0], scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + secret_key.encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def check_sigv4(request, secret_key, token=None, region="us-west-2", service="bedrock"):
    kind, _, rest = request.header("authorization")[0].partition(" ")
    assert kind == "AWS4-HMAC-SHA256"
    parts = dict(part.split("=", 1) for part in rest.split(", "))
    access_key, _, scope = parts["Credential"].partition("/")
    names = parts["SignedHeaders"].split(";")
    assert access_key == ACCESS_KEY
    assert scope == f"{request.header('x-amz-date')[0][:8]}/{region}/{service}/aws4_request"
    assert request.header("x-amz-security-token") == ([token] if token else [])
    assert {"host", "x-amz-date", "content-type"} <= set(names) or request.method == "GET"
    assert ("x-amz-security-token" in names) == bool(token)
    assert parts["Signature"] == sigv4(request, secret_key, scope, names)
    sent = time.strptime(request.header("x-amz-date")[0], "%Y%m%dT%H%M%SZ")
    assert abs(time.mktime(sent) - time.timezone - time.time()) < 60


@pytest.mark.parametrize("token", [None, "x" * 20, "IQoJb3JpZ2luX2VjE" + "Ab+/" * 300 + "=="])
def test_sigv4(broker, providers, token):
    provider = providers(needs_key=False)
    secret_key = canary()[10:]
    made = broker(harness.provider_section(provider, model="m", auth="sigv4", region="us-west-2"))
    made.add_key("test", ":".join(filter(None, [ACCESS_KEY, secret_key, token])))
    for args in (["3 words"], ["--no-stream", "3 words"], ["Grüße, 世界"]):
        done = made.llmb("ask", "-m", "test/m", *args)
        assert done.code == 0, done.err
    assert made.llmb("key", "test", "test").code == 0
    seen = provider.requests()
    assert len(seen) == 4
    for request in seen:
        check_sigv4(request, secret_key, token)
        assert not hits(request.raw_head + request.body, secret_key)


def test_sigv4_of_an_address_that_is_encoded(broker, providers):
    provider = providers(needs_key=False)
    secret_key = "secret/" + secrets.token_urlsafe(24)
    config = harness.provider_section(
        provider, model="m", auth="sigv4", region="us-west-2", service="sagemaker",
        dialect="openai-chat /model/{model}/chat/completions?b=2&a=%2F1", base_path="/x")
    made = broker(config.replace("localhost", "LocalHost"))
    made.add_key("test", json.dumps({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": secret_key},
                                    indent=2))
    done = made.llmb("ask", "-m", "test/some.model-v1:0", "3 words")
    assert done.code == 0, done.err
    request, = provider.requests()
    assert "%3A" in request.target and request.query
    check_sigv4(request, secret_key, service="sagemaker")


def test_what_aws_echoes_of_a_session_token_is_not_shown(broker, providers):
    provider = providers(needs_key=False)
    token, secret_key = canary(), canary()[10:]
    provider.script(status=403, body={"message": f"The Canonical String for this request should "
                                                 f"have been 'x-amz-security-token:{token}'"})
    made = broker(harness.provider_section(provider, model="m", auth="sigv4", region="us-west-2"))
    made.add_key("test", f"{ACCESS_KEY}:{secret_key}:{token}")
    done = made.llmb("ask", "-m", "test/m", "hi")
    assert done.code == 7
    assert "Canonical String" in done.err
    assert not hits(done.err.encode() + made.log().encode(), token)


# ---- tokens ----

@pytest.fixture(scope="module")
def rsa(tmp_path_factory):
    """A key of a service account: (PEM, the file of its public half)."""
    folder = tmp_path_factory.mktemp("rsa")
    private, public = folder / "key.pem", folder / "public.pem"
    subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt",
                    "rsa_keygen_bits:2048", "-out", str(private)], check=True, timeout=60)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)],
                   check=True, timeout=60)
    return private.read_text(), public


def account(rsa):
    return json.dumps({"type": "service_account", "project_id": "p", "private_key_id": "kid-1",
                       "private_key": rsa[0], "client_email": "a@p.iam.gserviceaccount.com",
                       "token_uri": "https://oauth2.googleapis.com/token"}, indent=2)


def person(secret, refresh):
    return json.dumps({"type": "authorized_user", "client_id": "id.apps.googleusercontent.com",
                       "client_secret": secret, "refresh_token": refresh, "account": ""})


def reply(token, life=3600):
    return {"access_token": token, "token_type": "Bearer", "expires_in": life}


class Cloud:
    """A broker, a provider that takes tokens, and the endpoint that gives them."""

    def __init__(self, broker, provider, endpoint, auth, key, **more):
        self.provider, self.endpoint = provider, endpoint
        self.keys = dict({"model": "m", "auth": auth, "token_url": endpoint.base_url + "/token"},
                         **more)
        self.made = broker(self.section())
        self.made.add_key("cloud", key)

    def section(self, provider=None, **other):
        return "[broker]\nlog_level = debug\n" + harness.provider_section(
            provider or self.provider, "cloud", **{**self.keys, **other})

    def change(self, **other):
        """Has the broker read another section."""
        before = self.made.log().count("config.loaded")
        self.made.configure(self.section(**other))
        self.made.reload()
        harness.wait_until(lambda: self.made.log().count("config.loaded") > before, 5, "a reload")

    def ask(self, *args):
        return self.made.llmb("ask", "-m", "cloud/m", *args)

    def bearers(self):
        return [seen.header("authorization")[0].removeprefix("Bearer ")
                for seen in self.provider.requests()]


@pytest.fixture
def cloud(broker, provider, providers):
    def make(auth, key, **more):
        return Cloud(broker, provider, providers(needs_key=False), auth, key, **more)
    return make


def form(request):
    assert request.method == "POST" and request.path == "/token"
    assert request.header("content-type") == ["application/x-www-form-urlencoded"]
    assert request.header("authorization") == []
    return dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_service_account(cloud, rsa, tmp_path):
    it = cloud("google", account(rsa))
    it.endpoint.script(body=reply("ya29.first"), times=0)
    for _ in range(3):
        done = it.ask("3 words")
        assert done.code == 0, done.err
    assert it.bearers() == ["ya29.first"] * 3
    asked, = it.endpoint.requests()
    fields = form(asked)
    assert fields["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims, signature = fields["assertion"].split(".")
    assert json.loads(unbase64(head)) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    claims = json.loads(unbase64(claims))
    assert claims["iss"] == "a@p.iam.gserviceaccount.com"
    assert claims["aud"] == it.endpoint.base_url + "/token"
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert claims["exp"] - claims["iat"] == 3600 and abs(claims["iat"] - time.time()) < 60
    (tmp_path / "signature").write_bytes(unbase64(signature))
    (tmp_path / "text").write_text(fields["assertion"].rpartition(".")[0])
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", str(rsa[1]), "-signature",
                    str(tmp_path / "signature"), str(tmp_path / "text")], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)


def test_a_person_and_a_client_of_entra(cloud, broker, provider, providers):
    it = cloud("google", person("d-secret&=", "1//refresh+"))
    it.endpoint.script(body=reply("ya29.person"))
    assert it.ask("3 words").code == 0
    assert form(it.endpoint.requests()[0]) == {
        "grant_type": "refresh_token", "client_id": "id.apps.googleusercontent.com",
        "client_secret": "d-secret&=", "refresh_token": "1//refresh+"}
    it.made.stop()
    it = Cloud(broker, provider, providers(needs_key=False), "entra", "app:s~cret/=",
               tenant="org.example", scope="https://ai.azure.com/.default")
    it.endpoint.script(body=reply("eyJ.entra", "3599"))
    assert it.ask("3 words").code == 0
    assert form(it.endpoint.requests()[0]) == {
        "grant_type": "client_credentials", "client_id": "app", "client_secret": "s~cret/=",
        "scope": "https://ai.azure.com/.default"}
    assert it.bearers()[-1] == "eyJ.entra"


def test_many_calls_wait_for_one_token(cloud, rsa):
    it = cloud("google", account(rsa))
    it.endpoint.script(body=reply("ya29.shared"), hold="start")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(it.ask, "3 words") for _ in range(12)]
        it.endpoint.wait_held()
        harness.wait_until(lambda: it.made.log().count("to=prepare") == 12, 10, "all wait")
        it.endpoint.release()
        assert [call.result().code for call in calls] == [0] * 12
    assert len(it.endpoint.requests()) == 1
    assert it.bearers() == ["ya29.shared"] * 12


def test_a_token_that_is_refused_is_fetched_anew_once(cloud, rsa):
    it = cloud("google", account(rsa))
    it.endpoint.script({"body": reply("ya29.old")}, {"body": reply("ya29.new")})
    assert it.ask("3 words").code == 0
    it.provider.script(status=401, message="expired")
    done = it.ask("3 words")
    assert done.code == 0 and len(done.out.split()) == 3, done.err
    assert it.bearers() == ["ya29.old", "ya29.old", "ya29.new"]
    it.provider.script(status=401, message="expired", times=0)
    it.endpoint.script(body=reply("ya29.newer"))
    done = it.ask("3 words")
    assert done.code == 7 and "llmb key add cloud" in done.err
    assert it.bearers()[3:] == ["ya29.new", "ya29.newer"]
    assert len(it.endpoint.requests()) == 3


def test_a_token_ends(cloud, rsa):
    it = cloud("google", account(rsa))
    it.endpoint.script({"body": reply("ya29.short", 1)}, {"body": reply("ya29.long")})
    assert it.ask("3 words").code == 0
    time.sleep(1.1)
    assert it.ask("3 words").code == 0
    assert it.bearers() == ["ya29.short", "ya29.long"]


def test_key_test_gets_a_token(cloud, rsa):
    it = cloud("google", account(rsa))
    it.endpoint.script({"status": 400, "body": {"error": "invalid_grant",
                                                "error_description": "Invalid JWT Signature."}},
                       {"body": reply("ya29.t")})
    done = it.made.llmb("key", "test", "cloud")
    assert done.code == 7 and "Invalid JWT Signature" in done.err
    assert it.provider.requests() == []
    done = it.made.llmb("key", "test", "cloud")
    assert done.code == 0, done.err


@pytest.mark.parametrize("command", [["key", "test", "cloud"], ["models", "--live", "cloud"]])
def test_a_list_renews_a_token_once(cloud, rsa, command):
    it = cloud("google", account(rsa))
    it.endpoint.script({"body": reply("ya29.old")}, {"body": reply("ya29.new")})
    assert it.ask("3 words").code == 0
    it.provider.script({"status": 401, "message": "expired"}, {"body": {"data": [{"id": "m1"}]}})
    done = it.made.llmb(*command)
    assert done.code == 0 and ("1 models" in done.err or "cloud/m1" in done.out), done.err
    assert it.bearers() == ["ya29.old", "ya29.old", "ya29.new"]
    it.provider.script(status=401, message="expired", times=0)
    it.endpoint.script(body=reply("ya29.newer"))
    done = it.made.llmb(*command)
    assert "llmb key add cloud" in done.err
    assert it.bearers()[3:] == ["ya29.new", "ya29.newer"]
    assert len(it.endpoint.requests()) == 3


def test_an_endpoint_that_quotes_is_not_repeated(cloud):
    secret, refresh = canary(), canary()
    it = cloud("google", person(secret, refresh))
    escaped = urllib.parse.quote(secret, safe="")
    for said in (f"client secret {secret[:24]} is not known", f"got {refresh[:-1]}", refresh[-9:],
                 f"the form was client_secret={escaped}&", escaped.replace("%2F", "%2f")[3:-3]):
        it.endpoint.script(status=400, body={"error": "invalid_grant", "error_description": said})
        done = it.ask("hi")
        assert done.code == 7 and "invalid_grant" in done.err and "********" in done.err, done.err
        shown = done.out + done.err + it.made.log()
        assert not parts_in(shown, secret) and not parts_in(shown, refresh), shown


@pytest.mark.parametrize("script, code, word", [
    ({"status": 400, "body": {"error": "invalid_grant", "error_description": "Bad clock"}}, 7,
     "Bad clock"),
    ({"status": 401, "body": {"error": "invalid_client"}}, 7, "llmb key add cloud"),
    ({"status": 404, "body": "nobody"}, 7, "token_url"),
    ({"status": 302, "headers": {"location": "https://localhost:1/"}, "body": ""}, 7, "token_url"),
    ({"body": "<html>hello</html>"}, 7, "without a token"),
    ({"body": {"access_token": "a\r\nb: c", "token_type": "Bearer"}}, 7, "without a token"),
    ({"body": "x" * 100_000}, 7, "without a token"),
    ({"reset_after": "start"}, 7, "no token for cloud"),
    ({"status": 503, "body": "busy"}, 7, "status 503")])
def test_an_endpoint_that_gives_no_token(cloud, rsa, script, code, word):
    it = cloud("google", account(rsa))
    it.endpoint.script(**script, times=0)
    done = it.ask("hi")
    assert done.code == code and word in done.err, done.err
    assert it.provider.requests() == []
    rows = it.made.wait_ledger(1, 0)
    assert rows["exchange"][0]["outcome"] == "failed"


def test_an_endpoint_that_is_down(cloud, rsa):
    it = cloud("google", account(rsa))
    it.endpoint.listener("down")
    begun = time.monotonic()
    done = it.ask("hi")
    assert done.code == 7 and "no token for cloud" in done.err, done.err
    assert time.monotonic() - begun < 10
    it.endpoint.listener("up")
    it.endpoint.script(body=reply("ya29.up"))
    assert it.ask("3 words").code == 0


def test_a_caller_who_does_not_wait_for_it(cloud, rsa):
    it = cloud("google", account(rsa))
    it.endpoint.script(body=reply("ya29.late"), hold="start")
    running = it.made.llmb_start("ask", "-m", "cloud/m", "hi")
    it.endpoint.wait_held()
    running.kill()
    it.made.running.remove(running)
    it.made.wait_ledger(1, 0)
    it.endpoint.release()
    assert it.ask("3 words").code == 0
    assert it.bearers() == ["ya29.late"]


# ---- where they may go ----

def test_neither_goes_elsewhere(cloud, providers):
    secret, refresh, token = canary(), canary(), canary()
    it = cloud("google", person(secret, refresh))
    it.endpoint.script(body=reply(token), times=0)
    assert it.ask("3 words").code == 0
    stranger = providers(needs_key=False)
    for change in ({"token_url": stranger.base_url + "/token"}, {"provider": stranger}):
        it.change(**change)
        done = it.ask("hi")
        assert done.code == 3 and "key" in done.err, done
        assert stranger.requests() == []
        assert it.made.llmb("key", "test", "cloud").code == 3
        assert stranger.requests() == []
    for seen in it.endpoint.requests():
        assert not hits(seen.raw_head + seen.body, token)
        assert not hits(seen.raw_head, refresh)
    for seen in it.provider.requests():
        assert not hits(seen.raw_head + seen.body, secret)
        assert not hits(seen.raw_head + seen.body, refresh)


def test_a_key_of_another_kind_is_not_sent(cloud):
    secret, refresh = canary(), canary()
    it = cloud("google", person(secret, refresh))
    for auth in ("bearer", "header:x-api-key", "sigv4"):
        it.change(auth=auth, region="us-east-1")
        assert it.ask("hi").code in (3, 5)
    assert it.provider.requests() == [] and it.endpoint.requests() == []


@pytest.mark.parametrize("auth, given, word", [
    ("sigv4", "ABSKkey", "ACCESS_KEY_ID:SECRET_ACCESS_KEY"),
    ("sigv4", '{"AccessKeyId": "x"}', "export-credentials"),
    ("sigv4", '{"AccessKeyId":', "no whole one"),
    ("google", "AIzaSyA0123456789", "service account"),
    ("google", '{\n  "type": "external_account"\n}\n', "service account"),
    ("google", '{"type": "service_account", "token_uri": "http://169.254.169.254/x"}', "token_uri"),
    ("entra", "0123456789abcdef", "TENANT:CLIENT_ID:CLIENT_SECRET"),
    ("bearer", '{\n  "type": "service_account"\n}\n', "line break")])
def test_a_key_of_the_wrong_form(broker, provider, auth, given, word):
    made = broker(harness.provider_section(provider, auth=auth, region="us-east-1"))
    done = made.llmb("key", "add", "test", "--from-stdin", "--no-input", input=given)
    assert done.code == 2 and word in done.err, done
    assert '"keys":[]' in made.llmb("key", "list", "--json").out.replace(" ", "")


# ---- what is left of them ----

@pytest.fixture
def used(cloud):
    """Canaries that have got a token, been refused, been echoed; the vault is open."""
    secret, refresh, token = canary(), canary(), canary()
    it = cloud("google", person(secret, refresh))
    it.endpoint.script({"status": 401, "body": {"error": "invalid_grant", "error_description":
                                                f"{refresh} and {secret} are wrong"}},
                       {"body": reply(token), "times": 0})
    said = [it.ask("hi"), it.ask("3 words")]
    it.provider.script(status=401, body={"error": {"message": f"bad token {token}"}})
    it.provider.script(answer={"text": f"you sent {token} to me"}, packet_bytes=7)
    said += [it.ask("echo it"), it.ask("--json", "3 words")]
    for command in (["key", "list", "--json"], ["status", "--json"], ["usage", "--json"],
                    ["key", "test", "cloud"], ["models"]):
        said.append(it.made.llmb(*command))
    assert [done.code for done in said[:4]] == [7, 0, 0, 0]
    return it, (secret, refresh, token), said


def test_no_output_no_log_and_no_file_has_them(used):
    it, keys, said = used
    for key in keys:
        for done in said:
            assert not hits(done.out.encode() + done.err.encode(), key), done
        assert not hits(it.made.log().encode(), key)
        for path in pathlib.Path(it.made.folder).rglob("*"):
            assert not path.is_file() or not hits(path.read_bytes(), key), path
        for name in ("cmdline", "environ", "maps"):
            assert not hits(pathlib.Path(f"/proc/{it.made.pid}/{name}").read_bytes(), key)


@pytest.mark.security
@needs_root
@needs_release
def test_an_open_vault_leaves_no_key_about(used):
    it, keys, _ = used
    for key in keys:
        found = [(region, count) for region, count in regions_with(it.made.pid, key) if not is_shut(region)]
        assert found == [], described(found)


@pytest.mark.security
@needs_root
@needs_release
def test_after_locking_the_broker_has_them_no_more(used):
    it, keys, _ = used
    assert it.made.llmb("vault", "lock").code == 0
    for key in keys:
        assert described(regions_with(it.made.pid, key)) == []
    assert it.ask("hi").code == 5


@pytest.mark.security
@needs_root
@needs_release
def test_a_private_key_is_nowhere_after_locking(cloud, rsa):
    it = cloud("google", account(rsa))
    it.endpoint.script(body=reply("ya29.x"))
    assert it.ask("3 words").code == 0
    inside = "".join(rsa[0].split("\n")[1:-2])
    needles = [line.encode() for line in rsa[0].split("\n")[2:-2]]
    der = base64.b64decode(inside + "=" * (-len(inside) % 4))
    needles += [der[at:at + 32] for at in range(300, len(der) - 32, 64)]
    needles += [needle[::-1] for needle in needles]  # as big numbers are kept
    for path in pathlib.Path(it.made.folder).rglob("*"):
        assert not path.is_file() or not any(n in path.read_bytes() for n in needles), path
    assert it.made.llmb("vault", "lock").code == 0
    found = [needle for region in memory_of(it.made.pid) for needle in needles if needle in region.data]
    assert found == []
