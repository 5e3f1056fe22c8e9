"""A sheet as a page: read on a screen, printed on A4 or Letter. No script, and nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from coach.model import Question
from coach.paper.said import TITLES, carried, parts, span, who
from coach.paper.timeline import timeline
from coach.sheets import MemberPage, Protocol, Sheet, Step

PAPERS = ("A4", "letter")
_STYLE = (
    "@page{{size:{paper};margin:16mm 15mm}}"
    ":root{{--ink:#1d2a30;--soft:#57676e;--line:#c8d2d6;--paper:#fff;--ground:#f4f2ec}}"
    "*{{box-sizing:border-box}}"
    "body{{font:1rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0}}"
    "main{{max-width:47rem;margin:2rem auto;padding:2.4rem 2.6rem;background:var(--paper);border:1px solid var(--line)}}"
    "h1{{font-size:1.75rem;line-height:1.2;margin:0 0 .4rem}}h2{{font-size:1.2rem;margin:2.2rem 0 .5rem;border-bottom:2px solid var(--ink);"
    "padding-bottom:.2rem}}h3{{font-size:1rem;margin:0}}p{{margin:.3rem 0 .6rem}}"
    ".reason{{color:var(--soft);max-width:38rem}}.warning{{border-left:4px solid var(--ink);padding:.2rem .8rem;font-weight:600}}"
    "svg{{width:100%;height:auto;margin:1.2rem 0 .2rem}}.roles{{color:var(--soft)}}"
    ".step{{display:grid;grid-template-columns:7.6rem 1fr;gap:0 1.2rem;padding:.7rem 0;border-top:1px solid var(--line);break-inside:avoid}}"
    ".step:first-of-type{{border-top:0}}.when{{font-variant-numeric:tabular-nums;font-weight:600}}.when span{{display:block;font-weight:400;"
    "color:var(--soft)}}.who{{color:var(--soft);font-size:.92rem;margin:.1rem 0 .3rem}}"
    "ul{{margin:.4rem 0 .2rem;padding-left:1.1rem}}li{{margin:.28rem 0}}.questions li{{font-weight:500}}"
    ".own{{break-before:page;page-break-before:always}}.help{{border:2px solid var(--ink);padding:.6rem 1rem}}"
    "@media(max-width:40rem){{main{{margin:0;border:0;padding:1.2rem}}.step{{grid-template-columns:1fr}}"
    ".when span{{display:inline;margin-left:.6rem}}}}"
    "@media(prefers-color-scheme:dark){{@media screen{{:root{{--ink:#e7ecee;--soft:#a9b8be;--line:#3a4a52;--paper:#18242a;--ground:#10191d}}"
    "svg{{background:#fff;border-radius:4px;padding:8px}}}}}}"
    "@media print{{body{{background:#fff;font-size:10.5pt}}main{{margin:0;padding:0;border:0;max-width:none}}h2{{break-after:avoid}}}}"
)


def style(paper: str) -> str:
    """The style sheet for a kind of paper."""
    return _STYLE.format(paper=paper)


def style_hash(paper: str) -> str:
    """Its hash, for a content policy that allows this style and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style(paper).encode()).digest()).decode()


def page(sheet: Sheet, *, paper: str = "A4", pages: bool = True) -> str:
    """The whole sheet, the members' own pages at the end if they are wanted, each on paper of its own."""
    body = [f"<h1>{escape(sheet.title)}, {sheet.minutes} minutes</h1>", f'<p class="reason">{escape(sheet.reason)}</p>']
    body += [f'<p class="warning">{escape(warning)}</p>' for warning in sheet.warnings]
    body += [timeline(sheet), _section(TITLES["ground"], _list(sheet.words.ground_rules))]
    if sheet.carried:
        told = "".join(f"<h3>{escape(alias)}</h3>{''.join(f'<p>{escape(text)}</p>' for text in texts)}" for alias, texts in carried(sheet))
        body.append(_section(TITLES["carried"], told))
    for heading, held, steps in parts(sheet):
        roles = f'<p class="roles">{escape(held)}</p>' if held else ""
        body.append(_section(heading, roles + "".join(_step(step, sheet.protocol) for step in steps)))
    if sheet.themes:
        themes = "".join(f"<h3>{escape(theme.text)}</h3>{_questions(theme.questions)}" for theme in sheet.themes)
        body.append(_section(TITLES["themes"], themes))
    body += [
        _section(TITLES["listening"], _questions(sheet.listening)),
        _section(TITLES["slip"], f"<p>{escape(sheet.words.slip)}</p>"),
        _section(TITLES["next"], f"<p>{escape(sheet.words.report)}</p>"),
    ]
    if pages:
        body += map(own, sheet.pages)
    return whole(f"{sheet.title}, {sheet.minutes} minutes", "".join(body), paper, sheet.language)


def whole(title: str, body: str, paper: str, language: str) -> str:
    """A page around what stands on it."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{style(paper)}</style>'
    return f'<!doctype html><html lang="{escape(language)}"><head>{head}</head><body><main>{body}</main></body></html>'


def own(page: MemberPage) -> str:
    """One member's page."""
    inside = ""
    if page.signpost:
        contacts = [page.signpost.emergency, *(f"{one.name}: {one.contact}. {one.what}; {one.hours}" for one in page.signpost.help)]
        inside += f'<div class="help"><p>{escape(page.signpost.text)}</p>{_list([one for one in contacts if one])}</div>'
    inside += "".join(f'<p class="roles">{escape(notice)}</p>' for notice in page.notices)
    inside += _questions(page.questions)
    return f'<section class="own"><h2>{escape(TITLES["own"].format(alias=page.alias))}</h2>{inside}</section>'


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def _step(step: Step, protocol: Protocol) -> str:
    minutes = "1 minute" if step.minutes == 1 else f"{step.minutes} minutes"
    said = f'<p class="who">{escape(who(step, protocol))}</p><p>{escape(step.instruction)}</p>{_questions(step.questions)}'
    return f'<div class="step"><div class="when">{span(step)}<span>{minutes}</span></div><div><h3>{escape(step.name)}</h3>{said}</div></div>'


def _questions(questions: Iterable[Question]) -> str:
    items = "".join(f"<li>{escape(one.draft.text)}</li>" for one in questions)
    return f'<ul class="questions">{items}</ul>' if items else ""


def _list(texts: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"
