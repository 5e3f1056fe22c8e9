"""Brings the tables up to date. Imported only when they are not: Alembic takes a tenth of a second to load."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from coach.errors import JournalUnavailable

FOLDER = Path(__file__).parent / "migrations"


def config() -> Config:
    """Alembic's, without a file."""
    found = Config()
    found.set_main_option("script_location", str(FOLDER))
    return found


def head() -> str | None:
    """The last step."""
    return ScriptDirectory.from_config(config()).get_current_head()


def upgrade(connection: Connection) -> tuple[str | None, str | None]:
    """Take every step that is missing, in the transaction of `connection`; from where to where.

    Raises JournalUnavailable where the tables are of a later Coach.
    """
    before = MigrationContext.configure(connection).get_current_revision()
    settings = config()
    settings.attributes["connection"] = connection
    try:
        command.upgrade(settings, "head")
    except CommandError:
        raise JournalUnavailable(f"its tables are of step {before}, which this version does not know") from None
    return before, head()
