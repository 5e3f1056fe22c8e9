"""What write-ups have in common, said in words of the library and in no others."""

import asyncio
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from coach.errors import EmbedderUnavailable
from coach.knowledge.embedders import Vectors
from coach.knowledge.files import Theme
from coach.knowledge.groups import Groups
from coach.knowledge.shelf import Shelves
from coach.model import Challenge, Draft
from coach.ports import LanguageDetector
from coach.privacy import hider
from coach.quoting import sentences

ABOUT = 0.31  # the mean cosine of its two nearest sentences from which on a write-up is about a theme; set on the development write-ups
ENGLISH = "en"


class LibraryThemes:
    """Over the shelves of the library. It reads English; write-ups in other languages are near to no theme."""

    def __init__(self, shelves: Shelves, groups: Groups, languages: LanguageDetector) -> None:
        """`groups` are embedded when they are first asked for: a dozen sentences, 4 ms each."""
        self._shelves = shelves
        self._groups = groups
        self._languages = languages
        self._near: dict[str, Vectors] = {}

    @property
    def _themes(self) -> tuple[Theme, ...]:
        return self._shelves.first.knowledge.themes

    @cached_property
    def common(self) -> tuple[str, ...]:
        """The library's own texts."""
        knowledge = self._shelves.first.knowledge
        groups = (question.draft.text for question in self._groups.questions)
        return (*(theme.says for theme in knowledge.themes), *(theme.title for theme in knowledge.themes), *groups)

    def says(self, title: str) -> str:
        """How a write-up about a theme sounds."""
        return next(theme.says for theme in self._themes if theme.title == title)

    async def shared(self, texts: Sequence[str], fewest: int, most: int) -> list[str]:
        """Titles of themes that at least `fewest` of the texts are about."""
        if len(texts) < fewest:
            return []
        scores = np.stack([await asyncio.to_thread(self._scores, text) for text in texts])
        about = scores >= ABOUT
        counts, strength = about.sum(axis=0), np.where(about, scores, 0.0).sum(axis=0)
        ranked = sorted(range(len(self._themes)), key=lambda place: (-counts[place], -strength[place]))
        return [self._themes[place].title for place in ranked if counts[place] >= fewest][:most]

    def _scores(self, text: str) -> Vectors:
        """How near a text is to each theme: the mean of its two nearest sentences."""
        lexicons = self._shelves.first.knowledge.lexicons
        language = self._languages.detect(text) or ENGLISH
        spans = list(sentences(text, lexicons.get(language) or lexicons[ENGLISH]))
        shelf, reading, _ = self._shelves.read(text, spans, hider(Challenge(text), language))
        if shelf is self._shelves.plain:
            return np.zeros(len(shelf.themes), np.float32)  # by counted words anything may look like anything
        told = reading.spans if len(reading.spans) > 1 else reading.parts
        scores = shelf.themes @ told.T
        closest = min(2, scores.shape[1])
        found: Vectors = np.partition(scores, -closest, axis=1)[:, -closest:].mean(axis=1)
        return found

    def nearest(self, title: str, drafts: Sequence[Draft]) -> list[Draft]:
        """The drafts, nearest in meaning to the theme first; as they were where nothing can be embedded."""
        try:
            rows = self._vectors([self.says(title), *(draft.text for draft in drafts)])
        except EmbedderUnavailable:
            return list(drafts)
        order = np.argsort(-(rows[1:] @ rows[0]), kind="stable")
        return [drafts[place] for place in order.tolist()]

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        missing = [text for text in texts if text not in self._near]
        if missing:
            self._near.update(zip(missing, self._shelves.first.embedder.embed(missing), strict=True))
        return np.stack([self._near[text] for text in texts])
