import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coach.knowledge.files import load
from coach.knowledge.where import data_folder
from coach.model import Voice
from coach.quoting import FEWEST_WORDS, MOST_WORDS, quotables, reads_as, sentences, words
from tests.conftest import ORDINARY, WRITEUPS


@pytest.fixture(scope="module")
def english(knowledge):
    return knowledge.lexicons["en"]


def spans(text, lexicon):
    return [quotable.evidence.quote for quotable in quotables(text, lexicon)]


LEXICONS = load(data_folder("knowledge")).lexicons
LETTERS = st.text(st.characters(), max_size=300)
PIECES = st.sampled_from(
    [
        "I never asked him",
        " and ",
        "Marek",
        ", ",
        '"',
        "“",
        "”",
        ". ",
        "\n",
        "which is worse",
        "\u202e",
        "\u200b",
        "😀",
        "he said ",
        "! ",
        "a@b.example",
    ]
)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(LETTERS, st.lists(PIECES, max_size=25).map("".join)))
def test_for_any_text_a_span_is_verbatim_of_2_to_10_words_and_overlaps_no_other(text):
    """Offsets are code points of the text as sent."""
    for lexicon in LEXICONS.values():
        found = quotables(text, lexicon)
        covered = set()
        for quotable in found:
            item = quotable.evidence
            assert text[item.start : item.end] == item.quote
            assert FEWEST_WORDS <= len(item.quote.split()) <= MOST_WORDS
            assert not any(unicodedata.category(char) in {"Cc", "Cf"} for char in item.quote)
            assert not covered & set(range(item.start, item.end))
            covered |= set(range(item.start, item.end))


def test_it_finds_what_a_listener_would_say_back(english):
    """Not the facts: the turn, the thing not done, the doubt."""
    text = (
        "I run two lines in Leeds with 40 people. On Monday I told Priya in front of the shift that she was late. "
        "She was not, I had the wrong rota, and I never told anyone. Maybe it was me."
    )
    best = spans(text, english)[:3]
    assert "I never told anyone" in best
    assert all("Leeds" not in quote for quote in best)


def test_it_quotes_no_insult_no_bare_name_no_figure_and_no_address(english):
    """Words that would wound, decorate or identify are not said back."""
    text = (
        "He is an idiot and a lazy liar. Marek Nowak. Mrs Lindqvist-Amara. We lost 48,000 in June 2022. "
        "Write to r.vane@clinic.example or see https://intranet.example/x now please."
    )
    for quote in spans(text, english):
        assert not {"idiot", "lazy", "liar"} & set(quote.lower().split())
        assert not any(char.isdigit() for char in quote)
        assert quote not in {"Marek Nowak", "Mrs Lindqvist-Amara"}
        assert "@" not in quote
        assert "intranet" not in quote


def test_it_never_reaches_over_a_hidden_character(english):
    """Control, bidirectional and zero-width characters stay out of quotations."""
    for hidden in "\u202e\u200b\u2066\ufeff\x07\u00ad":
        text = f"I never as{hidden}ked him. But I was too busy being right to hear it."
        quotes = spans(text, english)
        assert quotes == [quote for quote in quotes if hidden not in quote]
        assert "I was too busy being right to hear it" in quotes


def test_it_tells_words_that_were_spoken_from_words_about_oneself(english):
    """So that a question about a remark is not asked about a confession."""
    text = 'He said "you would only have said no" and walked off. I did not answer him at all. As I ask, she does.'
    voices = {quotable.evidence.quote: quotable.voice for quotable in quotables(text, english)}
    assert voices["you would only have said no"] is Voice.SAID
    assert voices["I did not answer him at all"] is Voice.OWN
    assert all(voice is not Voice.OWN for quote, voice in voices.items() if quote.startswith("As I"))


def test_a_quotation_does_not_stop_in_the_middle_of_a_phrase(english):
    """It ends neither on an article nor on a verb that wants more."""
    for row in ORDINARY:
        if row["language"] == "en":
            for quotable in quotables(row["text"], english):
                last = quotable.evidence.quote.split()[-1].lower()
                follows = row["text"][quotable.end : quotable.end + 1]
                assert last not in {"the", "a", "an", "of", "my", "and"} or follows in ".!?\n", quotable.evidence.quote


@pytest.mark.parametrize(
    ("text", "quoted", "never"),
    [
        ("That is a question, but fine. I suppose he was tired.", "I suppose he was tired", "but fine"),
        ("I suppose. She never asked me.", "She never asked me", "I suppose"),
        ("I know that the two weeks for testing were never in it.", "that the two weeks for testing were never in it", "were never"),
        ('My colleague said to me "nobody told me a thing".', "nobody told me a thing", "said to me"),
        ("I drove home and sat in the hall with my coat on.", "sat in the hall with my coat on", "I drove home and sat"),
        ("I have not asked her why.", "I have not asked her why", "not asked her"),
    ],
)
def test_it_quotes_no_filler_and_nothing_that_something_has_to_follow(english, text, quoted, never):
    """Of "I suppose" nothing is left; "were never" and "he told me" are only halves. Words of the grammar alone may still be a sentence."""
    found = spans(text, english)
    assert quoted in found
    assert not [one for one in found if one.endswith(never)]


def test_sentences_cover_the_text_in_order(english):
    """Offsets into the text, none overlapping."""
    for row in WRITEUPS:
        found = sentences(row["text"], english)
        assert found
        assert all(start < end <= later for (start, end), (later, _) in zip(found, [*found[1:], (len(row["text"]), 0)], strict=True))


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("... 12 !!", 0), ("one two-three four's", 3), ("😀 ja", 1), ("私の上司は毎日優先順位を変えます", 8), ("a1 b2", 2)]
)
def test_words_are_counted_as_a_person_would(text, count):
    """Numbers and signs are none; scripts without spaces count two characters as one."""
    assert words(text) == count


def test_a_write_up_reads_as_its_language_and_noise_as_none(knowledge):
    """The share of common words."""
    for row in WRITEUPS:
        assert reads_as(row["text"], knowledge.lexicons[row["language"]]) > 0.25
    for noise in ("qwer tzui opas dfgh jklz", "milk eggs bread butter cheese apples", "", "😀😀😀"):
        assert reads_as(noise, knowledge.lexicons["en"]) < 0.12


@pytest.mark.parametrize(
    "hostile", ["a@" * 6000, "a" * 12_000, '"' * 12_000, "." * 12_000, "a, " * 4000, "and " * 3000, "\u202e" * 12_000, "<" * 12_000]
)
@pytest.mark.timeout(5)
def test_no_text_takes_long(hostile, english):
    """Every pattern is linear: 12,000 hostile characters are done long before this times out."""
    quotables(hostile, english)
    sentences(hostile, english)
