"""The openstack provider: Nova servers with Cinder volumes and Neutron ports, from Glance images."""

from collections.abc import Mapping, Sequence
from typing import Any

from instar.control.providers.base import (
    Abilities,
    AccessRule,
    FlavorSpec,
    Handle,
    Image,
    Port,
    Progress,
    ServerInfo,
    ServerSpec,
    Snapshot,
    VolumeInfo,
)
from instar.control.providers.openstack.changes import Changes
from instar.control.providers.openstack.cloud import Cloud
from instar.control.providers.openstack.flavors import Flavors
from instar.control.providers.openstack.handing_over import HandingOver
from instar.control.providers.openstack.images import Images
from instar.control.providers.openstack.networks import Networks
from instar.control.providers.openstack.ports import Ports
from instar.control.providers.openstack.recovery import Recovery
from instar.control.providers.openstack.reverting import Reverting
from instar.control.providers.openstack.security_groups import SecurityGroups
from instar.control.providers.openstack.servers import Servers
from instar.control.providers.openstack.settings import OpenStackSettings
from instar.control.providers.openstack.snapshots import Snapshots
from instar.control.providers.openstack.volumes import Volumes
from instar.wire.agent import Parameter


class OpenStackProvider:
    """One cloud; any number of processes may use it at once. Nothing is kept but in the cloud."""

    name = "openstack"

    def __init__(self, settings: OpenStackSettings) -> None:
        cloud = Cloud(settings)
        self._images = Images(cloud)
        self._flavors = Flavors(cloud, settings.flavors)
        self._ports = Ports(cloud, Networks(cloud, settings), SecurityGroups(cloud, settings))
        self._volumes = Volumes(cloud, settings)
        self._snapshots = Snapshots(cloud, self._volumes, instant=settings.instant_snapshots)
        self._servers = Servers(cloud, settings, self._images, self._flavors, self._volumes, self._ports)
        self._changes = Changes(cloud, self._images, self._servers)
        self._reverting = Reverting(cloud, self._volumes, self._snapshots, self._servers)
        self._handing_over = HandingOver(cloud, self._volumes, self._ports, self._servers)
        self._recovery = Recovery(self._servers)
        self.abilities = Abilities(
            instant_snapshots=settings.instant_snapshots,
            snapshots=True,
            console_log=True,
            resize_server=True,
            extend_volume=True,
            enforces_volume_size=True,
            enforces_memory=True,
            replace=True,
            limits_access=True,
            volume_kind="disk",
        )

    @classmethod
    def from_settings(cls, section: Mapping[str, Any]) -> "OpenStackProvider":
        """Make the provider that section [openstack] describes; `None` is the default."""
        known = OpenStackSettings.__dataclass_fields__
        values = {name: value for name, value in section.items() if name in known and value is not None}
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(OpenStackSettings(**{**values, **lists}))

    def images(self) -> list[Image]:
        """List the images in Glance that carry a manifest."""
        return self._images.all()

    def image(self, ref: str) -> Image:
        """Find one image. Raises NotFound."""
        return self._images.get(ref)

    def newest_image(self, tags: Sequence[str]) -> str | None:
        """Find the image that was made last of those that carry all tags and can be used."""
        return self._images.newest(tags)

    def parameters(self, ref: str) -> list[Parameter]:
        """List the settings that an image's engine knows; empty when it tells none. Raises NotFound."""
        return self._images.parameters(ref)

    def flavors(self) -> list[FlavorSpec]:
        """List the sizes on offer."""
        return self._flavors.all()

    def stage(self, server: Handle, image: str) -> Progress:
        """See that the image can be used; Nova brings it to the server's host when it rebuilds."""
        return self._changes.stage(server, image)

    def find_port(self, name: str) -> Handle | None:
        """Find the network identity called `name`."""
        return self._ports.find(name)

    def find_volume(self, name: str) -> Handle | None:
        """Find the volume called `name`."""
        return self._volumes.find(name)

    def find_snapshot(self, volume: Handle, name: str) -> Handle | None:
        """Find the volume's snapshot called `name`, also one that was begun and is not ready."""
        return self._snapshots.find(volume, name)

    def find_server(self, name: str) -> Handle | None:
        """Find the server called `name`."""
        return self._servers.find(name)

    def ensure_port(self, name: str, hostname: str) -> Port:
        """Find or make the network identity called `name`."""
        return self._ports.ensure(name, hostname)

    def limit_access(self, handle: Handle, rule: AccessRule) -> None:
        """Let in the clients that the rule names, and nobody else, to whatever server has the port."""
        self._ports.limit(handle, rule)

    def destroy_port(self, handle: Handle) -> None:
        """Give the address back."""
        self._ports.destroy(handle)

    def ensure_volume(self, name: str, size: int) -> VolumeInfo:
        """Find or make the volume called `name` with `size` GiB; refuses when the space is not there."""
        return self._volumes.ensure(name, size)

    def inspect_volume(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume, None when it is missing."""
        return self._volumes.inspect(handle)

    def destroy_volume(self, handle: Handle) -> None:
        """Delete a volume with its data; refused while it is attached. Its snapshots go with it."""
        self._volumes.destroy(handle)

    def extend_volume(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume to `size` GiB."""
        return self._volumes.extend(handle, size)

    def attach_volume(self, server: Handle, volume: Handle) -> None:
        """Attach the volume to the server."""
        self._servers.attach(server, volume)

    def detach_volume(self, server: Handle, volume: Handle) -> None:
        """Detach the volume; the server must not be using it."""
        self._servers.detach(server, volume)

    def snapshots(self, volume: Handle) -> list[Snapshot]:
        """List the volume's snapshots, also those that were begun and are not ready."""
        return self._snapshots.all(volume)

    def snapshot_volume(self, handle: Handle, name: str) -> Snapshot:
        """Find or make the snapshot called `name`; repeat until it is ready."""
        return self._snapshots.ensure(handle, name)

    def revert_volume(self, handle: Handle, snapshot: Handle) -> Progress:
        """Put the volume back to the snapshot, which stays; repeat until done."""
        return self._reverting.revert(handle, snapshot)

    def clone_volume(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume called `name` with the content of a snapshot that is ready."""
        return self._snapshots.clone(snapshot, name)

    def destroy_snapshot(self, snapshot: Handle) -> None:
        """Delete a snapshot, also one that is being made."""
        self._snapshots.destroy(snapshot)

    def ensure_server(self, spec: ServerSpec) -> ServerInfo:
        """Find or begin to make the server called `spec.name`; repeat or inspect until ACTIVE."""
        return self._servers.ensure(spec)

    def inspect_server(self, handle: Handle) -> ServerInfo:
        """Tell what Nova says of the server."""
        return self._servers.inspect(handle)

    def rebuild_server(self, handle: Handle, image: str, files: dict[str, str], token: str) -> ServerInfo:
        """Wipe the root disk, replace it by the image, inject files again; the port and the volume stay."""
        return self._changes.rebuild(handle, image, files, token)

    def reboot_server(self, handle: Handle, token: str) -> ServerInfo:
        """Stop every process of the server and boot it again from the same root disk; once per `token`."""
        return self._changes.reboot(handle, token)

    def stop_server(self, handle: Handle, token: str) -> ServerInfo:
        """End every process of the server, whatever state its guest is in; once per `token`."""
        return self._changes.stop(handle, token)

    def resize_server(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Change the server's size; repeat until ACTIVE."""
        return self._changes.resize(handle, flavor)

    def hand_over(self, old: Handle, new: Handle, volume: Handle, port: Handle) -> Progress:
        """Give the volume and the port of `old` to `new`; repeat until done."""
        return self._handing_over.hand_over(old, new, volume, port)

    def destroy_server(self, handle: Handle) -> None:
        """Delete the server with its root disk; the port and the volume stay."""
        self._servers.destroy(handle)

    def console_log(self, handle: Handle, lines: int) -> str:
        """Give the last lines that the server printed since its last rebuild."""
        return self._servers.console(handle, lines)

    def recover(self) -> None:
        """Start what should run and does not; cheap, and may be called at any time by any worker."""
        self._recovery.run()
