"""What the widget costs a browser: `make bench-page`. Against the real service with the library, in Debian's chromium."""

import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.bench.speed import served
from tests.browser import browser

ROUNDS, QUESTIONS = 10, 100
TEXT = next(
    row["text"] for row in map(json.loads, (Path(__file__).parents[1] / "cases" / "writeups.jsonl").open(encoding="utf-8")) if row["id"] == "s01"
)
WATCH = """() => {
  window.seen = { shift: 0, event: 0, painted: 0 };
  new PerformanceObserver((list) => list.getEntries().forEach((one) => { if (!one.hadRecentInput) seen.shift += one.value; }))
    .observe({ type: "layout-shift" });
  addEventListener("rc:question", () => {
    if (!seen.event) { seen.event = performance.now(); requestAnimationFrame(() => setTimeout(() => { seen.painted = performance.now(); })); }
  });
}"""
READY = """() => new Promise((done) => {
  const arrived = performance.getEntriesByType("resource").find((one) => one.name.endsWith("/widget.js")).responseEnd;
  const there = () => document.querySelector("reflection-coach")?.shadowRoot?.querySelector("#text");
  const look = () => (there() ? done(performance.now() - arrived) : setTimeout(look, 1));
  look();
})"""
TALK = """async (count) => {
  const coach = document.querySelector("reflection-coach"), root = coach.shadowRoot;
  for (let number = 0; number < count; number++) {
    coach.reset();
    const asked = new Promise((done) => coach.addEventListener("rc:closed", done, { once: true }));
    await coach.ask("I said it in front of everyone, and he has not spoken to me since. Number " + number);
    await asked;
  }
}"""


def first(page: Page, url: str) -> tuple[float, float, float]:
    """Milliseconds from the module's arrival until it can be typed into, and from the first question's event until it is painted; layout shift."""
    page.goto(f"{url}/")
    ready = page.evaluate(READY)
    page.wait_for_timeout(300)  # what moves while the page loads is the page's: here it is what comes after
    page.evaluate(WATCH)
    page.locator("reflection-coach #text").fill(TEXT)
    page.get_by_role("button", name="Reflect").click()
    page.locator("reflection-coach .question").wait_for()
    page.wait_for_timeout(500)
    seen = page.evaluate("seen")
    return ready, seen["painted"] - seen["event"], seen["shift"]


def heap(page: Page) -> float:
    """Megabytes of JavaScript after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def main() -> None:
    """Measure and print one table."""
    with tempfile.TemporaryDirectory() as data, served(data) as (url, _, _), browser() as chromium:
        page = chromium.new_page(viewport={"width": 1000, "height": 900})
        first(page, url)
        found = [first(page, url) for _ in range(ROUNDS)]
        page.evaluate(TALK, 10)
        before = heap(page)
        page.evaluate(TALK, QUESTIONS // 3)
        grown = heap(page) - before
    rows = [
        ("ready to type, from the module's arrival, p50", statistics.median(one for one, _, _ in found), "ms", 150),
        ("first question painted, from its event, p50", statistics.median(one for _, one, _ in found), "ms", 100),
        ("layout shift when questions come, worst", max(one for _, _, one in found), "", 0.1),
        (f"memory grown over {QUESTIONS} questions", grown, "MB", 1),
    ]
    print("| measure | figure | at most | |\n|---|---|---|---|")
    for name, value, unit, most in rows:
        print(f"| {name} | {value:.2f} {unit} | {most} {unit} | {'met' if value <= most else 'NOT MET'} |")


if __name__ == "__main__":
    main()
