#!/usr/bin/python3
"""load.py - is every call answered, as long as the process is not told to end?

usage: load.py new|kept

Asks offline/echo one question after the other, by a client for each or by one for all, until SIGTERM; then it prints one
JSON object: how many, the longest of them, what went wrong."""

import json
import signal
import sys
import time

import llmclient

ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
calls, longest, failed = 0, 0.0, []
kept = llmclient.Client() if sys.argv[1] == "kept" else None
while not ended:
    began = time.monotonic()
    try:
        if kept:
            text = kept.chat(f"call{calls}", model="offline/echo").text
        else:
            with llmclient.Client() as client:
                text = client.chat(f"call{calls}", model="offline/echo").text
        if text.strip() != f"call{calls}":
            failed.append(text)
    except llmclient.LLMError as why:
        failed.append(repr(why))
    calls += 1
    longest = max(longest, time.monotonic() - began)
    time.sleep(0.01)
print(json.dumps({"calls": calls, "longest_s": round(longest, 2), "failed": failed}))
