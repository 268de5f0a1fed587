"""Whose turn it is to be asked, on every record store and with several workers."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from instar.control.catalog import register
from instar.control.guests.fake import FakeGuests
from instar.control.guests.presence import BATCH, Presence
from instar.control.store import schema
from instar.control.store.session import Store
from instar.control.store.tables import DatastoreVersion, Instance
from waiting import until
from world import manifest

MANY = 2 * BATCH + 20


@pytest.fixture
def stores(record_store_url: str) -> Iterator[list[Store]]:
    """A record store, opened by four workers, with instances that are all due: the last one longest."""
    opened = [Store(record_store_url) for _ in range(4)]
    schema.upgrade(opened[0])
    with opened[0].begin() as session:
        version = register.register_image(session, "image", manifest("17.10"))
        assert version
        session.flush()
        session.add_all(instance(number, version.id) for number in range(MANY))
        session.add(instance(MANY, version.id, deleted=True))
        session.add(instance(MANY + 1, version.id, status="UPGRADE"))
    yield opened
    for store in opened:
        store.close()


def instance(number: int, version_id: str, **more: Any) -> Instance:
    settled = {"status": "ACTIVE", "volume_size": 1, "flavor_id": "1", "created": 1.0, "updated": 1.0}
    names = {"id": f"i-{number:03}", "project": "p", "name": f"db-{number}", "version_id": version_id}
    return Instance(**{**settled, **names, "next_check": float(MANY - number), **more})


def test_workers_that_look_at_once_share_what_is_due(stores: list[Store]) -> None:
    meet = threading.Barrier(len(stores))
    taken: list[str] = []

    def look(store: Store) -> None:
        presence = Presence(store, FakeGuests())
        meet.wait(30)
        while claimed := presence.claim():
            taken.extend(each.id for each in claimed)

    workers = [threading.Thread(target=look, args=(store,)) for store in stores]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken) == [f"i-{number:03}" for number in range(MANY)]


def test_the_longest_due_are_asked_first(stores: list[Store]) -> None:
    presence = Presence(stores[0], FakeGuests())
    for begun in (MANY - BATCH, MANY - 2 * BATCH):
        wanted = [f"i-{number:03}" for number in range(begun, begun + BATCH)]
        assert sorted(each.id for each in presence.claim()) == wanted


@pytest.mark.parametrize("record_store_url", ["postgresql", "mariadb"], indirect=True)
def test_what_one_guest_says_is_written_while_another_transaction_has_its_version(
    stores: list[Store],
) -> None:
    presence = Presence(stores[0], FakeGuests(), limit=0.0)
    with stores[1].begin() as session:
        session.execute(select(DatastoreVersion).with_for_update()).all()
        presence.start()
        try:
            until(lambda: told(stores[2]) == MANY)
        finally:
            presence.stop()


def told(store: Store) -> int:
    """Count the instances whose guests were found silent."""
    with store.read() as session:
        return len(session.execute(select(Instance.id).where(Instance.service_status == "ERROR")).all())
