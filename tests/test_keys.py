"""Who is let in, for what, from where, how often: keys, their scopes and limits, and what is counted where."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial

import httpx
import pytest
from click.testing import CliRunner

from coach.bootstrap import keyring
from coach.cli import cli
from coach.errors import JournalConflict, JournalUnavailable, RateLimited
from coach.keys import IN_A_PAGE, Key, Scope, new_secret
from coach.settings import Settings
from coach.store import SqlJournal
from coach.store.journal import utc_now
from coach.store.keyring import FRESH, SqlKeyring
from coach.store.sealing import Sealer
from coach.web.app import create_app
from coach.web.gate import ADDRESSES, wanted
from coach.web.limits import Limits, pool_of, within_budget
from tests.conftest import WRITEUPS, modelled, serving
from tests.provider import FakeProvider, answering, drafted

TEXT = next(row["text"] for row in WRITEUPS if row["id"] == "s01")
BODY = {"challenge": TEXT, "count": 1}
PAGE = "https://intranet.example"


one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the gate tells keys apart, not the database


def given(coach, **about):
    """The secret of a new key for a service."""

    async def add():
        keys = keyring(coach.settings)
        try:
            return await added(keys, **about)
        finally:
            await keys.close()

    return asyncio.run(add())


async def added(keys, **about):
    """The secret of a new key."""
    key = Key(**{"name": "hr", "created": utc_now(), **about})
    secret = new_secret(publishable=key.publishable)
    await keys.add(key, secret)
    return secret


def as_(secret, **more):
    """What the holder sends."""
    return {"authorization": f"Bearer {secret}", **more}


def test_every_address_has_its_place_in_the_table(coach):
    """What somebody forgets is closed, and this test says which it was."""
    for route in create_app(coach).routes:
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        assert any(path == known or path.startswith(f"{known}/") for known in ADDRESSES if known != "/") or path == "/", path
    assert wanted("/v1/reflections/r_1/replies") is Scope.REFLECT
    assert wanted("/v1/reflectionsx") is wanted("/anything") is Scope.ADMIN
    assert wanted("/") is wanted("/schema/openapi.json") is None


@one_database
def test_a_key_is_for_its_scopes_alone(remembering_coach):
    """403 names the scope that is missing; with an unknown, an expired or a revoked key it is the same 401, word for word.

    It says that what was sent opens nothing (RFC 6750), which is not what who sent none is told.
    """
    checks = given(remembering_coach, scopes=frozenset({Scope.CHECKS}))
    expired = given(remembering_coach, name="old", until=utc_now() - timedelta(seconds=1))
    revoked = given(remembering_coach, name="gone")
    everything = given(remembering_coach, name="boss", scopes=frozenset({Scope.ADMIN}))
    CliRunner().invoke(cli, ["keys", "revoke", "gone"], obj={"COACH_STORE": remembering_coach.settings.store}, catch_exceptions=False)
    with serving(remembering_coach) as url, httpx.Client(base_url=url, timeout=30) as client:
        assert client.post("/v1/checks", json={"texts": ["What do you see?"]}, headers=as_(checks)).status_code == 200
        refused = client.post("/v1/reflections", json=BODY, headers=as_(checks))
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "`reflect`" in refused.json()["detail"]
        sent = (expired, revoked, "ck_made_up", "pk_x", "ct_x", "x")
        answers = [client.post("/v1/reflections", json=BODY, headers=as_(one)) for one in sent]
        assert {one.status_code for one in answers} == {401}
        assert {one.headers["www-authenticate"] for one in answers} == {'Bearer realm="coach", error="invalid_token"'}
        assert len({re.sub(r'"request_id":"[^"]*"', "", one.text) for one in answers}) == 1
        assert "opens nothing here" in answers[0].json()["detail"]
        none = client.post("/v1/reflections", json=BODY)
        assert (none.status_code, none.headers["www-authenticate"]) == (401, 'Bearer realm="coach"')
        assert "send it as `Authorization: Bearer`" in none.json()["detail"]
        assert client.post("/v1/reflections", json=BODY, headers=as_(everything)).status_code == 200
        for open_to_all in ("/", "/about", "/v1/about", "/health/ready", "/schema/openapi.json", "/problems", "/v1/protocols", "/host"):
            assert client.get(open_to_all).status_code == 200


@one_database
def test_a_publishable_key_opens_from_its_pages_and_owns_nothing(remembering_coach):
    """Another origin, or none, is refused; the browser is told by CORS that its page may ask, though no setting names it."""
    public = given(remembering_coach, origins=(PAGE,), publishable=True, scopes=IN_A_PAGE)
    with serving(remembering_coach) as url, httpx.Client(base_url=url, timeout=30) as client:
        asking = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
        for _ in range(100):
            preflight = client.options("/v1/reflections", headers=asking)
            if preflight.status_code == 204:
                break
            time.sleep(0.05)
        assert preflight.headers["access-control-allow-origin"] == PAGE
        assert client.options("/v1/reflections", headers={**asking, "origin": "https://else.example"}).status_code == 400
        answer = client.post("/v1/reflections", json={**BODY, "store": True}, headers=as_(public, origin=PAGE))
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE
        kept = answer.json()
        for headers in (as_(public), as_(public, origin="https://else.example")):
            assert client.post("/v1/reflections", json=BODY, headers=headers).json()["code"] == "forbidden"
        for method, path in (("GET", "/v1/reflections"), ("GET", "/v1/me/export"), ("DELETE", "/v1/me")):
            refused = client.request(method, path, headers=as_(public, origin=PAGE))
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert "publishable: it is for pages" in refused.json()["detail"]
        assert client.get(f"/v1/reflections/{kept['id']}", headers=as_(public, origin=PAGE)).status_code == 404
        assert client.get(f"/v1/reflections/{kept['id']}", headers=as_(kept["kept"]["continue_token"], origin=PAGE)).status_code == 200
        assert client.post("/v1/sheets", json={}, headers=as_(public, origin=PAGE)).status_code == 403


@one_database
def test_requests_are_counted_by_key_and_said_in_the_headers(remembering_coach):
    """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10); beyond it 429 with Retry-After; another key is not touched."""
    mine, other = given(remembering_coach, per_minute=3), given(remembering_coach, name="lms")
    with serving(remembering_coach) as url, httpx.Client(base_url=url, timeout=30) as client:
        check = {"texts": ["What do you see?"]}
        answers = [client.post("/v1/checks", json=check, headers=as_(mine)) for _ in range(5)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
        assert answers[0].headers["ratelimit-policy"] == '"key";q=3;w=60'
        assert [re.fullmatch(r'"key";r=(\d);t=\d+', one.headers["ratelimit"])[1] for one in answers] == ["2", "1", "0", "0", "0"]
        assert 1 <= int(answers[3].headers["retry-after"]) <= 60
        assert answers[3].json()["code"] == "rate-limited"
        assert client.post("/v1/checks", json=check, headers=as_(other)).status_code == 200


@one_database
def test_who_guesses_keys_is_soon_refused_by_address(remembering_coach):
    """Counted before a key is looked at."""
    given(remembering_coach)
    strict = replace(remembering_coach, settings=replace(remembering_coach.settings, address_rate=4))
    with serving(strict) as url, httpx.Client(base_url=url, timeout=30) as client:
        answers = [client.get("/v1/reflections", headers=as_(f"ck_{guess}")).status_code for guess in range(6)]
    assert answers == [401, 401, 401, 401, 429, 429]


@one_database
def test_a_spent_budget_leaves_the_answer_to_the_library(remembering_coach):
    """It always answers, and says so; who wants the model and nothing else gets 429 until the next day. A call here costs 2,200 tokens."""
    secret = given(remembering_coach, tokens_a_day=3000)
    with FakeProvider(answering(drafted("What did you see in his face?"))) as provider:
        limited = modelled(remembering_coach, provider.url)
        with serving(limited) as url, httpx.Client(base_url=url, timeout=60, headers=as_(secret)) as client:
            notices = []
            for _ in range(4):
                calls, answer = len(provider.calls), client.post("/v1/reflections", json=BODY).json()
                notices.append(("budget-spent" in {one["code"] for one in answer["notices"]}, len(provider.calls) == calls))
                assert answer["questions"]
            assert notices[0] == (False, False)
            assert notices[-1] == (True, True)
            only = client.post("/v1/reflections", json={**BODY, "engine": "llm", "fallback": "never"})
            assert (only.status_code, only.json()["code"]) == (429, "budget-spent")
            assert 1 <= int(only.headers["retry-after"]) <= 86_400
            bank = client.post("/v1/reflections", json={**BODY, "engine": "bank"}).json()
            assert "budget-spent" not in {one["code"] for one in bank["notices"]}


@one_database
def test_a_budget_counts_what_was_left_half_way_and_what_was_not_billed(remembering_coach):
    """Who hangs up after the first question has cost the operator as much; so has a provider that never says what it counted."""
    body = drafted("What did you see in his face?", "What would he say that he heard?", "What do you hope he knows?")

    async def half(call):
        await call.head()
        await call.delta(body[: body.index("What would he") + 5])
        await asyncio.sleep(30)

    async def unbilled(call):
        await call.head()
        await call.delta(body)
        await call.send("data: [DONE]\n\n")

    for provided in (half, unbilled):
        secret = given(remembering_coach, name=provided.__name__, tokens_a_day=900)
        with (
            FakeProvider(provided) as provider,
            serving(modelled(remembering_coach, provider.url)) as url,
            httpx.Client(base_url=url, timeout=60, headers=as_(secret)) as client,
        ):
            with client.stream("POST", "/v1/reflections", json=BODY, headers={"accept": "text/event-stream"}) as stream:
                lines = stream.iter_lines()
                assert any(line == "event: asked" for line in lines)
                if provided is unbilled:
                    assert any(line == "event: closed" for line in lines)
            time.sleep(1)  # until it has noticed that nobody listens
            after = client.post("/v1/reflections", json=BODY).json()
            assert "budget-spent" in {one["code"] for one in after["notices"]}
            assert len(provider.calls) == 1


async def test_two_processes_count_together_in_redis(shared_redis):
    """Exactly: of many requests at once to both, as many are allowed as the limit says, and not one more. The budget is one too."""
    settings = Settings(redis=shared_redis, address_rate=50)
    pools = [pool_of(settings), pool_of(settings)]
    both = [Limits(settings, pool) for pool in pools]
    answers = await asyncio.gather(*(both[at % 2].arrive("203.0.113.7") for at in range(200)), return_exceptions=True)
    assert sum(isinstance(one, RateLimited) for one in answers) == 150
    assert sum(isinstance(one, tuple) for one in answers) == 50
    key = Key("hr", utc_now(), tokens_a_day=100)
    await both[0].admit(key)
    assert within_budget()
    await both[0].spend(100)
    await both[1].admit(key)
    assert not within_budget()
    for pool in pools:
        await pool.disconnect()


async def test_where_redis_does_not_answer_each_process_counts_by_itself(caplog):
    """Nobody is refused for it, and the log says so once."""
    settings = Settings(redis="redis://127.0.0.1:1/0", address_rate=2)
    limits = Limits(settings, pool_of(settings))
    assert [await limits.arrive("203.0.113.7") for _ in range(2)]
    with pytest.raises(RateLimited):
        await limits.arrive("203.0.113.7")
    assert [record.message for record in caplog.records if "Redis" in record.message] == [caplog.records[0].message]


@pytest.fixture
async def keyring_of(database, tmp_path):
    """Makes keyrings on one database, as several processes have them."""
    made = []

    def another():
        made.append(SqlKeyring(SqlJournal(database, tmp_path, Sealer(""))))
        return made[-1]

    yield another
    for one in made:
        await one.close()


async def test_a_name_has_one_key_and_no_secret_is_kept(keyring_of, tmp_path):
    """Only hashes; another process knows of it at once, and of its end within a second."""
    here, there = keyring_of(), keyring_of()
    assert await here.empty()
    secret = await added(here, origins=(PAGE,), per_minute=7, knowledge=("acme",))
    assert (await there.find(secret)).per_minute == 7
    assert await there.find("ck_other") is None
    assert there.origins == {PAGE}
    with pytest.raises(JournalConflict):
        await added(here)
    for path in tmp_path.iterdir():
        assert secret.encode() not in path.read_bytes()
    assert await here.drop("hr")
    assert not await here.drop("hr")
    await asyncio.sleep(FRESH)
    assert await there.find(secret) is None


async def test_a_rotated_key_opens_with_both_secrets_until_the_old_one_ends(keyring_of):
    """All else about it stays; the name is free again when everything has expired."""
    keys = keyring_of()
    old = await added(keys, scopes=frozenset({Scope.CHECKS}))
    assert await keys.rotate("nobody", "ck_new", utc_now()) is None
    assert (await keys.rotate("hr", "ck_new", utc_now() + timedelta(seconds=0.6))).scopes == {Scope.CHECKS}
    assert (await keys.find(old)).name == (await keys.find("ck_new")).name == "hr"
    await asyncio.sleep(0.7)
    assert await keys.find(old) is None
    assert (await keys.find("ck_new")).until is None
    await keys.rotate("hr", "ck_newer", utc_now())
    await keys.drop("hr")
    await added(keys)


async def test_known_keys_open_while_the_database_is_away(keyring_of, monkeypatch):
    """Those that were never read are not invented."""
    keys = keyring_of()
    secret = await added(keys)
    assert await keys.find(secret)

    async def away(_work):
        raise JournalUnavailable("gone")

    monkeypatch.setattr(keys._journal, "consult", away)
    await asyncio.sleep(FRESH)
    assert (await keys.find(secret)).name == "hr"
    stranger = keyring_of()
    monkeypatch.setattr(stranger._journal, "consult", away)
    monkeypatch.setattr(stranger._journal, "exists", _yes)
    with pytest.raises(JournalUnavailable):
        await stranger.find(secret)


async def _yes():
    return True


def test_an_operator_makes_lists_rotates_and_revokes_keys(tmp_path):
    """What is wrong is said with what would work; also where nothing else is kept."""
    environ = {"COACH_DATA_DIR": str(tmp_path), "COACH_STORE": "off"}

    def said(*words, code=0):
        result = CliRunner().invoke(cli, ["keys", *words], obj=environ)
        assert result.exit_code == code, result.output
        return result.output

    assert "Nobody holds a key" in said("list")
    assert said("create", "hr", "--scope", "reflect", "--days", "30", "--per-minute", "10").startswith("ck_")
    assert "rotate" in said("create", "hr", code=1)
    assert said("create", "page", "--publishable", "--origin", "https://Intranet.example/").startswith("pk_")
    assert "origin" in said("create", "open", "--publishable", code=2)
    assert "can be for" in said("create", "open", "--publishable", "--origin", PAGE, "--scope", "admin", code=2)
    assert "https://intranet.example" in said("create", "bad", "--origin", "intranet", code=2)
    assert "small letters, digits and dashes" in said("create", "bad", "--knowledge", "acme", "--knowledge", "Acme Corp", code=2)
    assert "choose another" in said("create", "local", code=2)
    listed = said("list").splitlines()
    assert re.fullmatch(r"hr  for reflect  since \S+  until \S+ \S+ UTC  10 a minute", listed[0])
    assert listed[1].endswith(f"from {PAGE}  publishable")
    assert said("rotate", "page").startswith("pk_")
    assert said("revoke", "page").startswith("The key of page")
    assert "no key" in said("rotate", "page", code=1)
    assert "no key" in said("revoke", "page", code=1)


@one_database
def test_a_new_key_of_an_old_name_says_what_it_can_read(remembering_coach):
    """Who takes over a name would read what was kept under it: that is said, and how to erase it first."""
    secret = given(remembering_coach, name="anna")
    given(remembering_coach, name="ben")
    with serving(remembering_coach) as url, httpx.Client(base_url=url, headers=as_(secret), timeout=30) as client:
        for _ in range(2):
            client.post("/v1/reflections", json={**BODY, "store": True}).raise_for_status()
        group = {
            "members": [{"alias": name} for name in ("Ada", "Ben", "Cem", "Dee")],
            "minutes": 90,
            "deadline": f"{utc_now() + timedelta(days=2):%FT%TZ}",
        }
        client.post("/v1/sessions", json=group).raise_for_status()
    run = partial(CliRunner().invoke, cli, obj={"COACH_STORE": remembering_coach.settings.store}, catch_exceptions=False)
    run(["keys", "revoke", "anna"])
    again = run(["keys", "create", "anna"])
    assert again.stdout.startswith("ck_")
    assert "2 reflections and 1 session of it" in again.stderr
    assert "`coach erase --owner anna`" in again.stderr
    assert "kept already" not in run(["keys", "create", "cleo"]).stderr
    run(["keys", "revoke", "anna"])
    run(["erase", "--owner", "anna", "--yes"])
    assert "kept already" not in run(["keys", "create", "anna"]).stderr


def test_beyond_this_machine_it_listens_only_once_somebody_holds_a_key(coach, tmp_path):
    """Until then it says so, and what would help."""
    shutil.copytree(coach.settings.data_dir / "index", tmp_path / "index")
    environ = {**os.environ, "COACH_DATA_DIR": str(tmp_path), "COACH_PORT": "0", "COACH_HOST": "0.0.0.0"}
    assert _started(environ) == ("127.0.0.1", True)
    CliRunner().invoke(cli, ["keys", "create", "hr"], obj={"COACH_DATA_DIR": str(tmp_path)}, catch_exceptions=False)
    assert _started(environ) == ("0.0.0.0", False)


def _started(environ):
    """Where it listens, and whether it says how to make a key."""
    service = subprocess.Popen([sys.executable, "-m", "coach", "serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, text=True)
    try:
        line = next(line for line in service.stdout if line.strip().startswith("Open"))
    finally:
        service.kill()
        said = service.communicate(timeout=30)[1]
    return re.search(r"//([\d.]+):", line)[1], "coach keys create" in said


@one_database
def test_only_a_named_proxy_is_believed(remembering_coach, tmp_path):
    """X-Forwarded-For of anybody else is nobody's address."""
    shutil.copytree(remembering_coach.settings.data_dir / "index", tmp_path / "index")
    for proxies, rate_limited in (("", True), ("127.0.0.1", False)):
        environ = {**os.environ, "COACH_DATA_DIR": str(tmp_path), "COACH_PORT": "0", "COACH_PROXIES": proxies, "COACH_ADDRESS_RATE": "3"}
        CliRunner().invoke(cli, ["keys", "create", "hr"], obj={"COACH_DATA_DIR": str(tmp_path)})
        service = subprocess.Popen(
            [sys.executable, "-m", "coach", "serve"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ, text=True
        )
        try:
            url = next(line.split()[1] for line in service.stdout if line.strip().startswith("Open")).removesuffix("/schema")
            codes = [httpx.get(f"{url}/v1/reflections", headers={"x-forwarded-for": f"203.0.113.{at}"}).status_code for at in range(5)]
            assert (429 in codes) is rate_limited, codes
        finally:
            service.kill()
            service.communicate(timeout=30)
