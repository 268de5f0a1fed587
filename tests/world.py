"""The whole control plane in one process: real door, engine and records over fake machines and guests."""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oslo_config import cfg
from sqlalchemy import event, select

from instar.client import Client
from instar.control import settings, wiring
from instar.control.engine.worker import Worker
from instar.control.guests.fake import FakeGuests
from instar.control.guests.fake_outages import FakeOutages
from instar.control.operations import close_undo
from instar.control.providers.fake import FakeProvider
from instar.control.store import schema
from instar.control.store.session import Store
from instar.control.store.tables import Instance, Operation
from instar.wire.agent import Manifest, Parameter
from instar.wire.states import OperationState
from waiting import until
from wsgi_transport import client_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


_AN_OPEN_ONE = select(Operation.id).where(Operation.state == OperationState.OPEN).limit(1)
_HURRY = "PRAGMA synchronous=OFF"
"""Scenarios survive everything but a power cut of the machine that tests them."""


@dataclass
class World:
    """A control plane with its machines; the client speaks to the door in memory."""

    house: wiring.House
    provider: FakeProvider
    guests: FakeGuests
    outages: FakeOutages
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

    def close_windows(self) -> int:
        """Close the undo windows whose time is over, as the periodic look does; gives how many."""
        closed = close_undo.close_due(self.house.store)
        self.worker.wake()
        return closed

    def settle(self) -> None:
        """Wait until no operation is open."""

        def idle() -> bool:
            with self.house.store.look() as connection:
                return connection.execute(_AN_OPEN_ONE).first() is None

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
    provider, guests = machines()
    house = replace(wiring.build(conf, provider), store=_store())
    records = Path(house.store.url.database or "")
    for old in records.parent.iterdir():  # its journals, too, if there still are any
        old.unlink()
    records.write_bytes(_first_records())
    outages = FakeOutages(lambda address: serves(house.store, guests, address))
    worker = wiring.make_worker(house, guests, outages)
    door = wiring.make_door(house, worker.wake)
    token = next(iter(wiring.local_tokens(conf)))
    worker.start()
    yield World(house, provider, guests, outages, worker, door, client_of(door, conf.api.project, token))
    worker.stop()
    house.store.close()


@functools.cache
def _store() -> Store:
    """The store of all worlds, one after the other: its engine remembers how statements are compiled."""
    folder = tempfile.mkdtemp(prefix="instar-world-")
    atexit.register(shutil.rmtree, folder)
    store = Store(f"sqlite:///{folder}/records.db")
    event.listen(store.engine, "connect", lambda connection, _: connection.execute(_HURRY))
    return store


def machines() -> tuple[FakeProvider, FakeGuests]:
    """Make a fake provider with its images, and fake guests that follow its servers."""
    provider, guests = FakeProvider(), FakeGuests()
    for version in ("16.9", "17.10", "17.11", "18.6"):
        provider.add_image(manifest(version), catalogue(version))
    provider.on_boot = lambda name, image, files: guests.boot(
        name.removeprefix("instar-"),
        image,
        provider.boots(image),
        standby=provider.servers[name].volume is None,
    )
    provider.on_volume = lambda name, there: guests.give_volume(name.removeprefix("instar-"), there=there)
    guests.answering = lambda instance_id, address: (provider.answering(address) or "").removeprefix(
        "instar-"
    )
    provider.on_stop = lambda name: guests.halt(name.removeprefix("instar-"))
    provider.on_snapshot = lambda name: deepcopy(guests.databases[name.removeprefix("instar-")])
    provider.on_revert = lambda name, kept: guests.databases.update(
        {name.removeprefix("instar-"): deepcopy(kept)}
    )
    return provider, guests


def serves(store: Store, guests: FakeGuests, address: str) -> bool:
    """Tell whether clients get in at an address."""
    with store.read() as session:
        found = session.execute(select(Instance.id).where(Instance.address == address)).scalar()
    server = guests.servers.get(guests.answering(found, address)) if found else None
    return server is not None and server.running


@functools.cache
def _first_records() -> bytes:
    """The file of a record store in which the images are registered: made once, as it takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        provider, _ = machines()
        house = wiring.build(settings.load([], {"state_dir": folder, "provider": "fake"}), provider)
        schema.upgrade(house.store)
        wiring.register_images(house)
        wiring.read_catalogues(house)
        house.store.close()
        return (Path(folder) / "instar.db").read_bytes()


def catalogue(version: str) -> list[Parameter]:
    """Give a few of the parameters of PostgreSQL, with what sets its releases apart."""
    release = int(version.split(".")[0])
    ecdh = "ssl_groups" if release >= 18 else "ssl_ecdh_curve"
    parameters = [
        Parameter(name="work_mem", type="integer", default="4096", minimum=64, maximum=2147483647, unit="kB"),
        Parameter(name="max_connections", type="integer", default="100", minimum=1, maximum=262143,
                  restart_required=True),
        Parameter(name="shared_buffers", type="integer", default="16384", minimum=16, maximum=1073741823,
                  unit="8kB", restart_required=True),
        Parameter(name="log_min_duration_statement", type="integer", default="-1", minimum=-1,
                  maximum=2147483647, unit="ms"),
        Parameter(name="random_page_cost", type="float", default="4", minimum=0, maximum=1.79769e308),
        Parameter(name="jit", type="boolean", default="on"),
        Parameter(name="wal_level", type="enum", default="replica", values=["minimal", "replica", "logical"],
                  restart_required=True),
        Parameter(name="effective_io_concurrency", type="integer", default="16" if release >= 18 else "1",
                  minimum=0, maximum=1000),
        Parameter(name=ecdh, type="string", default="X25519:prime256v1" if release >= 18 else "prime256v1"),
        Parameter(name="shared_preload_libraries", type="string", default="", restart_required=True),
        Parameter(name="search_path", type="string", default='"$user", public'),
        Parameter(name="port", type="integer", default="5432", minimum=1, maximum=65535, fixed=True),
    ]  # fmt: skip
    removed = Parameter(name="old_snapshot_threshold", type="integer", default="-1", minimum=-1,
                        maximum=86400, unit="min", restart_required=True)  # fmt: skip
    return parameters + ([removed] if release < 17 else [])


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
