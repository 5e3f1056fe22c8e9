"""Journal over SQL: what people asked to keep, in SQLite or PostgreSQL."""

from coach.store.journal import SqlJournal

__all__ = ["SqlJournal"]
