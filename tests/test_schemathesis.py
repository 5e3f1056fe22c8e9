"""The service against its own document: requests that nobody thought of, after each other too."""

import copy
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from coach.keys import Scope
from coach.web import examples
from tests.conftest import serving
from tests.contract.calls import soon
from tests.contract.write import document
from tests.test_keys import given

CONFIG = Path(__file__).parent / "contract" / "schemathesis.toml"
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "15"))  # for each of the two
pytestmark = [pytest.mark.schemathesis, pytest.mark.timeout(SECONDS + 240)]


def run(document, url, folder, *more):
    """What schemathesis says, where it found something."""
    written = json.dumps(document).replace(examples.DEADLINE, soon())
    (folder / "openapi.json").write_text(written, encoding="utf-8")
    command = (sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", "openapi.json", "--url", url, "--checks", "all")
    return subprocess.run(
        (*command, "--max-time", str(SECONDS), "--no-color", *more), cwd=folder, capture_output=True, text=True, timeout=SECONDS + 120, check=False
    )


@pytest.fixture
def own_coach(coach, tmp_path):
    """The same coach, whose limits are out of the way, with a store and collections of its own."""
    settings = replace(coach.settings, store=f"sqlite:///{tmp_path / 'kept.db'}", rate=1_000_000, address_rate=1_000_000)
    return replace(coach, settings=settings)


def test_nothing_breaks_the_service_while_nobody_holds_a_key(own_coach, tmp_path):
    """No 5xx, no undocumented status or type, no answer that does not fit; what does not fit the contract is refused."""
    open_to_all = copy.deepcopy(document(own_coach))
    for item in open_to_all["paths"].values():
        for operation in item.values():
            operation["security"] = []  # while nobody holds a key, none is wanted
    with serving(own_coach) as url:
        done = run(open_to_all, url, tmp_path)
    assert done.returncode == 0, done.stdout


def test_nothing_breaks_the_service_with_a_key(own_coach, tmp_path):
    """The same, and nothing that wants a key answers without one, or to a made-up one."""
    secret = given(own_coach, name="all", scopes=(Scope.ADMIN,))
    with serving(own_coach) as url:
        done = run(document(own_coach), url, tmp_path, "--header", f"Authorization: Bearer {secret}")
    assert done.returncode == 0, done.stdout
