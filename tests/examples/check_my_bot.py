"""Do the questions of a coaching bot leave the answer with the person? Says what share does, and names each that does not, with the reason.

    python check_my_bot.py transcript.jsonl --least 0.95

A line is {"question": ...}, or a message of a chat: of {"role": "assistant", "content": ...} every question is judged, and no other sentence.
Leaves with 1 where the share is below --least, so that a build fails, and with 2 where nothing was judged. COACH_URL and COACH_KEY name the service.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from coach.client import CheckRequest, Client, ClientError

MOST = 200  # sentences in one request


def asked(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Every question with its line. Raises ValueError for a line that is neither form."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            if "question" in said:
                yield number, said["question"].strip()
            elif said["role"] == "assistant":
                sentences = re.split(r"(?<=[.?!])[\"”’']?\s+|\n+", said["content"])
                yield from ((number, one.strip()) for one in sentences if one.strip().endswith("?"))
        except (json.JSONDecodeError, TypeError, KeyError, AttributeError):
            raise ValueError(f"Line {number} is neither a question nor a message of a chat.") from None


def main() -> int:
    """Judge a transcript."""
    parser = argparse.ArgumentParser(description="Do the questions of a coaching bot leave the answer with the person?")
    parser.add_argument("transcript", type=Path)
    parser.add_argument("--least", type=float, default=1.0, metavar="SHARE", help="the share that is needed, 0 to 1; 1 if left out")
    given = parser.parse_args()
    try:
        found = list(asked(given.transcript.read_text(encoding="utf-8").splitlines()))
        with Client.from_env(os.environ) as coach:
            texts = [text for _, text in found]
            parts = [texts[start : start + MOST] for start in range(0, len(texts), MOST)]
            verdicts = [verdict for part in parts for verdict in coach.check(CheckRequest(texts=part)).verdicts]
    except (OSError, ValueError, ClientError) as error:
        print(error, file=sys.stderr)
        return 2
    if not verdicts:
        print("There is no question in it.", file=sys.stderr)
        return 2
    good = sum(verdict.accept for verdict in verdicts)
    print(f"{good} of {len(verdicts)} questions leave the answer with the person ({good / len(verdicts):.0%}).")
    for (number, text), verdict in zip(found, verdicts, strict=True):
        if not verdict.accept:
            print(f"line {number}: {text}\n  {verdict.reason}: {verdict.message}")
    return 1 if good / len(verdicts) < given.least else 0


if __name__ == "__main__":
    sys.exit(main())
