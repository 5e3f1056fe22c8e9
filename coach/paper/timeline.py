"""A picture of a session: each part a row, each phase as wide as it is long. Drawn as SVG, told apart in black and white."""

from html import escape
from itertools import accumulate

from coach.paper.said import clock, parts
from coach.sheets import Act, Sheet, Step

WIDTH, LEFT, ROW, GAP, TOP = 720, 130, 34, 10, 8
_FILLS = {"giver": "#1f2a30", "group": "#d5dde0", "hush": "url(#hush)", "all": "#ffffff"}
_KEY = (("giver", "the case giver speaks"), ("group", "the group asks or talks"), ("hush", "stillness"), ("all", "everybody"))


def timeline(sheet: Sheet) -> str:
    """The picture. Its title and description say the same in words."""
    rows = parts(sheet)
    longest = max(sum(step.minutes for step in steps) for _, _, steps in rows)
    scale = (WIDTH - LEFT - 4) / longest
    drawn = [_row(number, heading, steps, scale, _givers(sheet)) for number, (heading, _, steps) in enumerate(rows)]
    height = TOP + len(rows) * (ROW + GAP) + 26
    lengths = "; ".join(f"{heading}, {sum(step.minutes for step in steps)} minutes" for heading, _, steps in rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="timeline-title timeline-says" '
        f'font-family="system-ui, sans-serif" font-size="11"><title id="timeline-title">The session as a timeline</title>'
        f'<desc id="timeline-says">{escape(lengths)}.</desc>'
        '<defs><pattern id="hush" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="6" height="6" fill="#ffffff"/><rect width="2" height="6" fill="#1f2a30"/></pattern></defs>'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        f"{''.join(drawn)}{_key(height - 18)}</svg>"
    )


def _givers(sheet: Sheet) -> set[str]:
    return {case.giver for case in sheet.cases}


def _row(number: int, heading: str, steps: tuple[Step, ...], scale: float, givers: set[str]) -> str:
    y = TOP + number * (ROW + GAP)
    name = heading if len(heading) <= 20 else heading[:19] + "…"
    said = f'<text x="0" y="{y + 14}" fill="#1f2a30">{escape(name)}</text>'
    said += f'<text x="0" y="{y + 28}" fill="#57676e">from {clock(steps[0].starts_at)}</text>'
    starts = [0, *accumulate(step.minutes for step in steps)]
    return said + "".join(_box(LEFT + start * scale, y, step, scale, givers) for start, step in zip(starts, steps, strict=False))


def _box(x: float, y: int, step: Step, scale: float, givers: set[str]) -> str:
    kind = _kind(step, givers)
    width = step.minutes * scale
    ink = "#ffffff" if kind == "giver" else "#1f2a30"
    title = f"<title>{escape(step.name)}, {step.minutes} minutes</title>"
    box = f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW}" fill="{_FILLS[kind]}" stroke="#1f2a30"/>'
    if kind == "hush":  # figures are read on white
        box += f'<rect x="{x + width / 2 - 9:.1f}" y="{y + 9}" width="18" height="16" fill="#ffffff"/>'
    label = step.name if len(step.name) * 5.8 < width - 8 and kind != "hush" else ""
    middle = x + width / 2
    lines = f'<text x="{middle:.1f}" y="{y + (28 if label else 21)}" text-anchor="middle" fill="{ink}">{step.minutes}</text>'
    if label:
        lines += f'<text x="{middle:.1f}" y="{y + 14}" text-anchor="middle" fill="{ink}">{escape(label)}</text>'
    return f"<g>{title}{box}{lines}</g>"


def _kind(step: Step, givers: set[str]) -> str:
    if step.act is Act.STILLNESS:
        return "hush"
    if len(step.speaks) == 1 and step.speaks[0] in givers and step.act in {Act.TELL, Act.ANSWER, Act.LEARN}:
        return "giver"
    return "all" if step.speaks == ("all",) or step.act in {Act.ARRIVE, Act.LEAVE, Act.REPORT} else "group"


def _key(y: int) -> str:
    found, x = "", 0
    for kind, says in _KEY:
        found += f'<rect x="{x}" y="{y}" width="14" height="12" fill="{_FILLS[kind]}" stroke="#1f2a30"/>'
        found += f'<text x="{x + 20}" y="{y + 10}" fill="#1f2a30">{says}</text>'
        x += 40 + int(len(says) * 6.2)
    return found
