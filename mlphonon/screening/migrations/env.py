"""Run by Alembic, on the connection that `mlphonon.screening.migrations.upgrade` gives it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
