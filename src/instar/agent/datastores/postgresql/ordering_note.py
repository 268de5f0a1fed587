"""A note in a data directory: the versions of the libraries that its indexes over text are ordered by.

It crosses from image to image with the indexes that it tells of, is copied and put back with them, and says
before clients are let in that what they write will be ordered by another version.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from instar.agent import durable
from instar.wire.agent import Manifest

_NOTE = "instar_text_ordering.json"

Versions = Mapping[str, str]
"""Library (`libc`, `icu`) -> version; one whose version is not known is left out."""


class Ordering(BaseModel):
    """What indexes are ordered by. While they are rebuilt, `towards` tells by what, and `files` the file that
    each had before: the database gives an index another one in the moment in which it is rebuilt.
    """

    by: dict[str, list[str]] = {}
    towards: dict[str, str] = {}
    files: dict[str, dict[int, int]] = {}

    def filled(self, other: "Ordering | None") -> "Ordering":
        """Give it with what another one knows of libraries that this one does not tell of."""
        return self if other is None else self.model_copy(update={"by": other.by | self.by})

    def strangers(self, here: Versions) -> list[str]:
        """Name the libraries by another version of which any index may be ordered."""
        seen = {name: {*versions} for name, versions in self.by.items()}
        for name, version in self.towards.items():
            seen.setdefault(name, set()).add(version)
        return [name for name, versions in seen.items() if name in here and versions - {here[name]}]


def of(manifest: Manifest) -> Versions:
    """Give the versions that an image has."""
    return versions(manifest.glibc, manifest.icu)


def versions(glibc: str, icu: str) -> Versions:
    """Give the versions that are known."""
    return {name: version for name, version in (("libc", glibc), ("icu", icu)) if version}


def noted(info: Mapping[str, Any]) -> Ordering:
    """Give what `pre_upgrade` told of the image before, where its agent left no note."""
    before = versions(str(info.get("glibc", "")), str(info.get("icu", "")))
    return Ordering(by={name: [version] for name, version in before.items()})


def read(data: Path) -> Ordering | None:
    """Give the note; None when there is none that can be read."""
    try:
        return Ordering.model_validate_json((data / _NOTE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write(data: Path, ordering: Ordering) -> None:
    """Write the note; one that says so already needs no room on a full volume."""
    if read(data) != ordering:
        durable.write(data / _NOTE, ordering.model_dump_json())


def settle(data: Path, here: Versions) -> None:
    """Note that all indexes are ordered by these versions."""
    write(data, Ordering(by={name: [version] for name, version in here.items()}))


def ensure(data: Path, here: Versions) -> None:
    """Note it of libraries that no note tells of: until now nothing else has ordered the indexes."""
    before = Ordering(by={name: [version] for name, version in here.items()})
    write(data, (read(data) or Ordering()).filled(before))


def carry(source: Path, target: Path, info: Mapping[str, Any]) -> None:
    """Give a converted data directory the note of the one whose indexes it has."""
    write(target, (read(source) or Ordering()).filled(noted(info)))


def is_home(data: Path, here: Versions) -> bool:
    """Tell whether clients may be let in unasked: they were let in last, or the indexes ordered, by these."""
    last = read(data)
    if last is None:
        return True
    latest = {name: versions[-1] for name, versions in last.by.items() if versions}
    return not last.towards and all(latest.get(name, version) == version for name, version in here.items())


def lets_in(data: Path, here: Versions) -> None:
    """Note that what clients write from now on is ordered by these versions."""
    last = read(data)
    if last is None or is_home(data, here):
        return
    by = {name: [*last.by.get(name, [])] for name in {*last.by, *last.towards, *here}}
    for met in (last.towards, here):
        for name, version in met.items():
            by[name] = [*(each for each in by[name] if each != version), version]
    write(data, Ordering(by=by))
