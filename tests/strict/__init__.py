"""strict - would this provider take this request, and what does the request ask?

One module a family, written from the families' papers and not from the dialects: `check` lists what
the provider would refuse, `inventory` says what is asked in terms that all families share, so that
two requests can be compared. Nothing here is imported by the project's programs.
"""

import importlib

FAMILIES = ("openai-chat", "openai-responses", "openai-completions", "anthropic", "gemini", "bedrock",
            "mistral", "cohere", "ollama")


def module(family):
    return importlib.import_module("strict." + family.replace("-", "_"))
