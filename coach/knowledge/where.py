"""Where the data folders are: inside the installed package, or beside it in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def data_folder(name: str) -> Path:
    """The folder `knowledge` or `prompts`. The wheel carries them under coach/data; a checkout has them at its top."""
    carried = _PACKAGE / "data" / name
    return carried if carried.is_dir() else _PACKAGE.parent / name
