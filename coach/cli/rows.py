"""Files of sentences and of write-ups."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from coach.errors import NotText

STDIN = "-"
FILE = click.argument("file", default=STDIN, type=click.Path(dir_okay=False, allow_dash=True))


@contextmanager
def opened(file: str) -> Iterator[IO[str]]:
    """A file as text, or standard input. Errors: NotText for what is not UTF-8, click.FileError for what cannot be opened."""
    try:
        with click.open_file(file, encoding="utf-8", errors="strict") as source:
            yield source
    except UnicodeDecodeError:
        raise NotText("Standard input" if file == STDIN else file) from None
    except FileNotFoundError:
        raise click.FileError(file, "there is no such file") from None
    except PermissionError:
        raise click.FileError(file, "it may not be read") from None


def json_rows(source: IO[str]) -> Iterator[tuple[Any, str]]:
    """The id and the text of each line of JSON. Raises ClickException with the number of a line that has none."""
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield row["id"], str(row["text"])
        except UnicodeDecodeError:
            raise
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(f'line {number} is not a JSON object with "id" and "text"') from None
