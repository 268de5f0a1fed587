"""The schema on every record store: up, down, up again, and the same as the tables say."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from instar.control.store import schema
from instar.control.store.session import Store
from instar.control.store.tables import Base, Datastore, DatastoreVersion
from instar.wire.errors import InstarError


def test_migrations_make_what_the_tables_say_and_can_be_taken_back(record_store_url: str) -> None:
    store = Store(record_store_url)
    with pytest.raises(InstarError, match="instar db upgrade"):
        schema.require_current(store)
    schema.upgrade(store)
    schema.upgrade(store)
    schema.require_current(store)
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    schema.downgrade(store)
    assert schema.current(store) is None
    schema.upgrade(store)
    assert schema.current(store) == schema.head()
    store.close()


def test_a_version_that_had_an_image_and_tags_keeps_the_image(record_store_url: str) -> None:
    store = Store(record_store_url)
    schema.upgrade(store, "0003")
    kept = {"both": ("sha256:a", ["x"]), "tags": (None, ["x"])}
    with store.begin() as session:
        session.add(Datastore(id="d", name="postgresql", created=0.0))
        for name, (image, tags) in kept.items():
            session.add(
                DatastoreVersion(
                    id=name, datastore_id="d", name=name, number="17", manager="postgresql", image=image,
                    image_tags=tags, packages=[], active=True, created=0.0,
                )
            )  # fmt: skip
    schema.upgrade(store)
    with store.read() as session:
        found = {row.id: (row.image, row.image_tags) for row in session.query(DatastoreVersion)}
    assert found == {"both": ("sha256:a", []), "tags": (None, ["x"])}
    store.close()


def test_the_stores_clock_has_fractions_and_goes_on(record_store_url: str) -> None:
    store = Store(record_store_url)
    with store.begin() as session:
        first, second = store.now(session), store.now(session)
    assert second >= first
    assert first > 1.7e9
    store.ping()
    store.close()
