import re
import subprocess
import sys
from pathlib import Path

import pytest

from coach.model import Outcome
from coach.wire.reflections import EVENTS
from tests import typescript
from tests.conftest import REQUIRED
from tests.scripted import Scripted, answer, head, refusal
from tests.test_client import FAILED, NOTICE, OPENED, STREAM, event

PAGE = Path(__file__).parent.parent / "coach" / "docs" / "clients.md"


@pytest.fixture(scope="module", autouse=True)
def npm():
    """Without node and npm these are skipped, loudly, or fail where services are required."""
    if typescript.there():
        return
    message = "NO NODE WITH NPM: the TypeScript client is not tested"
    if REQUIRED:
        pytest.fail(message)
    sys.__stderr__.write(f"\n{message}\n")
    pytest.skip(message)


def run(folder, program, url):
    """What it prints, compiled by the strictest compiler."""
    (folder / "program.ts").write_text(program.replace("http://127.0.0.1:8000", url), encoding="utf-8")
    typescript.compiled(folder, Path("program.ts"))
    done = subprocess.run(("node", "program.js"), cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_types_are_those_of_the_service(coach, tmp_path):
    """`make types` writes them anew."""
    assert typescript.types(coach, tmp_path) == typescript.TYPES.read_text(encoding="utf-8")


def test_the_example_of_the_page_runs(served, tmp_path):
    """Questions, the same as events, a verdict, a refusal."""
    (program,) = re.findall(r"```typescript\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    told = run(tmp_path, program, served)
    assert [line.endswith("?") for line in told[:5]] == [True] * 5
    assert told[5] == "true"
    assert told[6].startswith("422 challenge-too-thin The challenge has 2 words")


def test_its_events_are_those_of_the_service():
    """By name, and by the fields of those that the OpenAPI document does not list."""
    source = (typescript.SOURCES / "coach.ts").read_text(encoding="utf-8")
    listed = dict(re.findall(r'\| \{ event: "(\w+)"; data: (.*) \}', source))
    assert listed.keys() == EVENTS.keys()
    assert re.findall(r'"(\w+)"', re.search(r"new Set\((.*)\)", source)[1]) == list(EVENTS)
    for name in ("opened", "asked", "closed", "failed"):
        named = re.findall(r'"(\w+)"|(\w+): ', listed[name])
        assert sorted(picked or field for picked, field in named) == sorted(EVENTS[name].__struct_fields__)
    assert re.findall(r'"(\w+)"', re.search(r"type Outcome = (.*);", source)[1]) == list(Outcome)


WRONG = """
import { Coach } from "./coach.js";
const coach = new Coach();
// @ts-expect-error a body is missing
export const a = () => coach.request("post", "/v1/checks");
// @ts-expect-error there is no such field
export const b = () => coach.request("post", "/v1/checks", { body: { texts: ["a"], mood: "x" } });
// @ts-expect-error there is no such method
export const c = () => coach.request("put", "/v1/about");
// @ts-expect-error there is no such address
export const d = () => coach.request("get", "/v1/nothing");
// @ts-expect-error there is no such skill
export const e = () => coach.reflect({ challenge: "x", focus: ["magic"] });
"""


def test_what_is_not_the_contract_does_not_compile(tmp_path):
    """A missing body, a field, a method, an address, a word that there is not."""
    (tmp_path / "wrong.ts").write_text(WRONG, encoding="utf-8")
    typescript.compiled(tmp_path, Path("wrong.ts"))


RETRIED = """
import { Coach } from "./coach.js";
const coach = new Coach({ baseUrl: "http://127.0.0.1:8000", apiKey: "key_1" });
for await (const event of coach.stream("one two")) console.log(event.event);
for await (const event of coach.stream("one two")) { console.log(event.event); break; }
try {
  for await (const event of coach.stream("one two")) console.log(event.event);
} catch (error) { console.log(String(error)); }
"""


def test_it_tries_again_and_ends_as_the_other_clients_do(tmp_path):
    """429 and 503 after Retry-After, with one key; what it does not know is passed over; a cut stream says so."""
    busy = answer(refusal("busy", 503), "503 Busy", retry_after="1")
    many = answer(refusal("some-limit", 429), "429 Too Many", retry_after="0")
    odd = head() + event(1, "weather", {}) + event(2, "notice", NOTICE).replace(b"\n", b"\r\n") + event(3, "failed", FAILED)
    with Scripted(busy, many, odd, STREAM, head() + event(1, "opened", OPENED)) as server:
        told = run(tmp_path, RETRIED, server.url)
    assert told == ["notice", "failed", "opened", "opened", "NoAnswer: The stream ended before its last word."]
    keys = [one.headers["idempotency-key"] for one in server.asked]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", keys[0])
    assert {one.headers["authorization"] for one in server.asked} == {"Bearer key_1"}


SEARCHED = """
import { Coach, Refused } from "./coach.js";
const coach = new Coach({ baseUrl: "http://127.0.0.1:8000" });
const query = { q: "coming back from leave & after", knowledge: ["acme", "beta"] };
for (const one of (await coach.request("get", "/v1/guidance", { query })).data) console.log(one.title);
try {
  await coach.request("delete", "/v1/knowledge/{name}/documents/{identifier}", { path: { name: "acme", identifier: "a/b" } });
} catch (error) { if (error instanceof Refused) console.log(error.problem?.code); }
"""


def test_the_library_is_searched_in_several_collections_and_what_lasts_is_not_tried_again(tmp_path):
    """A list goes into the address once for each; what only somebody can mend is asked for once."""
    entry = {"id": "a", "title": "A", "excerpt": "", "skills": [], "topics": [], "sources": [], "score": 0.4, "collection": "acme"}
    page = answer({"object": "list", "data": [entry], "next": None, "notices": []})
    with Scripted(page, answer(refusal("collection-broken", 503), "503 Broken", retry_after="0")) as server:
        assert run(tmp_path, SEARCHED, server.url) == ["A", "collection-broken"]
    assert [one.line for one in server.asked] == [
        "GET /v1/guidance?q=coming+back+from+leave+%26+after&knowledge=acme&knowledge=beta HTTP/1.1",
        "DELETE /v1/knowledge/acme/documents/a%2Fb HTTP/1.1",
    ]
