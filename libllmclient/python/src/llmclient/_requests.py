"""_requests.py - what does a caller's call become? The builder calls that put it together, to be made when it
is started. The functions whose names end in _request have the parameters of the clients' methods.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ._c import lib
from .errors import ArgumentError
from .values import (Assistant, Attachment, Behalf, Cache, ChatResult, JsonAnswer, Message, System, Tool, ToolCall,
                     ToolResult, User)

INT_MAX = 2**31 - 1


@dataclasses.dataclass
class Request:
    """An operation, who is asked, and the builder's calls; `keeps` must live until they are made."""
    operation: str
    model: bytes | None
    steps: list[tuple[Any, ...]] = dataclasses.field(default_factory=list)
    keeps: list[object] = dataclasses.field(default_factory=list)

    def add(self, function: Callable[..., Any], *args: Any) -> None:
        self.steps.append((function, *args))

    def add_text(self, function: Callable[..., Any], what: str, text: str | None) -> None:
        if text is not None:
            self.add(function, c_text(what, text))

    def build(self) -> int | None:
        """An llm_request, to be freed; it keeps the first failure for who starts it."""
        handle: int | None = lib.llm_request_new(self.model)
        if handle is None:
            return None
        try:
            lib.llm_request_operation(handle, self.operation.encode())
            for function, *args in self.steps:
                function(handle, *args)
        except BaseException:
            lib.llm_request_free(handle)
            raise
        return handle


def c_text(what: str, text: str) -> bytes:
    """A text as C takes it."""
    if not isinstance(text, str):
        raise TypeError(f"{what} is {type(text).__name__}, not str")
    if "\0" in text:
        raise ArgumentError(f"{what} has a NUL character, where a text of C would end")
    try:
        return text.encode()
    except UnicodeEncodeError as why:
        raise ArgumentError(f"{what} is no Unicode text: {why}") from None


def c_int(what: str, number: int) -> int:
    if not isinstance(number, int):
        raise TypeError(f"{what} is {type(number).__name__}, not int")
    if not -INT_MAX <= number <= INT_MAX:
        raise ArgumentError(f"{what} is {number}, which is too large")
    return number


def c_json(what: str, value: Mapping[str, Any] | str) -> bytes:
    return c_text(what, value if isinstance(value, str) else json.dumps(value))


def c_bytes(data: bytes) -> bytes:
    """Bytes of whatever kind."""
    return data if isinstance(data, bytes) else bytes(memoryview(data))


def c_ms(what: str, seconds: float) -> int:
    """Seconds as milliseconds, the next whole ones; what is longer than they can say is the longest."""
    if not seconds > 0:
        raise ArgumentError(f"{what} is {seconds} s, not more than 0")
    return INT_MAX if seconds >= INT_MAX / 1000 else math.ceil(seconds * 1000)


def _words(words: str | Iterable[str]) -> Iterable[str]:
    return (words,) if isinstance(words, str) else words


# ---- messages


def _said(request: Request, text: str, calls: Sequence[ToolCall]) -> None:
    if not calls:
        request.add_text(lib.llm_request_assistant, "the assistant's text", text)
        return
    _by_json(request, {"role": "assistant", "content": text or None, "tool_calls": [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls]})


def _by_json(request: Request, message: Mapping[str, Any]) -> None:
    request.add(lib.llm_request_messages_json, c_text("the message", json.dumps([dict(message)])))


def _attach(request: Request, attachment: Attachment) -> None:
    data = c_bytes(attachment.data)
    mime = None if attachment.mime is None else c_text("the attachment's type", attachment.mime)
    name = None if attachment.name is None else c_text("the attachment's name", attachment.name)
    request.add(lib.llm_request_attach, name, mime, data, len(data))


def _add_message(request: Request, message: Message) -> None:
    match message:
        case str():
            request.add_text(lib.llm_request_user, "the user's text", message)
        case System():
            request.add_text(lib.llm_request_system, "the system text", message.text)
        case User():
            if message.text or not message.attachments:
                request.add_text(lib.llm_request_user, "the user's text", message.text)
            else:
                _by_json(request, {"role": "user"})  # what is attached is all there is
            for attachment in message.attachments:
                _attach(request, attachment)
        case ChatResult() if message.held is not None:
            request.keeps.append(message.held)
            request.add(lib.llm_request_result, message.held.address)
        case Assistant() | ChatResult():
            _said(request, message.text, message.tool_calls)
        case ToolResult():
            call_id = message.call if isinstance(message.call, str) else message.call.id
            request.add(lib.llm_request_tool_result, c_text("the tool call's id", call_id),
                        c_text("the tool's result", message.content), message.is_error)
        case Mapping():
            _by_json(request, message)
        case _:
            raise TypeError(f"a message is {type(message).__name__}, none of those that llmclient.Message lists")


# ---- parameters


def _add_tool(request: Request, tool: Tool) -> None:
    request.add(lib.llm_request_tool, c_text("the tool's name", tool.name),
                None if tool.description is None else c_text("the tool's description", tool.description),
                None if tool.parameters is None else c_json("the tool's schema", tool.parameters))


def _add_json_answer(request: Request, answer: JsonAnswer) -> None:
    request.add(lib.llm_request_json_schema,
                None if answer.name is None else c_text("the schema's name", answer.name),
                None if answer.schema is None else c_json("the schema", answer.schema))


def _add_cache(request: Request, cache: Cache) -> None:
    request.add_text(lib.llm_request_cache, "the cache's use", cache.use)
    if cache.max_age is not None or cache.ttl is not None:
        request.add(lib.llm_request_cache_seconds,
                    -1 if cache.max_age is None else c_int("the cache's max_age", cache.max_age),
                    -1 if cache.ttl is None else c_int("the cache's ttl", cache.ttl))
    request.add_text(lib.llm_request_cache_namespace, "the namespace", cache.namespace)


def _started(operation: str, model: str | None, *, timeout: float | None, max_cost_usd: float | None,
             cache: Cache | str | None, tags: str | Iterable[str], session: str | None,
             fallbacks: str | Iterable[str], is_strict: bool, is_at_most_once: bool, is_batch: bool,
             extra: Mapping[str, Any] | None, behalf: Behalf | None) -> Request:
    """What all requests have."""
    request = Request(operation, None if model is None else c_text("the model", model))
    if timeout is not None:
        request.add(lib.llm_request_timeout_ms, c_ms("the timeout", timeout))
    if max_cost_usd is not None:
        request.add(lib.llm_request_max_cost_usd, float(max_cost_usd))
    if cache is not None:
        _add_cache(request, Cache(cache) if isinstance(cache, str) else cache)
    for tag in _words(tags):
        request.add_text(lib.llm_request_tag, "the tag", tag)
    for fallback in _words(fallbacks):
        request.add_text(lib.llm_request_fallback, "the fallback", fallback)
    request.add_text(lib.llm_request_session, "the session", session)
    for function, is_wanted in ((lib.llm_request_strict, is_strict), (lib.llm_request_batch, is_batch),
                                (lib.llm_request_at_most_once, is_at_most_once)):
        if is_wanted:
            request.add(function, 1)
    for key, value in (extra or {}).items():
        request.add(lib.llm_request_extra_json, c_text("the member's name", key),
                    c_text("the member's value", json.dumps(value)))
    if behalf is not None:
        request.add(lib.llm_request_behalf,
                    None if behalf.token is None else c_text("the app token", behalf.token),
                    -1 if behalf.pidfd is None else c_int("the pidfd", behalf.pidfd))
    return request


# ---- the operations

SHARED = """timeout: seconds for the whole answer.
max_cost_usd: the broker stops it there.
cache: "off", "read", "write", "on", "refresh", "only", or a Cache.
tags: words that an alias may choose its target by.
session: calls with the same word go to one place, where the alias is sticky.
fallbacks: who is asked, in order, where the model cannot serve.
strict: what else would be a Notice is refused.
at_most_once: never sent a second time.
batch: it waits behind calls that people wait for.
extra: members for the provider as they are.
behalf: whom this program asks for."""


def chat_request(messages: Message | Iterable[Message], *, model: str | None = None, system: str | None = None,
                 tools: Iterable[Tool] = (), tool_choice: str | None = None, max_tokens: int | None = None,
                 temperature: float | None = None, stop: str | Iterable[str] = (), reasoning: str | None = None,
                 json_answer: JsonAnswer | None = None, timeout: float | None = None,
                 max_cost_usd: float | None = None, cache: Cache | str | None = None,
                 tags: str | Iterable[str] = (), session: str | None = None, fallbacks: str | Iterable[str] = (),
                 strict: bool = False, at_most_once: bool = False, batch: bool = False,
                 extra: Mapping[str, Any] | None = None, behalf: Behalf | None = None) -> Request:
    """messages: one or more of llmclient.Message; a text is what the user says.
    model: a name or an alias of the host's; None: "default".
    tools, tool_choice: "auto", "none", "required" or a tool's name.
    reasoning: "none", "minimal", "low", "medium", "high", "xhigh", "max".
    json_answer: the answer is JSON, by a schema or not.
    """
    request = _started("chat", model, timeout=timeout, max_cost_usd=max_cost_usd, cache=cache, tags=tags,
                       session=session, fallbacks=fallbacks, is_strict=strict, is_at_most_once=at_most_once,
                       is_batch=batch, extra=extra, behalf=behalf)
    request.add_text(lib.llm_request_system, "the system text", system)
    if isinstance(messages, (str, System, User, Assistant, ToolResult, ChatResult, Mapping)):
        messages = (messages,)
    for message in messages:
        _add_message(request, message)
    for tool in tools:
        _add_tool(request, tool)
    request.add_text(lib.llm_request_tool_choice, "the tool choice", tool_choice)
    if max_tokens is not None:
        request.add(lib.llm_request_max_tokens, c_int("max_tokens", max_tokens))
    if temperature is not None:
        request.add(lib.llm_request_temperature, float(temperature))
    for sequence in _words(stop):
        request.add_text(lib.llm_request_stop, "the stop sequence", sequence)
    request.add_text(lib.llm_request_reasoning, "the reasoning effort", reasoning)
    if json_answer is not None:
        _add_json_answer(request, json_answer)
    return request


def _add_inputs(request: Request, inputs: str | Attachment | Iterable[str | Attachment]) -> None:
    for each in (inputs,) if isinstance(inputs, (str, Attachment)) else inputs:
        if isinstance(each, Attachment):
            data = c_bytes(each.data)
            request.add(lib.llm_request_input_image,
                        None if each.mime is None else c_text("the image's type", each.mime), data, len(data))
        else:
            request.add_text(lib.llm_request_input, "the input", each)


def embed_request(inputs: str | Attachment | Iterable[str | Attachment], *, model: str | None = None,
                  dimensions: int | None = None, input_type: str | None = None, truncate: str | None = None,
                  timeout: float | None = None, max_cost_usd: float | None = None,
                  cache: Cache | str | None = None, tags: str | Iterable[str] = (), session: str | None = None,
                  fallbacks: str | Iterable[str] = (), strict: bool = False, at_most_once: bool = False,
                  batch: bool = False, extra: Mapping[str, Any] | None = None,
                  behalf: Behalf | None = None) -> Request:
    """inputs: texts, and images as Attachments.
    input_type: "query", "document", "classification", "clustering", "similarity", "code_query".
    truncate: where what is too long is cut, "end" or "start"; "none": it is refused.
    """
    request = _started("embed", model, timeout=timeout, max_cost_usd=max_cost_usd, cache=cache, tags=tags,
                       session=session, fallbacks=fallbacks, is_strict=strict, is_at_most_once=at_most_once,
                       is_batch=batch, extra=extra, behalf=behalf)
    _add_inputs(request, inputs)
    if dimensions is not None:
        request.add(lib.llm_request_dimensions, c_int("dimensions", dimensions))
    request.add_text(lib.llm_request_input_type, "the input type", input_type)
    request.add_text(lib.llm_request_truncate, "where to cut", truncate)
    return request


def rerank_request(query: str, documents: str | Iterable[str], *, model: str | None = None,
                   top_n: int | None = None, truncate: str | None = None, timeout: float | None = None,
                   max_cost_usd: float | None = None, cache: Cache | str | None = None,
                   tags: str | Iterable[str] = (), session: str | None = None,
                   fallbacks: str | Iterable[str] = (), strict: bool = False, at_most_once: bool = False,
                   batch: bool = False, extra: Mapping[str, Any] | None = None,
                   behalf: Behalf | None = None) -> Request:
    """top_n: only the best so many.
    truncate: where what is too long is cut, "end" or "start"; "none": it is refused.
    """
    request = _started("rerank", model, timeout=timeout, max_cost_usd=max_cost_usd, cache=cache, tags=tags,
                       session=session, fallbacks=fallbacks, is_strict=strict, is_at_most_once=at_most_once,
                       is_batch=batch, extra=extra, behalf=behalf)
    request.add_text(lib.llm_request_query, "the query", query)
    _add_inputs(request, documents)
    if top_n is not None:
        request.add(lib.llm_request_top_n, c_int("top_n", top_n))
    request.add_text(lib.llm_request_truncate, "where to cut", truncate)
    return request


def moderate_request(inputs: str | Attachment | Iterable[str | Attachment], *, model: str | None = None,
                     timeout: float | None = None, max_cost_usd: float | None = None,
                     cache: Cache | str | None = None, tags: str | Iterable[str] = (),
                     session: str | None = None, fallbacks: str | Iterable[str] = (), strict: bool = False,
                     at_most_once: bool = False, batch: bool = False, extra: Mapping[str, Any] | None = None,
                     behalf: Behalf | None = None) -> Request:
    """inputs: texts, and images as Attachments.
    """
    request = _started("moderate", model, timeout=timeout, max_cost_usd=max_cost_usd, cache=cache, tags=tags,
                       session=session, fallbacks=fallbacks, is_strict=strict, is_at_most_once=at_most_once,
                       is_batch=batch, extra=extra, behalf=behalf)
    _add_inputs(request, inputs)
    return request


def models_request(provider: str | None = None, *, timeout: float | None = None) -> Request:
    """provider: None: all that have a key.
    timeout: seconds.
    """
    request = Request("models", None if provider is None else c_text("the provider", provider))
    if timeout is not None:
        request.add(lib.llm_request_timeout_ms, c_ms("the timeout", timeout))
    return request
