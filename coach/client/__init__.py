"""The way in for programs in Python: `AsyncClient` and `Client`, with what they send, bring and raise."""

from coach.client.asynchronous import AsyncClient
from coach.client.calls import Media, Paper
from coach.client.errors import ClientError
from coach.client.retrying import Retries
from coach.client.synchronous import Client
from coach.model import About, Engine, Fallback, Form, Move, Perspective, Skill
from coach.sheets import Matter, Trust
from coach.wire.checks import CheckRequest
from coach.wire.kept import ReplyRequest, SummaryRequest
from coach.wire.library import DocumentIn, SectionIn, SourceIn
from coach.wire.reflections import (
    AcknowledgementOut,
    AskedOut,
    ClosedOut,
    EventOut,
    ExchangeIn,
    FailedOut,
    NoticeOut,
    OfferedOut,
    OpenedOut,
    ReflectionAnswer,
    ReflectionRequest,
    ReportRequest,
    SignpostOut,
)
from coach.wire.sessions import FileRequest, Follows, HandIn, InvitedIn, SessionRequest
from coach.wire.sheets import MemberIn, SheetRequest

__all__ = [
    "About",
    "AcknowledgementOut",
    "AskedOut",
    "AsyncClient",
    "CheckRequest",
    "Client",
    "ClientError",
    "ClosedOut",
    "DocumentIn",
    "Engine",
    "EventOut",
    "ExchangeIn",
    "FailedOut",
    "Fallback",
    "FileRequest",
    "Follows",
    "Form",
    "HandIn",
    "InvitedIn",
    "Matter",
    "Media",
    "MemberIn",
    "Move",
    "NoticeOut",
    "OfferedOut",
    "OpenedOut",
    "Paper",
    "Perspective",
    "ReflectionAnswer",
    "ReflectionRequest",
    "ReplyRequest",
    "ReportRequest",
    "Retries",
    "SectionIn",
    "SessionRequest",
    "SheetRequest",
    "SignpostOut",
    "Skill",
    "SourceIn",
    "SummaryRequest",
    "Trust",
]
