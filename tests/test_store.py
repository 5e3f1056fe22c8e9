"""The journal: the same tests on SQLite and on PostgreSQL."""

import asyncio
import base64
import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from coach import ids
from coach.errors import JournalBusy, JournalConflict, JournalUnavailable, SettingsError, StoreKeyWrong
from coach.kept import Answer, Entry, Kept, Put, Reply, Report, Summary, digest, new_token
from coach.model import AcknowledgementDraft, Challenge, Move, Notice, Provenance, Skill
from coach.store import SqlJournal
from coach.store.engine import address
from coach.store.migrating import head
from coach.store.sealing import Sealer
from coach.store.tables import HEAD, metadata
from tests.fakes import TEXT, draft, evidence

NOW = datetime(2026, 11, 26, 9, 30, 15, 123000, tzinfo=UTC)
DAY = timedelta(days=1)
MADE = Provenance("bank", None, None, "k", "g")
KEY, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


class Clock:
    """A time that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def kept(owner="me", text=TEXT, days=30, **more):
    """A reflection as it begins."""
    return Kept(ids.new("r"), owner, digest(new_token()), NOW, NOW + days * DAY, Challenge(text, **more))


ENTRIES = (
    Entry(
        NOW,
        Answer(
            MADE,
            AcknowledgementDraft('"everyone", you write.', (evidence("everyone"),)),
            (Put("q1", draft('What is "everyone"?', evidence("everyone")), (("asking#first", "Asking"),)),),
            (("asking#first", "Asking"),),
            (Notice("a", "b"),),
        ),
    ),
    Entry(NOW + DAY, Reply("q1", 'What is "everyone"?', "All – of them 👋", Move.DEEPER)),
    Entry(NOW + DAY, Report("a", "", "c")),
    Entry(NOW + DAY, Summary("", "b", "")),
)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def journal(database, tmp_path, clock):
    """An open one on an empty database."""
    found = SqlJournal(database, tmp_path, Sealer(""), clock)
    yield found
    await found.close()


async def done(journal, statement):
    """A statement of SQL, beside the journal's own."""
    await journal._database.write(lambda connection: connection.execute(sa.text(statement)))


async def test_what_was_kept_comes_back_as_it_was(journal):
    """The challenge with all that was asked, and every kind of entry, in order."""
    one = kept(focus=(Skill.CARE,), functions=("sales",), mask=("Bob",), language="de-AT", count=5)
    await journal.begin(one)
    for seq, entry in enumerate(ENTRIES):
        await journal.add(one.id, seq, entry)
    assert await journal.read(one.id) == replace(one, entries=ENTRIES)
    assert await journal.read(ids.new("r")) is None


async def test_two_that_write_the_same_place_are_not_both_kept_there(journal):
    """One of them is told, and nothing is written over."""
    one = kept()
    await journal.begin(one)
    entries = [Entry(NOW, Reply("q1", "What?", text)) for text in ("first", "second")]
    told = await asyncio.gather(*(journal.add(one.id, 0, entry) for entry in entries), return_exceptions=True)
    assert sorted(type(each).__name__ for each in told) == ["JournalConflict", "NoneType"]
    (there,) = (await journal.read(one.id)).entries
    assert there == entries[told.index(None)]


async def test_nothing_is_added_to_what_is_gone(journal):
    """An entry without its reflection would be nobody's."""
    with pytest.raises(JournalConflict):
        await journal.add(ids.new("r"), 0, ENTRIES[0])


async def test_an_owner_pages_through_what_is_theirs_and_nothing_else(journal):
    """The newest first, each once, with how much was said."""
    mine = [kept(text=f"{TEXT} {number}") for number in range(5)]
    for one in (*mine, kept(owner="you"), kept(owner=None)):
        await journal.begin(one)
    for seq, entry in enumerate(ENTRIES):
        await journal.add(mine[2].id, seq, entry)
    pages = [await journal.briefs("me", 2)]
    while pages[-1]:
        pages.append(await journal.briefs("me", 2, pages[-1][-1].id))
    listed = [brief for page in pages for brief in page]
    assert [brief.id for brief in listed] == sorted((one.id for one in mine), reverse=True)
    assert [(brief.replies, brief.reports) for brief in listed if brief.id == mine[2].id] == [(1, 1)]
    assert TEXT.startswith(listed[0].begins[:40])
    assert [one.id async for one in journal.everything("me")] == sorted(one.id for one in mine)
    assert len([one async for one in journal.everything(None)]) == 7


async def test_what_has_expired_is_not_there_and_is_purged(journal, clock):
    """At the very moment, purged or not; the others stay."""
    short, long = kept(days=1), kept(days=30)
    for one in (short, long):
        await journal.begin(one)
        await journal.add(one.id, 0, ENTRIES[0])
    clock.now = NOW + DAY - timedelta(milliseconds=1)
    assert await journal.read(short.id)
    assert await journal.purge() == 0
    clock.now = NOW + DAY
    assert await journal.read(short.id) is None
    assert [brief.id for brief in await journal.briefs("me", 10)] == [long.id]
    assert [one.id async for one in journal.everything(None)] == [long.id]
    assert await journal.purge() == 1
    assert await journal.unswept()
    assert await journal.sweep()
    assert not await journal.unswept()
    clock.now = NOW
    assert await journal.read(short.id) is None


async def test_erasing_takes_what_is_meant_and_no_more(journal):
    """By id, by owner, and of everybody."""
    mine, yours, nobodys = kept(), kept(owner="you"), kept(owner=None)
    for one in (mine, yours, nobodys):
        await journal.begin(one)
        await journal.add(one.id, 0, ENTRIES[0])
    assert await journal.erase([mine.id, ids.new("r")]) == 1
    assert await journal.erase_owner("me") == 0
    assert [one.id async for one in journal.everything(None)] == sorted([yours.id, nobodys.id])
    assert await journal.erase_owner("you") == 1
    assert await journal.erase_owner(None) == 1
    assert [one async for one in journal.everything(None)] == []


async def test_the_tables_are_those_of_the_migrations(journal, database):
    """A column that no step makes would be missing on every server but a developer's."""
    await journal.open()
    assert await journal._database.read(lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)) == []
    assert head() == HEAD
    assert await journal.open() == (HEAD, HEAD)


async def test_several_that_start_at_once_make_the_tables_once(database, tmp_path):
    """As two processes of one service do."""
    several = [SqlJournal(database, tmp_path, Sealer("")) for _ in range(6)]
    steps = await asyncio.gather(*(one.open() for one in several))
    assert {after for _, after in steps} == {HEAD}
    for one in several:
        await one.close()


async def test_tables_of_a_later_version_are_left_alone(journal, database, tmp_path):
    """With a message that says so."""
    await journal.open()
    await done(journal, "UPDATE alembic_version SET version_num = '9999'")
    later = SqlJournal(database, tmp_path, Sealer(""))
    with pytest.raises(JournalUnavailable, match="9999"):
        await later.open()
    await later.close()


async def test_encrypted_texts_come_back_with_their_key_and_with_no_other(database, tmp_path):
    """Another key, none, and a row moved to another place are all refused by name, and the file holds no word."""
    sealed = SqlJournal(database, tmp_path, Sealer(KEY))
    one = kept()
    await sealed.begin(one)
    await sealed.add(one.id, 0, ENTRIES[1])
    assert await sealed.read(one.id) == replace(one, entries=(ENTRIES[1],))
    for table in ("reflections", "entries"):
        (body,) = await sealed._database.read(lambda connection, table=table: connection.execute(sa.text(f"SELECT body FROM {table}")).one())
        assert b"everyone" not in bytes(body)
        assert b"All" not in bytes(body)
    await sealed.close()
    for keys in (OTHER, ""):
        wrong = SqlJournal(database, tmp_path, Sealer(keys))
        with pytest.raises(StoreKeyWrong, match="COACH_STORE_KEY"):
            await wrong.read(one.id)
        await wrong.close()


async def test_a_row_moved_to_another_reflection_does_not_open(database, tmp_path):
    """Each text is bound to its place."""
    sealed = SqlJournal(database, tmp_path, Sealer(KEY))
    one, two = kept(), kept()
    for each in (one, two):
        await sealed.begin(each)
    await done(sealed, f"UPDATE reflections SET body = (SELECT body FROM reflections WHERE id = '{one.id}') WHERE id = '{two.id}'")
    with pytest.raises(StoreKeyWrong):
        await sealed.read(two.id)
    await sealed.close()


async def test_a_key_is_changed_without_losing_a_text(database, tmp_path):
    """The newest first, the old one behind it; sealed anew, the old one can go. So too from plain to encrypted."""
    one = kept()
    for before, both, after in (("", KEY, KEY), (KEY, f"{OTHER},{KEY}", OTHER)):
        first = SqlJournal(database, tmp_path, Sealer(before))
        if not before:
            await first.begin(one)
            for seq, entry in enumerate(ENTRIES):
                await first.add(one.id, seq, entry)
        await first.close()
        changing = SqlJournal(database, tmp_path, Sealer(both))
        assert (await changing.read(one.id)).entries == ENTRIES
        assert await changing.reseal() == len(ENTRIES) + 2  # the write-up, and the word by which a key is known
        assert await changing.reseal() == 0
        await changing.close()
        changed = SqlJournal(database, tmp_path, Sealer(after))
        assert await changed.read(one.id) == replace(one, entries=ENTRIES)
        await changed.close()


@pytest.mark.parametrize("key", ["x", "AAAA", base64.b64encode(b"x" * 31).decode()])
def test_a_key_that_is_none_is_named_as_a_setting(key):
    """With what would make one."""
    with pytest.raises(SettingsError, match="openssl rand"):
        Sealer(key)


@pytest.mark.parametrize("url", ["mysql://root@127.0.0.1/test", "nonsense", "postgresql://host", "sqlite://", "http://example.org/x"])
def test_an_address_that_is_none_is_named_as_a_setting(url, tmp_path):
    """With those that work."""
    with pytest.raises(SettingsError, match="COACH_STORE"):
        address(url, tmp_path)


@given(st.binary(max_size=300), st.text(max_size=20), st.sampled_from(["", KEY, f"{OTHER},{KEY}"]))
def test_what_is_sealed_opens(data, place, keys):
    """Whatever it is."""
    sealer = Sealer(keys)
    assert sealer.open(sealer.seal(data, place), place) == data


def test_ids_sort_by_time_and_are_all_different():
    """A thousand in a row; each of 26 letters that cannot be mistaken for one another."""
    made = [ids.new("r")]
    for _ in range(1000):
        made.append(ids.new("r"))
        assert made[-1][:12] >= made[-2][:12]
    assert len(set(made)) == len(made)
    assert all(len(one) == 28 for one in made)
    time.sleep(0.002)
    assert ids.new("r") > max(made)


async def test_the_file_is_nobody_elses_to_read(tmp_path):
    """Owner alone may read and write."""
    journal = SqlJournal("", tmp_path / "new", Sealer(""))
    await journal.begin(kept())
    assert (tmp_path / "new" / "kept.db").stat().st_mode & 0o777 == 0o600
    await journal.close()


LOOKS = (
    "import sqlite3, sys; found = sqlite3.connect(sys.argv[1]); print(*found.execute('SELECT COUNT(*) FROM reflections').fetchone()); found.close()"
)


def _seen_by_another_process(folder):
    done = subprocess.run([sys.executable, "-c", LOOKS, str(folder / "kept.db")], capture_output=True, text=True, check=True)
    return int(done.stdout)


async def test_the_last_one_out_does_not_take_the_log_of_who_is_still_in(tmp_path):
    """Two journals of one process on one file, and another process comes and goes: what is acknowledged after that is there.

    A process loses its locks on a file when it closes any descriptor of it (POSIX), and SQLite throws the log away where it finds no lock.
    """
    journal, second = SqlJournal("", tmp_path, Sealer("")), SqlJournal("", tmp_path, Sealer(""))
    await journal.begin(kept())
    await second.open()
    assert _seen_by_another_process(tmp_path) == 1
    await journal.begin(kept())
    assert _seen_by_another_process(tmp_path) == 2
    await second.close()
    await journal.close()


async def test_a_locked_database_is_busy_after_a_bounded_wait(journal, database, tmp_path):
    """Not at once, not for ever; and it works again when the lock is gone."""
    one = kept()
    await journal.begin(one)
    async with _locked(database):
        began = time.monotonic()
        with pytest.raises(JournalBusy):
            await journal.add(one.id, 0, ENTRIES[0])
        assert 1 < time.monotonic() - began < 6
        if database.startswith("sqlite"):
            assert await journal.read(one.id) == one  # who reads does not wait for who writes
    await journal.add(one.id, 0, ENTRIES[0])


@asynccontextmanager
async def _locked(database):
    """Another process's lock on all that can be written."""
    if database.startswith("sqlite"):
        other = sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
        return
    connection = await asyncpg.connect(database)
    async with connection.transaction():
        await connection.execute("LOCK TABLE entries, reflections IN EXCLUSIVE MODE")
        yield
    await connection.close()


@pytest.mark.parametrize("url", ["postgresql://root@127.0.0.1:1/none", "sqlite:////proc/none/kept.db"])
async def test_a_database_that_is_not_there_is_unavailable(url, tmp_path):
    """By the name of what happened, and no more."""
    journal = SqlJournal(url, tmp_path, Sealer(""))
    with pytest.raises(JournalUnavailable) as raised:
        await journal.begin(kept())
    assert "front of everyone" not in repr(raised.value)
    assert not await journal.ready()
    await journal.close()


async def test_errors_hold_no_word_of_what_was_written(journal, caplog):
    """A broken table: what is raised, and what is logged, names the kind of error alone."""
    await journal.open()
    await done(journal, "DROP TABLE entries")
    await done(journal, "DROP TABLE reflections")
    with pytest.raises(JournalUnavailable) as raised:
        await journal.begin(kept())
    assert raised.value.__cause__ is None
    assert TEXT[:20] not in str(raised.value) + caplog.text


async def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    """And left as it was."""
    (tmp_path / "kept.db").write_bytes(b"not a database at all, " * 200)
    journal = SqlJournal("", tmp_path, Sealer(""))
    with pytest.raises(JournalUnavailable, match="NOTADB"):
        await journal.begin(kept())
    await journal.close()
    assert (tmp_path / "kept.db").read_bytes().startswith(b"not a database")


async def test_work_that_nobody_waits_for_any_more_is_done_whole(journal):
    """Who hangs up while something is written leaves no half of it, and the next is served."""
    one = kept()
    await journal.begin(one)
    task = asyncio.ensure_future(journal.add(one.id, 0, ENTRIES[0]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        found = (await journal.read(one.id)).entries
        if found:
            break
        await asyncio.sleep(0.02)
    assert found == ENTRIES[:1]
    await journal.add(one.id, 1, ENTRIES[1])
