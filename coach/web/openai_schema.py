"""What travels in OpenAI's format (Chat Completions API): the fields that are read, and those that are sent."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from coach.wire.reflections import ReflectionAnswer

MODEL = "reflection-coach"
SINCE = 1_763_856_000  # Unix seconds: 2025-11-23


class PartIn(msgspec.Struct, frozen=True):
    """One part of a message."""

    type: str
    text: str | None = None


class MessageIn(msgspec.Struct, frozen=True):
    """One message of the chat so far."""

    role: str
    content: str | list[PartIn] | None = None
    tool_calls: list[Any] | None = None
    function_call: Any = None


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream tells besides."""

    include_usage: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """What is asked. Fields that are not named here make no difference, and are passed over: temperature, max_tokens, seed, user and others."""

    model: str
    messages: list[MessageIn]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    modalities: list[str] | None = None
    web_search_options: Any = None


class Model(msgspec.Struct, frozen=True):
    """A model."""

    id: str = MODEL
    object: str = "model"
    created: int = SINCE
    owned_by: str = "reflection-coach"


class Models(msgspec.Struct, frozen=True):
    """All of them."""

    data: list[Model]
    object: str = "list"


class Usage(msgspec.Struct, frozen=True):
    """In tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class MessageOut(msgspec.Struct, frozen=True):
    """What the coach says."""

    content: str
    role: str = "assistant"
    refusal: None = None


class Choice(msgspec.Struct, frozen=True):
    """The one answer."""

    message: MessageOut
    index: int = 0
    finish_reason: str = "stop"
    logprobs: None = None


class ChatCompletion(msgspec.Struct, frozen=True):
    """A whole answer; `coach` is the same as a reflection would be, with all that a chat has no place for."""

    id: str
    created: int
    choices: list[Choice]
    usage: Usage
    coach: ReflectionAnswer
    object: str = "chat.completion"
    model: str = MODEL


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a chunk adds."""

    role: str | None = None
    content: str | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    """Of the one answer."""

    delta: Delta
    finish_reason: Literal["stop"] | None = None
    index: int = 0
    logprobs: None = None


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an answer."""

    id: str
    created: int
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
    coach: ReflectionAnswer | UnsetType = UNSET
    object: str = "chat.completion.chunk"
    model: str = MODEL
