import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import fastmcp
import httpx
import msgspec
import pytest
from click.testing import CliRunner
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from mcp import MCPError

from coach import guard
from coach.bootstrap import keyring
from coach.cli import cli
from coach.cli import mcp as command
from coach.keys import Key, Scope
from coach.mcp_server import application, server
from coach.mcp_server.contract import GuidanceAnswer
from coach.paper.markdown import plain
from coach.paper.said import TITLES
from coach.store.journal import utc_now
from coach.web import mcp as mounting
from coach.web.door import Door
from coach.web.limits import Limits
from coach.wire.checks import CheckAnswer
from coach.wire.reflections import ReflectionAnswer
from coach.wire.sheets import SheetOut
from tests.conftest import ORDINARY, WRITEUPS, modelled, serving

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "coach/docs/mcp.md").read_text(encoding="utf-8")
TODAY, BEFORE = "2026-07-28", "2025-11-25"
TEXT = ORDINARY[5]["text"]
CRISIS = next(row["text"] for row in WRITEUPS if row["flag"] == "crisis" and row["language"] == "en")
MATTER = next(row["text"] for row in WRITEUPS if row["flag"] == "hr_legal" and row["language"] == "en")
ACCEPTS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
TOOLS = ["reflect", "reply", "prepare_session", "check_questions", "find_guidance"]


def run(work):
    return asyncio.run(work)


@asynccontextmanager
async def over_stdio(coach, **changes):
    """A client of `coach mcp` on the same index."""
    env = {**os.environ, "COACH_DATA_DIR": str(coach.settings.data_dir), **changes}
    transport = StdioTransport(sys.executable, ["-m", "coach", "mcp"], env=env, cwd=str(ROOT))
    async with Client(transport, mode="legacy") as client:
        yield client


def call(address, name, arguments, mode="legacy"):
    """The result of one tool over HTTP, an error too."""

    async def ask():
        async with Client(f"{address}/mcp", mode=mode) as client:
            return await client.call_tool(name, arguments, raise_on_error=False)

    return run(ask())


def said(result):
    (block,) = result.content
    return block.text


def initialize(version):
    client = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client}


def called(name, arguments):
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def post(address, message, **headers):
    return httpx.post(f"{address}/mcp", json=message, headers={**ACCEPTS, **headers}, timeout=30)


def listing(address, what):
    async def ask():
        async with Client(f"{address}/mcp") as client:
            return await getattr(client, f"list_{what}")()

    return run(ask())


@pytest.mark.parametrize("mode", ["legacy", TODAY])
def test_a_challenge_in_and_questions_out_in_both_eras_of_the_protocol(served, mode):
    """The structured content is the answer of the HTTP door; the text shows what it holds to a person."""
    result = call(served, "reflect", {"challenge": TEXT, "count": 2}, mode)
    assert not result.is_error
    over_http = httpx.post(f"{served}/v1/reflections", json={"challenge": TEXT, "count": 2}, timeout=30).json()
    for changing in ("id", "usage"):
        over_http.pop(changing)
        assert result.structured_content.pop(changing)
    assert result.structured_content == over_http
    shown = said(result)
    assert shown.startswith(over_http["disclosure"])
    assert over_http["acknowledgement"]["text"] in shown
    assert re.findall(r"^\d+\. (.*)$", shown, re.MULTILINE) == [one["text"] for one in over_http["questions"]]
    assert over_http["guidance"][0]["sources"][0]["author"] in shown


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", BEFORE])
def test_a_handshake_gets_the_version_it_asked_for(served, version):
    """Raw JSON-RPC; the answer is JSON, no session is begun, and the next request needs none."""
    response = post(served, initialize(version)).raise_for_status()
    assert response.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in response.headers
    assert response.json()["result"]["protocolVersion"] == version
    result = post(served, called("reflect", {"challenge": TEXT}), **{"mcp-protocol-version": version}).json()["result"]
    assert len(result["structuredContent"]["questions"]) == 3


def test_todays_version_needs_no_handshake(served):
    """Every request says who it is from."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": TODAY,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = called("check_questions", {"texts": ["What did you hear?"]})
    message["params"]["_meta"] = meta
    headers = {"mcp-protocol-version": TODAY, "mcp-method": "tools/call", "mcp-name": "check_questions"}
    answer = post(served, message, **headers).raise_for_status().json()
    assert answer["result"]["structuredContent"]["verdicts"][0]["accept"]


def test_the_server_says_what_it_is_and_what_it_is_not(served):
    """In the words of prompts/, with what is said before any answer."""
    told = post(served, initialize(BEFORE)).json()["result"]
    assert told["serverInfo"]["name"] == "coach"
    for expected in ("You are answered by a program", "no advice", "word for word", "signpost", "no safety product", "do not leave it"):
        assert expected in told["instructions"]


def test_a_conversation_goes_on_from_what_is_sent(served):
    """One acknowledgement in the words of the last reply, one question; with `wrap_up` it comes to an end."""
    question = call(served, "reflect", {"challenge": TEXT}).structured_content["questions"][0]["text"]
    exchanges = [{"question": question, "reply": "Not calm. I needed it to be her fault and not mine."}]
    answer = call(served, "reply", {"challenge": TEXT, "exchanges": exchanges}).structured_content
    assert len(answer["questions"]) == 1
    assert answer["questions"][0]["text"] != question
    assert {item["of"] for item in answer["acknowledgement"]["evidence"]} == {"/exchanges/0/reply"}
    ended = call(served, "reply", {"challenge": TEXT, "exchanges": exchanges, "move": "wrap_up"})
    assert "see" in said(ended)


def test_who_asks_for_ideas_is_shown_whose_they_are(served):
    """Each passage whole, with its source, before the question."""
    exchanges = [{"question": "What stays with you?", "reply": "Just tell me what to do, I want some ideas from you."}]
    result = call(served, "reply", {"challenge": TEXT, "exchanges": exchanges})
    offered = result.structured_content["offered"]
    for passage in offered["passages"]:
        assert passage["text"] in said(result)
        assert passage["sources"][0]["title"] in said(result)
    assert said(result).index(offered["text"]) < said(result).index("1. ")


def test_a_sheet_for_a_group(served):
    """The JSON of the HTTP door, and the sheet as Markdown; what one member wrote stands on that member's page alone."""
    members = [{"alias": "Ruth", "challenge": TEXT}, {"alias": "Noor"}, {"alias": "Piet"}, {"alias": "Anselm"}]
    result = call(served, "prepare_session", {"members": members, "minutes": 75})
    over_http = httpx.post(f"{served}/v1/sheets", json={"members": members, "minutes": 75}, timeout=30).json()
    assert result.structured_content == over_http
    assert said(result).startswith(f"# {over_http['title']}")
    quotes = [item["quote"] for question in over_http["member_pages"][0]["questions"] for item in question["evidence"]]
    for_all, hers = said(result).split(f"## {TITLES['own'].format(alias='Ruth')}\n")
    assert quotes
    for quote in quotes:
        assert plain(quote) in hers
        assert plain(quote) not in for_all


def test_a_crisis_among_members_is_answered_on_that_members_page_alone(served):
    """The own page says where help is and asks nothing; the part for all holds no word of it."""
    members = [{"alias": "Ruth", "challenge": CRISIS}, {"alias": "Noor", "challenge": TEXT}, {"alias": "Piet"}]
    result = call(served, "prepare_session", {"members": members, "minutes": 22})
    page = result.structured_content["member_pages"][0]
    assert page["signpost"]["flag"] == "crisis"
    assert not page["questions"]
    for_all, hers = said(result).split(f"## {TITLES['own'].format(alias='Ruth')}\n")
    assert plain(page["signpost"]["text"]) in hers
    assert plain(page["signpost"]["text"]) not in for_all


def test_questions_are_checked_and_not_said_again(served):
    """Verdicts of the guard, by number."""
    result = call(served, "check_questions", {"texts": ["What did you hear?", "Why don't you talk to her?"]})
    accepted, refused = result.structured_content["verdicts"]
    assert accepted["accept"]
    assert refused["reason"] == "directive"
    assert said(result) == f"1. Accepted.\n2. Refused as directive: {refused['message']}"


def test_guidance_is_found_with_whose_it_is(served):
    """As many passages as asked for, of different documents, each with its source in the text too."""
    result = call(served, "find_guidance", {"query": "a round in which everybody says what they heard", "limit": 2})
    passages = result.structured_content["passages"]
    assert passages[0]["id"].startswith("the-listening-round#")
    assert len({item["title"] for item in passages}) == 2
    for item in passages:
        assert item["excerpt"] in said(result)
        assert item["sources"][0]["author"] in said(result)
    assert not result.structured_content["privacy"]["left_process"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("reflect", {"challenge": CRISIS}),
        ("reply", {"challenge": TEXT, "exchanges": [{"question": "What stays with you?", "reply": CRISIS}]}),
        ("find_guidance", {"query": CRISIS}),
    ],
)
def test_in_a_crisis_it_says_where_help_is_and_nothing_else(served, name, arguments):
    """The signpost and its contacts; no question, no guidance, no word of what was written."""
    result = call(served, name, arguments)
    signpost = result.structured_content["signpost"]
    assert signpost["flag"] == "crisis"
    contacts = [f"{one['name']}: {one['contact']}\n{one['what']}; {one['hours']}" for one in signpost["help"]]
    assert said(result) == "\n\n".join([signpost["text"], f"Emergency: {signpost['emergency']}", *contacts])
    assert not result.structured_content.get("questions")
    assert not result.structured_content.get("passages")


def test_a_matter_for_others_is_shown_as_a_signpost_alone(served):
    """The one question about support is in the structured content, as over HTTP."""
    result = call(served, "reflect", {"challenge": MATTER})
    assert result.structured_content["signpost"]["flag"] == "hr_legal"
    assert said(result).startswith(result.structured_content["signpost"]["text"])
    assert "?" not in said(result).replace(result.structured_content["signpost"]["text"], "")


def test_a_notice_is_in_the_text(served):
    """That the questions are in English, say."""
    german = next(row["text"] for row in WRITEUPS if row["language"] == "de" and row["flag"] is None)
    result = call(served, "reflect", {"challenge": german})
    assert f"Note: {result.structured_content['notices'][0]['message']}" in said(result)


SECRET = "zebra-secret"


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("reflect", {"challenge": f"{SECRET} too few"}, r"what happened, who was there.*\(challenge-too-thin\)$"),
        ("reflect", {"challenge": f"{SECRET} " * 1000}, r"limit is 12,000 characters.*\(challenge-too-long\)$"),
        ("reflect", {"challenge": f"{SECRET} one two three four\0"}, r"NUL.*\(malformed at /challenge\)$"),
        ("reflect", {"challenge": TEXT, "count": 8}, r"<= 7.*\(malformed at /count\)$"),
        ("reflect", {"challenge": TEXT, "focus": ["curiosity", SECRET]}, r"\(malformed at /focus/1\)$"),
        ("reflect", {"challenge": TEXT, "store": True}, r"unknown field store.*\(malformed at /store\)$"),
        ("reflect", {}, r"missing required field challenge.*\(malformed at /challenge\)$"),
        ("reply", {"challenge": TEXT, "exchanges": []}, r"\(malformed at /exchanges\)$"),
        ("reply", {"challenge": TEXT, "exchanges": [{"question": SECRET}], "move": SECRET}, r"\(malformed at /move\)$"),
        (
            "prepare_session",
            {"members": [{"alias": "A"}, {"alias": "B"}], "minutes": 60, "protocol": SECRET},
            r"there are auto, .*\(unknown-protocol at",
        ),
        ("prepare_session", {"members": [{"alias": SECRET}, {"alias": SECRET}], "minutes": 60}, r"\(same-alias at /members/1/alias\)$"),
        ("prepare_session", {"members": [{"alias": "A"}, {"alias": "B"}, {"alias": "C"}], "minutes": 2}, r"takes 10 to .*\(slot-size at /minutes\)$"),
        ("check_questions", {"texts": []}, r"\(malformed at /texts\)$"),
        ("find_guidance", {"query": SECRET, "limit": 11}, r"\(malformed at /limit\)$"),
    ],
)
def test_what_cannot_be_worked_with_is_an_error_in_words(served, name, arguments, expected):
    """It says what would help, the code and the field; never what was sent, and no traceback."""
    result = call(served, name, arguments)
    assert result.is_error
    assert result.structured_content is None
    assert re.search(expected, said(result)), said(result)
    assert SECRET not in said(result)
    assert "Traceback" not in said(result)


def test_null_is_left_out(served):
    """Assistants write it for what they do not want to say."""
    assert not call(served, "reflect", {"challenge": TEXT, "count": None, "language": None, "focus": None}).is_error


class Listening(logging.Handler):
    """Hears every record while it lasts, at any level; put in place after the service has set up its own log, which takes others' handlers out."""

    def __enter__(self):
        self.records = []
        self._before = logging.root.level
        logging.root.addHandler(self)
        logging.root.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_details):
        logging.root.removeHandler(self)
        logging.root.setLevel(self._before)

    def emit(self, record):
        self.records.append(record)


def test_a_failure_of_ours_says_nothing_of_what_was_written(coach, monkeypatch):
    """Neither in the answer nor in the log; whatever the log level, and whatever those libraries would like to log."""

    async def fail(*_args):
        raise RuntimeError(f"{SECRET} in a message")

    with serving(coach) as url, Listening() as log:
        monkeypatch.setattr(type(coach.library), "find", fail)
        result = call(url, "find_guidance", {"query": f"How do we listen, {SECRET}?"})
        monkeypatch.undo()
        post(url, called("reflect", f"{SECRET} where an object should be"), **{"mcp-protocol-version": BEFORE})
        call(url, "reflect", {"challenge": f"I told nobody about the {SECRET} in the drawer at work."})
        call(url, "reflect", {"challenge": f"{SECRET}"})
        call(url, "nothing", {"challenge": SECRET})
    assert result.is_error
    assert said(result).endswith("(internal)")
    assert SECRET not in said(result)
    written = "\n".join(f"{record.name} {record.getMessage()} {record.exc_info or ''}" for record in log.records)
    assert "unexpected RuntimeError" in written
    assert SECRET not in written


def test_these_libraries_write_no_traces(coach):
    """An error in a span would hold what was sent."""
    server(coach, Door(coach, Limits(coach.settings)))
    assert fastmcp.settings.telemetry_mode == "off"


def test_a_traceback_is_never_shown_whatever_the_environment_says(coach, monkeypatch):
    """FASTMCP_DEBUG makes the library show them."""
    monkeypatch.setattr(fastmcp.settings, "debug", True)
    assert not application(coach, Door(coach, Limits(coach.settings)), 1000).debug


def test_busy_is_said_in_words(coach):
    """As the HTTP door says 503: the answers of both are counted together."""
    settings = replace(coach.settings, most_open=0)
    with serving(replace(coach, settings=settings)) as url:
        for name, arguments in (("reflect", {"challenge": TEXT}), ("find_guidance", {"query": "listening"})):
            assert said(call(url, name, arguments)).endswith("(busy)")


def test_the_tools_are_described_for_an_assistant(served):
    """Every field has a description or an obvious type, bounds are announced, nothing is left to be looked up elsewhere."""
    tools = listing(served, "tools")
    assert [tool.name for tool in tools] == TOOLS
    for tool in tools:
        assert tool.title
        assert len(tool.description) > 60
        for schema in (tool.input_schema, tool.output_schema):
            assert schema["type"] == "object"
            assert "$ref" not in json.dumps(schema)
        assert tool.input_schema["additionalProperties"] is False
        for name, field in tool.input_schema["properties"].items():
            assert "description" in json.dumps(field), f"{tool.name}.{name}"
    reflect = tools[0].input_schema
    assert list(reflect["properties"]) == ["challenge", "count", "language", "focus", "functions"]
    assert reflect["required"] == ["challenge"]
    assert (reflect["properties"]["count"]["minimum"], reflect["properties"]["count"]["maximum"]) == (1, 7)
    assert reflect["properties"]["challenge"]["maxLength"] == 12_000
    assert tools[1].input_schema["required"] == ["challenge", "exchanges"]


def test_no_tool_changes_anything_and_none_reaches_out_unless_something_is_configured(coach, served):
    """The hints are true of this service: with a model, the tools that use it say so."""
    hints = {tool.name: tool.annotations for tool in listing(served, "tools")}
    for one in hints.values():
        assert (one.read_only_hint, one.destructive_hint, one.idempotent_hint, one.open_world_hint) == (True, False, True, False)
    with serving(modelled(coach, "http://127.0.0.1:9/v1")) as url:
        reaching = {tool.name for tool in listing(url, "tools") if tool.annotations.open_world_hint}
    assert reaching == {"reflect", "reply", "prepare_session"}


def test_what_the_schemas_say_is_what_comes(served):
    """Each structured content is read back by the struct that its schema was made from."""
    members = [{"alias": "A", "challenge": TEXT}, {"alias": "B"}, {"alias": "C"}]
    calls = (
        ("reflect", {"challenge": TEXT}, ReflectionAnswer),
        ("prepare_session", {"members": members, "minutes": 22}, SheetOut),
        ("check_questions", {"texts": ["What now?"]}, CheckAnswer),
        ("find_guidance", {"query": "listening"}, GuidanceAnswer),
    )
    for name, arguments, kind in calls:
        assert msgspec.to_builtins(msgspec.convert(call(served, name, arguments).structured_content, kind)), name


def test_the_prompts_tell_the_assistant_to_ask(served):
    """Their variables are filled with what was given, and nothing of that is read as a variable again."""
    prompts = {prompt.name: prompt for prompt in listing(served, "prompts")}
    assert set(prompts) == {"prepare_a_case", "run_a_listening_round"}
    assert [argument.name for argument in prompts["run_a_listening_round"].arguments] == ["members", "minutes"]

    async def ask(name, arguments):
        async with Client(f"{served}/mcp") as client:
            return (await client.get_prompt(name, arguments)).messages[0].content.text

    case = run(ask("prepare_a_case", {"matter": "a {minutes} quarrel"}))
    assert "a {minutes} quarrel" in case
    assert "do not advise" in case
    assert "Ruth and Noor" in run(ask("run_a_listening_round", {"members": "Ruth and Noor", "minutes": "45"}))
    with pytest.raises(MCPError, match="needs matter"):
        run(ask("prepare_a_case", {}))


@pytest.mark.parametrize("name", ["mcp_prepare_a_case", "mcp_run_a_listening_round"])
def test_the_questions_in_the_prompts_pass_the_guard(name):
    """What they tell the assistant to ask leaves the answer with the person."""
    text = (ROOT / f"prompts/{name}.md").read_text(encoding="utf-8")
    asked = re.findall(r"^ +- (.*\?)$", text, re.MULTILINE)
    assert len(asked) >= 3
    for verdict, question in zip(guard.check_all(asked, language="en"), asked, strict=True):
        assert verdict.accept, (question, verdict.reason, verdict.message)


def test_the_guidance_can_be_read_with_its_sources(served, knowledge):
    """Each document by its address, listed by its title."""
    resources = listing(served, "resources")
    assert {str(one.uri): one.title for one in resources} == {f"guidance://{one.id}": one.title for one in knowledge.documents}

    async def read(uri):
        async with Client(f"{served}/mcp") as client:
            return (await client.read_resource(uri))[0]

    found = run(read("guidance://the-listening-round"))
    assert found.mime_type == "text/markdown"
    assert found.text.startswith("# Going round before anyone asks\n")
    assert "- Nancy Kline, Time to Think, 1999" in found.text
    with pytest.raises(MCPError, match="not found"):
        run(read("guidance://no-such-document"))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_is_refused(served, origin):
    """403, as the protocol wants it, on this machine too; nothing is said of what would have come."""
    response = post(served, initialize(BEFORE), origin=origin)
    assert response.status_code == 403
    assert response.json()["code"] == "foreign-origin"


def test_a_page_that_the_operator_named_may_call(coach, served):
    """And a page of the service itself, and whoever is no page; a browser's question beforehand is answered with the protocol's headers."""
    for headers in ({}, {"origin": served}):
        assert post(served, initialize(BEFORE), **headers).status_code == 200
    page = "https://intranet.example"
    with serving(replace(coach, settings=replace(coach.settings, origins=page))) as url:
        response = post(url, initialize(BEFORE), origin=page)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == page
        assert post(url, initialize(BEFORE), origin="https://evil.example").status_code == 403
        wanted = "content-type,mcp-protocol-version,mcp-method,mcp-name"
        asked = {"origin": page, "access-control-request-method": "POST", "access-control-request-headers": wanted}
        answer = httpx.options(f"{url}/mcp", headers=asked)
        assert set(wanted.split(",")) <= set(answer.headers["access-control-allow-headers"].replace(" ", "").split(","))


def test_another_name_is_refused_before_the_protocol_is_reached(served):
    """421: the host check stands in front of everything."""
    assert post(served, initialize(BEFORE), host="evil.example").status_code == 421


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_the_limit_is_not_read(served, announced):
    """128 KB, whether or not the length is said beforehand."""
    body = json.dumps(called("reflect", {"challenge": "word " * 30_000})).encode()
    content = body if announced else iter([body[:70_000], body[70_000:]])
    assert httpx.post(f"{served}/mcp", content=content, headers=ACCEPTS, timeout=30).status_code == 413


def test_what_keeps_a_browser_honest_is_on_these_answers_too(served):
    """An id of the request, and a policy that allows nothing."""
    response = post(served, initialize(BEFORE))
    assert response.headers["x-request-id"]
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_several_who_come_first_at_once_all_get_in(coach):
    """The server is made once, while the others wait; nothing is left when the service ends."""
    with serving(coach) as url:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(post(url, initialize(BEFORE)).status_code)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert answers == [200] * 5


def test_a_server_that_cannot_be_made_is_an_error_each_time_and_the_rest_goes_on(coach, monkeypatch):
    """A broken installation, say: 500 with a problem document, and the service ends as it should."""
    monkeypatch.setattr(mounting, "SERVER", "coach.no_such_module")
    with serving(coach) as url, Listening() as log:
        for _ in range(2):
            response = post(url, initialize(BEFORE))
            assert (response.status_code, response.json()["code"]) == (500, "internal")
        assert httpx.get(f"{url}/health/live").status_code == 200
    assert any("ModuleNotFoundError" in record.getMessage() for record in log.records)


def _without(monkeypatch, module):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "fastmcp" else find_spec(name))


def test_without_the_extra_there_is_no_such_address(coach, monkeypatch):
    """404, and the service runs."""
    _without(monkeypatch, mounting)
    with serving(coach) as url:
        assert post(url, initialize(BEFORE)).status_code == 404
        assert httpx.get(f"{url}/health/live").status_code == 200


def test_without_the_extra_the_command_says_what_to_install(monkeypatch):
    """One line, no traceback."""
    _without(monkeypatch, command)
    done = CliRunner().invoke(cli, ["mcp"], obj={})
    assert done.exit_code == 2
    assert "pip install 'reflection-coach[mcp]'" in done.output


def test_no_other_door_pays_for_it():
    """Neither the service, until somebody speaks MCP to it, nor a command imports FastMCP."""
    program = "import sys, coach.web.app, coach.cli.serving, coach.cli.reflecting; print({'fastmcp', 'mcp'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT).stdout == "set()\n"


def test_a_service_that_nobody_speaks_mcp_to_has_not_loaded_it(coach):
    """Seen in a process of its own, with the application started."""
    program = (
        "import sys, pathlib\n"
        "from litestar.testing import TestClient\n"
        "from coach.bootstrap import assemble\nfrom coach.settings import Settings\nfrom coach.web.app import create_app\n"
        "coach = assemble(Settings(data_dir=pathlib.Path(sys.argv[1])), lambda a, b: None)\n"
        "with TestClient(create_app(coach), base_url='http://localhost') as client:\n"
        "    assert client.get('/health/live').status_code == 200\n"
        "    print('fastmcp' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(coach.settings.data_dir)], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


def _exchange(coach, *messages):
    """What `coach mcp` writes to standard output and error for these lines, and how it leaves when they end."""
    env = {**os.environ, "COACH_DATA_DIR": str(coach.settings.data_dir)}
    process = subprocess.Popen(
        [sys.executable, "-m", "coach", "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=ROOT
    )
    answers = []
    for message in messages:
        process.stdin.write(f"{message}\n")
        process.stdin.flush()
        if '"id"' in message:
            answers.append(json.loads(process.stdout.readline()))
    rest, errors = process.communicate(timeout=30)
    assert rest == ""
    return answers, errors, process.returncode


def test_over_standard_input_nothing_but_the_protocol_comes_out(coach):
    """A handshake, an answer, a crisis, an error; then the end of input ends it. What was written is not in the log."""
    initialized = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
    lines = [
        json.dumps(initialize(BEFORE)),
        initialized,
        json.dumps({**called("reflect", {"challenge": f"{TEXT} {SECRET}"}), "id": 2}),
        json.dumps({**called("reflect", {"challenge": CRISIS}), "id": 3}),
        json.dumps({**called("reflect", {"challenge": SECRET}), "id": 4}),
    ]
    (hello, answer, crisis, thin), errors, code = _exchange(coach, *lines)
    assert hello["result"]["protocolVersion"] == BEFORE
    assert len(answer["result"]["structuredContent"]["questions"]) == 3
    assert crisis["result"]["content"][0]["text"].startswith(crisis["result"]["structuredContent"]["signpost"]["text"])
    assert thin["result"]["isError"]
    assert code == 0
    assert SECRET not in errors
    assert "Traceback" not in errors


def test_a_client_over_standard_input_gets_all_there_is(coach):
    """The same tools, prompts and resources as over HTTP."""

    async def look():
        async with over_stdio(coach) as client:
            names = [tool.name for tool in await client.list_tools()]
            result = await client.call_tool("find_guidance", {"query": "listening", "limit": 1})
            return names, len(await client.list_prompts()), len(await client.list_resources()), said(result)

    names, prompts, resources, text = run(look())
    assert names == TOOLS
    assert (prompts, resources) == (2, 90)
    assert "Source: " in text


def _configurations():
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def test_the_configurations_of_the_page_work(coach, served):
    """Each as it stands there, but for where this service listens and which Python runs it."""
    here, there = _configurations()
    (entry,) = here["mcpServers"].values()
    assert entry["command"] == "coach"
    entry |= {"command": sys.executable, "args": ["-m", "coach", *entry["args"]], "cwd": str(ROOT)}
    entry["env"] = {**os.environ, "COACH_DATA_DIR": str(coach.settings.data_dir)}
    (other,) = there["mcpServers"].values()
    other["url"] = other["url"].replace("http://127.0.0.1:8000", served)

    async def tools(configuration):
        async with Client(configuration) as client:
            return [tool.name for tool in await client.list_tools()]

    assert run(tools(here)) == run(tools(there)) == TOOLS


def test_the_request_of_the_page_is_answered(served):
    """Its curl command, sent."""
    (line,) = re.findall(r"^curl .*$", PAGE, re.MULTILINE)
    headers = dict(one.split(": ") for one in re.findall(r"-H '([^']*)'", line))
    (body,) = re.findall(r"-d '(.*)'$", line)
    answer = httpx.post(f"{served}/mcp", content=body, headers=headers, timeout=30).raise_for_status().json()
    assert answer["result"]["structuredContent"]["questions"]


def test_the_page_names_every_tool_prompt_and_argument(served):
    """Nothing is a secret."""
    for tool in listing(served, "tools"):
        for name in (tool.name, *tool.input_schema["properties"]):
            assert f"`{name}`" in PAGE, name
    for prompt in listing(served, "prompts"):
        for name in (prompt.name, *(argument.name for argument in prompt.arguments)):
            assert f"`{name}`" in PAGE, name


def test_a_key_opens_the_tools_of_its_scopes(coach, tmp_path):
    """And without one, nothing at all; a key's own guidance is looked in without being asked for."""
    there = replace(coach, settings=replace(coach.settings, store=f"sqlite:///{tmp_path / 'kept.db'}"))

    async def ask(url):
        keys = keyring(there.settings)
        await keys.add(Key("hr", utc_now(), frozenset({Scope.REFLECT})), "ck_hr")
        await keys.close()
        async with Client(StreamableHttpTransport(f"{url}/mcp", headers={"authorization": "Bearer ck_hr"})) as client:
            allowed = await client.call_tool("find_guidance", {"query": "The night shift never tells us anything."})
            refused = await client.call_tool("check_questions", {"texts": ["What do you see?"]}, raise_on_error=False)
        return allowed, refused

    with serving(there) as url:
        allowed, refused = asyncio.run(ask(url))
        assert allowed.structured_content["passages"]
        assert refused.is_error
        assert "`checks`" in refused.content[0].text
        assert httpx.post(f"{url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}).status_code == 401
