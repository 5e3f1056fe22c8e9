"""A Slack slash command: what stands behind /reflect goes to Coach; the questions come back to whoever asked, for nobody else to see.

Wants SLACK_SIGNING_SECRET, COACH_URL and COACH_KEY. `uvicorn --factory slack_command:from_env` answers at /slack.
"""

import hashlib
import hmac
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx2
from litestar import Litestar, Request, Response, post
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException

from coach.client import AsyncClient, ClientError, ReflectionAnswer
from coach.client.errors import BadRequest

log = logging.getLogger("slack_command")
LATEST = 300  # seconds; what is older may have been recorded by somebody
USAGE = "Write after the command what is on your mind at work, in a few sentences."
WAIT = "One moment."
FAILED = "No answer came this time, and nothing was kept. It can be tried again."


def from_slack(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether Slack signed it (its scheme v0) a short time ago."""
    at, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not re.fullmatch(r"[0-9]{1,12}", at) or abs(now - int(at)) > LATEST:
        return False
    expected = hmac.new(secret.encode(), b"v0:%s:%s" % (at.encode(), body), hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={expected}".encode(), signature.encode())


def slacks_own(address: str) -> bool:
    """Whether an answer may be sent there."""
    return address.startswith("https://hooks.slack.com/")


def told(answer: ReflectionAnswer) -> str:
    """An answer as a message: first where help is, if that is what is needed."""
    lines = []
    if signpost := answer.signpost:
        lines += [signpost.text, *filter(None, [signpost.emergency]), *(f"{one.name}: {one.contact}" for one in signpost.help)]
    lines += [answer.acknowledgement.text] if answer.acknowledgement else []
    lines += [f"• {question.text}" for question in answer.questions]
    return "\n".join([*lines, *(notice.message for notice in answer.notices), answer.disclosure])


def only_you(text: str) -> dict[str, str]:
    """A message that nobody else sees. Slack reads orders in angle brackets, such as one that calls everybody."""
    return {"response_type": "ephemeral", "text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}


async def reflect(coach: AsyncClient, text: str, address: str) -> None:
    """Ask, and send the answer. Slack takes it for half an hour."""
    try:
        message = told(await coach.reflect(text))
    except BadRequest as error:
        message = error.detail
    except ClientError as error:
        log.warning("no answer: %s", type(error).__name__)
        message = FAILED
    try:
        async with httpx2.AsyncClient(timeout=10) as slack:
            (await slack.post(address, json=only_you(message))).raise_for_status()
    except httpx2.HTTPError as error:
        log.warning("not sent: %s", type(error).__name__)


def application(secret: str, coach: AsyncClient, may_answer: Callable[[str], bool] = slacks_own, now: Callable[[], float] = time.time) -> Litestar:
    """The command at /slack."""

    @post("/slack", status_code=200, request_max_body_size=65_536)
    async def command(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        body = await request.body()
        if not from_slack(secret, request.headers, body, now()):
            raise NotAuthorizedException
        sent = parse_qs(body.decode(errors="replace"))
        text, address = sent.get("text", [""])[0], sent.get("response_url", [""])[0]
        if not may_answer(address):
            raise PermissionDeniedException
        if not text.strip():
            return Response(only_you(USAGE))
        return Response(only_you(WAIT), background=BackgroundTask(reflect, coach, text, address))  # Slack waits for three seconds at most

    return Litestar([command], on_shutdown=[coach.aclose], openapi_config=None, logging_config=None)


def from_env() -> Litestar:
    """As the environment says. Addresses are not logged: whoever knows one can answer in Slack's name for half an hour."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    return application(os.environ["SLACK_SIGNING_SECRET"], AsyncClient.from_env(os.environ))
