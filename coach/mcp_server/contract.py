"""What the tools take, beside what travels over HTTP: the same bounds, in words for an assistant."""

from typing import Annotated, Any

import msgspec

from coach.model import Move, Skill
from coach.prepare import MOST_MEMBERS
from coach.reflect import MOST_CHARACTERS
from coach.wire.reflections import Count, ExchangeIn, GuidanceOut, Label, NoticeOut, PrivacyOut, ReflectionRequest, SignpostOut, Tag
from coach.wire.sheets import MemberIn, SheetRequest

Writeup = Annotated[
    str,
    msgspec.Meta(
        description="What the manager wrote, whole and word for word: 5 words to 12,000 characters. Not a summary, and nothing written for them.",
        extra_json_schema={"maxLength": MOST_CHARACTERS},  # held by the use-case, whose message is the better one
    ),
]


class Reflect(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A manager's challenge."""

    challenge: Writeup
    count: Count = 3
    language: Tag | None = None
    focus: Annotated[list[Skill], msgspec.Meta(max_length=7, description="Skills to lean towards. Leave out unless the manager named some.")] = []
    functions: Annotated[list[Label], msgspec.Meta(max_length=20, description="The functions, teams or sites involved, such as sales.")] = []

    def request(self) -> ReflectionRequest:
        """The same over HTTP."""
        return ReflectionRequest(challenge=self.challenge, count=self.count, language=self.language, focus=self.focus, functions=self.functions)


class Reply(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A conversation so far."""

    challenge: Writeup
    exchanges: Annotated[
        list[ExchangeIn],
        msgspec.Meta(
            min_length=1,
            max_length=24,
            description="Every question so far, as it was asked, with what the manager replied, word for word; oldest first. "
            "Without `reply` where a question was put aside.",
        ),
    ]
    move: Annotated[
        Move,
        msgspec.Meta(
            description="What the manager wants next: go on from the reply (`reply`), put the last question aside (`skip`), another in its place "
            "(`another`), stay with what was said (`deeper`), or come to an end (`wrap_up`)."
        ),
    ] = Move.REPLY

    def request(self) -> ReflectionRequest:
        """The same over HTTP."""
        return ReflectionRequest(challenge=self.challenge, exchanges=self.exchanges, move=self.move)


class PrepareSession(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A group and a slot."""

    members: Annotated[list[MemberIn], msgspec.Meta(min_length=1, max_length=MOST_MEMBERS, description="Who comes, 1 to 9, of equal rank.")]
    minutes: Annotated[int, msgspec.Meta(ge=1, le=600, description="The slot, in whole minutes; the sheet fills it exactly.")]
    protocol: Annotated[
        str,
        msgspec.Meta(
            max_length=40, description="`auto` chooses by people and minutes; or the id of a protocol. A wrong one is answered with all ids."
        ),
    ] = "auto"
    override_reporting_line: Annotated[bool, msgspec.Meta(description="Make the sheet although one member leads another.")] = False

    def request(self) -> SheetRequest:
        """The same over HTTP."""
        return SheetRequest(members=self.members, minutes=self.minutes, protocol=self.protocol, override_reporting_line=self.override_reporting_line)


class CheckQuestions(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Sentences to judge."""

    texts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=200, description="Sentences, each judged by itself.")]
    challenge: (
        Annotated[str, msgspec.Meta(max_length=12_000, description="What they are about: names and claims that are not in it are refused.")] | None
    ) = None


class FindGuidance(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What to look for."""

    query: Annotated[str, msgspec.Meta(min_length=1, max_length=4000, description="What it should be about, in a sentence or two.")]
    limit: Annotated[int, msgspec.Meta(ge=1, le=10, description="The most passages, 1 to 10.")] = 3


class GuidanceAnswer(msgspec.Struct, frozen=True):
    """Passages of the library, the nearest first. With `signpost` there are none: it says where help is."""

    object: str
    signpost: SignpostOut | None
    passages: list[GuidanceOut]
    notices: list[NoticeOut]
    privacy: PrivacyOut


def schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of a struct, with the object itself at its root, where the protocol wants it."""
    _, parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    root = parts.pop(kind.__name__)
    return {**root, **({"$defs": parts} if parts else {})}
