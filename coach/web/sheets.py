"""How a sheet becomes what travels over HTTP (coach/wire)."""

from collections.abc import Iterable

from coach.model import Part, Question
from coach.sheets import MemberPage, Sheet, Step
from coach.web.schema import draft_out, signpost_out
from coach.wire.reflections import QuestionOut
from coach.wire.sheets import CarriedOut, MemberPageOut, RoleOut, RoundOut, SheetOut, StepOut, ThemeOut


def sheet_out(sheet: Sheet, lengths: Iterable[tuple[int, int]]) -> SheetOut:
    """A sheet as it is sent. `lengths` are those of each member's write-up and report, in which evidence is counted."""
    pages = [_page(page, place, *length) for place, (page, length) in enumerate(zip(sheet.pages, lengths, strict=True))]
    return SheetOut(
        object="sheet",
        protocol=sheet.protocol.id,
        title=sheet.title,
        minutes=sheet.minutes,
        reason=sheet.reason,
        warnings=list(sheet.warnings),
        roles=[RoleOut(role.title, role.does) for role in sheet.protocol.roles],
        ground_rules=list(sheet.words.ground_rules),
        opening=[_step(step) for step in sheet.opening],
        rounds=[RoundOut(case.giver, dict(case.roles), [_step(step) for step in case.steps]) for case in sheet.cases],
        closing=[_step(step) for step in sheet.closing],
        themes=[ThemeOut(theme.text, _asked(theme.questions)) for theme in sheet.themes],
        carried=[CarriedOut(alias, report.tried, report.happened, report.learned) for alias, report in sheet.carried],
        listening=_asked(sheet.listening),
        slip=sheet.words.slip,
        report_back=sheet.words.report,
        member_pages=pages,
        language=sheet.language,
    )


def _step(step: Step) -> StepOut:
    return StepOut(step.name, step.act, step.minutes, step.starts_at, list(step.speaks), list(step.silent), step.instruction, _asked(step.questions))


def _asked(questions: Iterable[Question]) -> list[QuestionOut]:
    return [draft_out(one.id, one.draft, [], ()) for one in questions]


def _page(page: MemberPage, place: int, written: int, reported: int) -> MemberPageOut:
    parts = [Part(f"/members/{place}/challenge", 0, written)]
    parts += [Part(f"/members/{place}/report_back", written + 2, written + 2 + reported)] if reported else []
    questions = [draft_out(one.id, one.draft, [], parts) for one in page.questions]
    signpost = signpost_out(page.signpost) if page.signpost else None
    return MemberPageOut(page.alias, questions, signpost, list(page.notices), page.sent_to)
