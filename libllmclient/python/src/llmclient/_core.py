"""_core.py - how is one llm_client held, so that nothing of it is used wrongly? No call of it blocks (LLM_F_NONBLOCK),
each is made under a lock, and what Python forgets is freed. Who waits for its descriptor is another file's matter.

The library wants one thread at a time in a client and its streams: that is the lock, which is never held while
waiting. An object may be forgotten anywhere, also in the middle of another call: its stream is put onto a list, which
whoever has the lock frees.
"""

import collections
import ctypes
import dataclasses
import itertools
import os
import threading
import typing
import weakref
from collections.abc import Callable

from . import _c
from ._c import Code, lib
from ._reading import NOTED, Own, Reader
from ._requests import Request, c_ms, c_text
from .errors import ClosedError, ForkedError, LLMError, NoMemoryError, ProtocolError, error_of
from .values import ChatResult, Event, Result


SLICE = 256  # events that are passed over in one go: others want their turn


class End:
    """There is nothing after this."""


END: typing.Final = End()
Taken = Event | End


class Call:
    """A stream of the library's. `handle` None: it is over, with `error` or without, and `result` is all of it."""
    __slots__ = ("handle", "makers", "reader", "pending", "noted", "error", "result", "request_id", "_finalizer",
                 "__weakref__")

    def __init__(self, core: "Core", handle: int, makers: "dict[int, Callable[[int], Event]]", reader: Reader) -> None:
        self.handle: int | None = handle
        self.makers, self.reader = makers, reader
        self.pending: Taken | None = None
        self.noted: list[Event] = []
        self.error: LLMError | None = None
        self.result: Result | None = None
        self.request_id: str | None = None
        self._finalizer = weakref.finalize(self, core.discard, handle)
        self._finalizer.atexit = False  # then the kernel closes, and the broker cancels

    def leave(self) -> None:
        """The handle is freed, or about to be."""
        self.handle = None
        self._finalizer.detach()


def options_of(*, socket_path: str | os.PathLike[str] | None, fd: int | None, app_name: str | None,
               connect_timeout: float | None, timeout: float | None, idle_timeout: float | None, max_retries: int,
               autostart: bool) -> _c.Options:
    """llm_options; seconds, None: no limit of ours."""
    options = _c.Options()
    if socket_path is not None:
        options.socket_path = c_text("socket_path", os.fspath(socket_path))
    if app_name is not None:
        options.app_name = c_text("app_name", app_name)
    options.fd = -1 if fd is None else fd
    if connect_timeout != 0:  # else the library's own
        options.connect_timeout_ms = -1 if connect_timeout is None else c_ms("connect_timeout", connect_timeout)
    options.request_timeout_ms = -1 if timeout is None else c_ms("timeout", timeout)
    options.idle_timeout_ms = -1 if idle_timeout is None else c_ms("idle_timeout", idle_timeout)
    options.max_retries = max_retries
    options.flags = _c.F_NONBLOCK | (0 if autostart else _c.F_NO_AUTOSTART)
    return options


class Core:
    """One llm_client. `with core:` has its lock; what says so below wants it."""
    _numbers: typing.ClassVar["itertools.count[int]"] = itertools.count()

    def __init__(self, options: _c.Options) -> None:
        self.number: int = next(self._numbers)
        self._lock = threading.RLock()  # a signal's handler may come while its thread has it
        self._dead: collections.deque[int] = collections.deque()
        self._gone: Callable[[], LLMError] | None = None
        self.n_open = 0
        handle: int | None = lib.llm_client_new(ctypes.byref(options))
        if handle is None:
            raise NoMemoryError("out of memory")
        self.handle: int = handle
        self._finalizer = weakref.finalize(self, lib.llm_client_free, handle)
        self._finalizer.atexit = False
        _cores.add(self)

    def __enter__(self) -> "Core":
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._bury()

    def _bury(self) -> None:
        """Frees what was forgotten, unless somebody has the lock, who will do it then."""
        while self._dead and self._lock.acquire(blocking=False):
            try:
                while self._dead:
                    handle = self._dead.popleft()
                    if self._gone is None:
                        lib.llm_stream_free(handle)
                        lib.llm_client_wake(self.handle)  # whoever waits for the client may have nothing to wait for
                        self.n_open -= 1
            finally:
                self._lock.release()

    def discard(self, handle: int) -> None:
        """Frees a stream that nobody knows any more. At any time, in any thread; without the lock."""
        self._dead.append(handle)
        self._bury()

    def check(self) -> None:
        """Raises if there is no client any more."""
        if self._gone is not None:
            raise self._gone()

    # with the lock

    @property
    def fd(self) -> int:
        return typing.cast(int, lib.llm_client_fd(self.handle))

    def timeout_ms(self) -> int:
        """When process() is due, whatever the descriptor says; -1: never."""
        return -1 if self._gone else typing.cast(int, lib.llm_client_timeout_ms(self.handle))

    def process(self) -> None:
        """Does what there is to do."""
        if self._gone is None:
            lib.llm_client_process(self.handle)

    def wake(self) -> None:
        """Makes the descriptor readable."""
        if self._gone is None:
            lib.llm_client_wake(self.handle)

    def start(self, request: Request, makers: "dict[int, Callable[[int], Event]]", reader: Reader) -> Call:
        """Begins a call, of which the events that have a maker are told."""
        self.check()
        built = request.build()
        try:
            handle: int | None = lib.llm_stream_start(self.handle, built)
            if handle is None:
                raise error_of(lib.llm_last_error(self.handle))
        finally:
            lib.llm_request_free(built)
        self.n_open += 1
        return Call(self, handle, makers, reader)

    def look(self, call: Call) -> bool:
        """Whether take() has something."""
        if call.pending is None:
            call.pending = self._next(call)
        return call.pending is not None

    def take(self, call: Call) -> Taken | None:
        """The next event, or END; None: nothing yet."""
        taken = call.pending if call.pending is not None else self._next(call)
        call.pending = None
        return taken

    def _next(self, call: Call) -> Taken | None:
        n_passed, at = 0, ctypes.c_void_p()
        while call.handle is not None:
            if n_passed == SLICE:
                self.wake()  # what is here already makes no descriptor readable
                return None
            if self._gone is not None:
                call.error = self._gone()
                call.leave()
                break
            got: int = lib.llm_stream_next(call.handle, ctypes.byref(at))
            if got == Code.E_AGAIN:
                return None
            if got <= 0:
                self._end(call, got)
                break
            event: int = at.value or 0
            kind: int = lib.llm_event_type_of(event)
            make = call.makers.get(kind)
            if make is not None:
                made = make(event)
                if kind in NOTED:
                    call.noted.append(made)
                return made
            n_passed += 1
        return END

    def _end(self, call: Call, code: int) -> None:
        """Its result is ours from now on, and the stream is freed."""
        handle = call.handle
        self.id_of(call)
        if code < 0:
            call.error = error_of(lib.llm_stream_error(handle))
        taken: int | None = lib.llm_stream_take_result(handle)
        self._free(call)
        if taken is None:
            call.error = call.error or NoMemoryError("out of memory")
            return
        own = Own(taken)
        try:
            result = call.reader(taken, call.request_id, call.noted)
        except ValueError as why:
            call.error = call.error or ProtocolError(f"what came from the broker makes no sense: {why}")
            return
        if isinstance(result, ChatResult) and code == Code.OK:
            result = dataclasses.replace(result, held=own)
        call.result = result
        if call.error is not None:
            call.error.partial = result

    def id_of(self, call: Call) -> str | None:
        """The broker's name for it, if that is known."""
        if call.handle is not None and self._gone is None:
            raw: bytes | None = lib.llm_stream_request_id(call.handle)
            call.request_id = None if raw is None else raw.decode("utf-8", "replace")
        return call.request_id

    def _free(self, call: Call) -> None:
        handle = call.handle
        call.leave()
        self.n_open -= 1
        lib.llm_stream_free(handle)

    def so_far(self, call: Call) -> Result | None:
        """What has arrived."""
        if call.handle is None or self._gone is not None:
            return call.result
        return call.reader(lib.llm_stream_result(call.handle), self.id_of(call), call.noted)

    def cancel(self, call: Call) -> None:
        """Its next event is an end with CallCancelled, unless it has ended."""
        if call.handle is not None and self._gone is None:
            lib.llm_stream_cancel(call.handle)

    def give_up(self, call: Call) -> None:
        """Frees it; what had arrived stays readable."""
        if call.handle is None:
            return
        try:
            call.result = self.so_far(call)
        finally:
            call.pending = None
            if self._gone is None:
                self._free(call)
            else:
                call.leave()

    def close(self) -> None:
        """Ends it with all its calls."""
        if self._gone is None:
            self.wake()  # who waits for the descriptor looks up
            self._leave(lambda: ClosedError("the client was closed"))

    def _leave(self, why: Callable[[], LLMError]) -> None:
        self._gone = why
        self.n_open = 0
        self._finalizer()
        self._dead.clear()

    # forks: the child's copy speaks to nobody, and gives up the connection that is its parent's

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        self._lock = threading.RLock()
        if self._gone is None:
            self._leave(lambda: ForkedError("this client was made before a fork: make a new one in the child"))


_cores: "weakref.WeakSet[Core]" = weakref.WeakSet()
_forking = threading.local()


def _before_fork() -> None:
    cores: list[Core] = sorted(_cores, key=lambda core: core.number)  # one order, whoever forks
    _forking.cores = cores
    for core in cores:
        core.before_fork()


def _after_fork_in_parent() -> None:
    for core in _forking.__dict__.pop("cores", ()):
        core.after_fork_in_parent()
        core._bury()


def _after_fork_in_child() -> None:
    for core in list(_cores):
        core.after_fork_in_child()
    _forking.__dict__.pop("cores", None)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent,
                    after_in_child=_after_fork_in_child)
