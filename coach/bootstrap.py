"""The only place where the real parts meet."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openai

from coach import guard, prompts
from coach.bank import Bank
from coach.errors import EmbedderUnavailable, IndexFault, PromptError
from coach.knowledge.embedders import CountedWords, Embedder, Endpoint, MiniLM, Vectors
from coach.knowledge.files import Knowledge, load
from coach.knowledge.index import build, current, manifest, vectors
from coach.knowledge.library import ChromaLibrary, Store
from coach.knowledge.shelf import Progress, Shelf, Shelves, embed_missing, plain, texts
from coach.knowledge.where import data_folder
from coach.languages import Lingua
from coach.model import Notice
from coach.reflect import Needs
from coach.settings import Settings

UNMASKED = Notice("left-process", "To find guidance, your text was sent to an embeddings endpoint that the operator chose.")

log = logging.getLogger("coach")


@dataclass(frozen=True)
class Coach:
    """The assembled coach: what a use-case needs, and what an operator asks about it."""

    needs: Needs
    library: ChromaLibrary
    settings: Settings
    in_memory: bool
    plain: bool

    async def health(self) -> dict[str, str]:
        """How each part is: `ok`, or what is done instead."""
        store = await self.library.ready()
        return {
            "knowledge": "ok",
            "guard": "ok" if await asyncio.to_thread(guard.ready) else "judging by its phrases alone",
            "encoder": "counting words instead" if self.plain else "ok",
            "store": "ok" if store else "finding passages in memory instead",
            "index": "kept in memory, could not be written" if self.in_memory else "ok",
        }


def assemble(settings: Settings, progress: Progress) -> Coach:
    """Put the parts together, building the index if it is missing or out of date. A failing disk or model does not stop it.

    Errors: KnowledgeError and PromptError, since these are faults of ours.
    """
    knowledge = load(data_folder("knowledge"))
    shelf, in_memory = _shelf(settings, knowledge, progress)
    shelves = Shelves(shelf)
    notices = (UNMASKED,) if isinstance(shelf.embedder, Endpoint) else ()
    library = ChromaLibrary(shelves, Store(settings.data_dir), notices)
    needs = Needs(library, Bank(shelves), Lingua(), _disclosure(leaves=bool(notices)))
    return Coach(needs, library, settings, in_memory, isinstance(shelf.embedder, CountedWords))


def _disclosure(*, leaves: bool) -> str:
    """What is said before anything else: who answers, and where the words go."""
    prompt = prompts.load(data_folder("prompts")).get("disclosure")
    if prompt is None:
        raise PromptError("disclosure", "is not there")
    where = "To find them, your words are sent to a service that the operator chose." if leaves else "Your words do not leave it."
    return prompt.render({"engine": f"It chooses from a fixed library of questions. {where}"})


def embedder(settings: Settings) -> Embedder:
    """The embedder that the settings ask for. Raises EmbedderUnavailable."""
    if settings.embedder == "local":
        return MiniLM(threads=settings.threads)
    try:
        client = openai.OpenAI(api_key=settings.embedding_api_key or None, base_url=settings.embedding_base_url or None, timeout=10.0, max_retries=1)
    except openai.OpenAIError as error:
        raise EmbedderUnavailable("endpoint", type(error).__name__) from None
    return Endpoint(client, settings.embedding_model, settings.embedding_dimensions)


def _shelf(settings: Settings, knowledge: Knowledge, progress: Progress) -> tuple[Shelf, bool]:
    """The library as vectors: from the index, else built now, else made in memory, else counted words. And whether it is only in memory."""
    try:
        chosen = embedder(settings)
    except EmbedderUnavailable as error:
        log.warning("%s", error)
        return plain(knowledge), False
    attempts: tuple[Callable[[], dict[str, Vectors]], ...] = (
        lambda: _from_index(settings.data_dir, knowledge, chosen),
        lambda: _built(settings.data_dir, knowledge, chosen, progress),
    )
    for attempt in attempts:
        try:
            return Shelf.of(knowledge, chosen, attempt()), False
        except (IndexFault, OSError, KeyError) as error:
            log.info("no index yet: %s", type(error).__name__)
        except EmbedderUnavailable as error:
            log.warning("%s", error)
            return plain(knowledge), False
    log.warning("the index cannot be written; everything is kept in memory")
    return Shelf.of(knowledge, chosen, embed_missing(texts(knowledge), {}, chosen, progress)), True


def _from_index(folder: Path, knowledge: Knowledge, chosen: Embedder) -> dict[str, Vectors]:
    there = current(folder)
    if manifest(there).knowledge != knowledge.version:
        raise KeyError(knowledge.version)
    return vectors(there, chosen)


def _built(folder: Path, knowledge: Knowledge, chosen: Embedder, progress: Progress) -> dict[str, Vectors]:
    build(folder, knowledge, chosen, progress)
    return vectors(current(folder), chosen)
