"""The base of a system: a Debian release with the recipe's packages, made by mmdebstrap once and kept.

What decides a base is its recipe's `[system]` and how it is made here; an agent of another day does not make
it anew. It stays as it was, with the package versions of its day, until somebody asks for a fresh one.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, Field

from instar.images import packages, store
from instar.images.errors import BuildError
from instar.images.recipe import System
from instar.images.store import Progress
from instar.images.system import archive, chroot, finishing, mirror, mmdebstrap

_GENERATION = 1
"""Grows when bases are to be made anew though nothing else has changed that decides one."""


class Base(BaseModel):
    """What is known of a base; its files are a tar beside."""

    os: str
    glibc: str
    python: str
    packages: dict[str, str]
    suites: dict[str, str] = Field(default={}, description="suite -> date of its state that was installed")


def check_machine() -> None:
    """Raise BuildError unless systems can be built here at all."""
    if os.geteuid() != 0:
        raise BuildError(
            "Building a whole system takes root: packages are installed into it as on a machine",
            seen=f"uid {os.geteuid()}",
            remedy="Run it with sudo, or build it on another machine and copy the folder of the image.",
        )
    if shutil.which("mmdebstrap") is None:
        raise BuildError(
            "mmdebstrap is missing: it installs Debian into a folder",
            remedy="apt-get install mmdebstrap, then build again.",
        )


def make(
    system: System, progress: Progress, *, mirror_uri: str | None = None, fresh: bool = False
) -> tuple[Base, Path]:
    """Give a base and its tar: the kept one, or a new one when there is none or a `fresh` one is wanted."""
    kept = packages.cache_dir() / "systems" / _key(system)
    if (kept / "base.json").is_file() and not fresh:
        return _read(kept)
    with store.scratch(kept.parent, progress, kept.name) as scratch:
        if not (kept / "base.json").is_file() or fresh:  # else by another build, meanwhile
            whole = scratch / "whole"
            whole.mkdir()
            base = _bootstrap(system, scratch, whole / "base.tar", progress, mirror_uri)
            (whole / "base.json").write_text(base.model_dump_json(indent=1), encoding="utf-8")
            shutil.rmtree(kept, ignore_errors=True)
            whole.rename(kept)
    return _read(kept)


def _read(kept: Path) -> tuple[Base, Path]:
    return Base.model_validate_json((kept / "base.json").read_bytes()), kept / "base.tar"


def _key(system: System) -> str:
    deciding = [
        _GENERATION,
        mmdebstrap.options(system),
        system.foreign,
        system.locales,
        finishing.GONE,
        archive.EPOCH,
    ]
    whole = hashlib.sha256(repr(deciding).encode()).hexdigest()
    return f"{system.debian}-{whole[:24]}"


def _bootstrap(
    system: System, scratch: Path, target: Path, progress: Progress, mirror_uri: str | None
) -> Base:
    root, place = scratch / "root", scratch / "tmp"
    place.mkdir()
    progress(f"looking for a mirror of Debian {system.debian}")
    suites = mirror.suites(system.debian, mirror_uri)
    foreign = [suite for each in system.foreign for suite in mirror.suites(each.debian, mirror_uri)]
    for suite in (*suites, *foreign):
        if suite.expired:
            progress(f"{suite.name} has not been brought up to date since {suite.date}: taken as it is")
    preferences = scratch / "preferences"
    preferences.write_text(_preferences([suite.name for suite in foreign]))
    lines = [suite.line for suite in (*suites, *foreign)]
    pinned = f"--setup-hook=upload {preferences} /etc/apt/preferences.d/foreign"
    mmdebstrap.run([*mmdebstrap.options(system), pinned], system.debian, root, lines, progress)
    finishing.finish(root, place, system.locales, progress)
    base = _describe(root, place, {suite.name: suite.date for suite in (*suites, *foreign)})
    progress("keeping the base for later builds")
    archive.pack(root, target)
    return base


def _preferences(foreign: Sequence[str]) -> str:
    """Have apt take a package of another release only where the system's own release has none."""
    return "".join(f"Package: *\nPin: release n={name}\nPin-Priority: 100\n\n" for name in foreign)


def _describe(root: Path, scratch: Path, suites: dict[str, str]) -> Base:
    listed = chroot.do(root, scratch, ["dpkg-query", "-W", "-f", "${Package} ${Version}\n"])
    release = (root / "etc/os-release").read_text("utf-8")
    probe = (
        "import os, ssl, sys; print(*sys.version_info[:3], sep='.'); print(os.confstr('CS_GNU_LIBC_VERSION'))"
    )
    python, libc = chroot.do(root, scratch, ["python3", "-IS", "-c", probe]).splitlines()
    names = [
        line.partition("=")[2].strip('"') for line in release.splitlines() if line.startswith("PRETTY_NAME=")
    ]
    return Base(
        os=names[0],
        glibc=libc.removeprefix("glibc "),
        python=python,
        packages=dict(sorted(line.split(" ") for line in listed.splitlines())),
        suites=suites,
    )
