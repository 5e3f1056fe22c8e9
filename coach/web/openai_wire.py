"""OpenAI's wire format at /openai/v1: any chat program can have the coach as a model. Its contract is OpenAI's, so /schema does not repeat it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from coach import chat, tokens
from coach.bootstrap import Coach
from coach.chat import Chat, Message, Speech
from coach.errors import Malformed, UnknownModel
from coach.model import Closed, Event, Failed
from coach.web.answering import CLIENT_CLOSED_REQUEST
from coach.web.callers import usable, who
from coach.web.door import Door, Gone, unless_gone
from coach.web.events import PING_SECONDS, softly
from coach.web.openai_errors import PREFIX, OpenAIError, OpenAIErrorBody
from coach.web.openai_schema import (
    MODEL,
    ChatCompletion,
    ChatRequest,
    Choice,
    Chunk,
    ChunkChoice,
    Delta,
    MessageIn,
    MessageOut,
    Model,
    Models,
    Usage,
)
from coach.web.requests import EVENT_STREAM, refuse_unsendable, strictly
from coach.web.schema import Folder, encode

_UNHEEDED = {"system", "developer"}  # whoever writes these is not the coach's operator: they switch nothing off, and are no words of the manager's
_NO_STORE = {"cache-control": "no-store"}


@get(f"{PREFIX}/models", include_in_schema=False)
async def models() -> Models:
    """The one there is."""
    return Models([Model()])


@get(f"{PREFIX}/models/{{name:str}}", include_in_schema=False)
async def one_model(name: FromPath[str]) -> Model:
    """Raises UnknownModel."""
    if name != MODEL:
        raise UnknownModel
    return Model()


@post(f"{PREFIX}/chat/completions", status_code=200, before_request=strictly(ChatRequest), include_in_schema=False)
async def complete(
    data: JSONBody[ChatRequest], request: Request[Any, Any, Any], coach: NamedDependency[Coach], door: NamedDependency[Door]
) -> Response[ChatCompletion] | Response[None] | Stream:
    """The next message of a chat, whole or sentence by sentence. Errors: UnknownModel, Malformed, ChallengeTooLong, ConversationFull, Busy."""
    if data.model != MODEL:
        raise UnknownModel
    for pointer, why in _refused(data):
        raise Malformed(why, pointer)
    messages = list(_messages(data))
    refuse_unsendable((message.pointer, message.text) for message in messages)
    if all(message.ours or not message.text.strip() for message in messages):
        raise Malformed("There is no user message in it with anything to read.", "/messages")
    door.check()
    told = await asyncio.to_thread(chat.read, messages, coach.needs.safety.signposts)
    told = replace(told, challenge=replace(told.challenge, knowledge=usable(None, who(request), coach)))
    reply = Reply(told, await asyncio.to_thread(_tokens_in, data))
    events = door.through(chat.answer(told, coach.needs))
    if data.stream:
        counted = data.stream_options is not None and bool(data.stream_options.include_usage)
        return Stream(streamed(events, reply, counted=counted), media_type=EVENT_STREAM, headers={**_NO_STORE, "x-accel-buffering": "no"})
    try:
        return Response(await unless_gone(request, _whole(events, reply)), headers=_NO_STORE)
    except Gone:
        return Response(None, status_code=CLIENT_CLOSED_REQUEST)


def _refused(body: ChatRequest) -> Iterator[tuple[str, str]]:
    """What was asked for that would make another answer of it, with its pointer. What would not is passed over."""
    no = {
        "/tools": (body.tools, "The coach calls no tools."),
        "/functions": (body.functions, "The coach calls no functions."),
        "/n": (body.n not in {None, 1}, "There is one answer to a chat, with one question in it."),
        "/response_format": ((body.response_format or {}).get("type", "text") != "text", "The coach answers in plain text."),
        "/logprobs": (body.logprobs, "A question is asked or not; no probabilities of words can be given."),
        "/modalities": (set(body.modalities or ()) - {"text"}, "The coach answers in text alone."),
        "/web_search_options": (body.web_search_options is not None, "The coach searches nothing but its own library."),
    }
    yield from ((pointer, why) for pointer, (found, why) in no.items() if found)


def _messages(body: ChatRequest) -> Iterator[Message]:
    """The texts of the manager's and of the coach's, each where it stands. Raises Malformed."""
    for number, message in enumerate(body.messages):
        pointer = f"/messages/{number}"
        if message.role in _UNHEEDED:
            continue
        if message.role not in {"user", "assistant"} or message.tool_calls or message.function_call:
            raise Malformed("Messages are those of system, developer, user and assistant; there are no tools.", f"{pointer}/role")
        yield from _texts(message, f"{pointer}/content")


def _texts(message: MessageIn, pointer: str) -> Iterator[Message]:
    ours = message.role == "assistant"
    if not isinstance(message.content, list):
        yield Message(message.content or "", pointer, ours)
        return
    for number, part in enumerate(message.content):
        if ours and part.type == "refusal":
            continue
        if part.type != "text" or part.text is None:
            raise Malformed("The coach reads text alone: no images, sounds or files.", f"{pointer}/{number}")
        yield Message(part.text, f"{pointer}/{number}/text", ours)


def _tokens_in(body: ChatRequest) -> int:
    """All that was sent counts, what is passed over too: whoever sends it wants to know what it comes to."""
    parts = (message.content if isinstance(message.content, list) else [message.content or ""] for message in body.messages)
    return tokens.in_messages(*("\n".join(one if isinstance(one, str) else one.text or "" for one in part) for part in parts))


class Reply:
    """One answer on its way: what is said, and what is known about it."""

    def __init__(self, told: Chat, tokens_in: int) -> None:
        self.id, self.created = f"chatcmpl-{told.challenge.id}", int(time.time())
        self.folder, self._speech, self._tokens_in = Folder(), Speech(first=not told.challenge.exchanges), tokens_in
        self.content = ""

    def hears(self, event: Event) -> Iterator[str]:
        """The text that an event adds: whole paragraphs, one after another."""
        self.folder.add(event)
        for paragraph in self._speech.says(event):
            piece = f"\n\n{paragraph}" if self.content else paragraph
            self.content += piece
            yield piece

    def usage(self) -> Usage:
        """In tokens of o200k_base."""
        out = tokens.count(self.content)
        return Usage(self._tokens_in, out, self._tokens_in + out)

    def chunk(self, delta: Delta | None, **more: Any) -> bytes:
        """One message of the stream; without a delta, one that carries no choice."""
        choices = [] if delta is None else [ChunkChoice(delta, more.pop("finish_reason", None))]
        return _data(Chunk(self.id, self.created, choices, **more))


def _data(body: Any) -> bytes:
    return b"data: %s\n\n" % encode(body)


async def _whole(events: AsyncGenerator[Event, None], reply: Reply) -> ChatCompletion:
    async with aclosing(events):
        async for event in events:
            for _ in reply.hears(event):
                pass
    return ChatCompletion(reply.id, reply.created, [Choice(MessageOut(reply.content))], reply.usage(), reply.folder.answer())


async def streamed(
    events: AsyncGenerator[Event, None], reply: Reply, *, counted: bool = False, ping: float = PING_SECONDS
) -> AsyncGenerator[bytes, None]:
    """The answer as chunks: the role, each paragraph whole, why it ends, and the usage if it is asked for.

    A failure is an error where a chunk would be, which OpenAI's own clients raise, and ends the stream; silence is filled with comments.
    """
    usage = {"usage": None} if counted else {}
    yield reply.chunk(Delta(role="assistant", content=""), **usage)
    async with aclosing(softly(events, ping)) as timed:
        async for event in timed:
            if event is None:
                yield b": still here\n\n"
                continue
            for piece in reply.hears(event):
                yield reply.chunk(Delta(content=piece), **usage)
            match event:
                case Failed(code, detail):
                    yield _data(OpenAIErrorBody(OpenAIError(detail, "server_error", None, code)))
                    return
                case Closed():
                    yield reply.chunk(Delta(), finish_reason="stop", coach=reply.folder.answer(), **usage)
    if counted:
        yield reply.chunk(None, usage=reply.usage())
    yield b"data: [DONE]\n\n"


HANDLERS = (models, one_model, complete)
