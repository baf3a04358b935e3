"""values.py - what is said, and what comes back? Plain values: messages and tools go in, events and results
come out. Nothing here calls the library.
"""

import array
import dataclasses
import json
import os
import pathlib
import typing
from collections.abc import Mapping, Sequence

from ._c import EventType

# ---- what is asked


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """An image, audio or a document, by its bytes. `mime` None: told from the bytes."""
    data: bytes
    mime: str | None = None
    name: str | None = None

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], mime: str | None = None) -> "Attachment":
        """All of a file, under its own name."""
        file = pathlib.Path(path)
        return cls(file.read_bytes(), mime, file.name)


@dataclasses.dataclass(frozen=True, slots=True)
class System:
    """What the model is told to be."""
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """What the user says, with what is attached to it."""
    text: str
    attachments: Sequence[Attachment] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called. `arguments` is JSON; where an answer broke off, it may be ""."""
    id: str
    name: str
    arguments: str

    def parsed(self) -> typing.Any:
        """The arguments as Python values."""
        return json.loads(self.arguments)


@dataclasses.dataclass(frozen=True, slots=True)
class Assistant:
    """What the model said. A ChatResult says more: with it comes back what its provider wants to see again."""
    text: str = ""
    tool_calls: Sequence[ToolCall] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ToolResult:
    """What a called tool gave: `call` is the call, or its id."""
    call: ToolCall | str
    content: str
    is_error: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call; `parameters` is a JSON schema, as a mapping or as text."""
    name: str
    description: str | None = None
    parameters: Mapping[str, typing.Any] | str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class JsonAnswer:
    """An answer in JSON: by a schema, or any object."""
    schema: Mapping[str, typing.Any] | str | None = None
    name: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Cache:
    """What is wished of kept answers. `use`: "off" "read" "write" "on" "refresh" "only", or None: as policy has it.
    Seconds; None: not said."""
    use: str | None = None
    max_age: int | None = None
    ttl: int | None = None
    namespace: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Behalf:
    """Whom a program asks for: by an app token, by a pidfd, or both."""
    token: str | None = None
    pidfd: int | None = None


# ---- what comes


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, money and time of a call. None: not known."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_nanousd: int | None = None
    ttft_us: int | None = None
    total_us: int | None = None
    cache: str | None = None  # "hit", "joined"; None: a provider was asked
    cache_age_s: int | None = None
    saved_nanousd: int | None = None
    is_kept: bool = False

    @property
    def cost_usd(self) -> float | None:
        """What it cost, in US dollars."""
        return None if self.cost_nanousd is None else self.cost_nanousd / 1e9

    @property
    def saved_usd(self) -> float | None:
        """What it would have cost again, had it not been kept."""
        return None if self.saved_nanousd is None else self.saved_nanousd / 1e9


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A step of an answer. `text` is the piece of it that Text brings, and "" of all others, so that a loop may
    print each event blindly."""
    type: typing.ClassVar[EventType] = EventType.NONE

    @property
    def text(self) -> str:
        return ""


@dataclasses.dataclass(frozen=True, slots=True)
class Status(Event):
    """Queued, asking the user, trying elsewhere: a word, and a sentence."""
    type = EventType.STATUS
    word: str
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class Text(Event):
    """A piece of the answer."""
    type = EventType.TEXT
    piece: str

    @property
    def text(self) -> str:
        return self.piece


@dataclasses.dataclass(frozen=True, slots=True)
class Reasoning(Event):
    """A piece of the reasoning before it."""
    type = EventType.REASONING
    piece: str


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal(Event):
    """A piece of a refusal."""
    type = EventType.REFUSAL
    piece: str


@dataclasses.dataclass(frozen=True, slots=True)
class ToolStart(Event):
    """A tool call begins: the index-th of the answer."""
    type = EventType.TOOL_START
    index: int
    id: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class ToolArgs(Event):
    """A piece of its arguments."""
    type = EventType.TOOL_ARGS
    index: int
    piece: str


@dataclasses.dataclass(frozen=True, slots=True)
class ToolEnd(Event):
    """It is whole."""
    type = EventType.TOOL_END
    index: int
    call: ToolCall


@dataclasses.dataclass(frozen=True, slots=True)
class UsageSoFar(Event):
    """Running totals."""
    type = EventType.USAGE
    usage: Usage


@dataclasses.dataclass(frozen=True, slots=True)
class Done(Event):
    """The last one; the usage is final."""
    type = EventType.DONE
    usage: Usage


@dataclasses.dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something of the request was changed or left out (LLM_EV_WARNING); `param`: the member it is about."""
    type = EventType.WARNING
    code: str
    param: str | None
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Part(Event):
    """An image, audio or a citation, whole: its bytes, or where they are, or what it cites."""
    type = EventType.PART
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Item(Event):
    """One more embedding, rank, count, verdict or model is in the result."""
    type = EventType.ITEM
    index: int


class Held(typing.Protocol):
    """An answer of the library's, with what its provider wants to see again."""

    @property
    def address(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Result:
    """What all results have."""
    model: str | None = None  # the one that answered
    provider: str | None = None
    request_id: str | None = None  # as in the broker's log
    usage: Usage = Usage()
    notices: tuple[Notice, ...] = ()


@dataclasses.dataclass(frozen=True)
class ChatResult(Result):
    """An answer. As a message of a next request it is said back as it was."""
    text: str = ""
    reasoning: str | None = None
    refusal: str | None = None
    stop_reason: str | None = None  # "stop" "length" "tool_calls" "content_filter" "pause" "other"; None: none yet
    tool_calls: tuple[ToolCall, ...] = ()
    parts: tuple[Part, ...] = ()
    held: Held | None = dataclasses.field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, typing.Any]:
        return {**self.__dict__, "held": None}  # another process, or a copy, has the words alone


@dataclasses.dataclass(frozen=True)
class EmbedResult(Result):
    """A vector for each input, in their order; numpy.frombuffer() takes them as they are."""
    vectors: "tuple[array.array[float], ...]" = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Rank:
    """Which document, and how well it fits: to be compared within one result alone."""
    index: int
    score: float


@dataclasses.dataclass(frozen=True)
class RerankResult(Result):
    """The best first."""
    ranks: tuple[Rank, ...] = ()


@dataclasses.dataclass(frozen=True)
class CountResult(Result):
    """The tokens that a chat would send; None: it was not told."""
    tokens: int | None = None
    is_estimate: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in an input, by category."""
    is_flagged: bool
    categories: Mapping[str, bool]
    scores: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class ModerateResult(Result):
    """A verdict for each input, in their order."""
    verdicts: tuple[Verdict, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as it may be asked for; tokens, None: not known."""
    id: str
    context_tokens: int | None
    max_output_tokens: int | None


@dataclasses.dataclass(frozen=True)
class ModelsResult(Result):
    """The models that may be used."""
    models: tuple[ModelInfo, ...] = ()


# A text is what the user says; a mapping is a message as OpenAI's chat API has it.
Message = str | System | User | Assistant | ToolResult | ChatResult | Mapping[str, typing.Any]
