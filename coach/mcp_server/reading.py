"""What an assistant may read and be asked by: the guidance as resources, and prompts for the person who sits before it."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastmcp.exceptions import PromptError as NotRendered
from fastmcp.prompts import Prompt, PromptArgument
from fastmcp.resources import TextResource
from pydantic import PrivateAttr

from coach.errors import PromptError
from coach.knowledge.files import Document, Knowledge
from coach.prompts import Prompt as Text

_PROMPTS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {  # file: title, what it is for, and each variable
    "mcp_prepare_a_case": (
        "Prepare a case",
        "Tell a case for a group of peers, by being asked and never advised.",
        {"matter": "In a few words, what it is about."},
    ),
    "mcp_run_a_listening_round": (
        "Run a listening round",
        "A round in which peers say what they heard before anybody asks; the assistant keeps the order and nothing else.",
        {"members": "Who takes part, each with a function if it matters: Ruth (warehouse), Noor (transport).", "minutes": "How long you have."},
    ),
}


class WayToAsk(Prompt):
    """A prompt whose text is a file of prompts/."""

    _text: Text = PrivateAttr()

    @classmethod
    def of(cls, text: Text, title: str, says: str, variables: Mapping[str, str]) -> "WayToAsk":
        """Raises PromptError where the file declares other variables than are described here."""
        if text.variables != set(variables):
            raise PromptError(text.name, f"declares {sorted(text.variables)}, and {sorted(variables)} are described")
        arguments = [PromptArgument(name=name, description=what, required=True) for name, what in variables.items()]
        made = cls(name=text.name.removeprefix("mcp_"), title=title, description=says, arguments=arguments)
        made._text = text
        return made

    async def render(self, arguments: dict[str, Any] | None = None) -> str:
        """The text with the arguments in it. Raises NotRendered where one is missing."""
        given = {name: str(value) for name, value in (arguments or {}).items() if name in self._text.variables}
        if missing := sorted(self._text.variables - given.keys()):
            raise NotRendered(f"This prompt needs {' and '.join(missing)}.")
        return self._text.render(given)


def ways_to_ask(found: Mapping[str, Text]) -> Iterator[WayToAsk]:
    """The prompts. Raises PromptError."""
    for name, (title, says, variables) in _PROMPTS.items():
        if name not in found:
            raise PromptError(name, "is not there")
        yield WayToAsk.of(found[name], title, says, variables)


def guidance(knowledge: Knowledge) -> Iterator[TextResource]:
    """Each document of the library."""
    for document in knowledge.documents:
        yield TextResource(
            uri=f"guidance://{document.id}",  # type: ignore[arg-type]  # pydantic reads the text as an address
            name=document.id,
            title=document.title,
            description=f"Peer-learning guidance on {document.method}.",
            mime_type="text/markdown",
            text=as_markdown(document),
        )


def as_markdown(document: Document) -> str:
    """A document with its sources."""
    blocks = [f"# {document.title}", *(f"## {passage.heading}\n\n{passage.text}" for passage in document.passages)]
    sources = "\n".join(f"- {source.author}, {source.title}, {source.year}" for source in document.sources)
    return "\n\n".join([*blocks, f"## Sources\n\n{sources}"]) + "\n"
