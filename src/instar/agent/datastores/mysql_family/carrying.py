"""The option files below `/etc/mysql` on their way from root disk to root disk, by way of the volume.

What the administrator made or changed is carried and goes above what the new image brings; a package's file
that nobody changed stays behind, and gives way to the new image's. dpkg knows which those are. What was
removed stays removed, unless the new package's file is another one. Instar's generated file isn't carried.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from instar.agent import durable
from instar.agent.datastores.mysql_family import configuration
from instar.agent.datastores.mysql_family.dialect import Dialect
from instar.agent.datastores.mysql_family.layout import Layout
from instar.wire.errors import Finding, GuestError, Severity

_PACKAGES = "var/lib/dpkg/status"
FILES, _NOTE = "files", "note.json"
_RESTORED = "var/lib/instar/configuration-restored"
"""On the root disk, which knows by it that what was saved has reached it."""
_OF_THE_IMAGE = ("/usr/", "/etc/alternatives/")
"""Where links lead to what an image brings."""
_GENERATED = ("debian.cnf",)
"""Files that a package's installation made; they are of no use to anybody."""


class Note(BaseModel):
    """What is kept beside the files; paths are relative to the folder of option files."""

    id: str = ""
    changed: dict[str, str] = {}
    """Packages' files that were changed, with the MD5 sum of what the package brought."""
    removed: dict[str, str] = {}
    """Packages' files that were removed, likewise."""
    links: dict[str, str] = {}


@dataclass(frozen=True)
class Folder:
    """The option files of one root disk."""

    layout: Layout
    dialect: Dialect

    @property
    def path(self) -> Path:
        """Where they are."""
        return self.layout.configuration

    def packaged(self) -> dict[str, str]:
        """Give the files that packages brought, with their MD5 sums; none where there are no packages."""
        try:
            lines = (self.layout.root / _PACKAGES).read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return {}
        parts = [line.split() for line in lines if line.startswith(" /etc/mysql/")]
        return {
            name.removeprefix("/etc/mysql/"): rest[0] for name, *rest in parts if rest[1:] != ["obsolete"]
        }

    def untouched(self) -> set[str]:
        """Name the packages' files that are as the packages brought them."""
        packaged = self.packaged()
        return {name for name, digest in packaged.items() if _digest(self.path / name) == digest}

    def carried(self) -> dict[str, Path]:
        """Give the files that cross to another image; a file elsewhere on the root disk to which a link leads
        crosses in that link's place.
        """
        left = {*self.untouched(), *_GENERATED}
        found = configuration.files(self.path, self.dialect)
        links = self.links()
        names = {name: path for path in found if (name := str(path.relative_to(self.path))) not in links}
        return {name: path for name, path in names.items() if name not in left}

    def links(self) -> dict[str, str]:
        """Give the symbolic links that cross as such, and where they lead."""
        links = [path for path in sorted(self.path.rglob("*")) if path.is_symlink()]
        found = [path for path in links if not (path.is_file() and self._leads_away(path))]
        return {str(path.relative_to(self.path)): str(path.readlink()) for path in found}

    def _leads_away(self, link: Path) -> bool:
        """Tell whether a link leads to a file that neither crosses nor comes with an image."""
        return not link.resolve().is_relative_to(self.path.resolve()) and not any(
            str(place).startswith(_OF_THE_IMAGE) for place in (link.readlink(), link.resolve())
        )


def save(folder: Folder, target: Path) -> None:
    """Copy what crosses to the volume, modes kept; replaces what an earlier one saved, unless it is the same.

    Raises GuestError naming a file that can't be read. Repeatable.
    """
    packaged, files = folder.packaged(), folder.carried()
    note = Note(
        changed={name: packaged[name] for name in files if name in packaged},
        removed={name: each for name, each in packaged.items() if not os.path.lexists(folder.path / name)},
        links=folder.links(),
    )
    note.id = _identity(files, note)
    if saved(target).id == note.id:
        return
    beside = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    (beside / FILES).mkdir(mode=0o700, parents=True)
    for name, path in files.items():
        configuration.copy_in(path, beside / FILES / name)
    durable.write(beside / _NOTE, note.model_dump_json())
    shutil.rmtree(target, ignore_errors=True)
    durable.rename(beside, target)


def restore(folder: Folder, source: Path) -> list[Finding]:
    """Put what was saved on this root disk, once: what is changed here afterwards stays. Repeatable.

    Tells of files that are kept as they were changed, while the package's own has changed as well.
    """
    note, mark = saved(source), folder.layout.root / _RESTORED
    packaged = folder.packaged()
    if not (mark.is_file() and mark.read_text() == note.id) and note.id:
        _restore(folder, source, note, packaged)
        mark.parent.mkdir(parents=True, exist_ok=True)
        durable.write(mark, note.id)
    return [_kept(folder, name) for name, was in note.changed.items() if packaged.get(name, was) != was]


def saved(source: Path) -> Note:
    """Give the note of what is saved; an empty one when nothing is."""
    try:
        return Note.model_validate_json((source / _NOTE).read_bytes())
    except FileNotFoundError:
        return Note()


def _restore(folder: Folder, source: Path, note: Note, packaged: Mapping[str, str]) -> None:
    for path in sorted((source / FILES).rglob("*")):
        if path.is_file():
            configuration.copy_in(path, folder.path / path.relative_to(source / FILES))
    for name, leads in note.links.items():
        _link(folder.path / name, leads)
    for name, was in note.removed.items():
        if packaged.get(name) == was and name in folder.untouched():
            (folder.path / name).unlink(missing_ok=True)


def _link(path: Path, leads: str) -> None:
    """Put a link in place, unless there is something: what an image brings there knows better."""
    if not os.path.lexists(path) and path.parent.is_dir():
        path.symlink_to(leads)


def _kept(folder: Folder, name: str) -> Finding:
    return Finding(
        check="configuration",
        severity=Severity.NOTE,
        seen=f"{folder.path / name} is kept as it was changed; the package's own file has changed as well",
        remedy="See whether what the package changed is wanted.",
    )


def _identity(files: Mapping[str, Path], note: Note) -> str:
    """Give what differs when anything that is saved differs."""
    told = hashlib.sha256(note.model_dump_json().encode())
    for name, path in sorted(files.items()):
        told.update(f"{name}\0{path.stat().st_mode:o}\0{_digest(path)}\0".encode())
    return told.hexdigest()


def _digest(path: Path) -> str:
    """Give a file's MD5 sum, as dpkg notes it; empty for one that is not there. Raises GuestError."""
    try:
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except PermissionError as error:
        raise GuestError(
            f"{path} can't be read, and so can't be carried to another image",
            seen=error.strerror or str(error),
            remedy="Make it readable to the database's own user, or remove it.",
        ) from None
