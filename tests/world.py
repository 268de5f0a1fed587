"""The whole control plane in one process: real door, engine and records over fake machines and guests."""

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oslo_config import cfg
from sqlalchemy import event

from instar.client import Client
from instar.control import settings, wiring
from instar.control.engine.worker import Worker
from instar.control.guests.fake import FakeGuests
from instar.control.providers.fake import FakeProvider
from instar.control.store import schema
from instar.control.store.session import Store
from instar.control.store.tables import Instance, Operation
from instar.wire.agent import Manifest
from instar.wire.states import OperationState
from waiting import until
from wsgi_transport import client_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


_HURRY = "PRAGMA synchronous=OFF"
"""Scenarios survive everything but a power cut of the machine that tests them."""


@dataclass
class World:
    """A control plane with its machines; the client speaks to the door in memory."""

    house: wiring.House
    provider: FakeProvider
    guests: FakeGuests
    worker: Worker
    door: "WSGIApplication"
    client: Client

    def instance(self, instance_id: str) -> Instance:
        """Read an instance's row."""
        with self.house.store.read() as session:
            return session.get_one(Instance, instance_id)

    def create(self, name: str = "demo", version: str = "17.10") -> str:
        """Create an instance through the front door and wait until it serves."""
        made = self.client.instances.create(
            name,
            flavor="1",
            volume_size=1,
            datastore="postgresql",
            version=version,
            databases=["shop"],
        )
        self.settle()
        return made.id

    def settle(self) -> None:
        """Wait until no operation is open."""

        def idle() -> bool:
            with self.house.store.read() as session:
                return session.query(Operation).where(Operation.state == OperationState.OPEN).count() == 0

        until(idle)


@pytest.fixture
def conf(tmp_path: Path) -> cfg.ConfigOpts:
    """A configuration of its own for each test."""
    overrides = {
        "state_dir": str(tmp_path / "state"),
        "provider": "fake",
        "worker.poll": 0.02,
        "guests.limit": 0.1,
    }
    return settings.load([], overrides)


@pytest.fixture
def world(conf: cfg.ConfigOpts) -> Iterator[World]:
    """A control plane with images of PostgreSQL 16.9, 17.10, 17.11 and 18.6."""
    provider, guests = FakeProvider(), FakeGuests()
    for version in ("16.9", "17.10", "17.11", "18.6"):
        provider.add_image(manifest(version))
    provider.on_boot = lambda name, image, files: guests.boot(
        name.removeprefix("instar-"), image, provider.image(image).manifest
    )
    provider.on_stop = lambda name: guests.halt(name.removeprefix("instar-"))
    records = Path(conf.state_dir) / "instar.db"
    records.parent.mkdir()
    records.write_bytes(_blank_records())
    house = wiring.build(conf, provider)
    event.listen(house.store.engine, "connect", lambda connection, _: connection.execute(_HURRY))
    wiring.register_images(house)
    worker = wiring.make_worker(house, guests)
    door = wiring.make_door(house, worker.wake)
    token = next(iter(wiring.local_tokens(conf)))
    worker.start()
    yield World(house, provider, guests, worker, door, client_of(door, conf.api.project, token))
    worker.stop()
    house.store.close()


@functools.cache
def _blank_records() -> bytes:
    """The file of a migrated, empty record store: made once, as it takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/records.db")
        schema.upgrade(store)
        store.close()
        return (Path(folder) / "records.db").read_bytes()


def manifest(version: str, agent: str = "1.0") -> Manifest:
    """Describe an image of PostgreSQL."""
    return Manifest(
        recipe=f"postgresql-{version}",
        datastore="postgresql",
        manager="postgresql",
        engine_version=version,
        version_name=version,
        agent_version=agent,
    )
