#!/usr/bin/python3
"""tools.py - how does a model get what it asks for, until it answers?"""

import sys

import llmclient

WEATHER = llmclient.Tool("weather", "What the weather is in a city.", {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})


def weather(city: str) -> str:
    return f"It rains in {city}."


def main(question: str, model: str | None) -> None:
    said: list[llmclient.Message] = [question]
    with llmclient.Client() as client:
        while True:
            answer = client.chat(said, model=model, tools=[WEATHER])
            print(answer.text)
            if not answer.tool_calls:
                return
            said.append(answer)  # as it was, with what its provider wants to see again
            for call in answer.tool_calls:
                said.append(llmclient.ToolResult(call, weather(**call.parsed())))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "Do I need an umbrella in Bonn?",
         sys.argv[2] if len(sys.argv) > 2 else None)
