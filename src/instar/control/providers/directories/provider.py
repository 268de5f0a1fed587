"""What the verbs of a provider come to that keeps its state in directories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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
from instar.control.providers.directories.images import ImageStore
from instar.control.providers.directories.ports import Ports
from instar.control.providers.directories.told import told
from instar.control.providers.directories.volumes import Volumes
from instar.wire.agent import Parameter
from instar.wire.errors import NotSupported


class Servers(Protocol):
    """The servers of one provider; the verbs are those of `providers/base.py`."""

    def find(self, name: str) -> Handle | None:
        """Find the server called `name`."""

    def stage(self, handle: Handle, ref: str) -> Progress:
        """Bring an image to a server."""

    def ensure(self, spec: ServerSpec) -> ServerInfo:
        """Find or make a server."""

    def inspect(self, handle: Handle) -> ServerInfo:
        """Tell how a server is."""

    def rebuild(self, handle: Handle, ref: str, files: dict[str, str], token: str) -> ServerInfo:
        """Give a server a new root disk."""

    def reboot(self, handle: Handle, token: str) -> ServerInfo:
        """Boot a server again."""

    def stop(self, handle: Handle, token: str) -> ServerInfo:
        """End a server and keep it so."""

    def resize(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Give a server another size."""

    def hand_over(self, old: Handle, new: Handle, volume: Handle) -> Progress:
        """Give a server's volume to another."""

    def destroy(self, handle: Handle) -> None:
        """Delete a server."""

    def attach(self, handle: Handle, volume: Handle) -> None:
        """Give a volume to a server."""

    def detach(self, handle: Handle, volume: Handle) -> None:
        """Take a volume from a server."""

    def revert(self, volume: Handle, snapshot: Handle) -> Progress:
        """Put a volume back to a snapshot while its server is stopped."""

    def console(self, handle: Handle, lines: int) -> str:
        """Give the last lines that a server printed."""

    def recover(self) -> None:
        """Boot what should run and does not."""


@dataclass(frozen=True)
class Parts:
    """What a provider is put together from."""

    images: ImageStore
    flavors: list[FlavorSpec]
    ports: Ports
    volumes: Volumes
    servers: Servers


class DirectoryProvider:
    """Any number of processes may use the same directories at once."""

    name: str
    abilities: Abilities

    def __init__(self, parts: Parts) -> None:
        self._images, self._flavors, self._ports = parts.images, parts.flavors, parts.ports
        self._volumes, self._servers = parts.volumes, parts.servers

    @told
    def images(self) -> list[Image]:
        """List the images in the store that carry a manifest."""
        return self._images.all()

    @told
    def image(self, ref: str) -> Image:
        """Find one image. Raises NotFound."""
        return self._images.get(ref)

    def newest_image(self, tags: Sequence[str]) -> str | None:
        """Refuse: the images of a directory have no tags."""
        raise NotSupported(
            "The images of this provider have no tags", remedy="Register the version with an image."
        )

    @told
    def parameters(self, ref: str) -> list[Parameter]:
        """List the settings that an image's engine knows; empty when it tells none. Raises NotFound."""
        return self._images.parameters(ref)

    @told
    def flavors(self) -> list[FlavorSpec]:
        """List the sizes on offer."""
        return list(self._flavors)

    @told
    def stage(self, server: Handle, image: str) -> Progress:
        """Bring the image to where the server runs, unpacked, beside what runs; repeat until done."""
        return self._servers.stage(server, image)

    @told
    def find_port(self, name: str) -> Handle | None:
        """Find the network identity called `name`."""
        return self._ports.find(name)

    @told
    def find_volume(self, name: str) -> Handle | None:
        """Find the volume called `name`."""
        return self._volumes.find(name)

    @told
    def find_snapshot(self, volume: Handle, name: str) -> Handle | None:
        """Find the volume's snapshot called `name`, also one that was begun and is not ready."""
        return self._volumes.snapshots.find(volume, name)

    @told
    def find_server(self, name: str) -> Handle | None:
        """Find the server called `name`."""
        return self._servers.find(name)

    @told
    def ensure_port(self, name: str, hostname: str) -> Port:
        """Find or make the network identity called `name`."""
        return self._ports.ensure(name, hostname)

    def limit_access(self, handle: Handle, rule: AccessRule) -> None:
        """Refuse: who reaches an address of this machine is for the machine's own firewall to say."""
        raise NotSupported(f"The {self.name} provider can't limit who reaches an instance")

    @told
    def destroy_port(self, handle: Handle) -> None:
        """Give the address back."""
        self._ports.destroy(handle)

    @told
    def ensure_volume(self, name: str, size: int) -> VolumeInfo:
        """Find or make the volume called `name` with `size` GiB; refuses when the space is not there."""
        return self._volumes.ensure(name, size)

    @told
    def inspect_volume(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume, None when it is missing."""
        return self._volumes.inspect(handle)

    @told
    def destroy_volume(self, handle: Handle) -> None:
        """Delete a volume with its data; refused while it is attached. Its snapshots go with it."""
        self._volumes.destroy(handle)

    @told
    def extend_volume(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume to `size` GiB."""
        return self._volumes.extend(handle, size)

    @told
    def attach_volume(self, server: Handle, volume: Handle) -> None:
        """Attach the volume to the server."""
        self._servers.attach(server, volume)

    @told
    def detach_volume(self, server: Handle, volume: Handle) -> None:
        """Detach the volume; the server must not be using it."""
        self._servers.detach(server, volume)

    @told
    def snapshot_volume(self, handle: Handle, name: str) -> Snapshot:
        """Find or make the snapshot called `name`; repeat until it is ready."""
        return self._volumes.snapshots.ensure(handle, name)

    @told
    def snapshots(self, volume: Handle) -> list[Snapshot]:
        """List the volume's snapshots, also those that were begun and are not ready."""
        return self._volumes.snapshots.list(volume)

    @told
    def revert_volume(self, handle: Handle, snapshot: Handle) -> Progress:
        """Put the volume back to the snapshot, which stays; repeat until done."""
        return self._servers.revert(handle, snapshot)

    @told
    def clone_volume(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume called `name` with the snapshot's content."""
        return self._volumes.clone(snapshot, name)

    @told
    def destroy_snapshot(self, snapshot: Handle) -> None:
        """Delete a snapshot, also one that is being made."""
        self._volumes.snapshots.destroy(snapshot)

    @told
    def ensure_server(self, spec: ServerSpec) -> ServerInfo:
        """Find or begin to make the server called `spec.name`; repeat or inspect until ACTIVE."""
        return self._servers.ensure(spec)

    @told
    def inspect_server(self, handle: Handle) -> ServerInfo:
        """Tell what the machine itself says of the server."""
        return self._servers.inspect(handle)

    @told
    def rebuild_server(self, handle: Handle, image: str, files: dict[str, str], token: str) -> ServerInfo:
        """Wipe the root disk, replace it by the image, inject files again; the port and the volume stay."""
        return self._servers.rebuild(handle, image, files, token)

    @told
    def reboot_server(self, handle: Handle, token: str) -> ServerInfo:
        """Stop every process of the server and boot it again from the same root disk; once per `token`."""
        return self._servers.reboot(handle, token)

    @told
    def stop_server(self, handle: Handle, token: str) -> ServerInfo:
        """End every process of the server, whatever state its guest is in; once per `token`."""
        return self._servers.stop(handle, token)

    @told
    def resize_server(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Change the server's size; its root disk, port and volume stay. Repeat until ACTIVE."""
        return self._servers.resize(handle, flavor)

    @told
    def hand_over(self, old: Handle, new: Handle, volume: Handle, port: Handle) -> Progress:
        """Give the volume and the port of `old` to `new`; repeat until done."""
        return self._servers.hand_over(old, new, volume)

    @told
    def destroy_server(self, handle: Handle) -> None:
        """Delete the server with its root disk; the port and the volume stay. No process is left behind."""
        self._servers.destroy(handle)

    @told
    def console_log(self, handle: Handle, lines: int) -> str:
        """Give the last lines that the server printed."""
        return self._servers.console(handle, lines)

    @told
    def recover(self) -> None:
        """Boot again what should run and does not; cheap, and may be called at any time by any worker."""
        self._servers.recover()
