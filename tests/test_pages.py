"""The pages of a group in a real browser: made, handed in, printed, run; by keyboard, on a phone, in the dark, without a line."""

import json
import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import breaches
from tests.conftest import serving
from tests.test_keys import given
from tests.test_meetings import FUNCTIONS
from tests.test_prepare import CRISIS, G1, NAMES

SHOTS = Path(__file__).parent / "pictures" / "pages"


@pytest.fixture
def service(remembering_coach):
    """A service that keeps sessions in a database of its own."""
    with serving(remembering_coach) as url:
        yield url


def made(page: Page, service: str, count: int = 4, minutes: str = "90") -> list[str]:
    """A host makes a session; the members' links."""
    expect(page.locator("#make")).to_be_visible()
    page.fill("#name", "Seam circle")
    for place in range(count):
        page.fill(f'[aria-label="Name of member {place + 1}"]', NAMES[place])
        page.fill(f'[aria-label="Function of member {place + 1}"]', FUNCTIONS[place])
    page.fill("#starts", "2026-12-12T10:00")
    page.fill("#minutes", minutes)
    page.get_by_role("button", name="Make the invitations").click()
    expect(page.locator("#made")).to_be_visible()
    return page.locator("#links code").all_inner_texts()


def handed_in(page: Page, text: str) -> None:
    """A member writes and hands in."""
    expect(page.locator("#seat")).to_be_visible()
    page.fill("#challenge", text)
    page.get_by_role("button", name="Hand in").click()
    expect(page.locator("#said")).to_contain_text("Handed in")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_group_from_the_first_name_to_the_last_minute(service, open_page, database):
    """The host makes it, four hand in, the sheet is made, everybody reads and runs it; axe finds nothing in any state."""
    host = open_page(f"{service}/host", viewport={"width": 1000, "height": 900})
    assert breaches(host) == []
    links = made(host, service)
    assert breaches(host) == []
    host.get_by_role("button", name=f"Copy the link of {NAMES[0]}").click()
    assert host.evaluate("navigator.clipboard.readText()") == links[0]
    for place, link in enumerate(links):
        member = open_page(link, viewport={"width": 390, "height": 844})
        handed_in(member, G1[place]["text"])
        assert breaches(member) == []
        assert member.evaluate("document.documentElement.scrollWidth <= innerWidth")
    host.get_by_role("button", name="Look again").click()
    expect(host.locator("#attending")).not_to_contain_text("not yet")
    assert not any(row["text"][:40] in host.content() for row in G1)
    host.get_by_role("button", name="Make the sheet").click()
    expect(host.locator("#ready")).to_be_visible()
    expect(host.locator("#said")).to_contain_text("Peer learning round")
    assert breaches(host) == []
    with host.expect_download() as download:
        host.get_by_role("button", name="PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
    with host.context.expect_page() as printed:
        host.get_by_role("button", name="Print view").click()
    expect(printed.value.locator("h1")).to_have_text("Seam circle, 90 minutes")
    assert printed.value.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "752px"
    member = open_page(links[1])
    expect(member.locator("#own li").first).to_be_visible()
    assert breaches(member) == []
    member.get_by_role("link", name="Run view").click()
    expect(member.locator("#session")).to_be_visible()
    assert breaches(member) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_run_view_goes_on_without_a_line(service, open_page, database):
    """Once it is open nothing more is asked of the service: the clock runs, the phases move, by mouse and by keys if they are wanted."""
    host = open_page(f"{service}/host")
    made(host, service)
    host.get_by_role("button", name="Make the sheet").click()
    host.get_by_role("link", name="Run the session").click()
    expect(host.locator("#session")).to_be_visible()
    host.context.set_offline(offline=True)
    first = host.locator("#name").inner_text()
    whole = host.locator("#clock").inner_text()
    host.get_by_role("button", name="Start").click()
    expect(host.locator("#clock")).not_to_have_text(whole)
    host.get_by_role("button", name="Pause").click()
    stopped = host.locator("#clock").inner_text()
    host.wait_for_timeout(1200)
    assert host.locator("#clock").inner_text() == stopped
    host.get_by_role("button", name="Next phase").click()
    expect(host.locator("#name")).not_to_have_text(first)
    host.keyboard.press("ArrowLeft")
    expect(host.locator("#name")).not_to_have_text(first)
    host.get_by_label("Keys:").check()
    host.locator("#name").focus()
    host.keyboard.press("ArrowLeft")
    expect(host.locator("#name")).to_have_text(first)
    host.keyboard.press("Space")
    expect(host.get_by_role("button", name="Pause")).to_be_visible()
    seen = {first}
    while host.get_by_role("button", name="Next phase").is_enabled():
        host.get_by_role("button", name="Next phase").click()
        seen.add(host.locator("#name").inner_text())
    expect(host.locator("#next")).to_have_text("This is the last phase.")
    assert len(seen) > 6


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_run_view_comes_back_after_a_reload(service, open_page, database):
    """To the same phase with the clock still running; every phase can be gone to, the rules of the room are there, and so is the way back."""
    host = open_page(f"{service}/host")
    made(host, service)
    host.get_by_role("button", name="Make the sheet").click()
    host.get_by_role("link", name="Run the session").click()
    expect(host).to_have_title("Seam circle")
    expect(host.locator("#title")).to_have_text("Seam circle")
    bar = host.locator(".bar").bounding_box()
    while "round 2" not in host.locator("#next").inner_text():
        host.get_by_role("button", name="Next phase").click()
    expect(host.locator("#next")).to_contain_text(f"the case of {NAMES[1]}")
    assert host.locator(".bar").bounding_box() == bar
    host.get_by_role("button", name="Start").click()
    there = [host.locator(f"#{name}").inner_text() for name in ("part", "name")]
    host.reload()
    expect(host.get_by_role("button", name="Pause")).to_be_visible()
    assert [host.locator(f"#{name}").inner_text() for name in ("part", "name")] == there
    host.get_by_text("What holds in this room, and").click()
    assert host.locator("#rules li").count() > 2
    assert host.locator("#listening li").count() > 0
    expect(host.locator("#slip")).to_contain_text("question")
    host.get_by_text("All phases").click()
    assert breaches(host) == []
    host.locator("#phases button").last.click()
    expect(host.locator("#next")).to_have_text("This is the last phase.")
    expect(host.locator("#phases [aria-current]")).to_have_count(1)
    kept = json.loads(host.evaluate("Object.values({...sessionStorage})[0]"))
    assert all(value is None or isinstance(value, int | float) for value in kept.values())
    host.get_by_role("link", name="Back to the host's page").click()
    expect(host.locator("#made")).to_be_visible()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_form_says_what_it_wants_before_anything_is_sent(service, open_page, database):
    """How many names, and a name for each function; beside the button, where it covers nothing, and heard once."""
    host = open_page(f"{service}/host")
    expect(host.locator("#make")).to_be_visible()
    sent = []
    host.on("request", lambda request: sent.append(request.method) if request.method == "POST" else None)
    host.get_by_role("button", name="Make the invitations").click()
    expect(host.locator("#said")).to_have_text("A group is three to nine people. Nobody has a name yet.")
    expect(host.get_by_role("status")).to_have_text("A group is three to nine people. Nobody has a name yet.")
    expect(host.get_by_label("Name of member 1")).to_be_focused()
    assert host.evaluate("getComputedStyle(document.getElementById('said')).position") == "static"
    host.get_by_label("Function of member 2").fill("sales")
    host.get_by_role("button", name="Make the invitations").click()
    expect(host.locator("#said")).to_contain_text("a function and no name")
    host.get_by_role("button", name="Remove member 1").click()
    expect(host.get_by_label("Function of member 1")).to_have_value("sales")
    assert sent == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_minutes_that_do_not_fit_are_answered_with_some_that_do(service, open_page, database):
    """When a group is invited, and when the sheet is made."""
    host = open_page(f"{service}/host")
    expect(host.locator("#make")).to_be_visible()
    for place in range(4):
        host.get_by_label(f"Name of member {place + 1}").fill(NAMES[place])
    host.fill("#minutes", "12")
    host.get_by_role("button", name="Make the invitations").click()
    host.get_by_role("button", name="Take 13 minutes").click()
    expect(host.locator("#when")).to_contain_text("13 minutes.")
    refusal = {"code": "slot-size", "detail": "It takes 66 to 90 minutes.", "least": 66, "most": 90}  # what a withdrawal may lead to
    host.route("**/sheet", lambda route: route.fulfill(status=422, json=refusal))
    host.get_by_role("button", name="Make the sheet").click()
    expect(host.locator("#said")).to_have_text("It takes 66 to 90 minutes.")
    host.get_by_role("button", name="Take 66 minutes").click()
    expect(host.locator("#said")).to_contain_text("in 66 minutes")
    expect(host.get_by_role("button", name="Take 66 minutes")).to_be_hidden()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_sheet_that_goes_with_who_withdraws_is_spoken_of(service, open_page, database):
    """To who leaves, to who stays, to the host, and in the view for the meeting; an erased session leaves a way to begin another."""
    host = open_page(f"{service}/host")
    host.on("dialog", lambda dialog: dialog.accept())
    links = made(host, service, 3, "40")
    host.get_by_role("button", name="Make the sheet").click()
    expect(host.locator("#ready")).to_be_visible()
    member = open_page(links[0])
    member.on("dialog", lambda dialog: dialog.accept())
    expect(member.locator("#ready")).to_be_visible()
    handed_in(member, G1[0]["text"])
    expect(member.locator("#said")).to_contain_text("The questions below are of the sheet as it was made")
    member.get_by_role("button", name="Withdraw").click()
    expect(member.locator("#left")).to_contain_text("There is no sheet any more")
    assert breaches(member) == []
    other = open_page(links[1])
    expect(other.locator("#gone")).to_be_visible()
    other.goto(links[1].replace("/meet/", "/run/"))
    expect(other.locator("#said")).to_contain_text("There is no sheet any more")
    host.get_by_role("button", name="Look again").click()
    expect(host.locator("#gone")).to_contain_text("There is no sheet any more")
    assert breaches(host) == []
    host.get_by_role("button", name="Erase this session").click()
    expect(host.get_by_role("heading", name="It is erased.")).to_be_focused()
    assert breaches(host) == []
    host.get_by_role("link", name="Prepare another session").click()
    expect(host.locator("#make")).to_be_visible()


@pytest.mark.parametrize("path", ["/meet", "/meet/g_1", "/meet/g_1#%E0", "/run", "/run/g_1#mt_ü", "/host/g_1#ht_1"])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_link_that_was_cut_says_so_in_a_persons_words(service, open_page, database, path):
    """Whatever is left of it; and it leads home."""
    page = open_page(f"{service}{path}")
    expect(page.locator("h1:visible")).to_have_text("This link does not open anything.")
    expect(page.locator("#said")).to_contain_text("Ask whoever sent it")
    expect(page.get_by_role("link", name="Coach")).to_have_attribute("href", "/")


@pytest.mark.parametrize("path", ["/host", "/about", "/embed"])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_page_has_a_way_home(service, open_page, database, path):
    """A small one."""
    page = open_page(f"{service}{path}")
    if path == "/about":
        expect(page.get_by_role("link", name="findahelpline.com")).to_have_attribute("href", "https://findahelpline.com")
    page.get_by_role("link", name="Coach", exact=True).click()
    expect(page.locator("reflection-coach")).to_be_visible()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_keys_are_spoken_of_where_there_is_no_keyboard(service, open_page, database):
    """And the bar fits a narrow phone, with a message that covers none of it."""
    host = open_page(f"{service}/host")
    links = made(host, service)
    host.get_by_role("button", name="Make the sheet").click()
    expect(host.locator("#ready")).to_be_visible()
    phone = open_page(links[0].replace("/meet/", "/run/"), viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True)
    expect(phone.locator("#session")).to_be_visible()
    assert phone.evaluate("matchMedia('(pointer: coarse)').matches") is not phone.locator(".keys").is_visible()
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert breaches(phone) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_was_typed_survives_a_broken_line(service, open_page, database):
    """It says so, keeps the words, and hands them in when the line is back."""
    host = open_page(f"{service}/host")
    links = made(host, service)
    member = open_page(links[0])
    expect(member.locator("#seat")).to_be_visible()
    member.fill("#challenge", G1[0]["text"])
    member.context.set_offline(offline=True)
    member.get_by_role("button", name="Hand in").click()
    expect(member.locator("#said")).to_contain_text("The line is down")
    assert member.input_value("#challenge") == G1[0]["text"]
    member.context.set_offline(offline=False)
    member.get_by_role("button", name="Hand in").click()
    expect(member.locator("#said")).to_contain_text("Handed in")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_crisis_is_answered_on_the_members_page_alone(service, open_page, database):
    """Where help is stands first, the words stay on the screen alone, and the host sees a member who has handed in."""
    host = open_page(f"{service}/host")
    links = made(host, service)
    member = open_page(links[0])
    expect(member.locator("#seat")).to_be_visible()
    member.fill("#challenge", CRISIS)
    member.fill("#report", "I asked the warehouse first.")
    member.get_by_role("button", name="Hand in").click()
    expect(member.locator("#help")).to_be_visible()
    expect(member.locator("#help")).to_be_focused()
    expect(member.locator("#said")).to_contain_text("What you wrote was not kept")
    expect(member.locator("#said")).to_contain_text("or hand in something else")
    assert (member.input_value("#challenge"), member.input_value("#report")) == (CRISIS, "I asked the warehouse first.")
    assert breaches(member) == []
    assert member.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"
    member.reload()
    expect(member.locator("#seat")).to_be_visible()
    assert (member.input_value("#challenge"), member.input_value("#report")) == ("", "")
    handed_in(member, G1[0]["text"])
    expect(member.locator("#help")).to_be_hidden()
    host.get_by_role("button", name="Look again").click()
    expect(host.locator("#attending li").first).to_contain_text("has handed in")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_by_keyboard_alone_and_with_names_that_would_like_to_be_something_else(service, open_page, database):
    """From the first field to the invitations; a name stays a name."""
    host = open_page(f"{service}/host")
    expect(host.locator("#make")).to_be_visible()
    host.locator("#name").focus()
    host.keyboard.type("Circle <b>one</b>")
    for name in ("<img src=x onerror=alert(1)>", "Ben", "Cem", "Dee"):
        host.keyboard.press("Tab")
        if host.evaluate("document.activeElement.textContent") == "Remove":
            host.keyboard.press("Tab")
        host.keyboard.type(name)
        host.keyboard.press("Tab")
        host.keyboard.type("sales")
    for _ in range(16):
        host.keyboard.press("Tab")
        if host.evaluate("document.activeElement.textContent") == "Make the invitations":
            break
    host.keyboard.press("Enter")
    expect(host.locator("#made")).to_be_visible()
    expect(host.locator("#title")).to_have_text("Circle <b>one</b>")
    expect(host.locator("#links")).to_contain_text("<img src=x onerror=alert(1)>")
    assert host.locator("#made img, #made b").count() == 0


@pytest.mark.parametrize(
    "options", [{"color_scheme": "dark"}, {"forced_colors": "active"}, {"viewport": {"width": 320, "height": 640}}], ids=["dark", "forced", "320"]
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_in_the_dark_in_forced_colours_and_at_320_pixels(service, open_page, options, database):
    """Nothing to scroll sideways, nothing too faint."""
    host = open_page(f"{service}/host", **options)
    links = made(host, service)
    member = open_page(links[0], **options)
    expect(member.locator("#seat")).to_be_visible()
    for page in (host, member):
        assert breaches(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_link_that_opens_nothing_says_so(service, open_page, database):
    """In plain words, with nothing else on the page."""
    page = open_page(f"{service}/meet/g_nowhere#mt_nobody")
    expect(page.locator("h1:visible")).to_have_text("This link does not open anything.")
    expect(page.locator("#said")).to_contain_text("cut when it was copied")
    assert not page.locator("#seat").is_visible()
    assert breaches(page) == []


def test_pages_ask_no_other_host():
    """Every address in them begins here."""
    folder = Path(__file__).parent.parent / "coach" / "web" / "pages"
    for path in folder.iterdir():
        assert not re.findall(r"https?://|//[a-z]", path.read_text(encoding="utf-8").replace("// ", "")), path.name


def test_axe_finds_what_is_wrong(chromium):
    """Else its silence would mean nothing."""
    page = chromium.new_page()
    page.set_content("<html><body><img src='data:,'><p style='color:#bbb;background:#fff'>faint</p></body></html>")
    found = " ".join(breaches(page))
    assert "image-alt" in found
    assert "color-contrast" in found
    page.close()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_host_is_asked_for_a_key_where_keys_were_given_out(remembering_coach, open_page, database):
    """The field comes when the service wants one, and with the key the group is invited."""
    secret = []
    aside = threading.Thread(target=lambda: secret.append(given(remembering_coach)))  # the browser's driver has this thread's loop
    aside.start()
    aside.join()
    with serving(remembering_coach) as url:
        page = open_page(f"{url}/host")
        for at, name in enumerate(("Ruth", "Noor", "Piet", "Tom")):
            page.get_by_label(f"Name of member {at + 1}").fill(name)
        page.get_by_role("button", name="Make the invitations").click()
        expect(page.locator("#key")).to_be_visible()
        page.locator("#key").fill(secret[0])
        page.get_by_role("button", name="Make the invitations").click()
        page.wait_for_url("**/host/g_*")
