"""Reads prompts/: prose with front matter. A variable that is used and not declared, or declared and not used, fails at start-up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from coach.errors import PromptError

_FILE = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_VARIABLE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text with named holes."""

    name: str
    version: str
    variables: frozenset[str]
    text: str

    def render(self, values: Mapping[str, str]) -> str:
        """The text with every variable filled. Raises PromptError if the values are not exactly the declared variables."""
        if set(values) != self.variables:
            raise PromptError(self.name, f"wants {sorted(self.variables)} and was given {sorted(values)}")
        return _VARIABLE.sub(lambda match: values[match[1]], self.text)


def load(folder: Path) -> dict[str, Prompt]:
    """Every prompt of a folder, by name. Raises PromptError."""
    return {path.stem: _read(path) for path in sorted(folder.glob("*.md"))}


def _read(path: Path) -> Prompt:
    match = _FILE.match(path.read_text(encoding="utf-8"))
    if not match:
        raise PromptError(path.stem, "does not begin with front matter between two lines of ---")
    front = yaml.safe_load(match[1])
    if not isinstance(front, dict) or set(front) != {"name", "version", "variables"} or front["name"] != path.stem:
        raise PromptError(path.stem, "wants the fields name (that of the file), version and variables")
    declared, used = frozenset(front["variables"]), frozenset(_VARIABLE.findall(match[2]))
    if declared != used:
        raise PromptError(path.stem, f"declares {sorted(declared)} and uses {sorted(used)}")
    return Prompt(path.stem, str(front["version"]), declared, match[2].strip())
