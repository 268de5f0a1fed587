"""Which agent goes into an image: this very Instar's, or that of another release."""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol

import instar
from instar.wire.errors import BadRequest

_ROOMS = ("wire", "agent")
_PLUGINS = "instar.datastores"


@dataclass(frozen=True)
class AgentSource:
    """An agent's code: its files by their path on Python's path, what it needs, and its datastores."""

    version: str
    requirements: tuple[str, ...]
    entry_points: str
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """Digest of all of it."""
        whole = hashlib.sha256(f"{self.version}\0{self.requirements}\0{self.entry_points}\0".encode())
        for name, content in sorted(self.files.items()):
            whole.update(b"%s\0%s\n" % (name.encode(), hashlib.sha256(content).hexdigest().encode()))
        return whole.hexdigest()


class _Folder(Protocol):
    """A folder on disk or inside a zip."""

    @property
    def name(self) -> str: ...
    def iterdir(self) -> "Iterator[_Folder]": ...
    def is_dir(self) -> bool: ...
    def is_file(self) -> bool: ...
    def read_bytes(self) -> bytes: ...
    def joinpath(self, *names: str) -> "_Folder": ...


def own() -> AgentSource:
    """Give the agent of this installation, with the datastores of everybody who is installed beside it."""
    return AgentSource(
        version=instar.__version__,
        requirements=_requirements(metadata.requires("instar") or []),
        entry_points=_entry_points(metadata.entry_points(group=_PLUGINS)),
        files=_files(Path(instar.__file__).parent.parent),
    )


def read(path: Path) -> AgentSource:
    """Read the agent of another release from a folder or zip.

    It holds `instar/wire`, `instar/agent` and its distribution's metadata (`instar-<version>.dist-info`).
    Raises BadRequest when they are not there.
    """
    home: _Folder = zipfile.Path(path) if zipfile.is_zipfile(path) else path
    missing = [room for room in _ROOMS if not home.joinpath("instar", room).is_dir()]
    told = [] if missing else list(metadata.distributions(name="instar", path=[str(path)]))
    if not told:
        raise BadRequest(
            f"{path} holds no agent",
            seen=f"there is no instar/{missing[0]} in it"
            if missing
            else "there is no instar-*.dist-info in it",
            remedy="Give a folder or zip with instar/wire, instar/agent and instar-<version>.dist-info.",
        )
    return AgentSource(
        version=told[0].version,
        requirements=_requirements(told[0].requires or []),
        entry_points=_entry_points(each for each in told[0].entry_points if each.group == _PLUGINS),
        files=_files(home),
    )


def _files(home: _Folder) -> dict[str, bytes]:
    found = {
        f"instar/{name}": home.joinpath("instar", name).read_bytes()
        for name in ("__init__.py", "py.typed")
        if home.joinpath("instar", name).is_file()
    }
    for room in _ROOMS:
        found |= dict(_below(home.joinpath("instar", room), f"instar/{room}"))
    return found


def _below(folder: _Folder, name: str) -> Iterator[tuple[str, bytes]]:
    for each in folder.iterdir():
        if each.is_file():
            yield f"{name}/{each.name}", each.read_bytes()
        elif each.name != "__pycache__":
            yield from _below(each, f"{name}/{each.name}")


def _requirements(told: list[str]) -> tuple[str, ...]:
    wanted = (each.partition(";") for each in told)
    return tuple(
        sorted(name.strip() for name, _, marker in wanted if 'extra == "agent"' in marker.replace("'", '"'))
    )


def _entry_points(found: Iterable[metadata.EntryPoint]) -> str:
    plugins = sorted({f"{each.name} = {each.value}" for each in found})
    return "\n".join([f"[{_PLUGINS}]", *plugins, ""])
