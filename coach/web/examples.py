"""The examples of the documentation: requests, and the answers that the service gives to them. A test sends the one and expects the other.

The answers are kept as JSON beside this file. `make example` writes them anew when the library or the guard has changed.
"""

import json
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
