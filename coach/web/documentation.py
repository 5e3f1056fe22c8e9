"""The pages of coach/docs, as a browser shows them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from importlib.resources import files

from litestar import MediaType, Response, get
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from markdown_it import MarkdownIt
from markdown_it.token import Token

_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_SIBLING = re.compile(r"([a-z]+)\.md(#.*)?")
ORDER = ("start", "embedding", "groups", "http", "keys", "commands", "models", "settings", "figures")  # others follow by name


@lru_cache(maxsize=1)
def pages() -> dict[str, str]:
    """The pages as Markdown, by name, those that most people want first."""
    found = {
        path.name.removesuffix(".md"): path.read_text(encoding="utf-8")
        for path in files("coach").joinpath("docs").iterdir()
        if path.name.endswith(".md")
    }
    return {name: found[name] for name in (*ORDER, *sorted(set(found) - set(ORDER)))}


def title(text: str) -> str:
    """The heading of a page."""
    match = _TITLE.search(text)
    return match[1] if match else ""


def html(text: str) -> str:
    """A page's body. Links to other pages lead there; those to files of the project, which are not served, are left as text."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = made.parse(text)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following:
            token.attrs["id"] = anchor(following.content)
        if token.type == "fence":
            token.attrs["tabindex"] = "0"  # so that what is too wide can be scrolled by keyboard
        if token.children:
            token.children = list(_followable(token.children))
    body: str = made.renderer.render(tokens, made.options, {})
    return body.replace("<table>", '<div class="wide" tabindex="0"><table>').replace("</table>", "</table></div>")


def anchor(heading: str) -> str:
    """What links within and between the pages call a heading: small letters and dashes, as GitHub makes them."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _followable(tokens: Iterable[Token]) -> Iterable[Token]:
    followed = True
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrs.get("href", ""))
            sibling = _SIBLING.fullmatch(target)
            followed = bool(sibling) or target.startswith(("/", "#", "https://"))
            token.attrs["href"] = f"/docs/{sibling[1]}{sibling[2] or ''}" if sibling else target
        if token.type == "image" or (token.type in {"link_open", "link_close"} and not followed):
            continue
        yield token


def shell(name: str, heading: str, body: str) -> str:
    """A page with this body, in the place of the documentation that is called `name`."""
    text = files("coach.web").joinpath("pages", "documentation.html").read_text(encoding="utf-8")
    here = {name: ' aria-current="page"'}
    links = "".join(f'<li><a href="/docs/{one}"{here.get(one, "")}>{escape(title(told))}</a></li>' for one, told in pages().items())
    return text.replace("{title}", escape(heading)).replace("{links}", links).replace("{body}", body)


def _page(name: str, heading: str, body: str) -> Response[str]:
    return Response(shell(name, heading, body), media_type=MediaType.HTML, headers={"cache-control": "no-cache"})


@get("/docs", include_in_schema=False, sync_to_thread=True)
def contents() -> Response[str]:
    """Which pages there are."""
    return _page(
        "",
        "Documentation",
        '<h1>Documentation</h1><p>Choose a page. <a href="/schema">Every address, field and error of the API</a> stands beside them.</p>',
    )


@get("/docs/{name:str}", include_in_schema=False, sync_to_thread=True)
def one_page(name: FromPath[str]) -> Response[str]:
    """One of them."""
    text = pages().get(name)
    if text is None:
        raise HTTPException(status_code=404)
    return _page(name, title(text), html(text))


HANDLERS = (contents, one_page)
