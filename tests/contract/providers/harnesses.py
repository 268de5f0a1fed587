"""What the contract suite needs beside a provider: a look into volumes and disks, and accidents."""

import functools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from toy_guest import make_image, write_parameters

from instar.control.providers.base import Handle, Port, Provider, ServerInfo, ServerSpec, VolumeInfo
from instar.control.providers.fake import FakeProvider
from instar.control.providers.local.machine.lock import MachineLock
from instar.control.providers.local.provider import LocalProvider
from instar.control.providers.local.servers import HANDLES
from instar.control.providers.local.settings import LocalSettings
from instar.wire.agent import Manifest, Parameter
from instar.wire.states import ServerState

PARAMETERS = [
    Parameter(name="work", type="integer", default="4", minimum=1, maximum=8, unit="kB"),
    Parameter(name="mode", type="enum", values=["fast", "safe"], restart_required=True),
]
"""What the engine of image `new` knows; `old` tells of none."""
FILES = {"etc/instar/guest_info.conf": "[guest]\ninstance_id = 1\n"}


def until(condition: Callable[[], Any], what: str, seconds: float = 300.0) -> Any:
    """Poll until a condition holds, and give its value; a cloud takes minutes on a busy machine."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"gave up waiting: {what}"
        time.sleep(0.005)
    return value


class Harness(Protocol):
    """A provider with two images, and what the contract doesn't show."""

    provider: Provider
    images: list[str]
    addresses: int
    """How many ports there can be."""

    def reopen(self) -> Provider:
        """Give the provider as a control plane finds it that was started again."""

    def write(self, volume: Handle, name: str, text: str) -> None:
        """Write a file on a volume, as a guest would."""

    def read(self, volume: Handle, name: str) -> str | None:
        """Read a file on a volume."""

    def scribble(self, server: Handle) -> None:
        """Leave something on a server's root disk."""

    def has_scribble(self, server: Handle) -> bool:
        """Tell whether it is there still."""

    def injected(self, server: Handle) -> dict[str, str]:
        """Read the files that `FILES` names from the root disk."""

    def cut_power(self, server: Handle) -> None:
        """Take a server down without asking it, and without the provider's doing."""

    def boots(self, volume: Handle) -> list[str]:
        """Give the images that the volume's server booted from, in order."""

    def damage(self, image: str) -> None:
        """Have an image's content change in the store."""


class FakeHarness:
    addresses = 14

    def __init__(self, _directory: Path) -> None:
        self.provider = FakeProvider(capacity=1000, addresses=self.addresses)
        self.images = [
            self.provider.add_image(_manifest("old")),
            self.provider.add_image(_manifest("new"), PARAMETERS),
        ]
        self.provider.on_boot = self._boot
        self.provider.on_volume = self._volume

    def _volume(self, name: str, there: bool) -> None:
        server = self.provider.servers.get(name)
        if there and server and server.up:
            self._boot(name, server.image, server.files)

    def _boot(self, name: str, image: str, _files: dict[str, str]) -> None:
        volume = self.provider.servers[name].volume
        if volume is None:  # a standby's boot is told of when it has one
            return
        content = self.provider.content(volume)
        content["boots"] = content.get("boots", "") + f"{image}\n"

    def reopen(self) -> Provider:
        return self.provider

    def write(self, volume: Handle, name: str, text: str) -> None:
        self.provider.content(volume)[name] = text

    def read(self, volume: Handle, name: str) -> str | None:
        return self.provider.content(volume).get(name)

    def scribble(self, server: Handle) -> None:
        self.provider.servers[server["name"]].disk["scribble"] = "here"

    def has_scribble(self, server: Handle) -> bool:
        return "scribble" in self.provider.servers[server["name"]].disk

    def injected(self, server: Handle) -> dict[str, str]:
        return self.provider.servers[server["name"]].files

    def cut_power(self, server: Handle) -> None:
        self.provider.cut_power(server["name"])

    def boots(self, volume: Handle) -> list[str]:
        return (self.read(volume, "boots") or "").split()

    def damage(self, image: str) -> None:
        self.provider.damaged.add(image)


class LocalHarness:
    addresses = 14

    def __init__(self, directory: Path) -> None:
        self.settings = LocalSettings(
            directory / "state", directory / "images", address_range="127.99.0.0/28"
        )
        names = ("old", "new", "stubborn")
        make = functools.partial(make_image, self.settings.image_dir)
        self.images = [make("old"), make("new", change=functools.partial(write_parameters, PARAMETERS))]
        self.stubborn = make("stubborn", stubborn=True)
        self._refs = dict(zip(names, [*self.images, self.stubborn], strict=True))
        self.provider = LocalProvider(self.settings)

    def reopen(self) -> LocalProvider:
        return LocalProvider(self.settings)

    def data(self, volume: Handle) -> Path:
        return self.settings.state_dir / "volumes" / HANDLES.key(volume, "volume") / "data"

    def place(self, server: Handle) -> Path:
        return self.settings.state_dir / "servers" / HANDLES.key(server, "server")

    def write(self, volume: Handle, name: str, text: str) -> None:
        (self.data(volume) / name).write_text(text)

    def read(self, volume: Handle, name: str) -> str | None:
        path = self.data(volume) / name
        return path.read_text() if path.exists() else None

    def scribble(self, server: Handle) -> None:
        (self.place(server) / "root" / "scribble").write_text("here")

    def has_scribble(self, server: Handle) -> bool:
        return (self.place(server) / "root" / "scribble").exists()

    def injected(self, server: Handle) -> dict[str, str]:
        return {name: (self.place(server) / "root" / name).read_text() for name in FILES}

    def cut_power(self, server: Handle) -> None:
        os.kill(self.machine(server) or 0, signal.SIGKILL)
        until(lambda: self.machine(server) is None, "the machine is killed")

    def machine(self, server: Handle) -> int | None:
        lock = MachineLock(self.place(server))
        try:
            return lock.holder()
        finally:
            lock.close()

    def boots(self, volume: Handle) -> list[str]:
        return [self._refs[name] for name in (self.read(volume, "boots") or "").split()]

    def damage(self, image: str) -> None:
        program = self.settings.image_dir / image.removeprefix("sha256:") / "tree/usr/bin/sleep"
        program.chmod(0o755)
        with program.open("r+b") as file:
            file.truncate(program.stat().st_size - 1)
        program.chmod(0o555)

    def pids(self, volume: Handle) -> list[int]:
        """Give the id of every process that any boot of the volume's server started."""
        return [int(pid) for pid in (self.read(volume, "pids") or "").split()]

    def close(self) -> None:
        """Delete every server, so that no test leaves a process."""
        provider = self.reopen()
        for path in (self.settings.state_dir / "servers").glob("*/server.json"):
            provider.destroy_server({"provider": "local", "v": 1, "kind": "server", "key": path.parent.name})


class Rig:
    """One server with its port and volume."""

    def __init__(self, harness: Any, name: str = "instance-1", image: str = "") -> None:
        self.harness, self.name, self.image = harness, name, image or harness.images[0]
        self.port: Port = harness.provider.ensure_port(f"{name}-port", f"{name}.example")
        self.volume: VolumeInfo = harness.provider.ensure_volume(f"{name}-volume", 1)
        self.handle: Handle = harness.provider.ensure_server(self.spec()).handle
        self.up()
        until(lambda: len(self.boots()) == 1, "the guest has booted")

    def spec(self) -> ServerSpec:
        flavor = self.harness.provider.flavors()[0]
        return ServerSpec(self.name, self.image, flavor, self.port, self.volume.handle, dict(FILES))

    def up(self) -> ServerInfo:
        """Inspect until the server is up."""
        infos: list[ServerInfo] = []

        def is_up() -> bool:
            infos.append(self.harness.provider.inspect_server(self.handle))
            return infos[-1].state == ServerState.ACTIVE

        until(is_up, "the server is ACTIVE")
        return infos[-1]

    def up_or_not(self) -> ServerState:
        """Tell how the server is."""
        info: ServerInfo = self.harness.provider.inspect_server(self.handle)
        return info.state

    def stop(self, token: str = "s") -> None:
        """Stop the server."""
        assert self.harness.provider.stop_server(self.handle, token).state == ServerState.STOPPED

    def snapshot(self, name: str = "s") -> Handle:
        """Make a snapshot of the volume, and wait until it is ready."""
        return snapshot(self.harness.provider, self.volume.handle, name)

    def revert(self, to: Handle) -> None:
        """Put the volume back to a snapshot, and wait until that is done."""
        until(lambda: self.harness.provider.revert_volume(self.volume.handle, to).done, "reverted")

    def rebuild(self, token: str = "first") -> ServerInfo:
        """Rebuild onto the other image and wait until that is up."""
        self.harness.provider.rebuild_server(self.handle, self.harness.images[1], dict(FILES), token)
        return self.up()

    def boots(self) -> list[str]:
        return list(self.harness.boots(self.volume.handle))

    def pids(self) -> list[int]:
        return list(self.harness.pids(self.volume.handle))


def snapshot(provider: Provider, volume: Handle, name: str = "s") -> Handle:
    """Make a snapshot, and wait until it is ready."""
    until(lambda: provider.snapshot_volume(volume, name).ready, "the snapshot is ready")
    return provider.snapshot_volume(volume, name).handle


def is_alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie doesn't)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _manifest(name: str) -> Manifest:
    return Manifest(
        recipe=name, datastore="toy", manager="toy", engine_version="1", version_name=name, agent_version="1"
    )
