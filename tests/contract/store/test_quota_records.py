"""Quotas on every record store: limits are kept, and two requests at once don't both find the last room."""

import threading
from concurrent.futures import ThreadPoolExecutor

from cryptography.fernet import Fernet

from instar.control.operations import quotas
from instar.control.operations.desk import Desk
from instar.control.providers.base import Abilities
from instar.control.store import schema
from instar.control.store.sealing import Sealer
from instar.control.store.session import Store
from instar.control.store.tables import Datastore, DatastoreVersion, Instance
from instar.wire.errors import OverLimit
from instar.wire.ids import new_id


def test_limits_are_kept_and_two_at_once_get_one_place(record_store_url: str) -> None:
    store = Store(record_store_url)
    schema.upgrade(store)
    desk = Desk(store, Sealer(Fernet.generate_key()), lambda: [], Abilities(), lambda tags: None)
    with store.begin() as session:
        session.add(Datastore(id="ds", name="postgresql", created=0.0))
        session.flush()
        session.add(version())
        for most in (5, 3):
            quotas.put(session, desk, "acme", {"instances": most})
    both = threading.Barrier(6)

    def create(_number: int) -> bool:
        both.wait(10)
        try:
            with store.begin() as session:
                quotas.refuse_beyond(session, desk, "acme", {"instances": 1})
                session.add(instance())
        except OverLimit:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(create, range(6)))
    assert sum(made) == 3
    with store.read() as session:
        told = {each.resource: each for each in quotas.usage(session, desk, "acme")}
        assert (told["instances"].in_use, told["instances"].limit, told["volumes"].in_use) == (3, 3, 6)
        assert quotas.usage(session, desk, "rival")[1].in_use == 0
    store.close()


def version() -> DatastoreVersion:
    return DatastoreVersion(
        id="v",
        datastore_id="ds",
        name="18.6",
        number="18.6",
        manager="postgresql",
        image_tags=[],
        packages=[],
        active=True,
        created=0.0,
    )


def instance() -> Instance:
    return Instance(
        id=new_id(),
        project="acme",
        name="db",
        version_id="v",
        flavor_id="1",
        volume_size=2,
        status="BUILD",
        next_check=0.0,
        created=0.0,
        updated=0.0,
    )
