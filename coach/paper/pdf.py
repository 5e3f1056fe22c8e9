"""A sheet as a PDF: tagged, with bookmarks, without a network. What people wrote is data to the template, and never part of it."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import coach
from coach.errors import ExtraMissing
from coach.model import Signpost
from coach.paper.said import TITLES, carried, parts, span, who
from coach.paper.timeline import timeline
from coach.paper.typesetting import sets, typeset
from coach.sheets import MemberPage, Protocol, Sheet, Step

PATIENCE = 20.0  # seconds for one PDF, which takes a fifth of one
ROOT = Path(coach.__file__).parent.parent  # from where the package is found, installed or not
PAPERS: Mapping[str, str] = {"A4": "a4", "letter": "us-letter"}


def pdf(sheet: Sheet, *, paper: str = "A4", pages: bool = True) -> bytes:
    """The whole sheet, the members' own pages at the end if they are wanted, each on paper of its own. `paper` is A4 or letter.

    Raises ExtraMissing.
    """
    return typeset(json.dumps(_data(sheet, PAPERS[paper], pages=pages), ensure_ascii=False))


async def pdf_aside(sheet: Sheet, *, paper: str = "A4", pages: bool = True) -> bytes:
    """The same, set in a process of its own while others are served. Errors: ExtraMissing; OSError where that fails."""
    if not sets():
        raise ExtraMissing("pdf")
    command = (sys.executable, "-m", "coach.paper.typesetting")
    setting = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=ROOT)
    data = json.dumps(_data(sheet, PAPERS[paper], pages=pages), ensure_ascii=False)
    try:
        made, _ = await asyncio.wait_for(setting.communicate(data.encode()), PATIENCE)
    except (TimeoutError, asyncio.CancelledError):
        setting.kill()
        await setting.wait()
        raise
    if setting.returncode:
        raise OSError("the sheet could not be set")
    return made


def _data(sheet: Sheet, paper: str, *, pages: bool) -> dict[str, Any]:
    return {
        "title": f"{sheet.title}, {sheet.minutes} minutes",
        "paper": paper,
        "language": sheet.language,
        "reason": sheet.reason,
        "warnings": sheet.warnings,
        "timeline": timeline(sheet),
        "timeline_says": "; ".join(
            f"{title}: {', '.join(f'{step.name} {step.minutes}' for step in steps)} minutes" for title, _, steps in parts(sheet)
        ),
        "ground": {"title": TITLES["ground"], "items": sheet.words.ground_rules},
        "carried_title": TITLES["carried"],
        "carried": [{"alias": alias, "texts": texts} for alias, texts in carried(sheet)],
        "parts": [{"title": title, "roles": held, "steps": [_step(step, sheet.protocol) for step in steps]} for title, held, steps in parts(sheet)],
        "themes_title": TITLES["themes"],
        "themes": [{"text": theme.text, "questions": [one.draft.text for one in theme.questions]} for theme in sheet.themes],
        "last": [
            {"title": TITLES["listening"], "text": "", "items": [one.draft.text for one in sheet.listening]},
            {"title": TITLES["slip"], "text": sheet.words.slip, "items": []},
            {"title": TITLES["next"], "text": sheet.words.report, "items": []},
        ],
        "own": [_own(page) for page in sheet.pages] if pages else [],
    }


def _step(step: Step, protocol: Protocol) -> dict[str, Any]:
    return {
        "name": step.name,
        "span": span(step),
        "minutes": "1 minute" if step.minutes == 1 else f"{step.minutes} minutes",
        "who": who(step, protocol),
        "instruction": step.instruction,
        "questions": [one.draft.text for one in step.questions],
    }


def _own(page: MemberPage) -> dict[str, Any]:
    return {
        "title": TITLES["own"].format(alias=page.alias),
        "help": page.signpost.text if page.signpost else "",
        "contacts": _contacts(page.signpost) if page.signpost else [],
        "notices": page.notices,
        "questions": [one.draft.text for one in page.questions],
    }


def _contacts(signpost: Signpost) -> list[str]:
    return [one for one in (signpost.emergency, *(f"{one.name}: {one.contact}. {one.what}; {one.hours}" for one in signpost.help)) if one]
