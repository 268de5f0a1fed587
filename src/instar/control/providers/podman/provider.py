"""The podman provider: servers as containers of whole systems, on Podman or Docker."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instar.control.providers.base import Abilities
from instar.control.providers.directories import flavors, records
from instar.control.providers.directories.images import ImageStore
from instar.control.providers.directories.ports import Ports
from instar.control.providers.directories.provider import DirectoryProvider, Parts
from instar.control.providers.directories.told import told
from instar.control.providers.directories.volumes import Volumes
from instar.control.providers.podman import imports
from instar.control.providers.podman.containers import INSTALLATION, Containers
from instar.control.providers.podman.engine import Engine
from instar.control.providers.podman.imports import Imports
from instar.control.providers.podman.network import RESERVED, Network
from instar.control.providers.podman.seccomp import profile_for_podman
from instar.control.providers.podman.servers import HANDLES, Servers
from instar.control.providers.podman.service import find_service, limits_memory
from instar.control.providers.podman.settings import PodmanSettings
from instar.wire.errors import ProviderError


class PodmanProvider(DirectoryProvider):
    """All but containers and networks lies under `settings.state_dir`; any number of processes may use it."""

    name = "podman"

    @told
    def __init__(self, settings: PodmanSettings) -> None:
        _check_root()
        directory = settings.state_dir
        for path in (directory, *(directory / part for part in ("volumes", "servers", "imports"))):
            path.mkdir(0o711, parents=True, exist_ok=True)
        engine = Engine(find_service(settings.socket, settings.run_dir))
        installation = _installation(directory)
        network = Network(
            engine,
            directory,
            f"instar-{installation}",
            {INSTALLATION: installation},
            settings.subnets,
            settings.subnet_prefix,
        )
        images = ImageStore(settings.image_dir, "oci", imports.fault)
        volumes = Volumes(directory / "volumes", HANDLES)
        servers = Servers(
            directory / "servers",
            settings,
            images,
            volumes,
            Imports(engine, images, directory / "imports", installation),
            Containers(engine, network, installation, profile_for_podman(directory)),
        )
        super().__init__(
            Parts(
                images=images,
                flavors=flavors.load(settings.flavors_file),
                ports=Ports(directory, HANDLES, network.ensure(), RESERVED),
                volumes=volumes,
                servers=servers,
            )
        )
        self.abilities = Abilities(
            instant_snapshots=volumes.instant,
            snapshots=True,
            console_log=True,
            resize_server=True,
            extend_volume=True,
            enforces_memory=limits_memory(),
        )

    @classmethod
    def from_settings(cls, section: Mapping[str, Any]) -> "PodmanProvider":
        """Make the provider that section [podman] of the configuration describes; `None` is the default."""
        return cls(PodmanSettings(**{name: value for name, value in section.items() if value is not None}))


def _check_root() -> None:
    if os.geteuid() != 0:
        raise ProviderError(
            "The podman provider has to run as root",
            seen=f"uid {os.geteuid()}; volumes belong to other users, one for each server",
            remedy="start it as root, or use the local provider",
        )


def _installation(directory: Path) -> str:
    """Give the id that tells this installation's containers from those of others on the same engine."""
    path = directory / "installation.json"
    with records.locked(directory / "installation.lock"):
        record = records.read(path)
        if record is None:
            record = {"id": uuid.uuid4().hex[:8]}
            records.write(path, record)
    return str(record["id"])
