"""Erased means gone: every byte of the folder is searched."""

import asyncio
import logging
import random
import secrets
import sqlite3
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from coach.bootstrap import remembering
from coach.kept import Entry, Reply, Summary
from coach.memory import Memory, purge
from coach.store import SqlJournal
from coach.store.sealing import Sealer
from coach.store.sessions import SqlSessions
from tests.conftest import WRITEUPS, serving
from tests.test_memory import SCRIPTS, begun, replied
from tests.test_store import DAY, NOW, Clock, kept

TEXT = next(row["text"] for row in WRITEUPS if row["id"] == "s01")
PIECE = 20  # characters: a piece of a text as long as this is a trace; shorter ones stand in any two write-ups


def pieces(text):
    """Every piece of a text that would be a trace of it."""
    return {text[place : place + PIECE].encode() for place in range(len(text) - PIECE + 1)}


def left(folder, texts):
    """Traces of the texts in any file of the folder."""
    data = b"\n".join(path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())
    there = {data[place : place + PIECE] for place in range(len(data) - PIECE + 1)}
    return [text[:40] for text in texts if not there.isdisjoint(pieces(text))]


def secret(words):
    """A text that is found nowhere else."""
    return " ".join(secrets.token_hex(5) for _ in range(words))


@pytest.fixture
async def journal(tmp_path):
    found = SqlJournal("", tmp_path, Sealer(""), Clock())
    yield found
    await found.close()


async def test_what_many_random_operations_erase_leaves_no_trace(journal, tmp_path):
    """Texts of all lengths, in the order in which people write: begun, gone on with, edited, erased. `secure_delete` alone does not pass this."""
    chance, alive, gone, lengths = random.Random(6), {}, set(), [2, 8, 20, 40, 60]
    for _ in range(3000):
        dice = chance.random()
        if dice < 0.35 or len(alive) < 20:
            one = kept(text=secret(chance.choice(lengths)))
            await journal.begin(one)
            alive[one.id] = [one.challenge.text]
        elif dice < 0.7:
            name = chance.choice(list(alive)[-30:])
            text = secret(chance.choice(lengths[:4]))
            await journal.add(name, len(alive[name]) - 1, Entry(NOW, chance.choice([Reply("q1", "What?", text), Summary(seen=text)])))
            alive[name].append(text)
        else:
            name = chance.choice(list(alive)[-30:])
            await journal.erase([name])
            gone |= set(alive.pop(name))
    assert len(gone) > 1000
    assert left(tmp_path, [text for texts in alive.values() for text in texts]), "what is kept is there to be found"
    assert await journal.sweep()
    assert left(tmp_path, gone) == []
    for name, texts in alive.items():
        found = await journal.read(name)
        assert [found.challenge.text, *(entry.said.seen if isinstance(entry.said, Summary) else entry.said.text for entry in found.entries)] == texts


def test_a_whole_conversation_is_erased_to_the_last_byte(coach, tmp_path, caplog):
    """Over HTTP: write-up, replies, report, edited summary, export; searched in the data folder and in all that was logged."""
    caplog.set_level(logging.DEBUG)
    here = replace(coach, settings=replace(coach.settings, store=f"sqlite:///{tmp_path / 'kept.db'}"))
    report, edited = "I asked him in the car park on Tuesday.", "It was me who was loud, not the line."
    with serving(here) as url, httpx.Client(base_url=url, timeout=60) as client:
        erased, stays = begun(client)["id"], begun(client, WRITEUPS[1]["text"])["id"]
        for step in SCRIPTS["s01"][:4]:
            replied(client, erased, text=step["reply"] or "", move=step["move"])
        client.post(f"/v1/reflections/{erased}/report-backs", json={"tried": report})
        client.put(f"/v1/reflections/{erased}/summary", json={"seen": edited})
        texts = [TEXT, report, edited, *(step["reply"] for step in SCRIPTS["s01"][:4] if step["reply"])]
        assert client.get("/v1/me/export").text.count(TEXT[:40]) == 1
        assert sorted(left(tmp_path, texts)) == sorted(text[:40] for text in texts)
        assert client.delete(f"/v1/reflections/{erased}").json()["swept"] is True
        assert left(tmp_path, texts) == []
        assert client.get(f"/v1/reflections/{stays}").status_code == 200
        assert client.delete("/v1/me").json()["swept"] is True
        assert left(tmp_path, [WRITEUPS[1]["text"]]) == []
    assert not any(piece.decode(errors="replace") in caplog.text for text in texts for piece in pieces(text))


async def test_an_erasure_that_was_cut_off_is_finished_at_the_next_start(journal, tmp_path):
    """As by a crash between the two: a purge of the new process leaves no trace."""
    one = kept(text=secret(200))
    await journal.begin(one)
    await journal.erase([one.id])
    assert await journal.unswept()
    await journal.close()
    again = SqlJournal("", tmp_path, Sealer(""), Clock())
    assert await purge(Memory(again, SqlSessions(again), Clock())) == (0, True)
    assert not await again.unswept()
    assert left(tmp_path, [one.challenge.text]) == []
    await again.close()


async def test_what_another_process_erased_and_did_not_sweep_is_swept_by_this_one(journal, tmp_path):
    """Whose own erasures are all swept: it looks at what is noted in the database, not at its own count."""
    ours, theirs = kept(text=secret(60)), kept(text=secret(200))
    for one in (ours, theirs):
        await journal.begin(one)
    await journal.erase([ours.id])
    assert await journal.sweep()
    other = SqlJournal("", tmp_path, Sealer(""), Clock())
    await other.erase([theirs.id])
    await other.close()
    assert left(tmp_path, [theirs.challenge.text])
    assert await purge(Memory(journal, SqlSessions(journal), Clock())) == (0, True)
    assert left(tmp_path, [theirs.challenge.text]) == []


async def test_while_another_reads_it_says_that_traces_are_left(journal, tmp_path):
    """An old snapshot holds the log open: `swept` is false, and true once it is gone."""
    one = kept(text=secret(200))
    await journal.begin(one)
    reader = sqlite3.connect(tmp_path / "kept.db")
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM reflections").fetchone() == (1,)
    await journal.erase([one.id])
    assert not await journal.sweep()
    assert await journal.read(one.id) is None
    assert left(tmp_path, [one.challenge.text])
    reader.rollback()
    reader.close()
    assert await journal.sweep()
    assert left(tmp_path, [one.challenge.text]) == []


async def test_many_erasures_at_once_share_their_sweeps(journal, tmp_path, monkeypatch):
    """Twenty at a time rebuild the file a few times, not twenty; each is told only when its own traces are gone."""
    ones = [kept(text=secret(60)) for _ in range(20)]
    for one in ones:
        await journal.begin(one)
    sweeps, vacuum = [], journal._vacuum

    async def counted():
        sweeps.append(1)
        await vacuum()

    monkeypatch.setattr(journal, "_vacuum", counted)

    async def erased(one):
        await journal.erase([one.id])
        assert await journal.sweep()
        return left(tmp_path, [one.challenge.text])

    assert await asyncio.gather(*(erased(one) for one in ones)) == [[]] * 20
    assert len(sweeps) < 8


async def test_a_running_service_purges_what_has_expired(coach, tmp_path, monkeypatch):
    """By itself, at its start and every hour: the day after, the text is not in the file."""
    settings = replace(coach.settings, store=f"sqlite:///{tmp_path / 'kept.db'}")
    memory = remembering(settings)
    one = replace(kept(text=secret(100)), created=memory.now() - 31 * DAY, expires=memory.now() - DAY)
    await memory.journal.begin(one)
    await memory.journal.close()
    with serving(replace(coach, settings=settings)):
        for _ in range(200):
            if not left(tmp_path, [one.challenge.text]):
                break
            await asyncio.sleep(0.05)
    assert left(tmp_path, [one.challenge.text]) == []
