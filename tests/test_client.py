import asyncio
import inspect
import json
import os
import re
import subprocess
import sys
import traceback
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import httpx2
import msgspec
import pytest

from coach import client as api
from coach.client import (
    About,
    AsyncClient,
    CheckRequest,
    Client,
    DocumentIn,
    ExchangeIn,
    FileRequest,
    Follows,
    Form,
    HandIn,
    InvitedIn,
    Media,
    MemberIn,
    Move,
    Perspective,
    ReflectionRequest,
    ReplyRequest,
    ReportRequest,
    Retries,
    SessionRequest,
    SheetRequest,
    Skill,
    SummaryRequest,
    calls,
    errors,
)
from coach.client.reading import seconds
from coach.client.retrying import again
from coach.settings import Settings
from coach.web.app import create_app
from coach.web.examples import OWN
from coach.web.problems import CATALOGUE
from coach.wire.reflections import EVENTS, AskedOut, ClosedOut, FailedOut, OpenedOut
from coach.wire.service import Problem
from coach.wire.sessions import SessionOut
from tests.conftest import ORDINARY, serving
from tests.scripted import Scripted, answer, head, refusal

ROOT = Path(__file__).parent.parent
TEXT = ORDINARY[5]["text"]
SECRET = "I told Marigold Fenwick that the audit of Larchmont was hers and she cried in the stairwell."
OPENED = {"id": "r_1", "object": "reflection", "language": "en", "disclosure": "D.", "kept": None}
OPENED |= {"provenance": {"engine": "bank", "model": None, "prompt": None, "knowledge": "k", "guard": "g"}}
NOTICE = {"code": "c", "message": "m"}
FAILED = {"code": "internal", "detail": "It broke off."}
DOCUMENT = msgspec.convert(OWN, DocumentIn)
SOON = Retries(most=4, within=5.0, first=0.01)


class Driven:
    """The asynchronous client, called like the other, so that one test holds both to the same."""

    def __init__(self, *arguments, **named):
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*arguments, **named)

    def __getattr__(self, name):
        def call(*arguments, **named):
            made = getattr(self._client, name)(*arguments, **named)
            return self._iterated(made) if inspect.isasyncgen(made) else self._runner.run(made)

        return call

    def _iterated(self, made):
        async def following():
            return await anext(made, None)

        try:
            while (item := self._runner.run(following())) is not None:
                yield item
        finally:
            self._runner.run(made.aclose())

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        self._runner.run(self._client.aclose())
        self._runner.close()


@pytest.fixture(params=[Client, Driven], ids=["sync", "async"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def remembering_url(coach, tmp_path_factory):
    """A service that keeps things, to which nobody was given a key."""
    store = f"sqlite:///{tmp_path_factory.mktemp('kept') / 'kept.db'}"
    with serving(replace(coach, settings=replace(coach.settings, store=store))) as url:
        yield url


@pytest.fixture
def client(kind, remembering_url):
    with kind(remembering_url) as found:
        yield found


def event(number, name, data):
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()


STREAM = head() + event(1, "opened", OPENED) + event(2, "notice", NOTICE) + event(3, "failed", FAILED)


def test_a_challenge_in_and_questions_out(client):
    """A string alone, or a request with what else is wished."""
    assert len(client.reflect(TEXT).questions) == 3
    found = client.reflect(ReflectionRequest(challenge=TEXT, count=2, focus=[Skill.CURIOSITY]))
    assert len(found.questions) == 2
    assert found.acknowledgement.evidence[0].quote in TEXT
    exchanges = [ExchangeIn(question=found.questions[0].text, reply="I never asked him.")]
    assert len(client.reflect(ReflectionRequest(challenge=TEXT, exchanges=exchanges)).questions) == 1


def test_a_stream_is_the_same_answer_in_the_classes_of_its_events(client):
    """One whole question each; the last says that nothing more will come."""
    whole = client.reflect(TEXT)
    got = list(client.stream(TEXT))
    assert isinstance(got[0], OpenedOut)
    assert isinstance(got[-1], ClosedOut)
    assert [one.question for one in got if isinstance(one, AskedOut)] == whole.questions
    assert {type(one) for one in got} <= set(EVENTS.values())


def test_what_somebody_wrote_comes_back_character_by_character_in_a_stream(client):
    """Letters at which some libraries break lines are no ends of lines here."""
    text = "I never asked him\u2028what it was like\u0085 and \u2029nobody has mentioned it since that night. I was too busy being right to hear it."
    quoted = [item for one in client.stream(text) if isinstance(one, AskedOut) for item in one.question.evidence]
    assert quoted
    for item in quoted:
        assert text[item.start : item.end] == item.quote


def test_a_kept_reflection_from_its_beginning_to_its_end(client):
    """Begun, gone on with, told about, summed up, read, listed page by page, taken along, erased; by its token where nobody has a key."""
    client.erase_all()
    begun = client.reflect(ReflectionRequest(challenge=TEXT, store=True, retention_days=2))
    token = begun.kept.continue_token
    assert client.reply(begun.id, "I never asked him what it was like.", token=token).id == begun.id
    assert isinstance(list(client.stream_reply(begun.id, ReplyRequest(move=Move.SKIP), token=token))[-1], ClosedOut)
    assert client.report_back(begun.id, ReportRequest(learned="I was the last to know."), token=token).questions
    assert isinstance(list(client.stream_report_back(begun.id, ReportRequest(tried="I asked him on Monday morning.")))[-1], ClosedOut)
    client.edit_summary(begun.id, SummaryRequest(seen="That I was right, and alone.", to_try="Ask first."), token=token)
    assert client.summary(begun.id, token=token).seen == "That I was right, and alone."
    assert b"> Ask first." in client.summary_as(Media.MARKDOWN, begun.id, token=token)
    whole = client.read(begun.id)
    assert whole.challenge == TEXT
    assert [one.learned for one in whole.report_backs] == ["I was the last to know.", ""]
    others = [client.reflect(ReflectionRequest(challenge=TEXT, store=True)).id for _ in range(3)]
    assert [one.id for one in client.reflections(page=2)] == [*reversed(others), begun.id]
    assert [one.id for one in client.export()] == [begun.id, *others]
    assert next(client.export()) == client.read(begun.id)
    assert client.erase(begun.id, token=token).swept is True
    with pytest.raises(errors.NotFound):
        client.read(begun.id)
    assert client.erase_all().reflections == 3


def test_a_sheet_in_all_its_forms(client):
    """Data, Markdown, HTML, PDF, a calendar entry."""
    members = [MemberIn(alias=name, function=name.lower(), challenge=TEXT if name == "Ada" else "") for name in ("Ada", "Ben", "Cem", "Dee")]
    wanted = SheetRequest(members=members, minutes=60, starts_at="2026-12-12T10:00", time_zone="Europe/Berlin")
    assert client.sheet(wanted).minutes == 60
    begins = {Media.MARKDOWN: b"#", Media.HTML: b"<!doctype html>", Media.PDF: b"%PDF-", Media.CALENDAR: b"BEGIN:VCALENDAR"}
    for media, first in begins.items():
        assert client.sheet_as(media, wanted).startswith(first)
    with pytest.raises(errors.NotUnderstood):
        client.sheet_as(Media.PLAIN, wanted)
    assert {one.id for one in client.protocols()} >= {"troika", "case-clinic"}
    with pytest.raises(errors.SheetMisfit) as raised:
        client.sheet(SheetRequest(members=members, minutes=2))
    assert (raised.value.code, raised.value.pointer) == ("slot-size", "/minutes")
    assert raised.value.problem.least > 2


def test_a_group_meets(client):
    """The host invites; a member hands in alone, tells what came of it, withdraws; the sheet is read by both; the next session carries on."""
    ahead = datetime.now(UTC) + timedelta(days=2)
    members = [InvitedIn(alias=name) for name in ("Ada", "Ben", "Cem", "Dee")]
    wanted = SessionRequest(members=members, minutes=60, deadline=ahead, name="December", starts_at="2026-12-12T10:00")
    made = client.convene(wanted)
    host, ada = made.host_token, made.invitations[0].token
    assert client.hand_in(made.id, ada, HandIn(challenge=TEXT)).challenge == TEXT
    assert [one.handed_in for one in client.session(made.id, token=host).members] == [True, False, False, False]
    assert client.make_session_sheet(made.id, token=host) == client.session_sheet(made.id, token=ada)
    assert client.session_sheet_as(Media.PDF, made.id, token=host).startswith(b"%PDF-")
    assert b"BEGIN:VEVENT" in client.session_sheet_as(Media.CALENDAR, made.id, token=ada)
    assert client.seat(made.id, ada).page.questions
    assert client.file_report(made.id, ada, FileRequest(learned="That I was alone with it.", share=True)).filed.learned == "That I was alone with it."
    after = client.convene(SessionRequest(members=members, minutes=60, deadline=ahead, follows=Follows(id=made.id, host_token=host)))
    assert client.make_session_sheet(after.id, token=after.host_token).carried[0].learned == "That I was alone with it."
    assert {type(one) for one in client.export()} == {SessionOut}
    assert client.withdraw(made.id, ada).swept is True
    for one in (made, after):
        assert client.erase_session(one.id, token=one.host_token).swept is True
    with pytest.raises(errors.NotFound):
        client.seat(made.id, made.invitations[1].token)


def test_what_the_service_says_of_itself(client):
    """Verdicts, who answers, what a problem means, how it is."""
    verdicts = client.check(CheckRequest(texts=["What have you tried?", "Have you thought of a weekly meeting?"])).verdicts
    assert [one.accept for one in verdicts] == [True, False]
    assert client.about().artificial_intelligence is False
    assert client.problems()["busy"] == client.problem("busy")
    assert client.ready().status == "ok"
    assert client.live() is True


def test_the_library_is_read_and_searched(client):
    """By page, by meaning, by what a question is about; a document whole, as data and as a text."""
    first = client.guidance(limit=2)
    assert len(first.data) == 2
    assert client.guidance(limit=2, after=first.next).data[0].title > first.data[1].title
    nearest = client.guidance("the night shift never tells us what went wrong", limit=1)
    assert (nearest.data[0].id, nearest.notices) == ("the-handover", [])
    whole = client.read_guidance("the-handover")
    assert client.read_guidance_as(Media.MARKDOWN, whole.id).startswith(f"# {whole.title}".encode())
    found = client.questions("she took the credit", skill=Skill.HUMILITY, about=About.SELF, perspective=Perspective.OWN, form=Form.HUMBLE, limit=3)
    assert {(one.skill, one.about, one.perspective, one.form) for one in found.data} == {("humility", "self", "own", "humble")}
    assert client.questions(limit=1, after=client.questions(limit=1).next).data
    with pytest.raises(errors.Malformed):
        client.guidance(limit=0)
    with pytest.raises(errors.NotFound):
        client.read_guidance("nothing")


def test_guidance_of_ones_own_from_its_beginning_to_its_end(client):
    """Put, found beside ours, listed over pages, read, erased; what is not as guidance has to be is refused with what is wrong."""
    for name in ("a-return", "b-return", "c-return"):
        assert client.put_document("acme", name, DOCUMENT).id == name
    assert [one.id for one in client.documents("acme", page=2)] == ["a-return", "b-return", "c-return"]
    assert client.guidance(DOCUMENT.when[0], knowledge=["acme"], limit=1).data[0].collection == "acme"
    assert client.read_document("acme", "a-return").title == DOCUMENT.title
    assert client.read_document_as(Media.MARKDOWN, "acme", "a-return").startswith(f"# {DOCUMENT.title}".encode())
    assert client.erase_document("acme", "a-return").document == "a-return"
    with pytest.raises(errors.NotFound):
        client.read_document("acme", "a-return")
    with pytest.raises(errors.KnowledgeFaults) as raised:
        client.put_document("acme", "short", msgspec.structs.replace(DOCUMENT, sections=DOCUMENT.sections[:1]))
    assert "250" in raised.value.detail
    assert client.erase_collection("acme").collection == "acme"
    with pytest.raises(errors.NotFound):
        list(client.documents("acme"))


def _asked_for():
    given = {"identifier": "{identifier}", "token": "{token}", "code": "{code}", "media": Media.PDF, "paper": "A4", "limit": 1, "after": None}
    given |= {"minutes": 40, "collection": "{name}", "q": "", "knowledge": (), **dict.fromkeys(("skill", "about", "perspective", "form"))}
    bodies = {"reflect": "x", "reply": "x", "report_back": ReportRequest(), "edit_summary": SummaryRequest(), "check": CheckRequest(texts=[])}
    bodies |= dict.fromkeys(("sheet", "sheet_as"), SheetRequest(members=[], minutes=1)) | {"hand_in": HandIn(), "file_report": FileRequest()}
    bodies |= {"put_document": DOCUMENT, "convene": SessionRequest(members=[], minutes=1, deadline=datetime.now(UTC))}
    for name, make in inspect.getmembers(calls, inspect.isfunction):
        if make.__module__ == calls.__name__ and not name.startswith("_"):
            call = make(**{one: bodies[name] if one == "request" else given[one] for one in inspect.signature(make).parameters})
            yield call.method.lower(), call.path.replace("%7B", "{").replace("%7D", "}")


def test_there_is_a_call_for_every_operation_and_both_clients_have_it(coach):
    """As the OpenAPI document lists them."""
    paths = create_app(coach).openapi_schema.to_schema()["paths"]
    assert set(_asked_for()) == {(method, path) for path, methods in paths.items() for method in methods}
    both = [{name for name in dir(one) if not name.startswith("_")} for one in (Client, AsyncClient)]
    assert both[0] - {"close"} == both[1] - {"aclose"}


def test_the_two_clients_are_twins():
    """Line by line: what one awaits, the other does."""
    folder = Path(api.__file__).parent
    text = (folder / "asynchronous.py").read_text(encoding="utf-8")
    for there, here in (
        (r"AsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]"),
        (r"AsyncGenerator, AsyncIterable, Callable, Mapping", "Callable, Generator, Iterable, Mapping"),
        (r"await |async (?=def|with|for)", ""),
        (r"asyncio", "time"),
        (r"aclos|aexit|aenter|aread|aiter", lambda match: match[0][1:]),
        (r"Async(?=Client|Base|Iterable)", ""),
    ):
        text = re.sub(there, here, text)
    twin = (folder / "synchronous.py").read_text(encoding="utf-8")
    assert text.partition("\n")[2] == twin.partition("\n")[2]


def test_a_busy_service_is_asked_again_when_it_says_and_not_before(kind):
    """429, 503, and a request that is still in flight: each after its Retry-After, with one key for all tries."""
    busy = answer(refusal("busy", 503), "503 Busy", retry_after="1")
    flight = answer(refusal("idempotency-in-flight", 409), "409 Conflict", retry_after="0")
    many = answer(refusal("rate-limited", 429), "429 Too Many Requests", retry_after="0")
    about = answer({"status": "ok", "parts": {}})
    with Scripted(busy, flight, many, STREAM, about, STREAM) as server, kind(server.url, "key_1", retries=SOON) as client:
        begun = datetime.now(UTC)
        assert [type(one) for one in client.stream(TEXT)][-1] is FailedOut
        assert datetime.now(UTC) - begun > timedelta(seconds=1)
        assert client.ready().status == "ok"
        list(client.stream(TEXT))
    keys = [one.headers.get("idempotency-key") for one in server.asked]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", keys[0])
    assert keys[:4] == [keys[0]] * 4
    assert keys[4] is None
    assert keys[5] not in {keys[0], None}
    assert len({one.body for one in server.asked[:4]}) == 1
    assert {one.headers["authorization"] for one in server.asked} == {"Bearer key_1"}


@pytest.mark.parametrize(
    ("bounds", "after", "tries"),
    [(Retries(most=2, within=60, first=0.01), None, 3), (Retries(most=9, within=2, first=0.01), "30", 1), (Retries(most=0), "0", 1)],
)
def test_there_is_an_end_to_trying(kind, bounds, after, tries):
    """After so many tries, or where the wait would pass the bound: then the error says how long the wait would have been."""
    busy = answer(refusal("busy", 503), "503 Busy", **({"retry_after": after} if after else {}))
    with Scripted(busy) as server, kind(server.url, retries=bounds) as client, pytest.raises(errors.Unavailable) as raised:
        client.reflect(TEXT)
    assert len(server.asked) == tries
    assert raised.value.retry_after == (float(after) if after else None)


def test_what_waiting_does_not_mend_is_not_tried_again(kind):
    """A refusal for a reason of the request's, a fault, a key that does not fit, silence."""
    refused = {"malformed": 400, "not-kept": 404, "conflict": 409, "internal": 500, "model-timeout": 504, "store-key-wrong": 503}
    refused |= {"collection-broken": 503, "forbidden": 403, "idempotency-mismatch": 422}
    for code, status in refused.items():
        with Scripted(answer(refusal(code, status), f"{status} No", retry_after="0")) as server, kind(server.url) as client:
            with pytest.raises(errors.Refused) as raised:
                client.reflect(TEXT)
            assert (raised.value.code, raised.value.status, len(server.asked)) == (code, status, 1)
    with Scripted(b"", hold=True) as server, kind(server.url, timeout=0.2) as client:
        with pytest.raises(errors.TooSlow):
            client.reflect(TEXT)
        assert len(server.asked) == 1


def test_nobody_there_is_tried_again_until_somebody_is(kind):
    """A connection that is cut before the answer, then one that is not; and a port where nobody is."""
    with Scripted(b"", head("200 OK")[:20], STREAM) as server, kind(server.url, retries=SOON) as client:
        assert len(list(client.stream(TEXT))) == 3
        assert len(server.asked) == 3
    with kind(server.url, retries=Retries(most=2, first=0.01)) as client, pytest.raises(errors.NoAnswer) as raised:
        client.about()
    assert str(raised.value) == "No answer came (ConnectError)."


def test_a_stream_that_drops_is_gone_on_with_where_the_same_answer_is_sent_again(kind):
    """Nothing twice, nothing left out; cut within an event, and within a letter of it."""
    first = head() + event(1, "opened", OPENED) + event(2, "notice", {"code": "é", "message": "m"})
    with Scripted(first[:-25], first + b"id: 3\nevent: fai", STREAM) as server, kind(server.url, retries=SOON) as client:
        got = list(client.stream(TEXT))
    assert [type(one) for one in got] == [EVENTS["opened"], EVENTS["notice"], EVENTS["failed"]]
    assert len(server.asked) == 3
    assert len({one.headers["idempotency-key"] for one in server.asked}) == 1


class Dropped(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """A line that drops when the first answer is through, before it is read."""

    def __init__(self):
        self._sync, self._async = httpx2.HTTPTransport(), httpx2.AsyncHTTPTransport()
        self.replayed = []

    def handle_request(self, request):
        response = self._sync.handle_request(request)
        response.read()
        return self._first(response)

    async def handle_async_request(self, request):
        response = await self._async.handle_async_request(request)
        await response.aread()
        return self._first(response)

    def close(self):
        self._sync.close()

    async def aclose(self):
        await self._async.aclose()

    def _first(self, response):
        self.replayed.append(response.headers.get("idempotency-replayed"))
        if len(self.replayed) == 1:
            raise httpx2.ReadError("gone")
        return response


def test_an_answer_that_got_lost_on_the_way_comes_again_and_nothing_is_done_twice(kind, remembering_url):
    """With the real service: one reflection is kept, and it is the one that the second try brings."""
    line = Dropped()
    with kind(remembering_url, transport=line, retries=SOON) as client:
        client.erase_all()
        line.replayed.clear()
        begun = client.reflect(ReflectionRequest(challenge=TEXT, store=True))
        assert [one.id for one in client.reflections()] == [begun.id]
        client.erase_all()
    assert line.replayed == [None, "true", None, None]


def test_two_answers_are_never_mixed(kind):
    """Where a service does not replay, what was had before the line dropped stands, and that is said."""
    other = head() + event(1, "opened", OPENED | {"id": "r_2"}) + event(2, "failed", FAILED)
    got = []
    with Scripted(head() + event(1, "opened", OPENED), other) as server, kind(server.url, retries=SOON) as client:
        with pytest.raises(errors.Interrupted):
            got.extend(client.stream(TEXT))
        assert len(server.asked) == 2
    assert [one.id for one in got] == ["r_1"]


def test_closing_the_iterator_closes_the_connection(kind):
    """Which ends the work of the service."""
    with Scripted(head() + event(1, "opened", OPENED), hold=True) as server, kind(server.url) as client:
        with closing(client.stream(TEXT)) as got:
            assert next(got).id == "r_1"
            assert not server.left.is_set()
        assert server.left.wait(5)


def test_what_a_later_service_adds_is_passed_over(kind):
    """Events, fields, kinds of exported lines and codes that this version does not know."""
    later = head() + event(1, "opened", OPENED | {"mood": "none"}) + event(2, "weather", {"rain": True}) + event(3, "failed", FAILED | {"more": [1]})
    end = {"object": "end", "reflections": 0, "sessions": 0, "sheets": 1}
    lines = b"".join(json.dumps(one).encode() + b"\n" for one in ({"object": "sheet", "id": "s"}, end))
    odd = answer(refusal("some-new-code", 422, extra={"a": 1}), "422 No")
    export = head(kind="application/x-ndjson") + lines
    with Scripted(later, answer({"status": "ok", "parts": {}, "uptime": 3}), export, odd) as server, kind(server.url) as client:
        assert [type(one) for one in client.stream(TEXT)] == [OpenedOut, FailedOut]
        assert client.ready().status == "ok"
        assert list(client.export()) == []
        with pytest.raises(errors.BadRequest) as raised:
            client.reflect(TEXT)
    assert raised.value.code == "some-new-code"


def test_an_export_that_breaks_off_says_so(kind):
    """Where the last line is missing or counts others than came; it is not begun again behind one's back."""
    for last in (b"", b'{"object": "end", "reflections": 2, "sessions": 0}\n'):
        with Scripted(head(kind="application/x-ndjson") + b'{"object": "new"}\n' + last) as server, kind(server.url, retries=SOON) as client:
            with pytest.raises(errors.Interrupted):
                list(client.export())
            assert len(server.asked) == 1


def test_an_answer_that_is_none_is_not_understood(kind):
    """A proxy's page with 200, another shape, a stream that is none; its text is not repeated."""
    page = answer(b"<html>Marigold</html>", kind="text/html")
    for given in (page, answer({"status": 7}), answer(b"\xff\xfe")):
        with Scripted(given) as server, kind(server.url) as client:
            for ask in (client.ready, lambda c=client: list(c.stream(TEXT))):
                with pytest.raises(errors.NotUnderstood) as raised:
                    ask()
                assert "Marigold" not in "".join(traceback.format_exception(raised.value))


def test_a_refusal_that_is_no_problem_document_is_told_by_its_status(kind):
    """Such as a proxy's; with the id of the request, if there is one."""
    page = answer(b"<html>Marigold</html>", "502 Bad", "text/html", x_request_id="req_9")
    with Scripted(page) as server, kind(server.url) as client, pytest.raises(errors.ServerFault) as raised:
        client.about()
    assert (raised.value.status, raised.value.code, raised.value.request_id) == (502, "unknown", "req_9")
    assert str(raised.value) == "It was refused without a problem document."


def test_every_code_of_the_service_has_its_error():
    """By its own name; one that says nothing closer is no help."""
    for code, meaning in CATALOGUE.items():
        kind = type(errors.refusal(Problem("t", "T", meaning.status, "No.", code, "r"), None))
        assert kind is not errors.Refused, code
        assert code in errors._BY_CODE or meaning.status in errors._BY_STATUS
    for code, kind in (("rate-limited", errors.Throttled), ("budget-spent", errors.BudgetSpent), ("foreign-origin", errors.Forbidden)):
        assert type(errors.refusal(Problem("t", "T", CATALOGUE[code].status, "No.", code, "r"), None)) is kind
    drawn = re.findall(r"[│├└─ ]+ (\w+)  ", errors.__doc__)
    classes = [name for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.ClientError)]
    assert sorted([*drawn, "ClientError"]) == sorted(classes)


def test_no_error_repeats_what_was_written(kind, remembering_url, caplog):
    """Neither its message, nor its traceback, nor a log."""
    caplog.set_level("DEBUG")
    with Scripted(b"") as gone, kind(gone.url, "key_9", retries=Retries(most=0)) as away, kind(remembering_url, "key_9") as client:
        for ask in (
            lambda: away.reflect(SECRET),
            lambda: list(away.stream(SECRET)),
            lambda: client.reflect(ReflectionRequest(challenge=SECRET, role="\x00")),
            lambda: client.reply("r_0", SECRET),
            lambda: client.hand_in("se_0", "mt_0", HandIn(challenge=SECRET)),
            lambda: client.guidance(SECRET, after="nobody"),
            lambda: client.put_document("acme", "short", msgspec.structs.replace(DOCUMENT, title=SECRET, sections=DOCUMENT.sections[:1])),
        ):
            with pytest.raises(api.ClientError) as raised:
                ask()
            told = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(raised.value.args)
            assert not re.search("Marigold|Larchmont|key_9", told)
    assert "/members/..." in caplog.text
    assert "/v1/guidance?q=...&limit=20" in caplog.text
    assert not re.search("Marigold|Larchmont|key_9|mt_0", caplog.text)
    assert "key_9" not in repr(calls.reflect(SECRET)) + repr(client)
    assert "Marigold" not in repr(calls.reflect(SECRET)) + repr(calls.guidance(SECRET, (), 20, None))


def test_retry_after_is_seconds_or_a_date():
    """RFC 9110; what is neither says nothing."""
    ahead = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert seconds({"retry-after": "7"}) == 7.0
    assert 25 < seconds({"retry-after": ahead}) <= 30
    assert seconds({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}) == 0.0
    assert seconds({"retry-after": "soon"}) is None
    assert seconds({}) is None
    assert not again(errors.NoAnswer("LocalProtocolError"))


@pytest.mark.parametrize(
    "base_url", ["127.0.0.1:8000", "coach.example", "ftp://coach.example", "http://", "http://[::1", "http://a b", "http://a:99999"]
)
def test_an_address_that_is_none_is_refused_when_the_client_is_made(kind, base_url):
    """With what would be one."""
    with pytest.raises(errors.Unsendable, match="http://127.0.0.1:8000"):
        kind(base_url)


@pytest.mark.parametrize("secret", ["ck_ü", "ck_x\n", "ck_x\r\nx: y", "ck x", "ck_\ud800", "ck_\x00"])
def test_a_secret_that_cannot_travel_is_refused_and_not_repeated(kind, secret):
    """A key when the client is made, a token when the call begins; nothing is sent."""
    with pytest.raises(errors.Unsendable, match="The key holds") as raised:
        kind(api_key=secret)
    assert secret not in str(raised.value)
    with Scripted() as server, kind(server.url) as client:
        with pytest.raises(errors.Unsendable, match="The token holds"):
            client.read("r_1", token=secret)
        assert not server.asked


def test_a_text_that_is_none_is_refused_when_the_call_begins(kind):
    """Half a surrogate pair in a challenge, a search or a name; nothing is sent."""
    with Scripted() as server, kind(server.url) as client:
        for call in (
            lambda: client.reflect("one two three four \ud800 five"),
            lambda: client.stream("one two three four \ud800 five"),
            lambda: client.check(CheckRequest(texts=["\ud800?"])),
            lambda: client.guidance("\ud800"),
            lambda: client.read("\ud800"),
        ):
            with pytest.raises(errors.Unsendable, match="half a surrogate pair"):
                call()
        assert not server.asked


def test_the_environment_is_read_only_when_it_is_handed_over(monkeypatch):
    """COACH_URL and COACH_KEY, which the service passes over."""
    monkeypatch.setenv("COACH_URL", "http://elsewhere.example")
    with Client() as plain, Client.from_env({"COACH_URL": "https://coach.example/team/", "COACH_KEY": "key_1"}, timeout=3) as named:
        assert plain._target.base_url == "http://127.0.0.1:8000"
        assert (named._target.base_url, named._target.api_key, named._target.timeout) == ("https://coach.example/team/", "key_1", 3)
        assert str(named._http.build_request("GET", "/v1/about").url) == "https://coach.example/team/v1/about"
    assert Settings.from_env({"COACH_URL": "http://elsewhere.example", "COACH_KEY": "k"}) == Settings()


def test_what_is_left_at_its_default_is_not_sent():
    """So that an older service is not sent fields that it does not know."""
    assert json.loads(calls.reflect("one two").body) == {"challenge": "one two"}
    wanted = SheetRequest(members=[MemberIn(alias="Ada")], minutes=30)
    assert json.loads(calls.sheet(wanted).body) == {"members": [{"alias": "Ada"}], "minutes": 30}


def test_the_clients_import_nothing_heavy():
    """Nothing but httpx2, msgspec, and what those stand on."""
    code = "import sys, coach.client; print(*{name.partition('.')[0] for name in sys.modules})"
    names = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert "httpx2" in names
    heavy = {
        "litestar",
        "uvicorn",
        "chromadb",
        "onnxruntime",
        "numpy",
        "yaml",
        "openai",
        "tiktoken",
        "sqlalchemy",
        "click",
        "rich",
        "typst",
        "pydantic",
    }
    assert not names & heavy


BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", (ROOT / "coach" / "docs" / "clients.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("language", "block"), BLOCKS, ids=[f"{language}-{place}" for place, (language, _) in enumerate(BLOCKS)])
def test_the_examples_of_the_page_run(language, block, served):
    """As they stand, but for the address; each brings a question or says what is missing."""
    program = ("bash", "-ec") if language == "bash" else (sys.executable, "-W", "error", "-c")
    environ = {"PATH": os.environ["PATH"], "COACH_URL": served, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*program, block.replace("http://127.0.0.1:8000", served)], capture_output=True, text=True, env=environ, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "?" in done.stdout or done.stdout.startswith("422 challenge-too-thin /challenge The challenge has 2 words")


def test_the_typescript_client_is_served(served):
    """Its two files, and nothing else of that folder."""
    for name in ("coach.ts", "api.ts"):
        found = httpx.get(f"{served}/clients/{name}").raise_for_status()
        assert found.headers["content-type"] == "text/plain; charset=utf-8"
        assert found.text == (ROOT / "coach" / "client" / "typescript" / name).read_text(encoding="utf-8")
    assert httpx.get(f"{served}/clients/errors.py").status_code == 404
