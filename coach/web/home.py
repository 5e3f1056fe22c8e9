"""The front page with the widget on it, the widget itself, and how to put it on a page of one's own."""

from html import escape
from importlib.resources import files
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from coach.bootstrap import Coach
from coach.web import widget

JAVASCRIPT = "text/javascript"


def _page(name: str, coach: Coach, **more: str) -> Response[str]:
    """A page with the widget on it, which has the key of this service's own pages if there is one."""
    text = files("coach.web").joinpath("pages", f"{name}.html").read_text(encoding="utf-8")
    key = escape(coach.settings.page_key)
    values = {
        "script": f'<script type="module" src="{widget.path()}" integrity="{widget.integrity()}"></script>',
        "key": key,
        "attribute": f' key="{key}"' if key else "",
        **more,
    }
    for marker, value in values.items():
        text = text.replace(f"{{{marker}}}", value)
    return Response(text, media_type=MediaType.HTML, headers={"cache-control": "no-cache"})


@get("/", include_in_schema=False, sync_to_thread=True)
def home(coach: NamedDependency[Coach]) -> Response[str]:
    """What this is, what it will not do, and the widget."""
    return _page("home", coach)


@get("/embed", include_in_schema=False, sync_to_thread=True)
def embed(request: Request[Any, Any, Any], coach: NamedDependency[Coach]) -> Response[str]:
    """The tags for somebody's page, and how they look there."""
    here = str(request.base_url)
    return _page("embed", coach, snippet=escape(widget.snippet(here)), host=escape(here.rstrip("/")))


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
