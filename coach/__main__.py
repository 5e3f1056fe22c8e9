"""`python -m coach` and the `coach` command."""

import os
import sys
from importlib import import_module

NEEDS_MORE = (
    "The command line is not installed, only the clients: {name} is missing.\n"
    'It comes with the service: pip install "reflection-coach[server]"\n'
    "To use a service that runs elsewhere: from coach.client import Client"
)


def main() -> None:
    """Run the command line with this process's arguments and environment."""
    try:
        import_module("coach.cli").cli(args=sys.argv[1:], prog_name="coach", obj=os.environ)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == "coach":
            raise
        sys.exit(NEEDS_MORE.format(name=missing.name))


if __name__ == "__main__":
    main()
