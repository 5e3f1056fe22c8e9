"""`python -m coach` and the `coach` command."""

import os
import sys

from coach.cli import cli


def main() -> None:
    """Run the command line with this process's arguments and environment."""
    cli(args=sys.argv[1:], prog_name="coach", obj=os.environ)


if __name__ == "__main__":
    main()
