"""A group's sheet: minutes that add up, turns that are fair, nothing given away, and the same on every kind of paper."""

import asyncio
import itertools
import json
import random
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta

import httpx
import icalendar
import pytest
import vobject
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from coach import blind, guard
from coach.cli import cli
from coach.errors import ExtraMissing, GroupMisfit, Malformed, ReportingLine, SameAlias, SlotMisfit, UnknownProtocol
from coach.knowledge import groups
from coach.knowledge.where import data_folder
from coach.model import Question
from coach.paper import typesetting
from coach.paper.calendar import calendar
from coach.paper.markdown import markdown
from coach.paper.page import page
from coach.paper.pdf import pdf, pdf_aside
from coach.paper.timeline import timeline
from coach.prepare import Group, prepare
from coach.schedule import allot, plan, roles_of, rounds_that_fit, takes
from coach.sheets import Act, Ideas, Limits, Matter, Member, Trust
from tests.conftest import WRITEUPS, modelled, serving
from tests.provider import FakeProvider, answering, drafted

ALL = groups.load(data_folder("knowledge"))
IDS = sorted(ALL.protocols)
NAMES = ["Ada", "Ben", "Cem", "Dee", "Eva", "Fay", "Gil", "Hal", "Ida"]
FUNCTIONS = ["sales", "operations", "finance", "customer service", "product development", "the night shift", "logistics", "HR", "IT"]
G1 = [row for row in WRITEUPS if row["id"].startswith("g1")]
CRISIS = next(row["text"] for row in WRITEUPS if row["flag"] == "crisis")


def members(count, texts=()):
    """So many, with what they wrote."""
    return tuple(Member(NAMES[at], FUNCTIONS[at], texts[at] if at < len(texts) else None) for at in range(count))


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=9), st.data())
def test_minutes_are_whole_within_their_limits_and_add_up(steps, data):
    """Whatever the limits, and whatever lies between their sums."""
    limits = [Limits(1 + least, 1 + least + more, 1 + least + more + most) for least, more, most in steps]
    minutes = data.draw(st.integers(sum(one.least for one in limits), sum(one.most for one in limits)))
    found = allot(limits, minutes)
    assert sum(found) == minutes
    assert all(one.least <= given <= one.most for one, given in zip(limits, found, strict=True))


@settings(max_examples=3000)
@given(st.sampled_from(IDS), st.integers(1, 7), st.integers(1, 400))
def test_a_slot_is_filled_exactly_with_equal_rounds_or_the_true_bounds_are_named(name, rounds, minutes):
    """Every protocol, every number of rounds, every slot."""
    protocol = ALL.protocols[name]
    rounds = min(rounds, protocol.most_rounds)
    whole = takes(protocol, rounds)
    if whole.least <= minutes <= whole.most:
        planned = plan(protocol, minutes, rounds)
        assert sum(planned.opening) + rounds * sum(planned.round) + sum(planned.closing) == minutes
        phases = (*protocol.opening, *protocol.round, *protocol.closing)
        lengths = (*planned.opening, *planned.round, *planned.closing)
        assert all(phase.minutes.least <= length <= phase.minutes.most for phase, length in zip(phases, lengths, strict=True))
    else:
        with pytest.raises(SlotMisfit) as raised:
            plan(protocol, minutes, rounds)
        assert (raised.value.least, raised.value.most) == (whole.least, whole.most)
        assert plan(protocol, whole.least, rounds)


@pytest.mark.parametrize("name", IDS)
def test_roles_go_round(name):
    """Over as many rounds as there are people everybody holds every role once; over fewer nobody holds one twice."""
    protocol = ALL.protocols[name]
    for count in range(protocol.fewest, min(protocol.largest, 9) + 1):
        held = [roles_of(protocol, NAMES[:count], turn) for turn in range(count)]
        for role in (protocol.giver, *protocol.held):
            holders = [[alias for alias, one in roles.items() if one is role] for roles in held]
            assert sorted(alias for (alias,) in holders) == sorted(NAMES[:count])


@pytest.mark.parametrize("name", IDS)
def test_every_protocol_keeps_what_any_sheet_promises(name):
    """And a broken one is named: each invariant is broken once."""
    protocol = ALL.protocols[name]
    assert list(groups.broken(protocol)) == []
    giver = protocol.giver.id
    broken = [
        replace(protocol, roles=tuple(replace(role, gives=False) for role in protocol.roles))
        if False
        else replace(protocol, best=protocol.largest + 1),
        replace(protocol, most_rounds=protocol.largest + 1),
        replace(protocol, roles=tuple(role for role in protocol.roles if role.id != "timekeeper")),
        replace(protocol, round=protocol.round[::-1]),
        replace(protocol, round=tuple(replace(phase, silent=()) for phase in protocol.round)),
        replace(protocol, round=(*protocol.round[:-1], replace(protocol.round[-1], speaks=("all",), silent=()))),
        replace(protocol, ideas=Ideas.LATE if protocol.ideas is Ideas.NEVER else Ideas.NEVER),
        replace(protocol, opening=tuple(replace(phase, confidential=False) for phase in protocol.opening)),
        replace(protocol, opening=tuple(replace(phase, minutes=Limits(3, 2, 1)) for phase in protocol.opening)),
        replace(protocol, opening=tuple(replace(phase, speaks=("nobody",)) for phase in protocol.opening)),
        replace(protocol, round=tuple(replace(phase, speaks=(giver,), silent=(giver,)) for phase in protocol.round)),
        replace(protocol, round=tuple(replace(phase, aloud="{who} speaks.") for phase in protocol.round)),
        replace(protocol, round=tuple(replace(phase, questions=phase.questions + 1, asks=None) for phase in protocol.round)),
    ]
    for one in broken:
        assert list(groups.broken(one)), one


def test_a_new_protocol_needs_data_alone(tmp_path):
    """A file more, and it is there; a fault in it is named with its file and field."""
    import shutil

    for part in ("protocols", "groups"):
        shutil.copytree(data_folder("knowledge") / part, tmp_path / part)
    shutil.copy(data_folder("knowledge") / "sources.yaml", tmp_path)
    text = (tmp_path / "protocols" / "troika.yaml").read_text(encoding="utf-8").replace("id: troika", "id: trio", 1)
    (tmp_path / "protocols" / "trio.yaml").write_text(text, encoding="utf-8")
    assert "trio" in groups.load(tmp_path).protocols
    (tmp_path / "protocols" / "trio.yaml").write_text(text.replace("ideas: unheard", "ideas: never"), encoding="utf-8")
    _, faults = groups.read(tmp_path)
    assert [(fault.file, fault.field) for fault in faults] == [("protocols/trio.yaml", "ideas")]


def every_question(sheet):
    """All that a sheet prints."""
    asked = [question for step in sheet.steps for question in step.questions]
    asked += [question for theme in sheet.themes for question in theme.questions]
    return asked + list(sheet.listening) + [question for own in sheet.pages for question in own.questions]


def check(sheet, group):
    """What holds of every sheet."""
    assert sum(step.minutes for step in sheet.steps) == group.minutes
    assert [step.starts_at for step in sheet.steps] == [0, *itertools.accumulate(step.minutes for step in sheet.steps)][:-1]
    assert len({sum(step.minutes for step in case.steps) for case in sheet.cases}) == 1
    assert len({case.giver for case in sheet.cases}) == len(sheet.cases)
    for case in sheet.cases:
        assert [title for _, title in case.roles].count(sheet.protocol.giver.title) == 1
        assert case.steps[-1].speaks == (case.giver,)
        assert any(case.giver in step.silent for step in case.steps)
        acts = [step.act for step in case.steps]
        assert acts.index(Act.FACTS) < min([acts.index(act) for act in (Act.PROBING, Act.IDEAS) if act in acts], default=99)
    asked = every_question(sheet)
    assert all(isinstance(question, Question) for question in asked)
    texts = [question.draft.text for question in asked]
    assert len(set(texts)) == len(texts)
    ids = [question.id for question in asked]
    assert len(set(ids)) == len(ids)
    assert not [step for step in sheet.steps if "{" in step.instruction]


async def test_every_protocol_makes_a_sheet_for_every_size_it_is_for(coach):
    """Without a single case: shortest, ideal and longest slots; no question stands twice."""
    for protocol in ALL.protocols.values():
        for count in range(protocol.fewest, min(protocol.largest, 9) + 1):
            whole = takes(protocol, min(protocol.most_rounds, count))
            for minutes in {takes(protocol, 1).least, takes(protocol, 1).ideal, whole.ideal, whole.most}:
                group = Group(members(count), minutes, protocol.id)
                sheet = await prepare(group, coach.groups)
                check(sheet, group)
                assert all(own.questions for own in sheet.pages)


async def test_the_protocol_is_chosen_from_people_minutes_trust_and_matter(coach):
    """And the sheet says why."""
    chosen = {
        (3, 30, Trust.NEW, None): "troika",
        (6, 90, Trust.SOME, None): "peer-round",
        (9, 60, Trust.HIGH, Matter.ONE): "balint",
    }
    for (count, minutes, trust, matter), name in chosen.items():
        sheet = await prepare(Group(members(count), minutes, trust=trust, matter=matter), coach.groups)
        assert sheet.protocol.id == name
        assert f"{count} people in {minutes} minutes" in sheet.reason


async def test_what_no_sheet_can_be_made_of_is_named(coach):
    """With what would do."""
    for count in (0, 10):
        with pytest.raises(GroupMisfit, match="1 to 9"):
            await prepare(Group((*members(min(count, 9)), *[Member("Jo")] * (count == 10)), 60), coach.groups)
    with pytest.raises(GroupMisfit, match="6 to 10 people"):
        await prepare(Group(members(4), 60, "balint"), coach.groups)
    with pytest.raises(GroupMisfit, match="3 to"):
        await prepare(Group(members(2), 60), coach.groups)
    with pytest.raises(SlotMisfit) as raised:
        await prepare(Group(members(6), 5, "balint"), coach.groups)
    assert raised.value.least == takes(ALL.protocols["balint"], 1).least
    with pytest.raises(SlotMisfit) as raised:
        await prepare(Group(members(6), 5), coach.groups)
    fits = [one for one in ALL.protocols.values() if one.fewest <= 6 <= one.largest]
    assert raised.value.least == min(takes(one, 1).least for one in fits)
    assert await prepare(Group(members(6), raised.value.least), coach.groups)
    with pytest.raises(SlotMisfit) as raised:
        await prepare(Group(members(6), 599), coach.groups)
    assert await prepare(Group(members(6), raised.value.most), coach.groups)
    with pytest.raises(SlotMisfit, match="with 3 rounds takes") as raised:
        await prepare(Group(members(3), 75), coach.groups)
    for minutes in range(raised.value.least, raised.value.most + 1):
        assert await prepare(Group(members(3), minutes), coach.groups)
    with pytest.raises(SameAlias):
        await prepare(Group((Member("Ada"), Member("Ben"), Member("ADA")), 60), coach.groups)
    with pytest.raises(UnknownProtocol, match="peer-round"):
        await prepare(Group(members(4), 60, "circle"), coach.groups)
    with pytest.raises(Malformed, match="at most 1"):
        await prepare(Group(members(5), 60, "consultancy", rounds=2), coach.groups)


async def test_a_reporting_line_is_refused_or_said(coach):
    """Inside the group only."""
    for name in ("ada", "Ada ", "\u00a0ada"):
        line = (*members(3), Member("Jo", reports_to=name))
        with pytest.raises(ReportingLine):
            await prepare(Group(line, 90), coach.groups)
    sheet = await prepare(Group(line, 90, override=True), coach.groups)
    assert any("Jo reports to Ada" in warning for warning in sheet.warnings)
    outside = (*members(3), Member("Jo", reports_to="somebody who is not here"))
    assert await prepare(Group(outside, 90), coach.groups)


def secrets_of(text):
    """What of a text the others must not read: any four content words of it in a row."""
    return set(blind._runs(blind._content(blind._words(text))))


def read_by_all(sheet):
    """What the whole group reads, as text."""
    return markdown(replace(sheet, pages=())).lower().replace("\\", "")


async def test_what_members_wrote_in_confidence_is_on_their_own_page_alone(coach):
    """The group of four of which each holds something back: no four words, no name, no figure; each page quotes its own writer."""
    group = Group(tuple(Member(NAMES[at], row["functions"][0].split(" /")[0], row["text"]) for at, row in enumerate(G1)), 90)
    sheet = await prepare(group, coach.groups)
    check(sheet, group)
    assert sheet.themes
    told = read_by_all(sheet)
    for at, row in enumerate(G1):
        assert not secrets_of(row["text"]) & secrets_of(told)
        assert not [name for name in row["people"] if re.search(rf"\b{re.escape(name.lower())}\b", told)]
        own = sheet.pages[at]
        assert any(question.draft.evidence for question in own.questions)
        for question in own.questions:
            assert all(row["text"][item.start : item.end] == item.quote for item in question.draft.evidence)


PLANTED = [
    ("The supplier's name is Dellacourt and the valve was changed in July.", "name"),
    ("What would 600 units tell you?", "figure"),
    ("How would it be to have slept in her coat two nights?", "run"),
    ("What does the penalty clause ask of us?", "detail"),
    ("Who keeps quiet about the deviation?", "detail"),
]


@pytest.mark.parametrize(("text", "kind"), PLANTED, ids=[kind + str(at) for at, (_, kind) in enumerate(PLANTED)])
def test_the_veil_sees_what_would_give_somebody_away(coach, text, kind):
    """A name, a figure, four words in a row, a word that only one of them used; and says nothing of what is everybody's."""
    veil = blind.veil([row["text"] for row in G1], coach.themes.common, ["en"] * len(G1))
    assert veil.gives_away(text) == kind
    for one in ALL.questions:
        assert veil.gives_away(one.draft.text.replace("{function}", "the others").replace("0 to 10", "none to all")) is None, one.draft.text


async def test_a_model_that_wants_to_give_secrets_away_does_not_get_to(coach):
    """A scripted provider that knows every secret and drafts questions of them: none is on what the group reads, nor on another's page.

    What it drafts without a secret is there; and of a theme it was sent the theme, and no word of anybody's.
    """
    harmless = "What do we ask of each other in this?"
    leaks = [
        "What would you like to ask about the Dellacourt valves?",
        "Who of us knows about the clause with Fenmoor?",
        "What would it take to speak of the deviation that Femi signed?",
        "How long have 250 of the valves been in those houses?",
        "What would happen if the ticket set to monitor came out?",
    ]

    async def knowing(call):
        about_a_theme = "go/no-go" not in json.dumps(call.body)
        await answering(drafted(*([harmless] if about_a_theme else []), *leaks[:2], heard="You write it."))(call)

    with FakeProvider(knowing) as first, FakeProvider(answering(drafted(*leaks))) as second:
        group = Group(tuple(Member(NAMES[at], row["functions"][0].split(" /")[0], row["text"]) for at, row in enumerate(G1)), 90)
        sheets = [await prepare(group, modelled(coach, provider.url).groups) for provider in (first, second)]
    assert harmless in [question.draft.text for theme in sheets[0].themes for question in theme.questions]
    for made in sheets:
        assert made.themes
        told = read_by_all(made)
        for word in ("dellacourt", "fenmoor", "femi", "250", "valve", "clause", "deviation", "ticket"):
            assert word not in told
        for at, own in enumerate(made.pages):
            for question in own.questions:
                for name in ("Dellacourt", "Fenmoor", "Femi"):
                    assert name not in question.draft.text or name in G1[at]["text"]
    of_themes = [json.dumps(call["messages"]).lower() for call in first.calls if "go/no-go" not in json.dumps(call)]
    assert of_themes
    for sent in of_themes:
        assert not secrets_of(sent) & {run for row in G1 for run in secrets_of(row["text"])}


SECRETS = (
    "Brontofarm takes us over on the 14th",
    "Wenzel drinks before the morning shift",
    "the Zurich bid was forged",
    "Okonkwo resigns after Easter",
    "we dumped 40 drums",
)


@pytest.mark.parametrize("seed", range(6))
async def test_planted_secrets_of_generated_groups_are_not_given_away(coach, seed):
    """Any write-ups, a secret planted in each, and a provider that knows them all and asks about nothing else."""
    chance = random.Random(seed)
    writers = chance.sample([row["text"] for row in WRITEUPS if row["flag"] is None and row["language"] == "en"], chance.randint(4, 5))
    texts = [f"{text}\n\nNobody here knows that {secret}." for text, secret in zip(writers, SECRETS, strict=False)]
    leaks = [f"What would it mean for us that {secret}?" for secret in SECRETS]
    veil = blind.veil(texts, coach.themes.common, ["en"] * len(texts))
    assert [veil.gives_away(leak) for leak in leaks[: len(texts)] if veil.gives_away(leak) is None] == []  # also where these share no theme
    with FakeProvider(answering(drafted(*leaks, heard="You write it."))) as provider:
        made = [await prepare(Group(members(len(texts), texts), 90), one.groups) for one in (coach, modelled(coach, provider.url))]
    for sheet in made:
        told = read_by_all(sheet)
        assert not secrets_of(told) & {run for text in texts for run in secrets_of(text)}
        for word in ("brontofarm", "wenzel", "zurich", "forged", "okonkwo", "easter", "drums"):
            assert word not in told
        for at, own in enumerate(sheet.pages):
            others = " ".join(SECRETS[:at] + SECRETS[at + 1 :])
            for question in own.questions:
                assert not set(re.findall(r"Brontofarm|Wenzel|Zurich|Okonkwo", question.draft.text)) & set(re.findall(r"\w+", others))


async def test_a_theme_needs_two_and_in_a_larger_group_three(coach):
    """One who is alone with something is not pointed at."""
    texts = [row["text"] for row in G1]
    assert (await prepare(Group(members(4, texts[:1]), 90), coach.groups)).themes == ()
    two = (await prepare(Group(members(4, texts[2:4]), 90), coach.groups)).themes
    assert two
    five = await prepare(Group(members(5, [None, None, None, *texts[2:4]]), 90), coach.groups)
    assert five.themes == ()


async def test_whoever_is_in_a_crisis_is_shown_where_help_is_and_nobody_else_learns_of_it(coach):
    """The sheet of the others is as if nothing had been written."""
    texts = [row["text"] for row in G1[:3]]
    with_crisis = await prepare(Group(members(4, [*texts, CRISIS]), 90), coach.groups)
    without = await prepare(Group(members(4, texts), 90), coach.groups)
    assert with_crisis.pages[3].signpost
    assert with_crisis.pages[3].questions == ()
    assert [own.signpost for own in with_crisis.pages[:3]] == [None] * 3
    assert [theme.text for theme in with_crisis.themes] == [theme.text for theme in without.themes]
    told = read_by_all(with_crisis)
    assert not secrets_of(CRISIS) & secrets_of(told)
    assert not any("help" in warning.lower() for warning in with_crisis.warnings)


HOSTILE = '<script>alert(1)</script>=HYPERLINK("x") #[link](u) \\*'


@pytest.fixture(scope="module")
def sheet(coach):
    """One with names and words that would like to be something else."""
    texts = [row["text"] for row in G1]
    texts[0] += ' I said "<img src=x onerror=alert(1)> is what I think" and nobody laughed.'
    group = Group((Member(HOSTILE[:40], "sales & <b>more</b>", texts[0]), *members(4, texts)[1:]), 90)
    return asyncio.run(prepare(group, coach.groups))


def test_names_stay_text_on_every_kind_of_paper(sheet):
    """HTML, Markdown, SVG, PDF and calendar: no element, no formula, no template."""
    html = page(sheet)
    assert "<script" not in html.lower()
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert "<b>more" not in html
    told = markdown(sheet)
    assert not re.findall(r"(?<!\\)[<\[]", told)
    ET.fromstring(timeline(sheet))
    assert pdf(sheet).startswith(b"%PDF-")
    (event,) = icalendar.Calendar.from_ical(calendar(sheet, "2026-12-12T10:00", "Europe/Berlin")).walk("VEVENT")
    assert set(event) == {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION"}


def test_a_page_has_a_style_and_nothing_else_from_anywhere(sheet):
    """Each member's page begins on paper of its own; A4 or Letter."""
    html = page(sheet)
    assert not re.findall(r"(?:src|href)=|url\((?!#)", html)
    assert "size:A4" in html
    assert "size:letter" in page(sheet, paper="letter")
    assert html.count('class="own"') == len(sheet.pages)
    assert 'class="own"' not in page(sheet, pages=False)
    assert "<svg" in html
    assert 'role="img"' in html


def test_a_pdf_is_tagged_and_holds_the_pages(sheet):
    """PDF/UA, A4 or Letter; without the members' pages it is shorter."""
    made = pdf(sheet)
    assert b"/MarkInfo" in made or b"pdfuaid" in made
    assert len(pdf(sheet, pages=False)) < len(made)
    assert pdf(sheet, paper="letter") != made


async def test_letters_that_the_fonts_lack_do_not_cost_the_group_its_pdf(coach):
    """A square stands for each, and the sheet says so; nothing else of it is lost."""
    told = "李明 said 😀 สวัสดี to 🇩🇪 and 한국, and I did not ask him why. I was wrong about the plan."
    group = Group((Member("李", "sales", told, told), *members(3)), 90)
    made = await pdf_aside(await prepare(group, coach.groups))
    assert made.startswith(b"%PDF")
    data = json.dumps({"warnings": [], "title": "李 Zoë"}, ensure_ascii=False)
    assert json.loads(typesetting._without(data, "李")) == {"warnings": [typesetting.LETTERS], "title": "□ Zoë"}


async def test_a_pdf_set_aside_is_the_same_and_what_fails_is_told(sheet, monkeypatch):
    """In a process of its own; where that breaks, there is an error and no half of a PDF."""
    assert len(await pdf_aside(sheet)) == pytest.approx(len(pdf(sheet)), abs=200)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(OSError, match="could not be set"):
        await pdf_aside(sheet)


def test_without_the_extra_a_pdf_is_refused_and_the_other_forms_are_there(coach, sheet, tmp_path, monkeypatch):
    """What to install is said, over HTTP and by the command."""
    monkeypatch.setattr(typesetting, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"pip install 'reflection-coach\[pdf\]'"):
        pdf(sheet)
    body = {"members": [{"alias": "Ruth"}, {"alias": "Noor"}, {"alias": "Piet"}, {"alias": "Anselm"}], "minutes": 90}
    with serving(coach) as url, httpx.Client(base_url=url, timeout=60) as client:
        refused = client.post("/v1/sheets", json=body, headers={"accept": "application/pdf"})
        assert (refused.status_code, refused.json()["code"]) == (406, "extra-missing")
        assert "reflection-coach[pdf]" in refused.json()["detail"]
        assert client.post("/v1/sheets", json=body, headers={"accept": "text/html"}).status_code == 200
    done = CliRunner().invoke(
        cli,
        ["prepare", "--members", "Ruth,Noor,Piet,Anselm", "--out", str(tmp_path / "session.pdf")],
        obj={"COACH_DATA_DIR": str(coach.settings.data_dir)},
    )
    assert done.exit_code == 2
    assert "reflection-coach[pdf]" in done.output


def test_a_calendar_entry_is_read_by_another_library(sheet):
    """Begin and end in its time zone, the agenda, an alarm for each phase; no word of what anybody wrote."""
    raw = calendar(sheet, "2026-12-12T10:00", "Europe/Berlin", alarms=True)
    entry = icalendar.Calendar.from_ical(raw)
    (event,) = entry.walk("VEVENT")
    assert event.decoded("dtend") - event.decoded("dtstart") == timedelta(minutes=90)
    assert event.decoded("dtstart").utcoffset() == timedelta(hours=1)
    assert len(entry.walk("VALARM")) == len(sheet.steps)
    assert entry.walk("VTIMEZONE")
    read = vobject.readOne(raw.decode()).vevent
    assert read.dtstart.value.utcoffset() == timedelta(hours=1)
    assert read.dtend.value - read.dtstart.value == timedelta(minutes=90)
    assert read.description.value.splitlines()[0] == "Opening"
    for row in G1:
        assert not secrets_of(row["text"]) & secrets_of(raw.decode().lower())
    for starts, zone in (("tomorrow", "Europe/Berlin"), ("2026-12-12T10:00+01:00", "Europe/Berlin"), ("2026-12-12T10:00", "Middle/Earth")):
        with pytest.raises(Malformed):
            calendar(sheet, starts, zone)


def test_over_http_a_sheet_comes_as_it_is_asked_for(served):
    """JSON in the shape of the documentation, and five kinds of paper; evidence points into the request."""
    body = {
        "members": [{"alias": NAMES[at], "function": FUNCTIONS[at], "challenge": row["text"]} for at, row in enumerate(G1)],
        "minutes": 90,
        "starts_at": "2026-12-12T10:00",
        "time_zone": "Europe/Berlin",
    }
    body["members"][0]["report_back"] = "I told them in the canteen that I had said it, and nobody looked up."
    with httpx.Client(base_url=served, timeout=60) as client:
        found = client.post("/v1/sheets", json=body).raise_for_status().json()
        assert {"protocol", "minutes", "reason", "warnings", "opening", "rounds", "closing", "themes", "member_pages"} <= set(found)
        assert set(found["rounds"][0]) == {"case_giver", "roles", "phases"}
        assert {"name", "minutes", "starts_at", "speaks", "silent", "instruction", "questions"} <= set(found["opening"][0])
        for own in found["member_pages"]:
            for question in own["questions"]:
                for item in question["evidence"]:
                    _, _, at, name = item["of"].split("/")
                    assert body["members"][int(at)][name][item["start"] : item["end"]] == item["quote"]
        for kind in ("application/pdf", "text/html", "text/markdown", "text/calendar"):
            answer = client.post("/v1/sheets", json=body, headers={"accept": kind}).raise_for_status()
            assert answer.headers["content-type"] == (f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
            assert answer.headers["cache-control"] == "no-store"
        policy = client.post("/v1/sheets", json=body, headers={"accept": "text/html"}).headers.get_list("content-security-policy")
        assert all("script" not in one for one in policy)
        assert len(client.get("/v1/protocols").json()) == 9
        bad = [({"minutes": 5}, "slot-size"), ({"protocol": "balint"}, "group-size"), ({"protocol": "x"}, "unknown-protocol")]
        for change, code in bad:
            problem = client.post("/v1/sheets", json=body | change)
            assert (problem.status_code, problem.json()["code"]) == (422, code)
        twice = client.post("/v1/sheets", json=body | {"members": [{"alias": "Ada"}, {"alias": "ada"}, {"alias": "Jo"}]}).json()
        assert (twice["code"], twice["pointer"]) == ("same-alias", "/members/1/alias")
        line = client.post("/v1/sheets", json=body | {"members": [{"alias": "Ada"}, {"alias": "Jo", "reports_to": "Ada "}, {"alias": "Ed"}]}).json()
        assert (line["code"], line["pointer"]) == ("reporting-line", "/members/1/reports_to")
        named = client.post("/v1/sheets", json=body | {"members": [{"alias": "A\nB"}, {"alias": "C"}, {"alias": "D"}]}).json()
        assert (named["code"], named["pointer"]) == ("malformed", "/members/0/alias")


def test_on_the_command_line_files_become_a_sheet(coach, tmp_path):
    """Each file a member, further ones by name; the ending says what it becomes."""
    for at, row in enumerate(G1[:2]):
        (tmp_path / f"{NAMES[at]}.{FUNCTIONS[at]}.txt").write_text(row["text"], encoding="utf-8")
    files = [str(path) for path in sorted(tmp_path.glob("*.txt"))]
    environ = {"COACH_DATA_DIR": str(coach.settings.data_dir)}

    def run(*arguments):
        return CliRunner().invoke(cli, ["prepare", *arguments], obj=environ)

    told = run(*files, "--members", "Cem/finance, Dee", "--minutes", "60")
    assert told.exit_code == 0, told.output
    assert ", 60 minutes" in told.stdout.splitlines()[0]
    for ending in ("pdf", "html", "md", "json", "ics"):
        done = run(*files, "--members", "Cem, Dee", "--out", str(tmp_path / f"s.{ending}"), "--starts-at", "2026-12-12T10:00")
        assert done.exit_code == 0, done.output
        assert (tmp_path / f"s.{ending}").stat().st_size > 500
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["object"] == "sheet"
    assert "peer-round" in run("--protocols").output
    assert run(*files, "--minutes", "5", "--members", "Cem").exit_code == 2
    assert run(*files, "--out", str(tmp_path / "s.doc")).exit_code == 2


def test_questions_of_sheets_pass_the_guard_and_are_unlike():
    """All of them, a function in its slot; and rounds get equal shares."""
    texts = [one.draft.text.replace("{function}", function) for one in ALL.questions for function in ("operations", "the night shift")]
    assert [text for text, verdict in zip(texts, guard.check_all(texts, language="en"), strict=True) if not verdict.accept] == []
    assert rounds_that_fit(ALL.protocols["peer-round"], 90, 4, 4) == 4
    assert rounds_that_fit(ALL.protocols["peer-round"], 90, 6, 6) == 3


async def test_two_groups_at_once_are_not_mixed_up(coach):
    """Each page its own words."""
    one = Group(members(4, [row["text"] for row in G1]), 90)
    two = Group(members(4, [row["text"] for row in G1[::-1]]), 90)
    made = await asyncio.gather(prepare(one, coach.groups), prepare(two, coach.groups))
    for sheet, group in zip(made, (one, two), strict=True):
        check(sheet, group)
        for own, member in zip(sheet.pages, group.members, strict=True):
            assert all(item.quote in member.challenge for question in own.questions for item in question.draft.evidence)
