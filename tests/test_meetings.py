"""A real group: invited one by one, each alone with what he or she brings, a sheet for all, and the next time what was learned."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from coach.bootstrap import remembering
from coach.convene import hand_in, seated
from coach.errors import DeadlinePassed
from coach.paper import typesetting
from coach.web.convening import circle_of
from tests.conftest import WRITEUPS, serving
from tests.test_erasure import left
from tests.test_prepare import CRISIS, G1, NAMES, secrets_of
from tests.test_store import KEY

LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
FUNCTIONS = [row["functions"][0].split(" /")[0] for row in G1]
ORDINARY = next(row["text"] for row in WRITEUPS if row["id"] == "s12")


def invited(client, count=4, **more):
    """A session of so many, and what its maker was told."""
    members = [{"alias": NAMES[at], "function": FUNCTIONS[at % 4]} for at in range(count)]
    body = {"members": members, "minutes": 90, "deadline": LATER, "name": "Seam circle", "starts_at": "2026-12-12T10:00", **more}
    made = client.post("/v1/sessions", json=body)
    assert made.status_code == 201, made.text
    return made.json()


def host(made):
    """The host's header."""
    return {"authorization": f"Bearer {made['host_token']}"}


def seat(made, place):
    """A member's address."""
    return f"/v1/sessions/{made['id']}/members/{made['invitations'][place]['token']}"


@pytest.fixture
def made(client):
    """A session of four, of whom all have handed in."""
    found = invited(client)
    for place, row in enumerate(G1):
        client.put(seat(found, place), json={"challenge": row["text"]}).raise_for_status()
    return found


def test_members_hand_in_alone_and_the_host_sees_who_never_what(client):
    """Word by word nothing of it is in anything that the host or another member gets."""
    made = invited(client)
    told = client.get(f"/v1/sessions/{made['id']}", headers=host(made)).json()
    assert [one["handed_in"] for one in told["members"]] == [False] * 4
    for place, row in enumerate(G1[:3]):
        own = client.put(seat(made, place), json={"challenge": row["text"]}).json()
        assert own["challenge"] == row["text"]
    told = client.get(f"/v1/sessions/{made['id']}", headers=host(made)).json()
    assert [one["handed_in"] for one in told["members"]] == [True, True, True, False]
    other = client.get(seat(made, 3)).text
    for row in G1[:3]:
        assert not secrets_of(row["text"]) & (secrets_of(json.dumps(told)) | secrets_of(other))
    assert {"challenge", "alias"} & set(told) == set()


def test_the_sheet_is_made_when_the_host_says_so(client, made):
    """For all, in every form; each finds the own page and nobody else's; what was printed stays as it was."""
    at = f"/v1/sessions/{made['id']}/sheet"
    assert client.get(at, headers=host(made)).status_code == 404
    sheet = client.post(at, headers=host(made)).raise_for_status().json()
    assert sheet["member_pages"] == []
    assert sum(phase["minutes"] for part in (sheet["opening"], *(one["phases"] for one in sheet["rounds"]), sheet["closing"]) for phase in part) == 90
    member = {"authorization": f"Bearer {made['invitations'][1]['token']}"}
    for headers in (host(made), member):
        assert client.get(at, headers=headers).json() == sheet
        for kind in ("text/markdown", "text/html", "application/pdf", "text/calendar"):
            found = client.get(at, headers={**headers, "accept": kind})
            assert found.headers["content-type"] == (f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
            assert kind == "application/pdf" or "Seam circle" in found.text
    assert sheet["title"] == "Seam circle"
    assert "SUMMARY:Seam circle" in client.get(at, headers={**headers, "accept": "text/calendar"}).text
    for place, row in enumerate(G1):
        own = client.get(seat(made, place)).json()
        assert own["page"]["alias"] == NAMES[place]
        quoted = [item["quote"] for question in own["page"]["questions"] for item in question["evidence"]]
        assert quoted
        assert all(quote in row["text"] for quote in quoted)
        assert not secrets_of(row["text"]) & secrets_of(client.get(at, headers={**member, "accept": "text/markdown"}).text)
        page = client.get(seat(made, place), headers={"accept": "text/html"}).text
        assert f"For {NAMES[place]} alone" in page
        assert not [name for name in NAMES[:4] if name != NAMES[place] and f"For {name} alone" in page]


def test_a_sheet_made_without_the_extra_has_every_form_but_the_pdf(client, made, monkeypatch):
    """And says what to install."""
    monkeypatch.setattr(typesetting, "find_spec", lambda name: None)
    at = f"/v1/sessions/{made['id']}/sheet"
    client.post(at, headers=host(made)).raise_for_status()
    refused = client.get(at, headers={**host(made), "accept": "application/pdf"})
    assert (refused.status_code, refused.json()["code"]) == (406, "extra-missing")
    assert "reflection-coach[pdf]" in refused.json()["detail"]
    assert client.get(at, headers={**host(made), "accept": "text/html"}).status_code == 200


def test_tokens_open_what_they_are_for(client, made):
    """Foreign, invented and missing ones are refused in the same words."""
    other = invited(client)
    stranger = {"authorization": f"Bearer {other['host_token']}"}
    member = {"authorization": f"Bearer {made['invitations'][0]['token']}"}
    at = f"/v1/sessions/{made['id']}"
    refused = [
        client.get(at, headers=stranger),
        client.get(at, headers=member),
        client.post(f"{at}/sheet", headers=member),
        client.delete(at, headers=member),
        client.get(f"{at}/members/{other['invitations'][0]['token']}"),
        client.get(f"{at}/members/{made['host_token']}"),
        client.put(f"{at}/members/mt_nobody", json={"challenge": "Something that happened to me at work."}),
        client.get("/v1/sessions/g_nowhere", headers=host(made)),
    ]
    assert {one.status_code for one in refused} == {404}
    assert len({one.json()["detail"] for one in refused}) == 1


async def test_handing_in_ends_with_the_deadline_and_all_of_it_expires(client, made, remembering_coach, memory):
    """The minute after; and when it has expired nobody opens it any more, and a purge leaves nothing of it."""
    circle = circle_of(remembering_coach, memory)
    token = made["invitations"][0]["token"]
    session, place = await seated(made["id"], token, circle)
    later = replace(circle, memory=replace(memory, now=lambda: session.agenda.deadline + timedelta(minutes=1)))
    with pytest.raises(DeadlinePassed):
        await hand_in(session, place, ORDINARY, "", later)
    memory.journal.now = lambda: session.expires + timedelta(seconds=1)
    assert await memory.sessions.read(made["id"]) is None
    assert await memory.journal.purge() == 1
    memory.journal.now = memory.now
    assert await memory.sessions.read(made["id"]) is None
    assert client.get(seat(made, 0)).status_code == 404


def test_a_member_in_a_crisis_is_shown_where_help_is_and_the_host_sees_nothing_of_it(client):
    """It is not kept, it looks handed in like any other, and the sheet is made without it."""
    made = invited(client)
    for place, row in enumerate(G1[:3]):
        client.put(seat(made, place), json={"challenge": row["text"]})
    own = client.put(seat(made, 3), json={"challenge": CRISIS}).json()
    assert own["signpost"]["flag"] == "crisis"
    assert own["challenge"] == ""
    told = client.get(f"/v1/sessions/{made['id']}", headers=host(made)).json()
    assert [one["handed_in"] for one in told["members"]] == [True] * 4
    sheet = client.post(f"/v1/sessions/{made['id']}/sheet", headers=host(made)).json()
    assert not secrets_of(CRISIS) & secrets_of(json.dumps(sheet))
    assert client.get(seat(made, 3)).json()["challenge"] == ""


def test_a_crisis_that_comes_with_the_invitation_is_not_kept_either(client):
    """Whoever hands it in."""
    members = [{"alias": NAMES[at], "challenge": CRISIS if at == 1 else G1[at]["text"]} for at in range(4)]
    made = client.post("/v1/sessions", json={"members": members, "minutes": 90, "deadline": LATER}).json()
    assert client.get(seat(made, 1)).json()["challenge"] == ""
    assert client.get(seat(made, 0)).json()["challenge"] == G1[0]["text"]


def test_who_withdraws_is_gone_from_everything(client):
    """The part is erased, the sheet made again without it, the invitation opens nothing."""
    made = invited(client, 5)
    for place, row in enumerate(G1):
        client.put(seat(made, place), json={"challenge": row["text"]})
    at = f"/v1/sessions/{made['id']}/sheet"
    client.post(at, headers=host(made)).raise_for_status()
    gone = client.delete(seat(made, 3)).json()
    assert gone == {"object": "withdrawn", "sheet_made": True, "swept": True}
    assert client.get(seat(made, 3)).status_code == 404
    told = client.get(at, headers={**host(made), "accept": "text/markdown"}).text
    assert NAMES[3] not in told
    assert NAMES[2] in told
    assert len(client.get(f"/v1/sessions/{made['id']}", headers=host(made)).json()["members"]) == 4


@pytest.mark.parametrize("rounds", [None, 4])
def test_where_those_who_are_left_cannot_fill_the_slot_the_sheet_is_shorter_and_says_so(client, rounds):
    """Three people have no use for what was planned for four."""
    made = invited(client, 4, **({"rounds": rounds} if rounds else {}))
    at = f"/v1/sessions/{made['id']}/sheet"
    client.post(at, headers=host(made)).raise_for_status()
    assert client.delete(seat(made, 3)).json()["sheet_made"] is True
    sheet = client.get(at, headers=host(made)).json()
    assert sheet["minutes"] < 90
    assert f"The slot has 90 minutes. With 3 people this takes {sheet['minutes']} of them" in sheet["warnings"][0]


def test_where_too_few_are_left_there_is_no_sheet(client):
    """And the host sees that."""
    made = invited(client, 3, minutes=30)
    client.post(f"/v1/sessions/{made['id']}/sheet", headers=host(made)).raise_for_status()
    assert client.delete(seat(made, 0)).json()["sheet_made"] is False
    told = client.get(f"/v1/sessions/{made['id']}", headers=host(made)).json()
    assert (told["sheet_made"], told["sheet_gone"]) == (False, True)
    assert client.get(seat(made, 1)).json()["sheet_gone"] is True
    assert client.get(f"/v1/sessions/{made['id']}/sheet", headers=host(made)).status_code == 404


def test_a_sheet_can_be_made_for_another_slot_than_the_sessions(client):
    """Where the session's would not do; it was never gone before it was made."""
    made = invited(client, 3, minutes=30)
    assert client.get(f"/v1/sessions/{made['id']}", headers=host(made)).json()["sheet_gone"] is False
    at = f"/v1/sessions/{made['id']}/sheet"
    assert client.post(f"{at}?minutes=40", headers=host(made)).raise_for_status().json()["minutes"] == 40
    refused = client.post(f"{at}?minutes=2", headers=host(made))
    assert (refused.status_code, refused.json()["code"]) == (422, "slot-size")
    assert client.post(f"{at}?minutes=0", headers=host(made)).json()["code"] == "malformed"
    assert client.get(at, headers=host(made)).json()["minutes"] == 40


def test_what_was_learned_is_carried_on_word_for_word_if_it_was_marked_to_share(client, made):
    """By those who are invited again; what was not marked is carried nowhere."""
    shared = {
        "tried": "I put page 11 on the first page.",
        "happened": "Two of them read it.",
        "learned": "Amber was my word, not theirs.",
        "share": True,
    }
    kept = {"tried": "I told Femi myself.", "happened": "He already knew.", "learned": "I was the last.", "share": False}
    client.post(f"{seat(made, 0)}/report-back", json=shared).raise_for_status()
    own = client.post(f"{seat(made, 1)}/report-back", json=kept).json()
    assert own["filed"]["learned"] == kept["learned"]
    client.post(f"{seat(made, 2)}/report-back", json={**shared, "tried": "Somebody who does not come again."}).raise_for_status()
    assert [one["filed"] for one in client.get(f"/v1/sessions/{made['id']}", headers=host(made)).json()["members"]] == [True, True, True, False]
    again = [{"alias": name} for name in (NAMES[0], NAMES[1], NAMES[3], "Zoe")]
    body = {"members": again, "minutes": 90, "deadline": LATER, "follows": {"id": made["id"], "host_token": made["host_token"]}}
    following = client.post("/v1/sessions", json=body).json()
    sheet = client.post(f"/v1/sessions/{following['id']}/sheet", headers=host(following)).json()
    assert sheet["carried"] == [{"alias": NAMES[0], "tried": shared["tried"], "happened": shared["happened"], "learned": shared["learned"]}]
    told = client.get(f"/v1/sessions/{following['id']}/sheet", headers={**host(following), "accept": "text/html"}).text
    assert shared["learned"] in told
    assert kept["tried"] not in told
    stranger = client.post("/v1/sessions", json=body | {"follows": {"id": made["id"], "host_token": "ht_x"}})
    assert stranger.status_code == 404


def test_a_session_that_could_never_be_is_refused_at_once(client):
    """Before anybody is invited."""
    body = {"members": [{"alias": "Ada"}, {"alias": "Ben"}, {"alias": "Cem"}], "minutes": 30, "deadline": LATER}
    bad = [
        ({"minutes": 2}, 422, "slot-size"),
        ({"protocol": "balint"}, 422, "group-size"),
        ({"members": []}, 422, "group-size"),
        ({"members": [{"alias": "Ada"}, {"alias": "ada"}, {"alias": "Jo"}]}, 422, "same-alias"),
        ({"members": [{"alias": "Ada"}, {"alias": "Ben", "reports_to": "Ada "}, {"alias": "Jo"}]}, 422, "reporting-line"),
        ({"deadline": "2026-12-12T10:00:00"}, 400, "malformed"),
        ({"retention_days": 999}, 400, "malformed"),
        ({"deadline": "2020-01-01T00:00:00Z"}, 400, "malformed"),
        ({"deadline": "2199-01-01T00:00:00Z"}, 400, "malformed"),
    ]
    for change, status, code in bad:
        found = client.post("/v1/sessions", json=body | change)
        assert (found.status_code, found.json()["code"]) == (status, code), change


def test_an_erased_session_leaves_no_trace(coach, tmp_path):
    """What each handed in, changed, reported, and what was printed of it: every byte of the folder is searched. Encrypted, it was never there."""
    for key in ("", KEY):
        folder = tmp_path / (key[:4] or "plain")
        here = replace(coach, settings=replace(coach.settings, store=f"sqlite:///{folder / 'kept.db'}", store_key=key))
        with serving(here) as url, httpx.Client(base_url=url, timeout=60) as client:
            made = invited(client)
            for place, row in enumerate(G1):
                client.put(seat(made, place), json={"challenge": "The first version of it, which I thought better of later."})
                client.put(seat(made, place), json={"challenge": row["text"]})
            client.post(f"/v1/sessions/{made['id']}/sheet", headers=host(made)).raise_for_status()
            client.post(f"{seat(made, 0)}/report-back", json={"learned": "That amber was my word, not theirs."})
            texts = [row["text"] for row in G1] + ["The first version of it, which I thought better of later.", "That amber was my word, not theirs."]
            assert bool(left(folder, texts)) is (key == "")
            assert client.delete(f"/v1/sessions/{made['id']}", headers=host(made)).json()["swept"] is True
            assert left(folder, texts) == []
            assert client.get(f"/v1/sessions/{made['id']}", headers=host(made)).status_code == 404


def test_a_session_survives_a_change_of_keys(coach, database):
    """Sealed anew it opens with the new one alone."""
    old, both, new = KEY, f"{'B' * 43}=,{KEY}", f"{'B' * 43}="
    here = replace(coach.settings, store=database)
    with serving(replace(coach, settings=replace(here, store_key=old))) as url, httpx.Client(base_url=url, timeout=60) as client:
        made = invited(client)
        client.put(seat(made, 0), json={"challenge": ORDINARY})
    assert asyncio.run(_resealed(replace(here, store_key=both))) > 5
    assert asyncio.run(_resealed(replace(here, store_key=both))) == 0
    with serving(replace(coach, settings=replace(here, store_key=new))) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert client.get(seat(made, 0)).json()["challenge"] == ORDINARY


async def _resealed(settings):
    memory = remembering(settings)
    try:
        return await memory.journal.reseal()
    finally:
        await memory.journal.close()


def test_an_owner_takes_along_and_erases_sessions_too(client, made):
    """The host's own part: who was invited, not what they wrote; `DELETE /v1/me` erases it with the rest."""
    lines = [json.loads(line) for line in client.get("/v1/me/export").text.splitlines()]
    (session,) = [line for line in lines if line["object"] == "session"]
    assert session["id"] == made["id"]
    assert lines[-1] == {"object": "end", "reflections": 0, "sessions": 1}
    assert not secrets_of(json.dumps(lines)) & {run for row in G1 for run in secrets_of(row["text"])}
    assert client.delete("/v1/me").json()["swept"] is True
    assert client.get(f"/v1/sessions/{made['id']}", headers=host(made)).status_code == 404


def test_where_nothing_is_kept_no_session_can_be_and_that_is_said(coach):
    """Not as a failure that would pass; a sheet by itself is made."""
    with serving(replace(coach, settings=replace(coach.settings, store="off"))) as url:
        refused = httpx.get(f"{url}/v1/sessions/g_00000000000000000000000000")
        assert (refused.status_code, refused.json()["code"]) == (409, "keeps-nothing")
        assert "retry-after" not in refused.headers
        sheet = httpx.post(f"{url}/v1/sheets", json={"members": [{"alias": "Ruth"}, {"alias": "Noor"}, {"alias": "Piet"}], "minutes": 45}, timeout=60)
        assert sheet.status_code == 200
