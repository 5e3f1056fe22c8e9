"""What is written about the product is true."""

import ast
import json
import re
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from coach.cli import COMMANDS
from coach.settings import Settings
from coach.web import convening, group_pages, keeping, preparing, routes

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("coach/docs/*.md")))}
EVERYTHING = "\n".join(PAGES.values())


def test_the_documentation_names_every_setting_command_and_address():
    """Nothing is a secret."""
    for item in fields(Settings):
        assert f"`{item.metadata['variable']}`" in EVERYTHING
    for name in COMMANDS:
        assert f"coach {name}" in EVERYTHING
    for handler in (*routes.HANDLERS, *keeping.HANDLERS, *preparing.HANDLERS, *convening.HANDLERS, *group_pages.HANDLERS):
        for path in handler.paths:
            assert path.split("{")[0].rstrip("/") in EVERYTHING
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([a-z]+):.*## ", line):
            assert f"make {match[1]}" in EVERYTHING, line


def test_the_page_of_settings_names_every_setting_and_that_of_the_command_line_every_command():
    """So that whoever looks there finds it, if only with a link."""
    settings, commands = (PAGES[ROOT / "coach" / "docs" / f"{name}.md"] for name in ("settings", "commands"))
    rows = "".join(line for line in settings.splitlines() if line.startswith("|"))
    assert [item.name for item in fields(Settings) if f"`{item.metadata['variable']}`" not in rows] == []
    rows = "".join(line for line in commands.splitlines() if line.startswith("|"))
    assert [name for name in COMMANDS if not re.search(rf"`coach {name}\b", rows)] == []


def test_the_page_about_http_names_every_door_that_the_schema_does_not(served):
    """Three that speak formats of others, and pages for people; every other address is in the document."""
    paths = httpx.get(f"{served}/schema/openapi.json").raise_for_status().json()["paths"]
    for door in ("/openai/v1", "/mcp", "/metrics"):
        assert not [path for path in paths if path.startswith(door)]
        assert f"[`{door}`]" in PAGES[ROOT / "coach" / "docs" / "http.md"]


def test_the_readmes_request_gets_the_readmes_answer(served):
    """The body of its curl command, sent; each line of its answer, found."""
    (body,) = re.findall(r"-d '(\{.*?\})'", README, re.DOTALL)
    answer = httpx.post(f"{served}/v1/reflections", json=json.loads(body), timeout=30).raise_for_status().json()
    (shown,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    printed = json.loads(re.sub(r",?\s*\.\.\.", "", shown))
    assert printed["acknowledgement"]["text"] == answer["acknowledgement"]["text"]
    assert [question["text"] for question in printed["questions"]] == [question["text"] for question in answer["questions"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_files_a_page_points_to_are_there(page):
    """Pictures too."""
    for target in re.findall(r"\]\(([^)#]+)\)", PAGES[page]):
        if "://" not in target and not target.startswith("/"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/test_*.py")), ids=lambda path: path.stem)
def test_every_test_has_a_sentence(path):
    """Read aloud they are the specification."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), node.name


def test_nothing_names_a_registry_host_or_a_folder_of_some_machine():
    """The lock files least of all."""
    for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml", "Makefile"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|--index-url|--find-links|file://", text), name


@pytest.mark.parametrize("page", [path for path in PAGES if path.parent.name == "docs"], ids=lambda path: path.stem)
def test_links_between_the_pages_lead_to_a_heading_that_is_there(served, page):
    """As the service shows them."""
    shown = httpx.get(f"{served}/docs/{page.stem}").raise_for_status().text
    for name, heading in re.findall(r'href="/docs/([a-z]+)#([^"]+)"', shown):
        assert f'id="{heading}"' in httpx.get(f"{served}/docs/{name}").raise_for_status().text, (name, heading)
