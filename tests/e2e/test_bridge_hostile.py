"""test_bridge_hostile.py - what can somebody who speaks HTTP badly, or not for himself, do to the bridge or by it?

Whatever comes, it answers the next one, and in the end it has no more descriptors and memory than before."""

import itertools
import os
import resource
import signal
import socket
import struct
import subprocess
import time

import harness
import pytest
from bridge import Http, HungUp, ask, has_v6
from surfaces import FAMILIES, dialects
from test_identity import NOBODY, as_user, needs_root

KEY = "sk-test-0123456789abcdef"
MIB = 1 << 20
CHAT = FAMILIES["chat"]
IS_LONG = os.environ.get("LLMB_LONG") == "1"
LINES_KEPT = 64
SOON = 5 * harness.SLOWER
AT_ONCE = 0.1 * harness.SLOWER * (5 if harness.is_sanitized() else 1)


@pytest.fixture
def made(broker, provider):
    made = broker(harness.provider_section(provider, "all", dialect=dialects()))
    made.add_key("all", KEY)
    return made


def is_as_before(one, fds):
    """Its callers are gone; what it keeps of them are ways to the broker, for the next ones."""
    harness.wait_until(lambda: one.connections() == 0, SOON, lambda: f"{one.connections()} connections")
    assert one.fds() <= fds + LINES_KEPT * 3


@pytest.fixture
def door(bridge, made):
    one = bridge(made)
    assert ask(one, "GET", "/v1/models/offline/echo").status == 200  # what it keeps from its first request on
    before = one.fds()
    yield one
    if one.is_alive():
        assert ask(one, "GET", "/v1/models/offline/echo").status == 200, "it still answers"
        is_as_before(one, before)


def body(stream=False, text="x"):
    return CHAT.body("all/m", text, stream)


def head(*lines, target="/v1/chat/completions", method="POST"):
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *lines]) + "\r\n\r\n"


def outcome(where, data, then_close=False):
    """The status that these bytes get, or None: the connection is closed."""
    with Http(where, timeout=SOON) as http:
        try:
            http.send(data)
            if then_close:
                http.sock.shutdown(socket.SHUT_WR)
            return http.read().status
        except TimeoutError:
            raise
        except (HungUp, OSError):
            return None


# ---- requests that are none ----

def chunked(*lines, rest=""):
    return head("Transfer-Encoding: chunked", *lines) + rest


TWO_THINGS = [
    chunked(rest="zz\r\n{}\r\n0\r\n\r\n"), chunked(rest="-2\r\n{}\r\n0\r\n\r\n"), chunked(rest="\r\n\r\n"),
    chunked(rest="ffffffffffffffffff\r\n{}"), chunked(rest="7fffffffffffffff\r\n{}"), chunked(rest="0x2\r\n{}\r\n0\r\n\r\n"),
    chunked(rest="2 2\r\n{}\r\n0\r\n\r\n"), chunked(rest="2\r\n{}xx0\r\n\r\n"), chunked(rest="2\r\n{}\r\n"),
    chunked(rest="1" * 70_000), chunked(rest="2;" + "a" * 100_000 + "\r\n{}\r\n0\r\n\r\n"),
    chunked("Content-Length: 2", rest="2\r\n{}\r\n0\r\n\r\n"), chunked("Content-Length: 300000", rest="2\r\n{}\r\n0\r\n\r\n"),
    chunked("Transfer-Encoding: chunked", rest="2\r\n{}\r\n0\r\n\r\n"),
    head("Transfer-Encoding: gzip, chunked") + "2\r\n{}\r\n0\r\n\r\n", head("Transfer-Encoding: identity") + "{}",
    head("Transfer-Encoding: xchunked", "Content-Length: 2") + "{}",
    head("Content-Length: 2", "Content-Length: 2") + "{}", head("Content-Length: 2", "Content-Length: 3") + "{}x",
    head("Content-Length: 2, 2") + "{}", head("Content-Length: -1") + "{}", head("Content-Length: +2") + "{}",
    head("Content-Length: 0x2") + "{}", head("Content-Length: 2x") + "{}", head("Content-Length:") + "{}",
    head("Content-Length: 99999999999999999999999") + "{}", head("Content-Length: 9223372036854775807") + "{}",
    head("Host: evil.test", "Content-Length: 2") + "{}",
]


def test_framing_that_two_readers_take_for_two_things(door, provider):
    """Such a request is refused or dropped, and nothing of it is sent on."""
    for data in TWO_THINGS:
        status = outcome(door, data, then_close=True)
        assert status is None or 400 <= status < 600, (status, data[:200])
    assert provider.requests() == []


NO_REQUESTS = [
    b"\r\n" * 1000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / FTP/1.0\r\n\r\n", b" GET / HTTP/1.1\r\n\r\n",
    b"GET  /  HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n", b"\x00" * 5000,
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n no-name\r\n\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA\x00b: c\x00d\r\n\r\n",
    b"GET /\x00/v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET /\xff\xfe\x01 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"A" * 60_000 + b" / HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET :// HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET http: HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"TRACE /native/all/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"POST /v1/messages HTTP/1.1\r\n\r\n",
]


def said_without_a_hang(where, data, step):
    with Http(where, timeout=SOON) as http:
        try:
            for at in range(0, min(len(data), 700 if step == 7 else len(data)), step):
                http.send(data[at:at + step])
            http.sock.shutdown(socket.SHUT_WR)
            while http.sock.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
    return True


def test_no_request_at_all(door, provider):
    for data in NO_REQUESTS:
        for way in (door, door.path):
            for step in (len(data), 7):
                assert said_without_a_hang(way, data, step), data[:200]
    assert provider.requests() == []


def test_heads_that_are_too_long(door):
    for data in (head(f"X: {'y' * 100_000}", "Content-Length: 0"), head(*(f"X-{i}: {i}" for i in range(20_000))),
                 head("Content-Length: 0", target="/v1/" + "x" * 100_000), f"GET /{'v1/' * 30_000}models HTTP/1.1\r\n\r\n"):
        status = outcome(door, data)
        assert status in (413, 414, 431, None), status
    assert outcome(door, head(f"X: {'y' * 100_000}", "Content-Length: 0")) == 431
    assert outcome(door, head(f"X: {'y' * 16_000}", target="/health", method="GET")) == 200


def test_nobodys_headers_are_made_of_a_target(door, provider):
    """Bytes that end a line stand for themselves on their way to the provider, or do not get there."""
    for path in ("/native/all/x%0d%0aevil:%20yes", "/native/all/x%00y", "/native/all/x?a=%0d%0aevil:%20yes",
                 "/native/all/..%2f..%2fetc", "/native/all/../../etc/passwd", "/native/all//x", "/native/all/./x",
                 "/native/all/@evil.test/", "/native/all/%2e%2e/x", "/native/all/x#y", "/native/all/\xe4", "/native/all/ x"):
        status = outcome(door, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert status is None or status < 600
    for seen in provider.requests():
        assert b"\r\nevil" not in seen.raw_head and seen.header("host")[0].startswith("localhost"), seen.raw_head
    for value in (b"a\rb: c", b"a\x00b", b"a\x0bb", b"\xff\xfe", b"a\r\n folded: yes"):
        for name in (b"Anthropic-Beta", b"X-LLM-Broker-Session", b"X-LLM-Broker-Tags", b"X-LLM-Broker-Provider",
                     b"Content-Type", b"Origin", b"Access-Control-Request-Headers"):
            text = body().encode()
            outcome(door, b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n%s: %s\r\n\r\n%s" %
                    (len(text), name, value, text))
    for seen in provider.requests():
        assert b"\0" not in seen.raw_head and b"\nfolded" not in seen.raw_head and b"\rb: c" not in seen.raw_head


TEXT = '{"parts":[{"text":"x"}]}'
EMBEDS = [  # of one, and of several
    '{}', '{"content":null}', '{"content":"x"}', '{"content":[%s]}' % TEXT, '{"content":{}}', '{"content":{"parts":[]}}',
    '{"content":{"parts":"x"}}', '{"content":{"parts":[1]}}', '{"content":{"parts":[{}]}}', '{"content":{"parts":[{"text":1}]}}',
    '{"content":{"parts":[{"text":"x"},{"text":"y"}]}}', '{"content":{"parts":[{"functionCall":{"name":"f"}}]}}',
    '{"content":{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}]}}',
    '{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"*"}}]}}',
    '{"content":%s,"content":%s}' % (TEXT, TEXT), '{"content":%s,"taskType":"NONSENSE"}' % TEXT, '{"content":%s,"taskType":1}' % TEXT,
    '{"content":%s,"outputDimensionality":0}' % TEXT, '{"content":%s,"outputDimensionality":-1}' % TEXT,
    '{"content":%s,"outputDimensionality":1e400}' % TEXT, '{"content":%s,"outputDimensionality":"8"}' % TEXT,
    '{"content":%s,"outputDimensionality":1.5}' % TEXT, '{"content":%s,"taskType":"SEMANTIC_SIMILARITY","task_type":"x"}' % TEXT,
    '{"content":' + '{"parts":[' * 300 + ']}' * 300 + '}']
BATCHES = ['{}', '{"requests":null}', '{"requests":{}}', '{"requests":[]}', '{"requests":[1]}', '{"requests":[[]]}',
           '{"requests":[{"content":%s}],"more":1}' % TEXT, '{"requests":[{"content":%s},null]}' % TEXT,
           '{"requests":[{"content":%s},{"content":%s,"taskType":"SEMANTIC_SIMILARITY"}]}' % (TEXT, TEXT),
           '{"requests":[{"content":%s},{"content":%s,"outputDimensionality":8}]}' % (TEXT, TEXT),
           '{"requests":[{"content":%s,"x":1},{"content":%s,"x":2}]}' % (TEXT, TEXT),
           '{"requests":[' + ('{"content":%s},' % TEXT) * 20_000 + '0]}',
           *('{"requests":[{"content":%s},%s]}' % (TEXT, one) for one in EMBEDS)]


def test_what_asks_for_no_vectors(door, provider):
    """Google's two ways to ask: whatever is wrong with a body, it is said in its envelope, and nothing goes out."""
    for method, bodies in (("embedContent", EMBEDS), ("batchEmbedContents", BATCHES)):
        for text in bodies:
            answer = ask(door, "POST", f"/v1beta/models/all/m:{method}", text)
            assert answer.status in (400, 413), (text[:200], answer)
            assert answer.json["error"]["status"] == "INVALID_ARGUMENT", (text[:200], answer)
    assert provider.requests() == []


def test_upgrades_are_refused_at_once(door):
    """Codex tries a WebSocket first, and goes on without one as soon as it is told."""
    begun = time.monotonic()
    answer = ask(door, "GET", "/v1/responses", headers=[
        ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x" * 24), ("Sec-WebSocket-Version", "13")])
    assert answer.status == 426 and answer.json["error"]["message"], answer
    assert time.monotonic() - begun < SOON


# ---- web pages ----

def test_a_name_that_leads_here(door, provider):
    for host in ("evil.test", "evil.test:8411", "localhost.evil.test", "127.0.0.1.evil.test", "", "[::1].evil"):
        for method, target in (("GET", "/v1/models"), ("POST", CHAT.path), ("GET", "/"), ("GET", "/native/all/x")):
            answer = ask(door, method, target, body() if method == "POST" else b"", host=host)
            assert answer.status in (400, 403), (host, answer)
        assert ask(door.path, "GET", "/", host=host).status in (200, 400), "no browser comes by a Unix socket"
    assert provider.requests() == []


def test_pages(bridge, made, provider):
    """None may, unless it was said so; of one that may, the browser is told."""
    door = bridge(made, args=["--allow-origin", "https://app.test", "--allow-host", "box.lan"])
    provider.script(**CHAT.script("Hi", False)[0], times=0)
    asked = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,x-api-key")]
    for origin in ("https://evil.test", "null", "http://127.0.0.1:8411", "https://app.test.evil", "https://app.test, https://x"):
        for method, more in (("OPTIONS", asked), ("POST", [])):
            answer = ask(door, method, CHAT.path, body() if method == "POST" else b"", [("Origin", origin), *more])
            assert answer.status == 403 and answer.header("access-control-allow-origin") == [], answer
    assert not [seen for seen in provider.requests() if seen.method == "POST"]
    answer = ask(door, "OPTIONS", CHAT.path, headers=[("Origin", "https://app.test"), *asked])
    assert answer.status == 204 and answer.header("access-control-allow-origin") == ["https://app.test"], answer
    assert answer.header("access-control-allow-headers") == ["authorization,x-api-key"]
    assert "POST" in answer.header("access-control-allow-methods")[0]
    answer = ask(door, "POST", CHAT.path, body(), [("Origin", "https://app.test")])
    assert answer.status == 200 and answer.header("access-control-allow-origin") == ["https://app.test"], answer
    assert ask(door, "POST", CHAT.path, b"{", [("Origin", "https://app.test")]).header("access-control-allow-origin")
    assert ask(door, "GET", "/", host="box.lan:8411").status == 200
    assert ask(door, "OPTIONS", CHAT.path, headers=asked).status == 405, "nobody's page"
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert ask(door, "GET", "/v1/models/offline/echo", headers=[("Sec-Fetch-Site", site)]).status == status
    answer = ask(door, "GET", "/v1/models/offline/echo", headers=[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://app.test")])
    assert answer.status == 200, answer


# ---- other users ----

ASKS = """
import socket, sys
where = sys.argv[1]
if where.startswith('/'):
    one = socket.socket(socket.AF_UNIX)
    one.connect(where)
else:
    host, port = where.split()
    one = socket.create_connection((host, int(port)))
one.sendall(b'POST /v1/messages HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\nContent-Length: 2\\r\\n\\r\\n{}')
while data := one.recv(65536):
    sys.stdout.buffer.write(data)
"""


@needs_root
def test_another_user_is_refused(bridge, made, provider):
    """By the kernel's word for who he is, on TCP and on a Unix socket that he can reach."""
    made.folder.chmod(0o755)
    door = bridge(made)
    ways = [f"127.0.0.1 {door.port}", door.path, *([f"::1 {door.v6_port}"] if has_v6() else [])]
    os.chmod(door.path, 0o666)
    for way in ways:
        done = subprocess.run([*as_user(NOBODY), "/usr/bin/python3", "-c", ASKS, way], capture_output=True, text=True,
                              timeout=20, check=True, cwd="/")
        assert " 403 " in done.stdout.split("\n")[0], done.stdout
        assert "permission_error" in done.stdout and f"you are user {NOBODY}" in done.stdout
        done = subprocess.run(["/usr/bin/python3", "-c", ASKS, way], capture_output=True, text=True, timeout=20, check=True)
        assert " 400 " in done.stdout.split("\n")[0], done.stdout
    assert provider.requests() == []
    os.chmod(door.path, 0o600)
    done = subprocess.run([*as_user(NOBODY), "/usr/bin/python3", "-c", ASKS, door.path], capture_output=True, text=True, timeout=20)
    assert "PermissionError" in done.stderr


LEAVES = """
import socket, struct, sys
for i in range(60):
    one = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    text = sys.argv[3].encode()
    one.sendall(b'POST /v1/chat/completions HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(text) + text)
    if i % 3 == 0:
        one.shutdown(socket.SHUT_WR)
    one.close()
"""


@needs_root
def test_another_user_who_has_left_already_is_nobody(bridge, made, provider):
    """Of a connection whose owner is gone the kernel says that root has it."""
    door = bridge(made)
    first = [Http(door) for _ in range(30)]  # there are ways to the broker then, on which a request goes out at once
    for one in first:
        one.request("GET", "/v1/models/offline/echo")
    for one in first:
        assert one.read().status == 200
        one.close()
    asked = len(made.wait_ledger(30)["exchange"])
    for host, port in (("127.0.0.1", door.port), *([("::1", door.v6_port)] if has_v6() else [])):
        door.signal(signal.SIGSTOP)
        try:
            subprocess.run([*as_user(NOBODY), "/usr/bin/python3", "-c", LEAVES, host, str(port), body()], timeout=20, check=True,
                           cwd="/")
        finally:
            door.signal(signal.SIGCONT)
        assert ask(door, "GET", "/").status == 200
    harness.wait_until(lambda: door.connections() == 0, SOON, door.connections)
    time.sleep(0.3)
    assert provider.requests() == []
    assert len(made.ledger()["exchange"]) == asked


HOLDS = """
import socket, sys
held = []
for _ in range(300):
    one = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    one.settimeout(10)
    held.append(one)
print('held', flush=True)
while held:
    one = held.pop()
    try:
        assert one.recv(1) == b''
    except ConnectionResetError:
        pass
print('gone', flush=True)
"""


@needs_root
def test_another_user_does_not_take_all_the_room(bridge, made):
    """Who may not ask is not waited for as others are, and there are few of them."""
    door = bridge(made, addresses=["127.0.0.1:0"])
    other = harness.Running([*as_user(NOBODY), "/usr/bin/python3", "-c", HOLDS, str(door.port)], made.env, "/")
    made.running.append(other)
    other.read_until("held")
    harness.wait_until(lambda: door.connections() <= 64, 2 * harness.SLOWER, door.connections)
    assert ask(door, "GET", "/").status == 200
    other.read_until("gone")
    assert door.connections() == 0


# ---- hanging up ----

def upstream_gone(provider, connection, since):
    """How long after `since` the provider saw its caller hang up."""
    row = provider.wait_disconnect(connection, timeout=SOON)
    assert row["hangup_at"] is not None, row
    return row["hangup_at"] - since


def is_at_once(took):
    """Usually; a machine that has other things to do is late now and then."""
    assert sorted(took)[len(took) // 2] < AT_ONCE and max(took) < SOON, took


def hang_up(http, how):
    if how == "half":
        http.sock.shutdown(socket.SHUT_WR)
        return
    if how == "reset":
        http.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    http.close()


@pytest.mark.valgrind
@pytest.mark.parametrize("when", ["head", "stream"])
def test_who_hangs_up_cancels(door, made, provider, when):
    """While he waits and in the midst of a stream, however he goes."""
    ways, took = [(where, how) for where in (door, door.path) for how in ("close", "reset", "half")], []
    for where, how in ways:
        provider.script(**CHAT.script("Hel lo wo rld", True)[0], hold="start" if when == "head" else 3)
        with Http(where) as http:
            http.request("POST", CHAT.path, body(True))
            if when == "stream":
                http.head()
                http.until("Hel")
            provider.wait_held()
            connection, since = provider.requests()[-1].connection, time.monotonic()
            hang_up(http, how)
            took.append(upstream_gone(provider, connection, since))
            assert how != "half" or http.is_closed(SOON), "it is told so, or hung up on"
    is_at_once(took)
    rows = made.wait_ledger(None, len(ways))["exchange"]
    assert [row["outcome"] for row in rows if row["op"] == "chat"] == ["cancelled"] * len(ways), rows


def test_who_has_hung_up_before_he_is_heard(door, made, provider):
    """All of a request, and the end of the connection behind it, in one piece."""
    provider.script(hold="start", times=0)
    for _ in range(50):
        http = Http(door)
        text = body()
        http.send(head(f"Content-Length: {len(text)}") + text)
        http.close()
    harness.wait_until(lambda: provider.stats()["held"] == 0, SOON, lambda: provider.stats())
    time.sleep(0.3)
    assert provider.stats()["held"] == 0


def test_a_body_cut_short(door, made, provider):
    """Whoever broke off has asked for nothing; what was on its way to the broker already is cancelled there."""
    def cancelled():
        return made.log().count("outcome=cancelled")
    took = []
    for size, how, is_chunked in itertools.product((1000, 300_000), ("close", "half"), (False, True)):
        text = body(text="y" * size)
        with Http(door) as http:
            http.send(head("Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(text)}"))
            http.send((f"{len(text):x}\r\n" if is_chunked else "") + text[:-10])
            time.sleep(0.05)
            before, since = cancelled(), time.monotonic()
            hang_up(http, how)
            # a long one, or one in chunks, of which nobody knows how long it will be: the broker has heard of it
            while (size > 200_000 or is_chunked) and cancelled() == before and time.monotonic() - since < SOON:
                time.sleep(0.002)
            took.append(time.monotonic() - since)
            assert how != "half" or http.is_closed(SOON), (size, is_chunked)
    assert ask(door, "GET", "/v1/models/offline/echo").status == 200
    assert provider.requests() == []
    is_at_once(took)
    rows = made.wait_ledger(8)["exchange"]
    assert sorted((row["op"], row["outcome"]) for row in rows if row["outcome"] == "ok") == [("models", "ok")] * 2
    assert sum(row["outcome"] == "cancelled" for row in rows) == 6, rows


# ---- slowness ----

def grown(one, before):
    return 0 if harness.is_sanitized() else one.rss_kib() - before


def test_a_slow_reader_holds_the_provider_up(door, made, provider):
    """And has all of it when he reads on."""
    words = " ".join(["w" * 1000] * 12_000)
    script, told = CHAT.script(words, True)
    provider.script(**script, packet_bytes=65536)
    before, broker_before = door.rss_kib(), made.heap_kib()
    with Http(door, rcvbuf=65536) as http:
        http.request("POST", CHAT.path, body(True)).head()
        seen, sent = -1, 0
        while sent != seen:
            time.sleep(0.3)
            seen, sent = sent, provider.requests()[-1].sent_bytes
        assert sent < len(told) - 2 * MIB, "it waits"
        assert grown(door, before) < 4 * 1024
        if not harness.is_sanitized():
            assert made.heap_kib() - broker_before < 12 * 1024
        assert http.finish().body == told and http.answer.is_whole


def test_a_slow_writer_holds_up_nobody(door, provider):
    """A byte now and then, of heads and of bodies; whoever asks beside it is answered at once."""
    provider.script(**CHAT.script("Hi", False)[0], times=0)
    slow = [Http(door) for _ in range(30)]
    for i, one in enumerate(slow):
        one.send("POST /v1/mess" if i % 3 == 0 else head("Content-Length: 300000", "X: y")[:-2 if i % 3 == 1 else None])
    for _ in range(5):
        begun = time.monotonic()
        assert ask(door, "POST", CHAT.path, body()).status == 200
        assert time.monotonic() - begun < 1 * harness.SLOWER
        for one in slow:
            one.send("x")
    for one in slow:
        one.close()


@pytest.mark.skipif(not IS_LONG, reason="it waits for minutes: LLMB_LONG=1")
def test_slow_writers_are_not_waited_for(bridge, made):
    """Neither for a head nor for a body, however regularly a byte of it comes; nor for the next request."""
    door = bridge(made)
    idle = Http(door)
    assert idle.request("GET", "/").read().status == 200
    slow = {"line": Http(door), "head": Http(door), "refused body": Http(door), "small body": Http(door), "body": Http(door), "chunks": Http(door), "idle": idle}
    begun, ended = time.monotonic(), {}
    slow["line"].send("POST /")
    slow["head"].send(head("Content-Length: 3", "X: y")[:-2])
    slow["small body"].send(head("Content-Length: 100000"))
    slow["refused body"].send(head("Content-Length: 100000", target="/v1/nowhere"))
    slow["body"].send(head("Content-Length: 300000"))
    slow["chunks"].send(head("Transfer-Encoding: chunked") + "ffff\r\n")
    while len(ended) < len(slow) and time.monotonic() - begun < 110:
        for name, one in slow.items():
            if name in ended:
                continue
            try:
                if name != "idle":
                    one.send("x")
                one.sock.settimeout(0.01)
                if not one.sock.recv(65536):
                    ended[name] = time.monotonic() - begun
            except TimeoutError:
                pass
            except OSError:
                ended[name] = time.monotonic() - begun
        time.sleep(0.5)
    assert len(ended) == len(slow) and max(ended.values()) < 90, ended


@pytest.mark.skipif(not IS_LONG, reason="it waits for half a minute: LLMB_LONG=1")
def test_who_never_reads_is_hung_up_on(door, made, provider):
    """By the broker, which sees that he takes nothing; and it does not look like all of it."""
    provider.script(**CHAT.script(" ".join(["w" * 1000] * 12_000), True)[0], packet_bytes=65536)
    with Http(door, rcvbuf=65536) as http:
        http.request("POST", CHAT.path, body(True)).head()
        begun = time.monotonic()
        gone = provider.wait_disconnect(provider.requests()[-1].connection, timeout=80)["hangup_at"]
        assert gone is not None and 20 < gone - begun < 60
        assert not http.finish().is_whole
    assert made.wait_ledger(None, 1)["exchange"][-1]["error"] == "slow_consumer"


def test_an_endless_body_is_not_read_for_ever(door, provider):
    """Also of a request that was refused."""
    sent = 0
    with Http(door, timeout=SOON) as http:
        http.send(head("Transfer-Encoding: chunked"))
        try:
            while sent < 600 * MIB:
                http.send(b"100000\r\n" + b"y" * MIB + b"\r\n")
                sent += MIB
        except OSError:
            pass
    assert 64 * MIB <= sent < 400 * MIB, sent
    assert provider.requests() == []


def test_who_asks_and_never_listens(door, provider):
    """Very many requests behind each other: they are answered as far as the answers are taken, and others beside them."""
    before, flood = door.rss_kib(), Http(door)
    flood.sock.settimeout(1)
    one, sent = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1000, 0
    try:
        while sent < 100 * MIB:
            sent += flood.sock.send(one)
    except TimeoutError:
        pass
    assert sent < 100 * MIB, "they stay where they are"
    begun = time.monotonic()
    assert ask(door, "GET", "/v1/models/offline/echo").status == 200
    assert time.monotonic() - begun < 1 * harness.SLOWER
    assert grown(door, before) < 2 * 1024
    flood.close()


# ---- very many ----

def test_very_many_connections(bridge, made, provider):
    """Idle ones, half a head each: little memory, and others are served meanwhile."""
    count = 10_000 if IS_LONG else 1500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    provider.script(**CHAT.script("Hi", False)[0], times=0)
    door, all_of_them = bridge(made), []
    assert ask(door, "POST", CHAT.path, body()).status == 200
    before, fds = door.rss_kib(), door.fds()
    try:
        for i in range(count):
            all_of_them.append(Http(door.path if i % 2 else door))
            if i % 3:
                all_of_them[-1].send("POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " if i % 3 == 1 else "G")
        begun = time.monotonic()
        assert ask(door, "POST", CHAT.path, body()).status == 200
        assert time.monotonic() - begun < 2 * harness.SLOWER
        used = grown(door, before)
        print(f"{count} connections: {used} KiB")
        assert used < count * 24
    finally:
        for one in all_of_them:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    is_as_before(door, fds)
    assert grown(door, before) < 8 * 1024 + count * 2
    assert ask(door, "POST", CHAT.path, body()).status == 200


@pytest.mark.skipif(not IS_LONG, reason="it needs hundreds of MiB: LLMB_LONG=1")
def test_very_many_halves_of_bodies(bridge, made):
    """Those that are gathered are no more than a bound for all; then some are refused, and others go on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    door, held = bridge(made), []
    before = door.rss_kib()
    try:
        for _ in range(2600):
            held.append(Http(door))
            held[-1].send(head("Content-Length: 131072") + "y" * 120_000)
        harness.wait_until(lambda: ask(door, "GET", "/").status == 200, SOON, "it answers")
        assert door.rss_kib() - before < 700 * 1024
        held[-1].send("y" * 11_072)
        assert held[-1].read().status == 503
    finally:
        for one in held:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    harness.wait_until(lambda: door.connections() == 0, SOON, door.connections)
    assert ask(door, "POST", CHAT.path, b"{").status == 400


def test_more_than_there_are_descriptors_for(bridge, made):
    """Who comes then waits, and is served when others have gone."""
    door = bridge(made, before=["prlimit", "--nofile=40:40"])
    held = [Http(door) for _ in range(60)]
    time.sleep(0.3)
    for one in held[:50]:
        one.close()
    for one in held[50:]:
        assert one.request("GET", "/").read().status == 200
        one.close()
    assert ask(door, "GET", "/v1/models/offline/echo").status == 200


def test_the_same_over_and_over_leaves_nothing(door, provider):
    provider.script(**CHAT.script("Hi", True)[0], times=0)

    def round():
        assert ask(door, "POST", CHAT.path, body(True)).is_whole
        assert ask(door, "POST", CHAT.path, b"{").status == 400
        assert ask(door, "GET", "/v1/nowhere").status == 404
        with Http(door) as http:
            http.request("POST", CHAT.path, body(True)).head()
        with Http(door) as http:
            http.send(head("Content-Length: 300000") + "y" * 1000)
        with Http(door.path) as http:
            http.send(head("Content-Length: 30") + "y")
    for _ in range(30):
        round()
    before, fds = door.rss_kib(), door.fds()
    for _ in range(100):
        round()
    is_as_before(door, fds)
    assert grown(door, before) < 1024
