"""The example of the documentation: a request, and the answer that the service gives to it. A test sends the one and expects the other.

The answer is kept as JSON beside this file. `make example` writes it anew when the library has changed.
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

ANSWER: dict[str, Any] = json.loads(files("coach.web").joinpath("example_answer.json").read_text(encoding="utf-8"))
