"""Which language a write-up is in."""

import re

from lingua import Language, LanguageDetectorBuilder

# Enough languages that a Polish or a Swedish write-up is not taken for a Spanish or a German one.
_KNOWN = (
    Language.ENGLISH, Language.GERMAN, Language.FRENCH, Language.SPANISH, Language.ITALIAN, Language.PORTUGUESE, Language.DUTCH,
    Language.POLISH, Language.CZECH, Language.SWEDISH, Language.DANISH, Language.FINNISH, Language.HUNGARIAN, Language.ROMANIAN,
    Language.TURKISH, Language.GREEK, Language.RUSSIAN, Language.UKRAINIAN, Language.ARABIC, Language.HEBREW, Language.HINDI,
    Language.CHINESE, Language.JAPANESE, Language.KOREAN, Language.VIETNAMESE,
)  # fmt: skip

# Common in English, and words of none of the others.
_ENGLISH = frozenset(
    ("the", "and", "that", "with", "my", "they", "this", "from", "our", "been", "would", "were", "which", "because", "their", "she", "her", "his")
)
_PLAINLY = 0.08  # share of such words from which nobody else needs to be asked: English prose has 0.1 to 0.25
_MOST = 400  # characters
_WORD = re.compile(r"[^\W\d_]+")


class Lingua:
    """lingua in its low-accuracy mode: trigrams only, 30 MB, right for anything longer than a few words."""

    def __init__(self) -> None:
        """Build the detector; its models load at the first use, 0.1 s."""
        self._detector = LanguageDetectorBuilder.from_languages(*_KNOWN).with_low_accuracy_mode().build()

    def detect(self, text: str) -> str | None:
        """An ISO 639-1 code, or None. The first 400 characters decide; the detector takes 2 ms, so what is plainly English does not go to it."""
        beginning = text[:_MOST]
        words = _WORD.findall(beginning.lower())
        if len(words) >= 20 and sum(word in _ENGLISH for word in words) >= _PLAINLY * len(words):
            return "en"
        language = self._detector.detect_language_of(beginning)
        return language.iso_code_639_1.name.lower() if language else None
