"""Sets a sheet with typst. As `python -m coach.paper.typesetting` it reads the data on standard input and writes the PDF to standard output.

The service runs it as a process of its own: typst keeps what it has set, which is memory, and holds the interpreter while it works.
"""

import json
import re
import sys
import unicodedata
from importlib.resources import as_file, files
from importlib.util import find_spec

from coach.errors import ExtraMissing

SQUARE = "\u25a1"
LETTERS = f"Some letters cannot be printed in this PDF and stand as {SQUARE}. The page and the Markdown have them all."
MOST_SCRIPTS = 20
_LOST = re.compile(r'the text `"(.+?)"` could not be displayed')
_ASCII = 127


def sets() -> bool:
    """Whether typst is installed, which is an extra of its own."""
    return find_spec("typst") is not None


def typeset(data: str) -> bytes:
    """A tagged PDF (PDF/UA-1) of a sheet's data, which is JSON. What people wrote is data to the template, and never part of it.

    The fonts that come with typst have Latin, Greek, Cyrillic, Hebrew and Arabic. Errors: ExtraMissing, OSError.
    """
    if not sets():
        raise ExtraMissing("pdf")
    import typst  # noqa: PLC0415 (an extra, and 34 MB)

    with as_file(files("coach.paper").joinpath("sheet.typ")) as template:
        for _ in range(MOST_SCRIPTS):
            try:
                made: bytes = typst.compile(str(template), sys_inputs={"sheet": data}, ignore_system_fonts=True, format="pdf", pdf_standards=["ua-1"])
            except typst.TypstError as error:
                if not (lost := _LOST.search(str(error))):
                    raise
                data = _without(data, lost[1])
            else:
                return made
    raise OSError(LETTERS)


def _without(data: str, lost: str) -> str:
    """The data with a square for what the fonts do not have: these characters and all of their kind. Once it says so among the warnings."""
    kinds = {_kind(character) for character in lost if ord(character) > _ASCII}
    sheet = json.loads("".join(SQUARE if ord(character) > _ASCII and _kind(character) in kinds else character for character in data))
    sheet["warnings"] = [*sheet["warnings"], *([] if LETTERS in sheet["warnings"] else [LETTERS])]
    return json.dumps(sheet, ensure_ascii=False)


def _kind(character: str) -> str:
    """The script of a letter, as its name in Unicode begins with it; symbols are of one kind."""
    return "symbol" if unicodedata.category(character) in {"So", "Sk", "Cn", "Co", "Cs"} else unicodedata.name(character, "").partition(" ")[0]


if __name__ == "__main__":
    sys.stdout.buffer.write(typeset(sys.stdin.buffer.read().decode()))
