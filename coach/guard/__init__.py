"""Is this sentence a question that leaves the answer with the manager? The only place where a Question comes into being."""

from dataclasses import dataclass

from coach.guard.phrases import phrases
from coach.guard.rules import RULES
from coach.guard.sentence import read
from coach.model import SEAL, Acknowledgement, AcknowledgementDraft, Draft, Question, Reason

VERSION = "1"
MOST_ACKNOWLEDGEMENT_WORDS = 30


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of a sentence.

    `span` holds code point offsets into the sentence as given: the words that decided. It is None when the sentence is accepted.
    """

    accept: bool
    reason: Reason | None = None
    span: tuple[int, int] | None = None
    message: str = "An open question that leaves the answer with the manager."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A draft the guard refused. It carries the verdict and no rewritten advice."""

    verdict: Verdict


def check(text: str) -> Verdict:
    """Judge one sentence.

    The reasons and their order are those of tests/cases/README.md: directive, leading, blaming, closed, stacked, wordy,
    not_a_question (after ICF PCC markers 7.5 and 7.6, WIAL, MITI 4.2). Quoted words are the manager's and are not judged.
    Never raises; time grows with the length of the text.
    """
    sentence = read(text)
    vocabulary = phrases()
    for reason, rule in RULES.items():
        if span := rule(sentence, vocabulary):
            return Verdict(accept=False, reason=reason, span=sentence.span(*span), message=vocabulary.messages[reason])
    return Verdict(accept=True)


def admit(draft: Draft, identifier: str) -> Question | Refusal:
    """Make a Question of a draft, or refuse it."""
    verdict = check(draft.text)
    return Question(identifier, draft, SEAL) if verdict.accept else Refusal(verdict)


def acknowledge(draft: AcknowledgementDraft) -> Acknowledgement | Refusal:
    """Make an Acknowledgement of a draft: at most 30 words, nothing asked, nothing advised, diagnosed or blamed."""
    sentence = read(draft.text)
    vocabulary = phrases()
    for reason in (Reason.DIRECTIVE, Reason.LEADING, Reason.BLAMING):
        if span := RULES[reason](sentence, vocabulary):
            return Refusal(Verdict(accept=False, reason=reason, span=sentence.span(*span), message=vocabulary.messages[reason]))
    if sentence.words > MOST_ACKNOWLEDGEMENT_WORDS:
        return Refusal(Verdict(accept=False, reason=Reason.WORDY, span=(0, len(draft.text)), message=vocabulary.messages[Reason.WORDY]))
    if "?" in sentence.plain:
        return Refusal(Verdict(accept=False, reason=Reason.STACKED, span=(0, len(draft.text)), message=vocabulary.messages[Reason.STACKED]))
    return Acknowledgement(draft.text, draft.evidence, SEAL)
