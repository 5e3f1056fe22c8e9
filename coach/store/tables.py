"""The tables. Texts are in `body` and nowhere else; times are milliseconds since 1970, in UTC."""

import sqlalchemy as sa

HEAD = "0004"  # the last of migrations/versions

metadata = sa.MetaData()

reflections = sa.Table(
    "reflections",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text),
    sa.Column("token", sa.LargeBinary, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("reflections_by_owner", "owner", "id"),
    sa.Index("reflections_by_expiry", "expires"),
)

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("reflection", sa.Text, sa.ForeignKey("reflections.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

keyring = sa.Table(
    "keyring",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger),
    sa.Column("rules", sa.LargeBinary, nullable=False),
    sa.Index("keyring_by_name", "name"),
)

state = sa.Table(
    "state",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text),
    sa.Column("host", sa.LargeBinary, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("sheet", sa.LargeBinary, nullable=False),
    sa.Index("sessions_by_owner", "owner", "id"),
    sa.Index("sessions_by_expiry", "expires"),
)

seats = sa.Table(
    "seats",
    metadata,
    sa.Column("session", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("token", sa.LargeBinary, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("page", sa.LargeBinary, nullable=False),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("topics", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("failing", sa.BigInteger),
    sa.Column("disabled", sa.BigInteger),
    sa.Column("trouble", sa.Text, nullable=False),
    sa.Index("webhooks_by_owner", "owner"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("webhook", sa.Text, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("session", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    sa.Column("due", sa.BigInteger, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("told", sa.LargeBinary, nullable=False),
    sa.Index("outbox_by_due", "due"),
    sa.Index("outbox_by_session", "session"),
    sa.Index("outbox_by_webhook", "webhook"),
)
