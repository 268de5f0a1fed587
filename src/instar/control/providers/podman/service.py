"""The engine's socket: the one we are told, the system's, or that of a service that we start.

Our own service is one for all control planes of the machine. It ends by itself a minute after the last of
them asked it something, and is started again by the next call; containers don't mind either.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from instar.control.providers.directories import records
from instar.wire.errors import ProviderError

SYSTEM = Path("/run/podman/podman.sock")
UPLOADS = Path("/var/cache/instar/uploads")
"""Where our own service puts images that it is sent: on a disk, and swept, since Podman never removes them
(its issue 28531)."""
IDLE = 60
"""Seconds without a question after which our own service ends."""
_QUIET = ["--log-level=error"]
"""It warns of every connection that ends, in a file that lies in memory."""
_START = 30.0
_POLL = 0.02
_CGROUPS_V2 = Path("/sys/fs/cgroup/cgroup.controllers")
_NETAVARK = [Path("/usr/lib/podman/netavark"), Path("/usr/libexec/podman/netavark")]
_PACKAGES = "apt-get install podman runc netavark aardvark-dns iptables uidmap"


class Service:
    """An engine's socket that somebody else looks after, at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ensure(self) -> None:
        """See to it that the engine listens, as far as that is up to us."""


class OwnService(Service):
    """The service of Podman that we start when it does not answer; its files lie in `run_dir`."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir, self._socket = run_dir, run_dir / "podman.sock"
        self.uploads = UPLOADS / "-".join(run_dir.parts[1:])
        super().__init__(f"unix://{self._socket}")

    def ensure(self) -> None:
        """Start the service if it does not listen. Raises ProviderError saying what is missing for that."""
        if answers(self._socket):
            return
        check_programs()
        self._run_dir.mkdir(0o700, parents=True, exist_ok=True)
        with records.locked(self._run_dir / "podman.lock"):
            if not answers(self._socket):
                self._start()

    def _start(self) -> None:
        configuration = self._run_dir / "containers.conf"
        configuration.write_text(make_configuration())
        self._socket.unlink(missing_ok=True)
        shutil.rmtree(self.uploads, ignore_errors=True)
        self.uploads.mkdir(0o700, parents=True, exist_ok=True)
        log = self._run_dir / "podman.log"
        with log.open("w") as output:
            subprocess.run(
                ["setsid", "--fork", "podman", *_QUIET, "system", "service", f"--time={IDLE}", self.url],
                env={**os.environ, "CONTAINERS_CONF": str(configuration), "TMPDIR": str(self.uploads)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                check=True,
            )
        deadline = time.monotonic() + _START
        while not answers(self._socket):
            if time.monotonic() > deadline:
                raise ProviderError(
                    "Podman's service did not start",
                    seen=log.read_text(errors="replace")[-1000:] or f"nothing listens at {self._socket}",
                    remedy=f"see why `podman info` fails, with CONTAINERS_CONF={configuration}",
                    retryable=True,
                )
            time.sleep(_POLL)


def find_service(given: str | None, run_dir: Path) -> Service:
    """Find the engine: `given`, else DOCKER_HOST, else the system's Podman, else one of our own."""
    if url := given or os.environ.get("DOCKER_HOST"):
        return Service(_check_local(url))
    return Service(f"unix://{SYSTEM}") if answers(SYSTEM) else OwnService(run_dir)


def _check_local(url: str) -> str:
    if not url.startswith(("unix://", "http+unix://")):
        raise ProviderError(
            "The container engine has to run on this machine",
            seen=f"its socket is {url}; volumes are directories of this machine",
            remedy="name a Unix socket, unix://..., in option socket of section [podman] or in DOCKER_HOST",
        )
    return url


def answers(path: Path) -> bool:
    """Tell whether somebody listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def check_programs() -> None:
    """Raise ProviderError naming the programs that are missing for a service of our own."""
    missing = [name for name in ("podman", "iptables", _runtime() or "crun") if not shutil.which(name)]
    if not any(path.exists() for path in _NETAVARK):
        missing.append("netavark")
    if missing:
        raise ProviderError(
            "There is no container engine, and none can be started",
            seen=f"not installed: {', '.join(missing)}",
            remedy=f"{_PACKAGES}; or name a running engine in option socket of section [podman]",
        )


def limits_memory() -> bool:
    """Tell whether the kernel's control groups, which the engine uses, can limit memory."""
    if _CGROUPS_V2.exists():
        return "memory" in _CGROUPS_V2.read_text().split()
    return Path("/sys/fs/cgroup/memory").exists()


def make_configuration() -> str:
    """Say how our own service runs containers, whatever the machine's configuration is."""
    runtime = f'runtime = "{_runtime()}"\n' if _runtime() else ""
    return f'[engine]\n{runtime}events_logger = "file"\n[network]\nnetwork_backend = "netavark"\n'


def _runtime() -> str:
    """Name the runtime to use; none where Podman's own choice will do."""
    return "" if _CGROUPS_V2.exists() and shutil.which("crun") else "runc"
