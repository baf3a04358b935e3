#!/usr/bin/python3
"""lint.py - does every file keep to its floor and to the shape of its kind?

usage: lint.py [--self-test] [TOP]

Prints a line "FILE:LINE: what is wrong" for each fault, and exits 1 if there was any. The floors
and the other rules about who may know whom are data: the file `floors` beside this one.
"""
import fnmatch
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = (".c", ".h", ".def", ".py", ".sh", ".md", ".map", ".in", ".scd", ".service", ".socket")
NAMES = ("Makefile", ".ci/run", "tests/lint/floors")
DATA = ("tests/golden/", "tests/fuzz/corpus/")  # bytes as they come, however ugly
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^">]+)[>"]')
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)[ \t]*(\w*)")
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def under(path, places):
    """Whether the path is one of the places, or lies in a folder among them."""
    return any(path == p or p.endswith("/") and path.startswith(p) for p in places)


class Rules:
    def __init__(self, path):
        self.floor, self.free, self.apart, self.sees = {}, [], [], {}
        self.door, self.guard, self.never = [], {}, []
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                words = line.split()
                if not words or words[0].startswith("#"):
                    continue
                try:
                    self.add(line, words)
                except (AttributeError, IndexError, ValueError):
                    sys.exit(f"{path}:{number}: this is no rule: {line.strip()}")

    def add(self, line, words):
        kind, first, rest = words[0], words[1], words[2:]
        if kind == "floor":
            self.floor.update((place, int(first)) for place in rest)
        elif kind == "free":
            self.free.append(first)
        elif kind == "apart":
            self.apart.append((first, rest[0]))
        elif kind in ("sees", "door"):
            if rest[0] != "only" or len(rest) < 2:
                raise ValueError
            if kind == "sees":
                self.sees[first] = rest[1:]
            else:
                self.door.append((first, rest[1:]))
        elif kind == "guard":
            self.guard[first] = rest[0]
        elif kind == "never":
            places = [] if first == "*" else first.split(",")
            self.never.append((places, re.compile(line.split(None, 2)[2].strip())))
        else:
            raise ValueError

    def room(self, path):
        """The folder a path belongs to, which is what has a floor."""
        return max((r for r in self.floor if path.startswith(r)), key=len, default=None)


class Lint:
    def __init__(self, top, rules):
        self.top, self.rules, self.faults = top, rules, []

    def fault(self, path, line, text):
        self.faults.append((path, line, text))

    def files(self):
        if os.path.exists(os.path.join(self.top, ".git")):
            out = subprocess.run(["git", "-C", self.top, "ls-files", "-zco", "--exclude-standard"],
                                 check=True, stdout=subprocess.PIPE).stdout.decode()
            found = [p for p in out.split("\0") if p and os.path.isfile(os.path.join(self.top, p))]
        else:
            found = [os.path.relpath(os.path.join(folder, name), self.top)
                     for folder, _, names in os.walk(self.top) for name in names]
        return sorted(p for p in found if not p.startswith("build/")
                      and not under(p, DATA) and (p.endswith(TEXT) or p in NAMES))

    def run(self):
        paths = self.files()
        for path in paths:
            with open(os.path.join(self.top, path), "rb") as file:
                raw = file.read()
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError:
                self.fault(path, 1, "is not UTF-8")
                continue
            self.check_text(path, text)
            if path.endswith((".c", ".h")):
                # comments go, their lines stay
                code = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), text).split("\n")
                self.check_first_line(path, text)
                for line, kind, name in self.includes(path, code):
                    self.check_doors(path, line, name)
                    self.check_floor(path, line, kind, name)
                if path.endswith(".h"):
                    self.check_guard(path, code)
        return len(paths)

    def check_text(self, path, text):
        lines = text.split("\n")
        if text and not text.endswith("\n"):
            self.fault(path, len(lines), "has no newline at its end")
        elif text.endswith("\n\n"):
            self.fault(path, len(lines) - 1, "has an empty line at its end")
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                self.fault(path, number, "white space at the end of the line")
            if path.endswith((".c", ".h", ".def")) and re.match(r"\t* +\t", line):
                self.fault(path, number, "has a space before a tab")
            for places, never in self.rules.never:
                found = (not places or under(path, places)) and never.search(line)
                if found and path != "tests/lint/floors":
                    self.fault(path, number, f"never here: {found.group().strip()}")

    def check_first_line(self, path, text):
        name = os.path.basename(path)
        if not text.startswith(f"/* {name} - "):
            self.fault(path, 1, f'starts with "/* {name} - " and the question it answers')

    def includes(self, path, code):
        """All includes as (line, '<' or '"', name). The order of those outside of #if is checked
        on the way; a #define among them starts anew: it may be meant for the header after it."""
        found, run, depth = [], [], 0
        outside = 1 if path.endswith(".h") else 0
        first = True
        for number, line in enumerate(code, 1):
            include, directive = INCLUDE.match(line), DIRECTIVE.match(line)
            word = directive.group(1) if directive else ""
            depth += (word in ("if", "ifdef", "ifndef")) - (word == "endif")
            if include:
                found.append((number, *include.groups()))
                if depth == outside and include.group(2).endswith(".h"):
                    run.append(found[-1])
            elif word in ("define", "undef") and run:
                self.check_order(path, run, first)
                run, first = [], False
        self.check_order(path, run, first)
        return found

    def check_order(self, path, run, first):
        own = path[:-2] + ".h"
        if run and first and path.endswith(".c"):
            if os.path.exists(os.path.join(self.top, own)):
                if run[0][2] != own and not own.endswith("/" + run[0][2]):
                    self.fault(path, run[0][0], f'its own header comes first: #include "{own}"')
                    return
                run = run[1:]
            elif run[0][1] == '"':
                run = run[1:]  # the module a test is about, the interface a file implements
        keys = [(kind == '"', name) for _, kind, name in run]
        for (line, _, name), before, now in zip(run[1:], keys, keys[1:]):
            if now < before:
                self.fault(path, line, f"{name} comes too late: own header, <system>, "
                                       '"project", each sorted')

    def check_doors(self, path, line, name):
        if under(path, self.rules.free):
            return
        for header, allowed in self.rules.door:
            if fnmatch.fnmatch(name, header) and not under(path, allowed):
                self.fault(path, line, f"includes {name}, which is for {' '.join(allowed)} alone")

    def resolve(self, name):
        """The project's file that an include names, or None."""
        for place in ("", "libllmclient/include/"):
            if os.path.isfile(os.path.join(self.top, place + name)):
                return place + name
        return None

    def check_floor(self, path, line, kind, name):
        target = self.resolve(name)
        if target is None:
            beside = os.path.join(os.path.dirname(path), name)
            if kind == '"' and os.path.isfile(os.path.join(self.top, beside)):
                self.fault(path, line, f'includes "{name}": paths start at the top, "{beside}"')
            return
        if under(path, self.rules.free):
            return
        for a, b in self.rules.apart:
            if under(path, [a]) and under(target, [b]) or under(path, [b]) and under(target, [a]):
                self.fault(path, line, f"includes {name}: {a} and {b} never know each other")
                return
        for place, seen in self.rules.sees.items():
            if under(path, [place]) and not under(target, seen):
                self.fault(path, line, f"includes {name}: {place} sees {' '.join(seen)} alone")
                return
        mine, theirs = self.rules.room(path), self.rules.room(target)
        if mine is None:
            self.fault(path, line, "its folder has no floor in tests/lint/floors")
        elif theirs is None:
            self.fault(path, line, f"includes {name}, whose folder has no floor")
        elif mine != theirs:
            here, there = self.rules.floor[mine], self.rules.floor[theirs]
            if here <= there:
                what = "a neighbour" if here == there else "upwards"
                self.fault(path, line, f"includes {name}, which is {what}: {mine} is on floor "
                                       f"{here}, {theirs} on {there}")

    def check_guard(self, path, code):
        want = self.rules.guard.get(path, re.sub(r"\W", "_", path).upper())
        found = [(n, m.group(1), m.group(2)) for n, m in
                 ((n, DIRECTIVE.match(line)) for n, line in enumerate(code, 1)) if m]
        if [f[1:] for f in found[:2]] != [("ifndef", want), ("define", want)] \
                or found[-1][1] != "endif":
            self.fault(path, found[0][0] if found else 1, f"its guard is {want}, around all of it")


# --- the self-test: a small tree of files, each with what lint must say about it (None: nothing)

GUARD = "#ifndef {0}\n#define {0}\n{1}\n#endif\n"
BAD = {
    "protocol/base/buf.h": (GUARD.format("PROTOCOL_BASE_BUF_H", "int buf;"), None),
    "protocol/frame.h": (GUARD.format("PROTOCOL_FRAME_H", '#include "protocol/base/buf.h"'), None),
    "protocol/pack.h": (GUARD.format("PROTOCOL_PACK_H", '#include "protocol/frame.h"'), None),
    "protocol/pack.c": ('#include "protocol/pack.h"\n\n#include <msgpack.h>\n', None),
    "protocol/base/num.h": (GUARD.format("PROTOCOL_BASE_NUM_H", '#include "protocol/frame.h"'),
                            "includes protocol/frame.h, which is upwards"),
    "protocol/event.h": (GUARD.format("EVENT_H", "int e;"), "its guard is PROTOCOL_EVENT_H"),
    "protocol/tail.h": (GUARD.format("PROTOCOL_TAIL_H", "int t;") + "#define AFTER\n",
                        "its guard is PROTOCOL_TAIL_H, around all of it"),
    "protocol/event.c": ("#include <stdio.h>\n\n#include \"protocol/event.h\"\n",
                         "its own header comes first"),
    "protocol/limits.h": (GUARD.format("PROTOCOL_LIMITS_H", "#include <limits.h>"), None),
    "protocol/control.c": ("#include <msgpack/pack.h>\n", "which is for protocol/pack.c alone"),
    "brokerd/limit/bucket.h": (GUARD.format("BROKERD_LIMIT_BUCKET_H", "int b;"), None),
    "brokerd/limit/queue.c": ('#include "brokerd/limit/bucket.h"\n#include "protocol/frame.h"\n',
                              None),
    "brokerd/cache/cache.c": ('#include "brokerd/limit/bucket.h"\n', "which is a neighbour"),
    "brokerd/cache/key.c": ('#include "key.h"\n', "paths start at the top"),
    "brokerd/cache/key.h": (GUARD.format("BROKERD_CACHE_KEY_H", "int k;"), None),
    "brokerd/log/log.c": ("#include <stdlib.h>\n#include <assert.h>\n", "assert.h comes too late"),
    "brokerd/log/mixed.c": ('#include <stdlib.h>\n#include "protocol/frame.h"\n#include <time.h>\n',
                            "time.h comes too late"),
    "brokerd/log/define.c": ('#include <stdlib.h>\n#include "protocol/frame.h"\n#define X\n'
                             "#include <time.h>\n", None),
    "brokerd/log/if.c": ("#include <stdlib.h>\n#if X\n#include <assert.h>\n#endif\n", None),
    "brokerd/exchange/exchange.c": ("#include <curl/curl.h>\n", "which is for brokerd/transport/"),
    "brokerd/exchange/list.c": ("#include <utlist.h>\n", "which is for protocol/base/list.h"),
    "brokerd/exchange/flight.c": ('#include "llmclient.h"\n', "never know each other"),
    "brokerd/value/secret_open.h": (GUARD.format("BROKERD_VALUE_SECRET_OPEN_H", "int s;"), None),
    "brokerd/transport/sign.c": ('#include "brokerd/value/secret_open.h"\n', None),
    "brokerd/transport/transport.c": ('#include "brokerd/value/secret_open.h"\n',
                                      "brokerd/transport/sign.c alone"),
    "brokerd/attic/old.c": ('#include "brokerd/front/peer.h"\n', None),
    "brokerd/front/peer.h": (GUARD.format("BROKERD_FRONT_PEER_H", "int p;"), None),
    "libllmclient/include/llmclient.h": (GUARD.format("LLMCLIENT_H", "type" + "def struct l l;"),
                                         None),
    "libllmclient/cli/main.c": ('#include <llmclient.h>\n\n#include "protocol/base/buf.h"\n', None),
    "libllmclient/cli/cmd_ask.c": ('#include "protocol/frame.h"\n', "libllmclient/cli/ sees"),
    "libllmclient/src/call.c": ('#include "brokerd/limit/bucket.h"\n', "never know each other"),
    "extra/thing.c": ('#include "protocol/frame.h"\n', "its folder has no floor"),
    "tests/unit/test_x.c": ('#include "brokerd/limit/bucket.h"\n\n#include <curl/curl.h>\n\n'
                            '#include "brokerd/front/peer.h"\n', None),
    "tests/unit/test_blank.c": ("int a; \n", "white space at the end"),
    "tests/unit/test_spaces.c": ("int f(void)\n{\n  \treturn 0;\n}\n", "has a space before a tab"),
    "tests/unit/test_end.c": ("int a;", "no newline at its end"),
    "tests/unit/test_ends.c": ("int a;\n\n", "an empty line at its end"),
    "tests/unit/test_promise.c": ("int a; /* TO" + "DO: b */\n", "never here: TO" + "DO"),
    "tests/unit/test_path.c": ('char a[] = "/ho' + 'me/me/x";\n', "never here: \"/ho" + "me/me/"),
    "tests/unit/test_type.c": ("type" + "def struct a b;\n", "never here: type" + "def struct"),
    "brokerd/limit/late.c": ("void f(void)\n{\n\tt->on_fire = g;\n}\n", "never here: >on_fire ="),
    "tests/unit/test_late.c": ("void f(void)\n{\n\tt->on_fire = g;\n}\n", None),
    "tests/golden/a/reply.sse": ("data: \r\n \n\n", None),
    "packaging/a.sh": ("echo \n", "white space at the end"),
}


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory(prefix="lint.") as top:
        for path, (text, _) in BAD.items():
            os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
            if path.endswith((".c", ".h")):
                text = f"/* {os.path.basename(path)} - what? */\n{text}"
            with open(os.path.join(top, path), "w", encoding="utf-8", newline="") as file:
                file.write(text)
        with open(os.path.join(top, "Makefile"), "w", encoding="utf-8") as file:
            file.write("all:\n")
        os.makedirs(os.path.join(top, "tests/lib"))
        with open(os.path.join(top, "tests/lib/tap.c"), "w", encoding="utf-8") as file:
            file.write("int a;\n")
        lint = Lint(top, Rules(os.path.join(HERE, "floors")))
        lint.run()
        wants = {path: want for path, (_, want) in BAD.items()}
        wants["tests/lib/tap.c"] = 'starts with "/* tap.c - "'
        for path, want in wants.items():
            said = [text for where, _, text in lint.faults if where == path]
            if want is None and said:
                wrong.append(f"{path}: nothing is wrong with it, yet: {said}")
            elif want is not None and (len(said) != 1 or want not in said[0]):
                wrong.append(f"{path}: wanted one fault, {want!r}, got {said}")
    for line in wrong:
        print(f"lint.py --self-test: {line}")
    return not wrong


def main(args):
    if args[:1] == ["--self-test"]:
        if not self_test():
            return 1
        args = args[1:]
    top = args[0] if args else os.path.join(HERE, "..", "..")
    lint = Lint(os.path.abspath(top), Rules(os.path.join(HERE, "floors")))
    count = lint.run()
    for path, line, text in sorted(lint.faults):
        print(f"{path}:{line}: {text}")
    print(f"lint: {count} files, {len(lint.faults)} faults")
    return 1 if lint.faults or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
