"""Which of the guard's languages a sentence is in, by its commonest words."""

import re

from coach.guard.phrases import common

ENGLISH = "en"
UNKNOWN = "und"  # BCP 47: undetermined
FEW = 4  # words: a shorter sentence without a common word of any language is taken for English

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LATIN = re.compile(r"[A-Za-z]")
_QUOTED = re.compile(r'["“„«][^"“”«»]*["”“»]')


def tongue(text: str, given: str | None) -> str:
    """A language code: the one given if there is one, else "en", "de", "fr", "es", or "und" for none of these. Quoted words may be in any."""
    if given:
        return given.lower().replace("_", "-").split("-")[0]
    words = [word.lower().replace("’", "'") for word in _WORD.findall(_QUOTED.sub(" ", text[:600]))]
    counts = {language: sum(word in known for word in words) for language, known in common().items()}
    best = max(counts, key=counts.__getitem__)  # the first of equals: English
    if counts[best] >= max(1, len(words) / 6):
        return best
    return ENGLISH if not words or (len(words) < FEW and _LATIN.search(text)) else UNKNOWN
