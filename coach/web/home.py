"""The front page with the widget on it, the widget itself, and how to put it on a page of one's own."""

from html import escape
from importlib.resources import files
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from coach.web import widget

JAVASCRIPT = "text/javascript; charset=utf-8"


@get("/", include_in_schema=False, sync_to_thread=True)
def home() -> Response[str]:
    """What this is, what it will not do, and the widget."""
    text = files("coach.web").joinpath("pages", "home.html").read_text(encoding="utf-8")
    page = text.replace("{script}", f'<script type="module" src="{widget.path()}" integrity="{widget.integrity()}"></script>')
    return Response(page, media_type=MediaType.HTML, headers={"cache-control": "no-cache"})


@get("/embed", include_in_schema=False, sync_to_thread=True)
def embed(request: Request[Any, Any, Any]) -> Response[str]:
    """The snippet for somebody's page."""
    text = files("coach.web").joinpath("pages", "embed.html").read_text(encoding="utf-8")
    here = str(request.base_url)
    page = text.replace("{snippet}", escape(widget.snippet(here))).replace("{host}", escape(here.rstrip("/")))
    return Response(page, media_type=MediaType.HTML, headers={"cache-control": "no-cache"})


@get("/widget/{version:str}/widget.js", include_in_schema=False, sync_to_thread=True)
def widget_module(version: FromPath[str]) -> Response[bytes]:
    """The widget under the name of its own bytes: kept for a year by whoever asks."""
    if version != widget.version():
        raise HTTPException(status_code=404)
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Response(widget.module(), media_type=JAVASCRIPT, headers=headers)


HANDLERS = (home, embed, widget_module)
