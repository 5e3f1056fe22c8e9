"""An answer as it reads on a terminal."""

import textwrap
from collections.abc import AsyncIterator

from rich.console import Console
from rich.text import Text

from coach.model import Acknowledged, Asked, Event, Failed, Found, Noticed, Offered, Opened, Signpost, Signposted

WIDTH = 78


async def show(events: AsyncIterator[Event], console: Console) -> None:
    """Print events as they come: what was heard, then each question with its guidance beneath it."""
    number = 0
    async for event in events:
        match event:
            case Opened():
                _block(console, event.disclosure, "dim")
            case Acknowledged():
                console.print()
                _block(console, event.acknowledgement.text, "italic")
            case Signposted():
                console.print()
                _signpost(console, event.signpost)
            case Offered():
                _offered(console, event)
            case Asked():
                number += 1
                console.print()
                _block(console, event.question.draft.text, "bold", first=f"{number}  ", rest="   ")
                for found in event.guidance:
                    _guidance(console, found)
            case Noticed():
                console.print()
                _block(console, event.notice.message, "yellow")
            case Failed():
                _block(console, event.detail, "red")
    console.print()


def _offered(console: Console, offered: Offered) -> None:
    console.print()
    _block(console, offered.text, "italic")
    for found in offered.passages:
        console.print()
        _block(console, found.passage.text, "", first="   ", rest="   ")
        _guidance(console, found)


def _signpost(console: Console, signpost: Signpost) -> None:
    _block(console, signpost.text, "bold")
    if signpost.emergency:
        console.print()
        _block(console, f"Emergency: {signpost.emergency}", "bold")
    for one in signpost.help:
        console.print()
        _block(console, f"{one.name}: {one.contact}", "bold", first="   ", rest="   ")
        _block(console, f"{one.what}; {one.hours}", "dim", first="   ", rest="   ")


def _guidance(console: Console, found: Found) -> None:
    cited = "; ".join(f"{source.author}, {source.year}" for source in found.passage.sources)
    _block(console, f"{found.passage.title} ({cited})", "dim", first="   ", rest="   ")


def _block(console: Console, text: str, style: str, first: str = "", rest: str = "") -> None:
    """A paragraph of at most 78 columns. The words are printed as they are: a manager's brackets are no markup."""
    width = min(console.width, WIDTH)
    for place, line in enumerate(textwrap.wrap(text, width - len(first))):
        console.print(Text((first if place == 0 else rest) + line, style=style), soft_wrap=True, highlight=False)
