"""The words of the masker."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is replaced. The value is what an answer calls it."""

    PERSON = "person"
    COMPANY = "company"
    PRODUCT = "product"
    PLACE = "place"
    EMAIL = "email"
    LINK = "link"
    NUMBER = "number"
    DATE = "date"
    OTHER = "other"

    @property
    def word(self) -> str:
        """What stands in its place, before a letter."""
        return _WORDS.get(self, self.value.capitalize())


_WORDS = {Kind.PERSON: "Colleague", Kind.EMAIL: "Address", Kind.OTHER: "Item"}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, in code points, and what it is."""

    start: int
    end: int
    kind: Kind
