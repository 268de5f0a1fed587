"""The fake's servers: `on_boot`, `on_stop` and `on_volume` let fake guests follow them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from instar.control.providers.base import FlavorSpec, Handle, Progress, ServerInfo, ServerSpec
from instar.control.providers.fake.catalog import FakeImages
from instar.control.providers.fake.verbs import make_handle, name_of, verb
from instar.control.providers.fake.volumes import FakeVolumes, Files
from instar.wire.errors import BadRequest, ProviderError
from instar.wire.states import ServerState


@dataclass
class FakeServer:
    """A server: `disk` is its root disk, wiped by a rebuild; `polls` inquiries are left until it is up.

    `sizes` are the flavors that it was changed to; `rebuilds`, `reboots` and `stops` are the tokens of those
    that were carried out, oldest first; `halted` is a server that was stopped and is to stay so; `port` is
    the name of the port that it has, empty without one.
    """

    name: str
    image: str
    files: dict[str, str]
    port: str
    volume: Handle | None
    flavor: str = ""
    sizes: list[str] = field(default_factory=list)
    rebuilds: list[str] = field(default_factory=list)
    reboots: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    halted: bool = False
    disk: Files = field(default_factory=dict)
    polls: int = 0
    up: bool = False
    console: list[str] = field(default_factory=list)
    staging: dict[str, int] = field(default_factory=dict)


class FakeServers(FakeImages, FakeVolumes):
    """Servers, with the images and volumes that they are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.servers: dict[str, FakeServer] = {}
        self.on_boot: Callable[[str, str, dict[str, str]], None] = lambda name, image, files: None
        self.on_stop: Callable[[str], None] = lambda name: None
        self.on_volume: Callable[[str, bool], None] = lambda name, there: None

    # accidents

    def lose_server(self, name: str) -> None:
        """Have a server vanish, as if somebody had deleted it behind our back."""
        with self.lock:
            server = self.servers.pop(name)
            self._stop(server)
            if server.volume:
                self._detach(name, server.volume)

    def cut_power(self, name: str) -> None:
        """Have a server go down; `recover` boots it again."""
        with self.lock:
            self._stop(self.servers[name])

    # verbs

    @verb
    def stage(self, server: Handle, image: str) -> Progress:
        """Bring the image to the server: at once, or after as many calls as `slow` was dialled to."""
        self._image(image)
        staging = self._server(server).staging
        staging[image] = moved = staging.get(image, 0) + 1
        done = moved >= self.dials.polls.get("stage", 1)
        return Progress(done, moved, "" if done else "the image is being copied")

    @verb
    def find_server(self, name: str) -> Handle | None:
        """Find the server called `name`."""
        return make_handle("server", name) if name in self.servers else None

    @verb
    def ensure_server(self, spec: ServerSpec) -> ServerInfo:
        """Find or make a server."""
        self._image(spec.image)
        _check_files(spec.files)
        if spec.name not in self.servers:
            port = name_of(spec.port.handle, "port")
            server = FakeServer(spec.name, spec.image, dict(spec.files), port, None, spec.flavor.id)
            if spec.volume is not None:
                self._attach(server, spec.volume)
            self.servers[spec.name] = server
            self._boot(server, "ensure_server")
        return self._info(spec.name)

    @verb
    def inspect_server(self, handle: Handle) -> ServerInfo:
        """Tell how a server is; a slow one comes a step nearer."""
        name = name_of(handle, "server")
        server = self.servers.get(name)
        if server and server.polls:
            server.polls -= 1
            self._come_up(server)
        return self._info(name)

    @verb
    def rebuild_server(self, handle: Handle, image: str, files: dict[str, str], token: str) -> ServerInfo:
        """Wipe the root disk and boot from the image; once for each token."""
        server = self._server(handle)
        self._image(image)
        _check_files(files)
        if not token:
            raise BadRequest("token: a rebuild needs a name")
        if token not in server.rebuilds:
            self._stop(server)
            server.rebuilds.append(token)
            server.image, server.files = image, dict(files)
            server.disk, server.staging = {}, {}
            self._boot(server, "rebuild_server")
        return self._info(server.name)

    @verb
    def reboot_server(self, handle: Handle, token: str) -> ServerInfo:
        """Boot a server again; once for each token."""
        server = self._server(handle)
        if token not in server.reboots:
            self._stop(server)
            server.reboots.append(token)
            self._boot(server, "reboot_server")
        return self._info(server.name)

    @verb
    def stop_server(self, handle: Handle, token: str) -> ServerInfo:
        """Have a server go down and stay so; once for each token."""
        server = self._server(handle)
        if not token:
            raise BadRequest("token: a stop needs a name")
        if token not in server.stops:
            self._stop(server)
            server.stops.append(token)
            server.halted = True
        return self._info(server.name)

    @verb
    def revert_volume(self, handle: Handle, snapshot: Handle) -> Progress:
        """Put a volume back: at once, or after as many calls as `slow` was dialled to."""
        server = self.servers.get(self._volume(handle).info.attached_to or "")
        if server and (server.up or server.polls or not server.halted):
            raise ProviderError(f"Server {server.name} is not stopped", remedy="stop it first")
        return self._revert(handle, snapshot)

    @verb
    def resize_server(self, handle: Handle, flavor: FlavorSpec) -> ServerInfo:
        """Give a server another size, for which it boots again."""
        server = self._server(handle)
        if server.halted:
            raise ProviderError(f"Server {server.name} is stopped", remedy="start it first")
        if server.flavor != flavor.id:
            self._stop(server)
            server.flavor = flavor.id
            server.sizes.append(flavor.id)
            self._boot(server, "resize_server")
        return self._info(server.name)

    @verb
    def hand_over(self, old: Handle, new: Handle, volume: Handle, port: Handle) -> Progress:
        """Move volume and port: at once, or one at a time where `slow` was dialled."""
        giver, taker = self.servers.get(name_of(old, "server")), self._server(new)
        if giver and (giver.up or giver.polls or not giver.halted):
            raise ProviderError(f"Server {giver.name} is not stopped", remedy="stop it first")
        if giver and self._volume(volume).info.attached_to == giver.name:
            self._detach(giver.name, volume)
            if self.dials.polls.get("hand_over"):
                return Progress(False, 1, "the volume is detached")
        self._attach(taker, volume)
        taker.port = name_of(port, "port")
        if giver and giver.port == taker.port:
            giver.port = ""
        return Progress(done=True)

    @verb
    def destroy_server(self, handle: Handle) -> None:
        """Delete a server."""
        server = self.servers.pop(name_of(handle, "server"), None)
        if server:
            self._stop(server)
            if server.volume:
                self._detach(server.name, server.volume)

    @verb
    def console_log(self, handle: Handle, lines: int) -> str:
        """Tell of the boots."""
        return "\n".join(self._server(handle).console[-lines:]) if lines > 0 else ""

    @verb
    def recover(self) -> None:
        """Boot again what is down."""
        for server in self.servers.values():
            if not server.up and not server.polls and not server.halted:
                self._boot(server, "recover")

    @verb
    def attach_volume(self, server: Handle, volume: Handle) -> None:
        """Attach a volume."""
        self._attach(self._server(server), volume)

    @verb
    def detach_volume(self, server: Handle, volume: Handle) -> None:
        """Detach a volume."""
        self._detach(name_of(server, "server"), volume)

    # how it is done

    def _boot(self, server: FakeServer, verb: str) -> None:
        server.polls, server.halted = self.dials.polls.get(verb, 0), False
        server.console.append(f"booting {server.image}")
        self._come_up(server)

    def _come_up(self, server: FakeServer) -> None:
        if not server.polls:
            server.up = True
            if server.image not in self.dead:
                self.on_boot(server.name, server.image, server.files)

    def _stop(self, server: FakeServer) -> None:
        server.up, server.polls = False, 0
        self.on_stop(server.name)

    def _info(self, name: str) -> ServerInfo:
        handle, server = make_handle("server", name), self.servers.get(name)
        if server is None:
            return ServerInfo(handle, ServerState.MISSING)
        state = (
            ServerState.ACTIVE if server.up else ServerState.BUILDING if server.polls else ServerState.STOPPED
        )
        return ServerInfo(
            handle, state, server.image, server.rebuilds[-1] if server.rebuilds else "", flavor=server.flavor
        )

    def _server(self, handle: Handle) -> FakeServer:
        server = self.servers.get(name_of(handle, "server"))
        if server is None:
            raise ProviderError("The server is gone", seen=str(handle["name"]))
        return server

    def _attach(self, server: FakeServer, handle: Handle) -> None:
        volume = self._volume(handle)
        if volume.info.attached_to not in (None, server.name):
            raise ProviderError(
                f"Volume {volume.info.id} is in use", seen=f"by server {volume.info.attached_to}"
            )
        if server.volume not in (None, handle):
            raise ProviderError(f"Server {server.name} has a volume", seen=str(server.volume))
        is_new, server.volume = server.volume is None, handle
        self._change(volume, attached_to=server.name)
        if is_new:
            self.on_volume(server.name, True)

    def _detach(self, server: str, handle: Handle) -> None:
        volume = self._volumes.get(name_of(handle, "volume"))
        if volume and volume.info.attached_to == server:
            self._change(volume, attached_to=None)
            if server in self.servers:
                self.servers[server].volume = None
                self.on_volume(server, False)


def _check_files(files: dict[str, str]) -> None:
    for name in files:
        if name.startswith("/") or ".." in name.split("/"):
            raise BadRequest(f"files: {name!r} is no path below the server's root")
