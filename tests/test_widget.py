"""The widget in a real browser: on our page and on a stranger's, by mouse and by keyboard, with a service that is well and with one that is not."""

import asyncio
import gzip
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from playwright.sync_api import Page, expect

from coach.cli import cli
from coach.web import widget
from tests.browser import breaches
from tests.conftest import WRITEUPS, modelled, serving
from tests.provider import FakeProvider, answering, drafted

TEXT = next(row["text"] for row in WRITEUPS if row["id"] == "s01")
CRISIS = next(row["text"] for row in WRITEUPS if row["flag"] == "crisis")
VAGUE = "Things are just not great with the team at the moment. Energy is low, communication could be better. I don't really know where to start."
HARASSED = (
    "My boss keeps touching my back in meetings and made a comment about my body yesterday. I told him to stop and he laughed in front of everyone."
)
W = "reflection-coach"
STRICT = "default-src 'none'; script-src {service}; connect-src {service}; frame-src 'self'; base-uri 'none'"


@contextmanager
def elsewhere(answer):
    """A server of somebody else's: `answer` is given each request's handler."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def do_POST(self):
            answer(self)

        def do_OPTIONS(self):
            answer(self)

        def log_message(self, *_args):
            """Silence."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def said(handler, body, kind="text/html; charset=utf-8", status=200, **headers):
    """One answer."""
    handler.send_response(status)
    for name, value in {"content-type": kind, "access-control-allow-origin": "*", "access-control-allow-headers": "*", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body.encode())


def reflect(page: Page, text: str = TEXT) -> None:
    """Write and send."""
    page.locator(f"{W} #text").fill(text)
    page.get_by_role("button", name="Reflect").click()


def test_a_reflection_from_the_first_word_to_the_last(served, open_page):
    """Disclosure first, then one question at a time, each with its evidence and its passage; at the end the person's own words; axe finds nothing."""
    page = open_page(f"{served}/", viewport={"width": 1000, "height": 900})
    expect(page.locator(W)).to_contain_text("A program, not a person")
    assert breaches(page) == []
    reflect(page)
    asked = page.locator(f"{W} .question")
    expect(asked).to_be_visible()
    page.wait_for_timeout(400)  # it comes in softly
    assert breaches(page) == []
    page.get_by_text("Your words", exact=True).click()
    assert page.locator(f"{W} mark").inner_text() in TEXT
    page.get_by_text("From the library").click()
    expect(page.locator(f"{W} details").last).to_contain_text(", 1")
    seen = [asked.inner_text()]
    for name, reply in (
        ("Another question", ""),
        ("Leave it", ""),
        ("Answer", "Kofi never says anything."),
        ("Stay with this", "I have not asked him."),
    ):
        if reply:
            page.locator(f"{W} #reply").fill(reply)
        page.get_by_role("button", name=name).click()
        expect(asked).not_to_have_text(seen[-1])
        seen.append(asked.inner_text())
        assert page.locator(f"{W} .question").count() == 1
    assert len(set(seen)) == 5
    expect(page.locator(f"{W} .cover")).to_contain_text("Skills touched")
    page.get_by_role("button", name="Come to an end").click()
    page.get_by_role("button", name="Finish now").click()
    assert "Kofi never says anything." in page.locator(f"{W} #all").input_value()
    assert breaches(page) == []
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("button", name="Erase it").click()
    expect(page.locator(f"{W} #text")).to_have_value("")
    assert page.evaluate("localStorage.length + document.cookie.length") == 0


def test_by_keyboard_alone_from_the_first_word_to_the_last(served, open_page):
    """Tab and Enter; the focus goes where the question is, and at the end to the person's own words."""
    page = open_page(f"{served}/")
    page.locator(f"{W} #text").focus()
    page.keyboard.insert_text(TEXT)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(f"{W} .question")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("He left.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(f"{W} .heard")).to_contain_text("He left")
    expect(page.locator(f"{W} .question")).to_be_focused()
    before = page.locator(f"{W} .question").inner_text()
    for tabs, name in ((6, "Come to an end"), (3, "Finish now")):  # past the answer and the other moves, to the end of the row; and past the answer
        for _ in range(tabs):
            page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('reflection-coach').shadowRoot.activeElement.textContent") == name
        page.keyboard.press("Enter")
        expect(page.locator(f"{W} .question, {W} #all").first).not_to_have_text(before)
    expect(page.locator(f"{W} #all")).to_be_focused()
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(f"{W} #text")).to_have_value("")
    expect(page.locator(f"{W} #text")).to_be_focused()
    expect(page.locator(f"{W} .notice")).to_have_text("Erased.")


def test_escape_ends_the_call_and_gives_the_words_back(coach, open_page):
    """All the way: the provider's socket is closed within a second or two."""
    gone = threading.Event()

    async def never(call):
        await call.head()
        try:
            for _ in range(300):
                await asyncio.sleep(0.1)
                await call.delta(" ")
        finally:
            gone.set()

    with FakeProvider(never) as provider, serving(modelled(coach, provider.url)) as service:
        page = open_page(f"{service}/")
        reflect(page)
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()
        for _ in range(200):
            if provider.calls:
                break
            page.wait_for_timeout(50)
        page.keyboard.press("Escape")
        expect(page.locator(f"{W} #text")).to_have_value(TEXT)
        assert gone.wait(3)


def test_with_a_model_behind_it_the_person_is_told_first(coach, open_page):
    """Where the words go stands there before the first input; what the model drafted is asked like any other question."""
    drafts = ("What did you see in her face?", "What is yours in it?", "Whose silence was the louder one?")
    with FakeProvider(answering(drafted(*drafts), delay=0.005)) as provider, serving(modelled(coach, provider.url)) as service:
        page = open_page(f"{service}/")
        expect(page.locator(f"{W} .who")).to_contain_text("Your words are sent to 127.0.0.1, with names and numbers masked.")
        assert breaches(page) == []
        reflect(page)
        seen = []
        for _ in range(3):
            expect(page.locator(f"{W} .question")).not_to_have_text(seen[-1] if seen else "")
            seen.append(page.locator(f"{W} .question").inner_text())
            page.get_by_role("button", name="Another question").click()
        assert set(drafts) & set(seen)


def test_a_question_is_announced_once_and_whole(served, open_page):
    """Through one polite region."""
    page = open_page(f"{served}/")
    reflect(page)
    asked = page.locator(f"{W} .question")
    expect(asked).to_be_visible()
    assert page.locator(f"{W} [aria-live]").count() == 1
    assert page.locator(f"{W} [aria-live=polite]").inner_text().endswith(asked.inner_text())


@pytest.mark.parametrize(
    "options",
    [
        {"color_scheme": "dark"},
        {"forced_colors": "active"},
        {"viewport": {"width": 320, "height": 640}},
        {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
        {"reduced_motion": "reduce"},
    ],
    ids=["dark", "forced", "320", "200%", "still"],
)
def test_in_any_light_and_on_a_small_screen(served, open_page, options):
    """Nothing to scroll sideways, nothing too faint."""
    page = open_page(f"{served}/", **options)
    assert breaches(page) == []
    reflect(page)
    expect(page.locator(f"{W} .question")).to_be_visible()
    page.wait_for_timeout(400)
    assert breaches(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("framed", [False, True])
def test_on_a_strangers_page_with_a_strict_policy(coach, open_page, framed):
    """Two tags as the service prints them, no inline script or style allowed; also in a frame."""
    tags = {}

    def answer(handler):
        if framed and handler.path == "/":
            said(
                handler, '<!doctype html><title>t</title><iframe src="/inside" title="coach"></iframe>', content_security_policy=STRICT.format(**tags)
            )
        else:
            said(handler, f"<!doctype html><title>t</title>{tags['snippet']}", content_security_policy=STRICT.format(**tags))

    with elsewhere(answer) as stranger, serving(replace(coach, settings=replace(coach.settings, origins=stranger))) as service:
        tags |= {"snippet": widget.snippet(service), "service": service}
        page = open_page(f"{stranger}/")
        inside = page.frame_locator("iframe") if framed else page
        inside.locator(f"{W} #text").fill(TEXT)
        inside.get_by_role("button", name="Reflect").click()
        expect(inside.locator(f"{W} .question")).to_be_visible()


def test_a_crisis_replaces_everything(served, open_page):
    """Where help is, and nothing else; what was kept on the device is gone too."""
    page = open_page(f"{served}/")
    page.get_by_label("Keep on this device").check()
    reflect(page, CRISIS)
    expect(page.locator(f"{W} .help")).to_contain_text("112")
    assert page.locator(f"{W} textarea, {W} .question").count() == 0
    assert page.evaluate("localStorage.length") == 0
    assert breaches(page) == []
    page.reload()
    assert page.locator(f"{W} #text").input_value() == ""


@pytest.mark.parametrize(("text", "said"), [(VAGUE, "what happened, who was there"), ("Write me a poem about the sea please.", "situations at work")])
def test_where_there_is_nothing_to_ask_about_the_words_stay_in_the_field(served, open_page, text, said):
    """What would help stands above them; more is added and sent again; also after a reload, where they are kept."""
    page = open_page(f"{served}/", viewport={"width": 390, "height": 700})
    page.get_by_label("Keep on this device").check()
    reflect(page, text)
    expect(page.locator(f"{W} .notice")).to_contain_text(said)
    expect(page.locator(f"{W} .notice")).to_be_in_viewport(ratio=1)
    expect(page.locator(f"{W} [aria-live]")).to_contain_text(said)
    assert page.locator(f"{W} .help").count() == 0
    expect(page.locator(f"{W} #text")).to_be_focused()
    assert breaches(page) == []
    page.reload()
    expect(page.locator(f"{W} #text")).to_have_value(text)
    reflect(page, text)
    expect(page.locator(f"{W} .notice")).to_be_visible()
    page.keyboard.type(" " + TEXT)
    assert page.locator(f"{W} #text").input_value() == f"{text} {TEXT}"
    if text == VAGUE:
        page.get_by_role("button", name="Reflect").click()
        expect(page.locator(f"{W} .question")).to_be_visible()


@pytest.mark.parametrize("clipboard", [True, False])
def test_where_coaching_stops_the_words_can_be_taken_along_and_left_behind(served, open_page, clipboard):
    """Write-up, answers, and the reply on which it stopped; also where the clipboard is closed; then an empty field."""
    page = open_page(f"{served}/", viewport={"width": 390, "height": 700})
    reflect(page)
    asked = page.locator(f"{W} .question")
    first = asked.inner_text()
    page.locator(f"{W} #reply").fill("Kofi never says anything.")
    page.get_by_role("button", name="Answer").click()
    expect(asked).not_to_have_text(first)
    second = asked.inner_text()
    page.locator(f"{W} #reply").fill(CRISIS)
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(f"{W} .help h2")).to_be_focused()
    expect(page.locator(f"{W} .help h2")).to_be_in_viewport()
    if not clipboard:
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('closed')); }")
    page.get_by_role("button", name="Copy what you wrote").click()
    words = f"{TEXT.strip()}\n\n{first}\nKofi never says anything.\n\n{second}\n{CRISIS}"
    if clipboard:
        expect(page.locator(f"{W} [role=status]").filter(has_text="Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == words
    else:
        expect(page.locator(f"{W} #all")).to_have_value(words)
        assert breaches(page) == []
    assert page.evaluate("localStorage.length") == 0
    page.get_by_role("button", name="Begin again").click()
    expect(page.locator(f"{W} #text")).to_have_value("")
    expect(page.locator(f"{W} #text")).to_be_focused()
    assert page.locator(f"{W} .help").count() == 0


def test_beside_people_whose_task_it_is_stands_one_question_to_think_about(served, open_page):
    """No field under it; what the person chose to keep stays on the device, as only a crisis erases it."""
    page = open_page(f"{served}/")
    page.get_by_label("Keep on this device").check()
    reflect(page, HARASSED)
    expect(page.locator(f"{W} .help")).to_contain_text("ombudsperson")
    expect(page.locator(f"{W} .ponder")).to_contain_text("What kind of support would you want beside you in this?")
    expect(page.locator(f"{W} [aria-live]")).to_contain_text("What kind of support")
    assert page.locator(f"{W} textarea, {W} .question").count() == 0
    assert breaches(page) == []
    page.reload()
    expect(page.locator(f"{W} #text")).to_have_value(HARASSED)
    reflect(page, HARASSED)
    page.get_by_role("button", name="Begin again").click()
    expect(page.locator(f"{W} #text")).to_have_value("")
    assert page.evaluate("localStorage.length") == 0


def test_help_stays_where_the_line_drops_after_it(served, open_page):
    """Nothing replaces it but the person."""
    signpost = {"flag": "hr_legal", "text": "There are people for this.", "emergency": None, "help": []}
    stream = OPENED + f"event: signpost\ndata: {json.dumps(signpost)}\n\n"
    with elsewhere(lambda handler: said(handler, "{}") if handler.command != "POST" else said(handler, stream, "text/event-stream")) as dropping:
        page = open_page(f"{served}/about")
        page.goto(f"{dropping}/")
        page.set_content(
            f'<!doctype html><html lang="en"><script type="module" src="{served}{widget.path()}"></script><{W} endpoint="{dropping}/"></{W}>'
        )
        reflect(page)
        expect(page.locator(f"{W} .help")).to_contain_text("There are people for this.")
        page.evaluate("document.querySelector('reflection-coach').setAttribute('lang', 'de')")
        page.evaluate("document.body.append(document.querySelector('reflection-coach'))")
        page.wait_for_timeout(300)
        expect(page.locator(f"{W} .help")).to_contain_text("There are people for this.")


def test_to_end_with_nothing_answered_takes_one_press(served, open_page):
    """No question about what was not said; and there is a way back to the question that waits."""
    page = open_page(f"{served}/")
    reflect(page)
    asked = page.locator(f"{W} .question").inner_text()
    page.get_by_role("button", name="Come to an end").click()
    expect(page.locator(f"{W} #all")).to_have_value(TEXT.strip())
    page.get_by_role("button", name="Back to the conversation").click()
    expect(page.locator(f"{W} .question")).to_have_text(asked)
    expect(page.locator(f"{W} .question")).to_be_focused()


def test_one_of_the_last_questions_is_called_so_and_can_be_left_out(served, open_page):
    """Finish now goes to the last page, and takes along what stands in the field; whoever answers is asked on, until nothing is left to ask."""
    page = open_page(f"{served}/")
    reflect(page)
    page.locator(f"{W} #reply").fill("Kofi never says anything.")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator(f"{W} .heard")).to_contain_text("Kofi")
    page.get_by_role("button", name="Come to an end").click()
    card, asked = page.locator(f"{W} .card"), page.locator(f"{W} .question")
    expect(card).to_contain_text("One of the last questions. You can also finish now.")
    assert "put aside" not in card.inner_text()
    assert page.get_by_role("button", name="Come to an end").count() == 0
    page.wait_for_timeout(400)  # it comes in softly
    assert breaches(page) == []
    last = asked.inner_text()
    page.locator(f"{W} #reply").fill("That I never asked him.")
    page.get_by_role("button", name="Finish now").click()
    expect(page.locator(f"{W} #all")).to_have_value(re.compile(re.escape(f"{last}\nThat I never asked him.") + "$"))
    page.get_by_role("button", name="Back to the conversation").click()
    expect(card).to_contain_text("One of the last questions.")
    seen = [last]
    for reply in ("I want to ask him on Monday, over coffee.", "That silence is a kind of answer."):
        expect(asked).not_to_have_text(seen[-1])
        seen.append(asked.inner_text())
        page.locator(f"{W} #reply").fill(reply)
        page.get_by_role("button", name="Answer").click()
    expect(page.locator(f"{W} #all")).to_have_value(re.compile("That silence is a kind of answer.$"))
    page.get_by_role("button", name="Back to the conversation").click()  # the last one was answered: one that stays with it
    expect(asked).not_to_have_text(seen[-1])
    expect(page.get_by_role("button", name="Come to an end")).to_be_visible()


def test_the_last_page_holds_plain_words_and_the_download_is_markdown(served, open_page):
    """Questions without an answer are not the person's words; what was changed stays changed on the way back and forth; erasing asks once."""
    page = open_page(f"{served}/")
    reflect(page)
    asked = page.locator(f"{W} .question")
    left = asked.inner_text()
    page.get_by_role("button", name="Leave it").click()
    expect(asked).not_to_have_text(left)
    question = asked.inner_text()
    page.locator(f"{W} #reply").fill("Kofi never says anything.")
    page.get_by_role("button", name="Answer").click()
    expect(asked).not_to_have_text(question)
    page.get_by_role("button", name="Come to an end").click()
    page.get_by_role("button", name="Finish now").click()
    area = page.locator(f"{W} #all")
    expect(area).to_have_value(f"{TEXT.strip()}\n\n{question}\nKofi never says anything.")
    area.fill(f"Changed.\n\n{question}\nKofi never says anything.")
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == f"Changed.\n\n{question}\nKofi never says anything."
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "reflection.md"
    assert Path(download.value.path()).read_text() == f"# What you said\n\nChanged.\n\n**{question}**\n\nKofi never says anything.\n"
    assert left not in page.evaluate("document.querySelector('reflection-coach').export()")
    page.get_by_role("button", name="Back to the conversation").click()
    last = asked.inner_text()
    page.locator(f"{W} #reply").fill("I have not asked him.")
    page.get_by_role("button", name="Finish now").click()
    expect(area).to_have_value(f"Changed.\n\n{question}\nKofi never says anything.\n\n{last}\nI have not asked him.")
    page.get_by_role("button", name="Erase").click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    assert breaches(page) == []
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("button", name="Erase")).to_be_focused()
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("button", name="Erase it").click()
    expect(page.locator(f"{W} .notice")).to_have_text("Erased.")
    expect(page.locator(f"{W} .notice")).to_be_in_viewport()
    expect(page.locator(f"{W} [aria-live]")).to_have_text("Erased.")
    expect(page.locator(f"{W} #text")).to_be_focused()


@pytest.mark.parametrize(
    ("language", "said", "reflects"),
    [
        ("de", "Die Fragen kommen vorerst auf Englisch.", "Nachdenken"),
        ("fr", "les questions viennent en anglais", "Réfléchir"),
        ("es", "las preguntas vienen en inglés", "Reflexionar"),
    ],
)
def test_that_questions_come_in_english_is_said_before_and_with_the_first(served, open_page, language, said, reflects):
    """In the words of the widget, once each."""
    page = open_page(f"{served}/")
    page.evaluate(f"document.querySelector('reflection-coach').setAttribute('lang', '{language}')")
    expect(page.locator(f"{W} .card")).to_contain_text(said)
    assert breaches(page) == []
    page.locator(f"{W} #text").fill(TEXT)
    page.get_by_role("button", name=reflects, exact=True).click()
    expect(page.locator(f"{W} .notice")).to_contain_text(said)
    first = page.locator(f"{W} .question").inner_text()
    page.locator(f"{W} #reply").fill("Kofi never says anything.")
    page.locator(f"{W} button.main").click()
    expect(page.locator(f"{W} .question")).not_to_have_text(first)
    assert page.locator(f"{W} .notice").count() == 0


def test_who_writes_in_another_language_on_an_english_page_is_told_too(served, open_page):
    """In the words of the service."""
    page = open_page(f"{served}/")
    assert "in English" not in page.locator(f"{W} .card").inner_text()
    reflect(page, "Ich habe Tom am Montag vor allen angeschrien, und er hat seitdem nicht mehr mit mir gesprochen. Das Team hat zugesehen.")
    expect(page.locator(f"{W} .notice")).to_contain_text("The questions are in English, for now.")


def test_the_ring_says_what_it_is_and_what_it_is_not(served, open_page):
    """No score."""
    page = open_page(f"{served}/")
    reflect(page)
    expect(page.locator(f"{W} .cover")).to_contain_text("It is no score.")


def test_a_conversation_is_where_it_was_after_a_reload_if_that_is_ticked(served, open_page):
    """Questions, answers and the half of one; the last page with what was changed on it; without the tick nothing at all."""
    page = open_page(f"{served}/")
    page.get_by_label("Keep on this device").check()
    reflect(page)
    asked = page.locator(f"{W} .question")
    first = asked.inner_text()
    page.locator(f"{W} #reply").fill("Kofi never says anything.")
    page.get_by_role("button", name="Answer").click()
    expect(asked).not_to_have_text(first)
    second, heard = asked.inner_text(), page.locator(f"{W} .heard").inner_text()
    page.locator(f"{W} #reply").fill("I have not")
    page.reload()
    expect(asked).to_have_text(second)
    expect(page.locator(f"{W} .heard")).to_have_text(heard)
    expect(page.locator(f"{W} #reply")).to_have_value("I have not")
    page.locator(f"{W} #reply").fill("I have not asked him.")
    page.get_by_role("button", name="Answer").click()
    expect(asked).not_to_have_text(second)
    page.get_by_role("button", name="Come to an end").click()
    page.get_by_role("button", name="Finish now").click()
    area = page.locator(f"{W} #all")
    words = f"{TEXT.strip()}\n\n{first}\nKofi never says anything.\n\n{second}\nI have not asked him."
    expect(area).to_have_value(words)
    area.fill(words + " Not yet.")
    page.reload()
    expect(area).to_have_value(words + " Not yet.")
    page.get_by_role("button", name="Back to the conversation").click()
    expect(page.get_by_role("button", name="Finish now")).to_be_visible()
    page.get_by_role("button", name="Finish now").click()
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("button", name="Erase it").click()
    assert page.evaluate("localStorage.length") == 0
    reflect(page)
    page.locator(f"{W} #reply").fill("Not kept.")
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    page.reload()
    expect(page.locator(f"{W} #text")).to_have_value("")


def test_who_asks_for_ideas_is_shown_those_of_others(served, open_page):
    """Quoted, with whose they are, between what was heard and the next question; gone with the next answer."""
    page = open_page(f"{served}/")
    reflect(page)
    asked = page.locator(f"{W} .question")
    first = asked.inner_text()
    page.locator(f"{W} #reply").fill("I do not know. Just tell me what to do.")
    page.get_by_role("button", name="Answer").click()
    expect(asked).not_to_have_text(first)
    expect(page.locator(f"{W} .offered > p")).to_contain_text("You ask for ideas")
    assert 1 <= page.locator(f"{W} .offered blockquote").count() <= 3
    expect(page.locator(f"{W} .offered .soft").nth(1)).to_contain_text(re.compile(r"\d{4}"))
    second = asked.inner_text()
    page.locator(f"{W} #reply").fill("The second one is close to it.")
    page.get_by_role("button", name="Answer").click()
    expect(asked).not_to_have_text(second)
    expect(page.locator(f"{W} .offered")).to_have_count(0)


def test_what_is_kept_on_the_device_but_is_not_ours_is_passed_over(served, open_page):
    """Cut short, say."""
    page = open_page(f"{served}/")
    page.get_by_label("Keep on this device").check()
    page.evaluate('localStorage.setItem(localStorage.key(0), \'{"text": "cut\')')
    page.reload()
    expect(page.locator(f"{W} #text")).to_have_value("")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("ticked", [True, False])
def test_the_token_of_what_the_service_keeps_stays_on_the_device_only_if_ticked(remembering_coach, open_page, database, ticked):
    """With it the same reflection goes on after a reload; and the page says beforehand that the service keeps it."""
    with serving(remembering_coach) as service:
        page = open_page(f"{service}/")
        expect(page.locator(f"{W} .who")).to_contain_text("The service keeps nothing of them.")
        page.evaluate("document.querySelector('reflection-coach').setAttribute('store', ''); document.querySelector('reflection-coach').reset()")
        expect(page.locator(f"{W} .who")).to_contain_text("has the service keep them for 30 days")
        if ticked:
            page.get_by_label("Keep on this device").check()
        reflect(page)
        asked = page.locator(f"{W} .question")
        first = asked.inner_text()
        found = page.evaluate("JSON.stringify(Object.values(localStorage))")
        assert ("ct_" in found) is ticked
        if ticked:
            page.reload()
            expect(asked).to_have_text(first)
            page.locator(f"{W} #reply").fill("Kofi never says anything.")
            page.get_by_role("button", name="Answer").click()
            expect(asked).not_to_have_text(first)
            (kept,) = httpx.get(f"{service}/v1/reflections").json()["data"]
            assert kept["replies"] == 1


def test_what_is_kept_on_the_device_is_kept_only_if_ticked(served, open_page):
    """And comes back after a reload."""
    page = open_page(f"{served}/")
    page.locator(f"{W} #text").fill("Not kept.")
    page.reload()
    assert page.locator(f"{W} #text").input_value() == ""
    page.get_by_label("Keep on this device").check()
    page.locator(f"{W} #text").fill("Kept here.")
    page.reload()
    assert page.locator(f"{W} #text").input_value() == "Kept here."
    page.get_by_label("Keep on this device").uncheck()
    page.reload()
    assert page.locator(f"{W} #text").input_value() == ""


OPENED = 'id: 1\nevent: opened\ndata: {"id": "r_1", "disclosure": ""}\n\n'
HOSTILE = "What of <img src=x onerror=alert(1)> is yours?"
ASKED = {"question": {"id": "q1", "text": HOSTILE, "skill": "care", "perspective": "own", "evidence": [], "guidance": []}, "guidance": []}
WRONG = {
    "dropped": lambda handler: said(handler, OPENED, "text/event-stream"),
    "busy": lambda handler: said(handler, json.dumps({"detail": "There is more to answer just now."}), "application/problem+json", 503),
    "too many": lambda handler: said(handler, json.dumps({"detail": "Too many."}), "application/problem+json", 429),
    "broken": lambda handler: said(handler, "<h1>Internal error</h1>", status=500),
    "garbage": lambda handler: said(handler, "event: asked\ndata: {not json\n\n", "text/event-stream"),
    "failed": lambda handler: said(handler, OPENED + 'event: failed\ndata: {"code": "internal", "detail": "It broke off."}\n\n', "text/event-stream"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_with_a_service_that_is_not_well_nothing_typed_is_lost(served, open_page, kind):
    """A plain word, the text still there, and another try."""
    with elsewhere(lambda handler: said(handler, "{}") if handler.command != "POST" else WRONG[kind](handler)) as bad:
        page = open_page(f"{served}/about")
        page.goto(f"{bad}/")
        page.set_content(f'<!doctype html><html lang="en"><script type="module" src="{served}{widget.path()}"></script><{W} endpoint="{bad}/"></{W}>')
        reflect(page, "I said it in front of everyone, and he has not spoken since.")
        expect(page.locator(f"{W} .notice")).to_be_visible()
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        assert page.locator(f"{W} #text").input_value().startswith("I said it")


def test_text_that_tries_to_be_html_stays_text(served, open_page):
    """From the service, from the person, and from a kept draft: no element, no dialog."""
    stream = OPENED + f"event: asked\ndata: {json.dumps(ASKED)}\n\nevent: closed\ndata: {{}}\n\n"
    with elsewhere(lambda handler: said(handler, "{}") if handler.command != "POST" else said(handler, stream, "text/event-stream")) as scripted:
        page = open_page(f"{served}/about")
        page.goto(f"{scripted}/")
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.set_content(
            f'<!doctype html><html lang="en"><script type="module" src="{served}{widget.path()}"></script><{W} endpoint="{scripted}/"></{W}>'
        )
        reflect(page, "<script>alert(1)</script> is what I wrote to everybody at work.")
        expect(page.locator(f"{W} .question")).to_have_text(HOSTILE)
        assert page.locator(f"{W} img, {W} script").count() == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_the_page_asks_to_keep_is_one_reflection_that_goes_on(remembering_coach, open_page, database):
    """With `store` the replies go to the reflection that is kept, under its own token; quotations still stand in the person's words."""
    with serving(remembering_coach) as service:
        page = open_page(f"{service}/")
        page.evaluate("document.querySelector('reflection-coach').setAttribute('store', '')")
        reflect(page)
        asked = page.locator(f"{W} .question")
        expect(asked).to_be_visible()
        for reply, name in (("Kofi never says anything.", "Answer"), ("", "Leave it"), ("I have not asked him.", "Answer")):
            before = asked.inner_text()
            page.locator(f"{W} #reply").fill(reply)
            page.get_by_role("button", name=name).click()
            expect(asked).not_to_have_text(before)
            for mark in page.locator(f"{W} mark").all_text_contents():
                assert mark in TEXT + "Kofi never says anything. I have not asked him."
        (kept,) = httpx.get(f"{service}/v1/reflections").json()["data"]
        assert kept["replies"] == 3


def test_a_page_hears_of_it_and_can_ask(served, open_page):
    """Events that leave the shadow tree; ask, export and reset; texts of four languages and of one's own."""
    page = open_page(f"{served}/")
    page.evaluate(
        """() => { window.heard = []; for (const name of ["opened", "question", "closed"]) addEventListener(`rc:${name}`, () => heard.push(name));
        document.querySelector("reflection-coach").ask("I said it in front of everyone, and he has not spoken to me since then."); }"""
    )
    expect(page.locator(f"{W} .question")).to_be_visible()
    page.wait_for_timeout(500)
    assert page.evaluate("[heard[0], heard.at(-1), heard.filter(name => name === 'question').length]") == ["opened", "closed", 3]
    assert "in front of everyone" in page.evaluate("document.querySelector('reflection-coach').export()")
    page.evaluate("document.querySelector('reflection-coach').reset()")
    for language, label in (("de", "Nachdenken"), ("fr", "Réfléchir"), ("es", "Reflexionar")):
        page.evaluate(
            f"document.querySelector('reflection-coach').setAttribute('lang', '{language}'), document.querySelector('reflection-coach').reset()"
        )
        expect(page.get_by_role("button", name=label, exact=True)).to_be_visible()
    page.evaluate(
        "document.querySelector('reflection-coach').lang = 'it'; document.querySelector('reflection-coach').texts = {it: {reflect: 'Rifletti'}}"
    )
    expect(page.get_by_role("button", name="Rifletti")).to_be_visible()


def test_it_is_small_and_kept_for_a_year_under_the_name_of_its_bytes(served):
    """At most 20 KB gzipped; another version is not found; the hash in the snippet is that of what is served."""
    assert len(gzip.compress(widget.module(), 9)) <= 20_000
    found = httpx.get(f"{served}{widget.path()}")
    assert found.content == widget.module()
    assert "immutable" in found.headers["cache-control"]
    assert found.headers["access-control-allow-origin"] == "*"
    assert httpx.get(f"{served}/widget/000000000000/widget.js").status_code == 404
    assert widget.integrity() in widget.snippet(served)
    assert "innerHTML" not in widget.module().decode()
    assert b"import " not in widget.module()
    page = httpx.get(f"{served}/embed")
    assert "&lt;reflection-coach endpoint=" in page.text


@pytest.mark.parametrize("address", ["notaurl", "ftp://coach.example", "https://", "https://coach.example/?a=1", 'https://coach.example/"><script>'])
def test_tags_for_an_address_that_is_none_are_not_made(address):
    """What would be an address is said."""
    refused = CliRunner().invoke(cli, ["widget", "snippet", "--address", address], obj={})
    assert refused.exit_code == 2
    assert "https://coach.example" in refused.stderr
    for good in ("https://coach.example", "http://127.0.0.1:8000/", "https://[::1]:8000/coach"):
        assert good.rstrip("/") in CliRunner().invoke(cli, ["widget", "snippet", "--address", good], obj={}).stdout


def test_a_dropped_line_in_the_middle_gives_the_reply_back(served, open_page):
    """What was typed stands there still; sent again under the same name, it counts once."""
    sent, answers = [], [OPENED + f"event: asked\ndata: {json.dumps(ASKED)}\n\nevent: closed\ndata: {{}}\n\n", OPENED, OPENED]
    other = {**ASKED, "question": {**ASKED["question"], "id": "q2", "text": "And now?"}}
    answers.append(OPENED + f"event: asked\ndata: {json.dumps(other)}\n\nevent: closed\ndata: {{}}\n\n")

    def answer(handler):
        if handler.command != "POST":
            return said(handler, "{}")
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        sent.append((handler.headers["idempotency-key"], body.get("exchanges", [])))
        return said(handler, answers[len(sent) - 1], "text/event-stream")

    with elsewhere(answer) as dropping:
        page = open_page(f"{served}/about")
        page.goto(f"{dropping}/")
        page.set_content(
            f'<!doctype html><html lang="en"><script type="module" src="{served}{widget.path()}"></script><{W} endpoint="{dropping}/"></{W}>'
        )
        reflect(page, "I said it in front of everyone, and he has not spoken since.")
        page.locator(f"{W} #reply").fill("He left.")
        page.get_by_role("button", name="Answer").click()
        expect(page.locator(f"{W} .notice")).to_have_text("The line is down. Nothing you typed is lost.")
        page.get_by_role("button", name="Cancel").click()
        assert page.locator(f"{W} #reply").input_value() == "He left."
        page.get_by_role("button", name="Answer").click()
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(f"{W} .question")).to_have_text("And now?")
        assert page.locator(f"{W} #reply").input_value() == ""
    names = [name for name, _ in sent]
    assert names[2] == names[3]
    assert len(set(names)) == 3
    assert [len(exchanges) for _, exchanges in sent] == [0, 1, 1, 1]


def test_one_line_until_somebody_opens_it(served, open_page):
    """Compact: nothing to tab into but the line; opened it is all there; Close shuts it, and what was typed stays."""
    page = open_page(f"{served}/")
    page.evaluate("document.querySelector('reflection-coach').setAttribute('compact', '')")
    line = page.get_by_role("button", name="A place to think")
    expect(line).to_be_visible()
    assert page.locator(f"{W} textarea, {W} summary, {W} input").count() == 0
    line.focus()
    page.keyboard.press("Enter")
    expect(page.locator(f"{W} #text")).to_be_focused()
    page.keyboard.type("Something happened.")
    page.get_by_role("button", name="Close").click()
    expect(line).to_be_focused()
    page.evaluate("document.querySelector('reflection-coach').setAttribute('open', '')")
    expect(page.locator(f"{W} #text")).to_have_value("Something happened.")


EAR = """
window.SpeechRecognition = class extends EventTarget {
  static async available(asked) { window.asked = asked; return "%s"; }
  start() {
    const said = Object.assign([{transcript: " he left "}], {isFinal: true});
    this.dispatchEvent(Object.assign(new Event("result"), {results: [said], resultIndex: 0}));
  }
  stop() { this.dispatchEvent(new Event("end")); }
};
"""


@pytest.mark.parametrize("state", ["available", "unavailable"])
def test_dictation_is_offered_only_where_it_stays_on_the_device(chromium, served, state):
    """A voice is sent nowhere: a browser that cannot listen by itself is not asked."""
    page = chromium.new_page()
    page.add_init_script(EAR % state)
    page.goto(f"{served}/")
    page.locator(f"{W} #text").fill("It was late, and")
    button = page.get_by_role("button", name="Dictate")
    if state == "unavailable":
        page.wait_for_function("window.asked")
        assert button.count() == 0
    else:
        button.click()
        expect(page.locator(f"{W} #text")).to_have_value("It was late, and he left")
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")
        assert page.evaluate("window.asked.processLocally") is True
    page.close()


@pytest.mark.parametrize("path", ["/docs", "/docs/embedding", "/docs/http", "/embed"])
@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 320, "height": 640}}], ids=["light", "dark", "320"])
def test_the_pages_around_it_keep_to_the_same_rules(served, open_page, path, options):
    """Nothing that axe finds, nothing to scroll sideways."""
    page = open_page(f"{served}{path}", **options)
    assert breaches(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_each_stands_in_the_direction_of_its_own_words(served, open_page):
    """On a page that runs from right to left an English question runs from left to right, and its mark stands at its end."""
    page = open_page(f"{served}/")
    page.evaluate("document.documentElement.dir = 'rtl'")
    page.evaluate("document.querySelector('reflection-coach').texts = {en: {reflect: 'تأمل'}}")
    page.locator(f"{W} #text").fill(TEXT)
    page.get_by_role("button", name="تأمل").click()
    expect(page.locator(f"{W} .question")).to_be_visible()
    box, mark = page.evaluate(
        """() => { const p = document.querySelector("reflection-coach").shadowRoot.querySelector(".question"); const range = document.createRange();
        const text = p.firstChild; range.setStart(text, 0); range.setEnd(text, 1); const first = range.getBoundingClientRect().x;
        range.setStart(text, 5); range.setEnd(text, 6); return [first, range.getBoundingClientRect().x]; }"""
    )
    assert box < mark
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_timeout(400)  # it comes in softly
    assert breaches(page) == []


def test_on_paper_stand_the_persons_words_alone(served, open_page):
    """Not the page around them."""
    page = open_page(f"{served}/")
    reflect(page)
    page.get_by_role("button", name="Come to an end").click()
    page.locator(f"{W} #all").fill("Only this.")
    page.get_by_role("button", name="Print").click()
    assert page.frame_locator(f"{W} iframe").locator("body").inner_text() == "Only this."


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_documentation_followed_literally(remembering_coach, open_page, tmp_path, database):
    """An empty file on another port, the tags that the command prints, the policy and the key of the page: coach/docs/embedding.md, word for word."""
    text = (Path(__file__).parent.parent / "coach" / "docs" / "embedding.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"```\n(script-src .*)\n```", text)
    (command,) = re.findall(r"```\n(coach keys create .*)\n```", text)
    (printing,) = re.findall(r"`(coach widget snippet .*?)`", text)
    served_file = tmp_path / "index.html"
    served_file.write_text("")

    def answer(handler):
        body = served_file.read_text() or "<!doctype html>"
        said(handler, body, content_security_policy=policy.replace("https://coach.example", service))

    def run(line):
        words = line.replace("https://coach.example", service).replace("https://intranet.example", stranger).split()[1:]
        environ = {**os.environ, "COACH_STORE": remembering_coach.settings.store, "COACH_DATA_DIR": str(tmp_path)}
        return subprocess.run([sys.executable, "-m", "coach", *words], env=environ, check=True, capture_output=True, text=True).stdout

    with elsewhere(answer) as stranger, serving(remembering_coach) as service:
        key = run(command).strip()
        tags = run(printing)
        assert "integrity=" in tags
        served_file.write_text(f"<!doctype html><title>Ours</title>{tags}".replace("></reflection-coach>", f' key="{key}"></reflection-coach>'))
        for _ in range(50):  # the service reads its keys every two seconds, so that a page may ask
            if httpx.options(f"{service}/v1/reflections", headers={"origin": stranger, "access-control-request-method": "POST"}).status_code == 204:
                break
            time.sleep(0.1)
        page = open_page(f"{stranger}/")
        reflect(page)
        expect(page.locator(f"{W} .question")).to_be_visible()
        assert httpx.post(f"{service}/v1/reflections", json={"challenge": TEXT}).status_code == 401


def test_the_tags_that_somebody_chooses_are_tags_that_work(coach, open_page):
    """/embed: the tags follow the options, show how it looks, and work when they stand on a page elsewhere."""
    tags = {"text": ""}
    with (
        elsewhere(lambda handler: said(handler, f"<!doctype html><html lang=en><title>t</title>{tags['text']}")) as stranger,
        serving(replace(coach, settings=replace(coach.settings, origins=stranger))) as service,
    ):
        page = open_page(f"{service}/embed")
        page.get_by_label("Language").select_option("de")
        page.get_by_label("Questions").fill("2")
        page.get_by_label("Colour").fill("#7a3b00")
        page.get_by_label("Functions that take part").fill('sales "north", warehouse')
        expect(page.get_by_role("button", name="Nachdenken")).to_be_visible()
        page.get_by_role("button", name="Copy").click()
        tags["text"] = page.evaluate("navigator.clipboard.readText()")
        assert 'lang="de" functions="sales &quot;north&quot;, warehouse" count="2"' in tags["text"]
        page.goto(f"{stranger}/")
        page.locator(f"{W} #text").fill(TEXT)
        with page.expect_request("**/v1/reflections") as asked:
            page.get_by_role("button", name="Nachdenken").click()
        expect(page.locator(f"{W} .question")).to_be_visible()
        assert asked.value.post_data_json["count"] == 2
        assert asked.value.post_data_json["functions"] == ['sales "north"', "warehouse"]
