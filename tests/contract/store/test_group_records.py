"""Catalogues and configuration groups on every record store."""

import threading
from collections.abc import Iterator

import pytest

from instar.control.catalog import catalogues, parameters, register
from instar.control.store import configurations, schema
from instar.control.store.session import Store
from instar.control.store.tables import Configuration, DatastoreVersion
from instar.wire.ids import new_id
from world import catalogue, manifest


@pytest.fixture
def store(record_store_url: str) -> Iterator[Store]:
    """A store with one version registered."""
    made = Store(record_store_url)
    schema.upgrade(made)
    with made.begin() as session:
        register.register_image(session, "image", manifest("17.10"))
    yield made
    made.close()


def version_of(store: Store) -> DatastoreVersion:
    with store.read() as session:
        return session.query(DatastoreVersion).one()


def test_workers_that_read_a_catalogue_at_once_end_with_one(store: Store) -> None:
    version_id, told = version_of(store).id, catalogue("17.10")
    meet = threading.Barrier(3)
    news: list[bool] = []

    def tell(image: str) -> list[parameters.Parameter]:
        meet.wait(30)
        return told

    def read() -> None:
        news.append(catalogues.refresh(store, version_id, "image", tell))

    workers = [threading.Thread(target=read) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(news) == [False, False, True]
    with store.read() as session:
        assert catalogues.missing(session) == []
        found = parameters.read(session, version_id)
    assert sorted(found, key=lambda each: each.name) == sorted(told, key=lambda each: each.name)


def test_groups_keep_their_values_and_are_found_again(store: Store) -> None:
    version = version_of(store)
    values = {"work_mem": "64MB", "jit": False, "random_page_cost": 1.1, "max_connections": 2**40}
    with store.begin() as session:
        now = store.now(session)
        group = Configuration(
            id=new_id(),
            project="acme",
            name="web",
            version_id=version.id,
            settings=values,
            created=now,
            updated=now,
        )
        session.add(group)
    with store.begin() as session:
        found = configurations.find(session, group.id, "acme", lock=True)
        assert found is not None
        assert found.settings == values
        assert configurations.find(session, group.id, "rival") is None
        target = session.get_one(DatastoreVersion, version.id)
        twin = configurations.for_version(session, found, target, {"jit": True}, now)
    with store.begin() as session:
        found = configurations.find(session, group.id, "acme")
        target = session.get_one(DatastoreVersion, version.id)
        assert found is not None
        assert configurations.for_version(session, found, target, {"jit": True}, now + 1).id == twin.id
        assert configurations.count_of_version(session, version.id) == 2
        configurations.delete(session, found)
    with store.read() as session:
        assert [each.id for each in configurations.page(session, "acme", 9, None)] == [twin.id]
