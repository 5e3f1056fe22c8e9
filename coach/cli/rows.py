"""Files of sentences and of write-ups."""

import json
from collections.abc import Iterator
from typing import IO, Any

import click

STDIN = "-"
FILE = click.argument("file", default=STDIN, type=click.Path(dir_okay=False, allow_dash=True))


def json_rows(source: IO[str]) -> Iterator[tuple[Any, str]]:
    """The id and the text of each line of JSON. Raises ClickException with the number of a line that has none."""
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield row["id"], str(row["text"])
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(f'line {number} is not a JSON object with "id" and "text"') from None
