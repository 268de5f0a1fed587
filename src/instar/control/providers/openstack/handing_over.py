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
from instar.control.providers.openstack.ports import TAG, Ports
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
        return Progress(done=False, reason="; ".join(move.reasons.values()))


class _Move:
    """One look after another at a volume and a port on their way; `reasons` tells why either is not there."""

    def __init__(self, cloud: Cloud, giver: str, taker: Any) -> None:
        self._cloud, self._giver, self._taker = cloud, giver, taker
        self._asked: set[str] = set()
        self._refused: dict[str, str] = {}
        self.reasons: dict[str, str] = {}

    def volume(self, volume: Any) -> bool:
        """Tell whether the taker has the volume; else have the next thing done for it."""
        holder = volume.attachments[0]["server_id"] if volume.attachments else ""
        self._refuse_other(f"Volume {volume.name}", holder)
        match volume.status, holder:
            case "in-use", self._taker.id:
                return self._is_there("volume")
            case "in-use", self._giver:
                self._ask("volume", "detach a volume", partial(_detach, server=holder, volume=volume.id))
            case "available", _:
                self._ask("volume", "attach a volume", partial(_attach, self._taker, volume=volume.id))
            case "error" | "error_attaching" | "error_detaching", _:
                raise ProviderError(
                    f"Volume {volume.name} can't be handed over",
                    seen=f"Cinder says that it is {volume.status}",
                    remedy="mend what nova-compute's log tells of, reset the volume's state, and try again",
                )
        return self._is_missing("volume", f"Cinder says that the volume is {volume.status}")

    def port(self, port: Any) -> bool:
        """Tell whether the taker has the port, wired if it runs; else have the next thing done for it."""
        holder = port.device_id or ""
        self._refuse_other(f"Port {port.name}", holder)
        if holder == self._taker.id:
            if port.status == "ACTIVE" or states.is_stopped(self._taker):
                return self._is_there("port")
            return self._is_missing("port", f"Neutron says that the port is {port.status}")
        if holder:
            self._ask("port", "unplug a card", partial(_unplug, server=holder, port=port.id))
            return self._is_missing("port", "the old server has the port")
        self._ask("port", "plug in a card", partial(_plug, self._taker, port=port.id))
        return self._is_missing("port", "no server has the port")

    def unplug_others(self, port_id: str) -> None:
        """Have the card of ours unplugged at which a standby was to be found; that is not waited for.

        What an operator has plugged in stays.
        """
        ours = {"device_id": self._taker.id, "tags": TAG}
        cards = self._cloud.ask("list cards", lambda api: list(api.network.ports(**ours)))
        for other in {card.id for card in cards} - {port_id}:
            self._ask("card", f"unplug card {other}", partial(_unplug, server=self._taker.id, port=other))

    def _ask(self, part: str, purpose: str, do: Callable[..., Any]) -> None:
        """Ask for a change, once; somebody else may have been faster."""

        def begin(api: Any) -> None:
            try:
                do(api=api)
            except (BadRequestException, ConflictException) as error:
                self._refused[part] = failures.told(purpose, error).body.seen

        if purpose not in self._asked:
            self._asked.add(purpose)
            self._cloud.find(purpose, begin)

    def _is_there(self, part: str) -> bool:
        self.reasons.pop(part, None)
        return True

    def _is_missing(self, part: str, seen: str) -> bool:
        self.reasons[part] = ": ".join(filter(None, [seen, self._refused.get(part)]))
        return False

    def _refuse_other(self, what: str, holder: str) -> None:
        if holder not in ("", self._giver, self._taker.id):
            raise ProviderError(f"{what} is in use", seen=f"by server {holder}")


def _detach(api: Any, server: str, volume: str) -> None:
    api.compute.delete_volume_attachment(server, volume)


def _attach(server: Any, api: Any, volume: str) -> None:
    api.compute.create_volume_attachment(server, volume_id=volume)


def _unplug(api: Any, server: str, port: str) -> None:
    api.compute.delete_server_interface(port, server=server)


def _plug(server: Any, api: Any, port: str) -> None:
    api.compute.create_server_interface(server, port_id=port)
