"""Answers as a person reads them in an assistant: plain text, the signpost alone where there is one."""

from collections.abc import Iterable

from coach.wire.checks import CheckAnswer
from coach.wire.reflections import GuidanceOut, NoticeOut, ReflectionAnswer, SignpostOut, SourceOut


def reflection(answer: ReflectionAnswer) -> str:
    """The signpost and nothing else; or who answers, what was heard, what others wrote if that was asked for, the questions, the notices."""
    if answer.signpost:
        return signpost(answer.signpost)
    blocks = [answer.disclosure]
    blocks += [answer.acknowledgement.text] if answer.acknowledgement else []
    if answer.offered:
        blocks.append(answer.offered.text)
        blocks += [f"{one.text}\n{_cited(one.title, one.sources)}" for one in answer.offered.passages]
    sources = {one.id: one.sources for one in answer.guidance}
    for number, question in enumerate(answer.questions, 1):
        beside = [_cited(one.title, sources.get(one.id, [])) for one in question.guidance]
        blocks.append("\n   ".join([f"{number}. {question.text}", *beside]))
    return "\n\n".join([*blocks, *_noticed(answer.notices)])


def signpost(said: SignpostOut) -> str:
    """Where help is, or what would help."""
    blocks = [said.text]
    blocks += [f"Emergency: {said.emergency}"] if said.emergency else []
    return "\n\n".join([*blocks, *(f"{one.name}: {one.contact}\n{one.what}; {one.hours}" for one in said.help)])


def passages(found: Iterable[GuidanceOut], notices: Iterable[NoticeOut]) -> str:
    """Passages with whose they are."""
    return "\n\n".join([*(f"{one.title}\n{one.excerpt}\n{_cited('Source', one.sources)}" for one in found), *_noticed(notices)])


def verdicts(answer: CheckAnswer) -> str:
    """One line a sentence, by its number: the sentence itself is not said again."""
    lines = (
        f"{number}. Accepted." if one.accept else f"{number}. Refused as {one.reason}: {one.message}" for number, one in enumerate(answer.verdicts, 1)
    )
    return "\n".join(lines)


def _noticed(notices: Iterable[NoticeOut]) -> list[str]:
    return [f"Note: {one.message}" for one in notices]


def _cited(title: str, sources: Iterable[SourceOut]) -> str:
    return f"{title}: {'; '.join(f'{one.author}, {one.title}, {one.year}' for one in sources)}"
