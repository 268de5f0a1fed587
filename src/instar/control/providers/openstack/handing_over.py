"""Handing a volume and a port from a stopped server to another: Nova unplugs and plugs, both at once.

Nothing is noted of how far that is: where volume and port are tells. Each look asks for what can be asked for
by then; of two callers who ask for the same, Nova refuses the second.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from openstack.exceptions import BadRequestException, ConflictException

from instar.control.providers.base import Handle, Progress
from instar.control.providers.openstack import failures, handles, states
from instar.control.providers.openstack.cloud import Cloud
from instar.control.providers.openstack.ports import Ports
from instar.control.providers.openstack.servers import Servers
from instar.control.providers.openstack.volumes import Volumes
from instar.wire.errors import ProviderError


class HandingOver:
    """Moves what a server has to the one that takes its place."""

    def __init__(self, cloud: Cloud, volumes: Volumes, ports: Ports, servers: Servers) -> None:
        self._cloud, self._volumes, self._ports, self._servers = cloud, volumes, ports, servers

    def hand_over(self, old: Handle, new: Handle, volume: Handle, port: Handle) -> Progress:
        """Go on for as long as a call may take; done when the taker has both, and the port is wired."""
        giver, taker = handles.id_of(old, "server"), self._servers.present(new)
        if not self._servers.is_kept_stopped(giver):
            raise ProviderError(f"Server {old['name']} is not stopped", remedy="stop it first")
        move = _Move(self._cloud, giver, taker)

        def look() -> bool | None:
            has_volume = move.volume(self._volumes.present(volume))
            has_port = move.port(self._ports.present(port))
            return True if has_volume and has_port else None

        if self._cloud.wait(look):
            move.unplug_others(handles.id_of(port, "port"))
            return Progress(done=True)
        return Progress(done=False, reason="; ".join(filter(None, [move.seen, move.refused])))


class _Move:
    """One look after another at a volume and a port on their way; `seen` and `refused` tell of them."""

    def __init__(self, cloud: Cloud, giver: str, taker: Any) -> None:
        self._cloud, self._giver, self._taker = cloud, giver, taker
        self._asked: set[str] = set()
        self.seen = self.refused = ""

    def volume(self, volume: Any) -> bool:
        """Tell whether the taker has the volume; else have the next thing done for it."""
        holder = volume.attachments[0]["server_id"] if volume.attachments else ""
        self._refuse_other(f"Volume {volume.name}", holder)
        match volume.status, holder:
            case "in-use", self._taker.id:
                return True
            case "in-use", self._giver:
                self._ask(
                    "detach a volume",
                    lambda api: api.compute.delete_volume_attachment(self._giver, volume.id),
                )
            case "available", _:
                self._ask(
                    "attach a volume",
                    lambda api: api.compute.create_volume_attachment(self._taker, volume_id=volume.id),
                )
            case "error" | "error_attaching" | "error_detaching", _:
                raise ProviderError(
                    f"Volume {volume.name} can't be handed over",
                    seen=f"Cinder says that it is {volume.status}",
                    remedy="mend what nova-compute's log tells of, reset the volume's state, and try again",
                )
        self.seen = f"Cinder says that the volume is {volume.status}"
        return False

    def port(self, port: Any) -> bool:
        """Tell whether the taker has the port, wired if it runs; else have the next thing done for it."""
        holder = port.device_id or ""
        self._refuse_other(f"Port {port.name}", holder)
        if holder == self._taker.id:
            self.seen = f"Neutron says that the port is {port.status}"
            return port.status == "ACTIVE" or states.is_stopped(self._taker)
        if holder:
            self._ask("unplug a card", partial(_unplug, server=self._giver, port_id=port.id))
        else:
            self._ask(
                "plug in a card",
                lambda api: api.compute.create_server_interface(self._taker, port_id=port.id),
            )
        self.seen = f"the port is {'with the old server' if holder else 'on its way'}"
        return False

    def unplug_others(self, port_id: str) -> None:
        """Have the card unplugged at which a standby was to be found; that is not waited for."""
        cards = self._cloud.ask("list cards", lambda api: list(api.compute.server_interfaces(self._taker)))
        for other in {card.port_id for card in cards} - {port_id}:
            self._ask(f"unplug card {other}", partial(_unplug, server=self._taker.id, port_id=other))

    def _ask(self, purpose: str, do: Callable[[Any], Any]) -> None:
        """Ask for a change, once; somebody else may have been faster."""

        def begin(api: Any) -> None:
            try:
                do(api)
            except (BadRequestException, ConflictException) as error:
                self.refused = failures.told(purpose, error).body.seen

        if purpose not in self._asked:
            self._asked.add(purpose)
            self._cloud.find(purpose, begin)

    def _refuse_other(self, what: str, holder: str) -> None:
        if holder not in ("", self._giver, self._taker.id):
            raise ProviderError(f"{what} is in use", seen=f"by server {holder}")


def _unplug(api: Any, server: str, port_id: str) -> None:
    api.compute.delete_server_interface(port_id, server=server)
