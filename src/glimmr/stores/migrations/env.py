"""Alembic's way in: it works on the connection `stores.database.migrate` gives, inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
