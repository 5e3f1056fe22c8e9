"""The only place where the real parts meet."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import openai

from coach import guard, prompts, tokens
from coach.bank import Bank
from coach.courier import Courier
from coach.errors import EmbedderUnavailable, IndexFault, PromptError, SettingsError
from coach.knowledge import groups, signposts
from coach.knowledge import own as collections
from coach.knowledge.embedders import CountedWords, Embedder, Endpoint, MiniLM, Vectors
from coach.knowledge.files import Knowledge, load
from coach.knowledge.groups import Groups
from coach.knowledge.guests import OwnKnowledge
from coach.knowledge.index import build, current, manifest, served, vectors
from coach.knowledge.library import ChromaLibrary
from coach.knowledge.shelf import Progress, Shelf, Shelves, embed_missing, plain, texts
from coach.knowledge.stores import Store
from coach.knowledge.themes import LibraryThemes
from coach.knowledge.where import data_folder
from coach.languages import Lingua
from coach.llm import Llm
from coach.llm.provider import Options, Provider
from coach.llm.request import Budget, Composer, Prices
from coach.memory import Memory
from coach.model import Closing, Engine, Notice
from coach.prepare import GroupNeeds
from coach.prompts import Prompt
from coach.reflect import Answering, Needs
from coach.safety import Safety
from coach.settings import LOOPBACK, Settings
from coach.store import SqlJournal
from coach.store.journal import utc_now
from coach.store.keyring import SqlKeyring
from coach.store.outbox import SqlOutbox
from coach.store.sealing import Sealer
from coach.store.sessions import SqlSessions

OPENAI = "https://api.openai.com/v1"
CONNECTIONS = httpx2.Limits(max_connections=1200, max_keepalive_connections=100)
LEFT = Notice(
    "left-process", "To find guidance, your text was sent to an embeddings endpoint that the operator chose, with names and numbers masked."
)

log = logging.getLogger("coach")


@dataclass(frozen=True)
class Coach:
    """The assembled coach: what a use-case needs, and what an operator asks about it."""

    needs: Needs
    library: ChromaLibrary
    sheets: Groups
    themes: LibraryThemes
    settings: Settings
    in_memory: bool
    plain: bool
    llm: Llm | None = None

    @property
    def groups(self) -> GroupNeeds:
        """What a group's sheet needs."""
        return GroupNeeds(self.needs, self.sheets.protocols, self.sheets.questions, self.sheets.words, self.themes)

    async def health(self) -> dict[str, str]:
        """How each part is: `ok`, or what is done instead."""
        store = await self.library.ready()
        trouble = self.llm.provider.breaker.trouble if self.llm else None
        model = {"model": f"{trouble}: the library answers instead" if trouble else "ok"} if self.llm else {}
        return {
            "knowledge": "ok",
            "guard": "ok" if await asyncio.to_thread(guard.ready) else "judging by its phrases alone",
            "encoder": "counting words instead" if self.plain else "ok",
            "store": "ok" if store else "finding passages in memory instead",
            "index": "kept in memory, could not be written" if self.in_memory else "ok",
            **model,
        }


def assemble(settings: Settings, progress: Progress, own: Path | None = None) -> Coach:
    """Put the parts together, building the index if it is missing or out of date. A failing disk or model does not stop it.

    Where several processes read one index, `own` is the folder for copies.

    Errors: KnowledgeError and PromptError, since these are faults of ours; SettingsError where settings ask for a model and do not say which.
    """
    knowledge = load(data_folder("knowledge"))
    found = prompts.load(data_folder("prompts"))
    shelf, in_memory = _shelf(settings, knowledge, progress)
    shelves = Shelves(shelf)
    notices = (LEFT,) if isinstance(shelf.embedder, Endpoint) else ()
    collections.sweep(settings.data_dir)
    host = urlsplit(settings.chroma).hostname
    elsewhere = None if host in {None, *LOOPBACK} else host
    store = Store(settings.data_dir, own=own, server=partial(served, settings.chroma, shelf) if settings.chroma else None)
    guests = OwnKnowledge(settings.data_dir, shelf.embedder, copies=collections.copies(own) if own else None)
    library = ChromaLibrary(shelves, store, notices, guests, elsewhere)
    where = _SENT if notices else _NUMBERS if elsewhere else "Your words do not leave it."
    bank = Answering(Bank(shelves), _disclosure(found, _CHOOSES.format(where=where)))
    safety = Safety(signposts.load(data_folder("knowledge")))
    needs = Needs(library, bank, Lingua(), safety, country=settings.country or None, closings=closings(knowledge), ideas=settings.ideas == "on")
    sheets = groups.load(data_folder("knowledge"))
    themes = LibraryThemes(shelves, sheets, needs.languages)
    coach = Coach(needs, library, sheets, themes, settings, in_memory, isinstance(shelf.embedder, CountedWords))
    return with_model(coach, settings, found)


def closings(knowledge: Knowledge) -> dict[str, Closing]:
    """The questions that end a conversation, by their text."""
    return {question.text: question.closes for question in knowledge.questions if question.closes}


def remembering(settings: Settings) -> Memory | None:
    """Where things are kept that somebody asked to keep; nothing is opened yet. Raises SettingsError."""
    if settings.store == "off":
        return None
    found = SqlJournal(settings.store, settings.data_dir, Sealer(settings.store_key))
    return Memory(found, SqlSessions(found), utc_now, settings.retention_days, settings.most_retention_days)


def keyring(settings: Settings, memory: Memory | None = None) -> SqlKeyring:
    """Who holds a key. They stand in the database of what is kept; where nothing is kept, in the file of the data folder."""
    journal = memory.journal if memory else None
    return SqlKeyring(journal if isinstance(journal, SqlJournal) else SqlJournal(_file(settings), settings.data_dir, Sealer(settings.store_key)))


def outgoing(settings: Settings, memory: Memory) -> tuple[SqlOutbox, Courier]:
    """What webhooks are to be told, and who brings it there."""
    if not isinstance(memory.journal, SqlJournal):
        raise TypeError(type(memory.journal).__name__)
    return SqlOutbox(memory.journal), Courier(local=settings.webhooks_local == "on")


def _file(settings: Settings) -> str:
    return "" if settings.store == "off" else settings.store


def with_model(coach: Coach, settings: Settings, found: Mapping[str, Prompt]) -> Coach:
    """The same coach with the language model that the settings name, if they name one.

    Errors: PromptError; SettingsError where settings ask for a model and do not say which.
    """
    bank = coach.needs.bank.writer
    llm = _llm(settings, found, bank) if isinstance(bank, Bank) else None
    modelled = Answering(llm, _disclosure(found, _DRAFTS.format(model=llm.model, host=llm.provider.host))) if llm else None
    return replace(coach, needs=replace(coach.needs, model=modelled, engine=Engine(settings.engine)), settings=settings, llm=llm)


_SENT = "To find them, your words are sent to a service that the operator chose, with names and numbers masked."
_NUMBERS = "To find guidance, numbers made from your words are sent to a store that the operator chose, with names and numbers masked before."
_CHOOSES = "It chooses from a fixed library of questions. {where}"
_DRAFTS = (
    "Your words are sent to the language model {model} at {host}, which drafts; names and numbers are masked before. "
    "A program checks every sentence before you see it."
)


def _disclosure(found: Mapping[str, Prompt], engine: str) -> str:
    """What is said before anything else: who answers, and where the words go."""
    if "disclosure" not in found:
        raise PromptError("disclosure", "is not there")
    return found["disclosure"].render({"engine": engine})


def _llm(settings: Settings, found: Mapping[str, Prompt], bank: Bank) -> Llm | None:
    """The Writer over a model, if one is named."""
    if not settings.model:
        if settings.engine == Engine.LLM:
            raise SettingsError("COACH_MODEL", "names no model, and COACH_ENGINE=llm wants one")
        return None
    prices = Prices(settings.price_input, settings.price_cached or settings.price_input, settings.price_output)
    if settings.cost_cap and not settings.price_input:
        raise SettingsError("COACH_COST_CAP", "means nothing without COACH_PRICE_INPUT and COACH_PRICE_OUTPUT")
    options = Options(
        settings.model, settings.temperature, settings.seed, settings.reasoning_effort or None, settings.model_output, settings.model_idle
    )
    budget = Budget(settings.model_window, settings.model_output, prices, settings.cost_cap)
    try:
        composer = Composer(found, budget)
        client = model_client(settings)
    except KeyError as error:
        raise PromptError(str(error.args[0]), "is not there") from None
    except (openai.OpenAIError, ValueError) as error:
        raise SettingsError("COACH_MODEL", f"cannot be asked: {type(error).__name__}; a key or an address is missing or wrong") from None
    tokens.count("")  # loads the vocabulary, for which the first answer would else wait
    return Llm(Provider(client, options), composer, bank, settings.model_deadline, prices)


def model_client(settings: Settings) -> openai.AsyncOpenAI:
    """Openai's client without what it does too eagerly: no retries of its own, no redirect followed (a key would go along)."""
    http = httpx2.AsyncClient(follow_redirects=False, limits=CONNECTIONS, timeout=httpx2.Timeout(settings.model_deadline))
    if settings.azure_endpoint:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=settings.azure_endpoint,
            api_key=settings.azure_api_key or None,
            azure_ad_token=settings.azure_ad_token or None,
            api_version=settings.azure_api_version or None,
            max_retries=0,
            http_client=http,
        )
    key = settings.openai_api_key or ("none" if settings.openai_base_url else None)
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=settings.openai_base_url or OPENAI,
        organization=settings.openai_organization or None,
        project=settings.openai_project or None,
        max_retries=0,
        http_client=http,
    )


def embedder(settings: Settings) -> Embedder:
    """The embedder that the settings ask for. Raises EmbedderUnavailable."""
    if settings.embedder == "local":
        return MiniLM(threads=settings.threads)
    try:
        client = openai.OpenAI(
            api_key=settings.embedding_api_key or None, base_url=settings.embedding_base_url or OPENAI, timeout=10.0, max_retries=1
        )
    except openai.OpenAIError as error:
        raise EmbedderUnavailable("endpoint", type(error).__name__) from None
    return Endpoint(client, settings.embedding_model, settings.embedding_dimensions)


def _shelf(settings: Settings, knowledge: Knowledge, progress: Progress) -> tuple[Shelf, bool]:
    """The library as vectors: from the index, else built now, else made in memory, else counted words. And whether it is only in memory."""
    try:
        chosen = embedder(settings)
    except EmbedderUnavailable as error:
        log.warning("the encoder is not available: %s", error)
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
            log.warning("the encoder is not available: %s", error)
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
