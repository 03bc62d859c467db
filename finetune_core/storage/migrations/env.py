"""Alembic's entry: runs the scripts on the connection that `migrations.upgrade` holds."""

from alembic import context

from finetune_core.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
