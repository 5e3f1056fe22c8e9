"""What both clients share: where they send to, with which headers, and for how long they wait."""

import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from coach import __version__
from coach.client.calls import Call
from coach.client.errors import Unsendable
from coach.client.retrying import Retries
from coach.settings import CLIENT_KEY, CLIENT_URL

LOCAL = "http://127.0.0.1:8000"
TIMEOUT = 60.0  # seconds without a byte; a stream says something every 15, and an answer takes 25 where a model drafts
CONNECT = 5.0  # seconds until somebody picks up
AGENT = f"reflection-coach/{__version__}"


class _Discreet(logging.Filter):
    """Httpx2 logs addresses. A member's holds a secret, and a search what somebody wrote: both are replaced there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes."""
        if isinstance(record.args, tuple):
            record.args = tuple(_PRIVATE.sub(r"\1...", str(one)) if isinstance(one, httpx2.URL) else one for one in record.args)
        return True


_PRIVATE = re.compile(r"(/members/|[?&]q=)[^/?&]+")
_DISCREET = _Discreet()
_SECRET = re.compile(r"[\x21-\x7e]+")  # what a header carries (RFC 9110)


@dataclass(frozen=True)
class Target:
    """Where to send, and as whom."""

    base_url: str = LOCAL
    api_key: str | None = field(default=None, repr=False)
    timeout: float = TIMEOUT
    retries: Retries = field(default_factory=Retries)

    def __post_init__(self) -> None:
        """Raises Unsendable."""
        _see_that_it_is_an_address(self.base_url)
        _see_that_it_can_travel(self.api_key, "key")

    def options(self) -> dict[str, Any]:
        """For httpx2's clients. Redirects are not followed: a key would go along."""
        logging.getLogger("httpx2").addFilter(_DISCREET)  # the same one again is not added
        return {
            "base_url": self.base_url,
            "timeout": httpx2.Timeout(self.timeout, connect=min(CONNECT, self.timeout)),
            "follow_redirects": False,
            "headers": {"user-agent": AGENT},
        }

    def sent(self, call: Call[Any]) -> dict[str, Any]:
        """One request as httpx2 takes it, made once for all its tries: a POST keeps its Idempotency-Key. Raises Unsendable for its token."""
        _see_that_it_can_travel(call.token, "token")
        headers = {"accept": call.accept}
        if call.body is not None:
            headers["content-type"] = "application/json"
        if call.method == "POST":
            headers["idempotency-key"] = str(uuid.uuid4())
        if secret := call.token or self.api_key:
            headers["authorization"] = f"Bearer {secret}"
        return {"method": call.method, "url": call.path, "content": call.body, "headers": headers, "params": dict(call.query) or None}


def _see_that_it_is_an_address(base_url: str) -> None:
    """Raises Unsendable. The address is not repeated: a password may stand in it."""
    try:
        parts = urlsplit(base_url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not base_url.isprintable() or " " in base_url:
        raise Unsendable("base_url is no address of a service; one begins with http:// or https://, such as http://127.0.0.1:8000.")


def _see_that_it_can_travel(secret: str | None, what: str) -> None:
    """Raises Unsendable. The secret is not repeated."""
    if secret and not _SECRET.fullmatch(secret):
        raise Unsendable(f"The {what} holds a space, a line break or a letter that is not ASCII, which none does: was more copied than the {what}?")


def named(environ: Mapping[str, str]) -> dict[str, Any]:
    """Address and key as the environment names them."""
    return {"base_url": environ.get(CLIENT_URL) or LOCAL, "api_key": environ.get(CLIENT_KEY) or None}
