"""A sheet as a calendar entry (RFC 5545): the agenda in it, the time zone with it, an alarm for each phase if that is wanted."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from icalendar import Alarm, Calendar, Event

from coach import ids
from coach.errors import Malformed
from coach.paper.said import parts, span
from coach.sheets import Sheet


def calendar(sheet: Sheet, starts: str, zone: str, *, alarms: bool = False) -> bytes:
    """The entry. `starts` is local time in ISO 8601 without an offset, `zone` a name of the IANA time zone database.

    Nothing that anybody wrote in confidence is in it: calendars are read by others. Raises Malformed.
    """
    begins = _begins(starts, zone)
    event = Event()
    event.add("uid", ids.new("s"))
    event.add("dtstamp", datetime.now(UTC))
    event.add("dtstart", begins)
    event.add("dtend", begins + timedelta(minutes=sheet.minutes))
    event.add("summary", sheet.title)
    event.add("description", agenda(sheet))
    if alarms:
        for step in sheet.steps:
            event.add_component(_alarm(step.name, step.starts_at))
    found = Calendar()
    found.add("prodid", "-//Coach//Session sheet//EN")
    found.add("version", "2.0")
    found.add_component(event)
    found.add_missing_timezones()
    return bytes(found.to_ical())


def agenda(sheet: Sheet) -> str:
    """The course of a session in lines."""
    lines = []
    for title, _, steps in parts(sheet):
        lines.append(title)
        lines += [f"  {span(step)}  {step.name}" for step in steps]
    return "\n".join(lines)


def _begins(starts: str, zone: str) -> datetime:
    if zone not in available_timezones():
        raise Malformed("There is no time zone of that name; they are called such as Europe/Berlin (IANA).", "/time_zone")
    try:
        local = datetime.fromisoformat(starts)
    except ValueError:
        raise Malformed("It is no time; one looks like 2026-12-12T10:00.", "/starts_at") from None
    if local.tzinfo is not None:
        raise Malformed("It carries an offset; it is local time, and `time_zone` says where.", "/starts_at")
    return local.replace(tzinfo=ZoneInfo(zone))


def _alarm(name: str, minutes: int) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", name)
    alarm.add("trigger", timedelta(minutes=minutes))
    return alarm
