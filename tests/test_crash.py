"""Killed at any moment: what was acknowledged is there, and nothing is there by half. On a full disk the answers go on."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from coach.memory import NOT_KEPT
from coach.store import SqlJournal
from coach.store.journal import utc_now
from coach.store.sealing import Sealer
from tests.conftest import WRITEUPS, serving
from tests.test_memory import begun, replied
from tests.test_store import Entry, Reply, kept
from tests.writing import text

ROOT = Path(__file__).parent.parent
TEXT = next(row["text"] for row in WRITEUPS if row["id"] == "s01")
ROUNDS = {"sqlite": 50, "postgresql": 20}


def killed(url, folder, seconds):
    """What a writer had acknowledged when it was killed, so many seconds after its first word.

    Only what ends with a line end was said whole: the kill can fall within a write to the pipe, and nobody is acknowledged by half a line.
    """
    writer = subprocess.Popen([sys.executable, "-m", "tests.writing", url, str(folder)], stdout=subprocess.PIPE, cwd=ROOT)
    first = writer.stdout.readline()
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate(timeout=30)
    *lines, _unfinished = (first + rest).decode().split("\n")
    return [(name, int(seq)) for name, seq in (line.split() for line in lines)]


async def there(url, folder):
    """All that is in the database: each place with what stands in it."""
    journal = SqlJournal(url, folder, Sealer(""))
    found = {}
    async for one in journal.everything(None):
        found[one.id, -1] = one.challenge.text
        found |= {(one.id, seq): entry.said.text for seq, entry in enumerate(one.entries)}
    await journal.close()
    return found


@pytest.mark.timeout(600)
async def test_nothing_acknowledged_is_lost_and_nothing_is_half_there(database, tmp_path):
    """Kill -9 at random moments, 50 rounds on SQLite and 20 on PostgreSQL: the writer's ledger is compared with the database after each."""
    chance, ledger, before = random.Random(20), [], 0
    for _ in range(ROUNDS[database.partition(":")[0]]):
        ledger += killed(database, tmp_path, chance.uniform(0, 0.12))
        found = await there(database, tmp_path)
        assert set(ledger) <= set(found)
        assert {place: text(*place) for place in found} == found
        rounds_more = len(found) - len(ledger) - before
        assert rounds_more in {0, 1}, "at most the one that was under way when it was killed"
        before += rounds_more
    assert len(ledger) > 500


@pytest.mark.timeout(300)
def test_a_killed_service_has_every_reply_that_it_answered(coach, tmp_path):
    """The real process, over HTTP, three times: what was answered with 200 is there after the next start, and the conversation goes on."""
    shutil.copytree(coach.settings.data_dir / "index", tmp_path / "index")
    environ = {**os.environ, "COACH_DATA_DIR": str(tmp_path), "COACH_PORT": "0"}
    chance, sent, identifier = random.Random(7), [], None
    for life in range(3):
        with _running(environ) as (service, url), httpx.Client(base_url=url, timeout=30) as client:
            identifier = identifier or begun(client)["id"]
            there = [one["reply"] for one in client.get(f"/v1/reflections/{identifier}").json()["exchanges"]]
            assert there[: len(sent)] == sent
            assert len(there) <= len(sent) + 1
            sent = there
            deadline = time.monotonic() + chance.uniform(0.1, 0.5)
            while len(sent) < 8 * (life + 1):
                words = f"Then came number {len(sent)}, and he left."
                if time.monotonic() > deadline:
                    _kill_during(service, client, identifier, words)
                    break
                assert replied(client, identifier, text=words, move="deeper").status_code == 200
                sent.append(words)


def _kill_during(service, client, identifier, words):
    """Send a reply and kill the service while it works on it."""
    threading.Timer(0.02, service.kill).start()
    with suppress(httpx.HTTPError):
        replied(client, identifier, text=words)
    service.wait(10)


@contextmanager
def _running(environ):
    """A service of its own process, until the block ends."""
    service = subprocess.Popen([sys.executable, "-m", "coach", "serve"], stdout=subprocess.PIPE, env=environ, text=True, cwd=ROOT)
    try:
        url = next(line.split()[1] for line in service.stdout if line.strip().startswith("Open"))
        yield service, url.removesuffix("/schema")
    finally:
        service.kill()
        service.communicate(timeout=30)


@contextmanager
def _small_disk(folder):
    """A file system of one megabyte, where this machine lets us mount one."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_on_a_full_disk_answers_go_on_and_it_recovers(coach, tmp_path):
    """`stored` is false and a notice says so; what was kept is whole; with room again it is kept again."""
    with _small_disk(tmp_path / "small") as folder:
        here = replace(coach, settings=replace(coach.settings, store=f"sqlite:///{folder / 'kept.db'}"))
        with serving(here) as url, httpx.Client(base_url=url, timeout=60) as client:
            first = begun(client)
            assert first["privacy"]["stored"] is True
            filler = folder / "filler"
            with filler.open("wb", buffering=0) as file:
                with suppress(OSError):
                    for _ in range(3000):
                        file.write(b"x" * 512)
                assert shutil.disk_usage(folder).free < 4096
            full = client.post("/v1/reflections", json={"challenge": TEXT * 5, "store": True}).json()
            assert full["privacy"]["stored"] is False
            assert NOT_KEPT.code in [notice["code"] for notice in full["notices"]]
            assert len(full["questions"]) == 3
            reply = replied(client, first["id"], text="He left. " * 300)
            assert (reply.status_code, reply.json()["code"]) == (503, "journal-unavailable")
            assert client.get(f"/v1/reflections/{first['id']}").json()["challenge"] == TEXT
            filler.unlink()
            assert begun(client, TEXT * 5)["privacy"]["stored"] is True
            assert replied(client, first["id"], text="He left.").status_code == 200
            assert len(client.get("/v1/reflections").json()["data"]) == 2


async def test_entries_keep_their_order_across_many_openings(tmp_path):
    """What is kept of 24 exchanges is read back in their order, however often it was opened between."""
    journal = SqlJournal("", tmp_path, Sealer(""))
    one = replace(kept(), created=utc_now(), expires=utc_now() + timedelta(days=1))
    await journal.begin(one)
    for seq in range(24):
        await journal.add(one.id, seq, Entry(utc_now(), Reply("q1", "What?", json.dumps(seq))))
        await journal.close()
    assert [json.loads(entry.said.text) for entry in (await journal.read(one.id)).entries] == list(range(24))
    await journal.close()
