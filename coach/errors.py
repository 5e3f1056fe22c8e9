"""Every error of Coach, on one page. Each has a stable `code` and carries its data; none carries what a person wrote.

CoachError
├── InputError                what came in cannot be worked with
│   ├── ChallengeTooThin      fewer words than a challenge needs
│   ├── ChallengeTooLong      more than the limit
│   ├── Malformed             a field or the body is not what the contract says
│   └── NotText               a file is not text in UTF-8
├── KnowledgeError            knowledge/ has faults, each with file, field and reason
│   └── SubmittedFaults       so has guidance of an organisation's own
├── PromptError               prompts/ has a missing, undeclared or unused variable
├── IndexFault                the index on disk cannot be used
│   ├── IndexMissing          there is none yet
│   ├── IndexMismatch         another embedder, or another version of the knowledge, made it
│   ├── IndexLocked           another process is writing it
│   └── CollectionBroken      what an organisation added cannot be read
├── StoreUnavailable          Chroma did not answer
├── JournalFault              what was to be kept, or was kept, cannot be had just now
│   ├── JournalUnavailable    the database does not answer, or its disk is full
│   ├── JournalBusy           another has it locked
│   ├── JournalConflict       two wrote to one reflection at once
│   └── StoreKeyWrong         texts are encrypted with another key than the one that was set
├── UnknownModel              a chat program asked for a model that is not the coach
├── KeepsNothing              the operator has nothing kept here, and this cannot do without
├── NotKept                   there is nothing of that name, or not for who asks
├── AlreadyAnswered           the same words again to a question that was answered with them
├── ConversationFull          a conversation has its most exchanges
├── DeadlinePassed            what a member hands in comes too late
├── SheetFault                no sheet can be made of this group, and why
│   ├── GroupMisfit           too few or too many for the protocol, or for any
│   ├── SlotMisfit            the minutes are too few or too many
│   ├── SameAlias             two members go by one name
│   ├── ReportingLine         one member leads another
│   └── UnknownProtocol       there is none of that name
├── Unauthorized              nobody in particular asked for what somebody has to ask for
├── Forbidden                 the key is not for that, or not for that page
├── RateLimited               more requests than are allowed in a minute
├── RequestMismatch           another request has the Idempotency-Key already
├── RequestInFlight           the request of that Idempotency-Key is being answered
├── BudgetSpent               the model's tokens for today are used up, and the caller wanted nothing else
├── EmbedderUnavailable       no vector could be made
│   └── WeightsTampered       a model file is not the one that was pinned
├── ModelUnavailable          the language model did not do, and the caller wanted nothing else
│   └── ModelTimeout          it did not do in time
├── Busy                      more is going on than can be answered in good time
│   └── ShuttingDown          the service is being stopped
├── AddressRefused            a webhook's address cannot be one, or leads into a network of its own
├── ForeignOrigin             a page of an origin that the operator did not name called
├── ExtraMissing              something was asked for that needs packages which are not installed
├── CannotListen              the port is taken, or the address is none of this machine's
└── SettingsError             an environment variable has a value that means nothing
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


class CoachError(Exception):
    """Base of all; `code` is part of the contract and never changes its meaning."""

    code = "internal"


class InputError(CoachError):
    """What came in cannot be worked with."""

    code = "invalid-input"


@dataclass(eq=False)
class ChallengeTooThin(InputError):
    """Fewer words than a reflection needs."""

    words: int
    at_least: int
    code = "challenge-too-thin"

    def __str__(self) -> str:
        return (
            f"The challenge has {self.words} words; a reflection starts at {self.at_least}. "
            "It would help to say what happened, who was there, and what stays with you."
        )


@dataclass(eq=False)
class ChallengeTooLong(InputError):
    """More than the limit; `unit` is characters or bytes."""

    limit: int
    length: int
    unit: str = "characters"
    code = "challenge-too-long"

    def __str__(self) -> str:
        return f"The limit is {self.limit:,} {self.unit}; this has {self.length:,}. The part that stays with you is enough."


@dataclass(eq=False)
class Malformed(InputError):
    """A field, or the body as a whole, is not what the contract says. `pointer` is an RFC 6901 JSON pointer."""

    detail: str
    pointer: str = ""
    code = "malformed"

    def __str__(self) -> str:
        return self.detail


@dataclass(eq=False)
class NotText(InputError):
    """A file that is to be read is not text in UTF-8. `source` is what it is called; what stands in it is not said."""

    source: str
    code = "not-text"

    def __str__(self) -> str:
        return (
            f"{self.source} is not text in UTF-8. Saved as UTF-8 it can be read: most editors offer that as an encoding, "
            "and `iconv -f WINDOWS-1252 -t UTF-8` does it on the command line."
        )


@dataclass(frozen=True)
class Fault:
    """One thing wrong in knowledge/: where, which field, and why. `file` is empty for what came in a request and is in none."""

    file: str
    field: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.file, self.field, self.reason)))


@dataclass(eq=False)
class KnowledgeError(CoachError):
    """knowledge/ cannot be used as it is."""

    faults: tuple[Fault, ...]
    code = "knowledge-faults"

    def __str__(self) -> str:
        shown = "\n".join(str(fault) for fault in self.faults[:20])
        more = len(self.faults) - 20
        return shown + (f"\nand {more} more: `coach knowledge check` lists them all" if more > 0 else "")


class SubmittedFaults(KnowledgeError):
    """Guidance of an organisation's own is not as it has to be. It is told whole to who sent it."""

    @property
    def pointer(self) -> str | None:
        """The field of the first fault, where it came in a request."""
        first = self.faults[0]
        return None if first.file else "/" + first.field.replace("[", "/").replace("]", "").replace(".", "/")

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


@dataclass(eq=False)
class PromptError(CoachError):
    """A prompt and its declaration disagree."""

    name: str
    reason: str
    code = "prompt-fault"

    def __str__(self) -> str:
        return f"prompts/{self.name}.md: {self.reason}"


class IndexFault(CoachError):
    """The index on disk cannot be used; the message says how to make one."""

    code = "index-fault"
    retry_after = 5  # seconds


@dataclass(eq=False)
class IndexMissing(IndexFault):
    """There is no index in the data folder."""

    folder: Path
    code = "index-missing"

    def __str__(self) -> str:
        return "There is no index in the data folder yet. `coach index` builds one."


@dataclass(eq=False)
class IndexMismatch(IndexFault):
    """The index was made by another embedder."""

    found: str
    wanted: str
    code = "index-mismatch"

    def __str__(self) -> str:
        return f"The index was made by {self.found}, and the embedder is {self.wanted}. `coach index` rebuilds it."


@dataclass(eq=False)
class IndexLocked(IndexFault):
    """Another process is writing the index."""

    code = "index-locked"

    def __str__(self) -> str:
        return "Another process is writing the index. It holds the lock until it ends; then `coach index` can run again."


@dataclass(eq=False)
class CollectionBroken(IndexFault):
    """A collection of an organisation's own cannot be read; `cause` is the name of what was raised, never its text."""

    name: str
    cause: str
    code = "collection-broken"

    def __str__(self) -> str:
        return f"What {self.name} added cannot be read ({self.cause}). `coach index --drop {self.name}` erases it; then it can be added again."


@dataclass(eq=False)
class StoreUnavailable(CoachError):
    """Chroma did not answer; `cause` is the name of what it raised, never its text."""

    cause: str
    code = "store-unavailable"
    retry_after = 5  # seconds

    def __str__(self) -> str:
        return f"The passage store did not answer ({self.cause})."


class JournalFault(CoachError):
    """What was to be kept, or was kept, cannot be had just now. `retry_after` is in seconds."""

    code = "journal-unavailable"
    retry_after = 5


@dataclass(eq=False)
class JournalUnavailable(JournalFault):
    """The database does not answer, or cannot write; `cause` is the name of what it raised, never its text."""

    cause: str

    def __str__(self) -> str:
        return f"What is kept cannot be reached just now ({self.cause}). Nothing that was kept is lost by that."


class JournalBusy(JournalFault):
    """Another has the database locked, for longer than is worth waiting."""

    code = "journal-busy"
    retry_after = 1

    def __str__(self) -> str:
        return "Another is writing to the database. Nothing was changed; trying again in a moment helps."


class JournalConflict(JournalFault):
    """Two wrote to one reflection at once, and the other was first."""

    code = "conflict"

    def __str__(self) -> str:
        return "Something else was written to this reflection at the same moment. Read it again, then send yours again if it still fits."


@dataclass(eq=False)
class StoreKeyWrong(JournalFault):
    """A text is encrypted with a key that was not given. Both are named by the first four bytes of their hash."""

    wanted: str
    given: tuple[str, ...]
    code = "store-key-wrong"

    def __str__(self) -> str:
        have = f"COACH_STORE_KEY holds {' and '.join(self.given)}" if self.given else "COACH_STORE_KEY is not set"
        return (
            f"What is kept was encrypted with the key {self.wanted}, and {have}. Put that key back, after the newest and a comma if it is an old one."
        )


class UnknownModel(CoachError):
    """A chat program asked for another model than the one there is."""

    code = "unknown-model"

    def __str__(self) -> str:
        return "There is no such model here; /openai/v1/models lists the one there is."


class KeepsNothing(CoachError):
    """The operator has turned keeping off, and this cannot do without."""

    code = "keeps-nothing"

    def __str__(self) -> str:
        return "Nothing is kept here, since whoever runs this service has set COACH_STORE=off. A sheet can be made all the same: POST /v1/sheets."


class NotKept(CoachError):
    """There is no such reflection: never was, expired, erased, or somebody else's. Which of these is not said."""

    code = "not-kept"

    def __str__(self) -> str:
        return "There is nothing of this name for you: it was never kept, has expired, was erased, or another key, token or link opens it."


@dataclass(eq=False)
class AlreadyAnswered(CoachError):
    """The same words came again for the same question, and what was asked next is kept: most likely an answer got lost on the way."""

    question: str
    code = "already-answered"

    def __str__(self) -> str:
        return f"{self.question} was answered with these words, and the next question was asked. Reading the reflection shows it."


@dataclass(eq=False)
class ConversationFull(CoachError):
    """A conversation has its most exchanges."""

    most: int
    code = "conversation-full"

    def __str__(self) -> str:
        return f"This conversation has {self.most} exchanges, which is its most. A new reflection can begin where it ended."


@dataclass(eq=False)
class DeadlinePassed(CoachError):
    """What a member hands in comes after the deadline that the host set."""

    deadline: datetime
    code = "deadline-passed"

    def __str__(self) -> str:
        return f"Handing in ended on {self.deadline.strftime('%d %B %Y at %H:%M')} UTC. It can still be told in the meeting."


class SheetFault(CoachError):
    """No sheet can be made of this. `pointer` is the field that would have to change."""

    code = "sheet-fault"
    pointer = ""


@dataclass(eq=False)
class GroupMisfit(SheetFault):
    """Too few or too many members. `fits` says which number would do."""

    members: int
    fits: str
    code = "group-size"
    pointer = "/members"

    def __str__(self) -> str:
        return f"There {'is 1 member' if self.members == 1 else f'are {self.members} members'}; {self.fits}."


@dataclass(eq=False)
class SlotMisfit(SheetFault):
    """The minutes do not hold the session, or it cannot fill them."""

    protocol: str
    minutes: int
    rounds: int
    least: int
    most: int
    code = "slot-size"
    pointer = "/minutes"

    def __str__(self) -> str:
        rounds = "one round" if self.rounds == 1 else f"{self.rounds} rounds"
        return f"{self.protocol} with {rounds} takes {self.least} to {self.most} minutes; the slot has {self.minutes}."


@dataclass(eq=False)
class SameAlias(SheetFault):
    """Two members go by one name. `place` is the later one's."""

    place: int
    code = "same-alias"

    @property
    def pointer(self) -> str:  # type: ignore[override]
        """The later one."""
        return f"/members/{self.place}/alias"

    def __str__(self) -> str:
        return "Two members go by the same name; on the sheet nobody could tell them apart."


@dataclass(eq=False)
class ReportingLine(SheetFault):
    """One member leads another. `place` is the one who reports."""

    place: int
    code = "reporting-line"

    @property
    def pointer(self) -> str:  # type: ignore[override]
        """Who reports."""
        return f"/members/{self.place}/reports_to"

    def __str__(self) -> str:
        return (
            "One member reports to another. A group like this is for people of equal rank: before one's own boss a case is told otherwise. "
            'With "override_reporting_line": true the sheet is made all the same, and says so.'
        )


@dataclass(eq=False)
class UnknownProtocol(SheetFault):
    """There is no protocol of that name."""

    known: tuple[str, ...]
    code = "unknown-protocol"
    pointer = "/protocol"

    def __str__(self) -> str:
        return f"There is no protocol of that name; there are auto, {', '.join(self.known)}."


@dataclass(eq=False)
class Unauthorized(CoachError):
    """Who asks has to be somebody. The same for a key that is unknown, expired or revoked; `sent` says that something was sent, and opens nothing."""

    sent: bool = False
    code = "unauthorized"

    def __str__(self) -> str:
        if self.sent:
            return (
                "What was sent as `Authorization: Bearer` opens nothing here. This is for the holder of a key, and it is none that counts; "
                "a token opens its own reflection or session alone. `coach keys create` makes a key."
            )
        return "This is for the holder of a key: send it as `Authorization: Bearer`. `coach keys create` makes one."


@dataclass(eq=False)
class Forbidden(CoachError):
    """The key is known and not for that. `wanted` is the scope, or empty where the page's origin is what does not fit.

    `owner` says that it is a publishable one, and that only who can own something is answered.
    """

    wanted: str = ""
    owner: bool = False
    code = "forbidden"

    def __str__(self) -> str:
        if self.owner:
            return (
                "This key is publishable: it is for pages, to reflect and to check sentences, and it owns nothing. What is kept by name is for the "
                "holder of a key of their own; `coach keys create` makes one. A kept reflection opens with its own `continue_token`."
            )
        if self.wanted:
            return f"This key is not for that: it wants the scope `{self.wanted}`. `coach keys list` says what a key is for."
        return "This key belongs to pages of other origins. `coach keys list` says of which; `coach keys create --origin` makes one for this page."


@dataclass(eq=False)
class RateLimited(CoachError):
    """More requests than are allowed. `retry_after` is in seconds; `headers` say where the caller stands."""

    retry_after: int
    headers: tuple[tuple[str, str], ...] = ()
    code = "rate-limited"

    def __str__(self) -> str:
        return f"Those were more requests than are allowed in a minute. There is room again in {self.retry_after} s."


class RequestMismatch(CoachError):
    """Another request has the name already."""

    code = "idempotency-mismatch"

    def __str__(self) -> str:
        return "Another request was sent with this Idempotency-Key. A request that differs wants a key of its own."


class RequestInFlight(CoachError):
    """The request of that name is being answered. `retry_after` is in seconds."""

    code = "idempotency-in-flight"
    retry_after = 1

    def __str__(self) -> str:
        return "The request with this Idempotency-Key is being answered. Sent again in a moment, it gets the same answer."


class BudgetSpent(CoachError):
    """The model's tokens for today are used up, and the request wanted no other answer."""

    code = "budget-spent"

    def __str__(self) -> str:
        return "This key's tokens for today are used up. With `fallback: bank` the library answers meanwhile."


@dataclass(eq=False)
class EmbedderUnavailable(CoachError):
    """No vector could be made."""

    name: str
    cause: str
    code = "embedder-unavailable"
    retry_after = 5  # seconds

    def __str__(self) -> str:
        return f"The embedder {self.name} is not available: {self.cause}."


@dataclass(eq=False)
class WeightsTampered(EmbedderUnavailable):
    """A model file's sha256 is not the pinned one."""

    code = "weights-tampered"


@dataclass(eq=False)
class ModelUnavailable(CoachError):
    """The language model did not do, and the caller wanted no questions from the library instead. `trouble` is a word of coach.llm.failure."""

    trouble: str
    retry_after: float | None = None
    code = "model-unavailable"

    def __str__(self) -> str:
        return f'The language model did not answer as it should ({self.trouble}). With "fallback": "bank" the library answers instead.'


@dataclass(eq=False)
class ModelTimeout(ModelUnavailable):
    """The language model did not answer in time."""

    code = "model-timeout"


@dataclass(eq=False)
class Busy(CoachError):
    """More is going on than can be answered in good time. `retry_after` is in seconds."""

    retry_after: int = 1
    code = "busy"

    def __str__(self) -> str:
        return "There is more to answer just now than can be answered in good time. Trying again in a moment helps."


class ForeignOrigin(CoachError):
    """A page of an origin that the operator did not name called."""

    code = "foreign-origin"

    def __str__(self) -> str:
        return "Pages of this origin may not call here. COACH_ORIGINS lists those that may."


@dataclass(eq=False)
class AddressRefused(CoachError):
    """A webhook's address is none that may be asked. The address itself is not in it: its path may be a secret."""

    reason: str
    code = "address-refused"

    def __str__(self) -> str:
        return f"The address {self.reason}."


@dataclass(eq=False)
class ExtraMissing(CoachError):
    """Something was asked for that needs packages which are not installed."""

    extra: str
    code = "extra-missing"

    def __str__(self) -> str:
        return f"This needs packages that are not installed: pip install 'reflection-coach[{self.extra}]'."


@dataclass(eq=False)
class CannotListen(CoachError):
    """Nothing can be served where the settings say. `reason` says why, and what would do."""

    reason: str
    code = "cannot-listen"

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class ShuttingDown(Busy):
    """The service is being stopped; another, or the same one started again, will answer. `retry_after` is in seconds."""

    code = "shutting-down"

    def __str__(self) -> str:
        return "This service is being stopped. Trying again in a moment helps."


@dataclass(eq=False)
class SettingsError(CoachError):
    """An environment variable has a value that means nothing to us."""

    variable: str
    reason: str
    code = "settings"

    def __str__(self) -> str:
        return f"{self.variable}: {self.reason}"
