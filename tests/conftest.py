"""Real parts, made once: the knowledge, the encoder, an index in a temporary folder, a coach, a served application."""

import asyncio
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import httpx
import pytest
import redis
import uvicorn

from coach import guard, prompts
from coach.bootstrap import Coach, assemble, keyring, remembering, with_model
from coach.knowledge.embedders import MiniLM
from coach.knowledge.files import Knowledge, load
from coach.knowledge.shelf import Shelves
from coach.knowledge.where import data_folder
from coach.settings import Settings
from coach.web.app import create_app
from tests.browser import browser

REQUIRED = bool(os.environ.pop("COACH_REQUIRE_SERVICES", ""))  # taken out, since it is no setting of Coach's
POSTGRES = "postgresql://root@127.0.0.1:5432/postgres"
REDIS_NUMBER = 9
REDIS = f"redis://127.0.0.1:6379/{REDIS_NUMBER}"
CASES = Path(__file__).parent / "cases"


def rows(name: str) -> list[dict]:
    """The rows of a file of labelled cases."""
    return [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]


WRITEUPS = rows("writeups.jsonl")
ORDINARY = [row for row in WRITEUPS if row["flag"] is None]


@pytest.fixture(autouse=True)
def _the_guard_tries_again() -> Iterator[None]:
    """A test that takes the encoder away leaves no mark on the next."""
    yield
    guard._missing_until[0] = 0.0


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """All of knowledge/."""
    return load(data_folder("knowledge"))


@pytest.fixture(scope="session")
def encoder() -> MiniLM:
    """The real sentence encoder."""
    return MiniLM()


@pytest.fixture(scope="session")
def coach(tmp_path_factory: pytest.TempPathFactory) -> Coach:
    """A coach on a real index, built once for the session."""
    return assemble(Settings(data_dir=tmp_path_factory.mktemp("data")), lambda _done, _total: None)


@pytest.fixture(scope="session")
def shelves(coach: Coach) -> Shelves:
    """The library as vectors, under the real encoder."""
    return coach.library.shelves


@pytest.fixture(scope="session")
def served(coach: Coach) -> Iterator[str]:
    """The application behind a real socket; its address."""
    with serving(coach) as url:
        yield url


class serving:  # noqa: N801 (it is used like a function)
    """Serve a coach on a free port of this machine for as long as the block lasts."""

    def __init__(self, coach: Coach) -> None:
        self._server = uvicorn.Server(uvicorn.Config(create_app(coach), port=0, log_level="warning", access_log=False))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_details: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)


def modelled(coach: Coach, url: str, **changes: object) -> Coach:
    """The same coach with a language model at this address."""
    settings = replace(coach.settings, **{"model": "tiny", "openai_base_url": url, **changes})
    return with_model(coach, settings, prompts.load(data_folder("prompts")))


def _ask_postgres(statement: str) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(POSTGRES, timeout=5)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(ask())


@pytest.fixture(scope="session")
def postgres() -> str:
    """The address of a real PostgreSQL. Without one its tests are skipped, loudly, or fail where services are required."""
    try:
        _ask_postgres("SELECT 1")
    except (OSError, asyncpg.PostgresError) as error:
        message = f"NO POSTGRESQL at 127.0.0.1:5432 ({type(error).__name__}): its tests do not run"
        if REQUIRED:
            pytest.fail(message)
        sys.__stderr__.write(f"\n{message}\n")
        pytest.skip(message)
    return POSTGRES.rpartition("/")[0]


@contextmanager
def new_database(postgres: str) -> Iterator[str]:
    """A database of its own."""
    name = f"coach_test_{secrets.token_hex(6)}"
    _ask_postgres(f"CREATE DATABASE {name}")
    yield f"{postgres}/{name}"
    _ask_postgres(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fresh_postgres(postgres: str) -> Iterator[str]:
    """A database of its own, for one test."""
    with new_database(postgres) as found:
        yield found


@contextmanager
def emptied_redis(number: int) -> Iterator[str]:
    """A database of a real Redis, emptied. Without one its tests are skipped, loudly, or fail where services are required."""
    address = f"redis://127.0.0.1:6379/{number}"
    found = redis.Redis.from_url(address)
    try:
        found.flushdb()
    except redis.ConnectionError:
        message = "NO REDIS at 127.0.0.1:6379: its tests do not run"
        if REQUIRED:
            pytest.fail(message)
        sys.__stderr__.write(f"\n{message}\n")
        pytest.skip(message)
    yield address
    found.flushdb()
    found.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where things are kept, as COACH_STORE names it: one test runs on both."""
    if request.param == "postgresql":
        return request.getfixturevalue("fresh_postgres")
    return f"sqlite:///{tmp_path / 'kept.db'}"


@pytest.fixture
def remembering_coach(coach, database):
    """The same coach, keeping things in a database of its own."""
    return replace(coach, settings=replace(coach.settings, store=database))


@pytest.fixture
def client(remembering_coach):
    """A caller of a service on this machine, to which nobody was given a key."""
    with serving(remembering_coach) as url, httpx.Client(base_url=url, timeout=60) as found:
        yield found


@pytest.fixture
async def memory(remembering_coach):
    """Where that service keeps things, looked at from beside it."""
    found = remembering(remembering_coach.settings)
    yield found
    await found.journal.close()


@pytest.fixture
async def keys(remembering_coach):
    """The keys of that service, looked at from beside it."""
    found = keyring(remembering_coach.settings)
    yield found
    await found.close()


@pytest.fixture
def shared_redis():
    """A real Redis, emptied."""
    with emptied_redis(REDIS_NUMBER) as found:
        yield found


@pytest.fixture(scope="module")
def chromium():
    """A real browser, for one module: while it runs, its driver has this thread's event loop."""
    with browser() as found:
        yield found


@pytest.fixture
def open_page(chromium):
    """A page in a context of its own; at the end nothing was thrown and nothing was refused by the policy."""
    contexts, troubles = [], []

    def opened(address, **options):
        context = chromium.new_context(**options)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda told: troubles.append(told.text) if "Content Security" in told.text else None)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
