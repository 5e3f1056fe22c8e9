"""Pages for a group: the host's, a member's, and the view for the meeting. Plain files; the secret stands behind the # and reaches no log."""

from importlib.resources import files

from litestar import MediaType, Response, get
from litestar.params import FromPath

_HEADERS = {"cache-control": "no-cache"}


def _page(name: str) -> Response[str]:
    text = files("coach.web").joinpath("pages", f"{name}.html").read_text(encoding="utf-8")
    return Response(text, media_type=MediaType.HTML, headers=_HEADERS)


@get("/host", include_in_schema=False, sync_to_thread=True)
def new_session() -> Response[str]:
    """Where a host begins."""
    return _page("host")


@get("/host/{identifier:str}", include_in_schema=False, sync_to_thread=True)
def host_page(identifier: FromPath[str]) -> Response[str]:  # noqa: ARG001 (the page reads it from its address)
    """Where a host looks after a session."""
    return _page("host")


@get("/meet/{identifier:str}", include_in_schema=False, sync_to_thread=True)
def member_page(identifier: FromPath[str]) -> Response[str]:  # noqa: ARG001
    """Where a member hands in, alone."""
    return _page("member")


@get("/run/{identifier:str}", include_in_schema=False, sync_to_thread=True)
def run_page(identifier: FromPath[str]) -> Response[str]:  # noqa: ARG001
    """What a group looks at while it meets."""
    return _page("run")


@get("/meet", include_in_schema=False, sync_to_thread=True)
def cut_invitation() -> Response[str]:
    """Where an invitation leads whose end was lost: the page says so."""
    return _page("member")


@get("/run", include_in_schema=False, sync_to_thread=True)
def cut_run() -> Response[str]:
    """Likewise."""
    return _page("run")


HANDLERS = (new_session, host_page, member_page, run_page, cut_invitation, cut_run)
