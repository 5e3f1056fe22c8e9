"""What an acknowledgement may not be, beside what no sentence may: a question, a second sentence, praise, a reading of the person.

It gives back what was written (ICF PCC 4 and 6.7) and adds nothing: MITI 4.2 counts praise and interpretation apart from reflection.
"""

import re
from collections.abc import Iterator

from coach.guard.rules import Hit
from coach.guard.sentence import Sentence
from coach.model import Reason

_SECOND = re.compile(r"[.!?…]+[\"')\]]*\s+(?=\S)")
_READS_THEM = re.compile(
    r"\byou(?:'re| are| seem| sound| look| appear| must| clearly| obviously| really| truly| feel| felt| want| need| fear)\b|"
    r"\b(?:brave|courageous|caring|thoughtful|admirable|impressive|wonderful|great|strong|honest of you|well done|congratulations|"
    r"thank you|thanks|sorry to hear|it is (?:clear|normal|understandable)|it's (?:clear|normal|understandable)|no wonder|of course)\b"
)


def faults(sentence: Sentence) -> Iterator[Hit]:
    """Where it is more than an acknowledgement. Quoted words are not looked at."""
    if "?" in sentence.plain:
        yield Hit(Reason.STACKED, "asks", (0, len(sentence.plain)))
    if match := _SECOND.search(sentence.plain):
        yield Hit(Reason.WORDY, "second-sentence", match.span())
    if match := _READS_THEM.search(sentence.plain):
        yield Hit(Reason.LEADING, "reads-the-person", match.span())
