"""A chat as a reflection: what was said in it becomes a challenge with its exchanges, and the answer becomes paragraphs."""

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from coach import guard, ids
from coach.converse import BETWEEN
from coach.errors import ChallengeTooLong, ChallengeTooThin, ConversationFull
from coach.model import (
    Acknowledged,
    Asked,
    Challenge,
    Closed,
    Event,
    Exchange,
    Flag,
    Found,
    Noticed,
    Offered,
    Opened,
    Part,
    Question,
    Signpost,
    Signposted,
)
from coach.quoting import words
from coach.reflect import ENGLISH, FEWEST_WORDS, MOST_CHARACTERS, Needs, opened, reflect
from coach.safety import Judgement, Signposts

MOST_REPLY = 4_000
MOST_EXCHANGES = 24
MOST_ANSWERS = 32  # messages of the coach's, those without a question among them

_READ = 4_000  # characters from the end of a message in which its questions are looked for
_LONGEST = 400  # characters of a question
_MOST = 2  # questions looked at in one message
_BESIDE = re.compile(r"^\s*>.*$|\(Guidance: [^()\n]*\)", re.MULTILINE)  # what we write beside a question
_MARKS = " \t*_#•-"  # what a program may put around a line ...
_NUMBER = re.compile(r"\d{1,3}[.)]\s")  # ... or before it
_SENTENCE = re.compile(r'(?:"[^"]*"|“[^”]*”|[^.!?"“])+[.!?]*')  # a stop within quotation marks ends nothing


@dataclass(frozen=True, slots=True)
class Message:
    """A text of a chat: the manager's, or one that the coach is said to have written. `pointer` says where it stands (RFC 6901)."""

    text: str = field(repr=False)
    pointer: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Chat:
    """What a chat is to the use-case.

    `parts` are its messages within all that was told; `hello` says that it holds no more than a greeting, `greeted` that it was answered before.
    """

    challenge: Challenge
    parts: tuple[Part, ...]
    hello: bool
    greeted: bool


@dataclass
class _Reading:
    """A chat, message by message. Greetings before the matter are no part of it."""

    signposts: Signposts
    hello: list[Message] = field(default_factory=list)
    writeup: list[Message] = field(default_factory=list)
    exchanges: list[tuple[str, list[Message]]] = field(default_factory=list)
    besides: list[str] = field(default_factory=list)

    def asked(self, questions: Sequence[str]) -> None:
        """A message of the coach's. What follows goes with what went before, where it asks nothing, or where there was nothing yet to ask about."""
        self.besides += questions[:-1]
        if questions and questions[-1] != self.signposts.opening.text and words(_joined(self.writeup), FEWEST_WORDS) >= FEWEST_WORDS:
            self.exchanges.append((questions[-1], []))

    def said(self, message: Message) -> None:
        """A message of the manager's."""
        if self.exchanges:
            self.exchanges[-1][1].append(message)
        elif words(self.signposts.greetings.sub(" ", message.text.replace("’", "'")), 1):
            self.writeup.append(message)
        else:
            self.hello.append(message)

    def parts(self) -> Iterator[Part]:
        """Where each message stands in all that was told, which is all of them in a row."""
        place = 0
        for message in (*(self.writeup or self.hello), *(one for _, replies in self.exchanges for one in replies)):
            yield Part(message.pointer, place, place + len(message.text))
            place += len(message.text) + len(BETWEEN)

    def challenge(self) -> Challenge:
        """All of it. Raises ChallengeTooLong, ConversationFull."""
        exchanges = tuple(Exchange(question, _joined(replies)) for question, replies in self.exchanges)
        writeup = _joined(self.writeup or self.hello)
        for text, most in ((writeup, MOST_CHARACTERS), *((exchange.reply, MOST_REPLY) for exchange in exchanges)):
            if len(text) > most:
                raise ChallengeTooLong(most, len(text))
        if len(exchanges) > MOST_EXCHANGES:
            raise ConversationFull(MOST_EXCHANGES)
        return Challenge(writeup, 1, id=ids.new("r"), exchanges=exchanges, besides=tuple(self.besides))


def read(messages: Sequence[Message], signposts: Signposts) -> Chat:
    """A chat, oldest message first, as a challenge. It takes some milliseconds a question: run it in a thread.

    What the coach is said to have written counts for its questions alone, and of these only for such as the guard admits: anybody can write
    anything into a history.
    Errors: ChallengeTooLong, ConversationFull.
    """
    reading, greeted = _Reading(signposts), False
    if sum(message.ours for message in messages) > MOST_ANSWERS:
        raise ConversationFull(MOST_EXCHANGES)
    elsewhere = tuple(map(_plain, signposts.says[Flag.OFF_TOPIC].values()))
    for message in messages:
        if not message.ours:
            if message.text.strip():
                reading.said(message)
        elif reading.writeup or reading.hello:
            greeted = True
            if not reading.exchanges and any(text in _plain(message.text) for text in elsewhere):
                reading.writeup.clear()  # it was no matter for a coach, and would make none of all that follows
            else:
                reading.asked(questions(message.text))
    return Chat(reading.challenge(), tuple(reading.parts()), not reading.writeup, greeted)


def questions(text: str) -> list[str]:
    """The questions in a message of the coach's, in order: paragraphs of their own, as we write them, or sentences where the paragraphs got lost."""
    lines = [_bare(line) for line in _BESIDE.sub("", text[-_READ:]).splitlines()]
    found = [choice for line in lines if "?" in line for choice in _choices(line)][-_MOST:]
    verdicts = iter(guard.check_all([one for choice in found for one in choice], language=ENGLISH))
    judged = [[one for one in choice if next(verdicts).accept] for choice in found]
    return [accepted[0] for accepted in judged if accepted]


def _choices(line: str) -> list[list[str]]:
    """What may be a question in a line: of each the whole first, if it can be one."""
    asked = [sentence.strip() for sentence in _SENTENCE.findall(line) if sentence.endswith("?")]
    whole = [[line, *asked[-1:]]] if line.endswith("?") and len(line) <= _LONGEST else []
    return whole or [[one] for one in asked if len(one) <= _LONGEST]


def _bare(line: str) -> str:
    """A line without what a program may have put around it."""
    line = line.strip(_MARKS)
    if number := _NUMBER.match(line):
        line = line[number.end() :].strip(_MARKS)
    return _plain(line)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _joined(messages: Sequence[Message]) -> str:
    return BETWEEN.join(message.text for message in messages)


async def answer(chat: Chat, needs: Needs) -> AsyncGenerator[Event, None]:
    """The events of `reflect`. Too little is no error in a chat: who was not answered before is told what this is, and who was, what would help."""
    events = _hello(chat, needs) if chat.hello else reflect(chat.challenge, needs)
    try:
        async with aclosing(events):
            async for event in events:
                match event:
                    case Opened():
                        yield replace(event, parts=chat.parts)
                    case Signposted(Signpost(Flag.TOO_THIN)) if not chat.hello:
                        for one in _helped(chat, needs):
                            yield one
                    case _:
                        yield event
    except ChallengeTooThin:
        async for event in _hello(chat, needs):
            yield event


async def _hello(chat: Chat, needs: Needs) -> AsyncGenerator[Event, None]:
    for event in (opened(chat.challenge, needs, needs.bank), *_helped(chat, needs), Closed((), {})):
        yield event


def _helped(chat: Chat, needs: Needs) -> Iterator[Event]:
    """What is said to who has said next to nothing."""
    language, signposts = needs.languages.detect(chat.challenge.text) or ENGLISH, needs.safety.signposts
    if chat.greeted:
        yield Signposted(needs.safety.signpost(Judgement(Flag.TOO_THIN), language, None))
        return
    yield Signposted(Signpost(Flag.TOO_THIN, signposts.welcome.get(language, signposts.welcome[ENGLISH])))
    question = guard.admit(signposts.opening, "q1")
    if isinstance(question, Question):
        yield Asked(question, ())


class Speech:
    """Turns events into the paragraphs of a chat. Each is a whole: nothing in it was not admitted, or is not the library's own."""

    def __init__(self, *, first: bool = False) -> None:
        """Nothing was said yet. With `first` it is said who answers and where words go, which no chat program shows before."""
        self._first = first
        self._disclosure: list[str] = []
        self._notices: list[str] = []
        self._led_on = False

    def says(self, event: Event) -> list[str]:
        """What is said of an event. Notices are not, but for where nothing else says why no question came."""
        match event:
            case Signposted(signpost):
                self._led_on = True
                return list(_signposted(signpost))
            case Opened():
                self._disclosure = [event.disclosure] if self._first else []
            case Acknowledged(acknowledgement):
                return [*self._disclosure, acknowledgement.text]
            case Offered(text, passages):
                return [text, *map(_offered, passages)]
            case Asked(question, guidance):
                self._led_on = True
                return [question.draft.text, *(f"(Guidance: {found.passage.title})" for found in guidance[:1])]
            case Noticed(notice):
                self._notices.append(notice.message)
            case Closed() if not self._led_on:
                return self._notices
        return []


def _signposted(signpost: Signpost) -> Iterator[str]:
    yield signpost.text
    if signpost.emergency:
        yield f"Emergency: {signpost.emergency}"
    for one in signpost.help:
        yield f"{one.name}: {one.contact}\n{one.what}; {one.hours}"


def _offered(found: Found) -> str:
    cited = "; ".join(f"{source.author}, {source.year}" for source in found.passage.sources)
    quoted = "\n".join(f"> {line}" for line in found.passage.text.splitlines())
    return f"{quoted}\n> ({found.passage.title}; {cited})"
