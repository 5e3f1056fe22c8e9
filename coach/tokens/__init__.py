"""Counts and trims in tokens, with a vocabulary that is here: tiktoken's o200k_base, which it would else download at its first use."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import tiktoken

VOCABULARY = "o200k_base"  # of OpenAI's models since GPT-4o; for others it is a near estimate, mostly a little high
PER_MESSAGE = 3  # what the chat format adds around a message ...
PRIMING = 3  # ... and before the answer (OpenAI Cookbook, "How to count tokens with tiktoken")

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*\s+|\n+")


def count(text: str) -> int:
    """How many tokens a text has. Words that look like control tokens count as the words they are."""
    return len(_vocabulary().encode_ordinary(_sendable(text)))


def in_messages(*texts: str) -> int:
    """How many tokens these messages have together, one text a message, with what the chat format adds."""
    return sum(count(text) + PER_MESSAGE for text in texts) + PRIMING


def cut(text: str, most: int) -> str:
    """The beginning of a text, at most `most` tokens of it, up to the last end of a sentence that fits; if none does, up to a word's end."""
    if count(text) <= most:
        return text
    kept = _vocabulary().decode(_vocabulary().encode_ordinary(_sendable(text))[: max(most, 0)], errors="ignore")
    ends = [match.start() + len(match[0].rstrip()) for match in _SENTENCE_END.finditer(kept)]
    end = ends[-1] if ends else kept.rfind(" ")
    return text[:end].rstrip() if end > 0 else ""


def _sendable(text: str) -> str:
    """Half surrogate pairs are no text, and no encoder takes them; each counts as one unknown letter."""
    return text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=1)
def _vocabulary() -> tiktoken.Encoding:
    """Loaded at the first use: 0.2 s, no network; tiktoken itself checks the file's sha256."""
    with _cache_here():
        vocabulary = tiktoken.get_encoding(VOCABULARY)
    vocabulary._mergeable_ranks = {}  # noqa: SLF001 (the same table again, 28 MB, of no use once its inner twin is built)
    return vocabulary


@contextmanager
def _cache_here() -> Iterator[None]:
    """Let tiktoken look for its file in this folder; it knows no other way to be told."""
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(__file__).parent)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before
