"""Is this sentence a question that leaves the answer with the manager? The only place where a Question comes into being.

Layers, cheapest first: structure (marks, length), phrases (data, one file a language), for English a learned head over the encoder's
token vectors, and, where the write-up is at hand, rules of context. README.md in this folder explains each reason with examples.
"""

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

from coach.errors import CoachError
from coach.guard import rules, statement
from coach.guard.context import Context, broken
from coach.guard.head import REMEMBERED, Head, Reading, head
from coach.guard.phrases import PACKS, messages, pack
from coach.guard.rules import Hit
from coach.guard.sentence import Sentence, read
from coach.guard.tongue import ENGLISH, tongue
from coach.model import SEAL, Acknowledgement, AcknowledgementDraft, Draft, Question, Reason

VERSION = "2"
SURE = 0.5  # from here on the head's reason stands beside a rule's
SURE_OF_STATEMENT = 0.8
TRIED_AGAIN_AFTER = 30.0  # seconds
READ = "reading"  # the name of the rule where the head refuses by itself

Scope = Literal["full", "phrases", "structure"]

_NEVER = {Reason.DIRECTIVE, Reason.LEADING, Reason.BLAMING}  # not in an acknowledgement either
_SERIOUSNESS = {reason: place for place, reason in enumerate(Reason)}

log = logging.getLogger("coach")

__all__ = ["VERSION", "Context", "Finding", "Refusal", "Verdict", "acknowledge", "admit", "check", "check_all", "quick", "ready"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against a sentence. `span` holds code point offsets into the sentence as given."""

    reason: Reason
    rule: str
    span: tuple[int, int]
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of a sentence.

    `findings` are in order of seriousness; `reason`, `rule`, `span` and `message` are those of the first, None where it is accepted.
    `scope` says how much was judged: "full"; "phrases" without the learned head, which knows English and needs the encoder; "structure"
    alone, marks and length, in a language that has no phrases. `likely` holds the head's probabilities (they add up to 1) of "accept" and
    of each reason, by name; it is empty where the head did not read.
    """

    accept: bool
    language: str
    scope: Scope
    findings: tuple[Finding, ...] = ()
    likely: Mapping[str, float] = field(default_factory=dict)

    @property
    def reason(self) -> Reason | None:
        """The most serious reason."""
        return self.findings[0].reason if self.findings else None

    @property
    def rule(self) -> str | None:
        """The rule that gave it."""
        return self.findings[0].rule if self.findings else None

    @property
    def span(self) -> tuple[int, int] | None:
        """The words that decided."""
        return self.findings[0].span if self.findings else None

    @property
    def message(self) -> str:
        """One sentence that a coach would recognise."""
        return self.findings[0].message if self.findings else "An open question that leaves the answer with the manager."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A draft the guard refused. It carries the verdict and no rewritten advice."""

    verdict: Verdict


def check(text: str, *, language: str | None = None, context: Context | None = None, scope: Scope = "full") -> Verdict:
    """Judge one sentence.

    `language` is a BCP 47 tag; without one it is made out from the commonest words. `scope` says how much to judge at most: "phrases" leaves
    the head out and takes 30 microseconds instead of 5 milliseconds. The reasons and their order are those of tests/cases/README.md (after ICF
    PCC markers 7.5 and 7.6, WIAL, MITI 4.2). Quoted words are the manager's and are not judged.
    Never raises; a text of more than 4,000 characters is refused by its beginning.
    """
    return check_all([text], language=language, context=context, scope=scope)[0]


def check_all(texts: Sequence[str], *, language: str | None = None, context: Context | None = None, scope: Scope = "full") -> list[Verdict]:
    """Judge several sentences, each by itself, in order: faster than one by one. The arguments are those of `check`."""
    tongues = [tongue(text, language) for text in texts]
    learned = _head() if ENGLISH in tongues and scope == "full" else None
    alone = _KEPT.judge(texts, tongues, scope, learned)
    verdicts: list[Verdict] = []
    for text, spoken, (found, reading) in zip(texts, tongues, alone, strict=True):
        findings = list(found)
        if context:
            sentence = read(text, fold=spoken == ENGLISH)
            findings += [_finding(sentence, hit) for hit in broken(sentence, context)]
        if learned and reading:
            verdicts.append(_read(text, findings, reading, learned))
        else:
            verdicts.append(_verdict(findings, spoken, "phrases" if spoken in PACKS and scope != "structure" else "structure"))
    return verdicts


def ready() -> bool:
    """Whether the learned head is there; loads it at the first call."""
    return _head() is not None


def quick(text: str) -> bool:
    """Whether an English sentence can be checked in a fraction of a millisecond: it was read not long ago, or nothing is there to read it with."""
    learned = _head()
    return learned is None or _KEPT.has(text) or learned.remembers(read(text, fold=True))


def admit(draft: Draft, identifier: str, context: Context | None = None) -> Question | Refusal:
    """Make a Question of a draft, or refuse it. What is asked is English, whatever was written."""
    verdict = check(draft.text, language=ENGLISH, context=context)
    return Question(identifier, draft, SEAL) if verdict.accept else Refusal(verdict)


def acknowledge(draft: AcknowledgementDraft) -> Acknowledgement | Refusal:
    """Make an Acknowledgement of a draft: one sentence, at most 30 words, nothing asked, advised, praised, diagnosed or blamed."""
    sentence = read(draft.text)
    verdict = check(draft.text, language=ENGLISH)
    found = [finding for finding in verdict.findings if _forbids(finding, verdict)]
    found += [_finding(sentence, hit) for hit in statement.faults(sentence)]
    return Refusal(_verdict(found, ENGLISH, verdict.scope, verdict.likely)) if found else Acknowledgement(draft.text, draft.evidence, SEAL)


def _forbids(finding: Finding, verdict: Verdict) -> bool:
    """Whether a finding speaks against an acknowledgement. The head has seen questions more than these: it must be surer here."""
    if finding.rule == READ:
        return finding.reason in _NEVER and verdict.likely[finding.reason] >= SURE_OF_STATEMENT
    return finding.reason in _NEVER or finding.rule == rules.TOO_LONG


def _head() -> Head | None:
    """The head, or None where the encoder cannot be had: the rules go on alone, and each verdict says so. It is tried again after a while."""
    if time.monotonic() < _missing_until[0]:
        return None
    try:
        return head()
    except (CoachError, OSError, ValueError, KeyError) as error:
        log.warning("the guard judges by its phrases alone: %s", type(error).__name__)
        _missing_until[0] = time.monotonic() + TRIED_AGAIN_AFTER
        return None


_missing_until = [0.0]


def _hits(sentence: Sentence, spoken: str, scope: Scope) -> Iterator[Hit]:
    yield from rules.structure(sentence)
    if spoken in PACKS and scope != "structure":
        yield from rules.phrases(sentence, pack(spoken))


Alone = tuple[tuple[Finding, ...], Reading | None]


class _Kept:
    """What was found in a sentence by itself, without context: a draft is judged where it is made and again where it is admitted.

    Kept by hash, never by text.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[bytes, Alone] = OrderedDict()
        self._lock = Lock()

    def has(self, text: str) -> bool:
        """Whether an English sentence was read in full."""
        return _key(text, ENGLISH, "full") in self._found

    def judge(self, texts: Sequence[str], tongues: Sequence[str], scope: Scope, learned: Head | None) -> list[Alone]:
        """The rules' findings and the head's reading of each, in order."""
        keys = [_key(text, spoken, scope) for text, spoken in zip(texts, tongues, strict=True)]
        with self._lock:
            found = {key: self._found[key] for key in keys if key in self._found}
        missing = {key: place for place, key in enumerate(keys) if key not in found}
        sentences = {key: read(texts[place], fold=tongues[place] == ENGLISH) for key, place in missing.items()}
        english = [key for key, place in missing.items() if learned and tongues[place] == ENGLISH]
        readings = dict(zip(english, learned.read([sentences[key] for key in english]), strict=True)) if learned else {}
        for key, place in missing.items():
            hits = _hits(sentences[key], tongues[place], scope)
            found[key] = tuple(_finding(sentences[key], hit) for hit in hits), readings.get(key)
        with self._lock:
            self._found.update((key, found[key]) for key, place in missing.items() if key in readings or tongues[place] != ENGLISH)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return [found[key] for key in keys]


def _key(text: str, spoken: str, scope: Scope) -> bytes:
    return hashlib.blake2b(f"{scope} {spoken} {text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


_KEPT = _Kept(REMEMBERED)


def _read(text: str, findings: list[Finding], reading: Reading, learned: Head) -> Verdict:
    """What the rules found and what the head reads, together: either refuses by itself, and the head names the reason where it is sure."""
    refuses = reading.accept < learned.threshold("accept") or reading.of(Reason.DIRECTIVE) >= learned.threshold("directive")
    first = max((reason for reason in Reason if reason.by_itself), key=reading.of)
    alone = refuses and not any(finding.reason.by_itself for finding in findings)
    beside = findings and reading.of(first) >= SURE and all(finding.reason is not first for finding in findings)
    if alone or beside:
        findings = [*findings, _by_reading(text, reading, first)]
    return _verdict(findings, ENGLISH, "full", reading.by_name())


def _by_reading(text: str, reading: Reading, reason: Reason) -> Finding:
    return Finding(reason, READ, reading.words(reason) or (0, len(text)), messages()[reason])


def _finding(sentence: Sentence, hit: Hit) -> Finding:
    return Finding(hit.reason, hit.rule, sentence.span(*hit.span), messages()[hit.reason])


def _verdict(findings: Sequence[Finding], spoken: str, scope: Scope, likely: Mapping[str, float] | None = None) -> Verdict:
    """The most serious finding first, each reason once."""
    kept: dict[Reason, Finding] = {}
    for finding in sorted(findings, key=lambda finding: _SERIOUSNESS[finding.reason]):
        kept.setdefault(finding.reason, finding)
    return Verdict(not kept, spoken, scope, tuple(kept.values()), likely or {})
