"""What stands around an answer: who answers, what a browser may do, which names are answered, and what is never written down."""

import logging
import subprocess
from dataclasses import replace

import httpx
import pytest

from coach.settings import Settings
from coach.web.about import about, page
from tests.conftest import modelled, serving
from tests.provider import FakeProvider, answering, drafted

SECRET = "Zebedee-Quixwood"
CHALLENGE = f"On Tuesday I told {SECRET} that the list was late. He went quiet and I never asked him why. My key is sk-verysecret123."


def test_who_answers_is_said_in_plain_words(served, coach):
    """As JSON and as a page without a script: a program or a model, where texts go, what is kept, whom to turn to."""
    facts = httpx.get(f"{served}/v1/about").raise_for_status().json()
    assert facts["artificial_intelligence"] is False
    assert facts["sent_to"] == []
    assert (facts["stored"], facts["retention"]) == ("if asked", "P30D")
    nowhere = about(replace(coach, settings=replace(coach.settings, store="off")))
    assert (nowhere.stored, nowhere.retention) == ("never", None)
    assert any("scores" in line for line in facts["not_done"])
    response = httpx.get(f"{served}/about").raise_for_status()
    assert "They do not leave the machine" in response.text
    assert "<script" not in response.text
    modelled_facts = about(modelled(coach, "https://models.example/v1"))
    assert modelled_facts.artificial_intelligence
    assert modelled_facts.sent_to == ["models.example"]
    assert "models.example" in page(modelled_facts)
    named = replace(coach, settings=replace(coach.settings, operator="Works <b>Council</b>", contact="x@y.example"))
    assert "Works &lt;b&gt;Council" in page(about(named))


@pytest.mark.parametrize("path", ["/", "/about", "/v1/about", "/schema", "/health/live", "/problems", "/nowhere", "/v1/reflections"])
def test_every_response_keeps_a_browser_honest(served, path):
    """Pages, data, errors."""
    headers = httpx.get(f"{served}{path}").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


def test_other_origins_are_answered_only_if_they_are_named(coach):
    """Closed until the operator opens it."""
    origin = {"origin": "https://intranet.example"}
    with serving(coach) as url:
        assert "access-control-allow-origin" not in httpx.get(f"{url}/v1/about", headers=origin).headers
    with serving(replace(coach, settings=replace(coach.settings, origins="https://intranet.example"))) as url:
        assert httpx.get(f"{url}/v1/about", headers=origin).headers["access-control-allow-origin"] == "https://intranet.example"
        assert "access-control-allow-origin" not in httpx.get(f"{url}/v1/about", headers={"origin": "https://elsewhere.example"}).headers


def test_it_answers_to_its_own_names(served, coach):
    """A page elsewhere cannot reach it under a name of its own."""
    refused = httpx.get(f"{served}/v1/about", headers={"host": "evil.example"})
    assert refused.status_code == 421
    assert refused.json()["code"] == "misdirected"
    assert httpx.get(f"{served}/v1/about", headers={"host": "localhost:1234"}).status_code == 200
    with serving(replace(coach, settings=replace(coach.settings, hosts="coach.example, b.example"))) as url:
        assert httpx.get(f"{url}/v1/about", headers={"host": "coach.example"}).status_code == 200
        assert httpx.get(f"{url}/v1/about", headers={"host": "c.example"}).status_code == 421
    with serving(replace(coach, settings=replace(coach.settings, host="0.0.0.0"))) as url:
        assert httpx.get(f"{url}/v1/about", headers={"host": "any.example"}).status_code == 200


def test_settings_of_a_country_are_checked():
    """Two capital letters."""
    assert Settings.from_env({"COACH_COUNTRY": "GB"}).country == "GB"
    with pytest.raises(Exception, match="two capital letters"):
        Settings.from_env({"COACH_COUNTRY": "Germany"})


async def _error(call):
    await call.error("500 Internal Server Error", "server_error")


async def _garbage(call):
    await call.head()
    await call.send("data: {not json\n\n")


async def _cut(call):
    await call.head()
    await call.delta('{"acknowledgement": "You write')


FAULTS = {"none": answering(drafted(f"What was it like for {SECRET}?")), "error": _error, "garbage": _garbage, "cut": _cut}


@pytest.mark.parametrize("fallback", ["bank", "never"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_secret_is_in_no_record_and_no_file(coach, caplog, capfd, fault, fallback):
    """A name and a key, whatever the provider does: not in the log, not in an error, not in what the process prints, not in its folder."""
    caplog.set_level(logging.DEBUG)
    with FakeProvider(FAULTS[fault]) as provider, serving(modelled(coach, provider.url, openai_api_key="sk-operatorkey42")) as url:
        response = httpx.post(f"{url}/v1/reflections", json={"challenge": CHALLENGE, "fallback": fallback}, timeout=40)
        bad = httpx.post(f"{url}/v1/reflections", json={"challenge": CHALLENGE, "count": SECRET}, timeout=40)
        sent = str(provider.calls)
    assert SECRET not in sent
    assert SECRET not in bad.text
    if response.status_code != 200:
        assert SECRET not in response.text
    printed = "".join(capfd.readouterr())
    records = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)
    command = ["grep", "-raF", "", coach.settings.data_dir]  # read by this process, the database would lose the locks of those who keep things in it
    files = subprocess.run(command, capture_output=True, check=True).stdout
    for secret in (SECRET, "sk-verysecret123", "sk-operatorkey42"):
        assert secret not in records
        assert secret not in printed
        assert secret.encode() not in files
