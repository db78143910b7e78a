"""What Alembic runs: the migrations, on the connection that `store.migrate` hands over."""

from alembic import context

from posthouse.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
