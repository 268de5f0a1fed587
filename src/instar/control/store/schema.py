"""The schema's version: migrations up and down, and a check that the store has the one we need."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from instar.control.store.session import Store
from instar.wire.errors import InstarError


def upgrade(store: Store, revision: str = "head") -> None:
    """Bring the schema up to a revision; repeatable."""
    _run(store, command.upgrade, revision)


def downgrade(store: Store, revision: str = "base") -> None:
    """Take the schema back to a revision; what only newer ones can hold is lost."""
    _run(store, command.downgrade, revision)


def current(store: Store) -> str | None:
    """Tell the revision of the store's schema, None for an empty store."""
    with store.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Tell the revision that this release needs."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def require_current(store: Store) -> None:
    """Raise InstarError unless the schema is the one that this release needs."""
    seen, needed = current(store), head()
    if seen != needed:
        raise InstarError(
            "The record store's schema is not the one that this release needs",
            seen=f"the store has {seen or 'none'}, needed is {needed}",
            remedy="Run `instar db upgrade` with the same configuration.",
        )


def make_revision(store: Store, message: str) -> None:
    """Write a new migration from the difference between the tables and the store (for developers)."""
    _run(store, lambda config, text: command.revision(config, text, autogenerate=True), message)


def _run(store: Store, act: Any, argument: str) -> None:
    with store.engine.connect() as connection:
        act(_config(connection), argument)
        connection.commit()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
