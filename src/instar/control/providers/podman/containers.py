"""Containers: made from a server's record, found again by their labels, each named by server and number."""

import ipaddress
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.types import LogConfig, Mount, Ulimit

from instar.control.providers.base import Image
from instar.control.providers.podman import archive, imports
from instar.control.providers.podman.engine import Engine
from instar.control.providers.podman.network import Network
from instar.control.providers.podman.server_record import Build, ServerRecord
from instar.wire.agent import IMAGE_MANIFEST
from instar.wire.errors import ProviderError

INIT = "/usr/lib/instar/init"
DATA = "/var/lib/instar/data"
USERS = "etc/passwd"
MIB = 2**20
OPEN_FILES, PROCESSES = 65536, 4096
LOG_SIZE = "1m"
INSTALLATION, SERVER, NUMBER, IMAGE = "instar.installation", "instar.server", "instar.number", "instar.image"
MEMORY = ("run", "tmp")
"""Folders in memory, anew at each boot. Old runtimes give them the modes that the root disk has there."""
_TMPFS = "rw,exec,nosuid,nodev,mode=1777"
_TMPFS_PART = 4
"""Each folder in memory holds that part of a server's memory at most: the rest is for its database."""
_AT_REST = {"created", "configured", "exited", "stopped", "dead"}
"""One that is initialized has its volume already; one that is paused goes on once somebody says so."""


@dataclass(frozen=True)
class Seen:
    """A container as the engine sees it: whose it is, its number and its state in the engine's words."""

    key: str
    number: int
    state: str

    @property
    def is_up(self) -> bool:
        """Tell whether its processes run."""
        return self.state == "running"

    @property
    def is_at_rest(self) -> bool:
        """Tell whether nothing of it can touch its volume until it is started."""
        return self.state in _AT_REST


class Containers:
    """The containers of one installation."""

    def __init__(
        self, engine: Engine, network: Network, installation: str, profile: Path | None = None
    ) -> None:
        """`profile` tells Podman which system calls to admit; Docker's own will do."""
        self._engine, self._network, self._installation = engine, network, installation
        self._profile = profile

    def name(self, key: str, number: int) -> str:
        """Name a server's container."""
        return f"instar-{self._installation}-{key}-{number}"

    def all(self, key: str | None = None) -> list[Seen]:
        """List all containers, or those of one server."""
        labels = [f"{INSTALLATION}={self._installation}", *([f"{SERVER}={key}"] if key else [])]
        found = self._engine.ask(
            "list its containers", lambda api: api.containers(all=True, filters={"label": labels})
        )
        return [
            Seen(each["Labels"][SERVER], int(each["Labels"][NUMBER]), str(each["State"]).lower())
            for each in found
        ]

    def make(self, record: ServerRecord, build: Build, image: Image) -> None:
        """Make a container anew, not started, without injected files; leaves nothing when it fails."""
        self._network.ensure()
        self.remove(record.key, build.number)
        try:
            self._engine.ask("make a container", lambda api: self._create(api, record, build))
            folders = archive.folders(image.manifest.writable, MEMORY, record.uid or 0)
            self._put(record, build, folders)
            if not self._engine.names_users:
                self._name_user(record, build)
        except ProviderError:
            self.remove(record.key, build.number)
            raise

    def remake(self, record: ServerRecord, build: Build) -> None:
        """Make a container anew, not started, on the root disk that was kept for it."""
        self._network.ensure()
        self.remove(record.key, build.number)
        self._engine.ask("make a container", lambda api: self._create(api, record, build))

    def keep_disk(self, key: str, number: int, following: int) -> str:
        """Keep a container's root disk for the one that is to follow; gives the name that it has.

        `Imports.prune` removes it once no container uses it.
        """
        repository, tag = f"{imports.DISKS}{self._installation}", f"{key}-{following}"
        name, label = self.name(key, number), f"LABEL {imports.IMPORTED_BY}={self._installation}"
        self._engine.ask(
            "keep a root disk",
            lambda api: api.commit(name, repository=repository, tag=tag, changes=[label]),
        )
        return f"{repository}:{tag}"

    def inject(self, record: ServerRecord, build: Build, image: Image, files: dict[str, str]) -> None:
        """Put a server's own files, and what its image is, into a container that was not started."""
        contents = {IMAGE_MANIFEST: image.manifest.model_dump_json(indent=1), **files}
        self._put(record, build, archive.files(contents, image.manifest.writable, record.uid or 0))

    def start(self, key: str, number: int) -> None:
        """Start a container; one that runs is left alone."""
        self._engine.ask("start a container", lambda api: api.start(self.name(key, number)))

    def end(self, key: str, patience: float, but: int | None = None) -> None:
        """End the processes of a server's containers, save one: asked, after `patience` seconds killed.

        Those at rest are asked as well: the engine then finishes first what a worker that died had asked of
        them. Raises ProviderError, retryable, when some would not end.
        """
        for each in self.all(key):
            if each.number != but:
                self._stop(self.name(key, each.number), int(patience))
        for each in self.all(key):
            if each.number != but and not each.is_at_rest:
                raise ProviderError(
                    f"Container {self.name(key, each.number)} would not end",
                    seen=f"the engine says that it is {each.state}",
                    remedy="find out what holds it up, and try again",
                    retryable=True,
                )

    def remove(self, key: str, number: int) -> None:
        """Remove a container, killing what runs in it. Succeeds when there is none."""
        name = self.name(key, number)
        self._engine.find("remove a container", lambda api: api.remove_container(name, v=True, force=True))

    def boot_of(self, key: str, number: int) -> str | None:
        """Tell when a container was started that is up; None when it isn't."""
        seen = self._look(self.name(key, number))
        return str(seen["State"]["StartedAt"]) if seen and seen["State"]["Running"] else None

    def words(self, key: str, number: int, lines: int) -> bytes:
        """Give the last lines that a container printed; none when it is gone."""
        name = self.name(key, number)
        said = self._engine.find("read a console", lambda api: api.logs(name, tail=lines))
        return said or b""

    def _stop(self, name: str, patience: int) -> None:
        self._engine.find("stop a container", lambda api: api.stop(name, timeout=patience))

    def _look(self, name: str) -> dict[str, Any] | None:
        return self._engine.find("look at a container", lambda api: api.inspect_container(name))

    def _create(self, api: Any, record: ServerRecord, build: Build) -> None:
        hardware = hardware_address(record.address)
        endpoint = api.create_endpoint_config(ipv4_address=record.address, mac_address=hardware)
        api.create_container(
            build.disk or imports.name_of(build.image),
            [INIT],
            name=self.name(record.key, build.number),
            hostname=record.hostname,
            mac_address=hardware,
            user=f"{record.uid}:{record.uid}",
            working_dir="/",
            stop_signal="SIGTERM",
            labels={
                INSTALLATION: self._installation,
                SERVER: record.key,
                NUMBER: str(build.number),
                IMAGE: build.image,
            },
            host_config=api.create_host_config(**self._limits(record), **self._world(record)),
            networking_config=api.create_networking_config({self._network.name: endpoint}),
        )

    def _limits(self, record: ServerRecord) -> dict[str, Any]:
        """Say what a server may use at most."""
        return {
            "mem_limit": record.ram * MIB,
            "memswap_limit": record.ram * MIB,
            "shm_size": record.ram * MIB,
            "nano_cpus": record.vcpus * 10**9,
            "pids_limit": PROCESSES,
            "ulimits": [
                _ulimit("nofile", resource.RLIMIT_NOFILE, OPEN_FILES),
                _ulimit("nproc", resource.RLIMIT_NPROC, PROCESSES),
            ],
            "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": LOG_SIZE}),
        }

    def _world(self, record: ServerRecord) -> dict[str, Any]:
        """Say what a server sees and what it must not do."""
        return {
            "network_mode": self._network.name,
            "mounts": [Mount(DATA, record.data, type="bind")] if record.data else [],
            "tmpfs": {f"/{folder}": f"{_TMPFS},size={record.ram * MIB // _TMPFS_PART}" for folder in MEMORY},
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges", *self._system_calls()],
        }

    def _system_calls(self) -> list[str]:
        return [f"seccomp={self._profile}"] if self._profile and self._engine.names_users else []

    def _put(self, record: ServerRecord, build: Build, packed: bytes) -> None:
        name = self.name(record.key, build.number)
        if not self._engine.ask("put files into a container", lambda api: api.put_archive(name, "/", packed)):
            raise ProviderError(f"Container {name} took no files", retryable=True)

    def _name_user(self, record: ServerRecord, build: Build) -> None:
        """Give the server's uid a name, without which some programs won't run."""
        name = self.name(record.key, build.number)

        def read(api: Any) -> bytes:
            return b"".join(api.get_archive(name, f"/{USERS}")[0])

        packed = self._engine.find("read a container's users", read)
        users = archive.content(packed) if packed else b"root:x:0:0:root:/root:/bin/sh\n"
        own = f"instar:x:{record.uid}:{record.uid}:Instar:/var/lib/instar:/bin/sh\n".encode()
        self._put(record, build, archive.system_file(USERS, users + own))


def hardware_address(address: str) -> str:
    """Derive what stays with an address: neighbours remember it for half a minute, past a rebuild."""
    return ":".join(f"{part:02x}" for part in (2, 0x49, *ipaddress.IPv4Address(address).packed))


def _ulimit(name: str, kind: int, value: int) -> Ulimit:
    """Say a limit, within what we could set ourselves: the engine is not allowed more than we are."""
    hard = resource.getrlimit(kind)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return Ulimit(name=name, soft=bound, hard=bound)


def up(seen: Iterable[Seen], key: str) -> set[int]:
    """Give the numbers of a server's containers that are up."""
    return {each.number for each in seen if each.key == key and each.is_up}
