"""Writes the examples of the OpenAPI document and the stored copy of it anew. Run it with `make contract`."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

import coach.web
from coach.bootstrap import Coach, assemble
from coach.settings import Settings
from coach.web import contract, examples
from coach.web.app import create_app
from tests.conftest import serving
from tests.contract.calls import Sender
from tests.contract.compare import unnoted

STORED = Path(__file__).parent / "openapi.json"
CHANGELOG = Path(__file__).parent.parent.parent / "CHANGELOG.md"


def document(coach: Coach) -> dict[str, Any]:
    """The document of the service as it is now."""
    found: dict[str, Any] = json.loads(json.dumps(create_app(coach).openapi_schema.to_schema()))
    return found


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write(data: Path) -> None:
    """Both files, from a service of its own. It ends with an error, and leaves the copy, where a change breaks clients and is not noted."""
    coach_ = assemble(Settings(data_dir=data), lambda _done, _total: None)
    with serving(coach_) as url, httpx.Client(base_url=url, timeout=60) as client:
        sender = Sender(client, document(coach_))
        found = {
            call.operation: sender.shown(call, answer)
            for call, answer in sender.all()
            if call.operation not in {"reflect", "check"} and answer.raise_for_status().headers["content-type"].startswith(contract.JSON)
        }
    _write(Path(coach.web.__file__).parent / "example_answers.json", found)
    examples.ANSWERS.clear()
    examples.ANSWERS.update(found)
    new = document(coach_)
    if faults := unnoted(json.loads(STORED.read_text(encoding="utf-8")), new, CHANGELOG.read_text(encoding="utf-8")):
        sys.exit("\n".join(("This breaks clients and is not noted in CHANGELOG.md, under `### Incompatible`:", *faults)))
    _write(STORED, new)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
