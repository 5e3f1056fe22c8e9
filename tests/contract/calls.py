"""Sends the examples of the OpenAPI document, one after another, as they are written: made-up ids, secrets and times stand for those that come."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from coach.web import examples
from coach.web.examples import Call

_MOMENT = re.compile(r'"\d{4}-\d\d-\d\dT[\d:.]+Z"')
MOST_SHOWN = 2  # of a list in an example


def operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Method, path and what is said of each operation, by its id."""
    return {one["operationId"]: (method, path, one) for path, item in document["paths"].items() for method, one in item.items()}


def soon() -> str:
    """A moment to hand in until."""
    return (datetime.now(UTC).replace(microsecond=0) + timedelta(days=14)).isoformat().replace("+00:00", "Z")


class Sender:
    """Knows what the made-up names stand for."""

    def __init__(self, client: httpx.Client, document: dict[str, Any]) -> None:
        self._client = client
        self._operations = operations(document)
        self._stands_for = {examples.DEADLINE: soon()}

    def all(self) -> Iterator[tuple[Call, httpx.Response]]:
        """Each example with its answer."""
        kept = self._client.post("/v1/reflections", json={**examples.REQUEST, "store": True}).raise_for_status().json()
        self._stands_for |= {examples.ID: kept["id"], examples.TOKEN: kept["kept"]["continue_token"]}
        for call in examples.CALLS:
            answer = self._send(call)
            if call.operation == "convene":
                made = answer.raise_for_status().json()
                self._stands_for |= {examples.SESSION: made["id"], examples.HOST_TOKEN: made["host_token"]}
                self._stands_for |= {f"mt_example{at}": one["token"] for at, one in enumerate(made["invitations"], 1)}
            yield call, answer

    def _send(self, call: Call) -> httpx.Response:
        method, path, _ = self._operations[call.operation]
        live = json.loads(self._with(json.dumps([call.path, call.query, call.body, call.token])))
        headers = {"authorization": f"Bearer {live[3]}"} if live[3] else {}
        body = {} if call.body is None else {"json": live[2]}
        return self._client.request(method, path.format(**live[0]), params=live[1], headers=headers, **body)

    def _with(self, text: str) -> str:
        for made_up, real in self._stands_for.items():
            text = text.replace(made_up, real)
        return text

    def shown(self, call: Call, answer: httpx.Response) -> Any:
        """The answer as the document shows it: with made-up names, and lists cut short."""
        text = answer.text
        for made_up, real in self._stands_for.items():
            text = text.replace(real, made_up)
        text = re.sub(r'"milliseconds":[\d.]+', '"milliseconds":70', re.sub(r"http://127[^/]*", "http://127.0.0.1:8000", text))
        found = json.loads(_MOMENT.sub(_made_up, text))
        return dict(list(found.items())[:MOST_SHOWN]) if call.operation == "problems" else _short(found)


def _made_up(moment: re.Match[str]) -> str:
    if examples.DEADLINE in moment[0]:
        return moment[0]
    return '"2027-01-09T18:00:00Z"' if moment[0] > f'"{datetime.now(UTC).isoformat()}' else '"2026-11-26T09:00:00Z"'


def _short(value: Any) -> Any:
    match value:
        case dict():
            return {name: _short(one) for name, one in value.items()}
        case list():
            return [_short(one) for one in value[:MOST_SHOWN]]
    return value
