"""test_kept_connections.py - what does the daemon keep open to providers, and which HTTP does it speak there?

The frames of HTTP/2 and what can go wrong with them are nobody's where it is not spoken, though a provider would."""

import collections
import http.server
import json
import os
import pathlib
import socket
import ssl
import threading

import harness
import msgpack
from wire import CALL, END, FAULT, HELLO, WELCOME, WireClient

HOSTS = 100
CALLS = 300
IS_LONG = bool(os.environ.get("LLMB_LONG"))
KEPT_MOST = 256  # what the transport keeps at most, whatever the number of hosts


class Tls(threading.Thread):
    """A provider that would rather speak HTTP/2. Notes what was agreed on, and the first bytes."""

    def __init__(self, certs):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certs.chain(), certs.key())
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.agreed = self.said = None
        self.start()

    def run(self):
        sock, _ = self.listener.accept()
        with self.context.wrap_socket(sock, server_side=True) as peer:
            self.agreed, self.said = peer.selected_alpn_protocol(), peer.recv(65536)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def test_no_other_http_is_spoken(broker, certs):
    tls = Tls(certs)
    made = broker(harness.section("provider", "test", {
        "dialect": "openai-chat /v1/chat/completions", "auth": "none", "local": "yes", "ca_file": certs.ca_file,
        "base_url": f"https://localhost:{tls.listener.getsockname()[1]}"}))
    assert made.llmb("ask", "-m", "test/m", "hello").code == 7
    tls.join(10)
    assert tls.agreed in ("http/1.1", None), tls.agreed
    assert tls.said.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n"), tls.said[:60]


def states(pid):
    """Of the TCP sockets of a process: {state: how many}."""
    own = {what[8:-1] for what in harness.fds_of(pid).values() if what.startswith("socket:[")}
    rows = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return collections.Counter(row[3] for row in rows if row[9] in own)


class Host(http.server.ThreadingHTTPServer):
    """A provider at an address of its own, which hangs up when it is told to."""
    daemon_threads = True

    def __init__(self, address, port=0):
        self.open = set()
        super().__init__((address, port), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hang_up(self):
        for sock in list(self.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the daemon did

    def handle_error(self, *_):
        pass  # the daemon has hung up


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{
        "index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()

    def setup(self):
        super().setup()
        self.server.open.add(self.connection)

    def finish(self):
        self.server.open.discard(self.connection)
        super().finish()

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


def test_very_many_hosts(broker, record_property):
    hosts = [Host(f"127.0.0.{i}") for i in range(1, HOSTS + 1)]
    made = broker("".join(harness.section("provider", f"h{i}", {
        "dialect": "openai-chat /v1/chat/completions", "auth": "none", "local": "yes", "allow_plain_loopback": "yes",
        "base_url": f"http://{host.server_address[0]}:{host.server_address[1]}"}) for i, host in enumerate(hosts)))
    most = 0
    with WireClient(made.socket, timeout=60) as client:
        client.send_frame(HELLO, 0, {"min": 1, "max": 1, "app": "hosts"})
        client.recv_until(WELCOME)

        def call(number):
            client.send_frame(CALL, number, {"kind": "typed", "op": "chat", "body": msgpack.packb({
                "model": f"h{number % HOSTS}/m", "messages": [{"role": "user", "content": "2 words"}]})})
            last = client.recv_until(END, FAULT)[-1]
            assert last.type == END, last
        for number in range(1, CALLS + 1):
            call(number)
            if number % HOSTS == 0:
                most = max(most, sum(states(made.pid).values()))
                # between two calls, for what goes out as they do has an outcome that nobody knows
                for host in hosts:
                    host.hang_up()
                harness.wait_until(lambda: states(made.pid)["01"] == 0, 20, lambda: f"all hang up: {states(made.pid)}")
        assert most <= KEPT_MOST, most
        if not IS_LONG:
            made.reload()
        # half closed they are for a minute and a half at most, or until a reload
        harness.wait_until(lambda: not states(made.pid), 110, lambda: f"none is left: {states(made.pid)}")
    ends = [threading.Thread(target=host.shutdown) for host in hosts]
    for end in ends:
        end.start()
    for end, host in zip(ends, hosts):
        end.join()
        host.server_close()
    record_property("figure", f"{CALLS} calls to {HOSTS} hosts: {most} connections at most, none left "
                              "when they had hung up")
