"""The example of the documentation. A test sends the request to the service and compares the shape of the answer."""

REQUEST = {
    "challenge": (
        "I run the warehouse and transport planning changes the load plan after my people have built the pallets. On Thursday I told the planner "
        "in front of everyone that he is the king of the computer. Everybody laughed. He did not. Now he only writes e-mails with my boss in copy. "
        "I won that day but I lost something, and I did not ask when he gets the orders himself."
    ),
    "count": 3,
    "functions": ["warehouse", "transport planning"],
}

ANSWER: dict[str, object] = {}
