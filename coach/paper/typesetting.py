"""Sets a sheet with typst. As `python -m coach.paper.typesetting` it reads the data on standard input and writes the PDF to standard output.

The service runs it as a process of its own: typst keeps what it has set, which is memory, and holds the interpreter while it works.
"""

import sys
from importlib.resources import as_file, files
from importlib.util import find_spec

from coach.errors import ExtraMissing


def sets() -> bool:
    """Whether typst is installed, which is an extra of its own."""
    return find_spec("typst") is not None


def typeset(data: str) -> bytes:
    """A tagged PDF (PDF/UA-1) of a sheet's data, which is JSON. What people wrote is data to the template, and never part of it.

    Raises ExtraMissing.
    """
    if not sets():
        raise ExtraMissing("pdf")
    import typst  # noqa: PLC0415 (an extra, and 34 MB)

    with as_file(files("coach.paper").joinpath("sheet.typ")) as template:
        made: bytes = typst.compile(str(template), sys_inputs={"sheet": data}, ignore_system_fonts=True, format="pdf", pdf_standards=["ua-1"])
    return made


if __name__ == "__main__":
    sys.stdout.buffer.write(typeset(sys.stdin.buffer.read().decode()))
