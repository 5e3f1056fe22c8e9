"""The TypeScript client, served by the service whose types it holds."""

from importlib.resources import files

from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.params import FromPath

SOURCES = frozenset({"coach.ts", "api.ts"})


@get("/clients/{name:str}", include_in_schema=False, sync_to_thread=True)
def client_source(name: FromPath[str]) -> Response[str]:
    """One of its two files."""
    if name not in SOURCES:
        raise HTTPException(status_code=404)
    text = files("coach.client").joinpath("typescript", name).read_text(encoding="utf-8")
    return Response(text, media_type="text/plain", headers={"cache-control": "no-cache"})


HANDLERS = (client_source,)
