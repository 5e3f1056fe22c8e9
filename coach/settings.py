"""Every setting: an environment variable, its default, and what it does. Nothing else of ours reads the environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coach.errors import SettingsError

CLIENT_URL, CLIENT_KEY = "COACH_URL", "COACH_KEY"  # what coach.client reads where it is told to; the service passes over both
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})  # this machine, to itself


def _setting(variable: str, default: Any, read: Callable[[str], Any], explain: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"variable": variable, "read": read, "explain": explain})


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"wants a whole number from {low} to {high}")
        return number

    return read


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        number = float(value)
        if not low <= number <= high:
            raise ValueError(f"wants a number from {low:g} to {high:g}")
        return number

    return read


def _perhaps(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Empty means: not set."""
    return lambda value: read(value) if value else None


def _country(value: str) -> str:
    if value and not (len(value) == len("GB") and value.isascii() and value.isalpha() and value.isupper()):
        raise ValueError("wants two capital letters, such as GB")
    return value


def _redis(value: str) -> str:
    if value and not value.startswith(("redis://", "rediss://", "valkey://", "valkeys://")):
        raise ValueError("wants an address such as redis://127.0.0.1:6379/0")
    return value.replace("valkey", "redis", 1)


def _publishable(value: str) -> str:
    if value and not value.startswith("pk_"):
        raise ValueError("wants a publishable key, which begins with pk_: everybody can read it in the page")
    return value


def _address(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None):
        raise ValueError("wants an address, such as http://127.0.0.1:4318, without a name or password in it")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"can be {' or '.join(choices)}")
        return value

    return read


@dataclass(frozen=True)
class Settings:
    """What an operator may set."""

    data_dir: Path = _setting(
        "COACH_DATA_DIR",
        Path(".data"),
        Path,
        "The one folder in which anything is written: the index, which `coach index` makes again, documents of your own in it (`index/own`), "
        "and what people asked to keep, which nothing does.",
    )
    store: str = _setting(
        "COACH_STORE",
        "",
        str,
        "Where reflections are kept that somebody asked to keep: empty for a file in the data folder, `off` for nowhere, "
        "or postgresql://user:password@host/database. Never shown.",
        secret=True,
    )
    store_key: str = _setting(
        "COACH_STORE_KEY",
        "",
        str,
        "Encrypts kept texts: 32 random bytes in base64; several between commas, the newest first, while `coach reseal` was not run. Never shown.",
        secret=True,
    )
    retention_days: int = _setting("COACH_RETENTION_DAYS", 30, _whole(1, 3650), "How long reflections are kept where the request does not say.")
    most_retention_days: int = _setting("COACH_MOST_RETENTION_DAYS", 365, _whole(1, 3650), "The longest that a request may ask for.")
    host: str = _setting("COACH_HOST", "127.0.0.1", str, "The address to listen on. While nobody holds a key it is this machine's own all the same.")
    hosts: str = _setting(
        "COACH_HOSTS", "", str, "Names this service answers to, between commas; empty: this machine's own while it listens to itself alone, else any."
    )
    proxies: str = _setting(
        "COACH_PROXIES",
        "",
        str,
        "Addresses or networks of proxies in front of this service, between commas: only theirs is believed when they say for whom they ask.",
    )
    rate: int = _setting("COACH_RATE", 120, _whole(1, 1_000_000), "Requests a minute for each key that does not say otherwise.")
    address_rate: int = _setting("COACH_ADDRESS_RATE", 600, _whole(1, 1_000_000), "Requests a minute from one address, with whatever keys.")
    tokens_a_day: int = _setting(
        "COACH_TOKENS_A_DAY",
        0,
        _whole(0, 1_000_000_000),
        "The model's tokens a day (UTC) for each key that does not say otherwise; then the library answers. 0 for no bound.",
    )
    redis: str = _setting(
        "COACH_REDIS",
        "",
        _redis,
        "Where several processes count together and remember answers to replay: redis://host:port/0 (Redis or Valkey); "
        "empty for this process's memory. Never shown.",
        secret=True,
    )
    page_key: str = _setting(
        "COACH_PAGE_KEY",
        "",
        _publishable,
        "The publishable key (`coach keys create --publishable`) that this service's own pages use once keys are given out.",
    )
    origins: str = _setting("COACH_ORIGINS", "", str, "Origins whose pages may call this service, between commas, such as https://intranet.example.")
    operator: str = _setting("COACH_OPERATOR", "", str, "Who runs this service, for the page /about.")
    contact: str = _setting("COACH_CONTACT", "", str, "How to reach them.")
    port: int = _setting("COACH_PORT", 8000, _whole(0, 65535), "The port to listen on; 0 takes a free one.")
    ideas: str = _setting(
        "COACH_IDEAS", "on", _one_of("on", "off"), "Whether passages of the library are shown, quoted and attributed, to who asks for ideas."
    )
    embedder: str = _setting(
        "COACH_EMBEDDER",
        "local",
        _one_of("local", "endpoint"),
        "`local` reads write-ups in this process. `endpoint` sends them to an OpenAI-compatible embeddings endpoint, masked, "
        "and every answer says so.",
    )
    embedding_model: str = _setting("COACH_EMBEDDING_MODEL", "text-embedding-3-small", str, "The model to ask for at the endpoint.")
    embedding_dimensions: int = _setting("COACH_EMBEDDING_DIMENSIONS", 1536, _whole(2, 8192), "How many numbers a vector of that model has.")
    embedding_base_url: str = _setting("COACH_EMBEDDING_BASE_URL", "", str, "The endpoint's address; empty for OpenAI's own.")
    embedding_api_key: str = _setting("COACH_EMBEDDING_API_KEY", "", str, "The endpoint's key. Never shown.", secret=True)
    country: str = _setting("COACH_COUNTRY", "", _country, "ISO 3166 code of the country whose help lines are shown where a request names none.")
    threads: int = _setting("COACH_THREADS", 2, _whole(1, 64), "How many threads read write-ups; as many as there are cores is enough.")

    engine: str = _setting(
        "COACH_ENGINE",
        "auto",
        _one_of("auto", "bank", "llm"),
        "Who drafts unless a request says: `auto` is the language model if COACH_MODEL names one, else the library (`bank`).",
    )
    model: str = _setting(
        "COACH_MODEL", "", str, "The language model that drafts; at Azure the deployment. Empty: none, and nothing leaves this process."
    )
    openai_api_key: str = _setting("OPENAI_API_KEY", "", str, "The key for the model. A server of your own may need none. Never shown.", secret=True)
    openai_base_url: str = _setting("OPENAI_BASE_URL", "", str, "The address of any server that speaks Chat Completions; empty for OpenAI's own.")
    openai_organization: str = _setting("OPENAI_ORG_ID", "", str, "Your organisation at OpenAI.")
    openai_project: str = _setting("OPENAI_PROJECT_ID", "", str, "Your project at OpenAI.")
    azure_endpoint: str = _setting("AZURE_OPENAI_ENDPOINT", "", str, "The address of your Azure OpenAI resource; set, it is used instead of OpenAI.")
    azure_api_key: str = _setting("AZURE_OPENAI_API_KEY", "", str, "Its key. Never shown.", secret=True)
    azure_ad_token: str = _setting("AZURE_OPENAI_AD_TOKEN", "", str, "Or a Microsoft Entra token. Never shown.", secret=True)
    azure_api_version: str = _setting("OPENAI_API_VERSION", "", str, "The version of Azure's API, such as 2024-10-21.")
    temperature: float | None = _setting("COACH_TEMPERATURE", None, _perhaps(_number(0, 2)), "Of the model; not sent unless set.")
    seed: int | None = _setting("COACH_SEED", None, _perhaps(_whole(0, 2**31 - 1)), "Of the model; not sent unless set.")
    reasoning_effort: str = _setting(
        "COACH_REASONING_EFFORT", "", _one_of("", "none", "minimal", "low", "medium", "high"), "Of a model that reasons; not sent unless set."
    )
    model_deadline: float = _setting("COACH_MODEL_DEADLINE", 25.0, _number(1, 300), "Seconds for the model in all; then the library answers.")
    model_idle: float = _setting("COACH_MODEL_IDLE", 10.0, _number(0.5, 300), "Seconds without a word from the model before it is given up.")
    model_window: int = _setting("COACH_MODEL_WINDOW", 32_000, _whole(512, 10_000_000), "Tokens that the model can take, in and out.")
    model_output: int = _setting("COACH_MODEL_OUTPUT", 1200, _whole(64, 100_000), "Tokens that it may write; more for one that reasons.")
    price_input: float = _setting("COACH_PRICE_INPUT", 0.0, _number(0, 1e6), "Price of a million tokens sent, in your currency.")
    price_cached: float = _setting("COACH_PRICE_CACHED", 0.0, _number(0, 1e6), "Price of a million tokens sent that the provider had cached.")
    price_output: float = _setting("COACH_PRICE_OUTPUT", 0.0, _number(0, 1e6), "Price of a million tokens written.")
    cost_cap: float = _setting("COACH_COST_CAP", 0.0, _number(0, 1e6), "The most that one call may cost; 0 for no cap. It needs the prices.")
    most_waiting: int = _setting(
        "COACH_MOST_WAITING",
        16,
        _whole(1, 10_000),
        "Write-ups that may wait to be read if they come at once. Beyond, or while the queue does not shorten, others get 503 with Retry-After.",
    )
    most_open: int = _setting("COACH_MOST_OPEN", 1200, _whole(1, 100_000), "Answers that may be under way at once; then the same.")
    workers: int = _setting(
        "COACH_WORKERS", 1, _whole(1, 64), "How many processes answer. The bounds above and the memory are those of each; COACH_THREADS too."
    )
    shutdown: float = _setting(
        "COACH_SHUTDOWN", 20.0, _number(0, 600), "Seconds for answers under way when the service is stopped; what is not done then says so and ends."
    )
    log: str = _setting(
        "COACH_LOG", "text", _one_of("text", "json", "off"), "What is written to standard error: lines for people, JSON lines, or nothing."
    )
    metrics: str = _setting(
        "COACH_METRICS",
        "on",
        _one_of("on", "any", "off"),
        "Whether /metrics tells counts and durations: `on` to this machine, `any` to whoever reaches the port, `off` to nobody.",
    )
    chroma: str = _setting(
        "COACH_CHROMA", "", _address, "The address of a Chroma server (`chroma run`) that holds the passages; empty: Chroma within this process."
    )
    webhooks_local: str = _setting(
        "COACH_WEBHOOKS_LOCAL", "off", _one_of("on", "off"), "Whether webhooks may lead to this machine, by http too: for trying, not for others."
    )
    traces: str = _setting(
        "COACH_TRACES",
        "",
        _address,
        "Where OpenTelemetry spans go, as OTLP over HTTP: the address of a collector, such as http://127.0.0.1:4318. Empty: none are made.",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read COACH_* variables. Raises SettingsError for a value that means nothing and for a COACH_ variable that does not exist."""
        known = {item.metadata["variable"]: item for item in fields(cls)}
        for variable in environ:
            if variable.startswith("COACH_") and variable not in {*known, CLIENT_URL, CLIENT_KEY}:
                raise SettingsError(variable, "is not a setting; `coach settings` lists them all")
        return cls(
            **{item.name: _read(item.metadata["read"], variable, environ[variable]) for variable, item in known.items() if variable in environ}
        )


def _read(read: Callable[[str], Any], variable: str, value: str) -> Any:
    try:
        return read(value)
    except ValueError as error:
        detail = str(error)
        raise SettingsError(variable, detail if "wants" in detail or "can be" in detail else f"{value!r} is not a number") from None


def explained(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value in force, what it does) of each setting; a key is not shown."""
    rows = []
    for item in fields(settings):
        value = str(getattr(settings, item.name))
        shown = value if item.repr else ("set" if value else "not set")
        rows.append((item.metadata["variable"], shown, item.metadata["explain"]))
    return rows
