"""What Alembic runs: on the connection it is handed, inside the transaction that is open there."""

from alembic import context

from coach.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
