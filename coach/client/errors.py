"""Every error of the clients, on one page. None carries what a person wrote: the words are ours, or the `detail` of the service's problem document.

ClientError
├── Unsendable                it was not sent, since it cannot be: the address is none, a key or a text holds what cannot travel
├── NoAnswer                  nobody answered, or the line dropped
│   ├── TooSlow               nothing came for longer than the timeout
│   └── Interrupted           a stream or an export ended before its last word; what came before it stands
├── NotUnderstood             an answer came that is not what this version of the client knows
└── Refused                   a problem document (RFC 9457): status, code, detail, request_id, retry_after, pointer
    ├── BadRequest            what was sent cannot be worked with
    │   ├── Malformed         a field or the body is not what the contract says; `pointer` names it
    │   ├── ChallengeTooThin  fewer words than a challenge needs
    │   ├── ChallengeTooLong  more than the limit: `problem.limit`, `problem.unit`
    │   ├── SheetMisfit       no sheet can be made of this group; `pointer` names what would have to change
    │   └── KnowledgeFaults   a document is not as guidance has to be; `detail` names each fault
    ├── Unauthorized          the key is missing, or not known
    ├── Forbidden             the key does not go that far, or not from this page; `detail` says which
    ├── NotFound              there is nothing of that name, or another key, token or link opens it
    ├── Conflict              it does not fit what is there
    │   ├── AlreadyAnswered   the question was answered with these words
    │   ├── ConversationFull  a conversation has its most exchanges
    │   ├── DeadlinePassed    what a member hands in comes too late
    │   └── InFlight          the same request is still being answered
    ├── Throttled             too many requests; `retry_after` says how long to wait
    │   └── BudgetSpent       the model's tokens for today are used up, and nothing but the model was wanted
    ├── Unavailable           the service cannot do it just now
    ├── ModelUnavailable      the language model did not do, and nothing else was wanted: `problem.trouble`
    │   └── ModelTimeout      it did not do in time
    └── ServerFault           something failed in the service; `request_id` finds it in its log
"""

from collections.abc import Mapping

from coach.wire.service import Problem


class ClientError(Exception):
    """Base of all."""


class Unsendable(ClientError):
    """Nothing was sent, since it cannot be: an address, a key or a text that cannot travel. Raised when the client is made or the call begins."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoAnswer(ClientError):
    """Nobody answered, or the line dropped; `cause` is the name of what the transport raised."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"No answer came ({self.cause})."


class TooSlow(NoAnswer):
    """Nothing came for longer than the timeout."""


class Interrupted(NoAnswer):
    """A stream or an export ended before its last word. What came before it stands."""


class NotUnderstood(ClientError):
    """An answer came that is not what this version of the client knows."""

    def __str__(self) -> str:
        return "The answer is not what this version of the client knows."


class Refused(ClientError):
    """The service said why not. `retry_after` is in seconds; None where nothing was said."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem, retry_after)
        self.problem = problem
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """The status of the response."""
        return self.problem.status

    @property
    def code(self) -> str:
        """The stable word for what happened; `GET /problems` explains each."""
        return self.problem.code

    @property
    def detail(self) -> str:
        """What the service said."""
        return self.problem.detail

    @property
    def request_id(self) -> str:
        """Under which the service logged it."""
        return self.problem.request_id

    @property
    def pointer(self) -> str | None:
        """The field of the request that it is about, as an RFC 6901 pointer."""
        return self.problem.pointer

    def __str__(self) -> str:
        return self.problem.detail


class BadRequest(Refused):
    """What was sent cannot be worked with."""


class Malformed(BadRequest):
    """A field, or the body as a whole, is not what the contract says."""


class ChallengeTooThin(BadRequest):
    """Fewer words than a challenge needs."""


class ChallengeTooLong(BadRequest):
    """More than the limit."""


class SheetMisfit(BadRequest):
    """No sheet can be made of this group."""


class KnowledgeFaults(BadRequest):
    """A document is not as guidance has to be."""


class Unauthorized(Refused):
    """The key is missing, or not known."""


class Forbidden(Refused):
    """The key does not go that far, or not from this page."""


class NotFound(Refused):
    """There is nothing of that name, or another key, token or link opens it."""


class Conflict(Refused):
    """It does not fit what is there."""


class AlreadyAnswered(Conflict):
    """The question was answered with these words, and the next one was asked."""


class ConversationFull(Conflict):
    """A conversation has its most exchanges."""


class DeadlinePassed(Conflict):
    """What a member hands in comes too late."""


class InFlight(Conflict):
    """The same request is still being answered."""


class Throttled(Refused):
    """Too many requests."""


class BudgetSpent(Throttled):
    """The model's tokens for today are used up, and the request wanted nothing else."""


class Unavailable(Refused):
    """The service cannot do it just now."""


class ModelUnavailable(Refused):
    """The language model did not do, and the request wanted nothing else."""


class ModelTimeout(ModelUnavailable):
    """The language model did not do in time."""


class ServerFault(Refused):
    """Something failed in the service, or in what stands before it."""


_BY_CODE: Mapping[str, type[Refused]] = {
    "malformed": Malformed,
    "unsupported-media-type": BadRequest,
    "method-not-allowed": BadRequest,
    "misdirected": BadRequest,
    "challenge-too-thin": ChallengeTooThin,
    "challenge-too-long": ChallengeTooLong,
    "group-size": SheetMisfit,
    "slot-size": SheetMisfit,
    "same-alias": SheetMisfit,
    "reporting-line": SheetMisfit,
    "unknown-protocol": SheetMisfit,
    "knowledge-faults": KnowledgeFaults,
    "idempotency-mismatch": BadRequest,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "foreign-origin": Forbidden,
    "rate-limited": Throttled,
    "budget-spent": BudgetSpent,
    "not-found": NotFound,
    "not-kept": NotFound,
    "unknown-model": NotFound,
    "conflict": Conflict,
    "already-answered": AlreadyAnswered,
    "conversation-full": ConversationFull,
    "deadline-passed": DeadlinePassed,
    "idempotency-in-flight": InFlight,
    "busy": Unavailable,
    "shutting-down": Unavailable,
    "journal-unavailable": Unavailable,
    "journal-busy": Unavailable,
    "store-key-wrong": Unavailable,
    "index-locked": Unavailable,
    "collection-broken": Unavailable,
    "store-unavailable": Unavailable,
    "embedder-unavailable": Unavailable,
    "model-unavailable": ModelUnavailable,
    "model-timeout": ModelTimeout,
    "internal": ServerFault,
}
_BY_STATUS: Mapping[int, type[Refused]] = {  # for codes that this version does not know, and for what stands before the service
    **dict.fromkeys((400, 405, 406, 413, 415, 421, 422), BadRequest),
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: Throttled,
    503: Unavailable,
    **dict.fromkeys((500, 502, 504), ServerFault),
}


def refusal(problem: Problem, retry_after: float | None) -> Refused:
    """The error for a problem document: by its code, else by its status."""
    kind = _BY_CODE.get(problem.code) or _BY_STATUS.get(problem.status, Refused)
    return kind(problem, retry_after)
