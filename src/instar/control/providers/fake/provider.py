"""The fake provider as a whole."""

from collections.abc import Mapping
from typing import Any

from instar.control.providers.base import Abilities
from instar.control.providers.fake.catalog import FakePorts
from instar.control.providers.fake.servers import FakeServers


class FakeProvider(FakeServers, FakePorts):
    """Servers, volumes and ports in memory; thread-safe. Keep the object to have them outlive a worker."""

    name = "fake"

    def __init__(self, *, capacity: int = 1_000_000, addresses: int = 250, instant: bool = True) -> None:
        super().__init__()
        self.capacity, self.addresses = capacity, addresses
        self.abilities = Abilities(
            instant_snapshots=instant,
            snapshots=True,
            console_log=True,
            resize_server=True,
            extend_volume=True,
            enforces_volume_size=True,
            replace=True,
            limits_access=True,
        )

    def answering(self, address: str) -> str | None:
        """Name the server that has an address."""
        ports = {port.handle["name"] for port in self._ports.values() if port.address == address}
        return next((server.name for server in self.servers.values() if server.port in ports), None)

    @classmethod
    def from_settings(cls, section: Mapping[str, Any]) -> "FakeProvider":
        """Make an empty one; it has nothing to be set."""
        return cls()
