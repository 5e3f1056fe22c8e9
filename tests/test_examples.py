"""The programs of coach/docs/examples.md, run as somebody would run them."""

import asyncio
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import httpx2
import pytest
import uvicorn

from coach.client import AsyncClient, Retries
from tests.conftest import WRITEUPS
from tests.examples import slack_command
from tests.scripted import Scripted, answer

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "examples"
PAGE = (ROOT / "coach" / "docs" / "examples.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
TEXT = "I told Marigold <!channel> & her team that the audit was late, and nobody has spoken to me since. I have not asked her why."
# The request that Slack itself signs as an example (api.slack.com/authentication/verifying-requests-from-slack); its `text` is empty.
SECRET, THEN = "8f742231b10e8888abcd99yyyzzz85a5", 1531420618
RECORDED = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA"
    b"&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNED = {"x-slack-request-timestamp": str(THEN), "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}


def test_the_page_shows_the_programs_as_they_are():
    """Letter by letter."""
    shown = [text for language, text in BLOCKS if language == "python"]
    assert shown == [(FOLDER / name).read_text(encoding="utf-8") for name in ("slack_command.py", "check_my_bot.py")]
    assert len(shown[0].splitlines()) < 100


def test_the_curl_commands_keep_go_on_and_erase(served):
    """As they stand, but for the address."""
    (commands,) = [text for language, text in BLOCKS if language == "bash"]
    done = subprocess.run(["bash", "-ec", commands.replace("http://127.0.0.1:8000", served)], capture_output=True, text=True, check=True)
    replied, erased = done.stdout.replace("}{", "}\n{").splitlines()
    assert len(json.loads(replied)["questions"]) == 1
    assert json.loads(erased)["reflections"] == 1


@contextmanager
def listening(coach, may_answer=slack_command.slacks_own, now=time.time):
    """The command behind a real socket."""
    app = slack_command.application(SECRET, coach, may_answer, now)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/slack"
    finally:
        server.should_exit = True
        thread.join(10)


def silent(_request):
    raise AssertionError("nobody was to be asked")


def nobody():
    """A coach that is not to be asked."""
    return AsyncClient(transport=httpx2.MockTransport(silent))


def signed(text, address):
    """A request as Slack makes it, now."""
    body = urlencode({"command": "/reflect", "text": text, "user_id": "U2CERLKJA", "response_url": address}).encode()
    at = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return body, {"x-slack-request-timestamp": at, "x-slack-signature": f"v0={digest}", "content-type": "application/x-www-form-urlencoded"}


def said(slack):
    """The message that Slack got, once it has come."""
    for _ in range(1000):
        if slack.asked:
            return json.loads(slack.asked[0].body)
        time.sleep(0.01)
    pytest.fail("Nothing was sent to the response_url.")


def test_slacks_own_recorded_request_is_let_in_within_five_minutes():
    """Not a second later, nor a second more before its time; it holds no text, so what to write is said."""
    for after, status in ((0, 200), (300, 200), (301, 401), (-301, 401)):
        with listening(nobody(), now=lambda moment=THEN + after: moment) as url:
            found = httpx.post(url, content=RECORDED, headers=SIGNED)
            assert found.status_code == status
            assert status != 200 or found.json() == {"response_type": "ephemeral", "text": slack_command.USAGE}


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (RECORDED, {"x-slack-signature": SIGNED["x-slack-signature"].replace("a2114", "a2115")}),
        (RECORDED.replace(b"text=", b"text=x"), {}),
        (RECORDED, {"x-slack-request-timestamp": str(THEN + 1)}),
        (RECORDED, {"x-slack-request-timestamp": f"{THEN}.0"}),
        (RECORDED, {"x-slack-request-timestamp": ""}),
        (RECORDED, {"x-slack-signature": ""}),
        (RECORDED, {"x-slack-signature": "v0=\xff"}),
    ],
)
def test_what_slack_did_not_sign_is_refused(body, changed):
    """Another signature, another body, another time, none at all; nobody is asked."""
    with listening(nobody(), now=lambda: THEN) as url:
        headers = {name: value.encode("latin-1") for name, value in {**SIGNED, **changed}.items()}
        assert httpx.post(url, content=body, headers=headers).status_code == 401


def test_questions_come_back_for_nobody_else_to_see_and_into_no_log(served, caplog):
    """At once a word that they will come; then they, at the address that Slack gave; orders to Slack in the text are none."""
    caplog.set_level("DEBUG")
    with Scripted(answer({})) as slack, listening(AsyncClient(served), lambda address: address.startswith(slack.url)) as url:
        body, headers = signed(TEXT, f"{slack.url}/commands/1")
        first = httpx.post(url, content=body, headers=headers).raise_for_status().json()
        second = said(slack)
    assert re.search(r"POST .*/v1/reflections", caplog.text)  # so that it is known to hear
    assert first == {"response_type": "ephemeral", "text": slack_command.WAIT}
    assert second["response_type"] == "ephemeral"
    assert second["text"].count("• ") == 3
    assert "?" in second["text"]
    assert "<" not in second["text"]
    assert slack_command.only_you(TEXT)["text"].startswith("I told Marigold &lt;!channel&gt; &amp; her team")
    assert "Marigold" not in caplog.text


def test_in_a_crisis_it_says_where_help_is_and_asks_nothing(served):
    """Somebody to call, and no question."""
    crisis = next(row["text"] for row in WRITEUPS if row["flag"] == "crisis" and row["language"] == "en")
    with Scripted(answer({})) as slack, listening(AsyncClient(served), lambda address: address.startswith(slack.url)) as url:
        body, headers = signed(crisis, slack.url)
        httpx.post(url, content=body, headers=headers).raise_for_status()
        text = said(slack)["text"]
    assert "• " not in text
    assert re.search(r"^[^:\n]+: \d+$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "address", ["https://hooks.slack.com.evil.example/x", "http://hooks.slack.com/x", "https://hooks.slack.com@evil.example/", ""]
)
def test_an_answer_goes_to_slack_and_to_nobody_else(address):
    """Even where the request was signed; nobody is asked."""
    assert slack_command.slacks_own("https://hooks.slack.com/commands/T1DC2JH3J/397700885554/96rGlfmibIGlgcZRskXaIFfN")
    with listening(nobody()) as url:
        body, headers = signed(TEXT, address)
        assert httpx.post(url, content=body, headers=headers).status_code == 403


def test_a_slow_coach_is_not_waited_for():
    """Slack gives three seconds; it is answered at once, and the questions come when they are there."""
    whole = (ROOT / "coach" / "web" / "example_answer.json").read_bytes()

    async def slow(_request):
        await asyncio.sleep(3.5)
        return httpx2.Response(200, content=whole)

    coach = AsyncClient(transport=httpx2.MockTransport(slow))
    with Scripted(answer({})) as slack, listening(coach, lambda address: address.startswith(slack.url)) as url:
        body, headers = signed(TEXT, slack.url)
        begun = time.monotonic()
        httpx.post(url, content=body, headers=headers).raise_for_status()
        assert time.monotonic() - begun < 1
        assert not slack.asked
        assert said(slack)["text"].count("• ") == len(json.loads(whole)["questions"])
        assert time.monotonic() - begun > 3.5


def test_where_no_answer_comes_that_is_said(served, caplog):
    """In the service's own words where the text was too short; else that it can be tried again. Slack itself failing ends nothing."""
    with Scripted(answer({})) as gone:
        pass
    short = "The challenge has 2 words"
    for text, coach, words in (
        ("He left.", AsyncClient(served), short),
        (TEXT, AsyncClient(gone.url, retries=Retries(most=0)), slack_command.FAILED),
    ):
        with Scripted(answer({}, "500 Broken")) as slack, listening(coach, lambda address: address.startswith("http://127.0.0.1")) as url:
            body, headers = signed(text, slack.url)
            httpx.post(url, content=body, headers=headers).raise_for_status()
            assert said(slack)["text"].startswith(words)
    assert [record.getMessage() for record in caplog.records if record.name == "slack_command"][-2:] == [
        "no answer: NoAnswer",
        "not sent: HTTPStatusError",
    ]
    assert "Marigold" not in caplog.text


def checked(url, path, *options):
    """What the script says of a transcript, and how it leaves."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COACH_URL": url}
    command = [sys.executable, "-W", "error", str(FOLDER / "check_my_bot.py"), str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, env=environ, check=False)


def test_a_bots_transcript_is_judged_and_a_build_fails_below_the_threshold(served):
    """The page shows what is said of the sample."""
    (shown,) = [text for language, text in BLOCKS if language == "text"]
    found = checked(served, FOLDER / "transcript.jsonl", "--least", "0.95")
    assert (found.returncode, found.stdout, found.stderr) == (1, shown, "")
    found = checked(served, FOLDER / "transcript.jsonl", "--least", "0.7")
    assert (found.returncode, found.stdout) == (0, shown)


def test_a_transcript_of_many_questions_is_judged_whole(served, tmp_path):
    """More than one request may hold, and several in one message."""
    message = {"role": "assistant", "content": "It was quiet. What did you hear? And then, what did you want to say?"}
    (tmp_path / "many.jsonl").write_text("\n".join([json.dumps(message)] * 120), encoding="utf-8")
    assert checked(served, tmp_path / "many.jsonl").stdout.startswith("240 of 240 questions")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "There is no question in it."),
        ('{"role": "user", "content": "Why?"}', "There is no question in it."),
        ('{"question": "What now?"}\n\n{"answer": "Marigold"}', "Line 3 is neither a question nor a message of a chat."),
        ("Marigold", "Line 1 is neither"),
        ("[1]", "Line 1 is neither"),
        ('{"question": "What now?"}', "No answer came (ConnectError)."),
    ],
)
def test_where_nothing_can_be_judged_no_build_passes(tmp_path, text, words):
    """No question, another form, no service: that is said, with 2, and what the line holds is not repeated."""
    (tmp_path / "odd.jsonl").write_text(text, encoding="utf-8")
    with Scripted(b"") as gone:
        pass
    found = checked(gone.url, tmp_path / "odd.jsonl")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(words)
    assert "Marigold" not in found.stderr
