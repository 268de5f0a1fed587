"""Where servers run, as the machine's owner sees it: what live tests see behind the control plane's back."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil


class Ground(Protocol):
    """A provider's servers on this machine; `home` is the state directory of the control plane."""

    provider: str

    def configuration(self) -> str:
        """Give the provider's section of `instar.conf`."""

    def processes(self, server: Path, volume: Path) -> set[psutil.Process]:
        """Find all processes of a server, given its directory and its volume's."""

    def machines(self, server: Path, volume: Path) -> set[psutil.Process]:
        """Find what looks after a server's agent: its first process, or what stands for that."""

    def processes_of(self, home: Path) -> list[psutil.Process]:
        """Find all processes of a control plane's servers, and of the control plane."""

    def leftovers(self, home: Path) -> list[str]:
        """Name what is there of servers, volumes and addresses."""

    def strays(self, home: Path, known: set[str]) -> list[str]:
        """Name what is there of servers and volumes but those with the keys `known`."""

    def close(self, home: Path) -> None:
        """Take away what the control plane leaves running for others of its kind."""


class LocalGround:
    """Process trees of this machine, below the provider's directory."""

    provider = "local"

    def configuration(self) -> str:
        """Give every installation addresses of its own."""
        return f"[local]\naddress_range = 127.{128 + os.getpid() % 120}.0.0/16\n"

    def processes(self, server: Path, volume: Path) -> set[psutil.Process]:
        """Find what works in the server's directories, and the machine."""
        return {*processes_below(server), *processes_below(volume), *self.machines(server, volume)}

    def machines(self, server: Path, volume: Path) -> set[psutil.Process]:
        """Find the supervisors."""
        return {
            each
            for each in psutil.process_iter()
            if "machine.supervisor" in command_of(each) and str(server) in command_of(each)
        }

    def processes_of(self, home: Path) -> list[psutil.Process]:
        """Find what works anywhere below the state directory."""
        return processes_below(home)

    def leftovers(self, home: Path) -> list[str]:
        """Name directories and addresses."""
        return kept_in(home / self.provider)

    def strays(self, home: Path, known: set[str]) -> list[str]:
        """Name directories."""
        return [str(path) for path in directories_in(home / self.provider) if path.name not in known]

    def close(self, home: Path) -> None:
        """Nothing is left running."""


LOCAL = LocalGround()


class PodmanGround:
    """Containers, each with a uid of its own on this machine."""

    provider = "podman"

    def configuration(self) -> str:
        """Every installation finds a subnet of its own by itself."""
        return ""

    def processes(self, server: Path, volume: Path) -> set[psutil.Process]:
        """Find what runs under the server's uid."""
        return set(processes_under(uids_below(server.parent, server.name)))

    def machines(self, server: Path, volume: Path) -> set[psutil.Process]:
        """Find the first process of the running container."""
        return {each for each in self.processes(server, volume) if "s6-svscan" in command_of(each)}

    def processes_of(self, home: Path) -> list[psutil.Process]:
        """Find what runs under any server's uid, and what was told of the state directory."""
        return [*processes_under(uids_below(home / "podman/servers")), *processes_below(home)]

    def leftovers(self, home: Path) -> list[str]:
        """Name directories, addresses and containers."""
        return [*kept_in(home / self.provider), *self._listed("ps", "--all", home=home)]

    def strays(self, home: Path, known: set[str]) -> list[str]:
        """Name directories, and containers of servers that are unknown."""
        paths = [str(path) for path in directories_in(home / self.provider) if path.name not in known]
        names = self._listed("ps", "--all", home=home)
        return paths + [name for name in names if not any(f"-{key}-" in name for key in known)]

    def close(self, home: Path) -> None:
        """Remove containers and the network, which a control plane keeps for its next instance."""
        for name in self._listed("ps", "--all", home=home):
            engine("rm", "--force", name)
        for name in self._listed("network", "ls", home=home):
            engine("network", "rm", "--force", name)
        forget_route(home / self.provider)

    def _listed(self, *words: str, home: Path) -> list[str]:
        known = home / "podman/installation.json"
        if not known.exists():
            return []
        mine = f"label=instar.installation={json.loads(known.read_text())['id']}"
        column = "{{.Names}}" if words[0] == "ps" else "{{.Name}}"
        return engine(*words, "--filter", mine, "--format", column).split()


def forget_route(state: Path) -> None:
    """Take away the route that keeps a podman provider's addresses on this machine."""
    known = state / "network.json"
    if known.exists():
        subnet = json.loads(known.read_text())["subnet"]
        subprocess.run(["ip", "route", "del", "unreachable", subnet], capture_output=True, check=False)


def engine(*words: str) -> str:
    """Ask Podman, or Docker where DOCKER_HOST names it, as its owner does; gives what it prints."""
    own = {"CONTAINERS_CONF": "/run/instar/containers.conf"}
    program = "docker" if "DOCKER_HOST" in os.environ else "podman"
    done = subprocess.run(
        [program, *words], env={**own, **os.environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def uids_below(servers: Path, name: str = "*") -> set[int]:
    """Read the uids of servers from their records."""
    return {json.loads(path.read_text())["uid"] for path in servers.glob(f"{name}/server.json")}


def processes_under(uids: set[int]) -> list[psutil.Process]:
    """Find the processes that run under some uids."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real in uids:
                found.append(process)
    return found


def kept_in(directory: Path) -> list[str]:
    """Name the servers, volumes and addresses that a provider keeps in its directory."""
    found = [str(path) for path in directories_in(directory)]
    ports = directory / "ports.json"
    addresses = json.loads(ports.read_text())["ports"] if ports.exists() else {}
    return found + [f"address {each}" for each in addresses]


def directories_in(directory: Path) -> list[Path]:
    """List the directories of the servers and volumes that a provider keeps."""
    rooms = (directory / room for room in ("servers", "volumes"))
    return [path for room in rooms if room.exists() for path in room.iterdir() if path.is_dir()]


def processes_below(directory: Path) -> list[psutil.Process]:
    """Find the processes that run a program from below a directory, work there, or were told of it."""
    return [process for process in psutil.process_iter() if any(_is_below(directory, process))]


def _is_below(directory: Path, process: psutil.Process) -> Iterator[bool]:
    try:
        for place in (process.exe(), process.cwd(), *process.cmdline()):
            yield place.startswith(f"{directory}/")
    except psutil.Error:
        return


def command_of(process: psutil.Process) -> str:
    """Give a process's command line, empty when it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def matching(processes: set[psutil.Process], pattern: str) -> list[psutil.Process]:
    """Pick the processes whose command line matches."""
    return [each for each in processes if re.search(pattern, command_of(each))]


def kill(processes: set[psutil.Process]) -> None:
    """Kill processes at once."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
