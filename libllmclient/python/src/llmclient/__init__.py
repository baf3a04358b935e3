"""llmclient - calls LLM providers through llm-broker, which holds the keys.

    import llmclient
    with llmclient.Client() as client:
        answer = client.chat("Say hello in three languages.")
        print(answer.text, answer.usage.cost_usd)
        for event in client.stream("And in three more.", max_tokens=100):
            print(event.text, end="", flush=True)

AsyncClient is the same with `await` and `async for`. Errors are LLMError and what is under it.
"""

from ._async import AsyncClient, AsyncStream
from ._c import Code, EventType, lib
from ._sync import Client, Stream
from .errors import (ArgumentError, BrokenError, BrokerError, BudgetError, CallCancelled, CallTimeout, ClosedError,
                     ConsentError, DeniedError, ForkedError, LLMError, LockedError, NoKeyError, NoMemoryError,
                     NoModelError, NotCachedError, OverloadedError, PolicyError, ProtocolError, ProviderError,
                     RateLimitError, RefusedError, RequestError, TooLongError, UnreachableError, UnsupportedError)
from .values import (Assistant, Attachment, Behalf, Cache, ChatResult, CountResult, Done, EmbedResult, Event, Item,
                     JsonAnswer, Message, ModelInfo, ModerateResult, Notice, Part, Rank, Reasoning, Refusal,
                     RerankResult, Result, Status, System, Text, Tool, ToolArgs, ToolCall, ToolEnd, ToolResult,
                     ToolStart, Usage, UsageSoFar, User, Verdict)

__version__ = "0.1.0"


def library_version() -> str:
    """Of the C library that was loaded."""
    version: bytes = lib.llm_version()
    return version.decode()


__all__ = [
    "ArgumentError", "Assistant", "AsyncClient", "AsyncStream", "Attachment", "Behalf", "BrokenError",
    "BrokerError", "BudgetError", "Cache", "CallCancelled", "CallTimeout", "ChatResult", "Client", "ClosedError",
    "Code", "ConsentError", "CountResult", "DeniedError", "Done", "EmbedResult", "Event", "EventType",
    "ForkedError", "Item", "JsonAnswer", "LLMError", "LockedError", "Message", "ModelInfo", "ModerateResult",
    "NoKeyError", "NoMemoryError", "NoModelError", "NotCachedError", "Notice", "OverloadedError", "Part",
    "PolicyError", "ProtocolError", "ProviderError", "Rank", "RateLimitError", "Reasoning", "Refusal",
    "RefusedError", "RequestError", "RerankResult", "Result", "Status", "Stream", "System", "Text", "TooLongError",
    "Tool", "ToolArgs", "ToolCall", "ToolEnd", "ToolResult", "ToolStart", "UnreachableError", "UnsupportedError",
    "Usage", "UsageSoFar", "User", "Verdict", "library_version",
]
