"""The local provider: servers as process trees of this machine, without services or privileges."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instar.control.providers.base import Abilities
from instar.control.providers.directories import flavors
from instar.control.providers.directories.images import ImageStore
from instar.control.providers.directories.ports import Ports
from instar.control.providers.directories.provider import DirectoryProvider, Parts
from instar.control.providers.directories.told import told
from instar.control.providers.directories.volumes import Volumes
from instar.control.providers.local.machine import cgroup
from instar.control.providers.local.machine.agent import PROGRAM
from instar.control.providers.local.servers import HANDLES, Servers
from instar.control.providers.local.settings import LocalSettings


class LocalProvider(DirectoryProvider):
    """Everything lies under `settings.state_dir`; any number of processes may use it at once."""

    name = "local"

    @told
    def __init__(self, settings: LocalSettings) -> None:
        directory = settings.state_dir
        directory.mkdir(0o711, parents=True, exist_ok=True)
        for part in ("volumes", "servers"):
            (directory / part).mkdir(0o711, exist_ok=True)
        images = ImageStore(settings.image_dir, "tree", _fault)
        volumes = Volumes(directory / "volumes", HANDLES)
        super().__init__(
            Parts(
                images=images,
                flavors=flavors.load(settings.flavors_file),
                ports=Ports(directory, HANDLES, settings.address_range),
                volumes=volumes,
                servers=Servers(directory / "servers", settings, images, volumes),
            )
        )
        self.abilities = Abilities(
            instant_snapshots=volumes.instant,
            snapshots=True,
            console_log=True,
            resize_server=True,
            extend_volume=True,
            replace=True,
            enforces_memory=cgroup.limits_memory(),
        )

    @classmethod
    def from_settings(cls, section: Mapping[str, Any]) -> "LocalProvider":
        """Make the provider that section [local] of the configuration describes; `None` means the default."""
        return cls(LocalSettings(**{name: value for name, value in section.items() if value is not None}))


def _fault(image: Path) -> str:
    """Say what is wrong with an image's tree at first sight."""
    return "" if (image / "tree" / PROGRAM).is_file() else f"there is no tree/{PROGRAM}"
