"""How a sheet says things, whatever it is printed on."""

from collections.abc import Sequence

from coach.sheets import EVERYBODY, Case, Protocol, Sheet, Step

TITLES = {
    "ground": "What holds in this room",
    "slip": "If somebody slips into advice",
    "listening": "While you listen",
    "themes": "What several of you brought",
    "course": "How it goes",
    "own": "For {alias} alone",
    "next": "Before next time",
    "carried": "Since last time, in their own words",
}


def clock(minutes: int) -> str:
    """Minutes from the beginning as hours and minutes: 65 is 1:05."""
    return f"{minutes // 60}:{minutes % 60:02d}"


def listed(names: Sequence[str]) -> str:
    """Names in a row."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}" if names else ""


def who(step: Step, protocol: Protocol) -> str:
    """Who speaks and who does not, in a sentence."""
    said = "; ".join(filter(None, (_doing(step.speaks, "speaks", "speak", protocol), _doing(step.silent, "is silent", "are silent", protocol))))
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _doing(names: Sequence[str], one: str, many: str, protocol: Protocol) -> str:
    titles = {role.title for role in protocol.roles}
    spoken = ["everybody" if name == EVERYBODY else f"the {name.lower()}" if name in titles else name for name in names]
    several = len(spoken) > 1 or any(name.startswith("the ") and name.endswith("s") for name in spoken)
    return f"{listed(spoken)} {many if several else one}" if spoken else ""


def carried(sheet: Sheet) -> list[tuple[str, list[str]]]:
    """Who said what came of last time, part by part."""
    return [(alias, [text for text in (report.tried, report.happened, report.learned) if text]) for alias, report in sheet.carried]


def span(step: Step) -> str:
    """From when to when."""
    return f"{clock(step.starts_at)} to {clock(step.starts_at + step.minutes)}"


def parts(sheet: Sheet) -> list[tuple[str, str, tuple[Step, ...]]]:
    """The parts of a session: heading, who holds which role, steps."""
    found = [("Opening", "", sheet.opening)]
    for number, case in enumerate(sheet.cases, start=1):
        held = "; ".join(f"{title}: {', '.join(names)}" for title, names in _held(sheet.protocol, case).items())
        found.append((f"Round {number}: {case.giver}" if len(sheet.cases) > 1 else f"The case: {case.giver}", held, case.steps))
    return [*found, ("Closing", "", sheet.closing)]


def _held(protocol: Protocol, case: Case) -> dict[str, list[str]]:
    """Who holds which role, the giver first. Who keeps the time, say, is one of the rest as well, and is named there too."""
    apart = {role.title for role in protocol.roles if role.gives or role.apart}
    found = {role.title: [alias for alias, title in case.roles if title == role.title] for role in protocol.roles if not role.rest}
    return {**found, protocol.rest.title: [alias for alias, title in case.roles if title not in apart]}
