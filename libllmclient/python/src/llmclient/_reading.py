"""_reading.py - what is an event or a result of the library's as a value of Python's? All of it is copied."""

import array
import ctypes
import json
import weakref
from collections.abc import Callable
from typing import Any

from ._c import EventType, lib
from .values import (ChatResult, CountResult, Done, EmbedResult, Event, Item, ModelInfo, ModelsResult,
                     ModerateResult, Notice, Part, Rank, Reasoning, Refusal, RerankResult, Result, Status, Text,
                     ToolArgs, ToolCall, ToolEnd, ToolStart, Usage, UsageSoFar, Verdict)


def _text(raw: bytes | None) -> str:
    return "" if raw is None else raw.decode("utf-8", "replace")


def _text_or_none(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")


def _known(number: int) -> int | None:
    return None if number < 0 else number


def usage_of(handle: int | None) -> Usage:
    if not handle:
        return Usage()
    return Usage(
        input_tokens=_known(lib.llm_usage_input_tokens(handle)),
        output_tokens=_known(lib.llm_usage_output_tokens(handle)),
        cached_tokens=_known(lib.llm_usage_cached_tokens(handle)),
        cache_write_tokens=_known(lib.llm_usage_cache_write_tokens(handle)),
        reasoning_tokens=_known(lib.llm_usage_reasoning_tokens(handle)),
        cost_nanousd=_known(lib.llm_usage_cost_nanousd(handle)),
        ttft_us=_known(lib.llm_usage_ttft_us(handle)),
        total_us=_known(lib.llm_usage_total_us(handle)),
        cache=_text_or_none(lib.llm_usage_cache(handle)),
        cache_age_s=_known(lib.llm_usage_cache_age_s(handle)),
        saved_nanousd=_known(lib.llm_usage_saved_nanousd(handle)),
        is_kept=lib.llm_usage_kept(handle) != 0)


# ---- events


def _bytes(function: Callable[..., Any], event: int) -> bytes:
    size = ctypes.c_size_t()
    at = function(event, ctypes.byref(size))
    return ctypes.string_at(at, size.value) if size.value else b""


def _detail(event: int) -> str:
    return _bytes(lib.llm_event_detail, event).decode("utf-8", "replace")


def _tool_end(event: int) -> ToolEnd:
    return ToolEnd(lib.llm_event_index(event),
                   ToolCall(_text(lib.llm_event_tool_id(event)), _text(lib.llm_event_tool_name(event)),
                            _text(lib.llm_event_tool_args(event))))


NOTED: dict[int, Callable[[int], Event]] = {  # these belong to a result, and are in none of the library's
    EventType.WARNING: lambda event: Notice(_text(lib.llm_event_warning_code(event)),
                                            _text_or_none(lib.llm_event_warning_param(event)), _detail(event)),
    EventType.PART: lambda event: Part(_bytes(lib.llm_event_detail, event)),
}
ALL: dict[int, Callable[[int], Event]] = {
    **NOTED,
    EventType.STATUS: lambda event: Status(_text(lib.llm_event_status_word(event)), _detail(event)),
    EventType.TEXT: lambda event: Text(_bytes(lib.llm_event_text, event).decode("utf-8", "replace")),
    EventType.REASONING: lambda event: Reasoning(_detail(event)),
    EventType.REFUSAL: lambda event: Refusal(_detail(event)),
    EventType.TOOL_START: lambda event: ToolStart(lib.llm_event_index(event), _text(lib.llm_event_tool_id(event)),
                                                  _text(lib.llm_event_tool_name(event))),
    EventType.TOOL_ARGS: lambda event: ToolArgs(lib.llm_event_index(event), _detail(event)),
    EventType.TOOL_END: _tool_end,
    EventType.USAGE: lambda event: UsageSoFar(usage_of(lib.llm_event_usage(event))),
    EventType.DONE: lambda event: Done(usage_of(lib.llm_event_usage(event))),
    EventType.ITEM: lambda event: Item(lib.llm_event_index(event)),
}


# ---- results


class Own:
    """An llm_result that is ours, for as long as somebody holds this."""

    def __init__(self, address: int) -> None:
        self.address = address
        weakref.finalize(self, lib.llm_result_free, address).atexit = False


def _shared(handle: int, request_id: str | None, noted: list[Event]) -> dict[str, Any]:
    """What all results have."""
    return {"model": _text_or_none(lib.llm_result_model(handle)),
            "provider": _text_or_none(lib.llm_result_provider(handle)), "request_id": request_id,
            "usage": usage_of(lib.llm_result_usage(handle)),
            "notices": tuple(event for event in noted if isinstance(event, Notice))}


Reader = Callable[[int, str | None, list[Event]], Result]


def read_chat(handle: int, request_id: str | None, noted: list[Event]) -> ChatResult:
    calls = tuple(ToolCall(_text(lib.llm_result_tool_id(handle, i)), _text(lib.llm_result_tool_name(handle, i)),
                           _text(lib.llm_result_tool_args(handle, i)))
                  for i in range(lib.llm_result_tool_calls(handle)))
    return ChatResult(text=_text(lib.llm_result_text(handle)),
                      reasoning=_text_or_none(lib.llm_result_reasoning(handle)),
                      refusal=_text_or_none(lib.llm_result_refusal(handle)),
                      stop_reason=_text_or_none(lib.llm_result_stop_reason(handle)), tool_calls=calls,
                      parts=tuple(event for event in noted if isinstance(event, Part)),
                      **_shared(handle, request_id, noted))


def _vector(handle: int, i: int) -> "array.array[float]":
    size = ctypes.c_size_t()
    at = lib.llm_result_embedding(handle, i, ctypes.byref(size))
    return array.array("f", ctypes.string_at(at, size.value * ctypes.sizeof(ctypes.c_float)) if at else b"")


def read_embed(handle: int, request_id: str | None, noted: list[Event]) -> EmbedResult:
    return EmbedResult(vectors=tuple(_vector(handle, i) for i in range(lib.llm_result_embeddings(handle))),
                       **_shared(handle, request_id, noted))


def read_rerank(handle: int, request_id: str | None, noted: list[Event]) -> RerankResult:
    return RerankResult(ranks=tuple(Rank(lib.llm_result_rank_index(handle, i), lib.llm_result_rank_score(handle, i))
                                    for i in range(lib.llm_result_ranks(handle))),
                        **_shared(handle, request_id, noted))


def read_count(handle: int, request_id: str | None, noted: list[Event]) -> CountResult:
    return CountResult(tokens=_known(lib.llm_result_tokens(handle)),
                       is_estimate=lib.llm_result_tokens_estimated(handle) != 0,
                       **_shared(handle, request_id, noted))


def _object(raw: bytes | None) -> Any:
    return {} if raw is None else json.loads(raw)


def read_moderate(handle: int, request_id: str | None, noted: list[Event]) -> ModerateResult:
    return ModerateResult(verdicts=tuple(Verdict(lib.llm_result_flagged(handle, i) != 0,
                                                 _object(lib.llm_result_categories(handle, i)),
                                                 _object(lib.llm_result_category_scores(handle, i)))
                                         for i in range(lib.llm_result_verdicts(handle))),
                          **_shared(handle, request_id, noted))


def read_models(handle: int, request_id: str | None, noted: list[Event]) -> ModelsResult:
    return ModelsResult(models=tuple(ModelInfo(_text(lib.llm_result_model_id(handle, i)),
                                               _known(lib.llm_result_model_context(handle, i)),
                                               _known(lib.llm_result_model_max_output(handle, i)))
                                     for i in range(lib.llm_result_models(handle))),
                        **_shared(handle, request_id, noted))
