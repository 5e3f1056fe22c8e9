"""The widget: one module for a browser, put together from its parts, so that one integrity hash covers all of it."""

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files

_PARTS = ("style.js", "texts.js", "widget.js")
_IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const )", re.MULTILINE)


@lru_cache(maxsize=1)
def module() -> bytes:
    """The whole module, as it is served."""
    texts = (files("coach.web.widget").joinpath(part).read_text(encoding="utf-8") for part in _PARTS)
    return "".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts).encode()


def version() -> str:
    """A hash of every byte: another module has another address, so that this one can be kept for ever."""
    return hashlib.sha256(module()).hexdigest()[:12]


def integrity() -> str:
    """What a browser compares before it runs the module (W3C Subresource Integrity)."""
    return "sha384-" + base64.b64encode(hashlib.sha384(module()).digest()).decode()


def path() -> str:
    """Where it is served."""
    return f"/widget/{version()}/widget.js"


def snippet(address: str) -> str:
    """The two tags for somebody's page. `address` is where this service is reached."""
    base = address.rstrip("/")
    script = f'<script type="module" src="{base}{path()}" integrity="{integrity()}" crossorigin="anonymous"></script>'
    return f'{script}\n<reflection-coach endpoint="{base}/"></reflection-coach>'
