"""Virtual machines for tests: a guest disk under emulation, as Nova would start it, without a cloud."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from instar.control.guests import enrolment
from instar.control.guests.authority import Authority
from instar.control.guests.channel import Channel
from instar.wire.agent import PORT, AgentInfo, DatabaseStatus
from instar.wire.errors import GuestUnreachable, InstarError
from waiting import until

T = TypeVar("T")
PROGRAMS = ("qemu-system-x86_64", "qemu-img", "genisoimage", "mmdebstrap", "syslinux", "mformat", "mkfs.ext4")
MISSING = (
    "needs root, QEMU and what makes disks: apt-get install qemu-system-x86 qemu-utils genisoimage "
    "mmdebstrap syslinux syslinux-common mtools fdisk e2fsprogs"
)
ADDRESS, MAC = "10.0.2.15", "52:54:00:12:34:56"
POSTGRESQL = 5432
PATIENCE = 900.0
"""Seconds: an emulated processor on a busy machine is slow."""


def can_emulate() -> bool:
    """Tell whether this machine has what the tests need."""
    return os.geteuid() == 0 and all(map(shutil.which, PROGRAMS))


def free_port() -> int:
    """Give a port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class DataDisk:
    """A volume, as Cinder has it: a file of zeros at first."""

    file: Path
    volume_id: str

    def make(self, size: int) -> "DataDisk":
        with self.file.open("wb") as disk:
            disk.truncate(size)
        return self

    def grow(self, size: int) -> None:
        os.truncate(self.file, size)

    def superblock(self) -> dict[str, str]:
        """Read what the file system says of itself while nobody has it mounted."""
        said = subprocess.run(["dumpe2fs", "-h", self.file], capture_output=True, text=True, check=True)
        pairs = (line.partition(":") for line in said.stdout.splitlines())
        return {name: value.strip() for name, _, value in pairs}

    def was_unmounted(self) -> bool:
        """Tell whether all is in place without the journal."""
        found = self.superblock()
        return "needs_recovery" not in found["Filesystem features"] and found["Filesystem state"] == "clean"

    def owner_of(self, path: str) -> str:
        """Tell the uid that a file belongs to."""
        said = subprocess.run(
            ["debugfs", "-R", f"stat {path}", self.file], capture_output=True, text=True, check=True
        )
        return said.stdout.partition("User:")[2].split()[0]


@dataclass
class VirtualMachine:
    """A server with a guest disk, a config drive and a volume; two ports of its network are in reach."""

    directory: Path
    image: Path
    volume: DataDisk
    authority: Authority
    instance_id: str
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    agent_port: int = field(default_factory=free_port)
    database_port: int = field(default_factory=free_port)

    def boot(self) -> "VirtualMachine":
        """Start it from a fresh copy of its image and wait until its agent answers."""
        self.directory.mkdir()
        root = self.directory / "root.qcow2"
        backing = ["-b", str(self.image), "-F", "qcow2"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, root], check=True)
        self.process = subprocess.Popen([*self._words(root, self._config_drive())])
        self.info()
        return self

    def _words(self, root: Path, config: Path) -> list[str]:
        serial = self.volume.volume_id[:20]
        ports = [f"hostfwd=tcp:127.0.0.1:{self.agent_port}-:{PORT}"]
        ports += [f"hostfwd=tcp:127.0.0.1:{self.database_port}-:{POSTGRESQL}"]
        return [
            *("qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-m", "256", "-display", "none"),
            *("-nodefaults", "-vga", "std", "-no-reboot", "-serial", f"file:{self.console_file}"),
            *("-qmp", f"unix:{self.directory}/qmp,server=on,wait=off"),
            *("-drive", f"file={root},if=none,id=root,format=qcow2"),
            *("-device", "virtio-blk-pci,drive=root,bootindex=0"),
            *("-drive", f"file={self.volume.file},if=none,id=volume,format=raw"),
            *("-device", f"virtio-blk-pci,drive=volume,serial={serial}"),
            *("-drive", f"file={config},if=ide,media=cdrom,format=raw"),
            *("-netdev", ",".join(["user", "id=net", "restrict=on", *ports])),
            *("-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile=", "-device", "virtio-rng-pci"),
        ]

    def _config_drive(self) -> Path:
        """Write the config drive as Nova does, with what the openstack provider puts into user data."""
        facts = {"hostname": "db-1", "address": ADDRESS, "datastore_manager": "postgresql", "ram": "256"}
        settings = {"listen_address": ADDRESS, "volume_kind": "disk", "volume_id": self.volume.volume_id}
        files = enrolment.files(self.authority, self.instance_id, facts, settings)
        written = [
            {
                "path": f"/{path}",
                "content": content,
                "permissions": "0600" if path.endswith(".key") else "0644",
            }
            for path, content in files.items()
        ]
        route = {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.2.2"}
        network = {"id": "network0", "link": "tap0", "type": "ipv4", "ip_address": ADDRESS, "routes": [route]}
        link = {"id": "tap0", "type": "bridge", "ethernet_mac_address": MAC, "mtu": 1500}
        latest = self.directory / "config/openstack/latest"
        latest.mkdir(parents=True)
        for name, content in {
            "meta_data.json": {"uuid": self.instance_id, "hostname": "db-1.example", "name": "db-1"},
            "network_data.json": {
                "links": [link],
                "networks": [{**network, "netmask": "255.255.255.0"}],
                "services": [],
            },
        }.items():
            (latest / name).write_text(json.dumps(content))
        (latest / "user_data").write_text("#cloud-config\n" + json.dumps({"write_files": written}))
        iso = self.directory / "config.iso"
        options = ["-quiet", "-J", "-r", "-V", "config-2"]
        subprocess.run(["genisoimage", *options, "-o", iso, self.directory / "config"], check=True)
        return iso

    # -- the machine

    @property
    def console_file(self) -> Path:
        return self.directory / "console.log"

    def console(self) -> str:
        """Give what the machine printed on its serial console."""
        return self.console_file.read_text("utf-8", "replace")

    def press_power_button(self) -> None:
        """Ask it to end as Nova does, and wait until it is off."""
        assert self.process is not None
        with socket.socket(socket.AF_UNIX) as monitor, contextlib.ExitStack() as stack:
            monitor.connect(str(self.directory / "qmp"))
            lines = stack.enter_context(monitor.makefile("rw", encoding="utf-8"))
            lines.readline()
            for command in ("qmp_capabilities", "system_powerdown"):
                print(json.dumps({"execute": command}), file=lines, flush=True)
                lines.readline()
        assert self.process.wait(PATIENCE) == 0

    def cut_power(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    # -- its agent and its database

    @property
    def guest(self) -> Channel:
        """The channel that a control plane has."""
        return Channel(self.authority, self.instance_id, f"https://127.0.0.1:{self.agent_port}")

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask until the agent answers: connections to an emulated machine may well time out."""

        def look() -> list[T]:
            assert self.process is not None
            assert self.process.poll() is None, self.console()
            with contextlib.suppress(GuestUnreachable):
                return [ask()]
            return []

        return until(look, PATIENCE)[0]

    def info(self) -> AgentInfo:
        """Ask who answers."""
        return self._patiently(self.guest.info)

    def status(self) -> DatabaseStatus:
        """Ask how the database is."""
        return self._patiently(self.guest.status)

    def run(self, hook: str, **params: Any) -> dict[str, Any]:
        """Run a job to its end; gives its result or raises its error."""
        name, deadline = f"{hook}-{time.monotonic_ns()}", time.monotonic() + PATIENCE
        view = self._patiently(lambda: self.guest.start_job(name, hook, params))
        while view.ended_at is None:
            assert time.monotonic() < deadline, view
            view = self._patiently(lambda: self.guest.job(name, wait=10))
        if view.error is not None:
            raise InstarError.from_body(view.error)
        return view.result or {}

    def until_healthy(self) -> DatabaseStatus:
        """Wait until the database serves."""

        def look() -> DatabaseStatus | None:
            said = self.status()
            return said if said.status == "HEALTHY" else None

        found = until(look, PATIENCE)
        assert found is not None
        return found

    @contextlib.contextmanager
    def database(self, user: str, password: str, name: str) -> Iterator["psycopg.Connection[Any]"]:
        """Connect as a client does, over the network."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.database_port,
            user=user,
            password=password,
            dbname=name,
            autocommit=True,
            connect_timeout=30,
        ) as connection:
            yield connection
