"""Takes a picture of every state of the widget and of the pages around it: `python -m tests.pictures.widget FOLDER`. Look at them.

The best four go into the README.
"""

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page

from coach.bootstrap import assemble
from coach.settings import Settings
from tests.browser import browser
from tests.conftest import WRITEUPS, serving

HERE = Path(__file__).parent
TEXT = next(row["text"] for row in WRITEUPS if row["id"] == "s01")
CRISIS = next(row["text"] for row in WRITEUPS if row["flag"] == "crisis")
VAGUE = "Things are just not great with the team at the moment. Energy is low, communication could be better. I don't really know where to start."
HARASSED = "My boss keeps touching my back in meetings and made a comment about my body yesterday. I told him to stop and he laughed."
BEST = ("start", "evidence", "next-dark", "end")  # these stand in the README
W = "reflection-coach"
MODES = {
    "": {},
    "-dark": {"color_scheme": "dark"},
    "-forced": {"forced_colors": "active"},
    "-320": {"viewport": {"width": 320, "height": 700}, "device_scale_factor": 2},
}


def main(folder: Path) -> None:
    """Every state in every mode."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        coach = assemble(Settings(data_dir=Path(data)), lambda _done, _total: None)
        with serving(coach) as address, browser() as chromium:
            for mode, options in MODES.items():
                _states(chromium, address, folder, mode, options)
            _pages(chromium, address, folder)
        for name in BEST:
            shutil.copy(folder / f"{name}.png", HERE / f"widget-{name}.png")
        _without_a_service(replace(coach, settings=replace(coach.settings, most_open=1)), folder)


def _opened(chromium: Browser, address: str, **options: object) -> Page:
    page = chromium.new_context(**{"viewport": {"width": 860, "height": 1000}, "device_scale_factor": 1.5, **options}).new_page()
    page.goto(address)
    page.locator(f"{W} #text, {W} .opener, main h1").first.wait_for()
    return page


def _states(chromium: Browser, address: str, folder: Path, mode: str, options: dict) -> None:
    def take(name: str, page: Page) -> None:
        page.wait_for_timeout(500)  # it comes in softly
        page.locator(W).screenshot(path=folder / f"{name}{mode}.png")

    page = _opened(chromium, f"{address}/", **options)
    page.evaluate("document.querySelector('reflection-coach').style.minHeight = 0")
    take("start", page)
    page.locator(f"{W} #text").fill(TEXT)
    take("written", page)
    page.get_by_role("button", name="Reflect").click()
    page.locator(f"{W} .question").wait_for()
    take("question", page)
    page.get_by_text("Your words", exact=True).click()
    page.get_by_text("From the library").click()
    take("evidence", page)
    page.locator(f"{W} #reply").fill("Kofi never says anything, and I have not asked him.")
    page.get_by_role("button", name="Answer").click()
    page.locator(f"{W} .heard").wait_for()
    page.wait_for_timeout(700)
    take("next", page)
    page.get_by_role("button", name="Come to an end").click()
    page.get_by_role("button", name="Finish now").wait_for()
    take("closing", page)
    page.get_by_role("button", name="Finish now").click()
    page.locator(f"{W} #all").wait_for()
    take("end", page)
    page.get_by_role("button", name="Erase").click()
    take("sure", page)
    page.get_by_role("button", name="Erase it").click()
    page.locator(f"{W} .notice").wait_for()
    take("erased", page)
    for name, text, shown in (("vague", VAGUE, ".notice"), ("matter", HARASSED, ".ponder"), ("signpost", CRISIS, ".help")):
        page.evaluate("document.querySelector('reflection-coach').reset()")
        page.locator(f"{W} #text").fill(text)
        page.get_by_role("button", name="Reflect").click()
        page.locator(f"{W} {shown}").wait_for()
        take(name, page)
    page.context.close()


def _pages(chromium: Browser, address: str, folder: Path) -> None:
    for path in ("", "embed", "docs", "docs/embedding", "docs/keys", "host", "about"):
        for mode in ("", "-320"):
            page = _opened(chromium, f"{address}/{path}", **({"viewport": {"width": 1240, "height": 900}} if not mode else MODES[mode]))
            page.wait_for_timeout(400)
            page.screenshot(path=folder / f"page-{path.replace('/', '-') or 'home'}{mode}.png", full_page=True)
            page.context.close()
    for name, attributes in {"german": {"lang": "de"}, "compact": {"compact": ""}, "right-to-left": {"dir": "rtl", "lang": "ar"}}.items():
        page = _opened(chromium, f"{address}/")
        page.evaluate(
            "(found) => { const one = document.querySelector('reflection-coach'); one.style.minHeight = 0;"
            "for (const [name, value] of Object.entries(found)) one.setAttribute(name, value); one.reset(); }",
            attributes,
        )
        page.wait_for_timeout(500)
        page.locator(W).screenshot(path=folder / f"{name}.png")
        page.context.close()


def _without_a_service(coach: object, folder: Path) -> None:
    with browser() as chromium:
        with serving(coach) as address:
            page = _opened(chromium, f"{address}/")
        page.locator(f"{W} #text").fill(TEXT)
        page.get_by_role("button", name="Reflect").click()
        page.locator(f"{W} .notice").wait_for()
        page.locator(W).screenshot(path=folder / "trouble.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
