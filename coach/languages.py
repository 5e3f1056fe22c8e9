"""Which language a write-up is in."""

from lingua import Language, LanguageDetectorBuilder

# Enough languages that a Polish or a Swedish write-up is not taken for a Spanish or a German one.
_KNOWN = (
    Language.ENGLISH, Language.GERMAN, Language.FRENCH, Language.SPANISH, Language.ITALIAN, Language.PORTUGUESE, Language.DUTCH,
    Language.POLISH, Language.CZECH, Language.SWEDISH, Language.DANISH, Language.FINNISH, Language.HUNGARIAN, Language.ROMANIAN,
    Language.TURKISH, Language.GREEK, Language.RUSSIAN, Language.UKRAINIAN, Language.ARABIC, Language.HEBREW, Language.HINDI,
    Language.CHINESE, Language.JAPANESE, Language.KOREAN, Language.VIETNAMESE,
)  # fmt: skip


class Lingua:
    """lingua in its low-accuracy mode: trigrams only, 30 MB, right for anything longer than a few words."""

    def __init__(self) -> None:
        """Build the detector; its models load at the first use, 0.1 s."""
        self._detector = LanguageDetectorBuilder.from_languages(*_KNOWN).with_low_accuracy_mode().build()

    def detect(self, text: str) -> str | None:
        """An ISO 639-1 code, or None. The first 400 characters decide."""
        language = self._detector.detect_language_of(text[:400])
        return language.iso_code_639_1.name.lower() if language else None
