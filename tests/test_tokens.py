"""Tokens are counted with the vocabulary that is carried here, and texts are cut where sentences end."""

import os
import socket

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from coach import tokens


def test_it_needs_no_network_and_leaves_the_environment_as_it_was(monkeypatch):
    """Tiktoken would download its vocabulary at the first use, without a time limit."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it went to the network"))
    tokens._vocabulary.cache_clear()
    tiktoken.registry.ENCODINGS.pop(tokens.VOCABULARY, None)
    assert tokens.count("hello world") == 2
    assert "TIKTOKEN_CACHE_DIR" not in os.environ


def test_control_words_count_as_the_words_they_are():
    """A manager may write <|endoftext|>."""
    assert tokens.count("<|endoftext|>") > 1


def test_messages_cost_more_than_their_words():
    """Three tokens around each, three before the answer."""
    assert tokens.in_messages("one", "two") == tokens.count("one") + tokens.count("two") + 9


def test_a_text_is_cut_at_the_end_of_a_sentence():
    """Or at a word's end where no sentence fits; or not at all."""
    text = "One sentence here. Another one comes! And a third, which is long"
    assert tokens.cut(text, 100) == text
    assert tokens.cut(text, 12) == "One sentence here. Another one comes!"
    assert tokens.cut("one two three four five six", 3) == "one two"
    assert tokens.cut(text, 0) == ""


@given(st.text(max_size=300), st.integers(0, 60))
def test_what_is_kept_is_the_beginning_and_fits(text, most):
    """For any text: a prefix, and no more than asked for."""
    kept = tokens.cut(text, most)
    assert text.startswith(kept)
    assert tokens.count(kept) <= max(most, 0) or kept == text
