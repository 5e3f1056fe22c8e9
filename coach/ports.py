"""What the use-cases need from outside, as Protocols. Whoever fits may take the place."""

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from coach.kept import Brief, Entry, Kept
from coach.keys import Key
from coach.model import AcknowledgementDraft, Challenge, Draft, Finding, Notice, Sent, Spent
from coach.privacy import Hider
from coach.sessions import Seat, Session
from coach.webhooks import Outcome, SheetReady, Taken

Written = AcknowledgementDraft | Draft | Notice | Spent | Sent


class Library(Protocol):
    """Peer-learning guidance."""

    @property
    def version(self) -> str:
        """A short hash of all the knowledge: the same hash, the same library."""

    @property
    def stays(self) -> bool:
        """Whether a text is read without leaving this process."""

    async def find(self, text: str, limit: int, hide: Hider = Hider(), collections: tuple[str, ...] = ()) -> Finding:  # noqa: B008 (frozen)
        """The passages nearest in meaning to `text`, best first, at most one of a document. Never raises for a store.

        `hide` masks the text if it has to leave the process for this. `collections` are looked into beside our own library, and no others.
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


class Themes(Protocol):
    """What write-ups are about, in words of the library."""

    @property
    def common(self) -> Sequence[str]:
        """The library's own texts: words that are everybody's."""

    def says(self, title: str) -> str:
        """How a write-up about a theme sounds, in words of the library."""

    async def shared(self, texts: Sequence[str], fewest: int, most: int) -> list[str]:
        """Titles of themes that at least `fewest` of the texts are about, those of most texts first, at most `most`."""

    def nearest(self, title: str, drafts: Sequence[Draft]) -> list[Draft]:
        """The drafts, nearest in meaning to the theme first."""


class Sessions(Protocol):
    """Sessions of groups. Errors of every method: JournalUnavailable, JournalBusy, StoreKeyWrong."""

    async def begin(self, session: Session) -> None:
        """Keep a session with its places."""

    async def read(self, identifier: str) -> Session | None:
        """A session with all its places, or None if it is not there or has expired."""

    def of(self, owner: str | None) -> AsyncGenerator[Session, None]:
        """The sessions of an owner, the oldest first; of every owner where none is named."""

    async def put(self, identifier: str, seat: Seat) -> None:
        """Keep what a member handed in, in place of what was there. The first time the owner's webhooks are told."""

    async def print(self, ready: SheetReady, sheet: bytes, pages: Sequence[tuple[int, bytes]]) -> None:
        """Keep what was printed, the sheet of all and each member's page, and tell the owner's webhooks."""

    async def take_out(self, identifier: str, number: int) -> None:
        """Erase a member's place, and with it all that was handed in, and tell the owner's webhooks."""

    async def erase(self, identifier: str) -> None:
        """Erase a session with all that was handed in."""


class LanguageDetector(Protocol):
    """Which language a text is in."""

    def detect(self, text: str) -> str | None:
        """An ISO 639-1 code, or None where no language can be made out."""


class Journal(Protocol):
    """What people asked to keep. Errors of every method: JournalUnavailable, JournalBusy, StoreKeyWrong."""

    async def open(self) -> tuple[str | None, str | None]:
        """Make the tables if they are missing or old, and see that the key fits; from which step to which."""

    async def begin(self, kept: Kept) -> None:
        """Keep a write-up, before anything was said about it."""

    async def add(self, identifier: str, seq: int, entry: Entry) -> None:
        """Keep what was said as the entry number `seq`, from 0. Raises JournalConflict where there is one already."""

    async def read(self, identifier: str) -> Kept | None:
        """A reflection with all its entries, or None if it is not there or has expired."""

    async def briefs(self, owner: str, limit: int, after: str | None = None) -> list[Brief]:
        """What an owner keeps, the newest first, at most `limit`, from behind the id `after`."""

    def everything(self, owner: str | None) -> AsyncGenerator[Kept, None]:
        """All that an owner keeps, the oldest first; of every owner where none is named."""

    async def erase(self, identifiers: Sequence[str]) -> int:
        """Erase reflections; how many there were. What is left of them in the files is gone after `sweep`."""

    async def erase_owner(self, owner: str | None) -> int:
        """Erase all that an owner keeps; of every owner where none is named."""

    async def purge(self) -> int:
        """Erase what has expired."""

    async def sweep(self) -> bool:
        """Overwrite what erased texts have left in the files. Whether it could be done now."""

    async def unswept(self) -> bool:
        """Whether something was erased and not swept, as after a crash."""

    async def reseal(self) -> int:
        """Seal everything with the newest key; how many texts were not yet."""

    async def exists(self) -> bool:
        """Whether anything was ever kept."""

    async def ready(self) -> bool:
        """Whether it can be read; where nothing was ever kept, whether it could be when last tried."""

    async def close(self) -> None:
        """Let go of every connection."""


class Keyring(Protocol):
    """The keys that were given out. Errors of every method: JournalUnavailable, JournalBusy, StoreKeyWrong."""

    @property
    def origins(self) -> frozenset[str]:
        """The origins of every key, as last read."""

    async def find(self, secret: str) -> Key | None:
        """The key of a secret; None alike for one that is unknown, expired or revoked."""

    async def empty(self) -> bool:
        """Whether nobody holds a key."""

    async def all(self) -> list[Key]:
        """Every key by name; one that is being rotated is there twice."""

    async def add(self, key: Key, secret: str) -> None:
        """Let somebody in. Only a hash of the secret is kept. Raises JournalConflict if the name is taken."""

    async def rotate(self, name: str, secret: str, until: datetime) -> Key | None:
        """Another secret for the same key; the older ones open until then. None where there is no such key."""

    async def drop(self, name: str) -> bool:
        """Let somebody in no more; what they keep stays. Whether there was such a key."""

    async def kept(self, name: str) -> tuple[int, int]:
        """How many reflections and how many sessions the holder of a key of that name can read."""


class Outbox(Protocol):
    """What is to be delivered to webhooks. Errors of every method: JournalUnavailable, JournalBusy, StoreKeyWrong."""

    async def take(self, limit: int) -> list[Taken]:
        """At most so many that are due: ours alone until their lease is over."""

    async def delivered(self, taken: Taken) -> None:
        """It was taken by its receiver: it goes, and failures before it are forgotten."""

    async def failed(self, taken: Taken, trouble: str, due: datetime | None, *, gone: bool) -> bool:
        """It was not: it is due again at `due`, or given up. Whether the webhook is off now: after a day of failures, or where it is `gone`."""

    async def well(self, identifier: str) -> None:
        """A webhook can be reached: failures are forgotten, and one that was off is on."""


class Courier(Protocol):
    """Brings what is to be told to an address."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send it, once. Whatever happens is an outcome, in seconds."""
