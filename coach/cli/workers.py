"""Several processes that answer at one address, under uvicorn's supervisor: each reads its own copy of the index and tells its figures to all."""

import asyncio
import gc
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess

from coach.bootstrap import assemble
from coach.cli.listening import bound
from coach.errors import SettingsError
from coach.knowledge.index import SERVING
from coach.logs import configure
from coach.settings import Settings
from coach.web.app import create_app
from coach.web.door import Door
from coach.web.metrics import FOLDER, alive

PATIENCE = 120.0  # seconds until a worker has loaded its models
SWITCH = 0.0005  # as in coach.cli.serving

log = logging.getLogger("coach")


def drained_by_signals(door: Door) -> None:
    """From now on, a signal that stops uvicorn's server in this process closes the door first. Called in the loop that answers."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(_stop, loop, door, signal.getsignal(number)))


def _stop(loop: asyncio.AbstractEventLoop, door: Door, before: Any, number: int, frame: Any) -> None:
    loop.call_soon_threadsafe(door.drain)
    before(number, frame)


@dataclass(frozen=True)
class _Worker:
    """Makes the application of one process. It travels to the process as it is, so it holds settings and no parts."""

    settings: Settings
    folder: Path

    def __call__(self) -> Litestar:
        """Called by uvicorn in the loop that will answer."""
        configure(self.settings.log)
        app = create_app(assemble(self.settings, lambda _done, _total: None, self.folder))
        configure(self.settings.log)  # again, over what libraries have set up for themselves meanwhile
        drained_by_signals(app.state.door)
        sys.setswitchinterval(SWITCH)
        gc.freeze()
        return app


class _Supervisor(Multiprocess):
    """Says when all answer, and lets go of the port before it waits for them to end: else callers would be taken in whom nobody answers."""

    def __init__(self, config: uvicorn.Config, listening: list[socket.socket], welcome: Callable[[socket.socket], None]) -> None:
        super().__init__(config, listening)
        self.failed = False
        self._welcome = welcome

    def init_processes(self) -> None:
        """Start all, wait for them; if one cannot start, none is to be started again and again."""
        super().init_processes()
        if all(process.wait_until_ready(PATIENCE, self.should_exit) for process in self.processes):
            self._welcome(self.sockets[0])
        else:
            log.error("a worker did not start")
            self.failed = True
            self.should_exit.set()

    def keep_subprocess_alive(self) -> None:
        """Replace those that died, and say so."""
        before = [process.pid for process in self.processes]
        super().keep_subprocess_alive()
        for was in set(before) - {process.pid for process in self.processes}:
            log.error("worker %d died; another takes its place", was)

    def terminate_all(self) -> None:
        """Tell all to stop."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()


def serve_together(settings: Settings, options: Mapping[str, Any], welcome: Callable[[socket.socket], None]) -> None:
    """Serve with as many processes as the settings say, until told to stop. The index is there.

    Errors: SettingsError, CannotListen; SystemExit if a process cannot start.
    """
    folder = _folder(settings)
    try:
        (folder / "metrics").mkdir()
        os.environ[FOLDER] = str(folder / "metrics")  # read by prometheus_client when a worker imports it
        config = uvicorn.Config(_Worker(settings, folder), factory=True, workers=settings.workers, **options)
        supervisor = _Supervisor(config, bound(settings.host, settings.port), welcome)
        supervisor.run()
        if supervisor.failed:
            sys.exit(STARTUP_FAILURE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(settings: Settings) -> Path:
    """A folder of this service's own, without what earlier ones left that were killed. Raises SettingsError."""
    mine = settings.data_dir / f"{SERVING}{os.getpid()}"
    try:
        for left in settings.data_dir.glob(f"{SERVING}*"):
            if left == mine or not alive(int(left.name.partition("-")[2])):
                shutil.rmtree(left, ignore_errors=True)
        mine.mkdir(parents=True)
    except OSError as error:
        raise SettingsError("COACH_WORKERS", f"wants a data folder that can be written ({type(error).__name__})") from None
    return mine
