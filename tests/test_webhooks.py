"""Webhooks: what is told, to whom, how it is signed, when it comes again, and where it may never go."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Standard
from standardwebhooks import WebhookVerificationError

from coach import courier as couriers
from coach import ids
from coach.cli import cli
from coach.courier import Courier, Target, public
from coach.deliver import deliver
from coach.errors import AddressRefused, JournalBusy, JournalUnavailable
from coach.kept import digest
from coach.sessions import Agenda, Handed, Seat, Session
from coach.store import SqlJournal
from coach.store.outbox import SqlOutbox
from coach.store.sealing import Sealer
from coach.store.sessions import SqlSessions
from coach.web.delivering import delivering
from coach.webhooks import LEASE, PATIENCE, TRIES, MemberSubmitted, Outcome, SheetReady, Topic, Webhook, again, new_secret, retry_after, signed, told
from tests.conftest import serving
from tests.receiver import receiving
from tests.test_erasure import left
from tests.test_meetings import LATER, host, invited, seat
from tests.test_prepare import CRISIS, G1
from tests.test_store import DAY, KEY, NOW, OTHER, Clock, done

PAGE = (Path(__file__).parent.parent / "coach/docs/webhooks.md").read_text(encoding="utf-8")


def webhook(owner="me", url="https://hooks.example/in", topics=tuple(Topic)):
    """One that is well."""
    return Webhook(ids.new("w"), owner, NOW, url, new_secret(), topics)


def session(owner="me", members=4, days=30):
    """A session of so many, of whom nobody has handed in."""
    seats = tuple(Seat(number, digest(f"mt_{number}"), Handed(f"Member {number}")) for number in range(members))
    return Session(ids.new("g"), owner, digest("ht_x"), NOW, NOW + days * DAY, Agenda("A circle", 60, NOW + DAY), seats)


def handed(one, number, at=NOW):
    """A member's place after handing in."""
    return replace(one.seats[number], handed=replace(one.seats[number].handed, challenge="What happened.", submitted=at))


@dataclass
class FakeCourier:
    """Answers with the next outcome, then with the last again."""

    outcomes: list = field(default_factory=lambda: [Outcome(204)])
    sent: list = field(default_factory=list)

    async def send(self, url, headers, body):
        self.sent.append((url, headers, body))
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def journal(database, tmp_path, clock):
    found = SqlJournal(database, tmp_path, Sealer(""), clock)
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def sessions(journal):
    return SqlSessions(journal)


@pytest.fixture
def outbox(journal):
    return SqlOutbox(journal)


async def waiting(journal):
    """How many events are still to be delivered, due or not."""
    return await journal._scalar(sa_count("outbox"))


def sa_count(table):
    import sqlalchemy as sa

    return sa.text(f"SELECT count(*) FROM {table}")


async def happened(sessions, outbox, **more):
    """A webhook, and one event that is due for it."""
    one, hook = session(), webhook(**more)
    await outbox.add(hook)
    await sessions.begin(one)
    await sessions.put(one.id, handed(one, 0))
    return one, hook


# What is told


@pytest.mark.parametrize("length", [24, 32, 64])
def test_a_signature_is_verified_by_the_standards_own_library(length):
    """For keys of every length that the standard allows; a changed body, id or time is not."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(length)).decode()
    hook = replace(webhook(), secret=secret)
    content = told(MemberSubmitted("g_x", 0, 1, 4), NOW)
    headers = signed("msg_1", content, hook.key, datetime.now(UTC))
    assert Standard(secret).verify(content, headers)["type"] == "session.member_submitted"
    for changed, body in (({}, content + b" "), ({"webhook-id": "msg_2"}, content), ({"webhook-timestamp": str(int(time.time()) - 9)}, content)):
        with pytest.raises(WebhookVerificationError):
            Standard(secret).verify(body, {**headers, **changed})
    with pytest.raises(WebhookVerificationError, match="too old"):
        Standard(secret).verify(content, signed("msg_1", content, hook.key, datetime.now(UTC) - timedelta(minutes=6)))


def test_what_is_told_has_the_form_of_the_standard():
    """A type, a time in UTC, and ids and numbers."""
    assert json.loads(told(SheetReady("g_x", 4, 90, "troika"), NOW)) == {
        "type": "session.sheet_ready",
        "timestamp": "2026-11-26T09:30:15.123Z",
        "data": {"session": "g_x", "members": 4, "minutes": 90, "protocol": "troika"},
    }


async def test_members_are_counted_where_they_hand_in(sessions, outbox, clock):
    """All at once: each number comes once. Who hands in again, or reports, is not told again; who withdraws is counted out."""
    one, hook = session(members=6), webhook()
    await outbox.add(hook)
    await sessions.begin(one)
    await asyncio.gather(*(sessions.put(one.id, handed(one, number)) for number in range(5)))
    first = [json.loads(taken.body)["data"] for taken in await outbox.take(20)]
    assert sorted(data["submitted"] for data in first) == [1, 2, 3, 4, 5]
    assert sorted(data["member"] for data in first) == [0, 1, 2, 3, 4]
    assert {data["members"] for data in first} == {6}
    await sessions.put(one.id, handed(one, 0, NOW + DAY))
    await sessions.put(one.id, one.seats[5])
    await sessions.take_out(one.id, 3)
    await sessions.take_out(one.id, 3)
    (gone,) = await outbox.take(20)
    assert json.loads(gone.body) == {
        "type": "session.withdrawn",
        "timestamp": "2026-11-26T09:30:15.123Z",
        "data": {"session": one.id, "member": 3, "submitted": 4, "members": 5},
    }


async def test_each_is_told_what_it_asked_for_of_its_owners_sessions(sessions, outbox):
    """And nothing of others', nor of sessions that are nobody's."""
    mine, sheets, yours = webhook(), webhook(topics=(Topic.SHEET_READY,)), webhook("you")
    for one in (mine, sheets, yours):
        await outbox.add(one)
    for owner in ("me", "you", None, "nobody"):
        one = session(owner)
        await sessions.begin(one)
        await sessions.put(one.id, handed(one, 0))
        if owner == "me":
            await sessions.print(SheetReady(one.id, 4, 60, "troika"), b"{}", [])
    found = sorted((taken.webhook.id, json.loads(taken.body)["type"]) for taken in await outbox.take(20))
    assert found == sorted(
        [
            (mine.id, "session.member_submitted"),
            (mine.id, "session.sheet_ready"),
            (sheets.id, "session.sheet_ready"),
            (yours.id, "session.member_submitted"),
        ]
    )


async def test_nothing_is_told_that_did_not_happen_and_nothing_happens_untold(sessions, outbox, journal):
    """One transaction: where the event cannot be written, what a member handed in is not there either."""
    one, _ = await happened(sessions, outbox)
    await sessions.put(ids.new("g"), handed(one, 1))
    assert await waiting(journal) == 1
    await done(journal, "DROP TABLE outbox")
    with pytest.raises(JournalUnavailable):
        await sessions.put(one.id, handed(one, 1))
    found = await sessions.read(one.id)
    assert [place.handed.submitted is not None for place in found.seats] == [True, False, False, False]


# When it comes again


async def test_what_fails_comes_again_for_about_a_day_and_then_the_webhook_is_off(sessions, outbox, journal, clock, caplog):
    """Eight times, each wait about four times the one before; with a line in the log that names no address."""
    _, hook = await happened(sessions, outbox, url="https://hooks.example/a-secret-path")
    courier, at = FakeCourier([Outcome(503)]), []
    while await waiting(journal):
        for taken in await outbox.take(1):
            at.append(clock.now)
            await deliver(taken, outbox, courier, clock, lambda: 0.5)
        clock.now += timedelta(seconds=15)
    waits = [(after - before).total_seconds() for before, after in pairwise(at)]
    assert waits == [15 * 4**number for number in range(7)]
    assert timedelta(hours=22) < at[-1] - at[0] < timedelta(hours=24)
    assert {sent[1]["webhook-id"] for sent in courier.sent} == {courier.sent[0][1]["webhook-id"]}
    assert {sent[2] for sent in courier.sent} == {courier.sent[0][2]}
    (failing,) = await outbox.all()
    assert (failing.failing, failing.disabled, failing.trouble) == (NOW, None, "status 503")
    clock.now = NOW + DAY
    two = session()
    await sessions.begin(two)
    await sessions.put(two.id, handed(two, 0))
    (taken,) = await outbox.take(5)
    await deliver(taken, outbox, courier, clock)
    (off,) = await outbox.all()
    assert off.disabled == clock.now
    assert await waiting(journal) == 0
    await sessions.put(two.id, handed(two, 1))
    assert await waiting(journal) == 0
    assert [record.getMessage() for record in caplog.records if "is off" in record.message] == [
        f"webhook {hook.id} is off: it failed for a day, or wants no more"
    ]
    assert "secret-path" not in caplog.text


async def test_a_success_ends_what_failed_before_and_one_who_wants_no_more_is_off_at_once(sessions, outbox, clock):
    """2xx and 410."""
    one, _ = await happened(sessions, outbox)
    courier = FakeCourier([Outcome(500), Outcome(204), Outcome(410)])
    for _ in range(2):
        (taken,) = await outbox.take(5)
        await deliver(taken, outbox, courier, clock)
        (hook,) = await outbox.all()
        clock.now += timedelta(minutes=1)
        assert bool(hook.failing) is (len(courier.sent) == 1)
    assert await outbox.take(5) == []
    await sessions.put(one.id, handed(one, 1))
    await sessions.put(one.id, handed(one, 2))
    taken, other = await outbox.take(5)
    await deliver(taken, outbox, courier, clock)
    (hook,) = await outbox.all()
    assert hook.disabled
    await outbox.failed(other, "late", clock.now, gone=False)
    clock.now += LEASE
    assert await outbox.take(5) == []


def test_waits_grow_are_never_quite_the_same_and_are_as_long_as_was_asked_for():
    """A fifth more or less by chance; Retry-After counts where it is longer, for a day at most."""
    assert again(1, 0.0, None) == timedelta(seconds=12)
    assert again(1, 1.0, None) == timedelta(seconds=18)
    assert again(3, 0.5, timedelta(seconds=5)) == timedelta(minutes=4)
    assert again(1, 0.5, timedelta(hours=2)) == timedelta(hours=2)
    assert again(2, 0.5, timedelta(days=9)) == PATIENCE
    assert again(TRIES, 0.5, None) is None


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", 120),
        ("0", 0),
        ("99999999999999", 86_400),
        ("Thu, 26 Nov 2026 09:32:15 GMT", 120),
        ("Thu, 26 Nov 2020 09:32:15 GMT", 0),
        ("Thu, 26 Nov 2026 09:32:15", 120),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, wait):
    """As in RFC 9110."""
    found = retry_after(value, NOW.replace(microsecond=0))
    assert found == (None if wait is None else timedelta(seconds=wait))


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_no_retry_after_breaks_anything(value):
    """Whatever a receiver sends."""
    assert retry_after(value, NOW) is None or retry_after(value, NOW) >= timedelta(0)


async def test_what_a_receiver_asks_for_is_kept_to(sessions, outbox, clock):
    """Not a second earlier."""
    await happened(sessions, outbox)
    (taken,) = await outbox.take(5)
    await deliver(taken, outbox, FakeCourier([Outcome(429, wait=timedelta(hours=1))]), clock)
    clock.now = NOW + timedelta(minutes=59)
    assert await outbox.take(5) == []
    clock.now = NOW + timedelta(minutes=60)
    assert len(await outbox.take(5)) == 1


async def test_two_who_deliver_never_take_the_same(sessions, outbox, database, tmp_path, clock):
    """Six processes' worth of hands at one outbox of forty: each event is taken once, and all are."""
    await outbox.add(webhook())
    for _ in range(5):
        one = session(members=8)
        await sessions.begin(one)
        for number in range(8):
            await sessions.put(one.id, handed(one, number))
    journals = [SqlJournal(database, tmp_path, Sealer(""), clock) for _ in range(6)]

    async def hands(journal):
        mine, found = SqlOutbox(journal), []
        for _ in range(12):
            found += await mine.take(3)
            await asyncio.sleep(0)
        return found

    took = await asyncio.gather(*map(hands, journals))
    names = [taken.id for some in took for taken in some]
    assert len(names) == len(set(names)) == 40
    assert sum(bool(some) for some in took) > 1, "several had a part in it"
    for journal in journals:
        await journal.close()


async def test_what_a_crash_cut_off_comes_again_when_its_lease_is_over(sessions, outbox, clock):
    """Not before; and he who comes back late does not disturb the one who has it now."""
    await happened(sessions, outbox)
    (first,) = await outbox.take(5)
    clock.now = NOW + LEASE - timedelta(milliseconds=1)
    assert await outbox.take(5) == []
    clock.now = NOW + LEASE
    (second,) = await outbox.take(5)
    assert (second.id, second.body, second.tries) == (first.id, first.body, 2)
    assert not await outbox.failed(first, "late", clock.now, gone=False)
    assert await outbox.take(5) == []
    await outbox.delivered(second)
    clock.now += DAY
    assert await outbox.take(5) == []


async def test_what_brings_every_process_down_does_not_come_for_ever(sessions, outbox, journal, clock):
    """Tries count when they begin."""
    await happened(sessions, outbox)
    for _ in range(TRIES):
        assert len(await outbox.take(5)) == 1
        clock.now += LEASE
    assert await outbox.take(5) == []
    assert await waiting(journal) == 0


# What is erased


async def test_what_is_to_be_told_is_erased_with_its_session_and_expires_with_it(sessions, outbox, journal, clock):
    """By the host, by the owner, by time, purged or not."""
    await outbox.add(webhook())
    for erase in (sessions.erase, lambda _: journal.erase_owner("me")):
        one = session()
        await sessions.begin(one)
        await sessions.put(one.id, handed(one, 0))
        assert await waiting(journal) == 1
        await erase(one.id)
        assert await waiting(journal) == 0
    one = session(days=1)
    await sessions.begin(one)
    await sessions.put(one.id, handed(one, 0))
    clock.now = NOW + DAY
    assert await outbox.take(5) == []
    assert await journal.purge() == 1
    assert await waiting(journal) == 0


async def test_a_removed_webhook_leaves_no_trace_of_its_secret(tmp_path):
    """Nor of its address; encrypted, neither was ever there; and the key can be changed."""
    for keys in ("", KEY):
        folder = tmp_path / (keys[:4] or "plain")
        journal = SqlJournal("", folder, Sealer(keys), Clock())
        outbox, hook = SqlOutbox(journal), webhook(url=f"https://hooks.example/{secrets.token_hex(20)}")
        await outbox.add(hook)
        assert await outbox.find(hook.id) == hook
        assert bool(left(folder, [hook.secret, hook.url])) is (keys == "")
        assert await outbox.drop(hook.id)
        assert not await outbox.drop(hook.id)
        assert left(folder, [hook.secret, hook.url]) == []
        await outbox.add(hook)
        await journal.close()
    both = SqlJournal("", folder, Sealer(f"{OTHER},{KEY}"), Clock())
    assert await both.reseal() == 2  # the webhook, and the word by which a key is known
    await both.close()
    new = SqlJournal("", folder, Sealer(OTHER), Clock())
    assert await SqlOutbox(new).all() == [hook]
    await new.close()


# Where it may never go

NEVER = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.170.2",
    "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::168.63.129.16", "64:ff9b:1::8.8.8.8", "fe80::1",
    "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254",
    "fd20:ce::254", "ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1", "100::1", "4000::1",
]  # fmt: skip
FINE = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::8.8.8.8", "192.31.196.1"]


@pytest.mark.parametrize("address", NEVER + FINE)
def test_which_addresses_are_public(address):
    """Not this machine, no network of its own, nobody's metadata, nothing that embeds one of these."""
    assert public(couriers._literal(address)) is (address in FINE)


REFUSED = [
    "http://hooks.example/", "ftp://hooks.example/", "hooks.example", "", "https://", "https:///x", "https://:443/", "file:///etc/passwd",
    "https://user@hooks.example/", "https://user:word@hooks.example/", "https://@hooks.example/", "https://hooks.example@127.0.0.1/",
    "https://hooks.example:80/", "https://hooks.example:22/", "https://hooks.example:1024/", "https://hooks.example:0/", "https://hooks.example:99999/",
    "https://hooks.example:x/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/",
    "https://[fe80::1%25lo]/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/", "https://127.0.0.1./",
    "https://017700000001/", "https://0/", "https://1.2.3/", "https://1.2.3.4.5/", "https://0x/", "https://169.254.169.254/latest/meta-data/",
    "https://①②⑦.⓪.⓪.①/", "https://hooks。example/", "https://hooks.example\\@127.0.0.1/", "https://hooks.example/a b", "https://hooks.example/\n", "https://[::1/",
    "https://hooks..example/", f"https://{'a' * 64}.example/", f"https://hooks.example/{'a' * 2000}", "https://%31%32%37.0.0.1/", "https://hooks.example#@127.0.0.1:99999/",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED[:-1])
def test_addresses_that_can_never_be_asked_are_refused_when_they_are_added(url):
    """In every spelling, and what is said repeats nothing of them."""
    with pytest.raises(AddressRefused) as raised:
        Target.of(url, local=False)
    assert "passwd" not in str(raised.value)


def test_an_address_is_read_once_and_what_is_behind_a_hash_is_nobodys_host():
    """Host, port, path and query as they are sent."""
    assert Target.of(REFUSED[-1], local=False) == Target("https", "hooks.example", 443, "/")
    found = Target.of("https://Hooks.Example.:8443/a/b?c=%20d", local=False)
    assert (found.host, found.port, found.path, found.named) == ("hooks.example.", 8443, "/a/b?c=%20d", "hooks.example.:8443")
    assert Target.of("https://[2606:2800:220:1:248:1893:25c8:1946]/", local=False).named == "[2606:2800:220:1:248:1893:25c8:1946]"


def names(*answers):
    """A name server that answers so, one after the other."""
    asked = []

    async def resolve(host, _port):
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


@pytest.mark.parametrize("led_to", [[address] for address in NEVER] + [["8.8.8.8", "10.0.0.1"], ["2606:2800::1", "::1"], []])
async def test_a_name_that_leads_into_a_network_of_its_own_is_refused(led_to):
    """Even where one of several addresses does; nothing is connected to."""
    resolve, asked = names(led_to)
    with receiving() as receiver:
        outcome = await Courier(resolve=resolve).send(f"https://hooks.example:{receiver.port}/", {}, b"{}")
    assert outcome.trouble == "address refused"
    assert asked == ["hooks.example"]
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "name", ["localhost", "localhost.", "LOCALHOST", "127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "0"]
)
async def test_this_machine_is_not_reached_by_any_of_its_names(name):
    """As the operating system itself looks them up."""
    with receiving() as receiver:
        outcome = await Courier().send(f"https://{name}:{receiver.port}/", {}, b"{}")
    assert outcome.trouble == "address refused" or (outcome.trouble == "name not found" and name == "localhost.")  # not every system knows that one
    assert receiver.connections == 0


async def test_a_name_that_leads_elsewhere_the_second_time_is_not_followed_there(monkeypatch):
    """It is looked up once a delivery, and the connection goes to what was looked at (DNS rebinding)."""
    monkeypatch.setattr(couriers, "TOTAL", 0.5)
    resolve, asked = names(["192.31.196.1"], ["127.0.0.1"])
    with receiving() as receiver:
        courier = Courier(resolve=resolve)
        first = await courier.send(f"https://hooks.example:{receiver.port}/", {}, b"{}")
        assert asked == ["hooks.example"]
        second = await courier.send(f"https://hooks.example:{receiver.port}/", {}, b"{}")
    assert first.trouble in {"no answer in time", "no connection"}
    assert second.trouble == "address refused"
    assert receiver.connections == 0


async def test_tls_asks_the_checked_address_for_the_name(tmp_path):
    """The name is looked up nowhere else, it is in the Host header and in TLS; a certificate of another name is not trusted."""
    resolve, asked = names(["127.0.0.1"])
    with receiving("hooks.invalid", tmp_path) as receiver:
        courier = Courier(local=True, resolve=resolve, trust=receiver.trust)
        for name in ("hooks.invalid", "hooks.invalid."):
            assert (await courier.send(f"https://{name}:{receiver.port}/in?a=b", {"webhook-id": "msg_1"}, b"{}")).delivered
        assert (await courier.send(f"https://others.invalid:{receiver.port}/in", {}, b"{}")).trouble == "not trusted"
        assert (await Courier(local=True, resolve=resolve).send(f"https://hooks.invalid:{receiver.port}/in", {}, b"{}")).trouble == "not trusted"
    assert receiver.names[:3] == ["hooks.invalid", "hooks.invalid", "others.invalid"]
    assert len(asked) == 4
    assert [came.path for came in receiver.came] == ["/in?a=b"] * 2
    assert receiver.came[0].headers["host"] == f"hooks.invalid:{receiver.port}"
    assert receiver.came[0].headers["content-type"] == "application/json"


async def test_where_one_address_does_not_answer_the_next_is_asked(monkeypatch, tmp_path):
    """As where a name has an address of IPv6 and the machine has none: whether that is refused or never heard of again."""
    monkeypatch.setattr(couriers, "CONNECT", 0.3)
    with receiving("hooks.invalid", tmp_path) as receiver:
        resolve, _ = names(["192.31.196.1", "127.0.0.1"])
        courier = Courier(local=True, resolve=resolve, trust=receiver.trust)
        assert (await courier.send(f"https://hooks.invalid:{receiver.port}/", {}, b"{}")).delivered
    with receiving() as receiver:
        resolve, _ = names(["127.0.0.2", "::1", "127.0.0.1"])
        assert (await Courier(local=True, resolve=resolve).send(f"http://hooks.example:{receiver.port}/", {}, b"{}")).delivered


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status):
    """To wherever they lead; they are no success either."""
    with receiving() as receiver, receiving() as other:
        receiver.answers.append((status, {"location": f"http://127.0.0.1:{other.port}/"}))
        outcome = await Courier(local=True).send(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")
    assert outcome == Outcome(status)
    assert not outcome.delivered
    assert (receiver.connections, other.connections) == (1, 0)


async def test_no_proxy_of_the_environment_is_used(monkeypatch):
    """It would look up the name once more, wherever that leads."""
    with receiving() as receiver, receiving() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await Courier(local=True).send(f"http://127.0.0.1:{receiver.port}/", {}, b"{}")).delivered
    assert proxy.connections == 0


async def test_an_answer_is_read_to_its_first_64_kilobytes_and_for_a_bounded_time(monkeypatch):
    """One that never ends, one that drips, one that never begins, one that hangs up, one that is no HTTP."""
    monkeypatch.setattr(couriers, "TOTAL", 1.5)
    monkeypatch.setattr(couriers, "REST", 0.3)
    written, said = [], {}

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        written.extend(handler.wfile.write(b"x" * 4096) for _ in range(10_000))

    def dripping(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)

    answers = {
        "endless": endless,
        "dripping": dripping,
        "silent": lambda _handler: time.sleep(3),
        "hung up": lambda handler: handler.connection.close(),
        "no HTTP": lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n"),
    }
    with receiving() as receiver:
        for name, answer in answers.items():
            receiver.answers.append(answer)
            began = time.monotonic()
            said[name] = str(await Courier(local=True).send(f"http://127.0.0.1:{receiver.port}/", {}, b"{}"))
            assert time.monotonic() - began < 2.5, name
    assert said == {
        "endless": "status 200",
        "dripping": "status 200",
        "silent": "no answer in time",
        "hung up": "no connection",
        "no HTTP": "no connection",
    }
    assert sum(written) < 10_000_000


async def test_names_that_do_not_exist_and_ports_where_nobody_listens_are_outcomes_too():
    """Not errors: nobody is there to catch them."""

    async def unknown(_host, _port):
        raise socket.gaierror(-2, "not known")

    assert (await Courier(resolve=unknown).send("https://hooks.example/", {}, b"{}")).trouble == "name not found"
    assert (await Courier(local=True).send("http://127.0.0.1:1025/", {}, b"{}")).trouble == "no connection"


# All of it together


@pytest.fixture
def told_coach(remembering_coach):
    """The coach of these tests may tell this machine."""
    return replace(remembering_coach, settings=replace(remembering_coach.settings, webhooks_local="on"))


@pytest.fixture
def run(told_coach):
    """The command line beside that coach."""
    settings = told_coach.settings

    def invoke(*args, **environ):
        environ = {"COACH_DATA_DIR": str(settings.data_dir), "COACH_STORE": settings.store, "COACH_WEBHOOKS_LOCAL": "on", **environ}
        return CliRunner().invoke(cli, args, obj=environ)

    return invoke


def until(condition, seconds=40):
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come")


def test_what_is_delivered_holds_ids_and_numbers_and_no_word_that_anybody_wrote(told_coach, run, caplog):
    """Secrets in every field of a session, its members' and its reports: none in what comes, and neither they nor the address in the log."""
    caplog.set_level(logging.DEBUG)
    fields = {
        name: secrets.token_hex(12) for name in ("name", "alias", "function", "boss", "first", "second", "back", "tried", "happened", "learned")
    }
    with receiving() as receiver, serving(told_coach) as url, httpx.Client(base_url=url, timeout=60) as client:
        path = f"/{secrets.token_hex(12)}?token={secrets.token_hex(12)}"
        secret = run("webhooks", "add", f"http://127.0.0.1:{receiver.port}{path}").stdout.strip()
        members = [{"alias": f"{fields['alias']} {at}", "function": f"{fields['function']} {at}", "reports_to": fields["boss"]} for at in range(5)]
        body = {"members": members, "minutes": 90, "deadline": LATER, "name": fields["name"], "starts_at": "2026-12-12T10:00"}
        made = client.post("/v1/sessions", json=body).raise_for_status().json()
        for place, row in enumerate(G1):
            text = f"{row['text']} {fields['first']} {place}"
            client.put(seat(made, place), json={"challenge": text, "report_back": fields["back"]}).raise_for_status()
        client.put(seat(made, 0), json={"challenge": f"{G1[0]['text']} {fields['second']}"}).raise_for_status()
        client.put(seat(made, 4), json={"challenge": CRISIS}).raise_for_status()
        client.post(f"/v1/sessions/{made['id']}/sheet", headers=host(made)).raise_for_status()
        client.post(f"{seat(made, 1)}/report-back", json={**{name: fields[name] for name in ("tried", "happened", "learned")}, "share": True})
        client.delete(seat(made, 2)).raise_for_status()
        until(lambda: len(receiver.came) == 8)
        events = [Standard(secret).verify(came.body, came.headers) for came in receiver.came]
        assert {came.path for came in receiver.came} == {path}
        everything = "\n".join(f"{came.path} {came.headers} {came.body.decode()}" for came in receiver.came)
        hidden = [*fields.values(), CRISIS[:20], made["host_token"], *(one["token"] for one in made["invitations"])]
        assert not [word for word in hidden if word in everything]
        for event in events:
            values = {name: value for name, value in event["data"].items() if name not in {"session", "protocol"}}
            assert all(isinstance(value, int) for value in values.values())
            assert event["data"]["session"] == made["id"]
        told_of = sorted(
            (event["type"], event["data"].get("member"), event["data"].get("submitted")) for event in events if "member" in event["data"]
        )
        assert told_of == [*(("session.member_submitted", place, place + 1) for place in range(5)), ("session.withdrawn", 2, 4)]
        sheets = [event["data"] for event in events if event["type"] == "session.sheet_ready"]
        assert sorted((sheet["members"], sheet["minutes"]) for sheet in sheets) == [(4, 90), (5, 90)]
        assert {sheet["protocol"] for sheet in sheets} <= {one["id"] for one in client.get("/v1/protocols").json()}
    for word in (*hidden[:-6], secret, *path[1:].split("?token=")):
        assert word not in caplog.text


async def test_many_that_fail_at_once_do_not_wait_for_each_other(sessions, outbox, journal, clock):
    """Twenty on the day on which their webhook is turned off: each is noted, none is busy, and it is off once."""
    one, hook = session(members=20), webhook()
    await outbox.add(hook)
    await sessions.begin(one)
    for number in range(20):
        await sessions.put(one.id, handed(one, number))
    taken = await outbox.take(20)
    await outbox.failed(taken[0], "status 500", clock.now + 30 * DAY, gone=False)
    clock.now += DAY
    told_off = await asyncio.gather(*(outbox.failed(each, "status 500", clock.now + DAY, gone=False) for each in taken))
    assert sorted(told_off) == [False] * 19 + [True]
    assert await waiting(journal) == 0


def test_two_services_at_one_database_deliver_everything_once(told_coach, run):
    """Side by side, both of them looking; a receiver sees each event a single time."""
    with receiving() as receiver, serving(told_coach) as url, serving(told_coach), httpx.Client(base_url=url, timeout=60) as client:
        secret = run("webhooks", "add", f"http://127.0.0.1:{receiver.port}/").stdout.strip()
        for _ in range(6):
            made = invited(client)
            for place in range(4):
                client.put(seat(made, place), json={"challenge": "It went on and on, and nobody said a word about it."}).raise_for_status()
        until(lambda: len(receiver.came) >= 24)
        time.sleep(2.5)
        names = [came.headers["webhook-id"] for came in receiver.came]
        assert len(names) == len(set(names)) == 24
        for came in receiver.came:
            Standard(secret).verify(came.body, came.headers)


def test_the_commands_add_show_try_and_remove(told_coach, run):
    """The secret is shown once, the path never; a ping is answered or not, and says so."""
    with receiving() as receiver:
        nobodys = run("webhooks", "add", f"http://127.0.0.1:{receiver.port}/a-secret-path", "--owner", "lms")
        assert nobodys.exit_code == 2
        assert "sessions belong to local" in nobodys.output
        run("keys", "create", "lms", "--scope", "sessions")
        added = run("webhooks", "add", f"http://127.0.0.1:{receiver.port}/a-secret-path", "--owner", "lms", "--event", "session.sheet_ready")
        secret, name = added.stdout.strip(), re.search("w_[0-9a-z]{26}", added.stderr)[0]
        listed = run("webhooks", "list").stdout
        assert listed == f"{name}  of lms  127.0.0.1:{receiver.port}  session.sheet_ready  on\n"
        assert secret not in listed
        assert run("webhooks", "test", name).stdout == f"127.0.0.1:{receiver.port} took it: status 204.\n"
        assert Standard(secret).verify(receiver.came[0].body, receiver.came[0].headers)["data"] == {"webhook": name}
        receiver.answers.append((404, {}))
        failed = run("webhooks", "test", name)
        assert (failed.exit_code, failed.stderr) == (1, f"Error: 127.0.0.1:{receiver.port} did not take it: status 404.\n")
        assert "1, none of which fails" in run("doctor").stdout
        assert run("webhooks", "remove", name).exit_code == 0
    assert run("webhooks", "list").stderr == "Nobody is told.\n"
    assert "nobody is told" in run("doctor").stdout
    for command in ("remove", "test"):
        assert run("webhooks", command, name).exit_code == 1
    for url in ("http://127.0.0.1:9000/", "https://10.0.0.1/", "https://me:word@hooks.example/"):
        refused = run("webhooks", "add", url, COACH_WEBHOOKS_LOCAL="off")
        assert refused.exit_code == 2
        assert "word" not in refused.output.replace("password", "")
    assert run("webhooks", "list", COACH_STORE="off").exit_code == 2


async def test_one_that_is_off_is_shown_and_a_ping_that_is_taken_turns_it_on(outbox, sessions, journal, clock, run):
    """In the list and by the doctor."""
    with receiving() as receiver:
        one, hook = await happened(sessions, outbox, url=f"http://127.0.0.1:{receiver.port}/")
        (taken,) = await outbox.take(1)
        await deliver(taken, outbox, FakeCourier([Outcome(500)]), clock)
        assert "failing since 2026-11-26 09:30 UTC (status 500)" in (await asyncio.to_thread(run, "webhooks", "list")).stdout
        assert "1, of which 1 fail just now" in (await asyncio.to_thread(run, "doctor")).stdout
        clock.now = NOW + DAY
        (taken,) = await outbox.take(1)
        await deliver(taken, outbox, FakeCourier([Outcome(trouble="not trusted")]), clock)
        assert "OFF since 2026-11-27 09:30 UTC (not trusted)" in (await asyncio.to_thread(run, "webhooks", "list")).stdout
        ill = await asyncio.to_thread(run, "doctor")
        assert ill.exit_code == 1
        assert f"{hook.id} (127.0.0.1:{receiver.port}: not trusted)" in ill.stdout
        assert (await asyncio.to_thread(run, "webhooks", "test", hook.id)).exit_code == 0
    assert await outbox.all() == [hook]
    await sessions.put(one.id, handed(one, 1))
    assert await waiting(journal) == 1


def test_the_receiver_of_the_page_verifies_what_a_real_service_sends(told_coach, run, tmp_path):
    """Run from the page's own text; it is under thirty lines, and takes neither what is forged, nor old, nor the same twice."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code.splitlines()) < 30
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secret = run("webhooks", "add", f"http://127.0.0.1:{port}/").stdout.strip()
    (tmp_path / "receiver.py").write_text(code)
    environ = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen([sys.executable, tmp_path / "receiver.py"], env=environ, stdout=out, stderr=subprocess.DEVNULL)
    try:
        with serving(told_coach) as url, httpx.Client(base_url=url, timeout=60) as client:
            made = invited(client)
            client.put(seat(made, 1), json={"challenge": G1[0]["text"]}).raise_for_status()
            (line,) = until(lambda: (tmp_path / "out").read_text().splitlines())
        assert json.loads(line)["data"] == {"session": made["id"], "member": 1, "submitted": 1, "members": 4}
        content, key, now = b'{"type":"ping"}', base64.b64decode(secret[6:]), datetime.now(UTC)
        good = signed("msg_1", content, key, now)
        for headers, status in (
            (good, 204),
            (good, 204),
            (signed("msg_2", content, b"x" * 32, now), 401),
            (signed("msg_3", content, key, now - timedelta(minutes=6)), 401),
            ({}, 401),
        ):
            assert httpx.post(f"http://127.0.0.1:{port}/", content=content, headers=headers).status_code == status
        assert (tmp_path / "out").read_text().splitlines() == [line, content.decode()]
    finally:
        process.terminate()
        process.wait()


def test_the_pages_event_is_one():
    """Word for word, but for the id."""
    (shown,) = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
    at = datetime(2026, 12, 9, 8, 30, tzinfo=UTC)
    assert told(MemberSubmitted("g_01k8...", 2, 3, 5), at).decode() == shown


def test_a_signature_is_what_the_standard_says_it_is():
    """By hand, once: HMAC-SHA256 of id, time and body with dots between them."""
    found = signed("msg_1", b"{}", b"k" * 24, NOW)
    wanted = hmac.new(b"k" * 24, b"msg_1.%d.{}" % int(NOW.timestamp()), hashlib.sha256).digest()
    assert found == {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": "v1," + base64.b64encode(wanted).decode(),
    }


@dataclass
class Troubled:
    """An outbox whose database is away at first; then it has one event to deliver, which breaks, and another."""

    taken: list
    looks: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, limit):
        self.looks += 1
        if self.looks == 1:
            raise JournalBusy
        return self.taken.pop() if self.taken else []

    async def delivered(self, taken):
        assert taken.id == "good"
        self.done.set()

    async def failed(self, taken, trouble, due, *, gone):
        raise JournalBusy


async def test_a_delivery_that_breaks_does_not_end_the_others(sessions, outbox, clock, caplog, monkeypatch):
    """Nor does a database that is away for a while; each says so in the log, without a word of the address."""
    monkeypatch.setattr("coach.web.delivering.LONGER", 0.01)
    await happened(sessions, outbox, url="https://hooks.example/a-secret-path")
    (one,) = await outbox.take(1)
    troubled = Troubled([[replace(one, id="good")], [replace(one, id="refused")], [replace(one, id="broken")]])

    class Breaking(FakeCourier):
        async def send(self, url, headers, body):
            if headers["webhook-id"] == "broken":
                raise ValueError(url)
            return Outcome(500 if headers["webhook-id"] == "refused" else 204)

    async with delivering(troubled, Breaking(), clock, every=0.01)(None):
        await asyncio.wait_for(troubled.done.wait(), 5)
    busy = f"nothing can be delivered for now: {JournalBusy()}"
    assert [record.getMessage() for record in caplog.records if record.name == "coach.web"] == [
        busy,
        "unexpected ValueError",
        busy,
    ]
    assert "secret-path" not in caplog.text
