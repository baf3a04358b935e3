"""reply.py - which bytes does a scripted response send, in which packets, with what in between?

Pure: a script (a dict, checked by `check`) and what it answers go in, a Plan comes out.

WHAT is said; one of these, else the built-in answer (or, for a status of 400 and more, its error):
  body            text, sent as it is; an object or list is sent as JSON
  body_base64     the same for any bytes
  file            a path whose bytes are the body
  sse             list of events: text or {"data"} is a `data:` line, {"event", "data"} one with its
                  name, {"raw"} is sent as it is
  record          a recorded exchange: status, response_headers, response_body, response_base64,
                  streaming
  answer          changes the built-in answer: text, reasoning, refusal, tool_calls, finish, usage,
                  model
  message, error  change the built-in error: its words, and further members of it
  steps           the whole connection by hand, nothing added: {"send"} or {"send_base64"} is one
                  packet, {"pause_ms"}, {"hold"}, and at the end {"silence"}, {"reset"}, {"close"},
                  {"half_close"} or {"keep"}; with none of these the connection is closed

CHARGE: charge ({"family", "usage"}) is what an answer of the script's own costs once all of it is sent, by
the figures of its usage object and the rules and usual prices of billing.py. Other answers are billed by
the words that were sent.

ANSWERED: answered says whether the request counts as answered once that is sent. Without it, it does where an
answer came to its end, or an error, in a stream or with a status of 300 and more; a stream of the script's own
where it has a [DONE].

HEAD: status, reason, headers (object or list of pairs; null takes a default one away), huge_header
(bytes), many_headers (count), informational ({"status", "count"}: 1xx answers that come first).

FRAMING: framing is length, chunked, close (no length; the end of the connection ends it), http10
(the same, by a 1.0 server) or none; content_length is a lie in its place (a number, or text such as
"+5" relative to the truth); chunk_bytes cuts chunks by size and not by event; chunk_lie ({"chunk",
"size"}: the size line of the nth chunk, from 0, is this text); gzip; crlf (line ends of events).

STREAM: no_done, no_finish (nor what follows it), no_usage; big_event (a text of so many bytes in
one event after the first); error_event ({"events": k, "status", "message", ...}: after k events an
error in the dialect's words, then the end).

PACKETS: by default one for the head of a stream and one for each event, and one in all for an
answer that is no stream. packet_bytes, cuts (list of places), random_cuts ({"seed", "max"}) or
one_packet say otherwise; delay_ms passes after each packet.

ON THE WAY, each at a place: hold (waits for `release`), pause ({"at", "ms"}), insert ({"at", "text"
or "base64"}); and the end of the connection: silence, reset_after, close_after, half_close_after.
With close_notify: false a TLS connection is closed without saying so.

A place is "start" (before the first byte), "head" (after the head), "body" (after the last byte of
the body), "end" (after all), {"events": k}, {"wire": n} (bytes of all that is sent) or a number:
bytes of the body, from its end when negative. Only for `hold` a number counts events. A place
beyond the answer is an error of the script.

WHEN: path (exact, without the query), when ({"nth": of its connection, "key", "model", "stream",
"contains"}), times (default 1; 0 is for ever), early (answers before the body of the request is
read; "drain" reads it afterwards, "abandon" never), expect (for a caller who waits for `100
Continue`: "ignore" or "refuse"), name (for the log), expand (puts the caller's key where the script
says %KEY%).

`actions` is a list of the same members, or their bare names, for those who like a list.
"""

import base64
import bisect
import dataclasses
import gzip
import http.client
import itertools
import random

import answers

KNOWN = frozenset("""
body body_base64 file sse record answer message error steps
status reason headers huge_header many_headers informational
framing content_length chunk_bytes chunk_lie gzip crlf
no_done no_finish no_usage big_event error_event
packet_bytes cuts random_cuts one_packet delay_ms
hold pause insert silence reset_after close_after half_close_after close_notify
path when times early expect name expand charge answered
""".split())
LISTS = ("hold", "pause", "insert")
SOURCES = ("body", "body_base64", "file", "sse", "record", "answer", "steps")
ENDINGS = ("silence", "reset_after", "close_after", "half_close_after")
STEP_ENDINGS = ("silence", "reset", "close", "half_close", "keep")
FRAMINGS = ("length", "chunked", "close", "http10", "none")
WHEN = ("nth", "key", "model", "stream", "contains")
ANSWER = ("text", "reasoning", "refusal", "tool_calls", "finish", "usage", "model")
BARE = {"silence": "start", "reset_after": "start", "close_after": "start",
        "half_close_after": "start"}
LEFT_OUT = {"no_finish": ("finish", "usage", "done"), "no_usage": ("usage",), "no_done": ("done",)}


class BadScript(Exception):
    """A script that says something impossible; the message says what."""


@dataclasses.dataclass
class Stop:
    """What happens when `offset` bytes are sent: hold, pause, silence, reset, close, half_close."""
    offset: int
    verb: str
    ms: int = 0


@dataclasses.dataclass
class Plan:
    wire: bytes
    packets: list  # offsets where a packet ends, ascending
    stops: list = dataclasses.field(default_factory=list)
    marks: list = dataclasses.field(default_factory=list)  # (offset, tokens up to there), ascending
    delay_ms: int = 0
    is_whole: bool = True  # all of the built-in answer is in it
    closes: bool = False
    close_notify: bool = True
    status: int = 200
    charge: dict = None
    answer_end: int = None  # offset where the request is answered; None: it never is

    def tokens_by(self, offset):
        """The tokens in the first `offset` bytes."""
        i = bisect.bisect_right(self.marks, offset, key=lambda mark: mark[0])
        return self.marks[i - 1][1] if i else 0


def check(script):
    """Returns the script with `actions` folded in and LISTS made lists; raises BadScript."""
    flat = {key: value for key, value in script.items() if key != "actions"}
    for name in LISTS:
        if name in flat and not isinstance(flat[name], list):
            flat[name] = [flat[name]]
    for action in script.get("actions") or ():
        if isinstance(action, str):
            action = {action: BARE.get(action, True)}
        for name, value in action.items():
            if name in LISTS:
                flat.setdefault(name, []).append(value)
            elif name in flat:
                raise BadScript(f"{name} is said twice")
            else:
                flat[name] = value
    unknown = sorted(set(flat) - KNOWN)
    if unknown:
        raise BadScript(f"unknown: {', '.join(unknown)}; reply.py lists what there is")
    for group in (SOURCES, ENDINGS):
        said = [name for name in group if name in flat]
        if len(said) > 1:
            raise BadScript(f"{' and '.join(said)} exclude each other")
    _check_words(flat)
    for name in ENDINGS:
        if flat.get(name) is True:
            flat[name] = "start"
        if name in flat:
            _check_place(flat[name])
    for place in flat.get("hold", []) + flat.get("cuts", []):
        _check_place(place)
    for stop in flat.get("pause", []) + flat.get("insert", []):
        if "at" not in stop:
            raise BadScript("pause and insert need a place: at")
        _check_place(stop["at"])
    return flat


def _check_words(flat):
    for name, allowed in (("framing", FRAMINGS), ("early", ("drain", "abandon")),
                          ("expect", ("ignore", "refuse"))):
        if flat.get(name, allowed[0]) not in allowed:
            raise BadScript(f"{name} must be one of {', '.join(allowed)}")
    for name, allowed in (("when", WHEN), ("answer", ANSWER)):
        odd = sorted(set(flat.get(name, ())) - set(allowed))
        if odd:
            raise BadScript(f"{name} has no {', '.join(odd)}")
    if "early" in flat and set(flat.get("when", ())) - {"nth", "key"}:
        raise BadScript("an early answer has not read the body that `when` asks about")
    for name in ("packet_bytes", "chunk_bytes"):
        if flat.get(name, 1) < 1:
            raise BadScript(f"{name} must be 1 or more")


def _check_place(place):
    if place in ("start", "head", "body", "end") or type(place) is int:
        return
    if isinstance(place, dict) and len(place) == 1 and type(place.get("events")) is int and \
            place["events"] >= 0:
        return
    if isinstance(place, dict) and len(place) == 1 and type(place.get("wire")) is int:
        return
    raise BadScript(f"no place: {place!r}")


def matches_head(script, path, nth, key):
    """Whether this script may be for a request with this head."""
    when = script.get("when", {})
    return script.get("path", path) == path and when.get("nth", nth) == nth and \
        when.get("key", key) == key


def matches_body(script, raw, body):
    """Whether what it says of the body holds; `body` is the JSON in `raw`, if it is an object."""
    when = script.get("when", {})
    return when.get("contains", "").encode() in raw and \
        when.get("model", body.get("model")) == body.get("model") and \
        when.get("stream", bool(body.get("stream"))) == bool(body.get("stream"))


def _data(item):
    """The bytes of {"text"} or {"base64"}."""
    if "base64" in item:
        return base64.b64decode(item["base64"])
    return item["text"].encode("utf-8", "surrogateescape")


def _sse_event(item):
    if isinstance(item, str):
        return answers.Event(answers.sse(item), "done" if item == "[DONE]" else "content")
    if "raw" in item:
        return answers.Event(item["raw"].encode("utf-8", "surrogateescape"))
    return answers.Event(answers.sse(item["data"], item.get("event")))


def cut_events(body):
    """Cuts a stream into its events, whatever their line ends; joined, they are the body."""
    out, start = [], 0
    while start < len(body):
        ends = [at + len(mark) for mark in (b"\n\n", b"\r\n\r\n", b"\n\r\n")
                if (at := body.find(mark, start)) >= 0]
        end = min(ends, default=len(body))
        out.append(answers.Event(body[start:end]))
        start = end
    return out


def record_body(record):
    body = record["response_body"]
    if record.get("response_base64"):
        return base64.b64decode(body)
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else \
        answers.compact(body).encode()


class _Maker:
    """One response in the making."""

    def __init__(self, script, vendor, number, key, made, version="1.1"):
        self.script, self.vendor, self.number, self.key = script, vendor, number, key
        self.made = made  # (status, events, is_stream) of the built-in answer
        self.version = version
        self.status = script.get("status")
        self.events, self.is_stream, self.type = [], False, "application/json"
        self.recorded = []

    def content(self):
        """Fills events, is_stream, type and status."""
        script = self.script
        if "body" in script:
            body = script["body"]
            if not isinstance(body, str):
                body = answers.compact(body)
            self.events = [answers.Event(body.encode("utf-8", "surrogateescape"))]
        elif "body_base64" in script:
            self.events = [answers.Event(base64.b64decode(script["body_base64"]))]
        elif "file" in script:
            with open(script["file"], "rb") as file:
                data = file.read()
            self.is_stream = data.startswith((b"data:", b"event:", b":"))
            self.events = cut_events(data) if self.is_stream else [answers.Event(data)]
        elif "sse" in script:
            self.events, self.is_stream = [_sse_event(item) for item in script["sse"]], True
        elif "record" in script:
            self._recorded(script["record"])
        elif (self.status or 200) >= 400:
            self._error()
        else:
            made_status, self.events, self.is_stream = self.made
            self.status = self.status or made_status
        self.status = self.status or 200
        if self.is_stream and self.type == "application/json":
            self.type = "text/event-stream; charset=utf-8"

    def _recorded(self, record):
        data = record_body(record)
        self.is_stream = bool(record.get("streaming"))
        self.events = cut_events(data) if self.is_stream else [answers.Event(data)]
        self.status = self.status or record["status"]
        drop = ("content-length", "content-encoding", "transfer-encoding", "connection")
        for name, value in (record.get("response_headers") or {}).items():
            values = value if isinstance(value, list) else [value]
            self.recorded += [(name, str(v)) for v in values if name.lower() not in drop]

    def _error(self):
        if self.status in answers.EDGE_STATUSES and "message" not in self.script:
            self.type = "text/html"
            self.events = [answers.Event(answers.edge_error(self.status))]
            return
        error = self.vendor.error(self.status, self.script.get("message"), self.key,
                                  **self.script.get("error", {}))
        self.events = [answers.Event(answers.compact(error).encode())]

    def shape(self):
        """Does to the events what the script asks for."""
        script, events = self.script, self.events
        for name, kinds in LEFT_OUT.items():
            if script.get(name):
                kept = [e for e in events if e.kind not in kinds]
                if len(kept) == len(events):
                    raise BadScript(f"{name}: the answer has none to leave out")
                events = kept
        if "error_event" in script:
            error = dict(script["error_event"])
            count = error.pop("events", 1)
            self._within(count, len(events), "events")
            events = events[:count] + [self.vendor.error_event(error.pop("status", 500),
                                                               error.pop("message", None), **error)]
        if script.get("crlf"):
            events = [dataclasses.replace(e, data=e.data.replace(b"\n", b"\r\n")) for e in events]
        self.events = events
        self._inserts()
        if script.get("gzip"):
            whole = gzip.compress(b"".join(e.data for e in self.events), mtime=0)
            tokens = sum(e.tokens for e in self.events)
            self.events = [answers.Event(whole, "content", tokens)]

    def _within(self, count, most, what):
        if count > most:
            raise BadScript(f"{count} {what} of an answer that has {most}")

    def _inserts(self):
        """Inserts into the body; what goes onto the wire itself is done later."""
        for item in self.script.get("insert", ()):
            at, data = item["at"], _data(item)
            if at == "head":
                at = 0
            if isinstance(at, dict) and "events" in at:
                self._within(at["events"], len(self.events), "events")
                self.events.insert(at["events"], answers.Event(data, "insert"))
            elif at == "body":
                self.events.append(answers.Event(data, "insert"))
            elif isinstance(at, int):
                self._insert_bytes(at, data)

    def _insert_bytes(self, at, data):
        size = sum(len(e.data) for e in self.events)
        at = at if at >= 0 else size + at
        self._within(at, size, "bytes")
        for i, event in enumerate(self.events):
            if at <= len(event.data):
                self.events[i] = dataclasses.replace(
                    event, data=event.data[:at] + data + event.data[at:])
                return
            at -= len(event.data)
        self.events.append(answers.Event(data, "insert"))

    def head(self, framing, length):
        script = self.script
        rows = [("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("content-type", self.type)]
        if "record" in script:
            rows = self.recorded
        else:
            rows += self.vendor.headers(self.number, self.key, self.status >= 400)
        if self.is_stream and "record" not in script:
            rows.append(("cache-control", "no-cache"))
        if script.get("gzip"):
            rows.append(("content-encoding", "gzip"))
        if framing == "length":
            rows.append(("content-length", str(length)))
        elif framing == "chunked":
            rows.append(("transfer-encoding", "chunked"))
        if framing in ("close", "http10"):
            rows.append(("connection", "close"))
        elif framing != "none":
            rows.append(("connection", "keep-alive"))
        rows += [(f"x-filler-{i}", "x" * 32) for i in range(script.get("many_headers", 0))]
        if "huge_header" in script:
            rows.append(("x-huge", "x" * script["huge_header"]))
        asked = script.get("headers", {})
        for name, value in asked.items() if isinstance(asked, dict) else asked:
            if isinstance(asked, dict):
                rows = [row for row in rows if row[0].lower() != name.lower()]
            if value is not None:
                rows.append((name, str(value)))
        reason = script.get("reason", http.client.responses.get(self.status, "Unknown"))
        line = f"HTTP/{'1.0' if framing == 'http10' else '1.1'} {self.status} {reason}\r\n"
        text = line + "".join(f"{name}: {value}\r\n" for name, value in rows) + "\r\n"
        return text.encode("latin-1")


class _Layout:
    """Where everything came to lie on the wire."""

    def __init__(self, first, head):
        self.wire = bytearray(first + head)
        self.head_end = len(self.wire)
        self.spans = []  # (end in body, end on wire) of each piece of body
        self.event_ends = []
        self.body_bytes = 0

    def add(self, data):
        self.wire += data
        self.body_bytes += len(data)
        self.spans.append((self.body_bytes, len(self.wire)))

    def of_body(self, count):
        """The offset on the wire where `count` bytes of the body are sent, and no more."""
        if count == 0:
            return self.head_end
        body_end, wire_end = self.spans[bisect.bisect_left(self.spans, (count, 0))]
        return wire_end - (body_end - count)

    def offset(self, place):
        total, kind = len(self.wire), "bytes"
        if isinstance(place, str):
            return {"start": 0, "head": self.head_end, "body": self.of_body(self.body_bytes),
                    "end": total}[place]
        if isinstance(place, dict) and "events" in place:
            if place["events"] == 0:
                return self.head_end
            ends, kind, count = self.event_ends, "events", place["events"]
            if count <= len(ends):
                return ends[count - 1]
            total = len(ends)
        elif isinstance(place, dict):
            count = place["wire"] if place["wire"] >= 0 else total + place["wire"]
            if 0 <= count <= total:
                return count
        else:
            total = self.body_bytes
            count = place if place >= 0 else total + place
            if 0 <= count <= total:
                return self.of_body(count)
        raise BadScript(f"a place after {count} {kind} of an answer that has {total}")


def _chunks(maker, script):
    """Cuts the body into chunks: by size, or one for each event."""
    if "chunk_bytes" in script:
        body, size = b"".join(e.data for e in maker.events), script["chunk_bytes"]
        return [body[i:i + size] for i in range(0, len(body), size)]
    return [event.data for event in maker.events if event.data]


def _framing(maker, script):
    if "framing" in script:
        return script["framing"]
    if maker.version == "1.0":
        return "close"
    return "chunked" if maker.is_stream or "chunk_bytes" in script or "chunk_lie" in script \
        else "length"


def _length(script, size):
    lie = script.get("content_length", size)
    if isinstance(lie, str) and lie[:1] in "+-":
        return size + int(lie)
    return lie


def _lay(maker, script, framing):
    first = b""
    ends = []
    info = script.get("informational")
    if info:
        reason = http.client.responses.get(info.get("status", 100), "Early Hints")
        one = f"HTTP/1.1 {info.get('status', 100)} {reason}\r\n\r\n".encode()
        first = one * info.get("count", 1)
        ends = list(range(len(one), len(first) + 1, len(one)))
    size = sum(len(event.data) for event in maker.events)
    layout = _Layout(first, maker.head(framing, _length(script, size)))
    if framing == "chunked":
        lie = script.get("chunk_lie", {})
        for n, chunk in enumerate(_chunks(maker, script)):
            said = lie["size"] if lie.get("chunk") == n else f"{len(chunk):x}"
            layout.wire += said.encode() + b"\r\n"
            layout.add(chunk)
            layout.wire += b"\r\n"
        if lie and lie["chunk"] >= len(layout.spans):
            raise BadScript(f"chunk {lie['chunk']} of an answer that has {len(layout.spans)}")
        tail = b"0\r\n\r\n"
    else:
        for event in maker.events:
            if event.data:
                layout.add(event.data)
        tail = b""
    done, chunk_ends = 0, set(layout.spans)
    for event in maker.events:
        done += len(event.data)
        end = layout.of_body(done)
        # an event that ends its chunk has been sent when the chunk has
        if framing == "chunked" and (done, end) in chunk_ends:
            end += 2
        layout.event_ends.append(end)
    layout.wire += tail
    return layout, ends


def _packets(layout, script, is_stream, info_ends):
    total = len(layout.wire)
    if script.get("one_packet"):
        return [total]
    if "packet_bytes" in script:
        size = script["packet_bytes"]
        return [*range(size, total, size), total]
    if "random_cuts" in script:
        dice, most = random.Random(script["random_cuts"]["seed"]), script["random_cuts"]["max"]
        ends = [0]
        while ends[-1] < total:
            ends.append(min(total, ends[-1] + dice.randint(1, most)))
        return ends[1:]
    if "cuts" in script:
        return sorted({layout.offset(place) for place in script["cuts"]} | {total})
    ends = set(info_ends) | {total}
    if is_stream:
        ends |= {layout.head_end, *layout.event_ends}
    return sorted(ends)


def _wire_inserts(layout, script):
    """Splices bytes into what was laid out; every offset behind them moves."""
    for item in script.get("insert", ()):
        at = item["at"]
        if not (at in ("start", "end") or isinstance(at, dict) and "wire" in at):
            continue
        data, at = _data(item), layout.offset(at)
        layout.wire[at:at] = data

        def moved(offset, at=at, by=len(data)):
            return offset + by if offset > at else offset
        layout.head_end = moved(layout.head_end)
        layout.spans = [(body, moved(wire)) for body, wire in layout.spans]
        layout.event_ends = [moved(end) for end in layout.event_ends]


def _stops(layout, script):
    stops = []
    for place in script.get("hold", ()):
        place = {"events": place} if type(place) is int else place
        stops.append(Stop(layout.offset(place), "hold"))
    for pause in script.get("pause", ()):
        stops.append(Stop(layout.offset(pause["at"]), "pause", pause["ms"]))
    for name in ENDINGS:
        if name in script:
            verb = name.removesuffix("_after")
            stops.append(Stop(layout.offset(script[name]), verb))
    return sorted(stops, key=lambda stop: (stop.offset, stop.verb not in ("hold", "pause")))


def _answer_end(maker, script, layout):
    """Where the last byte lies that makes it an answer, as the module's head says; None: it is none."""
    total = len(layout.wire)
    if script.get("answered") is False:
        return None
    lies = {"content_length", "chunk_lie", "gzip"} & set(script)
    if not script.get("answered") and (lies or any(
            item["at"] in ("start", "end") or isinstance(item["at"], dict) and "wire" in item["at"]
            for item in script.get("insert", ()))):
        return None
    if not maker.is_stream or maker.status >= 300:
        return total
    # who has these may hang up before the rest
    last = [end for event, end in zip(maker.events, layout.event_ends)
            if event.kind in (("done",) if "sse" in script else ("finish", "error"))]
    if not last and script.get("answered"):
        last = layout.event_ends or [total]
    return last[-1] if last else None


def _by_hand(script):
    wire, packets, stops = bytearray(), [], []
    keep = False
    for step in script["steps"]:
        if "send" in step or "send_base64" in step:
            if any(stop.verb not in ("hold", "pause") for stop in stops) or keep:
                raise BadScript("a step after the end")
            wire += base64.b64decode(step["send_base64"]) if "send_base64" in step else \
                step["send"].encode("utf-8", "surrogateescape")
            packets.append(len(wire))
        elif "pause_ms" in step:
            stops.append(Stop(len(wire), "pause", step["pause_ms"]))
        elif "hold" in step:
            stops.append(Stop(len(wire), "hold"))
        elif "keep" in step:
            keep = True
        elif len(step) == 1 and next(iter(step)) in STEP_ENDINGS:
            stops.append(Stop(len(wire), next(iter(step))))
        else:
            raise BadScript(f"no step: {step!r}")
    return Plan(bytes(wire), packets, stops, delay_ms=script.get("delay_ms", 0), closes=not keep,
                close_notify=script.get("close_notify", True), status=None,
                answer_end=len(wire) if script.get("answered") else None)


def _big_event(maker, answer):
    size = maker.script.get("big_event")
    if not size:
        return
    if answer is None or not maker.is_stream:
        raise BadScript("big_event is for a built-in answer that streams")
    first = next((i for i, e in enumerate(maker.events) if e.tokens), len(maker.events) - 1)
    maker.events.insert(first + 1, maker.vendor.text_event(answer, "x" * size))


def _expand(script, key):
    """The script with the caller's key wherever it says %KEY%."""
    if isinstance(script, str):
        return script.replace("%KEY%", key)
    if isinstance(script, list):
        return [_expand(item, key) for item in script]
    if isinstance(script, dict):
        return {name: _expand(value, key) for name, value in script.items()}
    return script


def compile_reply(script, vendor, number, key, made, answer=None, version="1.1"):
    """The Plan of a checked script. `made` is the built-in (status, events, is_stream)."""
    if script.get("expand"):
        script = _expand(script, key)
    if "steps" in script:
        return _by_hand(script)
    maker = _Maker(script, vendor, number, key, made, version)
    maker.content()
    _big_event(maker, answer)
    maker.shape()
    framing = _framing(maker, script)
    layout, info_ends = _lay(maker, script, framing)
    _wire_inserts(layout, script)
    marks = list(zip(layout.event_ends, itertools.accumulate(e.tokens for e in maker.events)))
    closes = framing in ("close", "http10", "none")
    return Plan(bytes(layout.wire), _packets(layout, script, maker.is_stream, info_ends),
                _stops(layout, script), marks, script.get("delay_ms", 0),
                "error_event" not in script, closes, script.get("close_notify", True), maker.status,
                answer_end=_answer_end(maker, script, layout))
