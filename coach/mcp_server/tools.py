"""The tools: each is a use-case, answered with the JSON of the HTTP door and with a text for people."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
from fastmcp.tools import Tool, ToolResult
from mcp_types import ToolAnnotations
from pydantic import Field

from coach import guard
from coach.bootstrap import Coach
from coach.errors import CoachError, Forbidden
from coach.keys import Scope
from coach.mcp_server import said
from coach.mcp_server.contract import CheckQuestions, FindGuidance, GuidanceAnswer, PrepareSession, Reflect, Reply, schema
from coach.memory import Caller
from coach.model import Flag, Privacy
from coach.paper.markdown import markdown
from coach.prepare import prepare
from coach.privacy import Hider
from coach.reflect import ENGLISH, reflect
from coach.shapes import escaped
from coach.web.answering import folded
from coach.web.callers import usable
from coach.web.door import Door
from coach.web.limits import asking
from coach.web.problems import CATALOGUE
from coach.web.requests import malformed, refuse_unsendable
from coach.web.schema import guidance_out, privacy_out, signpost_out
from coach.web.sheets import sheet_out
from coach.web.verdicts import verdict_out
from coach.wire.checks import CheckAnswer
from coach.wire.reflections import NoticeOut, ReflectionAnswer
from coach.wire.sheets import SheetOut

BROKEN = "Something here failed. It was a fault of ours, and nothing was kept; trying again may help. (internal)"

log = logging.getLogger("coach.mcp")


class Desk:
    """What the tools do: each method is one, and returns the answer with a text for people."""

    def __init__(self, coach: Coach, door: Door) -> None:
        """`door` is shared with the other doors of the process, so that all are counted together."""
        self.coach = coach
        self._door = door

    async def reflect(self, told: Reflect | Reply) -> tuple[ReflectionAnswer, str]:
        """A first reflection, or the next step of a conversation. Errors: those of `coach.reflect`, and Busy."""
        self._door.check()
        challenge = replace(told.request().to_challenge(), knowledge=usable(None, Caller(key=asking()), self.coach))
        answer = await folded(self._door.through(reflect(challenge, self.coach.needs)))
        return answer, said.reflection(answer)

    async def prepare_session(self, told: PrepareSession) -> tuple[SheetOut, str]:
        """A group's sheet. Errors: those of `coach.prepare`, and Busy."""
        self._door.check()
        sheet = await prepare(told.request().to_group(), self.coach.groups)
        return sheet_out(sheet, [(len(one.challenge), len(one.report_back)) for one in told.members]), markdown(sheet)

    async def check_questions(self, told: CheckQuestions) -> tuple[CheckAnswer, str]:
        """Verdicts of the guard."""
        context = guard.Context(told.challenge) if told.challenge else None
        found = await asyncio.to_thread(guard.check_all, told.texts, context=context)
        answer = CheckAnswer("checks", guard.VERSION, [verdict_out(verdict) for verdict in found])
        return answer, said.verdicts(answer)

    async def find_guidance(self, told: FindGuidance) -> tuple[GuidanceAnswer, str]:
        """Passages; or where help is, since a cry for help may come as a query too. Raises Busy."""
        self._door.check()
        needs = self.coach.needs
        language = needs.languages.detect(told.query) or ENGLISH
        judgement = await asyncio.to_thread(needs.safety.judge, told.query, language)
        if judgement.flag is Flag.CRISIS:
            help_is = signpost_out(needs.safety.signpost(judgement, language, needs.country))
            return GuidanceAnswer("guidance", help_is, [], [], privacy_out(Privacy())), said.signpost(help_is)
        found = await needs.library.find(told.query, told.limit, Hider(language))
        privacy = Privacy(left_process=True, to=found.sent.to, masked=found.sent.masked) if found.sent else Privacy()
        passages = [guidance_out(one) for one in found.passages]
        notices = [NoticeOut(one.code, one.message) for one in found.notices]
        return GuidanceAnswer("guidance", None, passages, notices, privacy_out(privacy)), said.passages(passages, notices)


class CoachTool(Tool):
    """A tool whose contract is a struct, held as strictly as a body over HTTP, and whose errors carry no word of a person's."""

    scope: Scope = Field(exclude=True)
    takes: Any = Field(exclude=True)
    does: Callable[[Any], Awaitable[tuple[msgspec.Struct, str]]] = Field(exclude=True)

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """The answer, or an error in words."""
        try:
            _see_that_the_key_is_for(self.scope)
            answer, text = await self.does(_read(self.takes, arguments))
        except CoachError as error:
            return ToolResult(_in_words(error), is_error=True)
        except Exception as error:  # noqa: BLE001 (the outer edge of this door: whatever broke, the assistant is told)
            log.error("tool: unexpected %s", type(error).__name__)  # noqa: TRY400 (a traceback could carry a person's words)
            return ToolResult(BROKEN, is_error=True)
        return ToolResult(text, structured_content=msgspec.to_builtins(answer))


def _see_that_the_key_is_for(scope: Scope) -> None:
    """The gate lets in who may reflect; some tools want more. Raises Forbidden."""
    if (key := asking()) and not key.allows(scope):
        raise Forbidden(scope.value)


def _read(kind: type[msgspec.Struct], arguments: dict[str, Any]) -> msgspec.Struct:
    """The arguments as a struct; null is what assistants write for left out. Raises Malformed."""
    refuse_unsendable(_texts(arguments))
    try:
        return msgspec.convert({name: value for name, value in arguments.items() if value is not None}, kind, strict=True)
    except msgspec.ValidationError as error:
        raise malformed(error, kind) from None


def _texts(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every text in the arguments, with its pointer."""
    match value:
        case str():
            yield pointer, value
        case dict():
            for name, inner in value.items():
                yield from _texts(inner, f"{pointer}/{escaped(name)}")
        case list():
            for place, inner in enumerate(value):
                yield from _texts(inner, f"{pointer}/{place}")


def _in_words(error: CoachError) -> str:
    """What the error says, with its code, and the field if it is one's fault."""
    if error.code not in CATALOGUE:
        log.error("unexpected %s", type(error).__name__)
        return BROKEN
    pointer = getattr(error, "pointer", "")
    return f"{error} ({error.code}{f' at {pointer}' if pointer else ''})"


def tools(desk: Desk) -> list[CoachTool]:
    """All of them. `openWorldHint` is true where words may leave the process for an endpoint that the operator chose."""
    embeds = not desk.coach.library.stays
    asks = embeds or desk.coach.llm is not None
    return [
        _tool(
            "reflect",
            "Reflect on a challenge",
            "Questions for a manager about a challenge of theirs: one sentence that shows they were heard, and a few open questions in their own "
            "words, each with a passage of guidance beside it. Never advice. Where coaching is not what is needed it answers with a signpost.",
            (Scope.REFLECT, Reflect, ReflectionAnswer, desk.reflect, asks),
        ),
        _tool(
            "reply",
            "Go on from an answer",
            "The next step of a conversation that `reflect` began: one sentence that shows the last reply was heard, and one question. Nothing is "
            "remembered between calls, so send the challenge and all exchanges each time. Who asks for ideas is shown what others have written.",
            (Scope.REFLECT, Reply, ReflectionAnswer, desk.reflect, asks),
        ),
        _tool(
            "prepare_session",
            "Prepare a group's session",
            "A sheet for managers of equal rank who help one of them think, without a facilitator: who does what, minute by minute, and which "
            "questions when. What a member wrote shows on that member's own page alone: give each page to that member and to nobody else.",
            (Scope.SESSIONS, PrepareSession, SheetOut, desk.prepare_session, asks),
        ),
        _tool(
            "check_questions",
            "Check questions",
            "Is each sentence an open question that leaves the answer with the person asked? Says the most serious reason against it, and why.",
            (Scope.CHECKS, CheckQuestions, CheckAnswer, desk.check_questions, False),
        ),
        _tool(
            "find_guidance",
            "Find guidance",
            "Passages on peer learning from the curated library, with excerpt and source. Views of others to read, not advice to pass on as yours.",
            (Scope.REFLECT, FindGuidance, GuidanceAnswer, desk.find_guidance, embeds),
        ),
    ]


def _tool(name: str, title: str, says: str, does: tuple[Scope, type[msgspec.Struct], type[msgspec.Struct], Callable[..., Any], bool]) -> CoachTool:
    scope, takes, gives, doing, leaves = does
    hints = ToolAnnotations(title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=leaves)
    parameters, output = schema(takes), schema(gives)
    return CoachTool(
        name=name, title=title, description=says, annotations=hints, parameters=parameters, output_schema=output, scope=scope, takes=takes, does=doing
    )
