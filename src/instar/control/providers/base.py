"""The contract of a compute provider: images, flavors, ports, volumes, servers.

Rules that the contract suite holds every provider to:

- Names come from our ids. `ensure_*` looks for its thing by name before it makes it, so each may be repeated
  after a crash, and by two callers at once, with one thing as the result.
- Handles are opaque JSON-able dictionaries that carry `provider` and `v`; a handle is enough to find the
  thing again. We store them and hand them back. Of a provider with the ability `replace`, whatever call
  gives the handle of a server, it is the same one.
- Calls are brief: long work is begun, and `inspect_server` or the same call again tells how far it is. Only
  ending a server's processes takes its time: what would not end is killed after some seconds.
- `destroy_*` of a missing thing succeeds. `inspect_*` of a missing thing says so, it does not raise.
- A failure raises `ProviderError`, with `retryable` set where trying again may help.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from instar.wire.agent import Manifest, Parameter
from instar.wire.states import ServerState

Handle = dict[str, Any]


@dataclass(frozen=True)
class Abilities:
    """What a provider can do, as data; what it can't is refused at the door.

    `volume_kind` is what a guest finds its volume as: `directory`, in its place already, or `disk`, a block
    device whose serial is the volume's id or the beginning of it.
    """

    instant_snapshots: bool = False
    snapshots: bool = False
    console_log: bool = False
    resize_server: bool = False
    extend_volume: bool = False
    enforces_volume_size: bool = False
    enforces_memory: bool = False
    replace: bool = False
    limits_access: bool = False
    volume_kind: str = "directory"


@dataclass(frozen=True)
class Image:
    """An image in the provider's store; `ref` is its content digest or the cloud's image id."""

    ref: str
    manifest: Manifest


@dataclass(frozen=True)
class FlavorSpec:
    """A size of server: `ram` in MiB, `disk` in GiB."""

    id: str
    name: str
    ram: int
    vcpus: int
    disk: int = 0


@dataclass(frozen=True)
class Port:
    """A network identity: it stays while servers come and go."""

    handle: Handle
    address: str
    hostname: str


@dataclass(frozen=True)
class AccessRule:
    """Who may reach a port: those in `allowed_cidrs`, everybody when it is empty.

    `is_public` wants an address that can be reached from outside the provider's networks.
    """

    is_public: bool = False
    allowed_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True)
class VolumeInfo:
    """A data volume: `size` in GiB, `used` and `free` in bytes if known; `attached_to` names the server.

    `room` is how many bytes are free where a snapshot of it would be copied to, if known.
    """

    handle: Handle
    id: str
    size: int
    used: int | None = None
    free: int | None = None
    attached_to: str | None = None
    room: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """A volume's state at one moment, to be used once it is `ready`; until then `moved` bytes were copied."""

    handle: Handle
    id: str
    instant: bool
    ready: bool = True
    moved: int = 0


@dataclass(frozen=True)
class Progress:
    """How far something is that takes several calls; `moved` grows, and is 0 where that can't be told."""

    done: bool
    moved: int = 0
    reason: str = ""


@dataclass(frozen=True)
class ServerSpec:
    """What `ensure_server` makes: `name` is derived from our ids; `files` maps paths below the root to text.

    `title` is what people call it; it need not be unique, and only people look at it. Files are readable by
    the server's own user only. Without a `volume`, which takes the ability `replace`, it is a standby: its
    guest waits until it is given one, and with it the port that it `takes_over`.
    """

    name: str
    image: str
    flavor: FlavorSpec
    port: Port
    volume: Handle | None
    files: dict[str, str] = field(repr=False)
    title: str = ""
    takes_over: Handle | None = None


@dataclass(frozen=True)
class ServerInfo:
    """What is known of a server; `image` is the image its root disk was made from.

    `token` is the token of the last rebuild that was carried out (empty after create), `flavor` the id of the
    size that it runs with, None where that is not known. All are what the provider knows: a guest, which can
    write to its root disk, can't make them say anything else.
    """

    handle: Handle
    state: ServerState
    image: str | None = None
    token: str = ""
    reason: str = ""
    flavor: str | None = None


class Provider(Protocol):
    """A place where servers run."""

    name: str
    abilities: Abilities

    # images and flavors
    def images(self) -> list[Image]:
        """List the images in the store that carry a manifest."""

    def image(self, ref: str) -> Image:
        """Find one image. Raises NotFound."""

    def newest_image(self, tags: Sequence[str]) -> str | None:
        """Find the image that was made last of those that carry all tags and can be used; gives its ref.

        Raises NotSupported where images have no tags.
        """

    def parameters(self, ref: str) -> list[Parameter]:
        """List the settings that an image's engine knows; empty when it tells none. Raises NotFound."""

    def flavors(self) -> list[FlavorSpec]:
        """List the sizes on offer."""

    def stage(self, server: Handle, image: str) -> Progress:
        """Bring the image to where the server runs, unpacked, beside what runs; repeat until done."""

    # what is there under a name of ours, whoever made it and whether or not its handle was ever recorded
    def find_port(self, name: str) -> Handle | None:
        """Find the network identity called `name`."""

    def find_volume(self, name: str) -> Handle | None:
        """Find the volume called `name`."""

    def find_snapshot(self, volume: Handle, name: str) -> Handle | None:
        """Find the volume's snapshot called `name`, also one that was begun and is not ready."""

    def find_server(self, name: str) -> Handle | None:
        """Find the server called `name`."""

    # ports
    def ensure_port(self, name: str, hostname: str) -> Port:
        """Find or make the network identity called `name`."""

    def limit_access(self, handle: Handle, rule: AccessRule) -> None:
        """Let in whom the rule names, and nobody else, to whatever server has the port. Repeatable.

        Raises NotSupported without the ability.
        """

    def destroy_port(self, handle: Handle) -> None:
        """Give the address back."""

    # volumes
    def ensure_volume(self, name: str, size: int) -> VolumeInfo:
        """Find or make the volume called `name` with `size` GiB; refuses when the space is not there."""

    def inspect_volume(self, handle: Handle) -> VolumeInfo | None:
        """Tell what is known of a volume, None when it is missing."""

    def destroy_volume(self, handle: Handle) -> None:
        """Delete a volume with its data; refused while it is attached. Its snapshots go with it."""

    def extend_volume(self, handle: Handle, size: int) -> VolumeInfo:
        """Grow a volume to `size` GiB."""

    def attach_volume(self, server: Handle, volume: Handle) -> None:
        """Attach the volume to the server."""

    def detach_volume(self, server: Handle, volume: Handle) -> None:
        """Detach the volume; the server must not be using it."""

    def snapshots(self, volume: Handle) -> list[Snapshot]:
        """List the volume's snapshots, also those that were begun and are not ready."""

    def snapshot_volume(self, handle: Handle, name: str) -> Snapshot:
        """Find or make the snapshot called `name`; repeat until it is ready, which outlasts a power cut.

        The volume may be attached to a server that runs, and must not be written to meanwhile. Raises
        ProviderError, with nothing left of the snapshot, when there is no room for it.
        """

    def revert_volume(self, handle: Handle, snapshot: Handle) -> Progress:
        """Put the volume back to the snapshot, which stays; repeat until done.

        May be begun again after a crash at any point. Raises ProviderError unless the server that has the
        volume is STOPPED. Until it is done, that server must not be started.
        """

    def clone_volume(self, snapshot: Handle, name: str) -> VolumeInfo:
        """Find or make a volume called `name` with the content of a snapshot that is ready."""

    def destroy_snapshot(self, snapshot: Handle) -> None:
        """Delete a snapshot, also one that is being made."""

    # servers
    def ensure_server(self, spec: ServerSpec) -> ServerInfo:
        """Find or begin to make the server called `spec.name`; repeat or inspect until ACTIVE."""

    def inspect_server(self, handle: Handle) -> ServerInfo:
        """Tell what the machine itself says of the server."""

    def rebuild_server(self, handle: Handle, image: str, files: dict[str, str], token: str) -> ServerInfo:
        """Wipe the root disk, replace it by the image, inject files again; the port and the volume stay.

        `token` names this rebuild: a repeat with the same token looks before it acts, finishes what was begun
        and wipes nothing twice, also when it arrives after a newer rebuild: then it tells the present state.
        Every process of the old server is gone before the new one starts. On failure the old one runs on.
        """

    def reboot_server(self, handle: Handle, token: str) -> ServerInfo:
        """Stop every process of the server and boot it again from the same root disk; once per `token`.

        It starts a STOPPED server.
        """

    def stop_server(self, handle: Handle, token: str) -> ServerInfo:
        """End every process of the server, whatever state its guest is in; once per `token`.

        The server stays STOPPED, with its root disk, port and volume, until a rebuild or reboot with a new
        token. Raises ProviderError, retryable, when a process would not end: until then it is not STOPPED.
        """

    def resize_server(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Change the server's size; its root disk, port and volume stay. Repeat until ACTIVE.

        The guest's database was stopped before: the server may boot again for it. A server that has the size
        is left alone, but for what was begun. Raises ProviderError for a STOPPED one, NotSupported without
        the ability.
        """

    def hand_over(self, old: Handle, new: Handle, volume: Handle, port: Handle) -> Progress:
        """Give the volume and the port of `old` to `new`, a server without a volume; repeat until done.

        `old` is STOPPED and stays so, or it is MISSING; `new` may run, and its guest finds what it is given
        without booting; a port that `new` had may be destroyed afterwards. May be begun again after a crash
        at any point, and called the other way round to go back. Raises ProviderError, with nothing changed,
        for an `old` that runs or a `new` that is missing; NotSupported without the ability `replace`.
        """

    def destroy_server(self, handle: Handle) -> None:
        """Delete the server with its root disk; the port and the volume stay. No process is left behind."""

    def console_log(self, handle: Handle, lines: int) -> str:
        """Give the last lines that the server printed."""

    def recover(self) -> None:
        """Boot again what should run and does not; never what was stopped, or is being deleted or changed.

        Cheap: workers call it every few seconds, while operations are under way. A server that can't be
        brought back is logged with its cause and holds up no other.
        """
