#!/usr/bin/python3
"""many.py - how are many answers waited for at once, in one asyncio loop?"""

import asyncio
import sys

import llmclient


async def ask(client: llmclient.AsyncClient, question: str) -> None:
    pieces = [event.text async for event in client.stream(question)]
    print(f"{question} {''.join(pieces)}")


async def main(questions: list[str]) -> None:
    async with llmclient.AsyncClient() as client, asyncio.timeout(60):
        await asyncio.gather(*(ask(client, question) for question in questions))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["Count to three.", "Name three colours."]))
