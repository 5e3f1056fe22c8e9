"""What the TypeScript client is made and tried with, in a folder of its own outside the checkout. `python -m tests.typescript` writes its types."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from coach.bootstrap import Coach, assemble
from coach.settings import Settings
from coach.web.app import create_app

PINNED = ("openapi-typescript@7.10.1", "typescript@5.9.3")
SOURCES = Path(__file__).parent.parent / "coach" / "client" / "typescript"
TYPES = SOURCES / "api.ts"
STRICT = (
    "--strict",
    "--noUncheckedIndexedAccess",
    "--exactOptionalPropertyTypes",
    "--noImplicitOverride",
    "--noUnusedLocals",
    "--noUnusedParameters",
)
TARGET = ("--target", "es2022", "--module", "nodenext", "--lib", "es2023,dom,dom.iterable")


def there() -> bool:
    """Whether node and npm are."""
    return bool(shutil.which("node") and shutil.which("npm"))


def tool(name: str, *pinned: str) -> str:
    """A pinned tool, installed if it is not yet; no package's own scripts are run. Without `pinned` one of the client's."""
    packages = pinned or PINNED
    folder = Path(tempfile.gettempdir()) / ("coach-npm-" + "-".join(packages).replace("@", "-").replace("/", "-"))
    if not (folder / "whole").exists():
        command = ("npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", *packages)
        subprocess.run(command, check=True, capture_output=True)
        (folder / "whole").touch()
    return str(folder / "node_modules" / ".bin" / name)


def types(coach: Coach, folder: Path) -> str:
    """The types of the service as it is now."""
    document = folder / "openapi.json"
    document.write_text(json.dumps(create_app(coach).openapi_schema.to_schema()), encoding="utf-8")
    made = subprocess.run(
        (tool("openapi-typescript"), document, "--default-non-nullable=false"), check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return made.stdout


def compiled(folder: Path, *programs: Path) -> None:
    """These programs and the client as JavaScript in this folder. Raises CalledProcessError where the strictest checks find something."""
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    for source in SOURCES.glob("*.ts"):
        shutil.copy(source, folder)
    done = subprocess.run((tool("tsc"), *STRICT, *TARGET, *programs), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data:
        TYPES.write_text(types(assemble(Settings(data_dir=Path(data)), lambda _done, _total: None), Path(data)), encoding="utf-8")
