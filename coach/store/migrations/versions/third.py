"""Keys with scopes, origins, an end and limits; several secrets may go by one name while it is rotated."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BEFORE = sa.table("keys", sa.column("name", sa.Text), sa.column("digest", sa.LargeBinary), sa.column("created", sa.BigInteger))


def upgrade() -> None:
    """Make the table; the keys of before may do what they could."""
    made = op.create_table(
        "keyring",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("rules", sa.LargeBinary, nullable=False),
    )
    op.create_index("keyring_by_name", "keyring", ["name"])
    for row in op.get_bind().execute(sa.select(_BEFORE)).all():
        rules = {
            "name": row.name,
            "created": datetime.fromtimestamp(row.created / 1000, UTC).isoformat(),
            "scopes": ["reflect", "sessions", "checks"],
        }
        op.get_bind().execute(made.insert().values(digest=row.digest, name=row.name, created=row.created, rules=json.dumps(rules).encode()))
    op.drop_table("keys")


def downgrade() -> None:
    """Back to names alone: of each name the newest secret."""
    op.create_table(
        "keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    held = sa.table("keyring", sa.column("name", sa.Text), sa.column("digest", sa.LargeBinary), sa.column("created", sa.BigInteger))
    newest = {row.name: row for row in op.get_bind().execute(sa.select(held).order_by(held.c.created)).all()}
    for row in newest.values():
        op.get_bind().execute(_BEFORE.insert().values(name=row.name, digest=row.digest, created=row.created))
    op.drop_table("keyring")
