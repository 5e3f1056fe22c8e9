"""How long work shows that it goes on."""

from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A progress bar on a terminal, a line every tenth elsewhere. Written to standard error, so that answers can be piped."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=self._console, transient=True
        )
        self._task: Any = None
        self._said = 0

    def __call__(self, done: int, total: int) -> None:
        """Told that `done` of `total` are done."""
        if not self._console.is_terminal:
            if done == total or done * 10 // total > self._said:
                self._said = done * 10 // total
                click.echo(f"{self._doing}: {done} of {total}", err=True)
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(self._doing, total=total)
        self._bar.update(self._task, completed=done)
        if done >= total:
            self._bar.stop()
