"""_c.py - what does ctypes know of libllmclient? Its constants, its one struct, and the functions of
llmclient.h that this module calls; the tests hold all of them against the header.

The library is libllmclient.so.1, as the dynamic linker finds it; $LLMCLIENT_LIBRARY names another file.
"""

import ctypes
import enum
import os
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any

SONAME = "libllmclient.so.1"
INSTALLED = f"/usr/local/lib/{SONAME}"  # where `make install` puts it, and no cache of the linker may know it yet


class Code(enum.IntEnum):
    """Why something failed: llm_code, without its LLM_."""
    OK = 0
    E_INVAL = -1
    E_NOMEM = -2
    E_AGAIN = -3
    E_UNREACHABLE = -4
    E_IO = -5
    E_PROTOCOL = -6
    E_TIMEOUT = -7
    E_CANCELLED = -8
    E_FORKED = -9
    E_DENIED = -10
    E_CONSENT = -11
    E_LOCKED = -12
    E_NO_KEY = -13
    E_NO_MODEL = -14
    E_BUDGET = -15
    E_RATE = -16
    E_OVERLOADED = -17
    E_TOO_LONG = -18
    E_REFUSED = -19
    E_REQUEST = -20
    E_PROVIDER = -21
    E_UNSUPPORTED = -22
    E_NOT_CACHED = -23


class EventType(enum.IntEnum):
    """What an event is: llm_event_type, without its LLM_EV_."""
    NONE = 0
    STATUS = 1
    TEXT = 2
    REASONING = 3
    TOOL_START = 4
    TOOL_ARGS = 5
    TOOL_END = 6
    USAGE = 7
    DONE = 8
    WARNING = 9
    RAW = 10
    HEAD = 11
    REFUSAL = 12
    PART = 13
    ITEM = 14


F_NONBLOCK = 1
F_NO_AUTOSTART = 2
READ = 1
WRITE = 2


class Options(ctypes.Structure):
    """llm_options; made with what LLM_OPTIONS_INIT says."""
    _fields_ = [("size", c_size_t), ("socket_path", c_char_p), ("fd", c_int), ("app_name", c_char_p),
                ("connect_timeout_ms", c_int), ("request_timeout_ms", c_int), ("idle_timeout_ms", c_int),
                ("max_retries", c_int), ("flags", c_uint32)]

    def __init__(self) -> None:
        super().__init__(ctypes.sizeof(type(self)), None, -1, None, 0, -1, 120000, 2, 0)


SIZE = POINTER(c_size_t)
# name: what it returns, what it takes. Handles are addresses. What may hold a NUL is an address and a length.
PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "llm_version": (c_char_p,),
    "llm_error_code": (c_int, c_void_p),
    "llm_error_message": (c_char_p, c_void_p),
    "llm_error_class": (c_char_p, c_void_p),
    "llm_error_provider": (c_char_p, c_void_p),
    "llm_error_http_status": (c_int, c_void_p),
    "llm_error_request_id": (c_char_p, c_void_p),
    "llm_error_retryable": (c_int, c_void_p),
    "llm_error_retry_after_ms": (c_int64, c_void_p),
    "llm_client_new": (c_void_p, POINTER(Options)),
    "llm_client_free": (None, c_void_p),
    "llm_last_error": (c_void_p, c_void_p),
    "llm_client_fd": (c_int, c_void_p),
    "llm_client_timeout_ms": (c_int, c_void_p),
    "llm_client_process": (c_int, c_void_p),
    "llm_client_wake": (None, c_void_p),
    "llm_request_new": (c_void_p, c_char_p),
    "llm_request_free": (None, c_void_p),
    "llm_request_system": (c_int, c_void_p, c_char_p),
    "llm_request_user": (c_int, c_void_p, c_char_p),
    "llm_request_assistant": (c_int, c_void_p, c_char_p),
    "llm_request_result": (c_int, c_void_p, c_void_p),
    "llm_request_messages_json": (c_int, c_void_p, c_char_p),
    "llm_request_attach": (c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t),
    "llm_request_tool": (c_int, c_void_p, c_char_p, c_char_p, c_char_p),
    "llm_request_tool_result": (c_int, c_void_p, c_char_p, c_char_p, c_int),
    "llm_request_tool_choice": (c_int, c_void_p, c_char_p),
    "llm_request_max_tokens": (c_int, c_void_p, c_int),
    "llm_request_temperature": (c_int, c_void_p, c_double),
    "llm_request_stop": (c_int, c_void_p, c_char_p),
    "llm_request_reasoning": (c_int, c_void_p, c_char_p),
    "llm_request_json_schema": (c_int, c_void_p, c_char_p, c_char_p),
    "llm_request_timeout_ms": (c_int, c_void_p, c_int),
    "llm_request_max_cost_usd": (c_int, c_void_p, c_double),
    "llm_request_extra_json": (c_int, c_void_p, c_char_p, c_char_p),
    "llm_request_strict": (c_int, c_void_p, c_int),
    "llm_request_at_most_once": (c_int, c_void_p, c_int),
    "llm_request_batch": (c_int, c_void_p, c_int),
    "llm_request_fallback": (c_int, c_void_p, c_char_p),
    "llm_request_tag": (c_int, c_void_p, c_char_p),
    "llm_request_session": (c_int, c_void_p, c_char_p),
    "llm_request_cache": (c_int, c_void_p, c_char_p),
    "llm_request_cache_seconds": (c_int, c_void_p, c_int64, c_int64),
    "llm_request_cache_namespace": (c_int, c_void_p, c_char_p),
    "llm_request_behalf": (c_int, c_void_p, c_char_p, c_int),
    "llm_request_operation": (c_int, c_void_p, c_char_p),
    "llm_request_input": (c_int, c_void_p, c_char_p),
    "llm_request_input_image": (c_int, c_void_p, c_char_p, c_char_p, c_size_t),
    "llm_request_query": (c_int, c_void_p, c_char_p),
    "llm_request_top_n": (c_int, c_void_p, c_int),
    "llm_request_dimensions": (c_int, c_void_p, c_int),
    "llm_request_input_type": (c_int, c_void_p, c_char_p),
    "llm_request_truncate": (c_int, c_void_p, c_char_p),
    "llm_stream_start": (c_void_p, c_void_p, c_void_p),
    "llm_stream_next": (c_int, c_void_p, POINTER(c_void_p)),
    "llm_stream_cancel": (None, c_void_p),
    "llm_stream_result": (c_void_p, c_void_p),
    "llm_stream_take_result": (c_void_p, c_void_p),
    "llm_stream_error": (c_void_p, c_void_p),
    "llm_stream_request_id": (c_char_p, c_void_p),
    "llm_stream_free": (None, c_void_p),
    "llm_event_type_of": (c_int, c_void_p),
    "llm_event_text": (c_void_p, c_void_p, SIZE),
    "llm_event_detail": (c_void_p, c_void_p, SIZE),
    "llm_event_status_word": (c_char_p, c_void_p),
    "llm_event_index": (c_size_t, c_void_p),
    "llm_event_tool_id": (c_char_p, c_void_p),
    "llm_event_tool_name": (c_char_p, c_void_p),
    "llm_event_tool_args": (c_char_p, c_void_p),
    "llm_event_usage": (c_void_p, c_void_p),
    "llm_event_warning_code": (c_char_p, c_void_p),
    "llm_event_warning_param": (c_char_p, c_void_p),
    "llm_result_text": (c_char_p, c_void_p),
    "llm_result_reasoning": (c_char_p, c_void_p),
    "llm_result_refusal": (c_char_p, c_void_p),
    "llm_result_model": (c_char_p, c_void_p),
    "llm_result_provider": (c_char_p, c_void_p),
    "llm_result_stop_reason": (c_char_p, c_void_p),
    "llm_result_tool_calls": (c_size_t, c_void_p),
    "llm_result_tool_id": (c_char_p, c_void_p, c_size_t),
    "llm_result_tool_name": (c_char_p, c_void_p, c_size_t),
    "llm_result_tool_args": (c_char_p, c_void_p, c_size_t),
    "llm_result_usage": (c_void_p, c_void_p),
    "llm_result_free": (None, c_void_p),
    "llm_result_embeddings": (c_size_t, c_void_p),
    "llm_result_embedding": (POINTER(c_float), c_void_p, c_size_t, SIZE),
    "llm_result_ranks": (c_size_t, c_void_p),
    "llm_result_rank_index": (c_size_t, c_void_p, c_size_t),
    "llm_result_rank_score": (c_double, c_void_p, c_size_t),
    "llm_result_tokens": (c_int64, c_void_p),
    "llm_result_tokens_estimated": (c_int, c_void_p),
    "llm_result_verdicts": (c_size_t, c_void_p),
    "llm_result_flagged": (c_int, c_void_p, c_size_t),
    "llm_result_categories": (c_char_p, c_void_p, c_size_t),
    "llm_result_category_scores": (c_char_p, c_void_p, c_size_t),
    "llm_result_models": (c_size_t, c_void_p),
    "llm_result_model_id": (c_char_p, c_void_p, c_size_t),
    "llm_result_model_context": (c_int64, c_void_p, c_size_t),
    "llm_result_model_max_output": (c_int64, c_void_p, c_size_t),
    "llm_usage_input_tokens": (c_int64, c_void_p),
    "llm_usage_cached_tokens": (c_int64, c_void_p),
    "llm_usage_cache_write_tokens": (c_int64, c_void_p),
    "llm_usage_output_tokens": (c_int64, c_void_p),
    "llm_usage_reasoning_tokens": (c_int64, c_void_p),
    "llm_usage_cost_nanousd": (c_int64, c_void_p),
    "llm_usage_ttft_us": (c_int64, c_void_p),
    "llm_usage_total_us": (c_int64, c_void_p),
    "llm_usage_cache": (c_char_p, c_void_p),
    "llm_usage_cache_age_s": (c_int64, c_void_p),
    "llm_usage_saved_nanousd": (c_int64, c_void_p),
    "llm_usage_kept": (c_int, c_void_p),
}
# These look and return: to let go of the interpreter for each would cost more than they do.
QUICK = ("llm_error_", "llm_event_", "llm_result_", "llm_usage_", "llm_stream_next")


def _open() -> ctypes.CDLL:
    named = os.environ.get("LLMCLIENT_LIBRARY")
    if named:
        return ctypes.CDLL(named)
    try:
        return ctypes.CDLL(SONAME)
    except OSError as why:
        try:
            return ctypes.CDLL(INSTALLED)
        except OSError:
            raise why from None


class _Functions:
    """The functions, as attributes."""

    def __init__(self) -> None:
        try:
            slow = _open()
        except OSError as why:
            raise ImportError(f"the C library {SONAME} of llm-broker cannot be loaded: {why}") from None
        quick = ctypes.PyDLL(slow._name, handle=slow._handle)
        for name, (returned, *taken) in PROTOTYPES.items():
            is_quick = name.startswith(QUICK) and name != "llm_result_free"
            try:
                function = (quick if is_quick else slow)[name]
            except AttributeError:
                raise ImportError(f"{slow._name} is older than this module: it has no {name}()") from None
            function.restype, function.argtypes = returned, taken
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


lib = _Functions()
