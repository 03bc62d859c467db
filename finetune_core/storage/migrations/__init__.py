"""Brings a database to the newest schema when it is opened; alembic's scripts lie in `versions/`."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from finetune_core.errors import StorageError

HEAD = "0004"


def upgrade(engine: Engine) -> None:
    """Run what is missing, one process at a time. Raises StorageError for a database of a newer Ayar."""
    with engine.connect() as connection:
        if inspect(connection).has_table("alembic_version"):
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            if found == HEAD:
                return  # the usual case, kept free of alembic's import
            if found is not None and found > HEAD:
                raise StorageError(
                    f"This database has schema {found}; this Ayar knows schemas up to {HEAD}.",
                    hint="Update Ayar, or set AYAR_HOME to a new folder.",
                )
        _run_scripts(engine)


def _run_scripts(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # a second process waits here, then finds nothing to do
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.in_transaction():
            connection.exec_driver_sql("COMMIT")
