#!/usr/bin/python3
"""hello.py - what does a whole program look like?"""

import sys

import llmclient

try:
    with llmclient.Client() as client:
        stream = client.stream("Say hello in three languages.")
        for event in stream:
            print(event.text, end="", flush=True)
        usage = stream.result.usage
        print(f"\n{usage.output_tokens} tokens, {usage.cost_usd} USD", file=sys.stderr)
except llmclient.LLMError as error:
    sys.exit(str(error))
