"""_sync.py - how does a program wait for its answers? In poll(), in Python, so that ^C is heeded at once.

Threads may share a client. One of those that wait polls for all of them, and hands each what is its own; when it
has what it waited for itself, it wakes another to go on.
"""

import dataclasses
import os
import select
import threading
import time
import typing
from types import TracebackType

from ._core import END, Call, Core, End, Taken, options_of
from ._methods import takes
from ._reading import (ALL, NOTED, Reader, read_chat, read_count, read_embed, read_models, read_moderate, read_rerank)
from ._requests import (Request, chat_request, embed_request, models_request, moderate_request, rerank_request)
from .values import (ChatResult, CountResult, EmbedResult, Event, ModelInfo, ModelsResult, ModerateResult, RerankResult,
                     Result)

LONGEST_MS = 500  # of one poll: a signal may have been another thread's

R = typing.TypeVar("R", bound=Result)


class _Waiter:
    """A thread that another one polls for."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.has_turn = threading.Event()


class Stream:
    """An answer in flight: iterate over its events. Whoever leaves it before its end, by close(), at the end of
    `with`, or by forgetting it, cancels the call."""

    def __init__(self, client: "Client", call: Call) -> None:
        self._client, self._call = client, call

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Event:
        taken = self._client._next(self._call)
        if not isinstance(taken, End):
            return taken
        error, self._call.error = self._call.error, None
        if error is not None:
            raise error
        raise StopIteration

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Cancels the call if it still runs. What had arrived stays readable."""
        with self._client._core as core:
            core.give_up(self._call)

    def cancel(self) -> None:
        """Cancels the call, from any thread: its iteration ends with CallCancelled."""
        with self._client._core as core:
            core.cancel(self._call)

    @property
    def result(self) -> ChatResult:
        """What has arrived; at the end, all of it."""
        with self._client._core as core:
            result = core.so_far(self._call)
        return result if isinstance(result, ChatResult) else ChatResult()

    @property
    def request_id(self) -> str | None:
        """As in the broker's log, once it is known."""
        with self._client._core as core:
            return core.id_of(self._call)


class Client:
    """A connection to the broker, opened when it is first needed. Threads may share it. After a fork the child makes
    one of its own: this one raises ForkedError there.

    Times are seconds; None: no limit of the client's. Where `connect_timeout` is 0 a broker has five seconds to listen, and
    forty-five to answer, for one that is replaced may finish what it is at first. `fd` is a connected socket, which the
    client then owns.
    """

    def __init__(self, *, socket_path: str | os.PathLike[str] | None = None, fd: int | None = None,
                 app_name: str | None = None, connect_timeout: float | None = 0, timeout: float | None = None,
                 idle_timeout: float | None = 120.0, max_retries: int = 2, autostart: bool = True) -> None:
        self._core = Core(options_of(
            socket_path=socket_path, fd=fd, app_name=app_name, connect_timeout=connect_timeout, timeout=timeout,
            idle_timeout=idle_timeout, max_retries=max_retries, autostart=autostart))
        self._waiters: list[_Waiter] = []
        self._leader: int | None = None  # the thread that polls
        self._polls_until = 0.0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Cancels what still runs, and closes the connection."""
        with self._core as core:
            core.close()
            self._wake(self._waiters)

    @takes(chat_request)
    def stream(self, request: Request) -> Stream:
        """Asks, and returns the answer's events as they come."""
        return Stream(self, self._start(request, ALL, read_chat))

    @takes(chat_request)
    def chat(self, request: Request) -> ChatResult:
        """Asks, and waits for the whole answer."""
        return self._whole(request, read_chat, ChatResult)

    @takes(chat_request)
    def count(self, request: Request) -> CountResult:
        """Counts the tokens that a chat would send."""
        return self._whole(dataclasses.replace(request, operation="count"), read_count, CountResult)

    @takes(embed_request)
    def embed(self, request: Request) -> EmbedResult:
        """Makes a vector of each input."""
        return self._whole(request, read_embed, EmbedResult)

    @takes(rerank_request)
    def rerank(self, request: Request) -> RerankResult:
        """Orders documents by how well they fit a query."""
        return self._whole(request, read_rerank, RerankResult)

    @takes(moderate_request)
    def moderate(self, request: Request) -> ModerateResult:
        """Judges each input."""
        return self._whole(request, read_moderate, ModerateResult)

    @takes(models_request)
    def models(self, request: Request) -> list[ModelInfo]:
        """The models of a provider, or of all that have a key."""
        return list(self._whole(request, read_models, ModelsResult).models)

    # ---- waiting

    def _start(self, request: Request, makers: typing.Any, reader: Reader) -> Call:
        with self._core as core:
            call = core.start(request, makers, reader)
            if self._leader not in (None, threading.get_ident()):
                due_ms = core.timeout_ms()
                if 0 <= due_ms and time.monotonic() + due_ms / 1000 < self._polls_until:
                    core.wake()  # it would sleep too long
            return call

    def _whole(self, request: Request, reader: Reader, kind: type[R]) -> R:
        call = self._start(request, NOTED, reader)
        try:
            while self._next(call) is not END:
                pass
        except BaseException:
            with self._core as core:
                core.give_up(call)
            raise
        if call.error is not None:
            raise call.error
        assert isinstance(call.result, kind)
        return call.result

    def _next(self, call: Call) -> Taken:
        with self._core as core:
            taken = core.take(call)
        return self._await(call) if taken is None else taken

    def _await(self, call: Call) -> Taken:
        me, waiter = threading.get_ident(), _Waiter(call)
        try:
            while True:
                with self._core as core:
                    taken = core.take(call)
                    if taken is not None:
                        return taken
                    leads = self._leader in (None, me)  # also where a signal's handler waits above who polls
                    if leads:
                        fd, wait_ms = core.fd, self._lead(core, me)
                    else:
                        waiter.has_turn.clear()
                        if waiter not in self._waiters:
                            self._waiters.append(waiter)
                if leads:
                    self._poll(fd, wait_ms)
                else:
                    waiter.has_turn.wait(LONGEST_MS / 1000)
        finally:
            with self._core:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                if self._leader in (None, me):
                    self._leader = None
                    self._wake(self._waiters[:1])

    def _lead(self, core: Core, me: int) -> int:
        """From now on it is `me` who polls. Returns how long."""
        due_ms = core.timeout_ms()
        wait_ms = LONGEST_MS if due_ms < 0 else min(due_ms, LONGEST_MS)
        self._leader, self._polls_until = me, time.monotonic() + wait_ms / 1000
        return wait_ms

    def _poll(self, fd: int, wait_ms: int) -> None:
        """Waits without the lock, and hands out what came. A descriptor that was closed meanwhile is only looked at."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll(wait_ms)
        with self._core as core:
            core.process()
            self._wake([waiter for waiter in self._waiters if core.look(waiter.call)])

    @staticmethod
    def _wake(waiters: list[_Waiter]) -> None:
        for waiter in waiters:
            waiter.has_turn.set()
