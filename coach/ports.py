"""What the use-cases need from outside, as Protocols. Whoever fits may take the place."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import Protocol

from coach.model import AcknowledgementDraft, Challenge, Draft, Finding, Notice, Sent, Spent
from coach.privacy import Hider

Written = AcknowledgementDraft | Draft | Notice | Spent | Sent


class Library(Protocol):
    """Peer-learning guidance."""

    @property
    def version(self) -> str:
        """A short hash of all the knowledge: the same hash, the same library."""

    @property
    def stays(self) -> bool:
        """Whether a text is read without leaving this process."""

    async def find(self, text: str, limit: int, hide: Hider = Hider()) -> Finding:  # noqa: B008 (frozen)
        """The passages nearest in meaning to `text`, best first, at most one of a document. Never raises for a store.

        `hide` masks the text if it has to leave the process for this.
        """


class Writer(Protocol):
    """Drafts an answer. Nothing it writes is trusted: the guard decides."""

    @property
    def engine(self) -> str:
        """`bank` or `llm`."""

    @property
    def model(self) -> str | None:
        """Which model drafts, if one does."""

    @property
    def prompt(self) -> str | None:
        """Which prompts it uses, if it does."""

    def draft(self, challenge: Challenge, finding: Awaitable[Finding], language: str, asked: Sequence[Draft] = ()) -> AsyncGenerator[Written, None]:
        """First an acknowledgement, then drafts in the order in which they are to be asked, going on from what was `asked` already.

        `finding` may not be there yet: what can be done without it is done before it is awaited.
        Errors: ModelUnavailable, and only where the challenge wants no fallback.
        """


class LanguageDetector(Protocol):
    """Which language a text is in."""

    def detect(self, text: str) -> str | None:
        """An ISO 639-1 code, or None where no language can be made out."""
