"""The arc of a conversation: what is asked next, given what was asked and what was answered.

Open, explore, deepen, look from the other side, close. It follows the manager: a reply that ends in a decision is not explored further, and whoever
wants to stop is asked three last things (what is seen now, what is to be tried or asked, what the peers will hear), proposed by nobody.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from coach.model import Challenge, Closing, Evidence, Exchange, Hearing, Move, Notice, Part, Stage, Turn

ENOUGH = 6  # answers after which an end is proposed
BETWEEN = "\n\n"

OFFERED = "You ask for ideas. These are other people's, from the library: views, not advice, and what fits is yours to say."
MOST_OFFERED = 3

PROPOSED = Notice("close-proposed", "This may be a place to end; the last questions look back. The moves `deeper` and `another` go on instead.")
FINISHED = Notice("finished", "That was the last question. What was written is yours to keep.")

_ARC = {0: Stage.EXPLORE, 1: Stage.EXPLORE, 2: Stage.DEEPEN, 3: Stage.EXPLORE, 4: Stage.DEEPEN, 5: Stage.EXPLORE}
_OTHER_SIDE = 3  # answers after which it is time to look from the other side
_DECIDES = re.compile(
    r"\b(?:i'?ll|i will|i am going to|i'?m going to|i'?ve decided|i have decided|i plan to|i intend to"
    r"|ich werde|ich habe (?:mich entschieden|beschlossen)|ich nehme mir vor|je vais|j'ai décidé|je compte|voy a|he decidido|pienso)\b",
    re.IGNORECASE,
)
_WITHOUT_DECISION = re.compile(
    r"\b(?:not|never|n't|if|whether|maybe|nicht|nie|wenn|vielleicht|pas|jamais|si|peut-être|no|nunca|quizás?)\b|n't\b|\?", re.IGNORECASE
)
_IDEAS = (  # how people ask to be told
    r"(?:tell|show) me what (?:to do|i should do|you(?:'d| would) do)",
    r"what (?:should|do) you (?:suggest|advise|recommend)|what would you (?:do|suggest|advise)|what should i do",
    r"(?:give me|i need|i want|i(?:'d| would) like) (?:an? |some |any )?(?:ideas?|advice|tips?|suggestions?)",
    r"(?:got )?any (?:ideas?|advice|tips?|suggestions?)\s*(?:for me\s*)?\?",
    r"sag(?:en sie)? mir (?:doch |einfach |bitte )*was ich (?:tun|machen) soll|was soll ich (?:tun|machen)",
    r"was (?:würdest du|würden sie|raten sie|rätst du)|(?:haben sie|hast du|gib mir|geben sie mir) (?:einen |ein paar )?(?:rat|tipps?|ideen)",
    r"(?:dites|dis)[- ]moi (?:juste |simplement )?(?:ce que|quoi)|que (?:feriez[- ]vous|ferais[- ]tu|me conseill\w+|dois[- ]je faire)",
    r"(?:un conseil|des conseils|une idée|des idées)\s*\?",
    r"d[ií](?:me|game) (?:qué|que) (?:hacer|hago)|(?:qué|que) (?:harías|haría usted|me aconsejas|me recomiendas|debo hacer)",
    r"(?:algún consejo|alguna idea)\s*\?",
)
_ASKS_FOR_IDEAS = re.compile(rf"\b(?:{'|'.join(_IDEAS)})", re.IGNORECASE)
_PUZZLED = re.compile(
    r"\b(?:(?:don'?t|do not|didn'?t) (?:get|understand|follow) (?:the|that|your|this|what)|what do you mean|who do you mean|what does that mean"
    r"|not sure (?:who|what) (?:you|they|the others?|that|this)(?:'re| are| is)? ?(?:ask|mean|are|is)?"
    r"|verstehe (?:ich )?(?:die frage |das |sie )?nicht|was (?:meinst du|meinen sie)"
    r"|(?:ne )?comprends pas|que voulez-vous dire|no entiendo|qué quiere(?:s)? decir)",
    re.IGNORECASE,
)
_BLANK = re.compile(
    r"\W*(?:(?:honestly|well|hm+|ehrlich gesagt)\W+)?(?:i )?(?:really )?(?:don'?t know|dunno|not sure|no idea|(?:das )?weiß (?:ich )?nicht"
    r"|keine ahnung|je (?:ne )?sais pas|aucune idée|no (?:lo )?sé|ni idea|no|yes|maybe|not really|nein|ja|non|oui|sí)\W*",
    re.IGNORECASE,
)
_MOST_PUZZLED = 14  # words: a longer reply says more than that
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


def parts(text: str, exchanges: Sequence[Exchange]) -> tuple[Part, ...]:
    """The write-up and each reply, as they stand in all that was told."""
    replies = [(exchange.of or f"/exchanges/{number}/reply", exchange.reply) for number, exchange in enumerate(exchanges) if exchange.reply]
    place = len(text) - sum(len(BETWEEN) + len(reply) for _, reply in replies)
    found = [Part("/challenge", 0, place)]
    for pointer, reply in replies:
        start, place = place + len(BETWEEN), place + len(BETWEEN) + len(reply)
        found.append(Part(pointer, start, place))
    return tuple(found)


def places(challenge: Challenge) -> tuple[Part, ...]:
    """The same of a challenge whose text is all that was told."""
    return parts(challenge.text, (*challenge.also, *challenge.exchanges))


def reported(tried: str, happened: str, learned: str, pointer: str) -> tuple[Exchange, ...]:
    """A report of what came of it as exchanges: of each part that is there, what it answers, the part, and where it stands."""
    asked = {"tried": "What was tried?", "happened": "What happened?", "learned": "What was learned?"}
    said = {"tried": tried, "happened": happened, "learned": learned}
    return tuple(Exchange(asked[name], text, f"{pointer}/{name}") for name, text in said.items() if text.strip())


def told(writeup: str, exchanges: Sequence[Exchange]) -> str:
    """All that the manager has written, in one text: what may be quoted, and what a question must rest on."""
    return BETWEEN.join([writeup, *(exchange.reply for exchange in exchanges if exchange.reply)])


def located(evidence: Evidence, where: Sequence[Part]) -> tuple[Part, Evidence] | None:
    """Which text of the manager's a quotation is from, and its offsets there; None if it runs over the end of one."""
    for part in where:
        if part.start <= evidence.start and evidence.end <= part.end:
            return part, Evidence(evidence.quote, evidence.start - part.start, evidence.end - part.start)
    return None


def going_on(challenge: Challenge, closings: Mapping[str, Closing], *, ideas: bool = True) -> Challenge:
    """The same challenge with all that was told as its text, and with its turn; without one where nothing is left to ask.

    `closings` are the questions that end a conversation, by their text; `ideas` says whether those of others may be shown to who asks for some.
    """
    text = told(challenge.text, challenge.exchanges)
    turn = _turn(challenge, text, closings)
    if turn and ideas and not challenge.reports and challenge.move is Move.REPLY and asks_for_ideas(challenge.exchanges[-1].reply):
        turn = replace(turn, offers=True, closes=None, proposed=False, stage=Stage.EXPLORE, other=False)
    return replace(challenge, text=text, count=1, turn=turn)


def _turn(challenge: Challenge, text: str, closings: Mapping[str, Closing]) -> Turn | None:
    exchanges, move = challenge.exchanges, challenge.move
    asked = (*(exchange.question for exchange in exchanges), *challenge.besides)
    if challenge.reports:
        since = len(text) - len(latest(exchanges, challenge.reports))
        return Turn(Stage.CLOSE, since, len(exchanges), asked, closes=Closing.LEARNED, heard=Hearing.REPORT)
    answered = [exchange.reply for exchange in exchanges if exchange.reply]
    last = exchanges[-1].reply
    unclear = bool(last) and puzzled(last)
    silent = Hearing.DEEPER if move is Move.DEEPER else Hearing.SKIPPED
    heard = Hearing.UNCLEAR if unclear else Hearing.REPLY if last else silent
    since = len(text) if unclear else len(text) - len(last)
    turn = Turn(Stage.EXPLORE, since, len(answered) - unclear, asked, heard=heard)
    done = {closings[exchange.question] for exchange in exchanges if exchange.question in closings} - {Closing.LEARNED}
    ending = move is Move.WRAP_UP or bool(done) or (len(answered) > 1 and decides(last))
    if unclear or (move is Move.ANOTHER and not last):
        done -= {closings.get(exchanges[-1].question)}
    if move is Move.DEEPER:
        return replace(turn, stage=Stage.DEEPEN)
    if ending:
        return _closing(turn, done | {Closing.TRY} if any(map(decides, answered)) else done)  # who has decided has said what is to be tried
    if turn.answered >= ENOUGH and move is Move.REPLY and not unclear:
        return replace(turn, stage=Stage.CLOSE, closes=Closing.SEEN, proposed=True)
    return replace(turn, stage=_ARC.get(turn.answered, Stage.DEEPEN), other=turn.answered == _OTHER_SIDE)


def _closing(turn: Turn, done: set[Closing]) -> Turn | None:
    left = [kind for kind in (Closing.SEEN, Closing.TRY, Closing.PEERS) if kind not in done]
    return replace(turn, stage=Stage.CLOSE, closes=left[0]) if left else None


def latest(exchanges: Sequence[Exchange], reports: int = 0) -> str:
    """What was said last: a reply, or all parts of a report."""
    return BETWEEN.join(exchange.reply for exchange in exchanges[-(reports or 1) :])


def decides(reply: str) -> bool:
    """Whether a reply ends with what its writer is going to do."""
    said = _SENTENCE.findall(reply.replace("’", "'").strip())
    return bool(said) and _DECIDES.search(said[-1]) is not None and not _WITHOUT_DECISION.search(said[-1])


def asks_for_ideas(reply: str) -> bool:
    """Whether a reply asks what to do."""
    return _ASKS_FOR_IDEAS.search(reply.replace("’", "'")) is not None


def puzzled(reply: str) -> bool:
    """Whether a reply says, and says little else, that the question was not understood."""
    return len(reply.split()) <= _MOST_PUZZLED and _PUZZLED.search(reply.replace("’", "'")) is not None


def last_sentence(text: str) -> int:
    """Where the last sentence of a text begins."""
    return [match.start() for match in _SENTENCE.finditer(text.rstrip())][-1] if text.strip() else len(text)


def blank(reply: str) -> bool:
    """Whether a reply holds no more than "I don't know"."""
    return _BLANK.fullmatch(reply.replace("’", "'")) is not None
