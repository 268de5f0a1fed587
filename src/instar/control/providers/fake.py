"""A provider in memory, for tests and trials: it keeps the whole contract, and fails on demand.

Keep the object to have its state outlive a control plane. `dials` make it fail; `on_boot` and `on_stop` let
fake guests follow its servers; `content` gives a volume's files, which snapshots, reverts and clones copy.
"""

import functools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from instar.control.providers.base import (
    Abilities,
    FlavorSpec,
    Handle,
    Image,
    Port,
    ServerInfo,
    ServerSpec,
    Snapshot,
    Staging,
    VolumeInfo,
)
from instar.control.providers.dials import Dials
from instar.wire.agent import Manifest
from instar.wire.errors import BadRequest, NotFound, NotSupported, ProviderError
from instar.wire.states import ServerState

P = ParamSpec("P")
R = TypeVar("R")
GIB = 2**30
Files = dict[str, Any]


@dataclass
class FakeVolume:
    """A volume: its files, and those of its snapshots."""

    info: VolumeInfo
    content: Files = field(default_factory=dict)
    snapshots: dict[str, Files] = field(default_factory=dict)


@dataclass
class FakeServer:
    """A server: `disk` is its root disk, wiped by a rebuild; `polls` inquiries are left until it is up."""

    name: str
    image: str
    files: dict[str, str]
    volume: Handle | None
    token: str = ""
    reboot: str = ""
    disk: Files = field(default_factory=dict)
    polls: int = 0
    up: bool = False
    console: list[str] = field(default_factory=list)
    staging: dict[str, int] = field(default_factory=dict)


S = TypeVar("S", bound="FakeProvider")


def _verb(call: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Count a call and let the dials have their say, one caller at a time."""

    @functools.wraps(call)
    def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            self.calls[call.__name__] += 1
            self.dials.before(call.__name__)
            result = call(self, *args, **kwargs)
            self.dials.after(call.__name__)
            return result

    return wrapper


class FakeProvider:
    """Servers, volumes and ports in memory; thread-safe."""

    name = "fake"

    def __init__(self, *, capacity: int = 1_000_000, addresses: int = 250) -> None:
        self.abilities = Abilities(
            instant_snapshots=True,
            snapshots=True,
            console_log=True,
            extend_volume=True,
            enforces_volume_size=True,
        )
        self.dials = Dials()
        self.calls: Counter[str] = Counter()
        self.lock = threading.RLock()
        self.capacity = capacity  # GiB
        self.addresses = addresses
        self.on_boot: Callable[[str, str, dict[str, str]], None] = lambda name, image, files: None
        self.on_stop: Callable[[str], None] = lambda name: None
        self.servers: dict[str, FakeServer] = {}
        self._images: dict[str, Image] = {}
        self._ports: dict[str, Port] = {}
        self._volumes: dict[str, FakeVolume] = {}

    @classmethod
    def from_settings(cls, section: Mapping[str, Any]) -> "FakeProvider":
        """Make an empty one; it has nothing to be set."""
        return cls()

    # what only the fake has

    def add_image(self, manifest: Manifest) -> str:
        """Put an image into the store; gives its ref: the manifest's digest, or one made up."""
        ref = manifest.digest or f"fake:{manifest.recipe}:{manifest.engine_version}:{manifest.agent_version}"
        self._images[ref] = Image(ref, manifest.model_copy(update={"digest": ref}))
        return ref

    def content(self, volume: Handle) -> Files:
        """Give a volume's files, to read and to change."""
        return self._volume(volume).content

    def lose_server(self, name: str) -> None:
        """Have a server vanish, as if somebody had deleted it behind our back."""
        with self.lock:
            server = self.servers.pop(name)
            self._stop(server)
            if server.volume:
                self._detach(name, server.volume)

    def stop_server(self, name: str) -> None:
        """Have a server go down, as in a power cut; `recover` boots it again."""
        with self.lock:
            self._stop(self.servers[name])

    # images and flavors

    @_verb
    def images(self) -> list[Image]:
        """List the images that were added."""
        return list(self._images.values())

    @_verb
    def image(self, ref: str) -> Image:
        """Find one image. Raises NotFound."""
        return self._image(ref)

    @_verb
    def flavors(self) -> list[FlavorSpec]:
        """List three sizes."""
        return [
            FlavorSpec("1", "small", 1024, 1),
            FlavorSpec("2", "medium", 2048, 2),
            FlavorSpec("3", "large", 4096, 4),
        ]

    @_verb
    def stage(self, server: Handle, image: str) -> Staging:
        """Bring the image to the server: at once, or after as many calls as `slow` was dialled to."""
        self._image(image)
        staging = self._server(server).staging
        staging[image] = moved = staging.get(image, 0) + 1
        done = moved >= self.dials.polls.get("stage", 1)
        return Staging(done, moved, "" if done else "the image is being copied")

    # what is there under a name

    @_verb
    def find_port(self, name: str) -> Handle | None:
        """Find the port called `name`."""
        return _handle("port", name) if name in self._ports else None

    @_verb
    def find_volume(self, name: str) -> Handle | None:
        """Find the volume called `name`."""
        return _handle("volume", name) if name in self._volumes else None

    @_verb
    def find_server(self, name: str) -> Handle | None:
        """Find the server called `name`."""
        return _handle("server", name) if name in self.servers else None

    # ports

    @_verb
    def ensure_port(self, name: str, hostname: str) -> Port:
        """Find or make a port; there are as many addresses as `addresses` says."""
        if name not in self._ports:
            taken = {port.address for port in self._ports.values()}
            free = (f"10.0.{number // 250}.{number % 250 + 1}" for number in range(self.addresses))
            address = next((address for address in free if address not in taken), None)
            if address is None:
                raise ProviderError("Every address is in use", seen=f"{len(taken)} ports")
            self._ports[name] = Port(_handle("port", name), address, hostname)
        return self._ports[name]

    @_verb
    def destroy_port(self, handle: Handle) -> None:
        """Give the address back."""
        self._ports.pop(_name(handle, "port"), None)

    # volumes

    @_verb
    def ensure_volume(self, name: str, size: int) -> VolumeInfo:
        """Find or make a volume; all of them together are at most `capacity` GiB."""
        return self._make_volume(name, size, {}).info

    @_verb
    def inspect_volume(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume."""
        volume = self._volumes.get(_name(handle, "volume"))
        return volume.info if volume else None

    @_verb
    def destroy_volume(self, handle: Handle) -> None:
        """Delete a volume and its snapshots; refused while it is attached."""
        name = _name(handle, "volume")
        if name in self._volumes and (server := self._volumes[name].info.attached_to):
            raise ProviderError(f"Volume {name} is attached", seen=f"to server {server}")
        self._volumes.pop(name, None)

    @_verb
    def extend_volume(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume."""
        volume = self._volume(handle)
        if size < volume.info.size:
            raise ProviderError("A volume can't shrink", seen=f"{volume.info.size} GiB, asked for {size} GiB")
        self._check_room(size - volume.info.size)
        return self._change(volume, size=size, free=size * GIB)

    @_verb
    def attach_volume(self, server: Handle, volume: Handle) -> None:
        """Attach a volume."""
        self._attach(self._server(server), volume)

    @_verb
    def detach_volume(self, server: Handle, volume: Handle) -> None:
        """Detach a volume."""
        self._detach(_name(server, "server"), volume)

    @_verb
    def snapshot_volume(self, handle: Handle, name: str) -> Snapshot:
        """Find or make a snapshot."""
        volume = self._volume(handle)
        volume.snapshots.setdefault(name, dict(volume.content))
        return Snapshot(_handle("snapshot", name, volume=volume.info.id), name, instant=True)

    @_verb
    def revert_volume(self, handle: Handle, snapshot: Handle) -> None:
        """Put a volume back to a snapshot."""
        volume, content = self._volume(handle), self._snapshot(snapshot)
        volume.content.clear()
        volume.content.update(content)

    @_verb
    def clone_volume(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume with a snapshot's content."""
        size = self._volumes[snapshot["volume"]].info.size
        return self._make_volume(name, size, self._snapshot(snapshot)).info

    @_verb
    def destroy_snapshot(self, snapshot: Handle) -> None:
        """Delete a snapshot."""
        if volume := self._volumes.get(snapshot["volume"]):
            volume.snapshots.pop(_name(snapshot, "snapshot"), None)

    # servers

    @_verb
    def ensure_server(self, spec: ServerSpec) -> ServerInfo:
        """Find or make a server."""
        self._image(spec.image)
        _check_files(spec.files)
        if spec.name not in self.servers:
            server = FakeServer(spec.name, spec.image, dict(spec.files), None)
            self._attach(server, spec.volume)
            self.servers[spec.name] = server
            self._boot(server, "ensure_server")
        return self._info(spec.name)

    @_verb
    def inspect_server(self, handle: Handle) -> ServerInfo:
        """Tell how a server is; a slow one comes a step nearer."""
        name = _name(handle, "server")
        server = self.servers.get(name)
        if server and server.polls:
            server.polls -= 1
            self._come_up(server)
        return self._info(name)

    @_verb
    def rebuild_server(self, handle: Handle, image: str, files: dict[str, str], token: str) -> ServerInfo:
        """Wipe the root disk and boot from the image; once for each token."""
        server = self._server(handle)
        self._image(image)
        _check_files(files)
        if not token:
            raise BadRequest("token: a rebuild needs a name")
        if server.token != token:
            self._stop(server)
            server.image, server.files, server.token = image, dict(files), token
            server.disk, server.staging = {}, {}
            self._boot(server, "rebuild_server")
        return self._info(server.name)

    @_verb
    def reboot_server(self, handle: Handle, token: str) -> ServerInfo:
        """Boot a server again; once for each token."""
        server = self._server(handle)
        if server.reboot != token:
            self._stop(server)
            server.reboot = token
            self._boot(server, "reboot_server")
        return self._info(server.name)

    @_verb
    def resize_server(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Refuse: the fake can't."""
        raise NotSupported("The fake provider can't resize a server")

    @_verb
    def destroy_server(self, handle: Handle) -> None:
        """Delete a server."""
        server = self.servers.pop(_name(handle, "server"), None)
        if server:
            self._stop(server)
            if server.volume:
                self._detach(server.name, server.volume)

    @_verb
    def console_log(self, handle: Handle, lines: int) -> str:
        """Tell of the boots."""
        return "\n".join(self._server(handle).console[-lines:]) if lines > 0 else ""

    @_verb
    def recover(self) -> None:
        """Boot again what is down."""
        for server in self.servers.values():
            if not server.up and not server.polls:
                self._boot(server, "recover")

    # how it is done

    def _boot(self, server: FakeServer, verb: str) -> None:
        server.polls = self.dials.polls.get(verb, 0)
        server.console.append(f"booting {server.image}")
        self._come_up(server)

    def _come_up(self, server: FakeServer) -> None:
        if not server.polls:
            server.up = True
            self.on_boot(server.name, server.image, server.files)

    def _stop(self, server: FakeServer) -> None:
        server.up, server.polls = False, 0
        self.on_stop(server.name)

    def _info(self, name: str) -> ServerInfo:
        handle, server = _handle("server", name), self.servers.get(name)
        if server is None:
            return ServerInfo(handle, ServerState.MISSING)
        state = (
            ServerState.ACTIVE if server.up else ServerState.BUILDING if server.polls else ServerState.STOPPED
        )
        return ServerInfo(handle, state, server.image, server.token)

    def _image(self, ref: str) -> Image:
        if ref not in self._images:
            raise NotFound(f"No image {ref}")
        return self._images[ref]

    def _server(self, handle: Handle) -> FakeServer:
        server = self.servers.get(_name(handle, "server"))
        if server is None:
            raise ProviderError("The server is gone", seen=str(handle["name"]))
        return server

    def _volume(self, handle: Handle) -> FakeVolume:
        volume = self._volumes.get(_name(handle, "volume"))
        if volume is None:
            raise ProviderError("The volume is gone", seen=str(handle["name"]))
        return volume

    def _snapshot(self, handle: Handle) -> Files:
        volume, name = self._volumes.get(handle["volume"]), _name(handle, "snapshot")
        if volume is None or name not in volume.snapshots:
            raise ProviderError("The snapshot is gone", seen=name)
        return volume.snapshots[name]

    def _make_volume(self, name: str, size: int, content: Files) -> FakeVolume:
        if name not in self._volumes:
            self._check_room(size)
            info = VolumeInfo(_handle("volume", name), name, size, used=0, free=size * GIB)
            self._volumes[name] = FakeVolume(info, dict(content))
        return self._volumes[name]

    def _check_room(self, size: int) -> None:
        used = sum(volume.info.size for volume in self._volumes.values())
        if used + size > self.capacity:
            raise ProviderError(
                "There is no room for the volume", seen=f"{used} of {self.capacity} GiB are used"
            )

    def _change(self, volume: FakeVolume, **changes: Any) -> VolumeInfo:
        volume.info = replace(volume.info, **changes)
        return volume.info

    def _attach(self, server: FakeServer, handle: Handle) -> None:
        volume = self._volume(handle)
        if volume.info.attached_to not in (None, server.name):
            raise ProviderError(
                f"Volume {volume.info.id} is in use", seen=f"by server {volume.info.attached_to}"
            )
        if server.volume not in (None, handle):
            raise ProviderError(f"Server {server.name} has a volume", seen=str(server.volume))
        server.volume = handle
        self._change(volume, attached_to=server.name)

    def _detach(self, server: str, handle: Handle) -> None:
        volume = self._volumes.get(_name(handle, "volume"))
        if volume and volume.info.attached_to == server:
            self._change(volume, attached_to=None)
            if server in self.servers:
                self.servers[server].volume = None


def _handle(kind: str, name: str, **more: str) -> Handle:
    return {"provider": "fake", "v": 1, "kind": kind, "name": name, **more}


def _name(handle: Handle, kind: str) -> str:
    if handle.get("provider") != "fake" or handle.get("kind") != kind:
        raise ProviderError(f"This is no handle of a fake {kind}", seen=str(handle))
    return str(handle["name"])


def _check_files(files: dict[str, str]) -> None:
    for name in files:
        if name.startswith("/") or ".." in name.split("/"):
            raise BadRequest(f"files: {name!r} is no path below the server's root")
