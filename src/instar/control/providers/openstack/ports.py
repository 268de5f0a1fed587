"""Ports: a Neutron port for each instance, with an address that stays and a security group of its own.

Neutron keeps no name unique, but keeps hardware addresses so in a network: ours follow from the name, so that
of two callers one makes the port and the other finds it. Where the cloud lets nobody choose them, the port
that was made first counts.
"""

import hashlib
from typing import Any

from openstack.exceptions import ConflictException, ForbiddenException

from instar.control.providers.base import AccessRule, Handle, Port
from instar.control.providers.openstack import handles, network_data
from instar.control.providers.openstack.cloud import Cloud, oldest
from instar.control.providers.openstack.networks import Networks
from instar.control.providers.openstack.security_groups import SecurityGroups
from instar.wire.errors import ProviderError

TAG = "instar"


class Ports:
    """The ports of the service account's project; a port's description is its host name."""

    def __init__(self, cloud: Cloud, networks: Networks, groups: SecurityGroups) -> None:
        self._cloud, self._networks, self._groups = cloud, networks, groups

    def find(self, name: str) -> Handle | None:
        """Find the port called `name`."""
        port = oldest(self._called(name))
        return handles.make("port", port.id, name) if port else None

    def ensure(self, name: str, hostname: str) -> Port:
        """Find or make a port. Raises ProviderError when every address is in use."""
        port = oldest(self._called(name)) or self._make(name, hostname)
        return Port(
            handle=handles.make("port", port.id, name),
            address=str(port.fixed_ips[0]["ip_address"]),
            hostname=port.description or hostname,
        )

    def network_data(self, handle: Handle) -> str:
        """Describe the network of a port for the guest whose card it will be, as Nova's config drives do."""
        port = self.present(handle)
        return network_data.describe(self._cloud, port)

    def present(self, handle: Handle) -> Any:
        """Give Neutron's record of a port. Raises ProviderError when it is gone."""
        port_id = handles.id_of(handle, "port")
        port = self._cloud.find("look at a port", lambda api: api.network.get_port(port_id))
        if port is None:
            raise ProviderError("The port is gone", seen=f"Neutron has no port {port_id}")
        return port

    def limit(self, handle: Handle, rule: AccessRule) -> None:
        """Let in the clients that the rule names, and nobody else."""
        handles.id_of(handle, "port")
        self._groups.limit(str(handle["name"]), rule.allowed_cidrs)

    def destroy(self, handle: Handle) -> None:
        """Delete the port and its security group."""
        port_id = handles.id_of(handle, "port")
        self._cloud.ask("delete a port", lambda api: api.network.delete_port(port_id))
        self._groups.destroy(str(handle["name"]))

    def _called(self, name: str) -> list[Any]:
        which = {"name": name, "project_id": self._cloud.project}
        return self._cloud.ask("look for a port", lambda api: list(api.network.ports(**which)))

    def _make(self, name: str, hostname: str) -> Any:
        place = self._networks.place()
        wanted: dict[str, Any] = {
            "name": name,
            "description": hostname,
            "network_id": place.network,
            "security_groups": [self._groups.ensure(name), *place.security_groups],
        }
        if place.subnet:
            wanted["fixed_ips"] = [{"subnet_id": place.subnet}]
        port = self._cloud.ask("make a port", lambda api: _create(api, wanted, hardware_address(name)))
        if port is None or port.mac_address != hardware_address(name):
            port = self._choose(name, port)
        self._cloud.ask("tag a port", lambda api: api.network.set_tags(port, [TAG]))
        return port

    def _choose(self, name: str, made: Any | None) -> Any:
        """Find the port that counts, and delete the one that we made when it is another."""
        port = oldest(self._called(name))
        if port is None:
            raise ProviderError(
                f"Port {name} is gone again", seen="somebody deletes it while it is made", retryable=True
            )
        if made and made.id != port.id:
            self._cloud.ask("delete a port", lambda api: api.network.delete_port(made.id))
        return port


def _create(api: Any, wanted: dict[str, Any], hardware: str) -> Any | None:
    """Make a port, with a hardware address of ours if we may; None when somebody else has just made it."""
    try:
        return api.network.create_port(**wanted, mac_address=hardware)
    except ConflictException as error:
        if hardware not in str(error.details):
            raise
        return None
    except ForbiddenException as error:
        if "mac_address" not in str(error.details):
            raise
        return api.network.create_port(**wanted)


def hardware_address(name: str) -> str:
    """Derive a hardware address from a port's name: of those that anybody may give out, and for one host."""
    first, *rest = hashlib.sha256(name.encode()).digest()[:6]
    return ":".join(f"{part:02x}" for part in ((first & 0xFC) | 0x02, *rest))
