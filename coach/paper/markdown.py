"""A sheet as Markdown. What people wrote stands in it as text: what would be markup is escaped."""

import re
from collections.abc import Iterator

from coach.paper.said import TITLES, carried, parts, span, who
from coach.sheets import MemberPage, Protocol, Sheet, Step

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|<>~=-])")


def plain(text: str) -> str:
    """A text in which nothing is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def markdown(sheet: Sheet, *, pages: bool = True) -> str:
    """The whole sheet, the members' own pages at the end if they are wanted."""
    blocks = [f"# {plain(sheet.title)}, {sheet.minutes} minutes", plain(sheet.reason)]
    blocks += [f"**{plain(warning)}**" for warning in sheet.warnings]
    blocks += [f"## {TITLES['ground']}", "\n".join(f"- {plain(rule)}" for rule in sheet.words.ground_rules)]
    if sheet.carried:
        blocks.append(f"## {TITLES['carried']}")
        blocks += [f"**{plain(alias)}:** {' '.join(map(plain, texts))}" for alias, texts in carried(sheet)]
    for heading, held, steps in parts(sheet):
        blocks += [f"## {plain(heading)}", *([plain(held)] if held else [])]
        for step in steps:
            blocks += _step(step, sheet.protocol)
    if sheet.themes:
        blocks.append(f"## {TITLES['themes']}")
        for theme in sheet.themes:
            blocks += [f"### {plain(theme.text)}", _questions([one.draft.text for one in theme.questions])]
    blocks += [f"## {TITLES['listening']}", _questions([one.draft.text for one in sheet.listening])]
    blocks += [f"## {TITLES['slip']}", plain(sheet.words.slip), f"## {TITLES['next']}", plain(sheet.words.report)]
    if pages:
        for page in sheet.pages:
            blocks += own_page(page)
    return "\n\n".join(blocks) + "\n"


def _step(step: Step, protocol: Protocol) -> Iterator[str]:
    yield f"### {span(step)} {plain(step.name)}"
    yield f"*{plain(who(step, protocol))}* {plain(step.instruction)}"
    if step.questions:
        yield _questions([one.draft.text for one in step.questions])


def own_page(page: MemberPage) -> Iterator[str]:
    """One member's page."""
    yield f"## {TITLES['own'].format(alias=plain(page.alias))}"
    if page.signpost:
        yield plain(page.signpost.text)
        contacts = [one for one in (page.signpost.emergency, *(f"{one.name}: {one.contact}" for one in page.signpost.help)) if one]
        yield "\n".join(f"- {plain(one)}" for one in contacts)
    yield from (f"*{plain(notice)}*" for notice in page.notices)
    if page.questions:
        yield _questions([one.draft.text for one in page.questions])


def _questions(texts: list[str]) -> str:
    return "\n".join(f"- {plain(text)}" for text in texts)
