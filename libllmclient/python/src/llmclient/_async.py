"""_async.py - how does a client live in an asyncio loop? By its one descriptor and a timer. While no call is open the
loop does not know it, so that a client that is forgotten goes, and one may be used in a next loop.
"""

import asyncio
import dataclasses
import os
import typing
from types import TracebackType

from ._core import END, Call, Core, End, Taken, options_of
from ._methods import takes
from ._reading import (ALL, NOTED, Reader, read_chat, read_count, read_embed, read_models, read_moderate, read_rerank)
from ._requests import (Request, chat_request, embed_request, models_request, moderate_request, rerank_request)
from .errors import ArgumentError
from .values import (ChatResult, CountResult, EmbedResult, Event, ModelInfo, ModelsResult, ModerateResult, RerankResult,
                     Result)

TURN = 32  # events that are there already, before others in the loop have their turn

R = typing.TypeVar("R", bound=Result)


class AsyncStream:
    """An answer in flight: `async for` has its events. Whoever leaves it before its end, by close(), at the end of
    `async with`, by forgetting it, or because the task that waits for it is cancelled, cancels the call."""

    def __init__(self, client: "AsyncClient", call: Call) -> None:
        self._client, self._call = client, call
        self._at_once = 0

    def __aiter__(self) -> "AsyncStream":
        return self

    async def __anext__(self) -> Event:
        self._at_once += 1
        if self._at_once >= TURN:
            self._at_once = 0
            try:
                await asyncio.sleep(0)
            except BaseException:
                self.close()
                raise
        taken = await self._client._next(self._call)
        if not isinstance(taken, End):
            return taken
        error, self._call.error = self._call.error, None
        if error is not None:
            raise error
        raise StopAsyncIteration

    async def __aenter__(self) -> "AsyncStream":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, why: BaseException | None,
                        trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Cancels the call if it still runs. What had arrived stays readable."""
        self._client._give_up(self._call)

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


class AsyncClient:
    """As Client is, for the tasks of one asyncio loop; no call of it blocks the loop."""

    def __init__(self, *, socket_path: str | os.PathLike[str] | None = None, fd: int | None = None,
                 app_name: str | None = None, connect_timeout: float | None = 0, timeout: float | None = None,
                 idle_timeout: float | None = 120.0, max_retries: int = 2, autostart: bool = True) -> None:
        self._core = Core(options_of(
            socket_path=socket_path, fd=fd, app_name=app_name, connect_timeout=connect_timeout, timeout=timeout,
            idle_timeout=idle_timeout, max_retries=max_retries, autostart=autostart))
        self._waiting: dict[Call, "asyncio.Future[None]"] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that watches
        self._fd = -1
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, why: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancels what still runs, and closes the connection."""
        self._unwatch()
        with self._core as core:
            core.close()
        self._hand_out()

    @takes(chat_request)
    def stream(self, request: Request) -> AsyncStream:
        """Asks, and returns the answer's events as they come."""
        return AsyncStream(self, self._start(request, ALL, read_chat))

    @takes(chat_request)
    async def chat(self, request: Request) -> ChatResult:
        """Asks, and waits for the whole answer."""
        return await self._whole(request, read_chat, ChatResult)

    @takes(chat_request)
    async def count(self, request: Request) -> CountResult:
        """Counts the tokens that a chat would send."""
        return await self._whole(dataclasses.replace(request, operation="count"), read_count, CountResult)

    @takes(embed_request)
    async def embed(self, request: Request) -> EmbedResult:
        """Makes a vector of each input."""
        return await self._whole(request, read_embed, EmbedResult)

    @takes(rerank_request)
    async def rerank(self, request: Request) -> RerankResult:
        """Orders documents by how well they fit a query."""
        return await self._whole(request, read_rerank, RerankResult)

    @takes(moderate_request)
    async def moderate(self, request: Request) -> ModerateResult:
        """Judges each input."""
        return await self._whole(request, read_moderate, ModerateResult)

    @takes(models_request)
    async def models(self, request: Request) -> list[ModelInfo]:
        """The models of a provider, or of all that have a key."""
        return list((await self._whole(request, read_models, ModelsResult)).models)

    # ---- waiting

    def _start(self, request: Request, makers: typing.Any, reader: Reader) -> Call:
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop and not self._loop.is_closed():
            raise ArgumentError("this client has open calls in another event loop")
        with self._core as core:
            call = core.start(request, makers, reader)
        self._watch(loop)
        return call

    async def _whole(self, request: Request, reader: Reader, kind: type[R]) -> R:
        call = self._start(request, NOTED, reader)
        while await self._next(call) is not END:
            pass
        if call.error is not None:
            raise call.error
        assert isinstance(call.result, kind)
        return call.result

    async def _next(self, call: Call) -> Taken:
        """Whoever is cancelled while waiting here cancels the call."""
        while True:
            with self._core as core:
                taken = core.take(call)
            if taken is not None:
                if taken is END:
                    self._settle()
                return taken
            loop = asyncio.get_running_loop()
            if loop is not self._loop:
                raise ArgumentError("this call is of another event loop")
            if call in self._waiting:
                raise ArgumentError("another task waits for this stream")
            future = self._waiting[call] = loop.create_future()
            try:
                await future
            except BaseException:
                self._give_up(call)
                raise
            finally:
                self._waiting.pop(call, None)

    def _give_up(self, call: Call) -> None:
        with self._core as core:
            core.give_up(call)
        self._settle()

    # ---- in the loop

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not loop:
            with self._core as core:
                self._fd = core.fd
            loop.add_reader(self._fd, self._ready)
            self._loop, self._timer = loop, None
        self._arm(loop)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        self._loop = self._timer = None

    def _settle(self) -> None:
        if self._core.n_open == 0:
            self._unwatch()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """A timer that goes off too early does no harm, and is set anew."""
        with self._core as core:
            due_ms = core.timeout_ms()
        if due_ms < 0:
            return
        due_at = loop.time() + due_ms / 1000
        if self._timer is not None:
            if self._timer.when() <= due_at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due_at, self._is_due)

    def _is_due(self) -> None:
        self._timer = None
        self._ready()

    def _ready(self) -> None:
        with self._core as core:
            core.process()
        self._hand_out()
        self._settle()
        if self._loop is not None:
            self._arm(self._loop)

    def _hand_out(self) -> None:
        """Lets those go on whose events are there."""
        with self._core as core:
            for call, future in self._waiting.items():
                if not future.done() and core.look(call):
                    future.set_result(None)
