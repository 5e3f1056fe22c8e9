"""The examples of the documentation: requests, and the answers that the service gives to them. A test sends the one and expects the other.

The answers are kept as JSON beside this file. `make example` writes them anew when the library or the guard has changed, `make contract` those of
`CALLS`, in which secrets, ids and times are made up.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

REQUEST: dict[str, Any] = {
    "challenge": (
        "I run the warehouse, and transport planning changes the load plan after my people have built the pallets. On Thursday I told the planner "
        "in front of everyone that he is the king of the computer. Everybody laughed. He did not. Now he only writes e-mails with my boss in copy. "
        "I won that day but I lost something, and I did not ask when he gets the orders himself."
    ),
    "count": 3,
    "functions": ["warehouse", "transport planning"],
}

GROUP: dict[str, Any] = {
    "members": [
        {"alias": "Ruth", "function": "warehouse", "challenge": REQUEST["challenge"]},
        {"alias": "Anselm", "function": "sales"},
        {"alias": "Noor", "function": "transport planning"},
        {"alias": "Piet", "function": "customer service"},
    ],
    "minutes": 60,
}

SENTENCES: dict[str, Any] = {"texts": ["What have you already tried with the planner?", "How might a weekly meeting with the planner help?"]}


def _kept(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("coach.web").joinpath(name).read_text(encoding="utf-8"))
    return found


ANSWER = _kept("example_answer.json")
VERDICTS = _kept("example_verdicts.json")
OWN = _kept("example_document.json")
ANSWERS = _kept("example_answers.json")

ID, TOKEN = "r_01m8example0000000000000001", "ct_example"
SESSION, HOST_TOKEN, MEMBER_TOKEN = "s_01m8example0000000000000001", "ht_example", "mt_example1"
DEADLINE = "2026-12-10T18:00:00Z"


@dataclass(frozen=True)
class Call:
    """An example of an operation: what is sent, and what comes."""

    operation: str
    summary: str
    body: Any = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    token: str | None = None  # what opens it, for who has no key

    @property
    def answer(self) -> Any:
        """What came, where it is JSON."""
        return {"reflect": ANSWER, "check": VERDICTS}.get(self.operation, ANSWERS.get(self.operation))


_REFLECTION, _SESSION = {"identifier": ID}, {"identifier": SESSION}
_SEAT = {**_SESSION, "token": MEMBER_TOKEN}
_COLLECTION = {"name": "plant-north"}
_DOCUMENT = {**_COLLECTION, "identifier": "back-from-leave"}
_CAME = {"tried": "I asked him when he gets the orders.", "happened": "He showed me his screen.", "learned": "He gets them an hour after me."}
_INVITED = {
    "name": "Site leads, December",
    "minutes": 60,
    "deadline": DEADLINE,
    "members": [{"alias": one["alias"], "function": one["function"]} for one in GROUP["members"]],
}

CALLS = (  # in an order in which each finds what it asks for; `reflect` with `store` comes before them
    Call("reflect", "A quarrel at a seam", REQUEST),
    Call("reply", "An answer to the first question", {"to": "q1", "text": "I was afraid that he would win again."}, _REFLECTION, token=TOKEN),
    Call("report_back", "What came of it", _CAME, _REFLECTION, token=TOKEN),
    Call("list_reflections", "One reflection", query={"limit": 20}),
    Call("read_reflection", "The whole of it", path=_REFLECTION, token=TOKEN),
    Call("read_summary", "As it was made", path=_REFLECTION, token=TOKEN),
    Call("edit_summary", "As it is to be", {"seen": "I wanted to win.", "to_try": "Ask him when the orders come."}, _REFLECTION, token=TOKEN),
    Call("export_me", "All of it"),
    Call("erase_reflection", "One", path=_REFLECTION, token=TOKEN),
    Call("erase_me", "What is left"),
    Call("check", "Two sentences", SENTENCES),
    Call("about", "With the library alone"),
    Call("live", "It is"),
    Call("ready", "All is well"),
    Call("problems", "The catalogue"),
    Call("problem", "One entry", path={"code": "challenge-too-thin"}),
    Call("make_sheet", "Four heads of department", GROUP),
    Call("protocols", "Two of them"),
    Call("convene", "Four are invited", _INVITED, status=201),
    Call("read_session", "Nobody has handed in", path=_SESSION, token=HOST_TOKEN),
    Call("hand_in", "A case", {"challenge": REQUEST["challenge"]}, _SEAT),
    Call("read_seat", "The own part", path=_SEAT),
    Call("make_session_sheet", "The group's part", path=_SESSION, token=HOST_TOKEN),
    Call("read_session_sheet", "The group's part", path=_SESSION, query={"paper": "letter"}, token=MEMBER_TOKEN),
    Call("file_report", "What came of it, shared", {**_CAME, "share": True}, _SEAT),
    Call("withdraw", "Three are left", path=_SEAT),
    Call("erase_session", "The session", path=_SESSION, token=HOST_TOKEN),
    Call("list_guidance", "The nearest two", query={"q": "two shifts that blame each other", "limit": 2}),
    Call("read_guidance", "One document", path={"identifier": "the-handover"}),
    Call("list_questions", "Two on curiosity", query={"skill": "curiosity", "limit": 2}),
    Call("put_document", "Coming back from leave", OWN, _DOCUMENT, status=201),
    Call("list_documents", "One document", path=_COLLECTION, query={"limit": 20}),
    Call("read_document", "One document", path=_DOCUMENT),
    Call("erase_document", "One", path=_DOCUMENT),
    Call("erase_collection", "All of it", path=_COLLECTION),
)
BY_OPERATION = {one.operation: one for one in CALLS}


def _message(number: int, name: str, data: Any) -> str:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


_OPENED = {name: ANSWER[name] for name in ("id", "object", "language", "disclosure", "provenance", "kept")}
_ASKED = {"question": ANSWER["questions"][0], "guidance": ANSWER["guidance"][:1]}
_CLOSED = {"outcome": "complete", **{name: ANSWER[name] for name in ("coverage", "guidance", "privacy", "usage")}}
STREAM = "".join(
    _message(number, name, data)
    for number, (name, data) in enumerate(
        (("opened", _OPENED), ("acknowledged", ANSWER["acknowledgement"]), ("asked", _ASKED), ("closed", _CLOSED)), 1
    )
)
