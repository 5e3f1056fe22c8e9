"""Lints the stored OpenAPI document with Redocly's recommended rules. `make check` runs it; without npm it says so."""

import json
import subprocess
import sys

from tests import typescript
from tests.contract.write import STORED

PINNED = "@redocly/cli@2.77.0"


def problems() -> list[str]:
    """What the linter finds, an error or a warning."""
    command = (typescript.tool("redocly", PINNED), "lint", "--config", STORED.parent / "redocly.yaml", "--format", "json", STORED)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return [f"{one['ruleId']}: {one['message']} ({one['location'][0].get('pointer')})" for one in json.loads(done.stdout)["problems"]]


if __name__ == "__main__":
    if typescript.there():
        sys.exit("\n".join(problems()) or None)
    print("no npm: the OpenAPI document is not linted")
