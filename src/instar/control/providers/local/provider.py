"""The local provider: servers as process trees of this machine, without services or privileges."""

import errno
import functools
import subprocess
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from instar.control.providers.base import (
    Abilities,
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
from instar.control.providers.local import flavors
from instar.control.providers.local.images import ImageStore
from instar.control.providers.local.machine import cgroup
from instar.control.providers.local.ports import Ports
from instar.control.providers.local.recovery import Recovery
from instar.control.providers.local.servers import Servers
from instar.control.providers.local.settings import LocalSettings
from instar.control.providers.local.volumes import Volumes
from instar.wire.agent import Parameter
from instar.wire.errors import NotSupported, ProviderError

P = ParamSpec("P")
R = TypeVar("R")


def _told(call: Callable[P, R]) -> Callable[P, R]:
    """Turn what the operating system says into a ProviderError."""

    @functools.wraps(call)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except (OSError, subprocess.SubprocessError) as error:
            is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise ProviderError(
                f"The local provider could not carry out {call.__name__}",
                seen=str(error),
                remedy="free space there"
                if is_full
                else "repair what the system complains of, then try again",
                retryable=not is_full,
            ) from error

    return wrapper


class LocalProvider:
    """Everything lies under `settings.state_dir`; any number of processes may use it at once."""

    name = "local"

    @_told
    def __init__(self, settings: LocalSettings) -> None:
        directory = settings.state_dir
        directory.mkdir(0o711, parents=True, exist_ok=True)
        for part in ("volumes", "servers"):
            (directory / part).mkdir(0o711, exist_ok=True)
        self._images = ImageStore(settings.image_dir)
        self._flavors = flavors.load(settings.flavors_file)
        self._ports = Ports(directory, settings.address_range)
        self._volumes = Volumes(directory / "volumes")
        self._servers = Servers(directory / "servers", settings, self._images, self._volumes)
        self._recovery = Recovery(self._servers, self._volumes)
        self.abilities = Abilities(
            instant_snapshots=self._volumes.instant,
            snapshots=True,
            console_log=True,
            extend_volume=True,
            enforces_memory=cgroup.limits_memory(),
        )

    @classmethod
    def from_settings(cls, section: Mapping[str, Any]) -> "LocalProvider":
        """Make the provider that section [local] of the configuration describes; `None` means the default."""
        return cls(LocalSettings(**{name: value for name, value in section.items() if value is not None}))

    @_told
    def images(self) -> list[Image]:
        """List the images in the store that carry a manifest."""
        return self._images.all()

    @_told
    def image(self, ref: str) -> Image:
        """Find one image. Raises NotFound."""
        return self._images.get(ref)

    @_told
    def parameters(self, ref: str) -> list[Parameter]:
        """List the settings that an image's engine knows; empty when it tells none. Raises NotFound."""
        return self._images.parameters(ref)

    @_told
    def flavors(self) -> list[FlavorSpec]:
        """List the sizes on offer."""
        return list(self._flavors)

    @_told
    def stage(self, server: Handle, image: str) -> Progress:
        """Unpack the image beside the server's root, without touching what runs; done when it returns."""
        self._servers.stage(server, image)
        return Progress(done=True)

    @_told
    def find_port(self, name: str) -> Handle | None:
        """Find the network identity called `name`."""
        return self._ports.find(name)

    @_told
    def find_volume(self, name: str) -> Handle | None:
        """Find the volume called `name`."""
        return self._volumes.find(name)

    @_told
    def find_snapshot(self, volume: Handle, name: str) -> Handle | None:
        """Find the volume's snapshot called `name`, also one that was begun and is not ready."""
        return self._volumes.snapshots.find(volume, name)

    @_told
    def find_server(self, name: str) -> Handle | None:
        """Find the server called `name`."""
        return self._servers.find(name)

    @_told
    def ensure_port(self, name: str, hostname: str) -> Port:
        """Find or make the network identity called `name`."""
        return self._ports.ensure(name, hostname)

    @_told
    def destroy_port(self, handle: Handle) -> None:
        """Give the address back."""
        self._ports.destroy(handle)

    @_told
    def ensure_volume(self, name: str, size: int) -> VolumeInfo:
        """Find or make the volume called `name` with `size` GiB; refuses when the space is not there."""
        return self._volumes.ensure(name, size)

    @_told
    def inspect_volume(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume, None when it is missing."""
        return self._volumes.inspect(handle)

    @_told
    def destroy_volume(self, handle: Handle) -> None:
        """Delete a volume with its data; refused while it is attached. Its snapshots go with it."""
        self._volumes.destroy(handle)

    @_told
    def extend_volume(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume to `size` GiB."""
        return self._volumes.extend(handle, size)

    @_told
    def attach_volume(self, server: Handle, volume: Handle) -> None:
        """Attach the volume to the server."""
        self._servers.attach(server, volume)

    @_told
    def detach_volume(self, server: Handle, volume: Handle) -> None:
        """Detach the volume; the server must not be using it."""
        self._servers.detach(server, volume)

    @_told
    def snapshot_volume(self, handle: Handle, name: str) -> Snapshot:
        """Find or make the snapshot called `name`; repeat until it is ready."""
        return self._volumes.snapshots.ensure(handle, name)

    @_told
    def snapshots(self, volume: Handle) -> list[Snapshot]:
        """List the volume's snapshots, also those that were begun and are not ready."""
        return self._volumes.snapshots.list(volume)

    @_told
    def revert_volume(self, handle: Handle, snapshot: Handle) -> Progress:
        """Put the volume back to the snapshot, which stays; repeat until done."""
        return self._servers.revert(handle, snapshot)

    @_told
    def clone_volume(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume called `name` with the snapshot's content."""
        return self._volumes.clone(snapshot, name)

    @_told
    def destroy_snapshot(self, snapshot: Handle) -> None:
        """Delete a snapshot, also one that is being made."""
        self._volumes.snapshots.destroy(snapshot)

    @_told
    def ensure_server(self, spec: ServerSpec) -> ServerInfo:
        """Find or begin to make the server called `spec.name`; repeat or inspect until ACTIVE."""
        return self._servers.ensure(spec)

    @_told
    def inspect_server(self, handle: Handle) -> ServerInfo:
        """Tell what the machine itself says of the server."""
        return self._servers.inspect(handle)

    @_told
    def rebuild_server(self, handle: Handle, image: str, files: dict[str, str], token: str) -> ServerInfo:
        """Wipe the root disk, replace it by the image, inject files again; the port and the volume stay."""
        return self._servers.rebuild(handle, image, files, token)

    @_told
    def reboot_server(self, handle: Handle, token: str) -> ServerInfo:
        """Stop every process of the server and boot it again from the same root disk; once per `token`."""
        return self._servers.reboot(handle, token)

    @_told
    def stop_server(self, handle: Handle, token: str) -> ServerInfo:
        """End every process of the server, whatever state its guest is in; once per `token`."""
        return self._servers.stop(handle, token)

    @_told
    def resize_server(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Change the server's size."""
        raise NotSupported("The local provider can't resize a server yet")

    @_told
    def destroy_server(self, handle: Handle) -> None:
        """Delete the server with its root disk; the port and the volume stay. No process is left behind."""
        self._servers.destroy(handle)

    @_told
    def console_log(self, handle: Handle, lines: int) -> str:
        """Give the last lines that the server printed."""
        return self._servers.console(handle, lines)

    @_told
    def recover(self) -> None:
        """Boot again what should run and does not; cheap, and may be called at any time by any worker."""
        self._recovery.run()
