"""The podman provider with toy systems, and a look behind it."""

import json
from pathlib import Path
from typing import Any

import toy_system
from docker.errors import NotFound
from harnesses import FILES, PARAMETERS, until

from grounds import forget_route
from instar.control.providers.base import Handle
from instar.control.providers.directories import trash
from instar.control.providers.directories.images import ImageStore
from instar.control.providers.podman import archive
from instar.control.providers.podman.containers import INSTALLATION, NUMBER, SERVER
from instar.control.providers.podman.engine import Engine
from instar.control.providers.podman.imports import IMPORTED_BY, REPOSITORY, Imports, fault, name_of
from instar.control.providers.podman.provider import PodmanProvider
from instar.control.providers.podman.servers import HANDLES
from instar.control.providers.podman.service import find_service
from instar.control.providers.podman.settings import PodmanSettings
from instar.wire.states import ServerState

SCRIBBLE = "var/lib/instar/scribble"
FLAVORS = """
[[flavor]]
id = "1"
name = "tiny"
ram = 96
vcpus = 1

[[flavor]]
id = "2"
name = "larger"
ram = 128
vcpus = 2
"""


class PodmanHarness:
    addresses = 13
    """The smallest subnet's sixteen without the network's own, the host's and the last."""

    def __init__(self, directory: Path, run_dir: Path | None = None) -> None:
        directory.joinpath("flavors.toml").write_text(FLAVORS)
        self.settings = PodmanSettings(
            directory / "state",
            directory / "images",
            directory / "flavors.toml",
            subnets="10.217.0.0/16",
            subnet_prefix=28,
            run_dir=run_dir or PodmanSettings.run_dir,
        )
        self.images = [
            toy_system.make_image(self.settings.image_dir, "old"),
            toy_system.make_image(self.settings.image_dir, "new", parameters=PARAMETERS),
        ]
        self._refs = dict(zip(("old", "new"), self.images, strict=True))
        self.engine = Engine(find_service(None, self.settings.run_dir))
        self.provider = PodmanProvider(self.settings)

    def reopen(self) -> PodmanProvider:
        return PodmanProvider(self.settings)

    def ask(self, question: Any) -> Any:
        return self.engine.ask("serve a test", question)

    def data(self, volume: Handle) -> Path:
        return self.settings.state_dir / "volumes" / HANDLES.key(volume, "volume") / "data"

    def place(self, server: Handle) -> Path:
        return self.settings.state_dir / "servers" / HANDLES.key(server, "server")

    def write(self, volume: Handle, name: str, text: str) -> None:
        (self.data(volume) / name).write_text(text)

    def read(self, volume: Handle, name: str) -> str | None:
        path = self.data(volume) / name
        return path.read_text() if path.exists() else None

    def containers(self, server: Handle) -> list[dict[str, Any]]:
        """List a server's containers."""
        label = f"{SERVER}={HANDLES.key(server, 'server')}"
        return self._containers([self._label(), label])

    def running(self, server: Handle) -> str:
        """Give the id of the one that runs."""
        (found,) = [each["Id"] for each in self.containers(server) if each["State"] == "running"]
        return str(found)

    def run(self, server: Handle, *command: str) -> tuple[int, str]:
        """Run a program in a server as its own user; gives its exit status and what it printed."""
        made = self.ask(lambda api: api.exec_create(self.running(server), list(command)))
        said = self.ask(lambda api: api.exec_start(made["Id"]))
        return self.ask(lambda api: api.exec_inspect(made["Id"]))["ExitCode"], said.decode()

    def scribble(self, server: Handle) -> None:
        packed = archive.system_file(SCRIBBLE, b"here")
        assert self.ask(lambda api: api.put_archive(self.newest(server), "/", packed))

    def has_scribble(self, server: Handle) -> bool:
        return self.fetch(server, SCRIBBLE) is not None

    def injected(self, server: Handle) -> dict[str, str]:
        return {name: (self.fetch(server, name) or b"").decode() for name in FILES}

    def newest(self, server: Handle) -> str:
        """Give the id of the container that was made last."""
        return str(max(self.containers(server), key=lambda each: int(each["Labels"][NUMBER]))["Id"])

    def fetch(self, server: Handle, path: str) -> bytes | None:
        """Read a file from a server's root disk."""
        try:
            return archive.content(self.ask(lambda api: _fetch(api, self.newest(server), path)))
        except FileNotFoundError:
            return None

    def cut_power(self, server: Handle) -> None:
        self.ask(lambda api: api.kill(self.running(server), "SIGKILL"))
        state = self.provider.inspect_server
        until(lambda: state(server).state != ServerState.ACTIVE, "the container is killed")

    def boots(self, volume: Handle) -> list[str]:
        return [self._refs[name] for name in (self.read(volume, "boots") or "").split()]

    def damage(self, image: str) -> None:
        content = self.settings.image_dir / image.removeprefix("sha256:") / "rootfs.tar"
        content.unlink()
        content.write_bytes(b"cut off")

    def add(self, name: str, **how: Any) -> str:
        """Add an image; gives its ref."""
        ref = toy_system.make_image(self.settings.image_dir, name, **how)
        self._refs[name] = ref
        return ref

    def forget(self, image: str) -> None:
        """Have the engine forget an image that no server has."""
        self.engine.find("forget an image", lambda api: api.remove_image(name_of(image)))

    def delete(self, image: str) -> None:
        """Delete an image from the store."""
        trash.remove(self.settings.image_dir / image.removeprefix("sha256:"))

    def imports(self) -> Imports:
        """Give what brings images into the engine, as another process has it."""
        images = ImageStore(self.settings.image_dir, "oci", fault)
        return Imports(self.engine, images, self.settings.state_dir / "imports", self.installation)

    @property
    def installation(self) -> str:
        """Give the installation's id."""
        return str(json.loads((self.settings.state_dir / "installation.json").read_text())["id"])

    def networks(self) -> list[str]:
        """Name the installation's networks."""
        label = self._label()
        return [each["Name"] for each in self.ask(lambda api: api.networks(filters={"label": label}))]

    def close(self) -> None:
        """Remove what is left in the engine, so that no test leaves a container or a network."""
        for each in self._containers([self._label()]):
            self.ask(lambda api, each=each: api.remove_container(each["Id"], force=True, v=True))
        for name in self.networks():
            self.ask(lambda api, name=name: api.remove_network(name))
        forget_route(self.settings.state_dir)
        ours = {"label": f"{IMPORTED_BY}={self.installation}"}
        for each in self.ask(lambda api: api.images(filters=ours)):
            if not any(name.startswith(f"{REPOSITORY}:") for name in each["RepoTags"] or []):
                self.ask(lambda api, each=each: api.remove_image(each["Id"], force=True))

    def _label(self) -> str:
        return f"{INSTALLATION}={self.installation}"

    def _containers(self, labels: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(
            lambda api: api.containers(all=True, filters={"label": labels})
        )
        return found


def _fetch(api: Any, name: str, path: str) -> bytes:
    try:
        return b"".join(api.get_archive(name, f"/{path}")[0])
    except NotFound:
        raise FileNotFoundError(path) from None
