"""`coach prepare`."""

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec

from coach.bootstrap import Coach, assemble
from coach.cli.progress import Bar
from coach.cli.rows import opened
from coach.paper.calendar import calendar
from coach.paper.markdown import markdown
from coach.paper.page import page
from coach.paper.pdf import pdf
from coach.prepare import prepare
from coach.settings import Settings
from coach.sheets import Group, Member, Sheet, Trust
from coach.web.schema import encode
from coach.web.sheets import sheet_out
from coach.wire.sheets import MemberIn

ENDINGS = (".pdf", ".html", ".md", ".json", ".ics")


@click.command("prepare")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE...")
@click.option("--protocol", default="auto", show_default=True, help="auto, or one of `coach prepare --protocols`.")
@click.option("--minutes", type=click.IntRange(1, 600), default=90, show_default=True, help="The slot.")
@click.option("--rounds", type=click.IntRange(1, 9), help="How many cases; as many as the slot holds if left out.")
@click.option("--members", metavar="NAMES", help="Further members who wrote nothing, between commas; with a function as Name/function.")
@click.option(
    "--trust", type=click.Choice([str(trust) for trust in Trust]), default=str(Trust.SOME), show_default=True, help="How well they know one another."
)
@click.option("--paper", type=click.Choice(["A4", "letter"]), default="A4", show_default=True)
@click.option("--starts-at", metavar="TIME", help="For an .ics: local time, such as 2026-12-12T10:00.")
@click.option("--time-zone", default="UTC", show_default=True, help="For an .ics, such as Europe/Berlin.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Ends with .pdf, .html, .md, .json or .ics; Markdown on standard output if left out.",
)
@click.option("--protocols", "listing", is_flag=True, help="List the protocols and leave.")
@click.pass_obj
def command(settings: Settings, /, files: tuple[Path, ...], out: Path | None, listing: bool, **wanted: Any) -> None:  # noqa: FBT001 (click passes it so)
    """A sheet for a group's session. Each FILE holds one member's case and is called Name.txt or Name.function.txt."""
    if out and out.suffix not in ENDINGS:
        raise click.BadParameter(f"ends with none of {', '.join(ENDINGS)}", param_hint="--out")
    members = (*map(_from_file, files), *_named(wanted["members"] or ""))  # before the library: what cannot be read is said at once
    coach = assemble(settings, Bar("Reading the library"))
    if listing:
        for protocol in coach.groups.protocols.values():
            click.echo(f"{protocol.id}: {protocol.title}, {protocol.fewest} to {protocol.largest} people. {protocol.when}")
        return
    group = Group(members, wanted["minutes"], wanted["protocol"], wanted["rounds"], Trust(wanted["trust"]))
    sheet = asyncio.run(_made(group, coach))
    if out is None:
        click.echo(markdown(sheet), nl=False)
        return
    out.write_bytes(_as(sheet, out.suffix, wanted, members))
    click.echo(
        f"{out}: {sheet.protocol.title}, {sheet.minutes} minutes, {len(sheet.cases)} {'round' if len(sheet.cases) == 1 else 'rounds'}.", err=True
    )


async def _made(group: Group, coach: Coach) -> Sheet:
    return await prepare(group, coach.groups)


def _as(sheet: Sheet, ending: str, wanted: dict[str, Any], members: tuple[Member, ...]) -> bytes:
    match ending:
        case ".pdf":
            return pdf(sheet, paper=wanted["paper"])
        case ".html":
            return page(sheet, paper=wanted["paper"]).encode()
        case ".ics":
            if wanted["starts_at"] is None:
                raise click.UsageError("An .ics needs --starts-at.")
            return calendar(sheet, wanted["starts_at"], wanted["time_zone"])
        case ".json":
            return encode(sheet_out(sheet, [(len(one.challenge or ""), 0) for one in members]))
    return markdown(sheet).encode()


def _from_file(path: Path) -> Member:
    """Name.txt or Name.function.txt."""
    name, _, function = path.stem.partition(".")
    return _member(name, function, _text(path))


def _text(path: Path) -> str:
    with opened(str(path)) as source:
        return source.read()


def _named(members: str) -> list[Member]:
    """Name, or Name/function, between commas."""
    return [_member(*one.partition("/")[::2]) for one in members.split(",") if one.strip()]


def _member(name: str, function: str, challenge: str = "") -> Member:
    """The bounds are those of the API. Raises click.UsageError."""
    try:
        found = msgspec.convert({"alias": name.strip(), "function": function.strip() or None, "challenge": challenge}, MemberIn)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"{name[:40]!r}: {error}") from None
    return Member(found.alias, found.function, found.challenge or None)
