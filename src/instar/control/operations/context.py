"""What a step is handed: the operation and its instance, the provider, the guest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from instar.control.catalog import managers
from instar.control.engine.runner import Work
from instar.control.guests.base import Guest, Guests, Outages
from instar.control.providers.base import FlavorSpec, Handle, Port, Provider
from instar.control.store.sealing import Sealer
from instar.control.store.session import Store
from instar.control.store.tables import Instance
from instar.wire.errors import InstarError


@dataclass(frozen=True)
class Context:
    """One step's view of the world; made anew for each try."""

    work: Work
    provider: Provider
    guests: Guests
    sealer: Sealer
    store: Store
    outages: Outages
    undo_window: float = 86400.0

    @property
    def instance(self) -> Instance:
        """The instance's row as it was when the step began."""
        return self.work.instance

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What was frozen at submission."""
        return self.work.inputs

    @property
    def name(self) -> str:
        """The name of everything external that belongs to the instance."""
        return f"instar-{self.instance.id}"

    @property
    def second_name(self) -> str:
        """The name of what an instance has twice for a while: the port of a standby, and its server or the
        one before it.
        """
        return f"{self.name}-2"

    @property
    def server_names(self) -> tuple[str, str]:
        """The names that the instance's servers have: one for its own, the other for its second one."""
        return self.name, self.second_name

    @property
    def snapshot_name(self) -> str:
        """The name of the snapshot that the operation takes."""
        return f"{self.name}-{self.work.operation_id}"

    @property
    def guest(self) -> Guest:
        """The channel to the instance's agent."""
        return self.guests.at(self.instance.id, self.instance.address or "")

    @property
    def server(self) -> Handle:
        """The server's handle. Raises InstarError when no server was ever recorded."""
        return self._recorded("server", self.instance.server)

    @property
    def volume(self) -> Handle:
        """The data volume's handle. Raises InstarError when none was ever recorded."""
        return self._recorded("volume", self.instance.volume)

    @property
    def port(self) -> Port:
        """The instance's network identity. Raises InstarError when none was ever recorded."""
        handle = self._recorded("port", self.instance.port)
        return Port(handle=handle, address=self.instance.address or "", hostname=self.instance.hostname or "")

    def watch(self) -> None:
        """Have the instance's address watched from outside, or go on with it."""
        manager, address = self.instance.version.manager, self.instance.address
        port = managers.find(manager).port
        if address and port:
            known = self.work.outage
            self.outages.ensure(self.work.operation_id, manager, address, port, known)

    def outage(self) -> dict[str, Any] | None:
        """Give what was seen from outside so far, None when nobody watches."""
        seen = self.outages.view(self.work.operation_id)
        return seen.model_dump() if seen else None

    def output(self, step: str) -> dict[str, Any]:
        """Give what an earlier step left, empty when it left nothing."""
        return dict(self.work.outputs.get(step, {}))

    def secrets(self) -> dict[str, Any]:
        """Open what was sealed at submission."""
        return self.sealer.open(self.work.secrets)

    def flavor(self, flavor_id: str | None = None) -> FlavorSpec:
        """Find a flavor, the instance's by default, at the provider. Raises InstarError when it is gone."""
        wanted = flavor_id or self.instance.flavor_id
        for flavor in self.provider.flavors():
            if flavor.id == wanted:
                return flavor
        raise InstarError(
            f"Flavor {wanted} is not on offer any more",
            remedy="Put it back into the flavor catalogue and resume the operation.",
        )

    def files(self, waits_at: str = "") -> dict[str, str]:
        """Make what is injected into the instance's server, or into a standby that waits at an address."""
        facts = {
            "hostname": self.instance.hostname or "",
            "address": self.instance.address or "",
            "database_port": str(managers.find(self.instance.version.manager).port or 0),
            "datastore_manager": self.instance.version.manager,
            "ram": str(self.flavor().ram),
        }
        settings = self._volume_facts()
        if waits_at:
            settings |= {"listen_address": waits_at, "takes_over": facts["address"]}
        return self.guests.files(self.instance.id, facts, settings)

    def _volume_facts(self) -> dict[str, str]:
        """Say what the agent has to know to find its volume; nothing where that is in its place already."""
        kind = self.provider.abilities.volume_kind
        if kind == "directory":
            return {}
        return {"volume_kind": kind, "volume_id": self.instance.volume_id or ""}

    def _recorded(self, what: str, handle: Handle | None) -> Handle:
        if handle is None:
            raise InstarError(
                f"Instance {self.instance.id} has no {what} on record",
                remedy="Its create operation did not get that far: delete the instance.",
            )
        return handle
