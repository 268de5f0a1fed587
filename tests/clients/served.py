"""A control plane behind a socket and a real Keystone, over fake machines, for stock clients."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from instar.control import settings, wiring
from instar.control.guests.fake import FakeGuests
from instar.control.guests.fake_outages import FakeOutages
from instar.control.main import Listener
from instar.control.providers.fake import FakeProvider
from instar.control.store import schema
from keystone_server import Keystone
from real_control_plane import free_port
from world import machines, serves


@dataclass
class Served:
    """The control plane, its machines, and the ids of projects by their names."""

    keystone: Keystone
    projects: dict[str, str]
    url: str
    house: wiring.House
    provider: FakeProvider
    guests: FakeGuests


@contextmanager
def served(folder: Path, keystone: Keystone) -> Iterator[Served]:
    """Serve a control plane that is in the Keystone's catalogue."""
    port, (provider, guests) = free_port(), machines()
    projects = keystone.register(f"http://127.0.0.1:{port}")
    (folder / "instar.conf").write_text(keystone.authtoken())
    overrides = {
        "state_dir": str(folder), "provider": "fake", "api.port": port, "worker.poll": 0.05
    }  # fmt: skip
    house = wiring.build(settings.load([str(folder / "instar.conf")], overrides), provider)
    schema.upgrade(house.store)
    wiring.register_images(house)
    wiring.read_catalogues(house)
    worker = wiring.make_worker(
        house, guests, FakeOutages(lambda address: serves(house.store, guests, address))
    )
    listener = Listener(house.conf, lambda stopping: wiring.make_door(house, worker.wake, stopping))
    for part in (worker, listener):
        part.start()
    yield Served(keystone, projects, f"http://127.0.0.1:{port}", house, provider, guests)
    for part in (listener, worker):
        part.stop()
    house.store.close()
