"""errors.py - what can go wrong, as exceptions?

One class for each code of the library, under LLMError. Three more stand over what is alike: BrokerError (the
broker itself cannot be spoken to), PolicyError (this host does not allow it, or not yet) and ProviderError (who
was asked failed, or refused).
"""

import typing

from ._c import Code, lib
from .values import Result


class LLMError(Exception):
    """What failed and what to do is its text, and `message`."""
    default_code: typing.ClassVar[Code] = Code.E_PROVIDER

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.code: int = self.default_code
        self.kind = ""  # "rate_limited", "no_key", ...: finer than the code
        self.provider: str | None = None
        self.http_status: int | None = None
        self.request_id: str | None = None  # as in the broker's log
        self.is_retryable = False
        self.retry_after: float | None = None  # seconds
        self.partial: Result | None = None  # as far as it had come


class ArgumentError(LLMError, ValueError):
    """A bad argument, or not the state for it."""
    default_code = Code.E_INVAL


class ClosedError(ArgumentError):
    """The client was closed."""


class NoMemoryError(LLMError, MemoryError):
    """Out of memory."""
    default_code = Code.E_NOMEM


class CallTimeout(LLMError, TimeoutError):
    """No answer in time."""
    default_code = Code.E_TIMEOUT


class CallCancelled(LLMError):
    """The call was cancelled: by cancel(), or by somebody at the broker."""
    default_code = Code.E_CANCELLED


class ForkedError(LLMError, RuntimeError):
    """The client was made before a fork: make a new one in the child."""
    default_code = Code.E_FORKED


class NotCachedError(LLMError, LookupError):
    """cache="only", and no answer is kept; nobody was asked."""
    default_code = Code.E_NOT_CACHED


class BrokerError(LLMError):
    """The broker cannot be spoken to."""


class UnreachableError(BrokerError, ConnectionError):
    """No broker at the socket, or it is not bound into this sandbox."""
    default_code = Code.E_UNREACHABLE


class BrokenError(BrokerError, ConnectionError):
    """The connection broke, or reading or writing failed."""
    default_code = Code.E_IO


class ProtocolError(BrokerError):
    """What came makes no sense: something else may listen there."""
    default_code = Code.E_PROTOCOL


class PolicyError(LLMError):
    """This host does not allow it, or not yet."""


class DeniedError(PolicyError):
    """Not this caller, or not this model."""
    default_code = Code.E_DENIED


class ConsentError(PolicyError):
    """The user was asked and has not agreed."""
    default_code = Code.E_CONSENT


class LockedError(PolicyError):
    """The vault is locked."""
    default_code = Code.E_LOCKED


class NoKeyError(PolicyError):
    """There is no key for that provider."""
    default_code = Code.E_NO_KEY


class BudgetError(PolicyError):
    """The money for it is spent."""
    default_code = Code.E_BUDGET


class ProviderError(LLMError):
    """Who was asked failed, or refused."""
    default_code = Code.E_PROVIDER


class NoModelError(ProviderError):
    """There is no such model."""
    default_code = Code.E_NO_MODEL


class RateLimitError(ProviderError):
    """Too much for now: `retry_after` may say when."""
    default_code = Code.E_RATE


class OverloadedError(ProviderError):
    """No capacity just now."""
    default_code = Code.E_OVERLOADED


class TooLongError(ProviderError):
    """Longer than the model's context."""
    default_code = Code.E_TOO_LONG


class RefusedError(ProviderError):
    """The provider's safety policy refused it."""
    default_code = Code.E_REFUSED


class RequestError(ProviderError):
    """The provider found the request malformed, or it is too large."""
    default_code = Code.E_REQUEST


class UnsupportedError(ProviderError):
    """The model, or this broker, cannot do that."""
    default_code = Code.E_UNSUPPORTED


def _leaves(kind: type[LLMError]) -> typing.Iterator[type[LLMError]]:
    for each in kind.__subclasses__():
        if "default_code" in vars(each):
            yield each
        yield from _leaves(each)


BY_CODE: dict[int, type[LLMError]] = {kind.default_code: kind for kind in _leaves(LLMError)}


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")


def error_of(handle: int | None) -> LLMError:
    """The exception that an llm_error is, as one's own."""
    code: int = lib.llm_error_code(handle)
    error = BY_CODE.get(code, LLMError)(_text(lib.llm_error_message(handle)) or "")
    error.code = code
    error.kind = _text(lib.llm_error_class(handle)) or ""
    error.provider = _text(lib.llm_error_provider(handle))
    error.http_status = lib.llm_error_http_status(handle) or None
    error.request_id = _text(lib.llm_error_request_id(handle))
    error.is_retryable = lib.llm_error_retryable(handle) != 0
    after_ms: int = lib.llm_error_retry_after_ms(handle)
    error.retry_after = None if after_ms < 0 else after_ms / 1000
    return error
