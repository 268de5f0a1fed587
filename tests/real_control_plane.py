"""A real control plane: programs of its own below one directory, on the local provider, with real images."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from command_line import Ran
from grounds import Ground
from guest_images import Images
from instar.client import Client
from instar.wire.rest import Operation
from waiting import until

INSTAR = Path(sys.executable).with_name("instar")
TIMEOUT = 120.0
_CONFIGURATION = """\
[DEFAULT]
state_dir = {home}
provider = {provider}
[api]
port = {port}
[store]
{store}
[worker]
lease = 2
poll = 0.1
[guests]
interval = 0.5
limit = 5
"""


@dataclass
class ControlPlane:
    """The programs of one installation; `home` is its state directory, below which everything lies."""

    home: Path
    images: Images
    port: int = field(default_factory=lambda: free_port())
    running: list[psutil.Popen] = field(default_factory=list)
    patience: float = TIMEOUT
    """Seconds that an operation, a command or a program's start may take."""

    @property
    def ground(self) -> Ground:
        """Where its servers run."""
        return self.images.ground

    def configure(self, store_url: str | None = None) -> None:
        """Write `instar.conf` and offer the images; every installation has addresses of its own."""
        text = _CONFIGURATION.format(
            home=self.home,
            port=self.port,
            store=f"url = {store_url}" if store_url else "",
            provider=self.ground.provider,
        )
        (self.home / "instar.conf").write_text(text + self.ground.configuration())
        (self.home / "images").mkdir()
        for digest in {manifest.digest for manifest in self.images.offered}:
            name = digest.removeprefix("sha256:")
            (self.home / "images" / name).symlink_to(self.images.image_dir / name)

    def words(self, program: str) -> list[str | Path]:
        """Give the words that start a program."""
        return [INSTAR, program]

    def start_in_background(self, program: str) -> psutil.Popen:
        """Start a program."""
        with (self.home / f"{program}.log").open("a") as output:
            started = psutil.Popen(
                [*self.words(program), "--config-file", self.home / "instar.conf"],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.running.append(started)
        return started

    def start(self, program: str = "serve") -> psutil.Popen:
        """Start a program and wait until it says that it is ready."""
        log = self.home / f"{program}.log"
        begin = log.stat().st_size if log.exists() else 0
        started = self.start_in_background(program)

        def is_ready() -> bool:
            assert started.poll() is None, log.read_text()[begin:]
            return re.search(r"\] ready$", log.read_text()[begin:], re.MULTILINE) is not None

        until(is_ready, self.patience)
        return started

    def ensure_running(self) -> None:
        """Start `serve` unless it runs."""
        if not self.running:
            self.start()

    def kill(self, program: psutil.Popen) -> None:
        """End a program with no chance to tidy up."""
        program.kill()
        program.wait()
        self.running.remove(program)

    def kill_all(self) -> None:
        """Kill every program of the control plane."""
        for program in tuple(self.running):
            self.kill(program)

    def stop(self) -> None:
        """End every program as an operator would."""
        for program in tuple(self.running):
            with suppress(psutil.NoSuchProcess):
                program.send_signal(signal.SIGTERM)
            program.wait(30)
            self.running.remove(program)

    def command(self, *words: str, **environment: str) -> Ran:
        """Run `instar` as a user of this installation would."""
        done = subprocess.run(
            [INSTAR, *words],
            env={**os.environ, "INSTAR_STATE_DIR": str(self.home), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=self.patience,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @property
    def client(self) -> Client:
        """A client of this installation's API."""
        return Client.local(self.home)

    def wait(self, operation: Operation | str | None) -> Operation:
        """Wait until an operation has succeeded."""
        assert operation is not None
        return self.client.operations.wait(operation, self.patience)

    def use_image(self, version: str, digest: str) -> None:
        """Have a datastore version mean another image from now on."""
        self.client.versions.update(version, self.images.engine.datastore, image=digest)

    def delete_everything(self) -> None:
        """Delete every instance that is there, and wait until all are gone."""
        for instance in list(self.client.instances.list()):
            if instance.status != "SHUTDOWN":
                self.client.instances.delete(instance)
        until(lambda: not list(self.client.instances.list()), self.patience)

    def leftovers(self) -> list[str]:
        """Tell what of deleted instances is still there: processes, directories, addresses."""
        return self.ground.leftovers(self.home) + [
            str(process)
            for process in self.ground.processes_of(self.home)
            if process not in self.running and process.is_running()
        ]


@contextmanager
def installed(
    images: Images,
    *programs: str,
    store_url: str | None = None,
    kind: Callable[[Path, Images], ControlPlane] = ControlPlane,
) -> Iterator[ControlPlane]:
    """Run programs of an installation of its own; at the end nothing may be left of its instances.

    Its directory is kept when that did not go well; its processes never are.
    """
    plane = kind(home(), images)
    try:
        plane.configure(store_url)
        if store_url:
            done = plane.command("db", "upgrade", "--config-file", str(plane.home / "instar.conf"))
            assert done.status == 0, done.err
        for program in programs:
            plane.start(program)
        yield plane
        plane.ensure_running()
        plane.delete_everything()
        until(lambda: plane.leftovers() == [], plane.patience)  # files go in the background
    finally:
        plane.stop()
        left = plane.ground.processes_of(plane.home)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    assert left == []
    plane.ground.close(plane.home)
    shutil.rmtree(plane.home)


def home() -> Path:
    """Make a directory for an installation: a short path, for sockets, that every uid may pass."""
    path = Path(tempfile.mkdtemp(prefix="instar-live-", dir="/var/tmp"))
    path.chmod(0o711)
    return path


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
