"""Every setting: an environment variable, its default, and what it does. Nothing else reads the environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from coach.errors import SettingsError


def _setting(variable: str, default: Any, read: Callable[[str], Any], explain: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"variable": variable, "read": read, "explain": explain})


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"wants a whole number from {low} to {high}")
        return number

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"can be {' or '.join(choices)}")
        return value

    return read


@dataclass(frozen=True)
class Settings:
    """What an operator may set."""

    data_dir: Path = _setting(
        "COACH_DATA_DIR", Path(".data"), Path, "The one folder in which anything is written. It may be lost: `coach index` makes it again."
    )
    host: str = _setting(
        "COACH_HOST", "127.0.0.1", str, "The address to listen on. Beyond this machine, put something in front that asks who is there."
    )
    port: int = _setting("COACH_PORT", 8000, _whole(0, 65535), "The port to listen on; 0 takes a free one.")
    embedder: str = _setting(
        "COACH_EMBEDDER",
        "local",
        _one_of("local", "endpoint"),
        "`local` reads write-ups in this process. `endpoint` sends them to an OpenAI-compatible embeddings endpoint, for now unmasked, "
        "and every answer says so.",
    )
    embedding_model: str = _setting("COACH_EMBEDDING_MODEL", "text-embedding-3-small", str, "The model to ask for at the endpoint.")
    embedding_dimensions: int = _setting("COACH_EMBEDDING_DIMENSIONS", 1536, _whole(2, 8192), "How many numbers a vector of that model has.")
    embedding_base_url: str = _setting("COACH_EMBEDDING_BASE_URL", "", str, "The endpoint's address; empty for OpenAI's own.")
    embedding_api_key: str = _setting("COACH_EMBEDDING_API_KEY", "", str, "The endpoint's key. Never shown.", secret=True)
    threads: int = _setting("COACH_THREADS", 2, _whole(1, 64), "How many threads read write-ups; as many as there are cores is enough.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read COACH_* variables. Raises SettingsError for a value that means nothing and for a COACH_ variable that does not exist."""
        known = {item.metadata["variable"]: item for item in fields(cls)}
        for variable in environ:
            if variable.startswith("COACH_") and variable not in known:
                raise SettingsError(variable, "is not a setting; `coach settings` lists them all")
        return cls(
            **{item.name: _read(item.metadata["read"], variable, environ[variable]) for variable, item in known.items() if variable in environ}
        )


def _read(read: Callable[[str], Any], variable: str, value: str) -> Any:
    try:
        return read(value)
    except ValueError as error:
        detail = str(error)
        raise SettingsError(variable, detail if "wants" in detail or "can be" in detail else f"{value!r} is not a number") from None


def explained(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value in force, what it does) of each setting; a key is not shown."""
    rows = []
    for item in fields(settings):
        value = str(getattr(settings, item.name))
        shown = value if item.repr else ("set" if value else "not set")
        rows.append((item.metadata["variable"], shown, item.metadata["explain"]))
    return rows
